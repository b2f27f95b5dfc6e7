//! How a line holds on to the one before it.

use std::io;

use meshgate_policies::Digest;
use serde::Deserialize;

use super::LINE_BYTES;

/// Where a line stands in its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    /// Counted from 1.
    pub(super) number: u64,
    /// The digest of the line before.
    pub(super) before: Digest,
}

#[derive(Deserialize)]
struct Text<'a> {
    n: u64,
    before: &'a str,
}

/// More than what a line says of its place.
const PLACE_BYTES: usize = 256;

/// Whoever changes a file may write any number into it.
pub(super) const NUMBER_MAX: u64 = 1 << 53;

/// The digest that stands for what is before the first line.
pub(super) fn beginning() -> Digest {
    Digest::of(b"meshgate-audit-v1")
}

impl Link {
    /// Can this be a record? That is a JSON object with something in it, on one line and not too long.
    pub(super) fn check(record: &[u8]) -> io::Result<()> {
        let is_short = (record.len() + PLACE_BYTES) as u64 <= LINE_BYTES;
        let is_one = record.len() > 2 && record.starts_with(b"{") && !record.contains(&b'\n');
        let problem = || io::Error::other("a record is not one line with an object");
        if is_short && is_one { Ok(()) } else { Err(problem()) }
    }

    /// The line of a record, without its line break.
    pub(super) fn seal(self, record: &[u8]) -> Vec<u8> {
        let mut line = format!("{{\"n\":{},\"before\":\"{}\",", self.number, self.before).into_bytes();
        line.extend(record.iter().skip(1));
        line
    }

    /// What a line says of its place; `None` if it is no line of a log.
    pub(super) fn of(line: &[u8]) -> Option<Self> {
        let text: Text<'_> = serde_json::from_slice(line).ok()?;
        if !(1..=NUMBER_MAX).contains(&text.n) {
            return None;
        }
        Some(Self { number: text.n, before: Digest::from_hex(text.before)? })
    }
}
