//! Semi-join reduction: a domain learns keys of another one only as the other's owner discloses
//! them, gives fewer rows then, and the answer is the same in every case.

use std::collections::BTreeMap;
use std::time::Duration;

use meshgate_proto::v1::DomainQuery;
use meshgate_proto::v1::domain_query::Form;
use meshgate_tests::client::Client;
use meshgate_tests::eventually_async;
use meshgate_tests::mesh::{Mesh, MeshPlan, Taps};
use meshgate_tests::render::Rendered;
use prost::Message;
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(20);

const MESH: &str = "
mesh: joins
timezone: Europe/Berlin
roles: { path: $.roles }
classifications: [public]
restrictions:
  - { id: kept, why: A test., tables: [a.restricted], columns: [k], mask: redact }
";

/// Tables of `a`, all with the same rows; what their owner says of them.
const TABLES: [&str; 9] =
    ["open", "bounded", "silent", "elsewhere", "others", "masked", "restricted", "partial", "many"];

const GRANTS: &str = "
domain: a
owner: a@example
grants:
  - { id: all, why: A test., to: { roles: [r] }, tables: [open, bounded, silent, elsewhere, others, restricted, many], columns: all }
  - { id: masked, why: A test., to: { roles: [r] }, tables: [masked], columns: all, masks: { k: bucket(10) } }
  - { id: partial, why: A test., to: { roles: [r] }, tables: [partial], columns: all, rows: \"k >= 0 or k is null\" }
";

const DISCLOSURES: &str = "
disclosures:
  - { tables: [open, masked, restricted, partial, many], columns: [k, t, day, amount, moment, score, flag], join_keys: values, to_domains: [b], why: Joins. }
  - { tables: [bounded], columns: [k], join_keys: bounds, to_domains: [b] }
  - { tables: [elsewhere], columns: [k], join_keys: values, to_domains: [c] }
  - { tables: [others], columns: [t], join_keys: values, to_domains: [b] }
";

fn contract(table: &str) -> String {
    let columns = [
        ("k", "logicalType: integer"),
        ("t", "logicalType: string"),
        ("day", "logicalType: date"),
        ("amount", "logicalType: number, physicalType: 'decimal(8,2)'"),
        ("moment", "logicalType: timestamp"),
        ("score", "logicalType: number"),
        ("flag", "logicalType: boolean"),
        ("n", "logicalType: integer"),
    ];
    let columns: Vec<String> = columns
        .iter()
        .map(|(name, kind)| format!("{{ name: {name}, {kind}, classification: public }}"))
        .collect();
    format!(
        "apiVersion: v3.1.0\nkind: DataContract\nid: {table}\nname: {table}\nversion: 1.0.0\nstatus: active\n\
         servers: [{{ server: files, environment: test, type: local, path: \"../data/{{model}}.csv\", format: csv }}]\n\
         schema: [{{ name: {table}, properties: [{}] }}]\n",
        columns.join(", ")
    )
}

/// Rows of these keys, and as many without any.
fn rows(keys: impl IntoIterator<Item = i64>, nulls: usize) -> String {
    let mut text = "k,t,day,amount,moment,score,flag,n\n".to_owned();
    for (n, k) in keys.into_iter().enumerate() {
        let (day, second) = (k % 28 + 1, k % 60);
        let month = k / 28 % 12 + 1;
        let score = if k % 50 == 0 { "NaN".to_owned() } else { format!("{k}.5") };
        text.push_str(&format!(
            "{k},t{k},2026-{month:02}-{day:02},{k}.25,2026-{month:02}-{day:02}T10:00:{second:02},{score},{},{n}\n",
            k % 2 == 0
        ));
    }
    for n in 0..nulls {
        text.push_str(&format!(",,,,,,,{n}\n"));
    }
    text
}

/// `a` with tables of these keys, and `b` with the facts that they are joined with.
fn plan(keys: &[i64], taps: Taps) -> MeshPlan {
    let mut plan = MeshPlan::new(MESH, &["a", "b"])
        .file("a/policies/a.yaml", [GRANTS, DISCLOSURES].concat())
        .file(
            "b/policies/b.yaml",
            "domain: b\nowner: b@example\ngrants:\n  - { id: all, why: A test., to: { roles: [r] }, tables: [facts], columns: all }\n",
        )
        .file("b/products/facts.odcs.yaml", contract("facts"))
        .file("b/data/facts.csv", rows(0..8000, 5));
    for table in TABLES {
        let content = match table {
            "many" => rows(0..6000, 0),
            _ => rows(keys.iter().copied(), 2),
        };
        plan = plan
            .file(&format!("a/products/{table}.odcs.yaml"), contract(table))
            .file(&format!("a/data/{table}.csv"), content);
    }
    plan.taps = taps;
    plan
}

const KEYS: [i64; 8] = [7, 100, 150, 150, 333, 1234, 2000, 2001];

async fn client(mesh: &Mesh) -> Client {
    mesh.client(&json!({ "sub": "u", "roles": ["r"] })).await
}

/// What came of a statement: the answer, and what `b` was asked and how many rows it gave.
struct Came {
    answer: Rendered,
    asked: Vec<Vec<u8>>,
    rows: usize,
}

async fn ask(mesh: &Mesh, client: &mut Client, sql: &str) -> Came {
    mesh.exchanges();
    let answer = client.query(sql).await.unwrap_or_else(|status| panic!("{sql}: {status:?}")).sorted();
    let of_b: Vec<_> = mesh.exchanges().into_iter().filter(|exchange| exchange.domain == "b").collect();
    let timeless = |query: DomainQuery| DomainQuery { instant: 0, ..query }.encode_to_vec();
    let asked = of_b.iter().map(|exchange| timeless(exchange.query())).collect();
    Came { answer, asked, rows: of_b.iter().map(|exchange| exchange.answer.rows()).sum() }
}

/// When `b` gives fewer rows if keys of `{a}` are disclosed to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fewer {
    Always,
    /// Of several keys together only the bounds are told.
    ByBounds,
    /// Its groups and joins are its own: it is asked for parts and not for rows.
    OfParts,
    Never,
}

