//! What was told, as bytes that can be compared: without ids of queries, times and seals.

use std::fmt::Write as _;

use arrow_flight::{FlightData, FlightInfo};
use prost::Message;
use tonic::Status;

use super::unordered::{Unordered, unordered};

/// Everything that somebody was told, in order.
#[derive(Debug, Default, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Told(Vec<(&'static str, Vec<u8>)>);

impl Told {
    pub(crate) fn bytes(&mut self, what: &'static str, bytes: &[u8]) {
        self.0.push((what, without_ids(bytes)));
    }

    pub(crate) fn number(&mut self, what: &'static str, number: usize) {
        self.bytes(what, number.to_string().as_bytes());
    }

    pub(crate) fn message(&mut self, message: &FlightData) {
        self.bytes("message", &message.encode_to_vec());
    }

    /// Of a seal its length: all else of it is random.
    pub(crate) fn info(&mut self, info: &FlightInfo) {
        let mut info = info.clone();
        // The descriptor is the caller's own, and may hold a sealed handle.
        info.flight_descriptor = None;
        for endpoint in &mut info.endpoint {
            endpoint.expiration_time = None;
            if let Some(ticket) = &mut endpoint.ticket {
                let length = ticket.ticket.len();
                ticket.ticket = format!("{length}").into();
            }
        }
        self.bytes("info", &info.encode_to_vec());
    }

    pub(crate) fn status(&mut self, status: &Status) {
        let mut metadata = status.metadata().clone();
        metadata.remove("date");
        // There only if nothing came before the status.
        metadata.remove("content-type");
        let mut text = format!("{:?} {} {metadata:?} ", status.code(), status.message());
        let _ = write!(text, "{}", status.details().escape_ascii());
        self.bytes("status", text.as_bytes());
    }

    /// The same but for the order of rows; where both end in the same error, also but for how many came before it?
    pub(crate) fn is_alike(&self, other: &Self) -> bool {
        if self == other {
            return true;
        }
        let (Some(own), Some(others)) = (self.rows(), other.rows()) else { return false };
        let is_cut_off = self.is_error() && (own.is_part_of(&others) || others.is_part_of(&own));
        self.beside_messages() == other.beside_messages() && (own == others || is_cut_off)
    }

    /// The same but for which rows there are?
    pub(crate) fn has_as_many_rows(&self, other: &Self) -> bool {
        let count = |told: &Self| told.rows().map(|rows| rows.count());
        self.beside_messages() == other.beside_messages() && count(self) == count(other)
    }

    fn beside_messages(&self) -> Vec<&(&'static str, Vec<u8>)> {
        self.0.iter().filter(|(what, _)| *what != "message").collect()
    }

    /// `None` if it holds no whole result.
    fn rows(&self) -> Option<Unordered> {
        let messages = self.0.iter().filter(|(what, _)| *what == "message");
        unordered(
            messages.map(|(_, bytes)| FlightData::decode(bytes.as_slice()).expect("a message")).collect(),
        )
    }

    /// Did it end in a status?
    pub(crate) fn is_error(&self) -> bool {
        self.0.last().is_some_and(|(what, _)| *what == "status")
    }

    /// Everything in one text, to read.
    pub(crate) fn shown(&self) -> String {
        let lines = self.0.iter().map(|(what, bytes)| format!("    {what}: {}\n", bytes.escape_ascii()));
        lines.collect()
    }
}

/// A stream that ended well says so, or a short one would be the beginning of another.
pub(crate) fn end(told: &mut Told) {
    told.bytes("end", b"ok");
}

/// Places of an id in its text form.
const ID_LENGTH: usize = 36;

/// With ids (of queries, of failures) written over.
fn without_ids(bytes: &[u8]) -> Vec<u8> {
    let mut result = bytes.to_vec();
    let mut at = 0;
    while at + ID_LENGTH <= result.len() {
        let here = &result[at..at + ID_LENGTH];
        let is_id = here.iter().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
        if is_id {
            result[at..at + ID_LENGTH].fill(b'#');
            at += ID_LENGTH;
        } else {
            at += 1;
        }
    }
    result
}
