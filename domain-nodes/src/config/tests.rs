use super::*;

const COMPLETE: &str = "\
version: 1
domain: sales
environment: \"${MESHGATE_ENV:-dev}\"
listen: { flight: 127.0.0.1:0, http: 127.0.0.1:8081 }
tls: { cert: tls/node.crt, key: tls/node.key, client_ca: /etc/mesh-ca.crt }
gateway: { permit_keys: tls/permit-keys.json, operator_key: tls/operator.pub }
mesh: ./mesh.yaml
products: ./products/
policies: ./policies/
credentials:
  lake-prod: { access_key_id: \"${ID}\", secret_access_key: \"${file:lake.secret}\" }
contract_variables: [ID]
audit: { file: audit/node.jsonl }
limits: { query_time: 5m, memory: 1GiB, query_memory: 64MiB, concurrent_queries: 8 }
";

fn environment(name: &str) -> Option<String> {
    (name == "ID").then(|| "key: [id]".to_owned())
}

/// As a file of this text would be read, at no place.
fn read_text(text: &str, lookup: &Lookup<'_>) -> Result<NodeConfig, Vec<Problem>> {
    let root = yaml::parse("node.yaml", text).unwrap();
    let problems = credentials::literal_secrets("node.yaml", &root);
    NodeConfig::read("node.yaml", root, problems, lookup)
}

fn load(text: &str) -> Result<NodeConfig, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lake.secret"), "hush\n").unwrap();
    let file = folder.path().join("node.yaml");
    std::fs::write(&file, text).unwrap();
    let prefix = format!("{}/", folder.path().display());
    NodeConfig::load(&file, &environment)
        .map_err(|problems| problems.iter().map(|p| p.to_string().replace(&prefix, "")).collect())
}

#[test]
fn a_complete_file_is_read_with_its_references_and_units() {
    let config = load(COMPLETE).unwrap();
    assert_eq!((config.domain.as_str(), config.node.as_str()), ("sales", "sales-1"));
    assert_eq!(config.environment, "dev");
    assert_eq!(config.listen.http, Some("127.0.0.1:8081".parse().unwrap()));
    assert!(config.tls.certificate.ends_with("tls/node.crt") && config.tls.certificate.is_absolute());
    assert_eq!(config.tls.client_authority, Path::new("/etc/mesh-ca.crt"));
    assert_eq!(config.operator_keys.len(), 1);
    assert!(config.operator_keys[0].ends_with("tls/operator.pub"));
    assert_eq!(config.limits.query_time, Duration::from_secs(300));
    assert_eq!(config.limits.query_memory, 64 << 20);
    assert_eq!(config.limits.connections, NodeLimits::default().connections);
    // A variable's text stays a text, whatever YAML it looks like.
    assert_eq!(config.contract_variables["ID"], "key: [id]");
    let lake = &config.credentials["lake-prod"];
    let keys = lake.keys.as_ref().unwrap();
    assert_eq!(keys.access_key_id.reveal(), "key: [id]");
    assert_eq!(keys.secret_access_key.reveal(), "hush");
    assert!(!lake.allow_http && lake.region.is_none() && keys.session_token.is_none());
    assert!(!format!("{config:?}").contains("hush"));
}

#[test]
fn data_lies_below_the_products_parent_unless_said_otherwise() {
    let config = load(COMPLETE).unwrap();
    assert_eq!(config.data_roots, [config.products.parent().unwrap()]);
    let config = load(&format!("{COMPLETE}data_roots: [ /srv/lake, files ]\n")).unwrap();
    assert_eq!(config.data_roots[0], Path::new("/srv/lake"));
    assert!(config.data_roots[1].ends_with("files"));
}

#[test]
fn a_file_in_the_current_folder_has_a_folder() {
    assert_eq!(folder_of(Path::new("node.yaml")), Path::new("."));
    assert_eq!(folder_of(Path::new("sales/node.yaml")), Path::new("sales"));
    let lookup = Lookup { folder: folder_of(Path::new("node.yaml")), environment: &environment };
    let config = read_text(&COMPLETE.replace("${file:lake.secret}", "hush"), &lookup);
    assert!(config.unwrap().data_roots[0].canonicalize().is_ok());
}

