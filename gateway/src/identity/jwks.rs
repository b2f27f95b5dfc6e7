//! JSON Web Key Sets: the signing keys in them that we accept.
//!
//! A key that cannot verify signatures of an accepted algorithm is left out; it
//! is normal for a set to hold others. A set that is broken or ambiguous is
//! refused as a whole.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use super::json;
use crate::config::SignatureAlgorithm;

/// Most keys in a set.
const KEYS_MAX: usize = 100;
/// Longest key id.
const KEY_ID_BYTES_MAX: usize = 256;

/// A key that verifies signatures of exactly one algorithm.
#[derive(Debug, Clone)]
pub(super) struct VerifyingKey {
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) key: DecodingKey,
}

/// Why a key set cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum JwksError {
    #[error("it is not a JSON object with a list `keys`")]
    Format,
    #[error("it has more than 100 keys")]
    TooMany,
    #[error("two usable keys have the same `kid`")]
    RepeatedKeyId,
    #[error(
        "it has no signing key with a `kid` that is usable here (RS256 with 2048 bits or more, ES256, EdDSA)"
    )]
    NoKey,
}

/// The usable keys of a set, by key id.
pub(super) fn parse(
    bytes: &[u8],
    algorithms: &[SignatureAlgorithm],
) -> Result<BTreeMap<String, VerifyingKey>, JwksError> {
    let set = json::object(bytes).ok_or(JwksError::Format)?;
    let Some(Value::Array(entries)) = set.get("keys") else {
        return Err(JwksError::Format);
    };
    if entries.len() > KEYS_MAX {
        return Err(JwksError::TooMany);
    }
    let mut keys = BTreeMap::new();
    for entry in entries {
        let Some((key_id, key)) = entry.as_object().and_then(|entry| usable(entry, algorithms)) else {
            continue;
        };
        if keys.insert(key_id, key).is_some() {
            return Err(JwksError::RepeatedKeyId);
        }
    }
    if keys.is_empty() { Err(JwksError::NoKey) } else { Ok(keys) }
}

fn usable(entry: &Map<String, Value>, algorithms: &[SignatureAlgorithm]) -> Option<(String, VerifyingKey)> {
    let key_id = text(entry, "kid").filter(|id| (1..=KEY_ID_BYTES_MAX).contains(&id.len()))?;
    if !is_for_verification(entry) {
        return None;
    }
    let (algorithm, key) = match text(entry, "kty")? {
        "RSA" => (SignatureAlgorithm::Rs256, rsa(entry)?),
        "EC" if text(entry, "crv")? == "P-256" => (SignatureAlgorithm::Es256, p256(entry)?),
        "OKP" if text(entry, "crv")? == "Ed25519" => (SignatureAlgorithm::EdDsa, ed25519(entry)?),
        _ => return None,
    };
    let stated = match entry.get("alg") {
        None => true,
        Some(stated) => stated.as_str() == Some(algorithm.name()),
    };
    (stated && algorithms.contains(&algorithm)).then(|| (key_id.to_owned(), VerifyingKey { algorithm, key }))
}

fn text<'a>(entry: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    entry.get(name)?.as_str()
}

fn is_for_verification(entry: &Map<String, Value>) -> bool {
    let usage = entry.get("use").is_none_or(|usage| usage.as_str() == Some("sig"));
    let operations = entry.get("key_ops").is_none_or(|operations| {
        operations.as_array().is_some_and(|list| list.iter().any(|operation| operation == "verify"))
    });
    usage && operations
}

fn decoded(entry: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text(entry, name)?).ok()
}

fn rsa(entry: &Map<String, Value>) -> Option<DecodingKey> {
    let (modulus, exponent) = (decoded(entry, "n")?, decoded(entry, "e")?);
    (2048..=8192).contains(&bits(&modulus)).then(|| DecodingKey::from_rsa_raw_components(&modulus, &exponent))
}

/// Bits of a big-endian number, without leading zeros.
fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    let leading = number.get(zeros).map_or(0, |byte| byte.leading_zeros() as usize);
    (number.len() - zeros) * 8 - leading
}

fn p256(entry: &Map<String, Value>) -> Option<DecodingKey> {
    let (x, y) = (decoded(entry, "x")?, decoded(entry, "y")?);
    if x.len() != 32 || y.len() != 32 {
        return None;
    }
    DecodingKey::from_ec_components(text(entry, "x")?, text(entry, "y")?).ok()
}

fn ed25519(entry: &Map<String, Value>) -> Option<DecodingKey> {
    if decoded(entry, "x")?.len() != 32 {
        return None;
    }
    DecodingKey::from_ed_components(text(entry, "x")?).ok()
}
