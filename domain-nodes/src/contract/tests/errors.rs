//! Each error with its line and what to write instead.

use super::*;

#[test]
fn errors_name_file_line_and_remedy() {
    let cases: &[(&str, &str, &str)] = &[
        (
            "apiVersion: v3.2.0",
            "apiVersion: v2.2.2",
            "1: version `v2.2.2` of the contract standard cannot be read; write `apiVersion: v3.2.0`",
        ),
        ("apiVersion: v3.2.0", "apiVersion: v3.3.0", "1: version `v3.3.0`"),
        ("apiVersion: v3.2.0", "apiVersion: v3.2", "1: version `v3.2`"),
        (
            "kind: DataContract",
            "kind: Contract",
            "2: `kind: Contract` is no data contract; write `kind: DataContract`",
        ),
        ("id: 7c2e-orders\n", "", "1: `id` is missing"),
        ("version: 1.4.0\n", "", "1: `version` is missing"),
        ("name: orders\nversion", "version", "1: `name` is missing"),
        (
            "name: orders\nversion",
            "name: Customer-Profiles\nversion",
            "4: `Customer-Profiles` cannot be the name of a data product",
        ),
        ("name: orders\nversion", "name: Customer-Profiles\nversion", "write `name: customer_profiles`"),
        (
            "domain: sales",
            "domain: web",
            "7: the contract is of domain `web`, this node serves `sales`; write `domain: sales`",
        ),
        (
            "environment: dev",
            "environment: test",
            "13: no server for the environment `dev`; exactly one of `servers` must have `environment: dev`; there are: lake (test), lake-prod (prod)",
        ),
        ("environment: prod", "environment: dev", "13: 2 servers for the environment `dev`"),
        (
            "type: local",
            "type: postgres",
            "14: servers of `type: postgres` cannot be read; write `type: local` or `type: s3`",
        ),
        ("path: 'data/{model}', ", "", "14: `path` is missing"),
        (
            "path: 'data/{model}'",
            "path: 's3://lake/{model}'",
            "14: `path` is an address of another kind; write a path",
        ),
        ("path: 'data/{model}'", "path: 'file:///etc/passwd'", "14: `path` is an address of another kind"),
        ("type: local, path: 'data/{model}'", "type: s3", "14: `location` is missing"),
        (
            "server: lake, environment: dev, type: local, path: 'data/{model}'",
            "environment: dev, type: s3, location: 's3://lake/{model}'",
            "14: `server` is missing",
        ),
        (
            "type: local, path: 'data/{model}'",
            "type: s3, location: 'gs://lake/{model}'",
            "14: `location` is no place in a bucket; write `s3://bucket/folder/{model}/`",
        ),
        (
            "type: local, path: 'data/{model}'",
            "type: s3, location: 's3://lake/../{model}'",
            "14: `location` is no place in a bucket",
        ),
        ("type: local, path: 'data/{model}'", "type: s3, location: 's3://lake//{model}'", "14: `location`"),
        ("type: local, path: 'data/{model}'", "type: s3, location: 's3://LAKE/{model}'", "14: `location`"),
        ("type: local, path: 'data/{model}'", "type: s3, location: 's3://lake'", "14: `location`"),
        (
            "type: local, path: 'data/{model}'",
            "type: s3, location: 's3://lake/{model}', endpointUrl: 'https://me:secret@lake'",
            "14: `endpointUrl` is no address of an object store; write `https://host:port`",
        ),
        (
            "type: local, path: 'data/{model}'",
            "type: s3, location: 's3://lake/{model}', endpointUrl: 'ftp://lake'",
            "14: `endpointUrl` is no address",
        ),
        (
            "format: parquet }\n",
            "format: json, delimiter: array }\n",
            "14: files that are one array cannot be read",
        ),
        ("path: 'data/{model}'", "path: 'data/${SECRET}'", "14: the variable `SECRET` is not set"),
        (
            "path: 'data/{model}'",
            "path: 'data/${file:/etc/passwd}'",
            "14: the file `/etc/passwd` cannot be read",
        ),
        (
            "format: parquet }\n",
            "format: parqet }\n",
            "14: files of `format: parqet` cannot be read; did you mean `parquet`?",
        ),
        (
            "format: parquet }\n",
            "format: parquet, encoding: UTF-16 }\n",
            "14: files in `UTF-16` cannot be read",
        ),
        (
            "format: parquet }\n",
            "format: csv, customProperties: [ { vendor: meshgate, property: delimter, value: ';' } ] }\n",
            "there is no property `delimter` of vendor meshgate; did you mean `delimiter`?",
        ),
        (
            "format: parquet }\n",
            "format: csv, customProperties: [ { vendor: meshgate, property: delimiter, value: xx } ] }\n",
            "`delimiter` cannot be `xx`",
        ),
        (
            "format: parquet }\n",
            "format: csv, customProperties: [ { vendor: meshgate, property: delimiter, value: a } ] }\n",
            "`delimiter` cannot be `a`",
        ),
        (
            "format: parquet }\n",
            "format: csv, customProperties: [ { vendor: meshgate, property: header, value: maybe } ] }\n",
            "`header` cannot be `maybe`; write true or false",
        ),
        ("  - name: orders", "  - name: Orders", "17: `Orders` cannot be the name of a table"),
        ("name: order_id", "name: orderId", "21: `orderId` cannot be the name of a column"),
        ("name: order_id", "name: orderId", "write `name: order_id`"),
        ("name: total", "name: order_id", "22: the column `order_id` is there twice"),
        ("physicalName: REGION", "physicalName: total", "23: two columns are read from `total`"),
        (
            "logicalType: integer",
            "logicalType: int",
            "21: `logicalType: int` is not supported; write one of string, boolean, integer",
        ),
        ("physicalType: 'decimal(12,2)'", "physicalType: 'decimal(39,2)'", "22: there is no decimal(39,2)"),
        ("logicalType: integer, primaryKey", "primaryKey", "21: the property has no type"),
        ("required: true", "required: yes", "21: `required` is not `true` or `false`"),
        ("version: 1.4.0", "version: [1]", "5: `version` is not a text"),
        ("kind: DataContract", "kind: DataContract\nkind: DataContract", "3:"),
        ("tags: [core]", "tags: core", "9: `tags` is not a list"),
    ];
    for (old, new, expected) in cases {
        assert!(VALID.contains(old), "{old}");
        let (contracts, dir) = load(&[("orders.odcs.yaml", &VALID.replacen(old, new, 1))]);
        let found = problems(&contracts, dir.path()).join("\n");
        assert!(found.contains("orders.odcs.yaml:"), "{new}: {found}");
        assert!(found.contains(expected), "{new}: {found}");
        assert!(contracts.products.is_empty(), "{new}: served all the same");
    }
}