#[test]
fn all_problems_come_at_once_with_file_line_and_remedy() {
    let text = COMPLETE
        .replace("domain: sales", "domain: Sales")
        .replace("flight: 127.0.0.1:0", "flight: everywhere")
        .replace("mesh: ./mesh.yaml", "mehs: ./mesh.yaml")
        .replace("query_time: 5m", "query_time: 5 minutes")
        .replace("${ID}", "${OTHER}");
    let problems = load(&text).unwrap_err();
    let expected = [
        "node.yaml:11: the variable `OTHER` is not set",
        "node.yaml:2: `Sales` is not a domain name",
        "node.yaml:4: `flight: everywhere` is not an IP address with a port; write for example",
        "node.yaml:1: `mesh` is missing",
        "node.yaml:14: `query_time: 5 minutes` is not accepted; write a time",
        "node.yaml:7: unknown key `mehs`; did you mean `mesh`?",
    ];
    for start in expected {
        assert!(problems.iter().any(|problem| problem.starts_with(start)), "{start}\n{problems:#?}");
    }
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
}

#[test]
fn reserved_names_contradicting_limits_and_other_versions_are_refused() {
    for (from, to, message) in [
        ("domain: sales", "domain: system", "the domain name `system` is reserved"),
        ("version: 1", "version: 2", "this version of node.yaml is not known"),
        ("memory: 1GiB", "memory: 1MiB", "`query_memory` is more than `memory`"),
        ("concurrent_queries: 8", "concurrent_queries: 0", "`concurrent_queries: 0` is not accepted"),
        ("domain: sales", "domain: sales\nnode: a b", "`node` is not a node's name"),
        ("contract_variables: [ID]", "contract_variables: [NONE]", "the variable `NONE` is not set"),
        (", operator_key: tls/operator.pub", "", "`operator_key` is missing"),
        ("operator_key: tls/operator.pub", "operator_key: []", "`operator_key` is empty"),
    ] {
        let problems = load(&COMPLETE.replace(from, to)).unwrap_err();
        assert!(problems.iter().any(|problem| problem.contains(message)), "{message}\n{problems:#?}");
    }
}

#[test]
fn credentials_are_complete_or_none_at_all() {
    let with = |entry: &str| {
        let line = COMPLETE.lines().find(|line| line.contains("lake-prod")).unwrap();
        load(&COMPLETE.replace(line, &format!("  lake-prod: {{ {entry} }}")))
    };
    let lake = with("anonymous: true, region: eu-central-1, allow_http: true").unwrap();
    let lake = &lake.credentials["lake-prod"];
    assert!(lake.keys.is_none() && lake.allow_http && lake.region.as_deref() == Some("eu-central-1"));
    let session = with("access_key_id: a, secret_access_key: b, session_token: c, ca: x").unwrap();
    assert!(session.credentials["lake-prod"].keys.as_ref().unwrap().session_token.is_some());
    for (entry, message) in [
        ("access_key_id: a", "these credentials are not complete"),
        ("secret_access_key: '${NONE:-}', access_key_id: a", "these credentials are not complete"),
        ("anonymous: true, access_key_id: a, secret_access_key: b", "these credentials are not complete"),
        ("anonymous: true, session_token: c", "these credentials are not complete"),
        (
            "acces_key_id: a, secret_access_key: b",
            "unknown key `acces_key_id`; did you mean `access_key_id`?",
        ),
        ("anonymous: maybe", "`anonymous` is not `true` or `false`"),
    ] {
        let problems = with(entry).unwrap_err();
        assert!(problems.iter().any(|problem| problem.contains(message)), "{message}\n{problems:#?}");
    }
}

