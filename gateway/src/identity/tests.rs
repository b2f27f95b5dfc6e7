use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::executor::block_on;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    forge::{AUDIENCE, FORGE, ISSUER, START, STRANGER, Signing, base64 as encode, good_claims},
    *,
};
use crate::config::{IssuerConfig, KeySource, SignatureAlgorithm};

/// An authenticator with one issuer, its key set file and its clock.
struct Bench {
    authenticator: Authenticator,
    mesh: Mesh,
    time: Arc<AtomicI64>,
    jwks: PathBuf,
    _folder: TempDir,
}

/// What a token tells.
#[derive(Debug, PartialEq)]
struct Authenticated {
    principal: Principal,
    presented: Presented,
}

impl Bench {
    fn new() -> Self {
        Self::with(&FORGE.jwks(), &SignatureAlgorithm::ALL)
    }

    fn with(jwks: &Value, algorithms: &[SignatureAlgorithm]) -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("jwks.json");
        std::fs::write(&file, jwks.to_string()).unwrap();
        let config = config(vec![issuer(ISSUER, AUDIENCE, &file, algorithms)]);
        let time = Arc::new(AtomicI64::new(START * 1_000_000));
        let authenticator = Authenticator::new(&config, clock(&time)).unwrap();
        Self { authenticator, mesh: mesh(), time, jwks: file, _folder: folder }
    }

    fn bearer(&self, token: &str) -> Result<Authenticated, Reason> {
        self.header(&format!("Bearer {token}"))
    }

    fn header(&self, value: &str) -> Result<Authenticated, Reason> {
        self.metadata(&metadata(&[value]))
    }

    fn metadata(&self, metadata: &MetadataMap) -> Result<Authenticated, Reason> {
        let verified = block_on(self.authenticator.verify(metadata)).map_err(Unauthenticated::reason)?;
        Ok(Authenticated { principal: verified.caller(&self.mesh), presented: verified.presented() })
    }

    fn handshake(&self, value: &str) -> Result<String, Reason> {
        let metadata = metadata(&[value]);
        let verified = block_on(self.authenticator.verify_handshake(&metadata));
        verified.map(|verified| verified.into_token().expose().clone()).map_err(Unauthenticated::reason)
    }

    fn refused(&self, token: &str, reason: Reason) {
        assert_eq!(self.bearer(token).map(|_| ()), Err(reason), "{token}");
    }

    fn pass(&self, seconds: i64) {
        self.time.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }

    fn write_jwks(&self, text: &str) {
        std::fs::write(&self.jwks, text).unwrap();
    }
}

fn clock(time: &Arc<AtomicI64>) -> Clock {
    let time = Arc::clone(time);
    Clock::new(move || time.load(Ordering::Relaxed))
}

fn config(issuers: Vec<IssuerConfig>) -> IdentityConfig {
    let stale_keys = Duration::from_secs(3600);
    IdentityConfig { issuers, token_bytes: 16 << 10, header_bytes: 8 << 10, stale_keys }
}

fn issuer(issuer: &str, audience: &str, jwks: &Path, algorithms: &[SignatureAlgorithm]) -> IssuerConfig {
    IssuerConfig {
        issuer: issuer.to_owned(),
        audience: audience.to_owned(),
        jwks: KeySource::File(jwks.to_owned()),
        algorithms: algorithms.to_vec(),
    }
}

fn mesh() -> Mesh {
    let text = "mesh: larkfield\ntimezone: Europe/Berlin\nroles: { path: $.realm_access.roles }\n\
        claims:\n  regions: { path: $.regions, type: list<string> }\n";
    Mesh::load("mesh.yaml", text).unwrap().0
}

fn metadata(authorization: &[&str]) -> MetadataMap {
    let mut metadata = MetadataMap::new();
    for value in authorization {
        metadata.append("authorization", value.parse().unwrap());
    }
    metadata
}

