//! Folders of contracts: what they give, and each error with file and line.

mod errors;
mod types;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use meshgate_policies::DataType;
use tempfile::TempDir;

use super::*;
use crate::source::{BucketLocation, Format, Location};

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
    assert_eq!(source.location, Location::Disk(dir.path().join("data/orders")));
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
fn a_plain_yaml_file_that_says_it_is_a_contract_is_one() {
    let (contracts, _dir) = load(&[("orders.yaml", VALID)]);
    assert_eq!(contracts.products.len(), 1);
    let (contracts, _dir) = load(&[("orders.yaml", &format!("{VALID}\n  bad: ["))]);
    assert_eq!(contracts.problems.len(), 1);
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
fn a_contract_may_have_several_tables() {
    let second = "  - { name: lines, physicalName: order_lines, properties: [ { name: sku, logicalType: string } ] }\n";
    let contracts = load_one(&format!("{VALID}{second}"));
    let tables = &contracts.products[0].tables;
    assert!(matches!(&tables[1].source.location, Location::Disk(path) if path.ends_with("data/order_lines")));

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
fn a_place_in_a_bucket_is_read_with_its_server_and_without_credentials() {
    let s3 = "type: s3, location: 's3://lake/${FOLDER}/{model}/', endpointUrl: 'https://s3.example:9000'";
    let text =
        VALID.replace("type: local, path: 'data/{model}'", s3).replace("format: parquet", "format: arrow");
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("o.odcs.yaml"), text).unwrap();
    let contracts = load_in(dir.path(), "sales", "dev", &[("FOLDER", "curated")]);
    assert!(contracts.problems.is_empty(), "{}", contracts.problems[0]);
    let source = &contracts.products[0].tables[0].source;
    let expected = BucketLocation {
        server: "lake".to_owned(),
        endpoint: Some("https://s3.example:9000".to_owned()),
        bucket: "lake".to_owned(),
        key: "curated/orders/".to_owned(),
    };
    assert_eq!(source.location, Location::Bucket(expected));
    assert_eq!(source.format, Format::Arrow);
}

#[test]
fn only_variables_that_were_handed_in_are_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let text = VALID.replace("path: 'data/{model}'", "path: '${LAKE}/{model}${SUFFIX:-.parquet}'");
    fs::write(dir.path().join("o.odcs.yaml"), text).unwrap();
    let contracts = load_in(dir.path(), "sales", "dev", &[("LAKE", "/lake")]);
    let location = &contracts.products[0].tables[0].source.location;
    assert_eq!(*location, Location::Disk("/lake/orders.parquet".into()));
    // HOME is in every environment, but it was not handed in.
    fs::write(dir.path().join("o.odcs.yaml"), VALID.replace("data/{model}", "${HOME}/x")).unwrap();
    assert!(load_in(dir.path(), "sales", "dev", &[]).products.is_empty());
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
fn the_primary_key_stands_in_its_own_order() {
    let text = VALID
        .replace("primaryKey: true,", "primaryKey: true, primaryKeyPosition: 2,")
        .replace("tags: [money]", "primaryKey: true, primaryKeyPosition: 1");
    let contracts = load_one(&text);
    assert_eq!(contracts.products[0].tables[0].table.primary_key, ["total", "order_id"]);
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
