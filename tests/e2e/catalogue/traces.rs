//! What is left behind by a question: time, headers, logs, audit records.

use std::sync::Arc;
use std::time::{Duration, Instant};

use meshgate_tests::client::{Client, ticket};
use meshgate_tests::fixture::{Format, MARKER};
use meshgate_tests::mesh::http_get;
use meshgate_tests::{eventually_async, fixture, logs};
use serde_json::Value;

use super::case::{Case, Source};
use super::{Alice, Auditor, Bob, Otto, run};

const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn a055_refused_and_missing_take_the_same_time() {
    /// Far above what is there and what a busy machine adds; a lookup that only one of them makes shows.
    const MOST: f64 = 1.5;
    run(async |case| {
        let source = &Arc::clone(&case.sources)[0];
        for (who, question, hidden, missing) in [
            (Otto, "select 1 from {}", "fin.ledger", "fin.nothing"),
            (Otto, "select * from {}", "sales.orders", "nowhere.orders"),
            (Alice, "select {} from sales.orders", "note", "nope"),
        ] {
            let mut client = source.client(who);
            let ratio = ratio(&mut client, question, hidden, missing).await;
            println!("{who:?}: {question}: refused takes {ratio:.3} times as long as missing (medians)");
            case.check((1.0 / MOST..MOST).contains(&ratio), &format!("{question}: {ratio}"));
        }
    });
}

/// Median of the times of one question, divided by that of the other; asked in turns.
async fn ratio(client: &mut Client, question: &str, hidden: &str, missing: &str) -> f64 {
    const PAIRS: usize = 300;
    let words = [question.replace("{}", hidden), question.replace("{}", missing)];
    let mut times = [Vec::new(), Vec::new()];
    for pair in 0..PAIRS {
        for turn in [pair % 2, (pair + 1) % 2] {
            let started = Instant::now();
            client.plan(&words[turn]).await.unwrap_err();
            times[turn].push(started.elapsed());
        }
    }
    let [hidden, missing] = times.map(|mut times| {
        times.sort();
        times[PAIRS / 2].as_secs_f64()
    });
    hidden / missing
}

#[test]
fn a056_headers_trailers_and_pages_tell_no_figures() {
    const HEADERS: [&str; 6] =
        ["content-type", "date", "grpc-status", "meshgate-notice", "set-cookie", "x-query-id"];
    run(async |case| {
        let sources = Arc::clone(&case.sources);
        for source in sources.iter() {
            for who in [Alice, Bob, Auditor] {
                let mut client = source.client(who);
                for sql in ["select * from sales.orders", "select count(*) from sales.parcels"] {
                    let planned =
                        client.flight().get_flight_info(meshgate_tests::client::statement(sql)).await;
                    let planned = planned.unwrap();
                    only(case, planned.metadata(), &HEADERS);
                    let response = client.flight().do_get(ticket(planned.get_ref())).await.unwrap();
                    only(case, response.metadata(), &HEADERS);
                    let mut stream = response.into_inner();
                    while let Some(message) = stream.message().await.unwrap() {
                        case.check(message.app_metadata.is_empty(), "app_metadata of a message");
                    }
                    let trailers = stream.trailers().await.unwrap().unwrap_or_default();
                    only(case, &trailers, &HEADERS);
                }
            }
            let address = source.mesh.gateway_http;
            for page in ["/livez", "/readyz", "/metrics", "/", "/queries", "/debug", "/audit"] {
                let (status, body) = http_get(address, page).await;
                let known = ["/livez", "/readyz"].contains(&page);
                case.equal(status, if known { 200 } else { 404 }, page);
                for word in ["orders", "people", "alice", "acme", "EU", "leaks"] {
                    case.check(!body.contains(word), &format!("{page}: {word}: {body}"));
                }
            }
        }
    });
}