fn forged(header: Value, signing: Signing) -> String {
    FORGE.token(&header, &good_claims(), signing)
}

#[test]
fn good_tokens_of_each_algorithm() {
    let bench = Bench::new();
    for (alg, kid, signing) in
        [("RS256", "rsa", Signing::Rs256), ("ES256", "ec", Signing::Es256), ("EdDSA", "ed", Signing::EdDsa)]
    {
        let token = forged(json!({"alg": alg, "typ": "JWT", "kid": kid}), signing);
        let authenticated = bench.bearer(&token).unwrap();
        assert_eq!(authenticated.principal.issuer, ISSUER);
        assert_eq!(authenticated.principal.subject, "anna");
        assert_eq!(authenticated.principal.roles, ["analyst".to_owned()].into());
        assert_eq!(authenticated.principal.claims.len(), 1);
        assert_eq!(authenticated.presented.expires_at, (START + 300) * 1_000_000);
        assert_eq!(authenticated.presented.digest, Digest::of(token.as_bytes()));
    }
}

#[test]
fn a_token_is_meant_for_whom_its_audience_names_and_for_nobody_else() {
    let bench = Bench::new();
    let presented = |audience: Value| {
        let token = FORGE.with_claims(|claims| claims["aud"] = audience);
        bench.bearer(&token).unwrap().presented
    };
    let both = presented(json!([AUDIENCE, "sales-1"]));
    assert!(both.is_meant_for("sales-1") && both.is_meant_for(AUDIENCE));
    for other in ["sales-2", "sales", "SALES-1", "sales-1 ", ""] {
        assert!(!both.is_meant_for(other), "{other}");
    }
    assert!(!presented(json!([AUDIENCE])).is_meant_for("sales-1"));
    assert!(!presented(json!(AUDIENCE)).is_meant_for("sales-1"));
}

#[test]
fn a081_bad_credentials_and_one_answer() {
    let bench = Bench::new();
    let none = block_on(bench.authenticator.verify(&MetadataMap::new())).unwrap_err();
    assert_eq!(none.reason(), Reason::Missing);
    let wrong_key = STRANGER.good();
    let stranger = metadata(&[&format!("Bearer {wrong_key}")]);
    let error = block_on(bench.authenticator.verify(&stranger)).unwrap_err();
    assert_eq!(error.reason(), Reason::Signature);
    assert_eq!(error.to_string(), none.to_string());
    assert!(!error.to_string().contains(&wrong_key));
    for (header, reason) in [
        ("", Reason::Scheme),
        ("Bearer", Reason::Scheme),
        ("Bearer ", Reason::Scheme),
        ("Token abc", Reason::Scheme),
        ("Bearer garbage", Reason::Parts),
        ("Bearer a.b", Reason::Parts),
        ("Bearer ..", Reason::Header),
    ] {
        assert_eq!(bench.header(header).map(|_| ()), Err(reason), "{header}");
    }
    let two = metadata(&[&format!("Bearer {}", FORGE.good()), "Bearer x"]);
    assert_eq!(bench.metadata(&two), Err(Reason::Repeated));
}

#[test]
fn a083_handshake_takes_the_token_as_password() {
    let bench = Bench::new();
    let token = FORGE.good();
    let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
    assert_eq!(bench.handshake(&format!("Bearer {token}")), Ok(token.clone()));
    for user in ["", "token", "anna"] {
        let padded = basic(&format!("{user}:{token}"));
        assert_eq!(bench.handshake(&padded), Ok(token.clone()));
        assert_eq!(bench.handshake(padded.trim_end_matches('=')), Ok(token.clone()));
    }
    assert_eq!(bench.handshake(&basic("anna:secret")), Err(Reason::Parts));
    assert_eq!(bench.handshake(&basic("no colon")), Err(Reason::Basic));
    assert_eq!(bench.handshake("Basic !!!!"), Err(Reason::Basic));
    assert_eq!(bench.handshake("Digest abc"), Err(Reason::Scheme));
    assert_eq!(bench.handshake(&basic(&"a".repeat(30_000))), Err(Reason::TooLong));
    // Basic is for Handshake only.
    assert_eq!(bench.header(&basic(&format!("anna:{token}"))).map(|_| ()), Err(Reason::Scheme));
}

