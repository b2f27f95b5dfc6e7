//! Who asked for what is written down on both sides, cannot be changed
//! unnoticed, and is shown to whom it concerns.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use meshgate_tests::client::Client;
use meshgate_tests::mesh::Mesh;
use meshgate_tests::{eventually_async, fixture, process};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(10);

/// The one record of a query in the log of the gateway, or of a domain's node.
async fn record(mesh: &Mesh, log: &str, id: &str) -> Value {
    let file = mesh.path(log);
    let records = eventually_async("the record", LIMIT, async || {
        let text = std::fs::read_to_string(&file).unwrap();
        let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let records: Vec<Value> = records.filter(|record| record["query_id"] == id).collect();
        (!records.is_empty()).then_some(records)
    })
    .await;
    assert_eq!(records.len(), 1, "{log}");
    records[0].clone()
}

/// Runs a statement and gives its query id.
async fn asked(client: &mut Client, sql: &str) -> String {
    let info = client.plan(sql).await.unwrap();
    client.batches(&info).await.unwrap();
    let notice: Value = serde_json::from_slice(&info.app_metadata).unwrap();
    notice["query_id"].as_str().unwrap().to_owned()
}

/// A refused statement's query id.
async fn refused(client: &mut Client, sql: &str) -> String {
    let status = client.plan(sql).await.unwrap_err();
    status.metadata().get("x-query-id").unwrap().to_str().unwrap().to_owned()
}

/// Values of a column.
async fn column(client: &mut Client, sql: &str) -> BTreeSet<String> {
    let rows = client.rows(sql).await.rows;
    rows.into_iter().map(|mut row| row.remove(0).unwrap_or_else(|| "NULL".to_owned())).collect()
}

