//! A small mesh: `sales` with orders and lines, `hr` with people.

use std::sync::{Arc, LazyLock};

use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, StringArray},
    datatypes::Schema,
};
use meshgate_engine::{
    data_type,
    operator::{self, OperatorDocument, OperatorKeys, OperatorSigner},
};
use meshgate_policies::{Column, DataType, Table};
use meshgate_proto::v1;

pub(crate) const MESH: &str = r#"
mesh: larkfield
timezone: Europe/Berlin
roles: { path: $.realm_access.roles }
claims:
  regions: { path: $.regions, type: list<string> }
purposes:
  fraud: { title: Investigation of fraud. }
  tax: { title: Tax audit. }
"#;

/// The tokens' default caller has the role `analyst` and the region DE.
pub(crate) const SALES_POLICY: &str = r#"
domain: sales
owner: sales@larkfield.example
policy_readers: { roles: [owner] }
grants:
  - id: analysts-own-regions
    why: Analysts work on their regions.
    to: { roles: [analyst] }
    tables: [orders]
    columns: [order_id, region, total, card]
    rows: "claim_has('regions', region)"
    masks: { card: last(4) }
  - id: auditors
    why: Auditors see everything.
    to: { roles: [auditor] }
    tables: [orders, order_lines]
    columns: all
  - id: owners
    to: { roles: [owner] }
    tables: [orders]
    columns: [order_id, region]
    rows: total > 100
  - id: investigators
    why: Margins are for investigations.
    to: { roles: [investigator] }
    purpose: fraud
    tables: [orders]
    columns: all
  - id: investigators-look
    why: Where to look.
    to: { roles: [investigator] }
    tables: [orders]
    columns: [order_id, region]
"#;

pub(crate) const HR_POLICY: &str = r#"
domain: hr
owner: hr@larkfield.example
grants:
  - id: auditors
    why: Auditors see everything.
    to: { roles: [auditor] }
    tables: [people]
    columns: all
  - id: investigators
    why: Who it was.
    to: { roles: [investigator] }
    purpose: fraud
    tables: [people]
    columns: all
"#;

/// The operator of the tests.
pub(crate) static OPERATOR: LazyLock<OperatorSigner> = LazyLock::new(|| {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    OperatorSigner::from_pem(&key.serialize_pem()).unwrap()
});

pub(crate) fn operator_keys() -> OperatorKeys {
    OperatorKeys::new([OPERATOR.public_key()])
}

/// `text` with a higher version and the operator's signature.
pub(crate) fn signed(text: &str) -> String {
    operator::sign("mesh.yaml", text, &OPERATOR, None).unwrap()
}

pub(crate) fn document() -> OperatorDocument {
    OperatorDocument::open("mesh.yaml", &signed(MESH), &operator_keys()).unwrap().0
}

pub(crate) fn column(name: &str, data_type: DataType, required: bool) -> Column {
    Column {
        name: name.to_owned(),
        data_type,
        required,
        classification: Some("internal".to_owned()),
        tags: if name == "card" || name == "margin" { vec![format!("{name}-tag")] } else { Vec::new() },
        nested: Vec::new(),
    }
}

pub(crate) fn tables(domain: &str) -> Vec<Table> {
    let table = |name: &str, columns: Vec<Column>, key: &str| Table {
        domain: domain.to_owned(),
        product: format!("{name}-product"),
        name: name.to_owned(),
        columns,
        primary_key: vec![key.to_owned()],
    };
    match domain {
        "sales" => vec![
            table(
                "orders",
                vec![
                    column("order_id", DataType::Int64, true),
                    column("region", DataType::Text, true),
                    column("total", DataType::Int64, false),
                    column("card", DataType::Text, false),
                    column("margin", DataType::Int64, false),
                ],
                "order_id",
            ),
            table(
                "order_lines",
                vec![column("order_id", DataType::Int64, true), column("sku", DataType::Text, false)],
                "order_id",
            ),
        ],
        _ => vec![table(
            "people",
            vec![column("id", DataType::Int64, true), column("salary", DataType::Int64, false)],
            "id",
        )],
    }
}

/// What the node of a domain serves, whoever asks: the tests of the gateway
/// are about what the gateway asks.
pub(crate) fn rows(table: &Table) -> RecordBatch {
    let columns: Vec<ArrayRef> = table
        .columns
        .iter()
        .map(|column| match column.name.as_str() {
            "region" => Arc::new(StringArray::from(vec!["DE", "DE", "DE", "DE"])) as ArrayRef,
            "card" => {
                Arc::new(StringArray::from(vec![Some("***1111"), None, Some("***0004"), Some("***9999")]))
            }
            "sku" => Arc::new(StringArray::from(vec!["a", "b", "c", "d"])),
            "total" => Arc::new(Int64Array::from(vec![Some(120), Some(80), None, Some(999)])),
            _ => Arc::new(Int64Array::from(vec![1, 2, 3, 4])),
        })
        .collect();
    let fields: Vec<_> = table
        .columns
        .iter()
        .map(|column| data_type::field(&column.name, &column.data_type, !column.required))
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("the rows fit")
}

pub(crate) fn descriptor(domain: &str, policy: &str) -> v1::Descriptor {
    descriptor_of(domain, policy, &tables(domain))
}

pub(crate) fn descriptor_of(domain: &str, policy: &str, tables: &[Table]) -> v1::Descriptor {
    v1::Descriptor {
        domain: domain.to_owned(),
        node: format!("{domain}-1"),
        policy_language: meshgate_policies::POLICY_LANGUAGE,
        owner_policies: Some(v1::PolicyDocuments {
            documents: vec![v1::PolicyDocument { name: format!("{domain}.yaml"), text: policy.to_owned() }],
            unreadable: false,
        }),
        products: tables.iter().map(product).collect(),
        revision: 1,
        ..v1::Descriptor::default()
    }
}

fn product(table: &Table) -> v1::Product {
    let columns = table.columns.iter().map(|column| v1::Column {
        name: column.name.clone(),
        data_type: column.data_type.to_string(),
        required: column.required,
        description: format!("What {} is.", column.name),
        classification: column.classification.clone(),
        tags: column.tags.clone(),
        nested: Vec::new(),
    });
    v1::Product {
        id: table.product.clone(),
        name: table.product.clone(),
        version: "1.0.0".to_owned(),
        status: "active".to_owned(),
        owner: "owner@larkfield.example".to_owned(),
        description: format!("All {}.", table.name),
        tags: vec![format!("all-{}", table.name), "gold".to_owned()],
        tables: vec![v1::Table {
            name: table.name.clone(),
            description: format!("About {}.", table.name),
            columns: columns.collect(),
            primary_key: table.primary_key.clone(),
            contract_version: table.version().as_bytes().to_vec(),
            ..v1::Table::default()
        }],
    }
}