#[test]
fn a086_one_parse_of_the_header() {
    let bench = Bench::new();
    let token = FORGE.good();
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        assert!(bench.header(&format!("{scheme} {token}")).is_ok());
    }
    for header in [
        format!("Bearer  {token}"),
        format!(" Bearer {token}"),
        format!("Bearer {token} "),
        format!("Bearer {token} x"),
        format!("Bearer\t{token}"),
        format!("Bearer{token}"),
        format!("Bearer,{token}"),
    ] {
        assert!(bench.header(&header).is_err(), "{header}");
    }
    // Headers that name a caller are not read.
    let mut metadata = metadata(&[&format!("Bearer {token}")]);
    for name in ["x-principal", "x-subject", "x-roles", "x-policy"] {
        metadata.insert(name, "admin".parse().unwrap());
    }
    let authenticated = bench.metadata(&metadata).unwrap();
    assert_eq!(authenticated.principal, bench.bearer(&token).unwrap().principal);
}

#[test]
fn a087_algorithm_none_or_unknown() {
    let bench = Bench::new();
    for alg in ["none", "None", "NONE", "nOnE", "", "HS256", "RS256 ", "rs256", "ES384", "Ed25519"] {
        for signing in [Signing::Nothing, Signing::EdDsa] {
            bench.refused(&forged(json!({"alg": alg, "kid": "ed"}), signing), Reason::Algorithm);
        }
    }
    bench.refused(&forged(json!({"kid": "ed"}), Signing::EdDsa), Reason::Algorithm);
    bench.refused(&forged(json!({"alg": null, "kid": "ed"}), Signing::EdDsa), Reason::Algorithm);
    bench.refused(&forged(json!({"alg": ["EdDSA"], "kid": "ed"}), Signing::EdDsa), Reason::Algorithm);
}

#[test]
fn a088_public_key_as_secret() {
    let bench = Bench::new();
    bench.refused(
        &forged(json!({"alg": "HS256", "kid": "rsa"}), Signing::PublicKeyAsSecret),
        Reason::Algorithm,
    );
    bench.refused(
        &forged(json!({"alg": "RS256", "kid": "rsa"}), Signing::PublicKeyAsSecret),
        Reason::Signature,
    );
}

#[test]
fn a089_another_algorithm_than_the_keys() {
    let bench = Bench::new();
    for (alg, kid, signing, reason) in [
        ("RS512", "rsa", Signing::Rs512, Reason::Algorithm),
        ("PS256", "rsa", Signing::Ps256, Reason::Algorithm),
        ("RS256", "rsa", Signing::Rs512, Reason::Signature),
        ("RS256", "rsa", Signing::Ps256, Reason::Signature),
        ("RS256", "ec", Signing::Rs256, Reason::Algorithm),
        ("ES256", "rsa", Signing::Es256, Reason::Algorithm),
        ("EdDSA", "ec", Signing::EdDsa, Reason::Algorithm),
    ] {
        bench.refused(&forged(json!({"alg": alg, "kid": kid}), signing), reason);
    }
    // An issuer of which only one algorithm is accepted.
    let bench = Bench::with(&FORGE.jwks(), &[SignatureAlgorithm::Es256]);
    assert!(bench.bearer(&forged(json!({"alg": "ES256", "kid": "ec"}), Signing::Es256)).is_ok());
    bench.refused(&forged(json!({"alg": "RS256", "kid": "rsa"}), Signing::Rs256), Reason::UnknownKey);
}