fn verify(log: &Path) -> (Option<i32>, String) {
    let output = process::run(&["audit", "verify", log.to_str().unwrap()]);
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

async fn mesh() -> Mesh {
    let mut plan = fixture::leaks();
    plan.gateway_audit = ", reader_roles: [auditor]".to_owned();
    // Alice does not see what decides about her rows.
    for (_, content) in plan.files.iter_mut().filter(|(path, _)| path == "hr/policies/hr.yaml") {
        let text = String::from_utf8(content.clone()).unwrap();
        *content = text.replace("[id, name, ssn, tenant]", "[id, name, ssn]").into_bytes();
    }
    plan.start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_record_what_was_read_masked_and_denied_and_verify_finds_a_change() {
    let mesh = mesh().await;
    let mut alice = mesh.client(&fixture::alice()).await;
    let id = asked(&mut alice, "select id, card from sales.orders").await;
    let gateway = record(&mesh, "audit.jsonl", &id).await;
    let node = record(&mesh, "sales/audit.jsonl", &id).await;
    for side in [&gateway, &node] {
        assert_eq!(side["principal"]["subject"], "alice");
        assert_eq!(side["tables"], json!(["sales.orders"]));
        assert_eq!(side["masked"], json!(["sales.orders.card"]));
        assert_eq!(side["rules"], json!(["sales.orders: eu"]));
        assert_eq!((&side["rows"], &side["outcome"]), (&json!(3), &json!("ok")));
        assert!(side["bytes"].as_u64().unwrap() > 0 && side["duration_ms"].is_u64());
    }
    assert_eq!(gateway["policy_versions"], node["policy_versions"]);
    assert_eq!(node["columns"], json!(["sales.orders.card", "sales.orders.id"]));
    // A column that only a condition reads, which the node applies while it reads.
    let id = asked(&mut alice, "select id from sales.orders where amount > 0").await;
    let columns = record(&mesh, "sales/audit.jsonl", &id).await["columns"].clone();
    assert_eq!(columns, json!(["sales.orders.amount", "sales.orders.id"]));
    // What rules look at, and the caller does not see.
    let id = asked(&mut alice, "select count(*) from hr.people").await;
    assert_eq!(record(&mesh, "hr/audit.jsonl", &id).await["hidden"], json!(["hr.people.tenant"]));

    // Denied: what is there and does not exist for the caller; nothing for what is not there.
    let otto = mesh.client(&fixture::otto()).await;
    for (client, sql, denied) in [
        (&otto, "select * from sales.orders", json!(["sales.orders"])),
        (&otto, "select * from sales.nothing", Value::Null),
        (&alice, "select note from sales.orders", json!(["sales.orders.note"])),
        (&alice, "select nothing from sales.orders", Value::Null),
    ] {
        let id = refused(&mut client.clone(), sql).await;
        let record = record(&mesh, "audit.jsonl", &id).await;
        assert_eq!((&record["denied"], &record["outcome"]), (&denied, &json!("refused")), "{sql}");
    }

    // A log can be verified while it is written.
    let logs = [mesh.path("audit.jsonl"), mesh.path("sales/audit.jsonl")];
    for log in &logs {
        let (code, told) = verify(log);
        assert_eq!(code, Some(0), "{told}");
        assert!(told.contains("whole; from 1 to "), "{told}");
        let text = std::fs::read_to_string(log).unwrap();
        std::fs::write(log, text.replacen("\"alice\"", "\"malice\"", 1)).unwrap();
        let (code, told) = verify(log);
        assert!(code == Some(1) && told.contains("is not what it was"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_their_own_records_and_whom_the_operator_names_sees_all() {
    let mesh = mesh().await;
    let mut alice = mesh.client(&fixture::alice()).await;
    let mut bob = mesh.client(&fixture::bob()).await;
    let mut auditor = mesh.client(&fixture::auditor()).await;
    asked(&mut alice, "select card from sales.orders").await;
    asked(&mut bob, "select id from sales.orders").await;
    refused(&mut alice, "select note from sales.orders").await;

    for (client, subject) in [(&mut alice, "alice"), (&mut bob, "bob")] {
        let seen = column(client, "select subject from mesh.system.audit").await;
        assert_eq!(seen, BTreeSet::from([subject.to_owned()]));
        // Nothing of what does not exist for them, nor of the rules that say so.
        let told =
            "select array_to_string(denied, ' ') || array_to_string(rules, ' ') from mesh.system.audit";
        assert_eq!(column(client, told).await, BTreeSet::from([String::new()]));
    }
    let own = alice
        .rows("select statement, array_to_string(masked, ' '), rows, outcome, error from mesh.system.audit where outcome <> 'refused' order by time")
        .await;
    let text = |text: &str| Some(text.to_owned());
    let first =
        [text("select card from sales.orders"), text("sales.orders.card"), text("3"), text("ok"), None];
    assert_eq!(own.rows[0], first);
    let seen = column(&mut auditor, "select distinct subject from mesh.system.audit").await;
    assert_eq!(seen, ["alice", "bob"].map(str::to_owned).into());
    let denied = "select array_to_string(denied, ' ') from mesh.system.audit where outcome = 'refused'";
    assert_eq!(column(&mut auditor, denied).await, BTreeSet::from(["sales.orders.note".to_owned()]));
    let mut otto = mesh.client(&fixture::otto()).await;
    let none = otto.rows("select count(*) from mesh.system.audit where subject <> 'otto'").await;
    assert_eq!(none.rows, [[text("0")]]);

    // What is hidden and what is missing leave the same behind.
    for sql in ["select 1 from fin.ledger", "select 1 from fin.nothing"] {
        refused(&mut otto, sql).await;
    }
    let left = otto
        .rows(
            "select distinct array_to_string(tables, ' '), array_to_string(masked, ' '), policy_versions, rows, bytes, \
             outcome, error, array_to_string(denied, ' '), array_to_string(rules, ' ') \
             from mesh.system.audit where outcome = 'refused'",
        )
        .await;
    let none = || text("");
    let nothing = [
        none(),
        none(),
        none(),
        text("0"),
        text("0"),
        text("refused"),
        text("unknown_table"),
        none(),
        none(),
    ];
    assert_eq!(left.rows, [nothing]);
    let versions =
        "select policy_versions from mesh.system.audit where statement = 'select 1 from fin.ledger'";
    let told = column(&mut auditor, versions).await;
    assert!(told.iter().all(|versions| versions.starts_with("fin owner ")), "{told:?}");
    let versions = "select policy_versions from mesh.system.audit where outcome = 'ok'";
    let told = column(&mut alice, versions).await;
    assert!(told.iter().any(|versions| versions.starts_with("sales owner ")), "{told:?}");

    // The rules likewise.
    let rules = "select distinct rule from mesh.system.policies where domain = 'sales'";
    assert_eq!(column(&mut alice, rules).await, BTreeSet::from(["eu".to_owned()]));
    assert_eq!(column(&mut otto, rules).await, BTreeSet::new());
    assert_eq!(column(&mut auditor, rules).await, ["audit", "eu", "us"].map(str::to_owned).into());
}

#[tokio::test(flavor = "multi_thread")]
async fn d15_what_cannot_be_recorded_does_not_run_and_nothing_is_lost() {
    let mesh = mesh().await;
    let mut alice = mesh.client(&fixture::alice()).await;
    let sql = "select id from sales.orders";
    for log in ["audit.jsonl", "sales/audit.jsonl"] {
        let file = mesh.path(log);
        let first = asked(&mut alice, sql).await;
        // A device that is always full takes the log's place.
        std::fs::rename(&file, mesh.path(&format!("{log}.before"))).unwrap();
        std::os::unix::fs::symlink("/dev/full", &file).unwrap();
        // The first one runs and does not end well; the others do not run.
        let ran = alice.plan(sql).await.unwrap();
        assert!(alice.batches(&ran).await.is_err(), "{log}");
        for _ in 0..3 {
            assert!(alice.query(sql).await.is_err(), "{log}");
        }
        std::fs::remove_file(&file).unwrap();
        eventually_async("an answer", LIMIT, async || alice.query(sql).await.is_ok().then_some(())).await;
        let (code, told) = verify(&file);
        assert!(code == Some(0) && told.contains(" in 2 files, whole"), "{told}");
        let notice: Value = serde_json::from_slice(&ran.app_metadata).unwrap();
        let ran = notice["query_id"].as_str().unwrap();
        assert_ne!(first, ran);
        // That it ran is written down, once there is a place.
        let record = record(&mesh, log, ran).await;
        assert_eq!(record["principal"]["subject"], "alice", "{log}");
    }
}
