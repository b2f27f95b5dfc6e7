//! What one domain answers whole is the same whether it is relayed or not, and whether its node compresses it or not.

use std::io::Write as _;

use arrow::datatypes::{DataType, Schema};
use meshgate_tests::client::{Client, columns};
use meshgate_tests::fixture;
use meshgate_tests::mesh::{Mesh, MeshPlan, Taps};
use meshgate_tests::render::Rendered;
use meshgate_tests::tap::Exchange;
use serde_json::{Value, json};

/// Enough for several messages.
const ROWS: usize = 20_000;

const CONTRACT: &str = "
apiVersion: v3.1.0
kind: DataContract
id: all
name: all
version: 1.0.0
status: active
servers: [ { server: files, environment: test, type: local, path: '../data/rows.jsonl', format: jsonl } ]
schema:
  - name: rows
    properties:
      - { name: id, logicalType: integer, required: true, classification: internal }
      - { name: tiny, logicalType: integer, physicalType: tinyint, classification: internal }
      - { name: small, logicalType: integer, physicalType: smallint, classification: internal }
      - { name: plain, logicalType: integer, physicalType: int, classification: internal }
      - { name: positive, logicalType: integer, physicalType: uint16, classification: internal }
      - { name: price, logicalType: number, physicalType: 'decimal(12,2)', classification: internal }
      - { name: real, logicalType: number, physicalType: real, classification: internal }
      - { name: weight, logicalType: number, classification: internal }
      - { name: is_open, logicalType: boolean, classification: internal }
      - { name: day, logicalType: date, classification: internal }
      - { name: noted, logicalType: timestamp, classification: internal }
      - { name: noted_s, logicalType: timestamp, physicalType: timestamp_s, classification: internal }
      - { name: text, logicalType: string, classification: internal }
      - { name: tags, logicalType: array, classification: internal, items: { logicalType: string } }
      - name: place
        logicalType: object
        classification: internal
        properties: [ { name: town, logicalType: string }, { name: lat, logicalType: number } ]
      - name: lines
        logicalType: array
        classification: internal
        items:
          logicalType: object
          properties: [ { name: sku, logicalType: string, required: true }, { name: count, logicalType: integer } ]
";

const POLICY: &str = "
domain: all
owner: all@larkfield.example
grants:
  - { id: all, why: A test., to: { subjects: [alice] }, tables: [rows], columns: all }
  - id: some
    why: A test.
    to: { subjects: [bob] }
    tables: [rows]
    columns: [id, price, text, place, lines]
    rows: id % 3 = 0
    masks: { text: first(1), place.town: redact, lines.count: nullify }
";

const STATEMENTS: [&str; 8] = [
    "select * from all.rows",
    "select id, tiny, small, plain, price, real, weight from all.rows",
    "select is_open, day, noted, noted_s, text from all.rows",
    "select tags, place, lines from all.rows",
    "select positive from all.rows",
    "select id, text from all.rows where id < 0",
    "select count(*), max(text) from all.rows",
    "select day, count(*), sum(price) from all.rows group by day order by day",
];
/// What Bob may ask.
const OF_BOB: [&str; 2] = ["select * from all.rows", "select text, place, lines from all.rows"];

fn rows() -> Vec<u8> {
    let mut lines = Vec::new();
    for id in 0..ROWS {
        let row = if id % 7 == 6 {
            json!({ "id": id })
        } else {
            json!({
                "id": id, "tiny": id % 100, "small": id, "plain": id * 1000, "positive": id,
                "price": format!("{}.25", id), "real": 0.5, "weight": 1.25, "is_open": id % 2 == 0,
                "day": format!("2026-01-{:02}", id % 28 + 1), "noted": "2026-02-03T04:05:06.789",
                "noted_s": "2026-02-03T04:05:06", "text": format!("Straße {id} {}", "x".repeat(id % 50)),
                "tags": if id % 5 == 0 { json!([]) } else { json!(["a", null, "é"]) },
                "place": if id % 4 == 0 { Value::Null } else { json!({ "town": "Köln", "lat": null }) },
                "lines": [ { "sku": "s", "count": id }, { "sku": "t", "count": null } ],
            })
        };
        writeln!(lines, "{row}").unwrap();
    }
    lines
}

