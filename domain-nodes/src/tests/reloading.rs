//! Files that change or break while a node runs, or before it starts.

use arrow_flight::Action;
use futures::TryStreamExt;
use meshgate_proto::{NOT_ALL_GOOD, RELOAD_ACTION, RELOADED};

use super::*;
use crate::testing::{CONTRACT, MESH, POLICIES};

/// The next description that satisfies the condition.
async fn described(node: &Running, condition: impl Fn(&Descriptor) -> bool) -> Descriptor {
    let mut stream = descriptors(&mut node.client().await).await.unwrap();
    loop {
        let descriptor = next(&mut stream).await.unwrap().unwrap();
        if condition(&descriptor) {
            return descriptor;
        }
    }
}

fn tables(descriptor: &Descriptor) -> Vec<&str> {
    descriptor.products.iter().flat_map(|p| &p.tables).map(|table| table.name.as_str()).collect()
}

#[tokio::test]
async fn a_changed_policy_is_in_force_within_a_second_or_so() {
    let node = Running::start(Domain::new()).await;
    let under_old_policy = node.request(&["id"]);
    node.domain.write("policies/sales.yaml", &POLICIES.replace("region = 'EU'", "region = 'US'"));
    described(&node, |d| d.owner_policies.as_ref().unwrap().documents[0].text.contains("US")).await;

    let status = node.query(under_old_policy).await.unwrap_err();
    assert_eq!((class(&status), details(&status).retry), (Class::Moved, true));
    assert_eq!(rows(&node.query(node.request(&["id"])).await.unwrap()), 2);
}

#[tokio::test]
async fn a_query_keeps_the_policy_that_it_began_with() {
    let domain = Domain::new();
    domain.write_orders(&crate::testing::orders_of(&vec!["EU"; 300_000]));
    let node = Running::start(domain).await;
    let ticket = node.request(&["id", "card", "amount", "region"]).ticket(&node.domain.signer);
    let mut client = node.client().await;
    let stream = messages(&mut client, ticket).await.unwrap();
    node.domain.write("policies/sales.yaml", &POLICIES.replace("region = 'EU'", "region = 'US'"));
    described(&node, |d| d.owner_policies.as_ref().unwrap().documents[0].text.contains("US")).await;
    assert_eq!(rows(&batches(stream).await.unwrap()), 300_000);
}

#[tokio::test]
async fn a_policy_broken_later_leaves_the_last_good_one_in_force() {
    let node = Running::start(Domain::new()).await;
    let request = node.request(&["id"]);
    node.until_ready("\"ready\":true").await;
    node.domain.write("policies/sales.yaml", "grants: [ { id: ");
    node.until_ready("policies").await;
    assert_eq!(rows(&node.query(request).await.unwrap()), 4);

    node.domain.write("policies/sales.yaml", POLICIES);
    node.until_ready("\"ready\":true").await;
}

#[tokio::test]
async fn a_policy_broken_at_start_denies_everything() {
    let domain = Domain::new();
    let good = domain.state();
    domain.write("policies/sales.yaml", "grants: [ { id: ");
    let node = Running::start(domain).await;
    let good = Request::new(&good, &["id"]);
    let descriptor = described(&node, |_| true).await;
    assert!(descriptor.owner_policies.unwrap().unreadable);
    assert_eq!(class(&node.query(good).await.unwrap_err()), Class::Moved);
    let (status, body) = node.http("/readyz").await;
    assert_eq!(status, 503);
    assert!(body.contains("policies") && !body.contains("sales"), "{body}");
    assert_eq!(node.http("/livez").await.0, 200);

    node.domain.write("policies/sales.yaml", POLICIES);
    node.until_ready("\"ready\":true").await;
    assert_eq!(rows(&node.query(node.request(&["id"])).await.unwrap()), 4);
}

#[tokio::test]
async fn a065_a_document_that_is_not_looked_at_is_a_broken_policy() {
    // What they might restrict would be open if they were left out.
    let to_nowhere = Domain::new();
    let link = to_nowhere.path("policies/restrictions.yaml");
    std::os::unix::fs::symlink("nowhere.txt", link).unwrap();
    let shouting = Domain::new();
    shouting.write("policies/RESTRICTIONS.YAML", "restrictions: [ { id: ");
    for domain in [to_nowhere, shouting] {
        let node = Running::start(domain).await;
        node.until_ready("policies").await;
        assert!(described(&node, |_| true).await.owner_policies.unwrap().unreadable);
    }
}