#[test]
fn a_contract_without_tables_or_columns_is_refused() {
    let without_schema = VALID.split("schema:").next().unwrap();
    let contracts = load_one(without_schema);
    assert!(contracts.problems[0].to_string().contains("the contract has no tables"));
    let without_columns = VALID.split("    properties:").next().unwrap();
    let contracts = load_one(without_columns);
    assert!(contracts.problems[0].to_string().contains("the table has no columns"));
}

#[test]
fn all_problems_of_a_folder_are_told_at_once_and_the_others_go_on() {
    let (contracts, dir) = load(&[
        ("a.odcs.yaml", &VALID.replace("kind: DataContract", "kind: X").replace("version: 1.4.0\n", "")),
        ("b.odcs.yml", VALID),
        ("c.odcs.yaml", "not: [closed"),
        ("d.odcs.yaml", "- a\n"),
        ("notes.yaml", "nothing: here"),
        ("broken-notes.yaml", "also: [not"),
        ("README.md", "kind: DataContract"),
        (".hidden.odcs.yaml", "x"),
    ]);
    assert_eq!(contracts.products.len(), 1);
    let found = problems(&contracts, dir.path());
    for expected in ["a.odcs.yaml:2:", "a.odcs.yaml:1:", "c.odcs.yaml:", "d.odcs.yaml:1:"] {
        assert!(found.iter().any(|problem| problem.starts_with(expected)), "{expected} in {found:?}");
    }
    assert!(
        !found.iter().any(|problem| problem.contains("notes") || problem.contains("hidden")),
        "{found:?}"
    );
}

#[test]
fn unknown_keys_are_warnings_with_a_suggestion() {
    let text = VALID
        .replace("status: active", "statsu: active")
        .replace("description: Number.", "descriptoin: Number.");
    let (contracts, dir) = load(&[("orders.odcs.yaml", &text)]);
    assert_eq!(contracts.products.len(), 1);
    let found = problems(&contracts, dir.path());
    assert!(
        found.contains(
            &"orders.odcs.yaml:6: warning: unknown key `statsu`; did you mean `status`? [unknown-key]"
                .to_owned()
        ),
        "{found:?}"
    );
    assert!(
        found.iter().any(|problem| problem.contains(":21: warning: unknown key `descriptoin`")),
        "{found:?}"
    );
    assert_eq!(found.len(), 2);
}

