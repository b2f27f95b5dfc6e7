//! Tokens as the mesh's issuer would sign them.

use std::path::Path;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
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
    public: Vec<u8>,
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
            public: URL_SAFE_NO_PAD.decode(keys["keys"][0]["x"].as_str().expect("x")).expect("base64"),
        }
    }

    /// A new key of this id.
    pub fn generate(key_id: &str) -> Self {
        let pair = Ed25519KeyPair::generate().expect("a key");
        let der: Pkcs8V1Der<'_> = pair.as_der().expect("a key");
        let key = EncodingKey::from_ed_der(der.as_ref());
        Self { key, key_id: key_id.to_owned(), public: pair.public_key().as_ref().to_vec() }
    }

    /// The public key as key sets have it.
    pub fn jwk(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(&self.public);
        json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": self.key_id, "x": x })
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
