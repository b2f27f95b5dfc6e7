//! Every key and certificate that a development mesh needs, as files.

use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use chrono::NaiveDate;
use serde_json::json;

use super::{
    KeyError,
    authority::{Authority, GATEWAY_ROLE, Issued, NODE_ROLE, Purpose},
    signing_key::SigningKey,
};
use crate::failure::Failure;

/// A domain and the DNS name that its node's certificate carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DomainName {
    pub(crate) domain: String,
    pub(crate) certificate: String,
}

/// Who gets a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Holder {
    /// The certificate authority itself.
    Authority,
    /// The mesh operator.
    Operator,
    /// Who issues tokens.
    TokenIssuer,
    Gateway,
    Node(String),
}

/// One file to write.
pub(crate) struct KeyFile {
    pub(crate) holder: Holder,
    pub(crate) name: &'static str,
    pub(crate) text: String,
    /// Readable by its owner only.
    pub(crate) secret: bool,
}

/// Creates all keys of a mesh with these domains.
pub(crate) fn create(domains: &[DomainName], today: NaiveDate) -> Result<Vec<KeyFile>, KeyError> {
    let authority = Authority::create(today)?;
    let permit = SigningKey::generate()?;
    let operator = SigningKey::generate()?;
    let token_issuer = SigningKey::generate()?;
    let operator_public = format!("{}\n", STANDARD.encode(operator.public_key()));
    let jwks = key_set(&token_issuer);

    let mut files = vec![
        public(Holder::Authority, "mesh-ca.crt", authority.certificate()),
        secret(Holder::Authority, "mesh-ca.key", authority.key()),
        public(Holder::Operator, "operator.pub", &operator_public),
        secret(Holder::Operator, "operator.key", &operator.to_pem()?),
        public(Holder::TokenIssuer, "jwks.json", &jwks),
        secret(Holder::TokenIssuer, "issuer.key", &token_issuer.to_pem()?),
        public(Holder::Gateway, "mesh-ca.crt", authority.certificate()),
        public(Holder::Gateway, "jwks.json", &jwks),
        public(Holder::Gateway, "operator.pub", &operator_public),
        secret(Holder::Gateway, "permit.key", &permit.to_pem()?),
        secret(Holder::Gateway, "sealing.key", &random_key()?),
    ];
    let server = authority.issue("Meshgate gateway", Purpose::Server, &[], None)?;
    pair(&mut files, &Holder::Gateway, ["gateway.crt", "gateway.key"], server);
    let client = authority.issue("Meshgate gateway", Purpose::Client, &[], Some(GATEWAY_ROLE))?;
    pair(&mut files, &Holder::Gateway, ["gateway-client.crt", "gateway-client.key"], client);

    let permit_keys = permit_keys(&permit);
    // The same for all: pseudonyms of a space with the scope `mesh` can be joined.
    let pseudonym = random_key()?;
    for DomainName { domain, certificate } in domains {
        let holder = Holder::Node(domain.clone());
        let issued = authority.issue(certificate, Purpose::Server, &[certificate], Some(NODE_ROLE))?;
        pair(&mut files, &holder, ["node.crt", "node.key"], issued);
        files.push(public(holder.clone(), "mesh-ca.crt", authority.certificate()));
        files.push(public(holder.clone(), "permit-keys.json", &permit_keys));
        files.push(secret(holder.clone(), "pseudonym.key", &pseudonym));
        files.push(public(holder, "operator.pub", &operator_public));
    }
    Ok(files)
}

/// Writes a file that is not there yet. Keys are never replaced.
pub(crate) fn write(path: &Path, file: &KeyFile) -> Result<(), Failure> {
    let mode = if file.secret { 0o600 } else { 0o644 };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| Failure::file("create", folder, &error))?;
    }
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut target| target.write_all(file.text.as_bytes()))
        .map_err(|error| Failure::file("write", path, &error))
}

