//! `identity.issuers[]` of gateway.yaml: whose tokens are accepted, and where their keys are.

use std::path::Path;

use meshgate_policies::yaml::{Reader, UnknownKeys};
use reqwest::Url;

use super::{
    IssuerConfig, KeySource, SignatureAlgorithm,
    load::{required_nonblank, required_path},
};

pub(super) fn read(mut reader: Reader<'_, '_>, folder: &Path) -> Option<IssuerConfig> {
    let issuer = required_nonblank(&mut reader, "issuer");
    let audience = required_nonblank(&mut reader, "audience");
    let jwks = key_source(&mut reader, folder);
    let algorithms = algorithms(&mut reader);
    reader.finish(UnknownKeys::Error);
    Some(IssuerConfig { issuer: issuer?, audience: audience?, jwks: jwks?, algorithms })
}

/// A path, or an address; `jwks_ca` and `jwks_http` go with an address only.
fn key_source(reader: &mut Reader<'_, '_>, folder: &Path) -> Option<KeySource> {
    let is_address = reader.text("jwks").is_some_and(|text| text.contains("://"));
    if is_address {
        let url = address(reader);
        let ca = if reader.has("jwks_ca") { Some(required_path(reader, "jwks_ca", folder)?) } else { None };
        return Some(KeySource::Url { url: url?, ca });
    }
    for key in ["jwks_ca", "jwks_http"] {
        if reader.has(key) {
            let line = reader.line_of(key);
            reader.error(line, format!("`{key}` goes with an address in `jwks`"), None);
        }
    }
    required_path(reader, "jwks", folder).map(KeySource::File)
}

fn address(reader: &mut Reader<'_, '_>) -> Option<Url> {
    let text = reader.required_text("jwks")?;
    let http_allowed = reader.boolean("jwks_http").unwrap_or(false);
    let problem = match Url::parse(&text) {
        Ok(url) => match unusable(&url, http_allowed) {
            None => return Some(url),
            Some(problem) => problem,
        },
        Err(_) => ("is not an address", "write `https://<host>/<path>`, as the issuer documents it"),
    };
    let line = reader.line_of("jwks");
    // Not the text: it could hold a password.
    reader.error(line, format!("`jwks` {}", problem.0), Some(problem.1.to_owned()));
    None
}

/// Keys over plain HTTP are keys of whoever is on the way, unless that is this machine.
fn unusable(url: &Url, http_allowed: bool) -> Option<(&'static str, &'static str)> {
    if !url.username().is_empty() || url.password().is_some() {
        return Some(("has a user or a password in it", "a key set is public: leave them out"));
    }
    match url.scheme() {
        "https" => None,
        "http" if http_allowed || is_this_machine(url) => None,
        "http" => Some((
            "is fetched without TLS",
            "write `https://`, or `jwks_http: true` if nobody can stand between",
        )),
        _ => Some(("is neither a file nor an address of the web", "write a path or `https://..`")),
    }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        None => false,
    }
}

fn algorithms(reader: &mut Reader<'_, '_>) -> Vec<SignatureAlgorithm> {
    let Some(names) = reader.texts("algorithms") else {
        return SignatureAlgorithm::ALL.to_vec();
    };
    let line = reader.line_of("algorithms");
    let hint = || Some("write some of RS256, ES256, EdDSA".to_owned());
    let mut algorithms = Vec::new();
    for name in &names {
        match SignatureAlgorithm::by_name(name) {
            Some(algorithm) => algorithms.push(algorithm),
            None => reader.error(line, format!("algorithm `{name}` is not accepted"), hint()),
        }
    }
    if names.is_empty() {
        reader.error(line, "`algorithms` is empty", hint());
    }
    algorithms
}