#[test]
fn a090_key_ids() {
    let bench = Bench::new();
    bench.refused(
        &FORGE.with_header(|header| drop(header.as_object_mut().unwrap().remove("kid"))),
        Reason::NoKeyId,
    );
    for kid in [json!(""), json!(1), json!(null), json!(["ed"])] {
        bench.refused(&FORGE.with_header(|header| header["kid"] = kid), Reason::NoKeyId);
    }
    for kid in ["unknown", "ED", "ed ", "../../etc/passwd", "' or 1=1 --", "ed\0"] {
        bench.refused(&FORGE.with_header(|header| header["kid"] = json!(kid)), Reason::UnknownKey);
    }
    let long = FORGE.with_header(|header| header["kid"] = json!("k".repeat(10_000)));
    bench.refused(&long, Reason::TooLong);
}

#[test]
fn a090_keys_that_do_not_sign_are_ignored() {
    let token = FORGE.good();
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut key = FORGE.ed_jwk();
        change(&mut key);
        // Beside another key, so that the set stays usable.
        Bench::with(&json!({"keys": [key, FORGE.rsa_jwk()]}), &SignatureAlgorithm::ALL)
    };
    assert!(changed(&|_| ()).bearer(&token).is_ok());
    let changes: [&dyn Fn(&mut Value); 10] = [
        &|key| key["use"] = json!("enc"),
        &|key| key["key_ops"] = json!(["sign"]),
        &|key| key["key_ops"] = json!("verify"),
        &|key| key["alg"] = json!("RS256"),
        &|key| key["alg"] = json!(null),
        &|key| key["crv"] = json!("X25519"),
        &|key| key["kty"] = json!("oct"),
        &|key| key["x"] = json!("AAAA"),
        &|key| key["kid"] = json!(null),
        &|key| key["kty"] = json!("EC"),
    ];
    for (position, change) in changes.iter().enumerate() {
        let result = changed(change).bearer(&token).map(|_| ());
        assert_eq!(result, Err(Reason::UnknownKey), "change {position}");
    }
}

#[test]
fn a091_keys_and_addresses_in_the_header_are_ignored() {
    let bench = Bench::new();
    let mut header = json!({"alg": "EdDSA", "kid": "ed", "jwk": STRANGER.ed_jwk(),
        "jku": "http://127.0.0.1:1/jwks", "x5u": "http://127.0.0.1:1/cert", "x5c": ["AAAA"]});
    let token = STRANGER.token(&header, &good_claims(), Signing::EdDsa);
    bench.refused(&token, Reason::Signature);
    header["kid"] = json!("theirs");
    bench.refused(&STRANGER.token(&header, &good_claims(), Signing::EdDsa), Reason::UnknownKey);
}

#[test]
fn a092_expiry() {
    let bench = Bench::new();
    let with = |exp: Value| FORGE.with_claims(|claims| claims["exp"] = exp);
    let without = FORGE.with_claims(|claims| drop(claims.as_object_mut().unwrap().remove("exp")));
    bench.refused(&without, Reason::Expiry);
    for exp in [
        json!("1895000000"),
        json!(null),
        json!(true),
        json!([START]),
        json!(-1),
        json!(1e30),
        json!(u64::MAX),
    ] {
        bench.refused(&with(exp), Reason::Expiry);
    }
    bench.refused(&with(json!(START - 30)), Reason::Expired);
    assert!(bench.bearer(&with(json!(START - 29))).is_ok());
    assert!(bench.bearer(&with(json!(START as f64 + 0.5))).is_ok());
    let token = with(json!(START + 1));
    bench.pass(30);
    assert!(bench.bearer(&token).is_ok());
    bench.pass(1);
    bench.refused(&token, Reason::Expired);
}

