//! Pseudonyms: what can be joined over them, and what cannot.

use meshgate_tests::mesh::{Mesh, MeshPlan};
use serde_json::{Value, json};

const MESH: &str = "
mesh: pseudonyms
timezone: UTC
roles: { path: $.roles }
pseudonyms: { person: { scope: mesh }, local: {}, unkeyed: { scope: mesh } }
";

/// Both domains have the table `people`, in different order and with one person of their own.
const CONTRACT: &str = "
apiVersion: v3.1.0
kind: DataContract
id: people
name: people
version: 1.0.0
status: active
servers: [ { server: files, environment: test, type: local, path: '../data/{model}.csv', format: csv } ]
schema:
  - name: people
    properties:
      - { name: id, logicalType: integer, required: true, classification: internal }
      - { name: name, logicalType: string, classification: internal }
      - { name: code, logicalType: integer, classification: internal }
      - { name: note, logicalType: string, classification: internal }
";
const SALES: &str = "id,name,code,note\n1,anna,4711,a\n2,bob,4712,b\n3,,4713,c\n4,dora,,d\n5,emil,4711,e\n";
const WEB: &str = "id,name,code,note\n4,dora,4714,p\n3,,4713,q\n2,bob,,r\n1,anna,4711,s\n9,zoe,4719,t\n";

fn policy(domain: &str) -> String {
    format!(
        "
domain: {domain}
owner: {domain}@larkfield.example
grants:
  - {{ id: masked, why: Counts persons., to: {{ roles: [analyst] }}, tables: [people], columns: all,
      masks: {{ id: pseudonym(person), name: pseudonym(person), code: pseudonym(local) }} }}
  - {{ id: unkeyed, why: Waits for a key., to: {{ roles: [waiting] }}, tables: [people], columns: [id, note],
      masks: {{ id: pseudonym(unkeyed) }} }}
  - {{ id: clear, why: Checks everything., to: {{ roles: [auditor] }}, tables: [people], columns: all }}
"
    )
}

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n";
const OTHER_KEY: &str = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=\n";

async fn start(web_key: &str) -> Mesh {
    let mut plan = MeshPlan::new(MESH, &["sales", "web"]);
    for (domain, data, key) in [("sales", SALES, KEY), ("web", WEB, web_key)] {
        plan = plan
            .file(&format!("{domain}/products/people.odcs.yaml"), CONTRACT)
            .file(&format!("{domain}/data/people.csv"), data)
            .file(&format!("{domain}/policies/{domain}.yaml"), policy(domain))
            .file(&format!("{domain}/person.key"), key);
    }
    plan.node_lines = "pseudonyms:\n  person: { keys: [ { id: 2026a, key: \"${file:person.key}\" } ] }\n  \
                       local: { keys: [ { id: only, key: \"${file:person.key}\" } ] }\n"
        .to_owned();
    plan.start().await
}

fn analyst() -> Value {
    json!({ "sub": "anna", "roles": ["analyst"] })
}

fn auditor() -> Value {
    json!({ "sub": "ivy", "roles": ["auditor"] })
}

fn joined(key: &str) -> String {
    format!(
        "select s.note, w.note as other from sales.people s join web.people w on s.{key} = w.{key} order by 1, 2"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a032_domains_join_on_pseudonyms_as_they_would_in_clear() {
    let mesh = start(KEY).await;
    let (mut masked, mut clear) = (mesh.client(&analyst()).await, mesh.client(&auditor()).await);
    for key in ["id", "name"] {
        let expected = clear.rows(&joined(key)).await;
        assert_eq!(masked.rows(&joined(key)).await, expected, "{key}");
        assert!(expected.rows.len() >= 3, "{expected:?}");
    }
    // A space of one domain says nothing beside another domain, also under one key; within it, it does.
    assert!(clear.rows(&joined("code")).await.rows.len() >= 3);
    assert!(masked.rows(&joined("code")).await.rows.is_empty());
    let within = "select count(*) as n from sales.people a join sales.people b on a.code = b.code";
    assert_eq!(masked.rows(within).await, clear.rows(within).await);
    // Nobody saw an id, NULL is NULL, and a pseudonym is never negative.
    let raw = masked
        .rows("select count(*) as n from sales.people where id < 1000 or code < 5000 or name in ('anna', 'bob')")
        .await;
    assert_eq!(raw.column(), ["0"]);
    let nulls = "select count(*) - count(name) as names, count(*) - count(code) as codes from sales.people";
    assert_eq!(masked.rows(nulls).await, clear.rows(nulls).await);
    let info = masked.plan("select id, name, code from sales.people").await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    for message in masked.messages(ticket).await.unwrap() {
        for raw in [b"anna".as_slice(), b"dora", &4711_i64.to_le_bytes()] {
            assert!(!message.data_body.windows(raw.len()).any(|window| window == raw), "{raw:?}");
        }
    }
    // The node's audit tells with which keys.
    let audit = std::fs::read_to_string(mesh.path("sales/audit.jsonl")).unwrap();
    let keys: Vec<Value> = audit
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["pseudonym_keys"].take())
        .collect();
    assert!(keys.contains(&json!(["local: only", "person: 2026a"])) && keys.contains(&json!([])), "{keys:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a032_under_another_key_nothing_fits() {
    let mesh = start(OTHER_KEY).await;
    let mut masked = mesh.client(&analyst()).await;
    for key in ["id", "name"] {
        assert!(masked.rows(&joined(key)).await.rows.is_empty(), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a032_without_its_key_a_table_cannot_be_read() {
    let mesh = start(KEY).await;
    let mut waiting = mesh.client(&json!({ "sub": "otto", "roles": ["waiting"] })).await;
    for sql in
        ["select * from sales.people", "select note from sales.people", "select count(*) from sales.people"]
    {
        let status = waiting.refused(sql).await;
        assert_eq!(status.code(), tonic::Code::Unavailable, "{sql}: {status:?}");
        assert!(!status.message().contains("unkeyed") && !status.message().contains("key"), "{status:?}");
    }
    // Who sees no pseudonyms of that space is served.
    assert_eq!(mesh.client(&auditor()).await.rows("select * from sales.people").await.rows.len(), 5);
    assert_eq!(mesh.client(&analyst()).await.rows("select * from sales.people").await.rows.len(), 5);
}
