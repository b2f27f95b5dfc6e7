//! Fields inside columns: whatever is asked about a masked one is answered from its mask, and
//! what it was never leaves the node.

use meshgate_tests::client::Client;
use meshgate_tests::mesh::{Mesh, MeshPlan, Taps};
use serde_json::{Value, json};

const MESH: &str = "
mesh: nested
timezone: UTC
roles: { path: $.roles }
classifications: [public, internal, restricted]
tags: { pii: Identifies a person. }
pseudonyms: { person: { scope: mesh } }
restrictions:
  - { id: unclassified, why: Nobody classified it., columns: { unclassified: true },
      unless: [ { roles: [auditor] } ], mask: { text: redact, other: nullify } }
  - { id: pii, why: Personal data., columns: { tags: [pii] },
      unless: [ { roles: [auditor] } ], mask: { text: redact, other: nullify } }
";

/// `geo` is restricted, the street personal, and what classifies the remark is no word of the mesh.
const CONTRACT: &str = "
apiVersion: v3.1.0
kind: DataContract
id: people
name: people
version: 1.0.0
status: active
servers: [ { server: files, environment: test, type: local, path: '../data/people.jsonl', format: jsonl } ]
schema:
  - name: people
    properties:
      - { name: id, logicalType: integer, required: true, classification: internal }
      - name: address
        logicalType: object
        classification: internal
        properties:
          - { name: street, logicalType: string, tags: [pii] }
          - { name: zip, logicalType: string }
          - name: geo
            logicalType: object
            classification: restricted
            properties: [ { name: spot, logicalType: string }, { name: lat, logicalType: number } ]
      - name: person
        logicalType: object
        classification: internal
        properties:
          - { name: email, logicalType: string }
          - { name: born, logicalType: date }
          - { name: income, logicalType: integer }
          - { name: code, logicalType: string }
          - { name: phone, logicalType: string }
          - { name: remark, logicalType: string, classification: Secret }
      - name: lines
        logicalType: array
        classification: internal
        items:
          logicalType: object
          properties: [ { name: sku, logicalType: string }, { name: price, logicalType: integer } ]
";

const INCOME: i64 = 7_777_123_456_789;
const PRICE: i64 = 8_888_123_456_789;

fn data() -> String {
    let person = |id: u8, income: i64| {
        json!({ "email": format!("SECRET-{id}@larkfield.example"), "born": "1980-05-17", "income": income,
                "code": format!("SECRET-code-{id}"), "phone": "SECRET-phone", "remark": format!("SECRET-remark-{id}") })
    };
    let rows = [
        json!({
            "id": 1,
            "address": { "street": "SECRET-street", "zip": "10115", "geo": { "spot": "SECRET-spot", "lat": 52.5 } },
            "person": person(1, INCOME),
            "lines": [ { "sku": "SECRET-sku-1", "price": PRICE }, { "sku": null, "price": 17 }, null ],
        }),
        json!({ "id": 2, "address": null, "person": person(2, 61_000_000_000_i64), "lines": [] }),
        json!({ "id": 3, "address": { "street": null, "zip": "80331", "geo": null }, "person": null, "lines": null }),
    ];
    rows.map(|row| format!("{row}\n")).concat()
}

