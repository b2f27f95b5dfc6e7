//! Things that break: every result is whole or an error.

use std::time::Duration;

use meshgate_tests::client::answer;
use meshgate_tests::demo::Demo;
use meshgate_tests::mesh::{MeshPlan, http_status};
use meshgate_tests::process::signal;
use meshgate_tests::{eventually_async, fixture, logs};
use tonic::Code;

const LIMIT: Duration = Duration::from_secs(10);

/// Tables of numbers that alice may see, each in one file of this format with this content.
fn numbers(tables: &[(&str, &str, &str)]) -> MeshPlan {
    const COLUMNS: &str = "
      - { name: id, logicalType: integer, required: true, classification: internal }
      - { name: amount, logicalType: integer, classification: internal }
";
    let names: Vec<&str> = tables.iter().map(|(name, ..)| *name).collect();
    let policy = format!(
        "domain: sales\nowner: sales@larkfield.example\ngrants:\n  \
         - {{ id: all, why: Counts., to: {{ subjects: [alice] }}, tables: [{}], columns: all }}\n",
        names.join(", ")
    );
    let plan = MeshPlan::new(fixture::MESH, &["sales"]).file("sales/policies/sales.yaml", policy);
    tables.iter().fold(plan, |plan, (name, format, content)| {
        let contract = fixture::contract("sales", name, fixture::Format::Csv, COLUMNS).replace("csv", format);
        plan.file(&format!("sales/products/{name}.odcs.yaml"), contract)
            .file(&format!("sales/data/{name}.{format}"), *content)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_cell_ends_the_query_and_stays_with_the_owner() {
    const BAD: &str = "BAD-CELL";
    let mesh = numbers(&[
        ("listed", "csv", "id,amount\n1,100\n2,BAD-CELL\n"),
        ("lined", "jsonl", "{\"id\":1,\"amount\":100}\n\n{\"id\":2,\"amount\":\"BAD-CELL\"}\n"),
        ("whole", "csv", "id,amount\n1,100\n"),
    ])
    .start()
    .await;
    let mut alice = mesh.client(&fixture::alice()).await;
    for (table, file, place) in
        [("listed", "listed.csv", "row=3 line=3"), ("lined", "lined.jsonl", "row=2 line=3")]
    {
        let status = alice.refused(&format!("select id, amount from sales.{table}")).await;
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        let said = format!("{status:?}");
        assert!(said.contains(&format!("sales.{table}")), "{said}");
        for hidden in [BAD, "amount", "row 2", "row 3", file] {
            assert!(!said.contains(hidden), "{hidden}: {said}");
        }
        // Columns that are not asked for are not looked at, other tables go on.
        assert_eq!(alice.rows(&format!("select id from sales.{table}")).await.rows.len(), 2);

        let (logged, cells) = (logs::captured(), logs::captured_cells());
        let path = mesh.path(&format!("sales/data/{file}")).canonicalize().unwrap().display().to_string();
        let told: Vec<&str> = logged.lines().filter(|line| line.contains(&path)).collect();
        assert!(
            told.iter().any(|line| line.contains("column=\"amount\"") && line.contains(place)),
            "{told:#?}"
        );
        assert!(!logged.contains(BAD), "the log at its default level holds no cell");
        let traced = cells.lines().find(|line| line.contains(&path) && line.contains(BAD));
        assert!(traced.is_some_and(|line| line.contains("TRACE meshgate_cells")), "{cells}");
    }
    assert_eq!(alice.rows("select amount from sales.whole").await.rows.len(), 1);
    let audits = ["audit.jsonl", "sales/audit.jsonl"].map(|file| mesh.path(file));
    for audit in audits {
        assert!(!std::fs::read_to_string(&audit).unwrap().contains(BAD), "{audit:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_file_and_a_missing_column_concern_who_asks_for_them() {
    let mesh = fixture::leaks().start().await;
    let mut alice = mesh.client(&fixture::alice()).await;
    std::fs::write(mesh.path("sales/data/orders.csv"), "id,customer_id,region,amount,card\n1,10,EU,100,c\n")
        .unwrap();
    assert_eq!(alice.rows("select id, region from sales.orders").await.rows.len(), 1);
    let mut auditor = mesh.client(&fixture::auditor()).await;
    assert_eq!(auditor.refused("select note from sales.orders").await.code(), Code::Unavailable);

    std::fs::remove_file(mesh.path("hr/data/people.csv")).unwrap();
    assert_eq!(alice.refused("select id from hr.people").await.code(), Code::Unavailable);
    let otto = mesh.client(&fixture::otto()).await.refused("select id from hr.people").await;
    assert_eq!(otto.code(), Code::NotFound, "who may not know learns nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn r27_a_node_that_is_gone_is_named_and_the_others_go_on() {
    let mut mesh = fixture::leaks().start().await;
    let mut alice = mesh.client(&fixture::alice()).await;
    let join = "select o.id, p.name from sales.orders o join hr.people p on o.customer_id = p.id";
    assert_eq!(alice.rows(join).await.rows.len(), 2);
    mesh.stop_node("hr").await;
    let status = alice.refused(join).await;
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(status.message().contains("hr"), "{status:?}");
    assert_eq!(alice.rows("select id from sales.orders").await.rows.len(), 3);
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_comes_later_is_waited_for_and_the_others_serve() {
    let mut plan = fixture::leaks();
    plan.late = vec!["hr".to_owned()];
    let mut mesh = plan.start_unready().await;
    let mut alice = mesh.client(&fixture::alice()).await;
    let mut auditor = mesh.client(&fixture::auditor()).await;
    eventually_async("the other domains", LIMIT, async || {
        let orders = alice.query("select id from sales.orders").await.ok()?.rows.len();
        let ledger = auditor.query("select id from fin.ledger").await.ok()?.rows.len();
        (orders == 3 && ledger == 2).then_some(())
    })
    .await;
    assert_eq!(http_status(mesh.gateway_http, "/readyz").await, 503);
    // Nobody can say yet who may know of the table: it is like one that does not exist.
    let unreached = alice.refused("select id from hr.people").await;
    let missing = alice.refused("select id from hr.nobody").await;
    assert_eq!(unreached.code(), Code::NotFound);
    assert_eq!(answer(&unreached).replace("people", "nobody"), answer(&missing));

    mesh.start_node("hr").await;
    eventually_async("readiness", LIMIT, async || {
        (http_status(mesh.gateway_http, "/readyz").await == 200).then_some(())
    })
    .await;
    assert_eq!(alice.rows("select id from hr.people").await.rows.len(), 2);
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_leaves_and_joins_with_its_file() {
    let mesh = fixture::leaks().start().await;
    let mut auditor = mesh.client(&fixture::auditor()).await;
    let sql = "select id from fin.ledger";
    assert_eq!(auditor.rows(sql).await.rows.len(), 2);
    let file = mesh.path("domains/fin.yaml");
    let text = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    eventually_async("the domain is gone", LIMIT, async || {
        let status = auditor.query(sql).await.err()?;
        (status.code() == Code::NotFound).then_some(())
    })
    .await;
    assert_eq!(http_status(mesh.gateway_http, "/readyz").await, 200);
    std::fs::write(&file, text).unwrap();
    eventually_async("the domain is back", LIMIT, async || {
        (auditor.query(sql).await.ok()?.rows.len() == 2).then_some(())
    })
    .await;
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r28_a_killed_node_ends_the_query_with_an_error() {
    let parent = tempfile::tempdir().unwrap();
    let demo = Demo::start(&parent.path().join("demo"));
    let mut marco = demo.client("marco").await;
    let join = "select count(*) from sales.orders o join customers.profiles p using (customer_id)";
    assert_eq!(marco.rows(join).await.rows.len(), 1);
    signal(demo.node_process("customers"), "KILL");
    eventually_async("an error that names the domain", LIMIT, async || {
        let status = marco.query(join).await.err()?;
        (status.code() == Code::Unavailable && status.message().contains("customers")).then_some(())
    })
    .await;
    assert!(!marco.rows("select order_id from sales.orders").await.rows.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn both_audits_hold_each_query_and_no_cell() {
    let mesh = fixture::leaks().start().await;
    let mut alice = mesh.client(&fixture::alice()).await;
    assert_eq!(alice.rows("select id from sales.orders").await.rows.len(), 3);
    for audit in ["audit.jsonl", "sales/audit.jsonl"] {
        let text = std::fs::read_to_string(mesh.path(audit)).unwrap();
        let record: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(record["principal"]["subject"], "alice", "{audit}: {record}");
        assert_eq!(record["rows"], 3, "{audit}: {record}");
        assert!(!text.contains(fixture::MARKER), "{audit}: no cell in an audit");
    }
}

/// A gateway that starts while a node is away tells so to who could read its tables before.
#[tokio::test(flavor = "multi_thread")]
async fn a_domain_that_is_away_at_the_start_is_unavailable_to_who_may_know() {
    let mut plan = fixture::leaks();
    plan.gateway_lines = "descriptions: ./descriptions/\n".to_owned();
    plan.files.push(("descriptions/README".to_owned(), Vec::new()));
    let mut mesh = plan.start().await;
    let sql = "select id from sales.orders";
    eventually_async("the description is kept", LIMIT, async || {
        mesh.path("descriptions/sales.description").exists().then_some(())
    })
    .await;
    mesh.stop_node("sales").await;
    mesh.restart_gateway().await;
    let mut alice = mesh.client(&fixture::alice()).await;
    eventually_async("the domain is known as away", LIMIT, async || {
        let refused = alice.refused(sql).await;
        (refused.code() == Code::Unavailable && refused.message().contains("sales")).then_some(())
    })
    .await;
    let otto = mesh.client(&fixture::otto()).await.refused(sql).await;
    let missing = mesh.client(&fixture::otto()).await.refused("select id from sales.nothing").await;
    assert_eq!(answer(&otto), answer(&missing).replace("nothing", "orders"));
    assert_eq!(mesh.client(&fixture::auditor()).await.rows("select id from fin.ledger").await.rows.len(), 2);
    mesh.start_node_again("sales").await;
    eventually_async("the domain is back", LIMIT, async || alice.query(sql).await.ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_description_nobody_knows_a_domain_that_is_away() {
    let mut plan = fixture::leaks();
    plan.late = vec!["sales".to_owned()];
    let mut mesh = plan.start_unready().await;
    let mut alice = mesh.client(&fixture::alice()).await;
    assert_eq!(alice.refused("select id from sales.orders").await.code(), Code::NotFound);
    mesh.start_node("sales").await;
    eventually_async("the domain joins", LIMIT, async || {
        alice.query("select id from sales.orders").await.ok()
    })
    .await;
}