fn only(case: &mut Case, found: &tonic::metadata::MetadataMap, allowed: &[&str]) {
    for key in found.keys() {
        let name = match key {
            tonic::metadata::KeyRef::Ascii(key) => key.as_str().to_owned(),
            tonic::metadata::KeyRef::Binary(key) => key.as_str().to_owned(),
        };
        case.check(allowed.contains(&name.as_str()), &format!("header {name}"));
    }
}

/// Errors of the engine quote what they fail on.
const FAIL_ON_MARKED_CELLS: [&str; 7] = [
    "select cast(code as int) from sales.parcels",
    "select cast(stamp as timestamp) from sales.parcels",
    "select regexp_replace(region, pattern, 'x') from sales.parcels",
    "select regexp_like(region, pattern) from sales.parcels",
    "select decode(code, 'hex') from sales.parcels",
    "select cast(code as interval) from sales.parcels",
    "select to_date(stamp) from sales.parcels",
];

#[test]
fn a057_logs_hold_no_token_no_cell_and_no_literal() {
    run(async |case| {
        let mut plan = fixture::leaks_in(Format::Csv);
        // A cell that is no number, in a row that alice would see.
        let data = plan.files.iter_mut().find(|(path, _)| path == "sales/data/orders.csv").unwrap();
        data.1.extend_from_slice(b"8,14,EU,CELL-A057,c,n\n");
        let mesh = plan.start().await;
        let token = mesh.forge.token(&fixture::alice());
        let mut alice = mesh.client_with(&token).await;
        let (mut answered, mut failed) = (0, 0);
        for sql in [
            "select id, region, 'LITERAL-A057' from sales.parcels where code <> 'LITERAL-A057'",
            "select cast(code as int) / 0, 'LITERAL-A057' from sales.parcels",
            "select cast('LITERAL-A057' as int) from sales.parcels",
            "select amount from sales.orders where region = 'LITERAL-A057'",
            "select amount from sales.orders",
            "select 'LITERAL-A057' from fin.ledger",
            "select nothing from sales.orders where card = 'LITERAL-A057'",
            "selec 'LITERAL-A057'",
            "copy (select 'LITERAL-A057') to 'LITERAL-A057'",
            "select card, note from sales.orders where card like '%LITERAL-A057%'",
        ] {
            match alice.query(sql).await {
                Ok(_) => answered += 1,
                Err(_) => failed += 1,
            }
            let _ = alice.prepare(sql).await;
        }
        let ended = token.rsplit('.').next().unwrap();
        let mut bad = mesh.client_with(&format!("{token}x")).await;
        let _ = bad.plan("select 'LITERAL-A057'").await.unwrap_err();
        case.check(answered > 0 && failed > 4, "some were answered, some failed");
        // Who sees the cell sees the failure; the log still does not hold it.
        let mut auditor = mesh.client(&fixture::auditor()).await;
        for sql in FAIL_ON_MARKED_CELLS {
            auditor.refused(sql).await;
        }
        let logs = logs::captured();
        case.check(
            logs.contains("reading a table failed") || logs.contains("query failed"),
            "something is logged",
        );
        for word in ["LITERAL-A057", ended, &token, "CELL-A057", MARKER] {
            let line = logs.lines().find(|line| line.contains(word));
            case.check(line.is_none(), &format!("{line:?}"));
        }
        mesh.stop().await;
    });
}

