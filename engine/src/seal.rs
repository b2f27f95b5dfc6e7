//! Bytes that somebody else keeps until they come back: readable and
//! changeable only by who holds the key, AES-256-GCM-SIV.
//!
//! A label says what sealed bytes are for and is bound to them, so that they open for nothing
//! else. What they mean is the matter of who seals them.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Longest sealed bytes that are made and looked at: clients bring them in one message.
pub const SEALED_BYTES_MAX: usize = 768 << 10;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// First byte of everything that is sealed.
const FORMAT: u8 = 1;
const KEY_ID_BYTES_MAX: usize = 64;

/// With and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Something could not be sealed: it is too long, a key cannot be used, or the random source failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it cannot be sealed")]
pub struct SealError;

/// Keys that those share who seal and open.
pub struct SealKeys {
    /// The first one seals.
    keys: Vec<(String, RandomizedNonceKey)>,
}

impl std::fmt::Debug for SealKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys: Vec<_> = self.keys.iter().map(|(id, _)| id).collect();
        f.debug_struct("SealKeys").field("keys", &keys).finish()
    }
}

impl SealKeys {
    /// Keys with their ids. The first one seals, all open; there must be one.
    pub fn new<'a>(
        keys: impl IntoIterator<Item = (&'a str, &'a [u8; KEY_BYTES])>,
    ) -> Result<Self, SealError> {
        let keys = keys
            .into_iter()
            .map(|(id, key)| match (id.len(), RandomizedNonceKey::new(&AES_256_GCM_SIV, key)) {
                (1..=KEY_ID_BYTES_MAX, Ok(cipher)) => Ok((id.to_owned(), cipher)),
                _ => Err(SealError),
            })
            .collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(SealError) } else { Ok(Self { keys }) }
    }

    /// Seals `plain` under `label`.
    pub fn seal(&self, label: &str, plain: Vec<u8>) -> Result<Vec<u8>, SealError> {
        let (key_id, cipher) = self.keys.first().ok_or(SealError)?;
        let mut sealed = plain;
        let nonce = cipher
            .seal_in_place_append_tag(Aad::from(associated_data(label, key_id)), &mut sealed)
            .map_err(|_| SealError)?;
        let mut bytes = Vec::with_capacity(2 + key_id.len() + NONCE_LEN + sealed.len());
        bytes.push(FORMAT);
        bytes.push(u8::try_from(key_id.len()).map_err(|_| SealError)?);
        bytes.extend_from_slice(key_id.as_bytes());
        bytes.extend_from_slice(nonce.as_ref());
        bytes.extend_from_slice(&sealed);
        if bytes.len() > SEALED_BYTES_MAX { Err(SealError) } else { Ok(bytes) }
    }

    /// What was sealed under `label` under one of the keys.
    pub fn open(&self, label: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        if sealed.len() > SEALED_BYTES_MAX {
            return None;
        }
        let (&[format, length], rest) = sealed.split_first_chunk()?;
        let (key_id, rest) = rest.split_at_checked(usize::from(length))?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>()?;
        let (key_id, cipher) = self.keys.iter().find(|(id, _)| id.as_bytes() == key_id)?;
        if format != FORMAT {
            return None;
        }
        let mut buffer = rest.to_vec();
        let associated = Aad::from(associated_data(label, key_id));
        let length =
            cipher.open_in_place(Nonce::assume_unique_for_key(*nonce), associated, &mut buffer).ok()?.len();
        buffer.truncate(length);
        Some(buffer)
    }
}

fn associated_data(label: &str, key_id: &str) -> Vec<u8> {
    format!("{label}\0{key_id}").into_bytes()
}

