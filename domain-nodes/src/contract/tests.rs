//! Folders of contracts: what they give, and each error with file and line.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use meshgate_policies::DataType;
use meshgate_policies::data_type::{Field, TimeUnit};
use tempfile::TempDir;

use super::*;
use crate::source::Format;

const VALID: &str = "\
apiVersion: v3.2.0
kind: DataContract
id: 7c2e-orders
name: orders
version: 1.4.0
status: active
domain: sales
description: { purpose: All orders., usage: For analysis. }
tags: [core]
team: { name: Sales data, members: [ { username: sven, role: Owner } ] }
slaProperties:
  - { property: latency, value: 4, unit: h, element: orders.order_date }
servers:
  - { server: lake, environment: dev, type: local, path: 'data/{model}', format: parquet }
  - { server: lake-prod, environment: prod, type: s3, location: 's3://bucket/{model}', format: parquet }
schema:
  - name: orders
    description: One row per order.
    tags: [fact]
    properties:
      - { name: order_id, logicalType: integer, primaryKey: true, required: true, classification: internal, description: Number. }
      - { name: total, logicalType: number, physicalType: 'decimal(12,2)', tags: [money] }
      - { name: region, logicalType: string, physicalName: REGION, partitioned: true }
    quality:
      - { metric: rowCount, mustBeGreaterThan: 0 }
";

fn load_in(dir: &Path, domain: &str, environment: &str, variables: &[(&str, &str)]) -> Contracts {
    let variables: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    load_folder(dir, domain, environment, &variables)
}

fn load(files: &[(&str, &str)]) -> (Contracts, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    (load_in(dir.path(), "sales", "dev", &[]), dir)
}

fn load_one(text: &str) -> Contracts {
    load(&[("orders.odcs.yaml", text)]).0
}

/// `file:line: message; hint` without the folder.
fn problems(contracts: &Contracts, dir: &Path) -> Vec<String> {
    let folder = format!("{}/", dir.display());
    contracts.problems.iter().map(|problem| problem.to_string().replace(&folder, "")).collect()
}

/// A contract of one column that is `property`.
fn with_column(property: &str) -> String {
    let start = VALID.split("    properties:").next().unwrap();
    format!("{start}    properties:\n      - {{ name: c, {property} }}\n")
}

fn type_of(property: &str) -> Result<DataType, String> {
    let contracts = load_one(&with_column(property));
    match contracts.products.first() {
        Some(product) => Ok(product.tables[0].table.columns[0].data_type.clone()),
        None => Err(contracts.problems[0].to_string()),
    }
}

#[test]
fn a_contract_becomes_a_product() {
    let (contracts, dir) = load(&[("orders.odcs.yaml", VALID)]);
    assert_eq!(problems(&contracts, dir.path()), [""; 0]);
    let product = &contracts.products[0];
    assert_eq!(product.id, "7c2e-orders");
    assert_eq!(
        (product.name.as_str(), product.version.as_str(), product.status.as_str()),
        ("orders", "1.4.0", "active")
    );
    assert_eq!(product.owner, "Sales data");
    assert_eq!(product.description, "All orders.\nFor analysis.");
    assert_eq!(product.tags, ["core"]);
    assert_eq!(product.service_levels[0].property, "latency");
    assert_eq!(product.service_levels[0].value, "4");
    assert_eq!(product.service_levels[0].element.as_deref(), Some("orders.order_date"));
    assert_eq!(product.quality[0].table, "orders");
    assert_eq!(product.quality[0].settings["mustBeGreaterThan"], "0");

    let published = &product.tables[0];
    assert_eq!(published.description, "One row per order.");
    assert_eq!(published.column_descriptions, ["Number.", "", ""]);
    assert_eq!(published.tags, ["fact"]);
    let table = &published.table;
    assert_eq!(
        (table.domain.as_str(), table.product.as_str(), table.name.as_str()),
        ("sales", "orders", "orders")
    );
    assert_eq!(table.primary_key, ["order_id"]);
    assert_eq!(table.columns[0].data_type, DataType::Int64);
    assert!(table.columns[0].required && !table.columns[1].required);
    assert_eq!(table.columns[0].classification.as_deref(), Some("internal"));
    assert_eq!(table.columns[1].data_type, DataType::Decimal { precision: 12, scale: 2 });
    assert_eq!(table.columns[1].tags, ["money"]);
    let source = &published.source;
    assert_eq!(source.path, dir.path().join("data/orders"));
    assert_eq!(source.format, Format::Parquet);
    assert_eq!((source.columns[2].name.as_str(), source.columns[2].partition), ("REGION", true));
    assert_eq!((source.columns[0].name.as_str(), source.columns[0].partition), ("order_id", false));
}