#[test]
fn a058_every_refusal_is_in_the_audit() {
    run(async |case| {
        let sources = Arc::clone(&case.sources);
        for source in sources.iter() {
            for (who, sql, class) in [
                (Otto, "select * from sales.orders", "unknown_table"),
                (Alice, "select * from fin.ledger", "unknown_table"),
                (Alice, "select note from sales.orders", "unknown_column"),
                (Bob, "select card from sales.orders where amount > 1", "unknown_column"),
                (Alice, "drop table sales.orders", "statement"),
                (Alice, "select repeat('x', 9) from sales.orders", "unknown_function"),
            ] {
                let mut client = source.client(who);
                let status = client.plan(sql).await.unwrap_err();
                let id = status.metadata().get("x-query-id").unwrap().to_str().unwrap().to_owned();
                let record = record(source, &id).await;
                case.equal(&record["outcome"], &Value::from("refused"), sql);
                case.equal(&record["error"], &Value::from(class), sql);
                case.equal(&record["statement"], &Value::from(sql), sql);
                let subject = who.claims()["sub"].clone();
                case.equal(&record["principal"]["subject"], &subject, sql);
                case.check(record["time"].is_string() && record["rows"] == 0, sql);
                if sql.contains("sales.orders") && who != Otto && class == "unknown_column" {
                    case.equal(&record["tables"], &serde_json::json!(["sales.orders"]), sql);
                    case.check(record["rules"].as_array().is_some_and(|rules| !rules.is_empty()), sql);
                    case.equal(&record["policy_versions"][0]["domain"], &Value::from("sales"), sql);
                }
                // The caller learns nothing of it.
                let told = format!("{status:?}");
                let owner = record["policy_versions"][0]["owner"].as_str().unwrap_or("no version");
                case.check(!told.contains(owner) && !told.contains("eu-parcels"), &told);
            }
            // A bad token is a refusal as well.
            let mut nobody = source.mesh.client_with("garbage").await;
            let status = nobody.plan("select 1").await.unwrap_err();
            case.equal(status.code(), tonic::Code::Unauthenticated, "garbage");
            no_cells(case, source);
        }
    });
}

/// The record of a query, once it is written.
async fn record(source: &Source, id: &str) -> Value {
    let file = source.mesh.path("audit.jsonl");
    eventually_async("the record", LIMIT, async || {
        let text = std::fs::read_to_string(&file).unwrap();
        let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        records.into_iter().find(|record| record["query_id"] == id)
    })
    .await
}

/// Audit records of gateway and nodes hold statements, and no cells.
fn no_cells(case: &mut Case, source: &Source) {
    for file in ["audit.jsonl", "sales/audit.jsonl", "hr/audit.jsonl"] {
        let text = std::fs::read_to_string(source.mesh.path(file)).unwrap_or_default();
        for line in text.lines() {
            let mut record: Value = serde_json::from_str(line).unwrap();
            record["statement"] = Value::Null;
            case.check(!record.to_string().contains(MARKER), line);
        }
    }
}

#[test]
fn a116_a_subquery_over_another_domain_is_a_query_of_its_own() {
    const QUESTIONS: [&str; 3] = [
        "select id from sales.orders where customer_id = (select max(id) from hr.people)",
        "select id from sales.orders where customer_id in (select id from hr.people where name <> 'Ben')",
        "select id, (select min(name) from hr.people) from sales.orders where amount > 100",
    ];
    run(async |case| {
        let sources = Arc::clone(&case.sources);
        case.rows(&[Alice, Auditor], &QUESTIONS).await;
        for source in sources.iter() {
            for sql in QUESTIONS {
                let mut alice = source.client(Alice);
                let info = alice.plan(sql).await.unwrap();
                let notice: Value = serde_json::from_slice(&info.app_metadata).unwrap();
                let id = notice["query_id"].as_str().unwrap().to_owned();
                alice.batches(&info).await.unwrap();
                for (domain, table) in [("sales", "sales.orders"), ("hr", "hr.people")] {
                    let text =
                        std::fs::read_to_string(source.mesh.path(&format!("{domain}/audit.jsonl"))).unwrap();
                    let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
                    let tables: Vec<Value> = records
                        .filter(|record| record["query_id"] == id.as_str())
                        .map(|record| record["tables"].clone())
                        .collect();
                    case.check(!tables.is_empty(), domain);
                    let own = tables.iter().all(|tables| *tables == serde_json::json!([table]));
                    case.check(own, &format!("{domain}: {tables:?}"));
                }
            }
        }
    });
}