#[test]
fn a093_not_before_and_issued_at() {
    let bench = Bench::new();
    for (name, reason) in [("nbf", Reason::NotYetValid), ("iat", Reason::IssuedInFuture)] {
        let with = |value: Value| FORGE.with_claims(|claims| claims[name] = value);
        bench.refused(&with(json!(START + 31)), reason);
        assert!(bench.bearer(&with(json!(START + 30))).is_ok());
        for wrong in [json!("1"), json!(-5), json!(null), json!(1e300)] {
            bench.refused(&with(wrong), reason);
        }
        let without = FORGE.with_claims(|claims| drop(claims.as_object_mut().unwrap().remove(name)));
        assert!(bench.bearer(&without).is_ok());
    }
}

#[test]
fn a094_audience_and_issuer() {
    let bench = Bench::new();
    for aud in [
        json!("other"),
        json!(["a", "b"]),
        json!([]),
        json!(null),
        json!(1),
        json!(["meshgate", 1]),
        json!("Meshgate"),
    ] {
        bench.refused(&FORGE.with_claims(|claims| claims["aud"] = aud), Reason::Audience);
    }
    let without = FORGE.with_claims(|claims| drop(claims.as_object_mut().unwrap().remove("aud")));
    bench.refused(&without, Reason::Audience);
    assert!(bench.bearer(&FORGE.with_claims(|claims| claims["aud"] = json!(["other", "meshgate"]))).is_ok());
    for iss in
        [json!("https://evil.example"), json!([ISSUER]), json!(null), json!(format!("{ISSUER}/")), json!("")]
    {
        bench.refused(&FORGE.with_claims(|claims| claims["iss"] = iss), Reason::Issuer);
    }
    let without = FORGE.with_claims(|claims| drop(claims.as_object_mut().unwrap().remove("iss")));
    bench.refused(&without, Reason::Issuer);
}

#[test]
fn a095_subject() {
    let bench = Bench::new();
    for sub in [
        json!(""),
        json!("  "),
        json!("\u{a0}"),
        json!(null),
        json!(7),
        json!(["anna"]),
        json!("a\nb"),
        json!("a".repeat(513)),
    ] {
        bench.refused(&FORGE.with_claims(|claims| claims["sub"] = sub), Reason::Subject);
    }
    let without = FORGE.with_claims(|claims| drop(claims.as_object_mut().unwrap().remove("sub")));
    bench.refused(&without, Reason::Subject);
}

#[test]
fn a096_broken_forms() {
    let bench = Bench::new();
    let token = FORGE.good();
    let (message, signature) = token.rsplit_once('.').unwrap();
    for broken in [
        format!("{message}."),
        format!("{message}.{}", signature.split_at(80).0),
        format!("{message}.{signature}=="),
        format!("{message}.{signature}A"),
        format!("{message}.{signature}.{signature}"),
        format!("{message}.{signature}.a.b"),
        format!("{token}."),
        format!(".{token}"),
        message.to_owned(),
        format!("{message}.{}", signature.replace(['-', '_'], "+")),
        format!("{message}.{}", encode(&[0; 64])),
    ] {
        assert!(broken == token || bench.bearer(&broken).is_err(), "{broken}");
    }
    // Every character of the token matters.
    for position in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(bench.bearer(&changed).is_err(), "character {position}");
    }
}

#[test]
fn a097_tokens_for_another_purpose() {
    let bench = Bench::new();
    for typ in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt"] {
        assert!(bench.bearer(&FORGE.with_header(|header| header["typ"] = json!(typ))).is_ok(), "{typ}");
    }
    for typ in [
        json!("logout+jwt"),
        json!("dpop+jwt"),
        json!("JOSE"),
        json!(""),
        json!(null),
        json!(1),
        json!("id+jwt"),
    ] {
        bench.refused(&FORGE.with_header(|header| header["typ"] = typ), Reason::Type);
    }
    assert!(
        bench
            .bearer(&FORGE.with_header(|header| drop(header.as_object_mut().unwrap().remove("typ"))))
            .is_ok()
    );
    for name in ["crit", "zip", "enc", "b64"] {
        bench.refused(&FORGE.with_header(|header| header[name] = json!(["exp"])), Reason::Critical);
        bench.refused(&FORGE.with_header(|header| header[name] = json!(null)), Reason::Critical);
    }
}