use Fewer::{Always, ByBounds, Never, OfParts};

/// Statements over `{a}`.
const STATEMENTS: [(&str, Fewer); 27] = [
    ("select {a}.n, f.n m from a.{a} join b.facts f on f.k = {a}.k", Always),
    ("select * from a.{a} join b.facts f on f.k = {a}.k", Always),
    ("select count(*), sum(f.n) from a.{a} join b.facts f on f.k = {a}.k where f.n > 100", Always),
    ("select {a}.n, f.n m from a.{a} left join b.facts f on f.k = {a}.k", Always),
    ("select {a}.n, f.n m from a.{a} right join b.facts f on f.k = {a}.k", Never),
    ("select {a}.n, f.n m from a.{a} full join b.facts f on f.k = {a}.k", Never),
    ("select n from a.{a} where exists (select 1 from b.facts f where f.k = {a}.k)", Always),
    ("select n from a.{a} where not exists (select 1 from b.facts f where f.k = {a}.k)", Always),
    ("select n from a.{a} where k in (select k from b.facts)", Always),
    ("select n from a.{a} where k not in (select k from b.facts)", Never),
    ("select count(*) from b.facts where k in (select k from a.{a})", Never),
    ("select count(*) from b.facts f where not exists (select 1 from a.{a} where {a}.k = f.k)", Never),
    ("select count(*) from b.facts where k not in (select k from a.{a} where k is not null)", Never),
    ("select {a}.n, f.n m from a.{a} join b.facts f on f.k is not distinct from {a}.k", Never),
    ("select {a}.n, f.n m from a.{a} join b.facts f on f.k = {a}.k and f.t = {a}.t", ByBounds),
    ("select {a}.n, f.n m from a.{a} join b.facts f on f.t = {a}.t", Always),
    ("select {a}.n, f.n m from a.{a} join b.facts f on f.amount = {a}.amount", Always),
    ("select {a}.n, count(*) from a.{a} join b.facts f on f.day = {a}.day group by 1", Always),
    ("select {a}.n, count(*) from a.{a} join b.facts f on f.moment = {a}.moment group by 1", Always),
    ("select {a}.n, count(*) from a.{a} join b.facts f on f.score = {a}.score group by 1", Never),
    ("select {a}.n, count(*) from a.{a} join b.facts f on f.k = {a}.k + 1 group by 1", Never),
    (
        "select {a}.n, f.s from a.{a} join (select k, sum(n) s from b.facts group by k) f on f.k = {a}.k",
        OfParts,
    ),
    (
        "select {a}.n, f.k from a.{a} join (select k from b.facts order by n limit 500) f on f.k = {a}.k",
        Never,
    ),
    (
        "select x.n, f.n m, g.n o from a.{a} x join b.facts f on f.k = x.k join b.facts g on g.k = f.k",
        OfParts,
    ),
    (
        "select x.n, f.n m, y.n o from a.{a} x join b.facts f on f.k = x.k join a.silent y on y.t = f.t",
        Always,
    ),
    ("select {a}.n, f.n m from a.{a} join b.facts f on f.k = {a}.k where {a}.k < 0", Never),
    ("select x.n, f.n m from (select * from a.{a} where k > 1000) x join b.facts f on f.k = x.k", Always),
];

