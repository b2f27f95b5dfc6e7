//! Tokens as the mesh's issuer would sign them.

use std::path::Path;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// Issuer and audience that the harness configures.
pub const ISSUER: &str = "https://login.larkfield.example/realms/staff";
pub const AUDIENCE: &str = "meshgate";

/// Signs tokens with the issuer key of `meshgate dev ca`.
#[derive(Clone)]
pub struct Forge {
    key: EncodingKey,
    key_id: String,
}

impl Forge {
    /// `folder` holds `issuer.key` and `jwks.json`.
    pub fn read(folder: &Path) -> Self {
        let pem = std::fs::read(folder.join("issuer.key")).expect("issuer.key");
        let keys: Value =
            serde_json::from_slice(&std::fs::read(folder.join("jwks.json")).expect("jwks.json"))
                .expect("JSON");
        Self {
            key: EncodingKey::from_ed_pem(&pem).expect("an Ed25519 key"),
            key_id: keys["keys"][0]["kid"].as_str().expect("a key id").to_owned(),
        }
    }

    /// A good token for an hour, with `claims` beside the registered ones.
    pub fn token(&self, claims: &Value) -> String {
        self.raw(&with_terms(claims))
    }

    /// Exactly these claims.
    pub fn raw(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.key_id.clone());
        jsonwebtoken::encode(&header, claims, &self.key).expect("a token")
    }
}

/// `claims` with issuer, audience and times of a good token.
pub fn with_terms(claims: &Value) -> Value {
    let now = chrono::Utc::now().timestamp();
    let mut whole = json!({ "iss": ISSUER, "aud": AUDIENCE, "iat": now, "nbf": now - 5, "exp": now + 3600 });
    for (name, value) in claims.as_object().expect("claims") {
        whole[name] = value.clone();
    }
    whole
}
