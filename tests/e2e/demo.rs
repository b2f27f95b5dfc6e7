//! The demo: each persona gets of each table exactly what the oracle leaves of it.

use std::path::Path;
use std::time::Duration;

use meshgate_oracle::{Caller, Documents, View, read_rows, view, with_lookups};
use meshgate_tests::demo::Demo;
use meshgate_tests::process::is_alive;
use meshgate_tests::render::Rendered;
use meshgate_tests::{eventually, eventually_async};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn each_persona_sees_what_the_oracle_leaves() {
    let parent = tempfile::tempdir().unwrap();
    let demo = Demo::start(&parent.path().join("demo"));
    let personas = personas(&demo.directory);
    let mut seen = 0;
    let mut absent = 0;
    for (persona, claims) in personas.as_object().unwrap() {
        let client = demo.client(persona).await;
        for domain in demo.domains() {
            let documents = documents(&demo.directory, &domain);
            let caller = Caller::new(&documents.mesh, claims, today());
            let mut works = vec![(client.clone(), caller.clone())];
            for purpose in &caller.purposes {
                works.push((client.with_purpose(purpose), caller.clone().working_for(purpose)));
            }
            for (mut client, caller) in works {
                let caller = with_lookups(&documents, &caller, &read_rows);
                for table in &documents.tables {
                    let expected = view(&documents, table, &caller, &read_rows(table));
                    let sql = format!("select * from {domain}.{}", table.name);
                    let who = format!("{persona} for {:?}: {sql}", caller.purpose);
                    match (expected, client.query(&sql).await) {
                        (Some(expected), Ok(result)) => {
                            assert_eq!(result.sorted(), rendered(&expected).sorted(), "{who}");
                            seen += 1;
                        }
                        (None, Err(status)) => {
                            assert_eq!(status.code(), tonic::Code::NotFound, "{who}: {status:?}");
                            absent += 1;
                        }
                        (expected, result) => panic!("{who}: expected {expected:?}, got {result:?}"),
                    }
                }
            }
        }
    }
    // Both happen, and not only once: otherwise the comparison shows nothing.
    assert!(seen >= 15 && absent >= 15, "{seen} tables seen, {absent} absent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_demo_serves_again_what_is_there() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("demo");
    let sql = "select order_id, total from sales.orders order by order_id";
    let mut demo = Demo::start(&directory);
    let first = demo.client("marco").await.rows(sql).await;
    let children: Vec<u32> = demo.domains().iter().map(|domain| demo.node_process(domain)).collect();
    assert!(demo.process.terminate().success());
    eventually("the nodes end with the demo", Duration::from_secs(5), || {
        children.iter().all(|child| !is_alive(*child)).then_some(())
    });
    assert!(!directory.join("demo.json").exists());

    let again = Demo::start(&directory);
    assert_eq!(again.client("marco").await.rows(sql).await, first);
    assert!(first.rows.len() >= 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_demo_takes_its_servers_along() {
    let parent = tempfile::tempdir().unwrap();
    let demo = Demo::start(&parent.path().join("demo"));
    let mut children: Vec<u32> = demo.domains().iter().map(|domain| demo.node_process(domain)).collect();
    children.push(u32::try_from(demo.state["gateway"]["process"].as_u64().unwrap()).unwrap());
    assert!(children.iter().all(|child| is_alive(*child)));
    drop(demo);
    eventually("the servers end with the demo", Duration::from_secs(10), || {
        children.iter().all(|child| !is_alive(*child)).then_some(())
    });
}

/// The demo holds the operator's key: who edits mesh.yaml need not sign it.
#[tokio::test(flavor = "multi_thread")]
async fn an_edited_mesh_yaml_is_signed_again_and_in_force() {
    let parent = tempfile::tempdir().unwrap();
    let demo = Demo::start(&parent.path().join("demo"));
    let mut rita = demo.client("rita").await;
    let sql = "select card from sales.orders where order_id = 1001";
    let end_of_card = vec![vec![Some("************1111".to_owned())]];
    assert_eq!(rita.rows(sql).await.rows, end_of_card);
    let file = demo.directory.join("mesh/mesh.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("mask: last(4)", "mask: redact")).unwrap();
    let redacted = vec![vec![Some("***".to_owned())]];
    eventually_async("the operator's mask", Duration::from_secs(20), async || {
        (rita.query(sql).await.ok()?.rows == redacted).then_some(())
    })
    .await;
    let copy = std::fs::read_to_string(demo.directory.join("sales/mesh.yaml")).unwrap();
    assert_eq!(copy, std::fs::read_to_string(&file).unwrap());
    assert!(copy.contains("version: 2\n") && copy.contains("mask: redact"), "{copy}");
}

fn rendered(view: &View) -> Rendered {
    let rows = view.rows.iter().map(|row| row.iter().map(|cell| cell.render()).collect()).collect();
    Rendered { columns: view.columns.clone(), rows }
}

fn documents(demo: &Path, domain: &str) -> Documents {
    let folder = demo.join(domain);
    Documents::read(domain, &demo.join("mesh/mesh.yaml"), &folder.join("products"), &folder.join("policies"))
}

fn personas(demo: &Path) -> Value {
    let text = std::fs::read_to_string(demo.join("mesh/personas.yaml")).unwrap();
    meshgate_oracle::yaml(&text)["personas"].clone()
}

/// Days since the epoch, in the demo's time zone.
fn today() -> i32 {
    let day = chrono::Utc::now().with_timezone(&chrono_tz::Europe::Berlin).date_naive();
    i32::try_from(day.signed_duration_since(chrono::NaiveDate::default()).num_days()).unwrap()
}
