//! One JSON Web Token: what may be read before its signature is verified (its
//! header, and which issuer it claims to be of), and what is believed after.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, crypto};
use serde_json::{Map, Value};

use super::{Reason, json, jwks::VerifyingKey};
use crate::config::SignatureAlgorithm;

/// How far clocks may differ: microseconds.
const LEEWAY: i64 = 30_000_000;
const SECOND: f64 = 1_000_000.0;
/// The year 9999: a later time is a mistake, and must not overflow.
const SECONDS_MAX: f64 = 253_402_300_799.0;
/// Longest subject.
const SUBJECT_BYTES_MAX: usize = 512;

/// A token whose form is right; nothing in it is verified.
pub(super) struct Token<'a> {
    /// What is signed.
    message: &'a str,
    signature: &'a str,
    algorithm: SignatureAlgorithm,
    key_id: String,
    issuer: String,
    /// Not to be believed before the signature is verified.
    claims: Map<String, Value>,
}

/// What a verified token says.
#[derive(Debug)]
pub(super) struct VerifiedClaims {
    pub(super) issuer: String,
    pub(super) subject: String,
    /// Microseconds since the epoch.
    pub(super) expires_at: i64,
    /// All claims.
    pub(super) claims: Map<String, Value>,
}

impl<'a> Token<'a> {
    pub(super) fn parse(text: &'a str, token_bytes: usize, header_bytes: usize) -> Result<Self, Reason> {
        if text.len() > token_bytes {
            return Err(Reason::TooLong);
        }
        let (message, signature) = text.rsplit_once('.').ok_or(Reason::Parts)?;
        let (header, claims) = message.split_once('.').ok_or(Reason::Parts)?;
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| Reason::Parts)?;
        if header.len() > header_bytes {
            return Err(Reason::TooLong);
        }
        let (algorithm, key_id) = read_header(&header)?;
        // A fourth part is in here and is no base64.
        let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| Reason::Parts)?;
        let claims = json::object(&claims).ok_or(Reason::Claims)?;
        let issuer = claims.get("iss").and_then(Value::as_str).ok_or(Reason::Issuer)?.to_owned();
        Ok(Self { message, signature, algorithm, key_id, issuer, claims })
    }

    /// The issuer that the token claims to be of.
    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Verifies the signature with `key` and then every claim that says for whom and until when.
    pub(super) fn verify(
        self,
        key: &VerifyingKey,
        issuer: &str,
        audience: &str,
        now: i64,
    ) -> Result<VerifiedClaims, Reason> {
        if self.algorithm != key.algorithm {
            return Err(Reason::Algorithm);
        }
        let algorithm = match key.algorithm {
            SignatureAlgorithm::Rs256 => Algorithm::RS256,
            SignatureAlgorithm::Es256 => Algorithm::ES256,
            SignatureAlgorithm::EdDsa => Algorithm::EdDSA,
        };
        // Only the signature is left to the crate: it passes claims that are absent or
        // of another type, takes the last of two, and reads the computer's clock.
        match crypto::verify(self.signature, self.message.as_bytes(), &key.key, algorithm) {
            Ok(true) => {}
            Ok(false) | Err(_) => return Err(Reason::Signature),
        }
        if self.issuer != issuer {
            return Err(Reason::Issuer);
        }
        let claims = self.claims;
        check_audience(claims.get("aud"), audience)?;
        let subject = subject(claims.get("sub"))?;
        let expires_at = check_times(&claims, now)?;
        Ok(VerifiedClaims { issuer: issuer.to_owned(), subject, expires_at, claims })
    }
}

impl VerifiedClaims {
    /// For whom the token is.
    pub(super) fn audience(&self) -> Vec<String> {
        match self.claims.get("aud") {
            Some(Value::String(text)) => vec![text.clone()],
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    }
}

/// Algorithm and key id of a header that asks for nothing else. Keys and
/// addresses in it (`jwk`, `jku`, `x5c`, `x5u`) are not looked at.
fn read_header(bytes: &[u8]) -> Result<(SignatureAlgorithm, String), Reason> {
    let header = json::object(bytes).ok_or(Reason::Header)?;
    let algorithm = header.get("alg").and_then(Value::as_str).and_then(SignatureAlgorithm::by_name);
    let algorithm = algorithm.ok_or(Reason::Algorithm)?;
    if let Some(kind) = header.get("typ") {
        let kind = kind.as_str().unwrap_or_default();
        // RFC 7515 lets `application/` be left out, RFC 9068 names access tokens.
        let kind = kind.strip_prefix("application/").unwrap_or(kind);
        if !kind.eq_ignore_ascii_case("jwt") && !kind.eq_ignore_ascii_case("at+jwt") {
            return Err(Reason::Type);
        }
    }
    if ["crit", "enc", "zip", "b64"].iter().any(|name| header.contains_key(*name)) {
        return Err(Reason::Critical);
    }
    let key_id = header.get("kid").and_then(Value::as_str).filter(|id| !id.is_empty());
    Ok((algorithm, key_id.ok_or(Reason::NoKeyId)?.to_owned()))
}

/// `aud` is the audience, or a list of texts that holds it.
fn check_audience(claim: Option<&Value>, audience: &str) -> Result<(), Reason> {
    let meant = match claim {
        Some(Value::String(text)) => text == audience,
        Some(Value::Array(list)) => {
            list.iter().all(Value::is_string) && list.iter().any(|text| text == audience)
        }
        _ => false,
    };
    if meant { Ok(()) } else { Err(Reason::Audience) }
}

fn subject(claim: Option<&Value>) -> Result<String, Reason> {
    let subject = claim.and_then(Value::as_str).ok_or(Reason::Subject)?;
    let blank = subject.trim().is_empty() || subject.chars().any(char::is_control);
    if blank || subject.len() > SUBJECT_BYTES_MAX { Err(Reason::Subject) } else { Ok(subject.to_owned()) }
}

/// The time of expiry, if the token is valid now.
fn check_times(claims: &Map<String, Value>, now: i64) -> Result<i64, Reason> {
    let expires_at = claims.get("exp").and_then(time).ok_or(Reason::Expiry)?;
    if now >= expires_at.saturating_add(LEEWAY) {
        return Err(Reason::Expired);
    }
    for (name, reason) in [("nbf", Reason::NotYetValid), ("iat", Reason::IssuedInFuture)] {
        let begin = match claims.get(name) {
            None => continue,
            Some(value) => time(value).ok_or(reason)?,
        };
        if begin > now.saturating_add(LEEWAY) {
            return Err(reason);
        }
    }
    Ok(expires_at)
}

/// Seconds since the epoch, as an integer or with a fraction, in microseconds.
#[allow(clippy::cast_possible_truncation, reason = "the range was checked")]
fn time(value: &Value) -> Option<i64> {
    let seconds = value.as_f64()?;
    (0.0..=SECONDS_MAX).contains(&seconds).then_some((seconds * SECOND) as i64)
}
