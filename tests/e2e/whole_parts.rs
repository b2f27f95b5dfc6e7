//! What each domain is asked for: the largest parts of a statement that it can answer alone, and
//! rows of its tables where nodes and gateway do not speak the same form.

use std::collections::BTreeMap;

use meshgate_tests::mesh::{Mesh, MeshPlan, Taps};
use meshgate_tests::render::Rendered;
use serde_json::json;

const MESH: &str = "
mesh: parts
timezone: UTC
roles: { path: $.roles }
classifications: [public]
restrictions: []
";

/// Two tables in `a`, one in `b`; half of the rows of `a.orders` are nobody's.
fn plan(taps: Taps) -> MeshPlan {
    let contract = |name: &str, columns: &str| {
        format!(
            "apiVersion: v3.1.0\nkind: DataContract\nid: {name}\nname: {name}\nversion: 1.0.0\nstatus: active\n\
             servers: [{{ server: files, environment: test, type: local, path: \"../data/{{model}}.csv\", format: csv }}]\n\
             schema: [{{ name: {name}, properties: [{columns}] }}]\n"
        )
    };
    let column =
        |name: &str, kind: &str| format!("{{ name: {name}, logicalType: {kind}, classification: public }}");
    let policy = |domain: &str, tables: &str| format!("domain: {domain}\nowner: o@x\ngrants:\n{tables}");
    let grant = |table: &str, rows: &str| {
        format!(
            "  - {{ id: {table}, why: A test., to: {{ roles: [r] }}, tables: [{table}], columns: all{rows} }}\n"
        )
    };
    let orders: String = (0..1000)
        .map(|id| format!("{id},{},{},{}\n", id % 7, if id % 2 == 0 { "open" } else { "shut" }, id * 10))
        .collect();
    let parts: String = (0..2000).map(|id| format!("{id},{},{}\n", id % 1000, id % 13)).collect();
    let names: String = (0..7).map(|id| format!("{id},n{id}\n")).collect();
    let mut plan = MeshPlan::new(MESH, &["a", "b"])
        .file(
            "a/products/orders.odcs.yaml",
            contract(
                "orders",
                &[
                    column("id", "integer"),
                    column("customer", "integer"),
                    column("state", "string"),
                    column("total", "integer"),
                ]
                .join(", "),
            ),
        )
        .file(
            "a/products/parts.odcs.yaml",
            contract(
                "parts",
                &[column("id", "integer"), column("order_id", "integer"), column("pieces", "integer")]
                    .join(", "),
            ),
        )
        .file(
            "b/products/names.odcs.yaml",
            contract("names", &[column("id", "integer"), column("name", "string")].join(", ")),
        )
        .file("a/data/orders.csv", format!("id,customer,state,total\n{orders}"))
        .file("a/data/parts.csv", format!("id,order_id,pieces\n{parts}"))
        .file("b/data/names.csv", format!("id,name\n{names}"))
        .file(
            "a/policies/a.yaml",
            policy("a", &(grant("orders", ", rows: \"state = 'open'\"") + &grant("parts", ""))),
        )
        .file("b/policies/b.yaml", policy("b", &grant("names", "")));
    plan.taps = taps;
    plan
}

/// What a domain was asked for, and how many rows it gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    is_plan: bool,
    rows: usize,
}

async fn asked(mesh: &Mesh, sql: &str) -> (Rendered, BTreeMap<String, Vec<Asked>>) {
    let mut client = mesh.client(&json!({ "sub": "u", "roles": ["r"] })).await;
    mesh.exchanges();
    let result = client.query(sql).await.unwrap_or_else(|status| panic!("{sql}: {status:?}"));
    let mut asked: BTreeMap<String, Vec<Asked>> = BTreeMap::new();
    for exchange in mesh.exchanges() {
        let is_plan = exchange.is_part();
        asked
            .entry(exchange.domain.clone())
            .or_default()
            .push(Asked { is_plan, rows: exchange.answer.rows() });
    }
    (result, asked)
}