#[test]
fn a098_key_rotation() {
    let bench = Bench::new();
    let old = FORGE.good();
    assert!(bench.bearer(&old).is_ok());
    let mut key = STRANGER.ed_jwk();
    key["kid"] = json!("new");
    bench.write_jwks(&json!({"keys": [key]}).to_string());
    let header = json!({"alg": "EdDSA", "kid": "new"});
    let new = STRANGER.token(&header, &good_claims(), Signing::EdDsa);
    // Looked at once a second.
    bench.refused(&new, Reason::UnknownKey);
    bench.pass(1);
    assert!(bench.bearer(&new).is_ok());
    bench.refused(&old, Reason::UnknownKey);
    // Also after the clock was set back.
    bench.write_jwks(&FORGE.jwks().to_string());
    bench.pass(-20);
    assert!(bench.bearer(&old).is_ok());
}

#[test]
fn a098_broken_key_set_keeps_the_last_good_keys_for_a_while() {
    let bench = Bench::new();
    let token = FORGE.with_claims(|claims| claims["exp"] = json!(START + 100_000));
    assert_eq!(bench.authenticator.broken_key_sets(), 0);
    let private = json!({"keys": [{"kty": "oct", "kid": "ed", "k": "AAAA"}]}).to_string();
    let twice = json!({"keys": [FORGE.ed_jwk(), FORGE.ed_jwk()]}).to_string();
    for broken in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":[]}"#,
        r#"{"keys":[],"keys":[]}"#,
        &private,
        &twice,
    ] {
        bench.write_jwks(broken);
        bench.pass(1);
        assert!(bench.bearer(&token).is_ok(), "{broken}");
        assert_eq!(bench.authenticator.broken_key_sets(), 1, "{broken}");
    }
    std::fs::remove_file(&bench.jwks).unwrap();
    bench.pass(3500);
    assert!(bench.bearer(&token).is_ok());
    bench.pass(200);
    bench.refused(&token, Reason::StaleKeys);
    bench.write_jwks(&FORGE.jwks().to_string());
    bench.pass(1);
    assert!(bench.bearer(&token).is_ok());
    assert_eq!(bench.authenticator.broken_key_sets(), 0);
}

#[test]
fn key_sets_at_start() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("jwks.json");
    let start = || {
        Authenticator::new(
            &config(vec![issuer(ISSUER, AUDIENCE, &file, &SignatureAlgorithm::ALL)]),
            Clock::system(),
        )
    };
    assert!(start().unwrap_err().to_string().contains("cannot be read"));
    let mut weak = FORGE.rsa_jwk();
    weak["n"] = json!(encode(&[0xff; 128]));
    let zeros = [&[0_u8; 200][..], &[0xff; 128]].concat();
    let mut padded = FORGE.rsa_jwk();
    padded["n"] = json!(encode(&zeros));
    for keys in [json!([]), json!([weak]), json!([padded]), json!(["x"]), json!([{"kty": "RSA"}])] {
        std::fs::write(&file, json!({"keys": keys}).to_string()).unwrap();
        assert!(start().unwrap_err().to_string().contains("no signing key"), "{keys}");
    }
    std::fs::write(&file, json!({"keys": vec![json!({}); 101]}).to_string()).unwrap();
    assert!(start().unwrap_err().to_string().contains("more than 100 keys"));
    std::fs::write(&file, " ".repeat(2 << 20)).unwrap();
    assert!(start().unwrap_err().to_string().contains("longer than 1048576 bytes"));
    std::fs::write(&file, FORGE.jwks().to_string()).unwrap();
    assert!(start().is_ok());
}