#[tokio::test]
async fn without_the_operators_document_everything_is_denied() {
    let breaks: [fn(&Domain); 4] = [
        |domain| domain.write("mesh.yaml", "mesh: ["),
        |domain| domain.write("mesh.yaml", MESH),
        |domain| domain.write("mesh.yaml", &domain.signed(MESH).replace("Europe/Berlin", "Europe/Paris")),
        |domain| std::fs::remove_file(domain.path("mesh.yaml")).unwrap(),
    ];
    for break_it in breaks {
        let domain = Domain::new();
        let good = domain.state();
        break_it(&domain);
        let node = Running::start(domain).await;
        let (status, body) = node.http("/readyz").await;
        assert!(status == 503 && body.contains("\"mesh_yaml\""), "{body}");
        assert!(described(&node, |_| true).await.owner_policies.unwrap().unreadable);
        let request = Request::new(&good, &["id"]);
        assert_eq!(class(&node.query(request).await.unwrap_err()), Class::Moved);
    }
}

#[tokio::test]
async fn a_broken_contract_leaves_the_others_served() {
    let domain = Domain::new();
    domain.write("products/broken.odcs.yaml", "kind: DataContract\nschema: 7\n");
    let node = Running::start(domain).await;
    node.until_ready("contracts").await;
    assert_eq!(tables(&described(&node, |_| true).await), ["orders"]);
    assert_eq!(rows(&node.query(node.request(&["id"])).await.unwrap()), 4);
}

#[tokio::test]
async fn a_table_whose_files_cannot_be_read_shows_in_the_readiness_and_the_others_are_served() {
    let domain = Domain::new();
    domain.write("products/returns.odcs.yaml", &CONTRACT.replace("orders", "returns"));
    let node = Running::start(domain).await;
    node.until_ready("sources").await;
    let (_, body) = node.http("/readyz").await;
    assert!(!body.contains("returns"), "{body}");
    assert_eq!(rows(&node.query(node.request(&["id"])).await.unwrap()), 4);

    // A column that the files lack is trouble too.
    let there = CONTRACT.replace("orders", "returns").replace("returns.parquet", "orders.parquet");
    node.domain.write("products/returns.odcs.yaml", &there);
    node.until_ready("\"ready\":true").await;
    let lacking = format!("{there}      - {{ name: missing, logicalType: string }}\n");
    node.domain.write("products/returns.odcs.yaml", &lacking);
    node.until_ready("sources").await;
    node.domain.write("products/returns.odcs.yaml", &there);
    node.until_ready("\"ready\":true").await;
}

#[tokio::test]
async fn a_contract_broken_later_keeps_its_product_and_one_taken_away_does_not() {
    let node = Running::start(Domain::new()).await;
    let more = CONTRACT.replace("orders", "returns").replace("returns.parquet", "orders.parquet");
    node.domain.write("products/returns.odcs.yaml", &more);
    described(&node, |d| tables(d) == ["orders", "returns"]).await;

    let request = node.request(&["id"]);
    node.domain.write("products/orders.odcs.yaml", "kind: DataContract\nschema: 7\n");
    node.until_ready("contracts").await;
    assert_eq!(rows(&node.query(request).await.unwrap()), 4);

    std::fs::remove_file(node.domain.path("products/returns.odcs.yaml")).unwrap();
    node.domain.write("products/orders.odcs.yaml", CONTRACT);
    described(&node, |d| tables(d) == ["orders"]).await;
    node.until_ready("\"ready\":true").await;
}

#[tokio::test]
async fn a_policy_that_names_the_table_of_a_broken_contract_still_serves_the_others() {
    let domain = Domain::new();
    domain.write("products/returns.odcs.yaml", "kind: DataContract\nschema: 7\n");
    domain.write("policies/sales.yaml", &POLICIES.replace("tables: [orders]", "tables: [orders, returns]"));
    let node = Running::start(domain).await;
    let (_, body) = node.http("/readyz").await;
    assert!(body.contains("contracts") && !body.contains("policies"), "{body}");
    assert_eq!(rows(&node.query(node.request(&["id"])).await.unwrap()), 4);
}