const POLICY: &str = "
domain: crm
owner: crm@larkfield.example
policy_readers: { roles: [steward] }
masks: { area: \"left(value, 2) || '..'\" }
grants:
  - id: analysts
    why: Counts people.
    to: { roles: [analyst] }
    tables: [people]
    columns: { classification: [internal] }
    masks:
      address.zip: first(2)
      person.email: email_domain
      person.born: year
      person.income: round(-9)
      person.code: area
      person.phone: pseudonym(person)
      lines.*: { text: redact, integer: bucket(1000000000000) }
  - { id: listers, why: Reads remarks., to: { roles: [lister] }, tables: [people], columns: [id, person],
      masks: { person.*: { text: redact, other: nullify }, person.remark: { sql: value } } }
  - { id: auditors, why: Checks everything., to: { roles: [auditor] }, tables: [people], columns: all }
";

async fn start() -> Mesh {
    let mut plan = MeshPlan::new(MESH, &["crm"])
        .file("crm/products/people.odcs.yaml", CONTRACT)
        .file("crm/data/people.jsonl", data())
        .file("crm/policies/crm.yaml", POLICY)
        .file("crm/person.key", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n");
    plan.node_lines =
        "pseudonyms:\n  person: { keys: [ { id: only, key: \"${file:person.key}\" } ] }\n".to_owned();
    plan.taps = Taps::Keep;
    plan.start().await
}

fn with_roles(roles: &[&str]) -> Value {
    json!({ "sub": "anna", "roles": roles })
}

/// The cells of the first column, in order.
async fn shown(client: &mut Client, sql: &str) -> Vec<String> {
    client.rows(sql).await.column()
}

const SECRETS: [&[u8]; 3] = [b"SECRET", &INCOME.to_le_bytes(), &PRICE.to_le_bytes()];

/// Which of the secrets left a node since the last time that this was asked.
fn leaked(mesh: &Mesh) -> Vec<usize> {
    let messages: Vec<_> =
        mesh.exchanges().into_iter().flat_map(|exchange| exchange.answer.messages).collect();
    assert!(!messages.is_empty(), "a node was asked");
    let holds = |secret: &[u8]| {
        messages.iter().any(|message| {
            let parts = [&message.data_header, &message.data_body, &message.app_metadata];
            parts.iter().any(|part| part.windows(secret.len()).any(|window| window == secret))
        })
    };
    (0..SECRETS.len()).filter(|secret| holds(SECRETS[*secret])).collect()
}

const EVERYTHING: &str = "select id, address, person, lines from crm.people order by id";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_masked_inside_a_column_never_leaves_its_node() {
    let mesh = start().await;
    let (mut masked, mut clear) =
        (mesh.client(&with_roles(&["analyst"])).await, mesh.client(&with_roles(&["auditor"])).await);
    assert_eq!(
        shown(&mut masked, "select address from crm.people order by id").await,
        ["{street: ***, zip: 10***, geo: }", "NULL", "{street: ***, zip: 80***, geo: }"]
    );
    assert_eq!(
        shown(&mut masked, "select lines from crm.people order by id").await,
        ["[{sku: ***, price: 8000000000000}, {sku: ***, price: 0}, ]", "[]", "NULL"]
    );
    for (field, expected) in [
        ("email", ["***@larkfield.example", "***@larkfield.example", "NULL"]),
        ("born", ["1980-01-01", "1980-01-01", "NULL"]),
        ("income", ["7777000000000", "61000000000", "NULL"]),
        ("code", ["SE..", "SE..", "NULL"]),
        ("remark", ["***", "***", "NULL"]),
    ] {
        let sql = format!("select person['{field}'] as field from crm.people order by id");
        assert_eq!(shown(&mut masked, &sql).await, expected, "{field}");
    }
    assert_eq!(masked.rows(EVERYTHING).await.rows.len(), 3);
    assert_eq!(leaked(&mesh), [0_usize; 0]);
    // The twin: who may see all of it gets it, and the bytes are found.
    let all = clear.rows(EVERYTHING).await;
    assert!(all.rows[0][1].as_ref().is_some_and(|text| text.contains("spot: SECRET-spot")), "{all:?}");
    assert_eq!(leaked(&mesh), [0, 1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_use_of_a_masked_field_uses_its_mask() {
    let mesh = start().await;
    let (mut masked, mut clear) =
        (mesh.client(&with_roles(&["analyst"])).await, mesh.client(&with_roles(&["auditor"])).await);
    // A guess that is right in clear, and one that is right of the mask.
    for (raw, mask) in [
        ("address['street'] = 'SECRET-street'", "address['street'] = '***'"),
        ("address['geo']['spot'] like 'SECRET%'", "address is not null and address['geo'] is null"),
        ("person['income'] = 7777123456789", "person['income'] = 7777000000000"),
        ("person['born'] > date '1980-05-01'", "person['born'] = date '1980-01-01'"),
        ("lines[1]['price'] = 8888123456789", "lines[1]['sku'] = '***'"),
        ("person['remark'] like 'SECRET%'", "person['remark'] = '***'"),
    ] {
        let count = |condition: &str| format!("select count(*) as n from crm.people where {condition}");
        assert_eq!(shown(&mut masked, &count(raw)).await, ["0"], "{raw}");
        assert_ne!(shown(&mut clear, &count(raw)).await, ["0"], "{raw}");
        assert_ne!(shown(&mut masked, &count(mask)).await, ["0"], "{mask}");
    }
    for sql in [
        "select max(person['income']) as m from crm.people",
        "select address['street'] as m from crm.people where address['street'] is not null group by 1",
    ] {
        assert_ne!(shown(&mut masked, sql).await, shown(&mut clear, sql).await, "{sql}");
    }
    // Pseudonyms are equal where the values are.
    let pairs =
        "select count(*) as n from crm.people a join crm.people b on a.person['phone'] = b.person['phone']";
    assert_eq!(shown(&mut masked, pairs).await, ["4"]);
    assert_eq!(shown(&mut clear, pairs).await, ["4"]);
    let raw = "select count(*) as n from crm.people where person['phone'] = 'SECRET-phone'";
    assert_eq!(shown(&mut masked, raw).await, ["0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_nobody_classified_follows_the_rule_for_such_columns() {
    let mesh = start().await;
    let remarks = "select person['remark'] as remark from crm.people order by id";
    let mut lister = mesh.client(&with_roles(&["lister"])).await;
    assert_eq!(shown(&mut lister, remarks).await, ["***", "***", "NULL"]);
    assert_eq!(leaked(&mesh), [0_usize; 0]);
    let mut excused = mesh.client(&with_roles(&["auditor"])).await;
    assert_eq!(shown(&mut excused, remarks).await, ["SECRET-remark-1", "SECRET-remark-2", "NULL"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mesh_says_that_the_column_is_masked_and_readers_of_rules_how() {
    let mesh = start().await;
    let mut masked = mesh.client(&with_roles(&["analyst"])).await;
    let columns = "select column_name, masked from mesh.system.columns where table_name = 'people' order by ordinal_position";
    let told = masked.rows(columns).await;
    let told: Vec<String> = told.rows.iter().map(|row| format!("{row:?}")).collect();
    assert_eq!(
        told,
        [("id", "false"), ("address", "true"), ("person", "true"), ("lines", "true")]
            .map(|(name, masked)| format!("{:?}", [Some(name), Some(masked)]))
    );
    let explain = "explain policy select address from crm.people";
    let lines = |rendered: meshgate_tests::render::Rendered| -> Vec<String> {
        let position = |name: &str| rendered.columns.iter().position(|column| column == name).unwrap();
        let wanted = ["column", "effect", "rule", "predicate"].map(position);
        let text = |row: &Vec<Option<String>>| {
            wanted.map(|position| row[position].clone().unwrap_or_default()).join(" | ")
        };
        rendered.rows.iter().map(text).filter(|line| line.starts_with("address")).collect()
    };
    assert_eq!(
        lines(masked.rows(explain).await),
        ["address | masks | analysts | ", "address | masks | pii | "]
    );
    let mut steward = mesh.client(&with_roles(&["analyst", "steward"])).await;
    assert_eq!(
        lines(steward.rows(explain).await),
        [
            "address | masks | analysts | address.zip: first(2), address.geo: nullify",
            "address | masks | pii | address.street: redact"
        ]
    );
}

/// A field in the condition of a join, and in that of a subquery about its rows.
#[tokio::test(flavor = "multi_thread")]
async fn fields_can_be_joined_and_looked_up_by() {
    let mesh = start().await;
    let mut client = mesh.client(&with_roles(&["auditor"])).await;
    let sql = "select i.id, count(*) as n from crm.people as i join crm.people as p \
               on i.person['code'] = p.person['code'] \
               where (select count(*) from crm.people as o where o.id = p.person['income']) = 0 \
               and p.address is null group by i.id";
    assert_eq!(client.rows(sql).await.rows, [[Some("2".to_owned()), Some("1".to_owned())]]);
    mesh.stop().await;
}