#[test]
fn what_two_contracts_claim_neither_serves() {
    let other = VALID.replace("id: 7c2e-orders", "id: other").replacen(
        "name: orders\nversion",
        "name: other\nversion",
        1,
    );
    let (contracts, dir) = load(&[("a.odcs.yaml", VALID), ("b.odcs.yaml", &other)]);
    assert!(contracts.products.is_empty());
    let found = problems(&contracts, dir.path());
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("a.odcs.yaml:17: the table `orders` is also in b.odcs.yaml"), "{found:?}");
    assert!(found[1].starts_with("b.odcs.yaml:17: the table `orders` is also in a.odcs.yaml"), "{found:?}");

    let other = VALID.replace("  - name: orders", "  - name: more_orders").replacen(
        "name: orders\nversion",
        "name: other\nversion",
        1,
    );
    let (contracts, dir) = load(&[("a.odcs.yaml", VALID), ("b.odcs.yaml", &other)]);
    assert!(contracts.products.is_empty());
    assert!(problems(&contracts, dir.path())[0].contains("the id `7c2e-orders` is also in b.odcs.yaml"));

    let other = other.replace("id: 7c2e-orders", "id: other");
    let (contracts, _dir) = load(&[("a.odcs.yaml", VALID), ("b.odcs.yaml", &other)]);
    assert_eq!(contracts.products.len(), 2);
}

#[test]
fn files_are_bounded() {
    let big = format!("{VALID}# {}", "x".repeat(meshgate_policies::yaml::MAX_BYTES));
    let contracts = load_one(&big);
    assert!(contracts.problems[0].to_string().contains("longer than"));
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.odcs.yaml"), [0xFF, 0xFE]).unwrap();
    fs::create_dir(dir.path().join("b.odcs.yaml")).unwrap();
    let contracts = load_in(dir.path(), "sales", "dev", &[]);
    assert!(contracts.problems[0].to_string().contains("not UTF-8"));
    assert!(contracts.problems[1].to_string().contains("not a file"));
}

#[test]
fn reserved_and_unfit_domains_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for domain in ["system", "information_schema", "public", "Sales", ""] {
        let contracts = load_in(dir.path(), domain, "dev", &[]);
        assert!(contracts.problems[0].is_error(), "{domain}");
    }
    assert!(load_in(dir.path(), "sales", "dev", &[]).problems.is_empty());
    let missing = load_in(&dir.path().join("missing"), "sales", "dev", &[]);
    assert!(missing.problems[0].to_string().contains("the folder of contracts cannot be read"));
}

#[test]
fn credentials_in_a_contract_are_errors_that_do_not_repeat_them() {
    const PLACE: &str = "type: local, path: 'data/{model}'";
    let s3 = "type: s3, location: 's3://lake/{model}'";
    for key in ["secret_access_key", "secretAccessKey", "access_key_id", "password", "token", "apiKey"] {
        let contracts = load_one(&VALID.replace(PLACE, &format!("{s3}, {key}: HUSH")));
        let [problem] = contracts.problems.as_slice() else { panic!("{:#?}", contracts.problems) };
        assert!(contracts.products.is_empty() && problem.is_error(), "{problem}");
        let told = problem.to_string();
        assert!(told.contains(&format!("14: `{key}` is of credentials")), "{told}");
        assert!(told.contains("node.yaml, under `credentials`") && !told.contains("HUSH"), "{told}");
    }
    let prod = "environment: prod, ";
    let property = "customProperties: [ { property: password, value: HUSH } ]";
    for (from, to, line) in [
        (prod, format!("{prod}password: HUSH, "), "15: `password`"),
        ("format: parquet }\n", format!("format: parquet, {property} }}\n"), "14: `password`"),
    ] {
        let problems = format!("{:#?}", load_one(&VALID.replacen(from, &to, 1)).problems);
        let told: Vec<String> =
            load_one(&VALID.replacen(from, &to, 1)).problems.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|told| told.contains(line)), "{told:#?}");
        assert!(!problems.contains("HUSH"), "{problems}");
    }
    let address = format!("{s3}, endpointUrl: 'https://me:HUSH@lake'");
    let key_in_location = "type: s3, location: 's3://me:HUSH@lake/{model}'".to_owned();
    for place in [address, key_in_location] {
        let contracts = load_one(&VALID.replace(PLACE, &place));
        assert!(contracts.products.is_empty());
        assert!(!format!("{:?}", contracts.problems).contains("HUSH"), "{:?}", contracts.problems);
    }
    let other = load_one(&VALID.replace(PLACE, &format!("{PLACE}, speed: fast")));
    assert!(other.products.len() == 1 && !other.problems.iter().any(|problem| problem.is_error()));
}
