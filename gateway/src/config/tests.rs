use std::path::Path;

use tempfile::TempDir;

use super::*;

const GOOD: &str = r#"version: 1
listen: { flight: 0.0.0.0:31337, http: 127.0.0.1:8080 }
tls: { cert: tls/gateway.crt, key: tls/gateway.key }
nodes_tls: { ca: tls/mesh-ca.crt, cert: tls/gateway-client.crt, key: tls/gateway-client.key }
mesh: ./mesh.yaml
domains: ./domains/
identity:
  issuers:
    - issuer: https://login.larkfield.example/realms/staff
      audience: meshgate
      jwks: tls/jwks.json
permits: { key: "${file:tls/permit.key}" }
sealing: { keys: [ { id: 2026-11, key: "${file:tls/seal}" }, { id: 2026-10, key: "${SEAL}" } ] }
limits:  { query_time: 10m, result_rows: 50000000, memory: 2GiB, per_principal: 8 }
audit:   { file: audit/gateway.jsonl }
operator_key: tls/operator.pub
"#;

const SALES: &str = r"domain: sales
owner: sales-data@larkfield.example
nodes: [ grpc+tls://sales-1.mesh.larkfield.example:31400, 'grpc+tls://[::1]:31401' ]
certificate: sales.mesh.larkfield.example
";

/// A folder with everything that `GOOD` names.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(TempDir::new().unwrap());
        std::fs::create_dir(folder.path("tls")).unwrap();
        std::fs::create_dir(folder.path("domains")).unwrap();
        for file in [
            "gateway.crt",
            "gateway.key",
            "mesh-ca.crt",
            "gateway-client.crt",
            "gateway-client.key",
            "jwks.json",
            "operator.pub",
        ] {
            folder.write(&format!("tls/{file}"), "");
        }
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        folder.write("tls/permit.key", &key.serialize_pem());
        folder.write("tls/seal", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n");
        folder.write("mesh.yaml", "mesh: larkfield\n");
        folder.write("domains/sales.yaml", SALES);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn load(&self, text: &str) -> Result<GatewayConfig, Vec<String>> {
        self.write("gateway.yaml", text);
        let environment = |name: &str| (name == "SEAL").then(|| "02".repeat(32));
        let folder = format!("{}/", self.0.path().display());
        GatewayConfig::load(&self.path("gateway.yaml"), &environment).map_err(|problems| {
            problems.iter().map(|problem| problem.to_string().replace(&folder, "")).collect()
        })
    }

    /// The problems of `GOOD` with `from` replaced by `to`.
    fn changed(&self, from: &str, to: &str) -> Vec<String> {
        assert!(GOOD.contains(from), "{from}");
        self.load(&GOOD.replace(from, to)).unwrap_err()
    }

    fn domain(&self, from: &str, to: &str) -> Vec<String> {
        assert!(SALES.contains(from), "{from}");
        self.write("domains/sales.yaml", &SALES.replace(from, to));
        self.load(GOOD).unwrap_err()
    }
}

#[test]
fn a_complete_configuration() {
    let folder = Folder::new();
    folder.write(
        "domains/customers.yml",
        &format!("{}relay: never\ncompression: zstd\n", SALES.replace("sales\n", "customers\n")),
    );
    folder.write("domains/README.md", "not read");
    folder.write("domains/.hidden.yaml", "not read");
    let config = folder.load(GOOD).unwrap();
    assert_eq!(config.name, "gateway");
    assert_eq!(config.flight, "0.0.0.0:31337".parse().unwrap());
    assert_eq!(config.http, Some("127.0.0.1:8080".parse().unwrap()));
    assert_eq!(config.tls.certificate, folder.path("tls/gateway.crt"));
    assert_eq!(config.audit.log.file, folder.path("audit/gateway.jsonl"));
    assert_eq!(config.permits.id, "gateway");
    assert_eq!(config.identity.issuers[0].algorithms, SignatureAlgorithm::ALL);
    assert_eq!((config.identity.token_bytes, config.identity.header_bytes), (16 << 10, 8 << 10));
    let keys: Vec<_> = config.sealing.iter().map(|key| (key.id.as_str(), key.key.expose()[31])).collect();
    assert_eq!(keys, [("2026-11", 1), ("2026-10", 2)]);
    let limits = Limits { query_time: Duration::from_secs(600), ..Limits::default() };
    assert_eq!(config.limits, limits);
    let domains: Vec<_> = config.domains.iter().map(|domain| domain.domain.as_str()).collect();
    assert_eq!(domains, ["customers", "sales"]);
    assert_eq!(config.domains[1].nodes[1].port_u16(), Some(31401));
    assert_eq!(config.domains[1].certificate, "sales.mesh.larkfield.example");
    assert_eq!(
        config.domains.iter().map(|domain| domain.relay).collect::<Vec<_>>(),
        [RelayMode::Never, RelayMode::Whole]
    );
    assert_eq!(
        config.domains.iter().map(|domain| domain.compression).collect::<Vec<_>>(),
        [CompressionMode::Zstd, CompressionMode::None]
    );
}

#[test]
fn secrets_are_not_printed() {
    let folder = Folder::new();
    let printed = format!("{:?}", folder.load(GOOD).unwrap());
    assert!(!printed.contains("PRIVATE"), "{printed}");
    assert!(!printed.contains("1, 1, 1"), "{printed}");
    assert_eq!(printed.matches("Secret(not shown)").count(), 3);
    // Nor in problems.
    let problems = folder.changed("key: \"${file:tls/seal}\"", "key: c2VjcmV0").join("\n");
    assert!(!problems.contains("c2VjcmV0"), "{problems}");
}

#[test]
fn all_problems_at_once_with_lines_and_remedies() {
    let folder = Folder::new();
    let text = GOOD
        .replace("version: 1", "version: 2")
        .replace("0.0.0.0:31337", "localhost")
        .replace("tls/gateway.crt", "tls/none.crt")
        .replace("domains: ./domains/", "domain: ./domains/")
        .replace("tls/jwks.json", "http://login.larkfield.example/certs")
        .replace("${file:tls/permit.key}", "tls/permit.key")
        .replace("${SEAL}", "${SEEL}")
        .replace("query_time: 10m", "query_time: 10 minutes")
        .replace("per_principal", "per_principle")
        .replace("audit:   { file: audit/gateway.jsonl }", "");
    let problems = folder.load(&text).unwrap_err();
    let expected = [
        "gateway.yaml:1: version `2` is not known; write `version: 1`",
        "gateway.yaml:2: `flight` is not an address to listen on; write an IP address and a port, such as `0.0.0.0:31337`",
        "gateway.yaml:3: `cert`: `tls/none.crt` cannot be read: ",
        "gateway.yaml:1: `domains` is missing",
        "gateway.yaml:6: unknown key `domain`; did you mean `domains`?",
        "gateway.yaml:11: `jwks` is fetched without TLS; write `https://`, or `jwks_http: true` if nobody can stand between",
        "gateway.yaml:12: `key` is not an Ed25519 private key in PKCS#8 PEM; write `\"${file:<path of the PEM file>}\"`",
        "gateway.yaml:13: the variable `SEEL` is not set; set it or write `${SEEL:-default}`",
        "gateway.yaml:14: `query_time`: `10 minutes` cannot be used; write a time such as `30s`, `10m` or `2h`",
        "gateway.yaml:14: unknown key `per_principle`; did you mean `per_principal`?",
        "gateway.yaml:1: `audit` is missing",
    ];
    for part in expected {
        assert!(problems.iter().any(|problem| problem.starts_with(part)), "{part} in {problems:#?}");
    }
    // And `${SEEL}` as it stands is no key.
    assert_eq!(problems.len(), expected.len() + 1, "{problems:#?}");
}

#[test]
fn single_problems() {
    let folder = Folder::new();
    for (from, to, part) in [
        ("version: 1\n", "", "`version` is missing"),
        ("version: 1\n", "version: 1\nname: 'a b'\n", "gateway.yaml:2: `name` is not a name"),
        ("version: 1\n", "version: 1\ninsecure: true\n", "gateway.yaml:2: unknown key `insecure`"),
        ("version: 1\n", "version: 1\nversion: 1\n", "gateway.yaml:2: the key `version` is written twice"),
        ("127.0.0.1:8080", "8080", "gateway.yaml:2: `http` is not an address"),
        ("flight: 0.0.0.0:31337, ", "", "gateway.yaml:2: `flight` is missing"),
        ("tls: { cert: tls/gateway.crt, key: tls/gateway.key }\n", "", "`tls` is missing"),
        ("mesh: ./mesh.yaml\n", "mesh:\n", "gateway.yaml:5: `mesh` has no value"),
        ("operator_key: tls/operator.pub\n", "", "gateway.yaml:1: `operator_key` is missing"),
        ("tls/operator.pub", "[]", "gateway.yaml:16: `operator_key` is empty"),
        (
            "tls/operator.pub",
            "[tls/operator.pub, tls/x.pub]",
            "gateway.yaml:16: `operator_key`: `tls/x.pub` cannot be read",
        ),
        ("./domains/", "./none/", "gateway.yaml:6: `domains`: `./none/` cannot be read"),
        ("      audience: meshgate\n", "", "`audience` is missing"),
        ("audience: meshgate", "audience: ' '", "gateway.yaml:10: `audience` is empty"),
        (
            "audience: meshgate",
            "audience: meshgate\n      algorithms: [HS256]",
            "gateway.yaml:11: algorithm `HS256` is not accepted; write some of RS256, ES256, EdDSA",
        ),
        (
            "audience: meshgate",
            "audience: meshgate\n      algorithms: []",
            "gateway.yaml:11: `algorithms` is empty",
        ),
        ("tls/jwks.json", "tls/none.json", "gateway.yaml:11: `jwks`: `tls/none.json` cannot be read"),
        ("2026-10", "2026-11", "gateway.yaml:13: key `2026-11` is there twice"),
        (
            "${SEAL}",
            "abcd",
            "gateway.yaml:13: `key` is not a key of 32 bytes; write 32 random bytes in base64",
        ),
        ("${file:tls/seal}", "${file:tls/none}", "gateway.yaml:13: the file `tls/none` cannot be read"),
        ("memory: 2GiB", "memory: 0", "gateway.yaml:14: `memory`: `0` cannot be used"),
        (
            "memory: 2GiB",
            "memory: 2GiB, query_memory: 3GiB",
            "gateway.yaml:14: `query_memory` is larger than `memory`",
        ),
        ("result_rows: 50000000", "result_rows: -1", "gateway.yaml:14: `result_rows`: `-1` cannot be used"),
        ("2GiB", "2gb", "gateway.yaml:14: `memory`: `2gb` cannot be used; write a size such as"),
    ] {
        let problems = folder.changed(from, to);
        assert!(problems.iter().any(|problem| problem.contains(part)), "{part} in {problems:#?}");
        assert!(problems.len() <= 2, "{problems:#?}");
    }
    assert!(folder.load("- x").is_err());
    assert!(folder.load("a: [").is_err());
    let none = GatewayConfig::load(Path::new("/nowhere/gateway.yaml"), &|_| None).unwrap_err();
    assert!(none[0].to_string().starts_with("/nowhere/gateway.yaml: the file cannot be read"));
}

#[test]
fn issuers_are_there_and_there_once() {
    let folder = Folder::new();
    let again = "jwks: tls/jwks.json\n    - { issuer: 'https://login.larkfield.example/realms/staff', audience: b, jwks: tls/jwks.json }";
    assert!(
        folder.changed("jwks: tls/jwks.json", again)[0].contains(
            "gateway.yaml:12: issuer `https://login.larkfield.example/realms/staff` is there twice"
        )
    );
    let (_, rest) = GOOD.split_once("  issuers:").unwrap();
    let (issuers, _) = rest.split_once("permits").unwrap();
    let none = folder.changed(issuers, " []\n");
    assert!(none[0].contains("gateway.yaml:8: there is no issuer"), "{none:?}");
}

#[test]
fn smaller_memory_lowers_the_default_of_a_query() {
    let folder = Folder::new();
    let limits = folder.load(&GOOD.replace("memory: 2GiB", "memory: 100MiB")).unwrap().limits;
    assert_eq!((limits.memory, limits.query_memory), (100 << 20, 100 << 20));
}

#[test]
fn g15_every_limit_has_a_finite_default() {
    let Limits {
        query_time,
        idle_time,
        result_rows,
        result_bytes,
        memory,
        query_memory,
        spill,
        queries,
        per_principal,
        statement_bytes,
        ticket_time,
        session_time,
        revocation_time,
        shutdown_time,
    } = Limits::default();
    for time in [query_time, idle_time, ticket_time, revocation_time, shutdown_time] {
        assert!(time > Duration::ZERO && time <= Duration::from_secs(3600));
    }
    assert!(session_time > Duration::ZERO && session_time <= Duration::from_secs(24 * 3600));
    for number in [result_rows, result_bytes, memory as u64, query_memory as u64, spill, queries as u64] {
        assert!(number > 0 && number < 1 << 40);
    }
    assert!((1..=100).contains(&per_principal) && (1..=1 << 20).contains(&statement_bytes));
}

#[test]
fn problems_of_domains() {
    let folder = Folder::new();
    for (from, to, part) in [
        ("domain: sales\n", "", "domains/sales.yaml:1: `domain` is missing"),
        (
            "domain: sales\n",
            "domain: Sales\n",
            "domains/sales.yaml:1: `Sales` cannot be the name of a domain",
        ),
        ("domain: sales\n", "domain: system\n", "domains/sales.yaml:1: `system` is a reserved name"),
        ("domain: sales\n", "domain: information_schema\n", "`information_schema` is a reserved name"),
        ("owner:", "oner:", "domains/sales.yaml:2: unknown key `oner`; did you mean `owner`?"),
        (
            "grpc+tls://sales-1",
            "grpc://sales-1",
            "domains/sales.yaml:3: this is not the address of a node; write `grpc+tls://host:port`",
        ),
        (".example:31400", ".example", "domains/sales.yaml:3: this is not the address of a node"),
        (".example:31400", ".example:31400/path", "domains/sales.yaml:3: this is not the address of a node"),
        ("tls://sales-1", "tls://user@sales-1", "domains/sales.yaml:3: this is not the address of a node"),
        (
            "certificate: sales.mesh.larkfield.example",
            "certificate: 'a b'",
            "domains/sales.yaml:4: `a b` is not a DNS name",
        ),
        ("certificate: sales.mesh.larkfield.example\n", "", "domains/sales.yaml:1: `certificate` is missing"),
        (
            "certificate:",
            "relay: always\ncertificate:",
            "domains/sales.yaml:4: `relay` cannot be `always`; write `whole` or `never`",
        ),
        (
            "certificate:",
            "compression: lz4\ncertificate:",
            "domains/sales.yaml:4: `compression` cannot be `lz4`; write `none` or `zstd`",
        ),
    ] {
        let problems = folder.domain(from, to);
        assert!(problems.iter().any(|problem| problem.contains(part)), "{part} in {problems:#?}");
    }
    folder.write("domains/sales.yaml", SALES);
    folder.write("domains/other.yaml", SALES);
    let twice = folder.load(GOOD).unwrap_err();
    assert!(twice[0].contains("domain `sales` is already defined in another file"), "{twice:?}");
    folder.write("domains/other.yaml", "domain: [");
    folder.write("domains/sales.yaml", "nodes: []\n");
    let both = folder.load(GOOD).unwrap_err();
    assert!(both.iter().any(|problem| problem.starts_with("domains/other.yaml")), "{both:?}");
    assert!(
        both.iter().any(|problem| problem.contains("domains/sales.yaml:1: a domain has 1 to 100 nodes")),
        "{both:?}"
    );
}

#[test]
fn key_sets_are_files_or_addresses() {
    let folder = Folder::new();
    let source = |jwks: &str| {
        let text = GOOD.replace("jwks: tls/jwks.json", jwks);
        folder.load(&text).map(|config| config.identity.issuers[0].jwks.clone())
    };
    for good in [
        "https://login.larkfield.example/certs",
        "http://127.0.0.1:8080/certs",
        "http://[::1]:8080/certs",
        "http://localhost/certs",
        "http://login.larkfield.example/certs\n      jwks_http: true",
    ] {
        assert!(matches!(source(&format!("jwks: {good}")), Ok(KeySource::Url { ca: None, .. })), "{good}");
    }
    let with_ca = source("jwks: https://login.larkfield.example/certs\n      jwks_ca: tls/mesh-ca.crt");
    assert!(matches!(with_ca, Ok(KeySource::Url { ca: Some(_), .. })));
    for (bad, problem) in [
        ("http://127.0.0.1.example/certs", "is fetched without TLS"),
        ("http://10.0.0.1/certs\n      jwks_http: false", "is fetched without TLS"),
        ("https://gateway:hunter2@login.larkfield.example/certs", "has a user or a password in it"),
        ("ftp://login.larkfield.example/certs", "is neither a file nor an address"),
        ("https://", "is not an address"),
        (
            "https://login.larkfield.example/certs\n      jwks_ca: tls/none.crt",
            "`jwks_ca`: `tls/none.crt` cannot be read",
        ),
        ("tls/jwks.json\n      jwks_ca: tls/mesh-ca.crt", "`jwks_ca` goes with an address"),
        ("tls/jwks.json\n      jwks_http: true", "`jwks_http` goes with an address"),
    ] {
        let problems = source(&format!("jwks: {bad}")).unwrap_err().join("\n");
        assert!(problems.contains(problem) && !problems.contains("hunter2"), "{bad}: {problems}");
    }
}

#[test]
fn a_domain_is_read_directly_only_if_its_nodes_may_see_tokens() {
    let folder = Folder::new();
    let key = "direct: { key: { id: 2026a, key: \"${file:../tls/seal}\" } }\n";
    let read = |lines: &str| {
        folder.write("domains/sales.yaml", &format!("{SALES}{lines}"));
        folder.load(GOOD).unwrap().domains[0].direct.clone()
    };
    let direct = read(&format!("{key}sees_tokens: true\n")).unwrap();
    assert_eq!((direct.id.as_str(), direct.key.expose()), ("2026a", &[1; 32]));

    for lines in
        [String::new(), key.to_owned(), format!("{key}sees_tokens: false\n"), "sees_tokens: true\n".into()]
    {
        assert_eq!(read(&lines), None, "{lines}");
    }
    for (lines, part) in [
        ("sees_tokens: true\ndirect: {}\n", "`key` is missing"),
        ("sees_tokens: true\ndirect: { key: { id: a, key: short } }\n", "`key` is not a key of 32 bytes"),
        ("sees_tokens: true\ndirect: { key: { id: a, key: \"${file:nothing}\" } }\n", "nothing"),
        ("sees_tokens: true\ndirect: { key: { id: a, key: \"${SEAL}\" } }\n", "SEAL"),
        ("sees_tokens: maybe\n", "sees_tokens"),
    ] {
        folder.write("domains/sales.yaml", &format!("{SALES}{lines}"));
        let problems = folder.load(GOOD).unwrap_err();
        assert!(problems.iter().any(|problem| problem.contains(part)), "{part} in {problems:#?}");
    }
}

#[test]
fn networks_have_names() {
    let folder = Folder::new();
    let networks = "networks: { office: [10.0.0.0/8, 'fd00::/8'], lab: [10.1.2.0/24] }\n";
    let config = folder.load(&format!("{GOOD}{networks}")).unwrap();
    assert_eq!(config.networks.zone(Some("10.1.2.3".parse().unwrap())), "lab");
    assert_eq!(folder.load(GOOD).unwrap().networks, Networks::default());
    for (networks, part) in [
        ("networks: { default: [10.0.0.0/8] }", "`default` cannot name a zone"),
        ("networks: { Office: [10.0.0.0/8] }", "`Office` cannot name a zone"),
        ("networks: { office: [10.0.0.1] }", "this is not a network"),
        ("networks: { office: { a: 1 } }", "this is not a network"),
        ("networks: { office: [10.0.0.0/8], lab: [10.0.0.0/8] }", "this network is there twice"),
    ] {
        let problems = folder.load(&format!("{GOOD}{networks}\n")).unwrap_err();
        assert!(problems.iter().any(|problem| problem.contains(part)), "{part} in {problems:#?}");
    }
}