#[tokio::test]
async fn a_contract_that_the_policy_does_not_fit_changes_nothing() {
    let node = Running::start(Domain::new()).await;
    let request = node.request(&["id", "card"]);
    // The columns move, and the one that the policy masks has another name.
    let other = CONTRACT
        .replace("      - { name: id, logicalType: integer, physicalType: bigint, required: true, primaryKey: true }\n", "")
        .replace("name: card", "name: payment_card, physicalName: card");
    node.domain.write("products/orders.odcs.yaml", &other);
    node.until_ready("policies").await;
    let answer = node.query(request).await.unwrap();
    let text = arrow::util::pretty::pretty_format_batches(&answer).unwrap().to_string();
    assert!(text.contains("| 6  | ************0006 |"), "{text}");
}

#[tokio::test]
async fn without_a_key_there_are_no_pseudonyms_and_no_table() {
    let domain = Domain::new();
    domain.write("mesh.yaml", &domain.signed(&format!("{MESH}pseudonyms: {{ person: {{}} }}\n")));
    domain.write("policies/sales.yaml", &POLICIES.replace("card: last(4)", "card: pseudonym(person)"));
    let node = Running::start(domain).await;
    node.until_ready("pseudonyms").await;
    for columns in [&["card"][..], &["id"]] {
        let status = node.query(node.request(columns)).await.unwrap_err();
        assert_eq!(class(&status), Class::TableUnavailable, "{columns:?}");
    }
    node.domain.write("policies/sales.yaml", POLICIES);
    node.until_ready("\"ready\":true").await;
    assert_eq!(rows(&node.query(node.request(&["card"])).await.unwrap()), 4);
}

/// A place outside of the folders that data may lie in, with a file of orders.
fn elsewhere() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().canonicalize().unwrap().join("orders.parquet");
    let domain = Domain::new();
    std::fs::copy(domain.path("data/orders.parquet"), &file).unwrap();
    (folder, file)
}

#[tokio::test]
async fn a_path_outside_of_the_roots_is_trouble_of_its_own_table_and_told_to_the_owner_alone() {
    let (_folder, outside) = elsewhere();
    let absolute = outside.display().to_string();
    let up = format!("../../{}/orders.parquet", outside.parent().unwrap().file_name().unwrap().display());
    for (table, path) in [
        ("absolute", absolute.as_str()),
        ("up", &up),
        ("linked", "../data/link.parquet"),
        ("linked_folder", "../data/out/*"),
    ] {
        let domain = Domain::new();
        std::os::unix::fs::symlink(&outside, domain.path("data/link.parquet")).unwrap();
        std::os::unix::fs::symlink(outside.parent().unwrap(), domain.path("data/out")).unwrap();
        let contract = CONTRACT.replace("orders", table).replace(&format!("../data/{table}.parquet"), path);
        domain.write("products/outside.odcs.yaml", &contract);
        let policies = POLICIES.replace("tables: [orders]", &format!("tables: [orders, {table}]"));
        domain.write("policies/sales.yaml", &policies);
        let node = Running::start(domain).await;
        node.until_ready("\"sources\"").await;
        let (_, body) = node.http("/readyz").await;
        assert!(!body.contains(table) && !body.contains("orders.parquet"), "{body}");
        let told = logs::lines_with(&[
            "lies outside the allowed folders",
            &format!("table=\"{table}\""),
            &outside.parent().unwrap().display().to_string(),
        ]);
        assert!(!told.is_empty(), "{table}");
        assert_eq!(rows(&node.query(node.request(&["id"])).await.unwrap()), 4, "{table}");
        let mut request = node.request(&["id"]);
        request.aim_at(&node.state(), table);
        let status = node.query(request).await.unwrap_err();
        assert_eq!(class(&status), Class::TableUnavailable, "{table}");
        assert!(!format!("{status:?}").contains("parquet"), "{status:?}");

        let config = node.domain.config();
        let found = crate::check::check_places(&config);
        let [problem] = found.as_slice() else { panic!("{table}: {found:#?}") };
        let shown = problem.to_string();
        assert!(shown.contains(&format!("sales.{table}")) && shown.contains("data_roots"), "{shown}");
        let online = crate::check::check_sources(&config).await;
        assert!(online.iter().any(|problem| problem.message.contains("leaves")), "{online:#?}");

        // The owner may allow the place.
        let root = outside.parent().unwrap().to_owned();
        let wider = NodeConfig { data_roots: [config.data_roots.clone(), vec![root]].concat(), ..config };
        assert!(crate::check::check_places(&wider).is_empty(), "{table}");
    }
}