/// A key as configurations write it: 32 bytes in base64, or in hexadecimal digits.
pub fn key_of_text(text: &str) -> Option<[u8; KEY_BYTES]> {
    let text = text.trim();
    let bytes = if text.len() == 2 * KEY_BYTES { hexadecimal(text) } else { BASE64.decode(text).ok() };
    bytes?.try_into().ok()
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    Some(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(keys: &[(&str, u8)]) -> SealKeys {
        let keys: Vec<_> = keys.iter().map(|(id, byte)| (*id, [*byte; KEY_BYTES])).collect();
        SealKeys::new(keys.iter().map(|(id, key)| (*id, key))).unwrap()
    }

    #[test]
    fn what_was_sealed_comes_back_and_is_not_the_same_twice() {
        let keys = keys(&[("a", 1)]);
        for plain in [Vec::new(), b"some words".to_vec()] {
            let sealed = keys.seal("kind", plain.clone()).unwrap();
            assert_eq!(keys.open("kind", &sealed), Some(plain.clone()));
            assert_ne!(keys.seal("kind", plain.clone()).unwrap(), sealed);
            assert!(!sealed.windows(5).any(|window| window == b"words"));
        }
    }

    #[test]
    fn it_opens_for_its_label_and_under_its_key_only() {
        let sealed = keys(&[("a", 1)]).seal("kind\0sales-1", b"x".to_vec()).unwrap();
        assert!(keys(&[("b", 2), ("a", 1)]).open("kind\0sales-1", &sealed).is_some());

        for label in ["kind\0sales-2", "other\0sales-1", "kind", "", "kind\0sales-1\0a"] {
            assert_eq!(keys(&[("a", 1)]).open(label, &sealed), None, "{label}");
        }
        for other in [[("a", 2)], [("b", 1)], [("A", 1)]] {
            assert_eq!(keys(&other).open("kind\0sales-1", &sealed), None, "{other:?}");
        }
    }

    #[test]
    fn changed_cut_and_longer_bytes_do_not_open() {
        let keys = keys(&[("a", 1)]);
        let sealed = keys.seal("kind", b"some words".to_vec()).unwrap();
        for position in 0..sealed.len() {
            for bit in 0..8 {
                let mut changed = sealed.clone();
                changed[position] ^= 1 << bit;
                assert_eq!(keys.open("kind", &changed), None, "{position}:{bit}");
            }
            assert_eq!(keys.open("kind", &sealed[..position]), None);
            assert_eq!(keys.open("kind", &sealed[position + 1..]), None);
        }
        assert_eq!(keys.open("kind", &[sealed.as_slice(), b"x"].concat()), None);
    }

    #[test]
    fn lengths_are_bounded() {
        let keys = keys(&[("a", 1)]);
        let around = keys.seal("kind", Vec::new()).unwrap().len();
        let most = SEALED_BYTES_MAX - around;
        let sealed = keys.seal("kind", vec![0; most]).unwrap();
        assert_eq!(keys.open("kind", &sealed).map(|plain| plain.len()), Some(most));
        assert_eq!(keys.seal("kind", vec![0; most + 1]), Err(SealError));
        assert_eq!(keys.open("kind", &vec![FORMAT; SEALED_BYTES_MAX + 1]), None);

        let key = [1; KEY_BYTES];
        let long = "k".repeat(KEY_ID_BYTES_MAX);
        assert!(SealKeys::new([(long.as_str(), &key)]).is_ok());
        assert!(SealKeys::new([(format!("{long}k").as_str(), &key)]).is_err());
        assert!(SealKeys::new([("", &key)]).is_err());
        assert!(SealKeys::new([]).is_err());
    }

    #[test]
    fn keys_are_texts_of_32_bytes() {
        let padded = "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=";
        for text in [padded, padded.trim_end_matches('='), &format!(" {padded}\n"), &"aB".repeat(KEY_BYTES)] {
            assert_eq!(key_of_text(text), Some([0xab; KEY_BYTES]), "{text}");
        }
        for text in
            ["", "short", &"ab".repeat(KEY_BYTES - 1), &"zz".repeat(KEY_BYTES), &format!("{padded}AAAA")]
        {
            assert_eq!(key_of_text(text), None, "{text}");
        }
    }

    #[test]
    fn keys_do_not_print() {
        assert_eq!(format!("{:?}", keys(&[("a", 1)])), "SealKeys { keys: [\"a\"] }");
    }
}