/// All of a result, and what the gateway's audit counts of it.
struct Asked {
    /// As it is promised, and as each batch has it.
    schema: Schema,
    /// They come in any order.
    rows: Rendered,
    counts: (u64, u64),
}

async fn asked(mesh: &Mesh, client: &mut Client, sql: &str) -> Asked {
    let info = client.plan(sql).await.unwrap();
    let batches = client.batches(&info).await.unwrap_or_else(|status| panic!("{sql}: {status:?}"));
    let rows = Rendered::of(columns(&info), &batches).sorted();
    let schema = info.try_decode_schema().unwrap();
    assert!(batches.iter().all(|batch| batch.schema().as_ref() == &schema), "{sql}");
    let text = std::fs::read_to_string(mesh.path("audit.jsonl")).unwrap();
    let record: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!((&record["statement"], &record["outcome"]), (&json!(sql), &json!("ok")));
    let counts = (record["rows"].as_u64().unwrap(), record["bytes"].as_u64().unwrap());
    Asked { schema, rows, counts }
}

async fn answers(mesh: &Mesh) -> Vec<Asked> {
    let mut answers = Vec::new();
    for (claims, statements) in [(fixture::alice(), &STATEMENTS[..]), (fixture::bob(), &OF_BOB)] {
        let mut client = mesh.client(&claims).await;
        for sql in statements {
            answers.push(asked(mesh, &mut client, sql).await);
        }
    }
    answers
}

/// Starts the gateway again, with this line at the end of the domain's file.
async fn restart_with(mesh: &mut Mesh, line: &str) {
    let file = mesh.path("domains/all.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("relay: never\n", "") + line).unwrap();
    mesh.restart_gateway().await;
    mesh.wait_ready().await;
}

/// The type in which prices left the node for the first statement that can be relayed.
fn price_of(exchanges: &[Exchange]) -> Option<DataType> {
    let schema = Schema::try_from(&exchanges[1].answer.messages[0]).unwrap();
    schema.field_with_name("price").ok().map(|field| field.data_type().clone())
}

fn assert_same(some: &[Asked], others: &[Asked]) {
    for (number, (one, other)) in some.iter().zip(others).enumerate() {
        assert_eq!(one.counts, other.counts, "{number}");
        assert_eq!(one.schema, other.schema, "{number}");
        assert!(one.rows == other.rows, "{number}: other rows");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_the_same_relayed_decoded_and_compressed_in_every_type() {
    let mut plan = MeshPlan::new(fixture::MESH, &["all"])
        .file("all/products/all.odcs.yaml", CONTRACT)
        .file("all/data/rows.jsonl", rows())
        .file("all/policies/all.yaml", POLICY);
    plan.taps = Taps::Keep;
    let mut mesh = plan.start().await;
    let relayed = answers(&mesh).await;
    assert_eq!(relayed[0].rows.rows.len(), ROWS);
    let plain = mesh.exchanges();
    assert!(plain.iter().all(|exchange| exchange.answer.is_compressed() != Some(true)));

    assert_eq!(price_of(&plain), Some(DataType::Decimal128(12, 2)));

    restart_with(&mut mesh, "relay: never\n").await;
    assert_same(&relayed, &answers(&mesh).await);
    assert_eq!(price_of(&mesh.exchanges()), Some(DataType::Decimal64(12, 2)));

    restart_with(&mut mesh, "compression: zstd\n").await;
    assert_same(&relayed, &answers(&mesh).await);
    let compressed = mesh.exchanges();
    assert_eq!(compressed[0].answer.is_compressed(), Some(true));
    let bytes = |exchanges: &[Exchange]| -> usize {
        exchanges
            .iter()
            .flat_map(|exchange| &exchange.answer.messages)
            .map(|message| message.data_body.len())
            .sum()
    };
    assert!(bytes(&compressed) * 4 < bytes(&plain), "{} of {} bytes", bytes(&compressed), bytes(&plain));
}