impl Holder {
    /// The folder of this holder's files.
    pub(crate) fn folder(&self) -> PathBuf {
        match self {
            Self::Authority => PathBuf::from("authority"),
            Self::Operator => PathBuf::from("operator"),
            Self::TokenIssuer => PathBuf::from("issuer"),
            Self::Gateway => PathBuf::from("gateway"),
            Self::Node(domain) => PathBuf::from("nodes").join(domain),
        }
    }
}

/// 32 random bytes in base64.
fn random_key() -> Result<String, KeyError> {
    let mut key = [0_u8; 32];
    aws_lc_rs::rand::fill(&mut key)?;
    Ok(format!("{}\n", STANDARD.encode(key)))
}

/// RFC 8037.
fn key_set(key: &SigningKey) -> String {
    let x = URL_SAFE_NO_PAD.encode(key.public_key());
    let key =
        json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": key.id(), "x": x });
    format!("{:#}\n", json!({ "keys": [key] }))
}

/// The id is the one that a gateway's permits carry if its file names no other.
fn permit_keys(key: &SigningKey) -> String {
    let key = json!({ "id": "gateway", "public_key": STANDARD.encode(key.public_key()) });
    format!("{:#}\n", json!({ "keys": [key] }))
}

fn public(holder: Holder, name: &'static str, text: &str) -> KeyFile {
    KeyFile { holder, name, text: text.to_owned(), secret: false }
}

fn secret(holder: Holder, name: &'static str, text: &str) -> KeyFile {
    KeyFile { holder, name, text: text.to_owned(), secret: true }
}

fn pair(files: &mut Vec<KeyFile>, holder: &Holder, names: [&'static str; 2], issued: Issued) {
    let [certificate, key] = names;
    files.push(public(holder.clone(), certificate, &issued.certificate));
    files.push(secret(holder.clone(), key, &issued.key));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Vec<KeyFile> {
        let sales = DomainName { domain: "sales".into(), certificate: "sales.mesh.localhost".into() };
        create(&[sales], NaiveDate::from_ymd_opt(2026, 11, 23).unwrap()).unwrap()
    }

    #[test]
    fn private_keys_are_secret_and_nothing_else_is() {
        for file in files() {
            assert_eq!(
                file.secret,
                file.text.contains("PRIVATE KEY") || ["sealing.key", "pseudonym.key"].contains(&file.name),
                "{}",
                file.name
            );
        }
    }

    #[test]
    fn keys_are_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let files = files();
        let key = files.iter().find(|file| file.name == "permit.key").unwrap();
        let path = folder.path().join("gateway/permit.key");
        write(&path, key).unwrap();
        assert!(write(&path, key).is_err());
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn all_nodes_have_one_key_for_pseudonyms_and_nobody_else_has_it() {
        let domain =
            |name: &str| DomainName { domain: name.into(), certificate: format!("{name}.mesh.localhost") };
        let today = NaiveDate::from_ymd_opt(2026, 11, 23).unwrap();
        let files = create(&[domain("sales"), domain("web")], today).unwrap();
        let keys: Vec<&KeyFile> = files.iter().filter(|file| file.name == "pseudonym.key").collect();
        assert!(keys.len() == 2 && keys[0].text == keys[1].text);
        assert!(keys.iter().all(|file| matches!(file.holder, Holder::Node(_))));
        let others = files.iter().filter(|file| file.name != "pseudonym.key");
        assert!(others.into_iter().all(|file| !file.text.contains(keys[0].text.trim())));
    }

    #[test]
    fn no_node_gets_a_key_of_the_gateway() {
        for file in files().iter().filter(|file| matches!(file.holder, Holder::Node(_))) {
            assert!(
                ["node.crt", "node.key", "mesh-ca.crt", "permit-keys.json", "pseudonym.key", "operator.pub"]
                    .contains(&file.name)
            );
        }
    }
}
