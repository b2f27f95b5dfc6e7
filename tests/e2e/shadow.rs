//! A candidate for the policies beside those in force: what it would change is
//! recorded, and nothing of it is ever delivered.

use std::path::Path;
use std::time::Duration;

use meshgate_tests::client::{Client, answer, ticket};
use meshgate_tests::mesh::{Mesh, MeshPlan};
use meshgate_tests::{eventually_async, fixture, process};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(10);

/// Alice gets notes and American rows and loses cards and Europe; Bob loses the
/// table; Otto, who has nothing, gets everything. By a claim that no rule in force reads.
const CANDIDATE: &str = "
domain: sales
owner: sales@larkfield.example
lookups: { large: { of: orders, key: id, where: \"amount > 0 and claim('tenant') = 'acme'\", as: policy } }
grants:
  - { id: us-now, why: Moves to America., to: { subjects: [alice] }, tables: [orders], columns: [id, customer_id, region, amount, note], rows: \"region = 'US' and in_lookup('large', id)\", masks: { region: redact } }
  - { id: otto, why: Is new., to: { subjects: [otto] }, tables: [orders], columns: all }
  - { id: audit, why: Checks everything., to: { roles: [auditor] }, tables: [orders], columns: all }
";

const SAME: &str = "select id, region, card from sales.orders order by id";

fn plan(candidate: Option<&str>) -> MeshPlan {
    let mut plan = fixture::leaks();
    // The folder need not be there in every domain: nothing can be compared then.
    plan.node_lines = "shadow: { policies: ./next/, count_rows: true }\n".to_owned();
    match candidate {
        Some(text) => plan.file("sales/next/sales.yaml", text),
        None => plan,
    }
}

/// What somebody learns by every way in which a candidate could be noticed.
async fn learned(mesh: &Mesh, claims: &Value) -> Vec<String> {
    let mut client = mesh.client(claims).await;
    let mut learned = Vec::new();
    for sql in [
        SAME,
        "select * from sales.orders",
        "select note from sales.orders",
        "select count(*), min(id) from sales.orders",
        "select * from sales.nothing",
        "show tables",
        "show columns from sales.orders",
        "explain policy select * from sales.orders",
        "select * from mesh.system.policies order by rule",
        "select table_schema, table_name, column_name, is_nullable from information_schema.columns order by 1, 2, 3",
        "select statement, tables, masked, outcome, error, rows, denied, rules from mesh.system.audit order by time",
    ] {
        learned.push(match client.plan(sql).await {
            Ok(info) => {
                let messages = client.messages(ticket(&info)).await;
                let data: Vec<_> = messages
                    .unwrap()
                    .into_iter()
                    .map(|message| (message.data_header, message.data_body))
                    .collect();
                format!("{sql}: {:?} {data:?}", info.schema)
            }
            Err(status) => format!("{sql}: {}", answer(&status)),
        });
    }
    learned
}

/// The records of a log that say something of a candidate.
fn shadows(log: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(log).unwrap();
    let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    records.filter(|record| !record["shadow"].is_null() || !record["shadow_rows"].is_null()).collect()
}

fn of<'r>(records: &'r [Value], subject: &str, statement: &str) -> &'r Value {
    let found = records
        .iter()
        .rfind(|record| record["principal"]["subject"] == subject && record["statement"] == statement);
    found.unwrap_or_else(|| panic!("no record of {subject}: {statement}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_is_recorded_and_changes_nothing_that_anybody_gets() {
    let (with, without) = (plan(Some(CANDIDATE)).start().await, plan(None).start().await);
    for claims in [fixture::alice(), fixture::bob(), fixture::otto(), fixture::auditor()] {
        assert_eq!(learned(&with, &claims).await, learned(&without, &claims).await, "{claims}");
    }
    assert_eq!(shadows(&without.path("audit.jsonl")), Vec::<Value>::new());

    let records = shadows(&with.path("audit.jsonl"));
    let differs =
        |subject: &str, statement: &str| of(&records, subject, statement)["shadow"]["differs"].clone();
    // A column that the statement reads would be gone; one shows something else; rows are others.
    assert_eq!(
        differs("alice", SAME),
        json!([{ "table": "sales.orders", "effect": "refused", "gained": ["note"], "lost": ["card"], "masked": ["region"], "rows": true }])
    );
    let counted = "select count(*), min(id) from sales.orders";
    assert_eq!(
        differs("alice", counted),
        json!([{ "table": "sales.orders", "effect": "changed", "gained": ["note"], "rows": true }])
    );
    assert_eq!(
        differs("alice", "select note from sales.orders"),
        json!([{ "table": "sales.orders", "effect": "allowed", "gained": ["note"] }])
    );
    assert_eq!(differs("bob", counted)[0]["effect"], "refused");
    let ottos = &differs("otto", counted)[0];
    assert_eq!((&ottos["effect"], ottos["gained"].as_array().unwrap().len()), (&json!("allowed"), 6));
    assert_eq!(differs("ivy", counted), json!([]), "the same for her");

    // The node says the same, and how many rows it would be, roughly: 3 European and 2 American ones.
    let log = with.path("sales/audit.jsonl");
    let rows = eventually_async("a count", LIMIT, async || {
        let counts = shadows(&log)
            .into_iter()
            .filter_map(|record| record["shadow_rows"]["tables"].as_array().cloned());
        counts.flatten().find(|table| table["gained"] != "0")
    })
    .await;
    assert_eq!(rows, json!({ "table": "sales.orders", "lost": "1-9", "gained": "1-9" }));
    let report =
        process::run(&["audit", "shadow", log.to_str().unwrap(), with.path("audit.jsonl").to_str().unwrap()]);
    let text = String::from_utf8(report.stdout).unwrap();
    assert!(report.status.success(), "{text}");
    for part in [
        "domain sales, candidate",
        "(of alice, bob",
        "columns gained: ",
        "columns lost: ",
        "rows gained: 1-9 (",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let verified = process::run(&["audit", "verify", log.to_str().unwrap()]);
    assert!(verified.status.success(), "{verified:?}");
}

async fn cards(client: &mut Client) -> Vec<Vec<Option<String>>> {
    client.rows(SAME).await.rows
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_that_comes_breaks_and_goes_disturbs_nobody() {
    let mesh = plan(None).start().await;
    let mut alice = mesh.client(&fixture::alice()).await;
    let before = cards(&mut alice).await;
    let (gateway, candidate) = (mesh.path("audit.jsonl"), mesh.path("sales/next/sales.yaml"));
    std::fs::create_dir_all(candidate.parent().unwrap()).unwrap();
    // Until the last record says of its one table: this would be gained.
    let mut compared = async |gained: Option<Value>| {
        eventually_async("the candidate", LIMIT, async || {
            assert_eq!(cards(&mut alice).await, before);
            let text = std::fs::read_to_string(&gateway).unwrap();
            let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
            let shadow = last.get("shadow").map(|shadow| shadow["differs"][0]["gained"].clone());
            (shadow == gained).then_some(())
        })
        .await;
    };
    let note = Some(json!(["note"]));
    for unusable in [
        "domain: sales\ngrants: [ { id: broken".to_owned(),
        // A rule over a column that is not there.
        CANDIDATE.replace("region = 'US'", "nowhere = 'US'"),
        CANDIDATE.replace("domain: sales", "domain: hr"),
    ] {
        std::fs::write(&candidate, CANDIDATE).unwrap();
        compared(note.clone()).await;
        std::fs::write(&candidate, unusable).unwrap();
        compared(None).await;
        mesh.wait_ready().await;
    }
    // More text than is taken: each file by itself would be good.
    let large = |number: usize| candidate.with_file_name(format!("large-{number}.yaml"));
    let comments = format!("domain: sales\n{}", "# nothing\n".repeat(95_000));
    (0..5).for_each(|number| std::fs::write(large(number), &comments).unwrap());
    std::fs::write(&candidate, CANDIDATE).unwrap();
    compared(None).await;
    mesh.wait_ready().await;
    (0..5).for_each(|number| std::fs::remove_file(large(number)).unwrap());
    compared(note.clone()).await;
    std::fs::remove_file(&candidate).unwrap();
    // Nothing in its folder: a candidate that grants nothing.
    compared(Some(Value::Null)).await;
    std::fs::remove_dir(candidate.parent().unwrap()).unwrap();
    compared(None).await;
    mesh.wait_ready().await;
}

/// A candidate that is written without end settles never; what is in force is read meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_that_is_being_written_keeps_no_change_waiting() {
    let mesh = plan(Some(CANDIDATE)).start().await;
    let mut alice = mesh.client(&fixture::alice()).await;
    assert!(!cards(&mut alice).await.is_empty());
    let (candidate, live) = (mesh.path("sales/next/sales.yaml"), mesh.path("sales/policies/sales.yaml"));
    let writing = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        for number in 0.. {
            ticks.tick().await;
            std::fs::write(&candidate, format!("{CANDIDATE}# {number}\n")).unwrap();
        }
    });
    std::fs::write(&live, "domain: sales\nowner: sales@larkfield.example\n").unwrap();
    eventually_async("the change in force", LIMIT, async || alice.query(SAME).await.is_err().then_some(()))
        .await;
    assert!(!writing.is_finished());
    writing.abort();
}
