//! Tokens for development and demos, signed with a key of `dev ca`.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Map, Value};

use super::{KeyError, signing_key::SigningKey};

/// What goes into a token besides the caller's own claims.
#[derive(Debug, Clone)]
pub(crate) struct TokenTerms<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) audience: &'a str,
    pub(crate) subject: &'a str,
    /// Seconds since the epoch.
    pub(crate) now: i64,
    pub(crate) seconds: i64,
}

/// Signs a token. The registered claims come from `terms`, whatever `claims` says.
pub(crate) fn sign(
    key: &SigningKey,
    terms: &TokenTerms<'_>,
    claims: &Map<String, Value>,
) -> Result<String, KeyError> {
    let mut payload = claims.clone();
    payload.insert("iss".into(), terms.issuer.into());
    payload.insert("aud".into(), terms.audience.into());
    payload.insert("sub".into(), terms.subject.into());
    payload.insert("iat".into(), terms.now.into());
    payload.insert("nbf".into(), terms.now.into());
    payload.insert("exp".into(), terms.now.saturating_add(terms.seconds).into());
    payload.insert("jti".into(), uuid::Uuid::new_v4().to_string().into());
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(key.id());
    jsonwebtoken::encode(&header, &payload, &EncodingKey::from_ed_der(&key.to_der()?))
        .map_err(|_| KeyError::Token)
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation};

    use super::*;

    #[test]
    fn a_token_verifies_with_its_key_and_no_other() {
        let key = SigningKey::generate().unwrap();
        let now = chrono::Utc::now().timestamp();
        let terms =
            TokenTerms { issuer: "https://issuer", audience: "meshgate", subject: "anna", now, seconds: 60 };
        let mut claims = Map::new();
        claims.insert("regions".into(), serde_json::json!(["DE"]));
        claims.insert("sub".into(), "somebody else".into());
        let token = sign(&key, &terms, &claims).unwrap();

        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&["meshgate"]);
        validation.set_issuer(&["https://issuer"]);
        let decode = |key: &SigningKey| {
            let key = DecodingKey::from_ed_der(key.public_key());
            jsonwebtoken::decode::<Map<String, Value>>(&token, &key, &validation)
        };
        let read = decode(&key).unwrap();
        assert_eq!(read.claims["sub"], "anna");
        assert_eq!(read.claims["regions"], serde_json::json!(["DE"]));
        assert_eq!(read.header.kid, Some(key.id()));
        assert!(decode(&SigningKey::generate().unwrap()).is_err());
    }
}
