//! SHA-256 digests with a length-prefixed way to feed them, so that two
//! different sequences of parts never give the same bytes.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of exactly `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(bytes);
        Self::from_context(context)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A digest received from elsewhere; `None` unless it has 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// A digest as it is displayed; `None` unless it is that exactly.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
        let bytes: Option<Vec<u8>> =
            pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
        Self::from_slice(&bytes?)
    }

    fn from_context(context: Context) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.finish().as_ref());
        Self(bytes)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Digest of a sequence of parts, each prefixed by its length.
#[allow(missing_debug_implementations)]
pub struct DigestBuilder(Context);

impl DigestBuilder {
    /// Starts a digest for one `purpose`: digests for different purposes never collide.
    pub fn new(purpose: &str) -> Self {
        Self(Context::new(&SHA256)).part(purpose.as_bytes())
    }

    /// Adds one part.
    #[must_use]
    pub fn part(mut self, bytes: &[u8]) -> Self {
        self.0.update(&(bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds a list: its length, then each part.
    #[must_use]
    pub fn parts<P: AsRef<[u8]>>(self, parts: impl ExactSizeIterator<Item = P>) -> Self {
        let mut builder = self.part(&(parts.len() as u64).to_be_bytes());
        for part in parts {
            builder = builder.part(part.as_ref());
        }
        builder
    }

    /// The digest of what was added.
    pub fn finish(self) -> Digest {
        Digest::from_context(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_as_it_is_displayed_and_not_otherwise() {
        let digest = Digest::of(b"x");
        let text = digest.to_string();
        assert_eq!(Digest::from_hex(&text), Some(digest));
        assert_eq!(format!("{digest:?}"), text);
        let wrong = [
            text.to_uppercase(),
            text.replacen(|_: char| true, "", 1),
            format!("{text}00"),
            text.replace('a', "g"),
        ];
        for wrong in wrong.iter().map(String::as_str).chain(["", "0"]) {
            assert_eq!(Digest::from_hex(wrong), None, "{wrong}");
        }
    }
}