#[test]
fn a100_sizes_and_depth() {
    let bench = Bench::new();
    let long = FORGE.with_claims(|claims| claims["padding"] = json!("x".repeat(13_000)));
    bench.refused(&long, Reason::TooLong);
    assert!(bench.bearer(&FORGE.with_claims(|claims| claims["padding"] = json!("x".repeat(11_000)))).is_ok());
    let header = FORGE.with_header(|header| header["padding"] = json!("x".repeat(9_000)));
    bench.refused(&header, Reason::TooLong);
    let deep = format!(r#"{{"iss":"{ISSUER}","a":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    bench.refused(&FORGE.raw(r#"{"alg":"EdDSA","kid":"ed"}"#, &deep, Signing::EdDsa), Reason::Claims);
    let deep = format!(r#"{{"alg":"EdDSA","kid":"ed","a":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    bench.refused(&FORGE.raw(&deep, &good_claims().to_string(), Signing::EdDsa), Reason::Header);
}

#[test]
fn names_that_are_there_twice() {
    let bench = Bench::new();
    let header = r#"{"alg":"EdDSA","kid":"ed"}"#;
    let good = good_claims().to_string();
    let rest = good.strip_prefix('{').unwrap();
    for twice in [
        r#""sub":"admin""#,
        r#""regions":["US"]"#,
        r#""exp":9999999999"#,
        r#""realm_access":{"roles":["admin"]}"#,
        r#""\u0073ub":"admin""#,
        r#""nested":{"roles":[],"roles":["admin"]}"#,
    ] {
        let claims = format!("{{{twice},{rest}");
        bench.refused(&FORGE.raw(header, &claims, Signing::EdDsa), Reason::Claims);
    }
    let twice = r#"{"alg":"none","alg":"EdDSA","kid":"ed"}"#;
    bench.refused(&FORGE.raw(twice, &good, Signing::EdDsa), Reason::Header);
    for not_an_object in ["[]", "null", "\"x\"", "1", "", "{"] {
        bench.refused(&FORGE.raw(header, not_an_object, Signing::EdDsa), Reason::Claims);
        bench.refused(&FORGE.raw(not_an_object, &good, Signing::EdDsa), Reason::Header);
    }
}

#[test]
fn each_issuer_has_its_own_keys_and_audience() {
    let folder = TempDir::new().unwrap();
    let (staff, partner) = (folder.path().join("staff.json"), folder.path().join("partner.json"));
    std::fs::write(&staff, FORGE.jwks().to_string()).unwrap();
    std::fs::write(&partner, STRANGER.jwks().to_string()).unwrap();
    let other = "https://partner.example";
    let config = config(vec![
        issuer(ISSUER, AUDIENCE, &staff, &SignatureAlgorithm::ALL),
        issuer(other, "partners", &partner, &SignatureAlgorithm::ALL),
    ]);
    let time = Arc::new(AtomicI64::new(START * 1_000_000));
    let authenticator = Authenticator::new(&config, clock(&time)).unwrap();
    let verify = |token: String| {
        let metadata = metadata(&[&format!("Bearer {token}")]);
        let result = block_on(authenticator.verify(&metadata));
        result.map(|verified| verified.caller(&mesh()).issuer).map_err(Unauthenticated::reason)
    };
    let as_partner = |claims: &mut Value| {
        claims["iss"] = json!(other);
        claims["aud"] = json!("partners");
    };
    assert_eq!(verify(FORGE.good()), Ok(ISSUER.to_owned()));
    assert_eq!(verify(STRANGER.with_claims(as_partner)), Ok(other.to_owned()));
    assert_eq!(verify(STRANGER.good()), Err(Reason::Signature));
    assert_eq!(verify(FORGE.with_claims(as_partner)), Err(Reason::Signature));
    assert_eq!(verify(STRANGER.with_claims(|claims| claims["iss"] = json!(other))), Err(Reason::Audience));
}