#[test]
fn a_secret_that_stands_in_the_file_is_a_warning_that_does_not_repeat_it() {
    assert!(load(COMPLETE).unwrap().warnings.is_empty());
    let with = |secret: &str| load(&COMPLETE.replace("\"${file:lake.secret}\"", secret)).unwrap();
    for secret in ["HUSH", "'$${HUSH'"] {
        let warnings = with(secret).warnings;
        let [warning] = warnings.as_slice() else { panic!("{warnings:#?}") };
        let told = warning.to_string();
        assert!(!warning.is_error() && told.contains("node.yaml:11: ") && told.contains("${file:"), "{told}");
        assert!(!told.contains("HUSH"), "{told}");
    }
    for reference in ["'${ID}'", "'${OTHER:-x}'", "'${ID}', session_token: '${ID}'"] {
        assert!(with(reference).warnings.is_empty(), "{reference}");
    }
    let both = with("'${ID}', session_token: HUSH").warnings;
    assert!(both.len() == 1 && both[0].to_string().contains("`session_token`"), "{both:?}");
}

#[test]
fn the_operator_has_two_keys_while_one_follows_the_other() {
    let both = "operator_key: [tls/operator.pub, /etc/new.pub]";
    let config = load(&COMPLETE.replace("operator_key: tls/operator.pub", both)).unwrap();
    assert_eq!(config.operator_keys.len(), 2);
    assert_eq!(config.operator_keys[1], Path::new("/etc/new.pub"));
}

#[test]
fn a_missing_file_is_one_problem() {
    let problems = NodeConfig::load(Path::new("/nowhere/node.yaml"), &environment).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].to_string().starts_with("/nowhere/node.yaml: cannot read this file"));
}

#[test]
fn keys_of_pseudonyms_are_long_and_the_first_one_counts() {
    let key = |bytes: usize| {
        base64::engine::Engine::encode(&base64::engine::general_purpose::STANDARD, vec![7; bytes])
    };
    let with = |keys: &str| load(&format!("{COMPLETE}pseudonyms: {{ person: {{ keys: [ {keys} ] }} }}\n"));
    let (good, other) = (key(32), key(64));
    let config = with(&format!("{{ id: new, key: \"{good}\" }}, {{ id: old, key: \"{other}\" }}")).unwrap();
    assert_eq!(
        (config.pseudonyms["person"].id.as_str(), config.pseudonyms["person"].bytes.len()),
        ("new", 32)
    );
    assert!(!format!("{config:?}").contains("7, 7"));
    assert!(load(COMPLETE).unwrap().pseudonyms.is_empty());
    for (keys, expected) in [
        (String::new(), "there is no key"),
        (format!("{{ id: a, key: \"{}\" }}", key(31)), "not a key of 32 to 64 bytes"),
        (format!("{{ id: a, key: \"{}\" }}", key(65)), "not a key of 32 to 64 bytes"),
        ("{ id: a, key: \"%%%\" }".to_owned(), "not a key of 32 to 64 bytes"),
        (format!("{{ key: \"{good}\" }}"), "`id` is missing"),
        ("{ id: a }".to_owned(), "`key` is missing"),
        (format!("{{ id: a, key: \"{good}\" }}, {{ id: a, key: \"{other}\" }}"), "the same `id`"),
        // One that is not used yet is read as well.
        (format!("{{ id: a, key: \"{good}\" }}, {{ id: b, key: \"{}\" }}", key(8)), "not a key of"),
    ] {
        let problems = with(&keys).unwrap_err();
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{keys}: {problems:?}");
        assert!(!problems.iter().any(|problem| problem.contains(&good)), "{problems:?}");
    }
}

