//! Makes tokens and key sets for tests, the bad ones included.

use std::sync::LazyLock;

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    rsa,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
        RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://login.larkfield.example/realms/staff";
pub(crate) const AUDIENCE: &str = "meshgate";
/// Seconds since the epoch at which the tests' clock starts.
pub(crate) const START: i64 = 1_795_000_000;

/// Private keys; making an RSA key takes long, so all tests share them.
pub(crate) struct Forge {
    rsa: rsa::KeyPair,
    ec: EcdsaKeyPair,
    ed: Ed25519KeyPair,
}

pub(crate) static FORGE: LazyLock<Forge> = LazyLock::new(Forge::new);
/// The same, of somebody else.
pub(crate) static STRANGER: LazyLock<Forge> = LazyLock::new(Forge::new);

/// How a token is signed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signing {
    Rs256,
    Rs512,
    Ps256,
    Es256,
    EdDsa,
    /// HMAC with the RSA public key as secret.
    PublicKeyAsSecret,
    Nothing,
}

impl Forge {
    fn new() -> Self {
        Self {
            rsa: rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap(),
            ec: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            ed: Ed25519KeyPair::generate().unwrap(),
        }
    }

    pub(crate) fn rsa_jwk(&self) -> Value {
        let key = self.rsa.public_key();
        let (n, e) = (key.modulus().big_endian_without_leading_zero(), key.exponent());
        json!({"kty": "RSA", "kid": "rsa", "use": "sig", "alg": "RS256",
               "n": base64(n), "e": base64(e.big_endian_without_leading_zero())})
    }

    pub(crate) fn ec_jwk(&self) -> Value {
        let point = self.ec.public_key().as_ref();
        json!({"kty": "EC", "crv": "P-256", "kid": "ec", "key_ops": ["verify"],
               "x": base64(&point[1..33]), "y": base64(&point[33..])})
    }

    pub(crate) fn ed_jwk(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": base64(self.ed.public_key().as_ref())})
    }

    pub(crate) fn jwks(&self) -> Value {
        json!({"keys": [self.rsa_jwk(), self.ec_jwk(), self.ed_jwk()]})
    }

    /// A token of exactly these texts.
    pub(crate) fn raw(&self, header: &str, claims: &str, signing: Signing) -> String {
        let message = format!("{}.{}", base64(header.as_bytes()), base64(claims.as_bytes()));
        let signature = base64(&self.signature(message.as_bytes(), signing));
        format!("{message}.{signature}")
    }

    pub(crate) fn token(&self, header: &Value, claims: &Value, signing: Signing) -> String {
        self.raw(&header.to_string(), &claims.to_string(), signing)
    }

    /// A token that is good but for `change`.
    pub(crate) fn with_claims(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = good_claims();
        change(&mut claims);
        self.token(&json!({"alg": "EdDSA", "typ": "JWT", "kid": "ed"}), &claims, Signing::EdDsa)
    }

    /// A token whose header is good but for `change`.
    pub(crate) fn with_header(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut header = json!({"alg": "EdDSA", "typ": "JWT", "kid": "ed"});
        change(&mut header);
        self.token(&header, &good_claims(), Signing::EdDsa)
    }

    pub(crate) fn good(&self) -> String {
        self.with_claims(|_| ())
    }

    fn signature(&self, message: &[u8], signing: Signing) -> Vec<u8> {
        match signing {
            Signing::Rs256 => self.rsa_signature(message, &RSA_PKCS1_SHA256),
            Signing::Rs512 => self.rsa_signature(message, &RSA_PKCS1_SHA512),
            Signing::Ps256 => self.rsa_signature(message, &RSA_PSS_SHA256),
            Signing::Es256 => self.ec.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Signing::EdDsa => self.ed.sign(message).as_ref().to_vec(),
            Signing::PublicKeyAsSecret => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, self.rsa.public_key().as_ref());
                hmac::sign(&key, message).as_ref().to_vec()
            }
            Signing::Nothing => Vec::new(),
        }
    }

    fn rsa_signature(&self, message: &[u8], encoding: &'static dyn RsaEncoding) -> Vec<u8> {
        let mut signature = vec![0; self.rsa.public_modulus_len()];
        self.rsa.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    }
}

pub(crate) fn good_claims() -> Value {
    json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "anna", "exp": START + 300, "nbf": START, "iat": START,
           "regions": ["DE"], "realm_access": {"roles": ["analyst"]}})
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