#[tokio::test(flavor = "multi_thread")]
async fn with_disclosed_keys_a_domain_gives_fewer_rows_and_every_answer_is_the_same() {
    for taps in [Taps::Keep, Taps::OtherEngine] {
        let is_scan = matches!(taps, Taps::OtherEngine);
        let mesh = plan(&KEYS, taps).start().await;
        let mut client = client(&mesh).await;
        for (sql, fewer) in STATEMENTS {
            let [silent, open, bounded] = [
                ask(&mesh, &mut client, &sql.replace("{a}", "silent")).await,
                ask(&mesh, &mut client, &sql.replace("{a}", "open")).await,
                ask(&mesh, &mut client, &sql.replace("{a}", "bounded")).await,
            ];
            assert_eq!(silent.answer.rows, open.answer.rows, "{sql}");
            assert_eq!(silent.answer.rows, bounded.answer.rows, "{sql}");
            let told = format!("{sql} (scan: {is_scan}): {}, {}, {}", silent.rows, open.rows, bounded.rows);
            if fewer == Always || (fewer == OfParts && !is_scan) {
                assert!(open.rows * 5 <= silent.rows, "{told}");
                assert_ne!(open.asked, silent.asked, "{told}");
            } else if fewer == ByBounds {
                assert!(open.rows < silent.rows, "{told}");
            } else {
                assert_eq!((open.rows, &open.asked), (silent.rows, &silent.asked), "{told}");
            }
            assert!(open.rows <= bounded.rows && bounded.rows <= silent.rows, "{told}");
        }
        let bounds = "select {a}.n, f.n m from a.{a} join b.facts f on f.k = {a}.k";
        let rows = ask(&mesh, &mut client, &bounds.replace("{a}", "bounded")).await.rows;
        assert_eq!(rows, 2001 - 7 + 1, "from the least to the greatest");
        // More values than are told one by one.
        let rows = ask(&mesh, &mut client, &bounds.replace("{a}", "many")).await.rows;
        assert_eq!(rows, 6000);
        mesh.stop().await;
    }
}

/// Statements of which nothing may show in what `b` is asked, whatever the table holds.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_disclosure_that_holds_a_domain_is_asked_the_same_whatever_the_keys_are() {
    for other_engine in [false, true] {
        let taps = || if other_engine { Taps::OtherEngine } else { Taps::Keep };
        let (first, second) =
            (plan(&KEYS, taps()).start().await, plan(&[1, 2, 3, 4000, 5000], taps()).start().await);
        let (mut of_first, mut of_second) = (client(&first).await, client(&second).await);
        let join = "select {a}.n, f.n m from a.{a} join b.facts f on f.k = {a}.k";
        let mut same = Vec::new();
        for table in ["silent", "elsewhere", "others", "masked", "restricted", "partial"] {
            same.push(join.replace("{a}", table));
        }
        // Of an open table, too, where more than its own column decides.
        for sql in [
            "select f.n from (select k from a.open limit 3) x join b.facts f on f.k = x.k",
            "select f.n from (select distinct k from a.open) x join b.facts f on f.k = x.k",
            "select f.n from (select max(k) k from a.open) x join b.facts f on f.k = x.k",
            "select f.n from a.open x join a.silent y on y.t = x.t join b.facts f on f.k = x.k",
            "select f.n from (select k from a.open where n >= (select min(n) from a.silent)) x join b.facts f on f.k = x.k",
            "select f.n from (select k + 0 k from a.open) x join b.facts f on f.k = x.k",
            "select f.n from (select k from a.open union all select k from a.silent) x join b.facts f on f.k = x.k",
            "select count(*) from a.open x join b.facts f on f.n > x.k where x.n = 0",
        ] {
            same.push(sql.to_owned());
        }
        for sql in same {
            let (one, other) =
                (ask(&first, &mut of_first, &sql).await, ask(&second, &mut of_second, &sql).await);
            assert!(!one.asked.is_empty(), "{sql}");
            assert_eq!(one.asked, other.asked, "{sql}");
        }
        for table in ["open", "bounded"] {
            let sql = join.replace("{a}", table);
            let (one, other) =
                (ask(&first, &mut of_first, &sql).await, ask(&second, &mut of_second, &sql).await);
            assert_ne!(one.asked, other.asked, "{sql}");
        }
        // What of two keys is not disclosed does not show beside the one that is.
        let both = "select x.n from a.others x join b.facts f on f.k = x.k and f.t = x.t";
        let asked = ask(&first, &mut of_first, both).await.asked;
        let query = DomainQuery::decode(asked[0].as_slice()).unwrap();
        if let Some(Form::Scan(scan)) = query.form {
            let text = format!("{:?}", scan.predicates);
            assert!(text.contains("t100") && text.contains("t7"), "{text}");
            assert!(!text.contains("\"k\"") && !text.contains("Integer"), "{text}");
        } else {
            let text = String::from_utf8_lossy(&asked[0]).into_owned();
            assert!(text.contains("t100") && !other_engine, "{text}");
        }
        first.stop().await;
        second.stop().await;
    }
}