#[test]
fn every_supported_version_of_the_standard_is_read() {
    for version in ["v3.0.0", "v3.0.2", "v3.1.0", "v3.2.0", "v3.2.7"] {
        let contracts = load_one(&VALID.replace("v3.2.0", version));
        assert_eq!(contracts.products.len(), 1, "{version}");
    }
    // Until 3.1 a team was a list, and custom properties had no vendor.
    let old = VALID
        .replace("v3.2.0", "v3.0.2")
        .replace("team: { name: Sales data, members: [ { username: sven, role: Owner } ] }", "team: [ { username: anna }, { username: sven, role: owner } ]")
        .replace("format: parquet }\n  - { server: lake-prod", "format: csv, customProperties: [ { property: delimiter, value: ';' } ] }\n  - { server: lake-prod");
    let contracts = load_one(&old);
    assert_eq!(contracts.products[0].owner, "sven");
    let Format::Csv(options) = &contracts.products[0].tables[0].source.format else { panic!("not CSV") };
    assert_eq!(options.delimiter, b';');
}

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
            "14: servers of `type: postgres` cannot be read; write `type: local`",
        ),
        ("path: 'data/{model}', ", "", "14: `path` is missing"),
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
fn a_plain_yaml_file_that_says_it_is_a_contract_is_one() {
    let (contracts, _dir) = load(&[("orders.yaml", VALID)]);
    assert_eq!(contracts.products.len(), 1);
    let (contracts, _dir) = load(&[("orders.yaml", &format!("{VALID}\n  bad: ["))]);
    assert_eq!(contracts.problems.len(), 1);
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
            &"orders.odcs.yaml:6: warning: unknown key `statsu`; did you mean `status`?".to_owned()
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
fn all_keys_of_the_standard_are_known() {
    let text = format!(
        "{VALID}
tenant: t
dataProduct: p
context: {{}}
price: {{ priceAmount: 1 }}
support: []
roles: []
slaDefaultElement: x
authoritativeDefinitions: []
customProperties: []
contractCreatedTs: '2026-01-01'
"
    )
    .replace(
        "tags: [money]",
        "tags: [money], id: x, businessName: T, deprecated: false, synonyms: [], authoritativeDefinitions: [], customProperties: [], unique: false, semanticType: column, partitionKeyPosition: -1, encryptedName: e, transformSourceObjects: [], transformLogic: l, transformDescription: d, examples: [1], enum: [], criticalDataElement: true, relationships: [], logicalTypeOptions: { minimum: 0 }, quality: []",
    );
    let (contracts, dir) = load(&[("orders.odcs.yaml", &text)]);
    assert_eq!(problems(&contracts, dir.path()), [""; 0]);
}

#[test]
fn keys_left_empty_are_absent() {
    let text = VALID
        .replace("status: active", "status:")
        .replace("tags: [core]", "tags:")
        .replace("classification: internal", "classification: null");
    let (contracts, dir) = load(&[("orders.odcs.yaml", &text)]);
    assert_eq!(problems(&contracts, dir.path()), [""; 0]);
    assert_eq!(contracts.products[0].tables[0].table.columns[0].classification, None);
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
fn a_contract_may_have_several_tables() {
    let second = "  - { name: lines, physicalName: order_lines, properties: [ { name: sku, logicalType: string } ] }\n";
    let contracts = load_one(&format!("{VALID}{second}"));
    let tables = &contracts.products[0].tables;
    assert!(tables[1].source.path.ends_with("data/order_lines"));

    let (contracts, dir) =
        load(&[("o.odcs.yaml", &format!("{VALID}{second}").replace("data/{model}", "data/all"))]);
    assert!(contracts.products.is_empty());
    assert!(problems(&contracts, dir.path())[0].contains("put `{model}` into the path"));

    let (contracts, dir) =
        load(&[("o.odcs.yaml", &format!("{VALID}{}", second.replace("name: lines", "name: orders")))]);
    assert!(contracts.products.is_empty());
    assert!(
        problems(&contracts, dir.path())[0].starts_with("o.odcs.yaml:26: the table `orders` is there twice")
    );
}

#[test]
fn a_model_cannot_leave_its_place_in_the_path() {
    for model in ["../secret", "..", "a/b", "*"] {
        let text = VALID.replace(
            "    description: One row",
            &format!("    physicalName: '{model}'\n    description: One row"),
        );
        let contracts = load_one(&text);
        assert!(contracts.products.is_empty(), "{model}");
        assert!(contracts.problems[0].to_string().contains("cannot stand for `{model}`"), "{model}");
    }
}

#[test]
fn only_variables_that_were_handed_in_are_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let text = VALID.replace("path: 'data/{model}'", "path: '${LAKE}/{model}${SUFFIX:-.parquet}'");
    fs::write(dir.path().join("o.odcs.yaml"), text).unwrap();
    let contracts = load_in(dir.path(), "sales", "dev", &[("LAKE", "/lake")]);
    assert_eq!(contracts.products[0].tables[0].source.path, Path::new("/lake/orders.parquet"));
    // HOME is in every environment, but it was not handed in.
    fs::write(dir.path().join("o.odcs.yaml"), VALID.replace("data/{model}", "${HOME}/x")).unwrap();
    assert!(load_in(dir.path(), "sales", "dev", &[]).products.is_empty());
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
fn files_are_bounded() {
    let big = format!("{VALID}# {}", "x".repeat(meshgate_policies::yaml::MAX_BYTES));
    let contracts = load_one(&big);
    assert!(contracts.problems[0].to_string().contains("larger than"));
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.odcs.yaml"), [0xFF, 0xFE]).unwrap();
    fs::create_dir(dir.path().join("b.odcs.yaml")).unwrap();
    let contracts = load_in(dir.path(), "sales", "dev", &[]);
    assert!(contracts.problems[0].to_string().contains("not UTF-8"));
    assert!(contracts.problems[1].to_string().contains("not a file"));
}

#[test]
fn csv_options_come_from_custom_properties() {
    let properties = "customProperties: [ { vendor: meshgate, property: delimiter, value: '\\t' }, { vendor: meshgate, property: header, value: false }, { vendor: meshgate, property: nullText, value: 'NULL' }, { vendor: soda, property: delimiter, value: '|' } ]";
    let contracts =
        load_one(&VALID.replacen("format: parquet }", &format!("format: csv, {properties} }}"), 1));
    let Format::Csv(options) = &contracts.products[0].tables[0].source.format else { panic!("not CSV") };
    assert_eq!((options.delimiter, options.header, options.null_text.as_str()), (b'\t', false, "NULL"));
    let contracts = load_one(&VALID.replacen("format: parquet }", "format: csv }", 1));
    let Format::Csv(options) = &contracts.products[0].tables[0].source.format else { panic!("not CSV") };
    assert_eq!((options.delimiter, options.header, options.null_text.as_str()), (b',', true, ""));
}

#[test]
fn csv_cannot_hold_binary_and_nested_columns() {
    for property in
        ["logicalType: string, physicalType: bytea", "logicalType: array, items: { logicalType: string }"]
    {
        assert!(type_of(property).is_ok());
        let contracts = load_one(&with_column(property).replacen("format: parquet }", "format: csv }", 1));
        assert!(contracts.problems[0].to_string().contains("which CSV cannot hold"), "{property}");
    }
}

#[test]
fn the_primary_key_stands_in_its_own_order() {
    let text = VALID
        .replace("primaryKey: true,", "primaryKey: true, primaryKeyPosition: 2,")
        .replace("tags: [money]", "primaryKey: true, primaryKeyPosition: 1");
    let contracts = load_one(&text);
    assert_eq!(contracts.products[0].tables[0].table.primary_key, ["total", "order_id"]);
}

#[test]
fn measures_are_not_columns() {
    let text = format!(
        "{}      - {{ name: revenue, semanticType: measure, transformLogic: 'sum(total)' }}\n",
        VALID.split("    quality:").next().unwrap()
    );
    let contracts = load_one(&text);
    assert_eq!(contracts.products[0].tables[0].table.columns.len(), 3);
}

#[test]
fn types_come_from_logical_and_physical_type() {
    let timestamp = |unit, zone: Option<&str>| DataType::Timestamp { unit, zone: zone.map(str::to_owned) };
    for (property, expected) in [
        ("logicalType: integer, logicalTypeOptions: { format: i16 }", DataType::Int16),
        ("logicalType: integer, physicalType: Numeric(18)", DataType::Decimal { precision: 18, scale: 0 }),
        (
            "logicalType: number, logicalTypeOptions: { precision: 12, scale: 2 }",
            DataType::Decimal { precision: 12, scale: 2 },
        ),
        ("logicalType: number, logicalTypeOptions: { format: f32 }", DataType::Float32),
        (
            "logicalType: number, physicalType: 'DECIMAL( 10 , 3 )'",
            DataType::Decimal { precision: 10, scale: 3 },
        ),
        ("physicalType: int", DataType::Int32),
        ("physicalType: varchar(30)", DataType::Text),
        ("logicalType: string, physicalType: CHARACTER VARYING(30)", DataType::Text),
        ("logicalType: string, logicalTypeOptions: { format: email, maxLength: 3 }", DataType::Text),
        ("logicalType: date, physicalType: timestamp", timestamp(TimeUnit::Microsecond, None)),
        ("logicalType: timestamp", timestamp(TimeUnit::Microsecond, None)),
        ("logicalType: timestamp, physicalType: timestamp(3)", timestamp(TimeUnit::Millisecond, None)),
        (
            "logicalType: timestamp, physicalType: timestamp(9) with time zone",
            timestamp(TimeUnit::Nanosecond, Some("UTC")),
        ),
        (
            "logicalType: timestamp, logicalTypeOptions: { timezone: true }",
            timestamp(TimeUnit::Microsecond, Some("UTC")),
        ),
        (
            "logicalType: timestamp, logicalTypeOptions: { timezone: true, defaultTimezone: Europe/Berlin }",
            timestamp(TimeUnit::Microsecond, Some("Europe/Berlin")),
        ),
    ] {
        assert_eq!(type_of(&property.replace("Numeric(18)", "'Numeric(18)'")), Ok(expected), "{property}");
    }
    for (property, expected) in [
        (
            "logicalType: integer, physicalType: int8",
            "write `physicalType: tinyint` or `physicalType: bigint`",
        ),
        ("logicalType: integer, logicalTypeOptions: { format: i128 }", "no width that is supported"),
        ("logicalType: number, physicalType: decimal", "a decimal needs its precision and scale"),
        ("logicalType: number, physicalType: 'decimal(5,6)'", "there is no decimal(5,6)"),
        (
            "logicalType: date, physicalType: varchar",
            "`physicalType: varchar` does not go with `logicalType: date`",
        ),
        ("logicalType: timestamp, physicalType: timestamp(7)", "there is no timestamp(7)"),
        (
            "logicalType: timestamp, logicalTypeOptions: { timezone: true, defaultTimezone: Berlin }",
            "`Berlin` is no time zone",
        ),
        ("logicalType: map, map: {}", "`logicalType: map` is not supported"),
        ("logicalType: array", "the array has no `items`"),
        ("logicalType: object", "the object has no fields"),
    ] {
        let error = type_of(property).unwrap_err();
        assert!(error.contains(expected), "{property}: {error}");
    }
}

#[test]
fn nested_types_are_read_and_promise_per_field() {
    let field = |name: &str, data_type, nullable| Field { name: name.to_owned(), data_type, nullable };
    assert_eq!(
        type_of(
            "logicalType: array, items: { logicalType: object, required: true, properties: [ { name: a, logicalType: integer, required: true }, { name: b, logicalType: string } ] }"
        ),
        Ok(DataType::List(Box::new(field(
            "item",
            DataType::Struct(vec![field("a", DataType::Int64, false), field("b", DataType::Text, true)]),
            false
        ))))
    );
    for (fields, expected) in [
        (
            "{ name: a, logicalType: integer }, { name: a, logicalType: string }",
            "the field `a` is there twice",
        ),
        ("{ name: A, logicalType: integer }", "`A` cannot be the name of a field"),
        (
            "{ name: a, logicalType: string, classification: restricted }",
            "`classification` of a nested field has no effect",
        ),
        ("{ name: a, logicalType: string, tags: [pii] }", "`tags` of a nested field has no effect"),
        ("{ name: a, logicalType: string, physicalName: b }", "fields inside an object cannot be renamed"),
    ] {
        let error = type_of(&format!("logicalType: object, properties: [ {fields} ]")).unwrap_err();
        assert!(error.contains(expected), "{fields}: {error}");
    }
    let mut deep = "logicalType: string".to_owned();
    for _ in 0..20 {
        deep = format!("logicalType: array, items: {{ {deep} }}");
    }
    assert!(type_of(&deep).unwrap_err().contains("nested deeper"));
}

#[test]
fn the_contracts_of_the_example_have_no_problems() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/larkfield");
    for (domain, tables) in [("sales", 5), ("customers", 3), ("web", 2)] {
        let contracts = load_in(&example.join(domain).join("products"), domain, "dev", &[]);
        assert!(contracts.problems.is_empty(), "{}", contracts.problems[0]);
        let found: usize = contracts.products.iter().map(|product| product.tables.len()).sum();
        assert_eq!(found, tables, "{domain}");
        assert!(contracts.products.iter().all(|product| product.owner.contains('@')), "{domain}");
    }
}