const DIRECT: &str = "\
direct:
  listen: 0.0.0.0:31401
  tls: { cert: tls/direct.crt, key: tls/direct.key }
  keys: [ { id: 2026a, key: \"${file:lake.secret}\" } ]
  addresses: { default: 'grpc+tls://sales.example:31401', office: 'grpc+tls://10.0.0.1:31401' }
";

#[test]
fn a_listener_for_clients_is_read_and_its_keys_do_not_print() {
    assert!(load(COMPLETE).unwrap().direct.is_none());
    let with = |from: &str, to: &str| {
        assert!(DIRECT.contains(from), "{from}");
        let key = "07".repeat(32);
        load(&format!("{COMPLETE}{}", DIRECT.replace(from, to).replace("${file:lake.secret}", &key)))
    };
    let direct = with("2026a", "2026b").unwrap().direct.unwrap();
    assert!(direct.certificate.ends_with("tls/direct.crt") && direct.key.ends_with("tls/direct.key"));
    assert_eq!((direct.keys[0].id.as_str(), direct.keys[0].bytes), ("2026b", [7; 32]));
    assert_eq!(direct.addresses["office"], "grpc+tls://10.0.0.1:31401");
    assert!(!format!("{direct:?}").contains("7, 7"));

    for (from, to, expected) in [
        ("0.0.0.0:31401", "localhost", "is not an IP address with a port"),
        ("cert: tls/direct.crt, ", "", "`cert` is missing"),
        ("[ { id: 2026a, key: \"${file:lake.secret}\" } ]", "[]", "there are 1 to 64 keys"),
        ("id: 2026a, ", "", "`id` is missing"),
        ("${file:lake.secret}", "short", "`key` is not a key of 32 bytes"),
        ("{ id: 2026a", "{ id: 2026a, key: \"${file:lake.secret}\" }, { id: 2026a", "is there twice"),
        (
            "default: 'grpc+tls://sales.example:31401', office: 'grpc+tls://10.0.0.1:31401'",
            "",
            "1 to 64 addresses",
        ),
        ("office:", "Office:", "`Office` is not the name of a zone"),
        ("grpc+tls://10.0.0.1", "grpc+tcp://10.0.0.1", "this is not an address for clients"),
        ("grpc+tls://10.0.0.1:31401", "grpc+tls://10.0.0.1", "this is not an address for clients"),
    ] {
        let problems = with(from, to).unwrap_err();
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{to}: {problems:?}");
    }
}

#[test]
fn keys_of_a_listener_for_clients_may_be_elsewhere_where_nothing_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("node.yaml");
    let complete = COMPLETE.replace("credentials:\n  lake-prod: { access_key_id: \"${ID}\", secret_access_key: \"${file:lake.secret}\" }\n", "");
    std::fs::write(&file, format!("{complete}{DIRECT}")).unwrap();
    let (config, _) = NodeConfig::load_without_secrets(&file, &environment).unwrap();
    assert!(config.direct.is_none());
    let told: Vec<&str> = config.warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(told, ["the file `lake.secret` is not here: `direct` was not looked at"]);
    assert!(NodeConfig::load(&file, &environment).is_err());
}

#[test]
fn secrets_may_be_elsewhere_where_nothing_is_served() {
    let text = format!(
        "{COMPLETE}pseudonyms:\n  person: {{ keys: [ {{ id: a, key: \"${{file:no.key}}\" }} ] }}\n  order: {{ keys: [ {{ id: a, key: \"${{NO_KEY}}\" }} ] }}\n"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("node.yaml");
    std::fs::write(&file, &text).unwrap();
    let (config, elsewhere) = NodeConfig::load_without_secrets(&file, &environment).unwrap();
    assert_eq!(elsewhere.into_iter().collect::<Vec<_>>(), ["order", "person"]);
    assert!(config.pseudonyms.is_empty() && config.credentials.is_empty());
    let told: Vec<&str> = config.warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(
        told,
        [
            "the file `lake.secret` is not here: `credentials.lake-prod` was not looked at",
            "the file `no.key` is not here: `pseudonyms.person` was not looked at",
            "the variable `NO_KEY` is not here: `pseudonyms.order` was not looked at",
        ]
    );
    // A server needs them, and what is written wrong is wrong everywhere.
    assert!(NodeConfig::load(&file, &environment).is_err());
    std::fs::write(&file, text.replace("${NO_KEY}", "${NO KEY}")).unwrap();
    assert!(NodeConfig::load_without_secrets(&file, &environment).is_err());
    std::fs::write(&file, text.replace("tls/node.key", "${file:no.path}")).unwrap();
    assert!(NodeConfig::load_without_secrets(&file, &environment).is_err());
    // Where they are, they are looked at.
    std::fs::write(folder.path().join("lake.secret"), "hush").unwrap();
    std::fs::write(folder.path().join("no.key"), "not a key").unwrap();
    std::fs::write(&file, &text).unwrap();
    let problems = NodeConfig::load_without_secrets(&file, &environment).unwrap_err();
    assert!(
        problems.iter().any(|problem| problem.message.contains("is not a key of 32 to 64 bytes")),
        "{problems:?}"
    );
}