async fn record(mesh: &Mesh, id: &str) -> Value {
    let file = mesh.path("audit.jsonl");
    eventually_async("the record", LIMIT, async || {
        let text = std::fs::read_to_string(&file).unwrap();
        let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        records.into_iter().find(|record| record["query_id"] == id)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_says_what_is_told_to_whom_the_audit_how_much_and_a_withdrawal_ends_it() {
    let mesh = plan(&KEYS, Taps::Keep).start().await;
    let mut client = client(&mesh).await;
    let join =
        |table: &str| format!("select {table}.n, f.n m from a.{table} join b.facts f on f.k = {table}.k");
    let mut told = BTreeMap::new();
    for table in TABLES {
        let steps = client.rows(&format!("explain {}", join(table))).await.rows;
        let words: Vec<String> = steps.into_iter().map(|step| step[2].clone().unwrap()).collect();
        told.insert(table, words.into_iter().filter(|words| words.starts_with("tells ")).collect::<Vec<_>>());
    }
    let values = |table: &str| {
        format!(
            "tells the domain b the values of a.{table}.k, or of more than 5000 the least and the greatest, that it joins, so that it gives fewer rows: their owner discloses them"
        )
    };
    let bounds = "tells the domain b the least and the greatest value of a.bounded.k that it joins, so that it gives fewer rows: their owner discloses them";
    for (table, words) in told {
        match table {
            "open" | "many" => assert_eq!(words, [values(table)]),
            "bounded" => assert_eq!(words, [bounds]),
            _ => assert_eq!(words, [""; 0], "{table}"),
        }
    }
    for (table, expected) in [
        ("open", json!([{ "column": "a.open.k", "to_domain": "b", "values": 7 }])),
        ("bounded", json!([{ "column": "a.bounded.k", "to_domain": "b", "values": 2 }])),
        ("many", json!([{ "column": "a.many.k", "to_domain": "b", "values": 2 }])),
        ("silent", Value::Null),
        ("partial", Value::Null),
    ] {
        let info = client.plan(&join(table)).await.unwrap();
        client.batches(&info).await.unwrap();
        let notice: Value = serde_json::from_slice(&info.app_metadata).unwrap();
        let record = record(&mesh, notice["query_id"].as_str().unwrap()).await;
        assert_eq!(record["disclosed"], expected, "{table}");
    }

    // Without the gateway's doing: the node that has the keys takes no query under the old decision.
    let silent = ask(&mesh, &mut client, &join("silent")).await;
    std::fs::write(mesh.path("a/policies/a.yaml"), GRANTS).unwrap();
    eventually_async("nothing is told any more", LIMIT, async || {
        let came = ask(&mesh, &mut client, &join("open")).await;
        assert_eq!(came.answer.rows, silent.answer.rows);
        (came.rows == silent.rows).then_some(())
    })
    .await;
    mesh.stop().await;
}