#[tokio::test]
async fn files_that_change_or_vanish_while_the_node_runs_are_noticed_without_a_query() {
    let domain = Domain::new();
    let more = CONTRACT.replace("orders", "watched").replace("watched.parquet", "watched/*.parquet");
    domain.write("products/watched.odcs.yaml", &more);
    let watched = domain.path("data/watched/1.parquet");
    std::fs::create_dir_all(watched.parent().unwrap()).unwrap();
    std::fs::copy(domain.path("data/orders.parquet"), &watched).unwrap();
    let config = NodeConfig { survey_interval: Duration::from_millis(200), ..domain.config() };
    let node = Running::start_with(domain, config).await;
    node.until_ready("\"ready\":true").await;
    let intact = std::fs::read(&watched).unwrap();
    let other = crate::testing::orders().project(&[0, 1, 2, 3]).unwrap();
    let retyped = arrow::array::RecordBatch::try_from_iter([
        ("id", other.column(1).clone()),
        ("region", other.column(1).clone()),
        ("amount", other.column(2).clone()),
        ("card", other.column(3).clone()),
        ("note", other.column(3).clone()),
    ]);
    for (change, logged) in [
        (Some(other), ["column=\"note\"", "the files do not have it"]),
        (Some(retyped.unwrap()), ["column=\"id\"", "the contract says Int64"]),
        (None, ["there are no files", "path="]),
    ] {
        match change {
            Some(batch) => crate::testing::write_parquet(&watched, &batch),
            None => std::fs::remove_file(&watched).unwrap(),
        }
        node.until_ready("\"sources\"").await;
        let told = logs::lines_with(&["table=\"watched\"", logged[0], logged[1]]);
        assert!(!told.is_empty(), "{logged:?}");
        // The other table goes on.
        assert_eq!(rows(&node.query(node.request(&["id"])).await.unwrap()), 4);
        std::fs::write(&watched, &intact).unwrap();
        node.until_ready("\"ready\":true").await;
    }
}

/// The answer of a node that is told to read its files.
async fn reload(node: &Running) -> String {
    let stream = node.client().await.do_action(Action::new(RELOAD_ACTION, "")).await.unwrap().into_inner();
    let answers: Vec<_> = stream.try_collect().await.unwrap();
    String::from_utf8(answers[0].body.to_vec()).unwrap()
}

#[tokio::test]
async fn whoever_has_files_read_finds_them_in_force_and_learns_what_is_broken() {
    let node = Running::start(Domain::new()).await;
    let under_old_policy = node.request(&["id"]);
    // In force with the answer: not half a second later.
    node.domain.write("policies/sales.yaml", &POLICIES.replace("region = 'EU'", "region = 'US'"));
    assert_eq!(reload(&node).await, RELOADED);
    assert_eq!(class(&node.query(under_old_policy).await.unwrap_err()), Class::Moved);
    let request = node.request(&["id"]);
    assert_eq!(rows(&node.query(request.clone()).await.unwrap()), 2);

    node.domain.write("policies/sales.yaml", "grants: [ { id: ");
    assert_eq!(reload(&node).await, NOT_ALL_GOOD);
    let mut again = request;
    again.permit.id = crate::testing::random_id();
    assert_eq!(rows(&node.query(again).await.unwrap()), 2, "the last good policy stays");
    node.domain.write("policies/sales.yaml", POLICIES);
    assert_eq!(reload(&node).await, RELOADED);
    assert_eq!(rows(&node.query(node.request(&["id"])).await.unwrap()), 4);
}
