//! `meshgate dev`: keys, certificates and tokens for development.

mod authority;
pub(crate) mod key_files;
pub(crate) mod signing_key;
pub(crate) mod token;

use std::{fs, path::PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use crate::{failure::Failure, sql};
use key_files::DomainName;

/// Issuer that `dev token` writes into tokens and the demo's gateway trusts.
pub(crate) const ISSUER: &str = "https://login.larkfield.example/realms/staff";
/// Audience of tokens for a gateway.
pub(crate) const AUDIENCE: &str = "meshgate";

/// Why a key could not be made or read. Never quotes a key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("a certificate could not be made: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("a key could not be made")]
    Generation(#[from] aws_lc_rs::error::Unspecified),
    #[error(
        "this is not an Ed25519 private key in PKCS#8 PEM; `meshgate dev ca` writes one as issuer/issuer.key"
    )]
    NotEd25519,
    #[error("the token could not be signed")]
    Token,
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Self::Usage(error.to_string())
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum DevCommand {
    /// Create a certificate authority and every key of a mesh, for development.
    Ca(CaArguments),
    /// Sign a token with the issuer key of `dev ca`, and print it.
    Token(TokenArguments),
}

#[derive(Debug, Args)]
pub(crate) struct CaArguments {
    /// New or empty folder for the files.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A domain that gets a node certificate; `sales` or `sales=name.in.certificate`. May be repeated.
    #[arg(long = "domain", value_name = "DOMAIN")]
    domains: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct TokenArguments {
    /// The issuer's private key: Ed25519, PKCS#8 PEM.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Subject: who the token is for.
    #[arg(long, value_name = "NAME")]
    sub: String,
    /// Further claims, a JSON object.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    claims: String,
    /// How long the token is valid.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=8760))]
    hours: u16,
    #[arg(long, default_value = ISSUER)]
    issuer: String,
    #[arg(long, default_value = AUDIENCE)]
    audience: String,
}

pub(crate) fn run(command: DevCommand) -> Result<(), Failure> {
    match command {
        DevCommand::Ca(arguments) => create_authority(&arguments),
        DevCommand::Token(arguments) => print_token(&arguments),
    }
}

fn create_authority(arguments: &CaArguments) -> Result<(), Failure> {
    let domains = arguments.domains.iter().map(|text| domain_name(text)).collect::<Result<Vec<_>, _>>()?;
    let out = &arguments.out;
    let is_used = out.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    if is_used {
        return Err(Failure::Usage(format!(
            "{} is not empty and keys are never replaced; choose a new folder",
            out.display()
        )));
    }
    let files = key_files::create(&domains, chrono::Utc::now().date_naive())?;
    for file in &files {
        key_files::write(&out.join(file.holder.folder()).join(file.name), file)?;
    }
    sql::print(&format!("{} files in {}. For development only.\n", files.len(), out.display()))
}

fn domain_name(text: &str) -> Result<DomainName, Failure> {
    let (domain, certificate) = match text.split_once('=') {
        Some((domain, certificate)) => (domain, certificate.to_owned()),
        None => (text, format!("{text}.mesh.localhost")),
    };
    if !meshgate_policies::names::is_name(domain) {
        return Err(Failure::Usage(format!(
            "`{domain}` is not a domain: write [a-z][a-z0-9_]*, such as `sales`"
        )));
    }
    if certificate.is_empty() {
        return Err(Failure::Usage(format!("the name in the certificate of `{domain}` is empty")));
    }
    Ok(DomainName { domain: domain.to_owned(), certificate })
}

fn print_token(arguments: &TokenArguments) -> Result<(), Failure> {
    let claims: Map<String, Value> = serde_json::from_str(&arguments.claims).map_err(|error| {
        Failure::Usage(format!("--claims is not a JSON object such as '{{\"regions\": [\"DE\"]}}': {error}"))
    })?;
    let pem = fs::read_to_string(&arguments.key)
        .map_err(|error| Failure::file("read the key", &arguments.key, &error))?;
    let terms = token::TokenTerms {
        issuer: &arguments.issuer,
        audience: &arguments.audience,
        subject: &arguments.sub,
        now: chrono::Utc::now().timestamp(),
        seconds: i64::from(arguments.hours) * 3600,
    };
    let token = token::sign(&signing_key::SigningKey::from_pem(&pem)?, &terms, &claims)?;
    sql::print(&format!("{token}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_named_with_or_without_a_certificate_name() {
        assert_eq!(domain_name("sales").unwrap().certificate, "sales.mesh.localhost");
        let named = domain_name("sales=sales.mesh.larkfield.example").unwrap();
        assert_eq!(
            (named.domain.as_str(), named.certificate.as_str()),
            ("sales", "sales.mesh.larkfield.example")
        );
        for wrong in ["", "Sales", "../x", "9a", "a=", "=x"] {
            assert!(domain_name(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_folder_in_use_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "x").unwrap();
        let arguments = CaArguments { out: folder.path().to_owned(), domains: vec![] };
        assert!(matches!(create_authority(&arguments), Err(Failure::Usage(_))));
    }
}