/// Statement, and for each domain how many rows it gives if it is asked for parts.
const STATEMENTS: [(&str, &[(&str, usize)]); 21] = [
    // The text joins the two tables of `a` by way of another domain's.
    (
        "select n.name, sum(p.pieces) from b.names n join a.orders o on o.customer = n.id join a.parts p on p.order_id = o.id where n.id < 3 group by 1 order by 1",
        &[("a", 430), ("b", 3)],
    ),
    (
        "select n.name, sum(p.pieces) from a.parts p, b.names n, a.orders o where o.customer = n.id and p.order_id = o.id and p.pieces > 11 group by 1 order by 1",
        &[("a", 77), ("b", 7)],
    ),
    ("select count(*), sum(total) from a.orders", &[("a", 1)]),
    (
        "select customer, count(*) c from a.orders group by customer having count(*) > 71 order by 1",
        &[("a", 3)],
    ),
    (
        "select o.customer, sum(p.pieces) from a.orders o join a.parts p on p.order_id = o.id where o.total > 9000 group by 1 order by 1",
        &[("a", 7)],
    ),
    ("select id, total from a.orders order by total desc limit 3", &[("a", 3)]),
    ("select id, total from a.orders order by total desc limit 2 offset 5", &[("a", 2)]),
    (
        "select id from a.orders where id not in (select order_id from a.parts where pieces > 11) order by 1",
        &[("a", 423)],
    ),
    (
        "select id, row_number() over (partition by customer order by total desc) n from a.orders where id < 20 order by 1",
        &[("a", 10)],
    ),
    (
        "select id from a.orders where id < 4 union all select order_id from a.parts where id < 3 order by 1",
        &[("a", 5)],
    ),
    (
        "select n.name, t.s from b.names n join (select customer, sum(total) s from a.orders group by customer) t on t.customer = n.id order by 1",
        &[("a", 7), ("b", 7)],
    ),
    (
        "select name, (select max(total) from a.orders) m from b.names where id < 2 order by 1",
        &[("a", 1), ("b", 2)],
    ),
    (
        "select n.name, count(*) from b.names n join a.orders o on o.customer = n.id where n.id = 3 group by 1",
        &[("a", 71), ("b", 1)],
    ),
    ("select (select count(*) from a.orders) a, (select count(*) from b.names) b", &[("a", 1), ("b", 1)]),
    (
        "select count(*) from (select id from b.names order by id limit 2) n cross join (select id, total from a.orders order by total desc limit 3) o",
        &[("a", 3), ("b", 2)],
    ),
    // Groups travel and not rows, below a join with a small table and below unions.
    (
        "select n.name, count(*), sum(p.pieces), min(p.id), max(p.id) from a.parts p join b.names n on p.pieces = n.id group by 1 order by 1",
        &[("a", 13), ("b", 7)],
    ),
    (
        "select s, count(*), sum(x) from (select pieces s, id x from a.parts union all select id, id * 2 from b.names) u group by s order by 1",
        &[("a", 13), ("b", 7)],
    ),
    (
        "select count(*), max(x) from (select id x from a.parts union all select id from b.names) u",
        &[("a", 1), ("b", 1)],
    ),
    // Not so where a row could fail that the join takes away, where all rows have to be seen at once, and where each
    // group has one row.
    (
        "select n.name, sum(p.pieces + 1) from a.parts p join b.names n on p.pieces = n.id group by 1 order by 1",
        &[("a", 2000), ("b", 7)],
    ),
    (
        "select s, avg(x) from (select pieces s, id x from a.parts union all select id, id * 2 from b.names) u group by s order by 1",
        &[("a", 2000), ("b", 7)],
    ),
    (
        "select n.name, sum(p.pieces) from a.parts p join b.names n on p.id = n.id group by 1, p.order_id order by 1",
        &[("a", 2000), ("b", 7)],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_domain_answers_the_largest_parts_that_it_can() {
    let (same, other) = (plan(Taps::Keep).start().await, plan(Taps::OtherEngine).start().await);
    for (sql, expected) in STATEMENTS {
        let (result, parts) = asked(&same, sql).await;
        let (again, scans) = asked(&other, sql).await;
        assert_eq!(result, again, "{sql}: the same answer from scans");
        assert!(scans.values().flatten().all(|asked| !asked.is_plan), "{sql}: {scans:?}");
        let rows: Vec<(&str, usize)> = parts
            .iter()
            .map(|(domain, asked)| (domain.as_str(), asked.iter().map(|asked| asked.rows).sum()))
            .collect();
        assert_eq!(rows, expected, "{sql}: {parts:?}");
    }
    same.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_over_two_tables_says_which_of_them_cannot_be_read() {
    for broken in ["orders", "parts"] {
        let mut plan = plan(Taps::Keep);
        let (_, content) =
            plan.files.iter_mut().find(|(path, _)| *path == format!("a/data/{broken}.csv")).unwrap();
        content.extend_from_slice(b"no number,1,2,3\n");
        let mesh = plan.start().await;
        let mut client = mesh.client(&json!({ "sub": "u", "roles": ["r"] })).await;
        let sql =
            "select count(*), sum(pieces), sum(total) from a.orders o join a.parts p on p.order_id = o.id";
        let status = client.refused(sql).await;
        assert_eq!(mesh.exchanges().len(), 1, "one part for both tables");
        assert!(
            status.message().starts_with(&format!("table `a.{broken}` cannot be read now")),
            "{status:?}"
        );
        mesh.stop().await;
    }
}
