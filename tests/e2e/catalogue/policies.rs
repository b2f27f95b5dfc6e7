//! Policies of many shapes, each in a small mesh of its own.

use std::time::Duration;

use meshgate_tests::client::Client;
use meshgate_tests::eventually_async;
use meshgate_tests::fixture::{Format, MARKER, contract};
use meshgate_tests::mesh::{MeshPlan, http_status};
use serde_json::json;
use tonic::Code;

use super::case::Case;
use super::{Alice, Auditor, Otto, run};

const LIMIT: Duration = Duration::from_secs(20);

const MESH: &str = "
mesh: small
timezone: UTC
roles: { path: $.roles }
groups: { path: $.groups }
claims:
  level: { path: $.level, type: integer }
classifications: [public, internal]
tags: { contact: How to reach a person. }
restrictions: []
";

/// One more grant with this key.
macro_rules! grant {
    ($key:literal) => {
        concat!("  - { id: g, why: G., to: { roles: [reader] }, tables: [t], columns: all, ", $key, " }")
    };
}

/// A domain with one table, its columns by name and type, its rows as CSV without a header.
fn domain(plan: MeshPlan, name: &str, columns: &[(&str, &str)], rows: &str, policy: &str) -> MeshPlan {
    let header: Vec<&str> = columns.iter().map(|(column, _)| *column).collect();
    plan.file(&format!("{name}/products/t.odcs.yaml"), contract(name, "t", Format::Csv, &properties(columns)))
        .file(&format!("{name}/data/t.csv"), format!("{}\n{rows}", header.join(",")))
        .file(&format!("{name}/policies/{name}.yaml"), policy)
}

/// `type` may go on with other keys of a property.
fn properties(columns: &[(&str, &str)]) -> String {
    let property = |(name, kind): &(&str, &str)| {
        format!("\n      - {{ name: {name}, logicalType: {kind}, classification: internal }}")
    };
    columns.iter().map(property).collect::<String>() + "\n"
}

/// All cells as text.
async fn cells(client: &mut Client, sql: &str) -> Vec<Vec<String>> {
    let cell = |cell: Option<String>| cell.unwrap_or_else(|| "NULL".to_owned());
    client.rows(sql).await.rows.into_iter().map(|row| row.into_iter().map(cell).collect()).collect()
}

fn row(cells: &[&str]) -> Vec<String> {
    cells.iter().map(ToString::to_string).collect()
}

async fn ids(client: &mut Client, sql: &str) -> Option<Vec<String>> {
    client.query(sql).await.ok().map(|rows| rows.column())
}

#[test]
fn a004_grants_add_up_and_restrictions_take_away() {
    const ROWS: [(i64, Option<&str>, Option<i64>); 9] = [
        (1, Some("a"), Some(1)),
        (2, Some("a"), Some(5)),
        (3, Some("b"), Some(1)),
        (4, Some("b"), Some(5)),
        (5, Some("c"), Some(1)),
        (6, None, Some(1)),
        (7, Some("a"), None),
        (8, Some("b"), None),
        (9, None, None),
    ];
    const POLICY: &str = "
domain: d
owner: d@larkfield.example
grants:
  - { id: one, why: One., to: { roles: [one] }, tables: [t], columns: all, rows: \"kind = 'a'\" }
  - { id: two, why: Two., to: { groups: [two] }, tables: [t], columns: all, rows: \"kind = 'b'\" }
restrictions:
  - { id: limit, why: Limited., tables: [t], to: { roles: [limited] }, unless: [ { roles: [exempt] } ], rows: \"level < 3\" }
";
    run(async |case| {
        let text = |value: Option<String>| value.unwrap_or_default();
        let rows: String = ROWS
            .iter()
            .map(|(id, kind, level)| {
                format!(
                    "{id},{},{}\n",
                    text(kind.map(str::to_owned)),
                    text(level.map(|level| level.to_string()))
                )
            })
            .collect();
        let columns = [("id", "integer"), ("kind", "string"), ("level", "integer")];
        let mesh = domain(MeshPlan::new(MESH, &["d"]), "d", &columns, &rows, POLICY).start().await;
        for number in 0..16 {
            let [one, two, limited, exempt] = [1, 2, 4, 8].map(|bit| number & bit != 0);
            let named = [(one, "one"), (limited, "limited"), (exempt, "exempt")];
            let roles: Vec<&str> = named.iter().filter(|(has, _)| *has).map(|(_, role)| *role).collect();
            let groups: Vec<&str> = if two { vec!["two"] } else { Vec::new() };
            let claims = json!({ "sub": format!("p{number}"), "roles": roles, "groups": groups });
            let sees = |kind: Option<&str>, level: Option<i64>| {
                ((one && kind == Some("a")) || (two && kind == Some("b")))
                    && (!limited || exempt || level.is_some_and(|level| level < 3))
            };
            let visible = ROWS.iter().filter(|(_, kind, level)| sees(*kind, *level));
            let expected: Vec<String> = visible.map(|(id, _, _)| id.to_string()).collect();
            let seen = ids(&mut mesh.client(&claims).await, "select id from d.t order by id").await;
            case.equal(seen, (one || two).then_some(expected), &format!("{claims}"));
        }
        mesh.stop().await;
    });
}

/// A mesh of one domain for each policy, and one whose policy is right. The others are denied, without a
/// word about why, and readiness tells.
async fn assert_denied(case: &mut Case, rules: &[(&str, &str)]) {
    let good = "{ id: all, why: All., to: { everyone: true }, tables: [t], columns: all }";
    let names: Vec<String> = (0..rules.len()).map(|number| format!("d{number}")).collect();
    let mut domains: Vec<&str> = names.iter().map(String::as_str).collect();
    domains.push("fine");
    let mut plan = MeshPlan::new(MESH, &domains);
    let columns = [("id", "integer"), ("a", "string"), ("day", "date"), ("n", "integer")];
    let rows = "1,x,2026-01-01,1\n2,y,2026-01-02,2\n";
    for (name, rule) in
        names.iter().map(String::as_str).zip(rules.iter().map(|(_, rule)| *rule)).chain([("fine", "")])
    {
        let policy = format!("domain: {name}\nowner: o@larkfield.example\ngrants:\n  - {good}\n{rule}\n");
        plan = domain(plan, name, &columns, rows, &policy);
    }
    let mesh = plan.start_unready().await;
    let mut client = mesh.client(&json!({ "sub": "p", "roles": ["reader"] })).await;
    eventually_async("the domain that is right", LIMIT, async || {
        (ids(&mut client, "select id from fine.t").await?.len() == 2).then_some(())
    })
    .await;
    for (name, (what, rule)) in names.iter().zip(rules) {
        let hidden = client.refused(&format!("select id from {name}.t")).await;
        case.equal(hidden.code(), Code::NotFound, &format!("{what}: {rule}"));
        let missing = client.refused(&format!("select id from {name}.u")).await;
        let alike = |status: &tonic::Status, table: &str| {
            meshgate_tests::client::answer(status).replace(table, &format!("{name}.x"))
        };
        let (hidden, missing) = (alike(&hidden, &format!("{name}.t")), alike(&missing, &format!("{name}.u")));
        case.equal(hidden, missing, what);
    }
    case.equal(http_status(mesh.gateway_http, "/readyz").await, 503, "readiness");
    mesh.stop().await;
}

#[test]
fn a019_a_policy_with_a_mistake_denies_its_domain_and_no_other() {
    run(async |case| {
        assert_denied(
            case,
            &[
                ("unknown column", grant!("rows: \"nothing = 1\"")),
                ("wrong type", grant!("rows: \"id = 'x'\"")),
                ("not a condition", grant!("rows: \"id + 1\"")),
                ("aggregate", grant!("rows: \"count(*) > 0\"")),
                ("window", grant!("rows: \"row_number() over (order by id) = 1\"")),
                ("subquery", grant!("rows: \"id in (select id from t)\"")),
                ("syntax", grant!("rows: \"id = = 1\"")),
                ("unknown function", grant!("rows: \"pg_sleep(1) is null\"")),
                ("volatile", grant!("rows: \"random() < 1\"")),
                ("can fail", grant!("rows: \"cast(a as int) = 1\"")),
                ("unknown claim", grant!("rows: \"claim('nobody') = a\"")),
                ("a restriction", "restrictions:\n  - { id: r, why: R., rows: \"nothing = 1\" }"),
                ("unknown key", grant!("filter: \"id = 1\"")),
                ("no expression", grant!("rows: 1")),
            ],
        )
        .await;
    });
}

#[test]
fn a031_a_mask_of_another_type_denies_its_domain() {
    run(async |case| {
        assert_denied(
            case,
            &[
                ("text for a number", grant!("masks: { n: constant('x') }")),
                ("number for a text", grant!("masks: { a: constant(1) }")),
                ("characters of a date", grant!("masks: { day: last(4) }")),
                ("year of a text", grant!("masks: { a: year }")),
                ("an expression of another type", grant!("masks: { n: { sql: \"a\" } }")),
                ("a null of YAML", grant!("masks: { a: null }")),
                ("a mask that can fail", grant!("masks: { n: { sql: \"cast(a as bigint)\" } }")),
                ("an unknown mask", grant!("masks: { a: scramble }")),
                ("a column that is not there", grant!("masks: { nothing: redact }")),
            ],
        )
        .await;
    });
}

#[test]
fn a020_a_filter_without_a_match_is_no_missing_grant() {
    run(async |case| {
        let sources = std::sync::Arc::clone(&case.sources);
        for source in sources.iter() {
            let elsewhere = json!({ "sub": "alice", "tenant": "nowhere" });
            let mut client = source.mesh.client(&elsewhere).await;
            let rows = client.rows("select * from hr.people").await;
            case.equal(rows.columns, ["id", "name", "ssn", "tenant"].map(str::to_owned).to_vec(), "columns");
            case.equal(rows.rows.len(), 0, "rows");
            case.equal(
                client.rows("select count(*) from hr.people").await.column(),
                vec!["0".to_owned()],
                "count",
            );
            let told = client.refused("select * from fin.ledger").await;
            case.equal(told.code(), Code::NotFound, "no grant");
            let told = source.client(Otto).refused("select * from hr.people").await;
            case.equal(told.code(), Code::NotFound, "no grant");
        }
        case.rows(&[Alice, Auditor], &["select * from hr.people"]).await;
    });
}

#[test]
fn a028_a029_a030_masks_and_filters_read_raw_cells() {
    const POLICY: &str = "
domain: d
owner: d@larkfield.example
grants:
  - id: masked
    why: Masked.
    to: { roles: [reader] }
    tables: [t]
    columns: [id, a, b, e]
    rows: \"b = 'raw-b' or c = 'SECRET-c2'\"
    masks:
      a: { sql: \"b || '/' || left(a, 1)\" }
      b: { sql: \"left(a, 3) || '/' || left(b, 1)\" }
      e: { sql: \"case when c = 'SECRET-c1' then 'first' else 'other' end\" }
";
    run(async |case| {
        let columns = ["id", "a", "b", "c", "e"].map(|name| (name, "string"));
        let rows = "1,raw-a,raw-b,SECRET-c1,x\n2,raw-a,other,SECRET-c2,x\n3,raw-a,other,SECRET-c3,x\n";
        let mesh = domain(MeshPlan::new(MESH, &["d"]), "d", &columns, rows, POLICY).start().await;
        let mut client = mesh.client(&json!({ "sub": "p", "roles": ["reader"] })).await;
        // No mask of a mask, in whichever order; the hidden column decides and does not show.
        let expected =
            vec![row(&["1", "raw-b/r", "raw/r", "first"]), row(&["2", "other/r", "raw/o", "other"])];
        case.equal(cells(&mut client, "select * from d.t order by id").await, expected, "all columns");
        // Columns that a mask needs need not be selected.
        let expected = vec![row(&["first"]), row(&["other"])];
        case.equal(cells(&mut client, "select e from d.t order by id").await, expected, "one column");
        let expected = vec![row(&["raw-b/r"])];
        case.equal(
            cells(&mut client, "select a from d.t where a like 'raw%'").await,
            expected,
            "the caller's predicate sees the mask",
        );
        for sql in ["select * from d.t", "select e from d.t", "select a, e from d.t where b <> 'x'"] {
            let info = client.plan(sql).await.unwrap();
            let messages = client.messages(meshgate_tests::client::ticket(&info)).await.unwrap();
            let text = format!("{messages:?}");
            case.check(!text.contains(MARKER), sql);
        }
        case.equal(client.refused("select c from d.t").await.code(), Code::InvalidArgument, "it is hidden");
        mesh.stop().await;
    });
}

#[test]
fn a036_a_mask_by_tag_meets_columns_that_come_later() {
    run(async |case| {
        let restriction = "restrictions:
  - { id: contacts, why: Not for everybody., columns: { tags: [contact] }, unless: [ { roles: [office] } ], mask: redact }
  - { id: names, why: By name., columns: [\"*_name\"], unless: [ { roles: [office] } ], mask: first(1) }";
        let mesh_yaml = MESH.replace("restrictions: []", restriction);
        let policy = "domain: d\nowner: o\ngrants:\n  - { id: all, why: All., to: { everyone: true }, tables: [t], columns: all }\n";
        let columns = [
            ("id", "integer"),
            ("email", "string, tags: [contact]"),
            ("last_name", "string"),
            ("fax", "string, tags: [contact]"),
            ("first_name", "string"),
        ];
        let plan = domain(MeshPlan::new(&mesh_yaml, &["d"]), "d", &columns, "1,e@x,Bell,555,Ada\n", policy);
        // The contract names the last two later.
        let early = contract("d", "t", Format::Csv, &properties(&columns[..3]));
        let mesh = plan.file("d/products/t.odcs.yaml", early).start().await;
        let mut person = mesh.client(&json!({ "sub": "p" })).await;
        let mut office = mesh.client(&json!({ "sub": "o", "roles": ["office"] })).await;
        let sql = "select * from d.t";
        case.equal(cells(&mut person, sql).await, vec![row(&["1", "***", "B***"])], "before");
        let late = contract("d", "t", Format::Csv, &properties(&columns));
        std::fs::write(mesh.path("d/products/t.odcs.yaml"), late).unwrap();
        eventually_async("the new columns", LIMIT, async || {
            let columns = person.query(sql).await.ok()?.columns.len();
            (columns == 5).then_some(())
        })
        .await;
        let masked = vec![row(&["1", "***", "B***", "***", "A**"])];
        case.equal(cells(&mut person, sql).await, masked, "the new columns are masked");
        let raw = vec![row(&["1", "e@x", "Bell", "555", "Ada"])];
        case.equal(cells(&mut office, sql).await, raw, "the twin");
        mesh.stop().await;
    });
}

#[test]
fn a037_a_column_that_a_node_adds_is_hidden_until_it_is_granted() {
    run(async |case| {
        let policy = |columns: &str| {
            format!(
                "domain: d\nowner: o\ngrants:\n  - {{ id: g, why: G., to: {{ everyone: true }}, tables: [t], columns: {columns} }}\n"
            )
        };
        let columns = [("id", "integer"), ("name", "string"), ("iban", "string")];
        let plan =
            domain(MeshPlan::new(MESH, &["d"]), "d", &columns, "1,Ada,SECRET-iban\n", &policy("[id, name]"));
        let early = contract("d", "t", Format::Csv, &properties(&columns[..2]));
        let mesh = plan.file("d/products/t.odcs.yaml", early).start().await;
        let mut client = mesh.client(&json!({ "sub": "p" })).await;
        let names = async |client: &mut Client| client.rows("select * from d.t").await.columns;
        case.equal(names(&mut client).await, vec!["id".to_owned(), "name".to_owned()], "not in the contract");
        let late = contract("d", "t", Format::Csv, &properties(&columns)).replace("1.0.0", "1.1.0");
        std::fs::write(mesh.path("d/products/t.odcs.yaml"), late).unwrap();
        // Which contract is in force shows by the version of a permitted table only; the grant to come shows
        // that the column is there.
        for _ in 0..10 {
            case.equal(names(&mut client).await.len(), 2, "in the contract, not granted");
            case.check(client.query("select iban from d.t").await.is_err(), "it does not exist");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        std::fs::write(mesh.path("d/policies/d.yaml"), policy("[id, name, iban]")).unwrap();
        eventually_async("the grant", LIMIT, async || {
            (client.query("select iban from d.t").await.ok()?.rows.len() == 1).then_some(())
        })
        .await;
        case.equal(names(&mut client).await.len(), 3, "granted");
        mesh.stop().await;
    });
}

#[test]
fn a112_two_masks_on_one_cell() {
    const MASKS: [&str; 3] = ["nullify", "last(2)", "redact"];
    /// Of the cells `abcdef` and NULL.
    fn masked(mask: &str) -> [Option<String>; 2] {
        match mask {
            "nullify" => [None, None],
            "last(2)" => [Some("****ef".to_owned()), None],
            _ => [Some("***".to_owned()), Some("***".to_owned())],
        }
    }
    run(async |case| {
        let names: Vec<String> = (0..9).map(|number| format!("c{number}")).collect();
        let mut columns = vec![("id", "integer")];
        columns.extend(names.iter().map(|name| (name.as_str(), "string")));
        let (mut grant, mut restrictions) = (Vec::new(), String::new());
        for (number, name) in names.iter().enumerate() {
            let (of_grant, of_restriction) = (MASKS[number / 3], MASKS[number % 3]);
            grant.push(format!("{name}: {of_grant}"));
            restrictions += &format!(
                "  - {{ id: r{number}, why: R., tables: [t], columns: [{name}], unless: [ {{ roles: [office] }} ], mask: {of_restriction} }}\n"
            );
        }
        let policy = format!(
            "domain: d\nowner: o\ngrants:\n  - {{ id: g, why: G., to: {{ everyone: true }}, tables: [t], columns: all, masks: {{ {} }} }}\nrestrictions:\n{restrictions}",
            grant.join(", ")
        );
        let rows = format!("1{}\n2{}\n", ",abcdef".repeat(9), ",".repeat(9));
        let mesh = domain(MeshPlan::new(MESH, &["d"]), "d", &columns, &rows, &policy).start().await;
        for (claims, restricted) in
            [(json!({ "sub": "p" }), true), (json!({ "sub": "o", "roles": ["office"] }), false)]
        {
            let rows = mesh.client(&claims).await.rows("select * from d.t order by id").await.rows;
            for (number, name) in names.iter().enumerate() {
                let (of_grant, of_restriction) = (MASKS[number / 3], MASKS[number % 3]);
                // Two different masks never combine.
                let shown = if !restricted || of_grant == of_restriction {
                    masked(of_grant)
                } else {
                    masked("redact")
                };
                let seen = [rows[0][number + 1].clone(), rows[1][number + 1].clone()];
                case.equal(seen, shown, &format!("{name}: {of_grant}, {of_restriction}, {claims}"));
            }
        }
        mesh.stop().await;
    });
}

#[test]
fn a113_policy_expressions_fail_on_no_row() {
    // On each row something in these has no value: a text that is no number, numbers at the end of their
    // range, NULL, empty texts.
    const POLICY: &str = "
domain: d
owner: o
grants:
  - id: g
    why: G.
    to: { everyone: true }
    tables: [t]
    columns: all
    rows: \"(try_cast(code as bigint) > 10 or code is null) and abs(n) * n - n * 2 is not null and n / 3 <> 7 and length(left(code || 'x', 3)) < 9 and coalesce(day + 7 > date_trunc('year', day), true)\"
    masks: { n: { sql: \"abs(value) + value * value\" }, code: { sql: \"substring(replace(value, '1', ''), 1, 3)\" }, day: year }
";
    run(async |case| {
        let columns = [("id", "integer"), ("code", "string"), ("n", "integer"), ("day", "date")];
        let rows = format!(
            "1,11,1,2026-05-06\n2,SECRET-code,{},9999-12-31\n3,22,{},0001-01-01\n4,,{},2026-01-01\n5,\"\",3,2026-01-01\n6,33,-5,\n7,99999999999999999999,4,2026-01-01\n",
            i64::MAX,
            i64::MIN,
            i64::MAX
        );
        let mesh = domain(MeshPlan::new(MESH, &["d"]), "d", &columns, &rows, POLICY).start().await;
        let mut client = mesh.client(&json!({ "sub": "p" })).await;
        for (sql, expected) in [
            ("select id from d.t where id not in (4) order by id", "1 3 6"),
            ("select n from d.t where id in (1, 6) order by id", "2 30"),
            ("select code from d.t where id in (1, 3, 6) order by id", " 22 33"),
            ("select day from d.t where id in (1, 3) order by id", "2026-01-01 0001-01-01"),
        ] {
            case.equal(client.rows(sql).await.column().join(" "), expected.to_owned(), sql);
        }
        mesh.stop().await;
    });
}

#[test]
fn a117_all_domains_of_a_statement_have_one_instant_and_one_day() {
    const ZONES: [&str; 2] = ["Pacific/Kiritimati", "Pacific/Pago_Pago"];
    run(async |case| {
        let mut days = Vec::new();
        for zone in ZONES {
            let mesh_yaml = MESH.replace("timezone: UTC", &format!("timezone: {zone}"));
            let today =
                || chrono::Utc::now().with_timezone(&zone.parse::<chrono_tz::Tz>().unwrap()).date_naive();
            let (from, columns) = (today(), [("id", "integer"), ("day", "date")]);
            let rows: String = (0..7)
                .map(|number| format!("{number},{}\n", from + chrono::Duration::days(number - 3)))
                .collect();
            let policy = |name: &str| {
                format!(
                    "domain: {name}\nowner: o\ngrants:\n  - {{ id: g, why: G., to: {{ everyone: true }}, tables: [t], columns: all, rows: \"day = today()\" }}\n"
                )
            };
            let plan = domain(MeshPlan::new(&mesh_yaml, &["a", "b"]), "a", &columns, &rows, &policy("a"));
            let mesh = domain(plan, "b", &columns, &rows, &policy("b")).start().await;
            let mut client = mesh.client(&json!({ "sub": "p" })).await;
            // What the caller's SQL, the policy of one domain and that of the other take for today.
            let sql = "select a.day, b.day, current_date, cast(now() as date) from a.t a cross join b.t b";
            let seen = cells(&mut client, sql).await;
            case.equal(seen.len(), 1, "one day of each domain");
            let day = seen[0][0].clone();
            case.check(seen[0].iter().all(|other| *other == day), &format!("{zone}: {seen:?}"));
            case.check([from, today()].map(|day| day.to_string()).contains(&day), &format!("{zone}: {day}"));
            let sql = "select now() from a.t union select now() from b.t union select now()";
            case.equal(cells(&mut client, sql).await.len(), 1, "one instant");
            days.push(day);
            mesh.stop().await;
        }
        // 25 hours apart: never the same day.
        case.check(days[0] != days[1], "the zone counts");
    });
}

/// One more table in the domain `d`.
fn with_table(plan: MeshPlan, name: &str, columns: &[(&str, &str)], rows: &str) -> MeshPlan {
    let header: Vec<&str> = columns.iter().map(|(column, _)| *column).collect();
    let contract = contract("d", name, Format::Csv, &properties(columns));
    plan.file(&format!("d/products/{name}.odcs.yaml"), contract)
        .file(&format!("d/data/{name}.csv"), format!("{}\n{rows}", header.join(",")))
}

#[test]
fn a017_a_lookup_reads_what_the_caller_cannot() {
    const POLICY: &str = "
domain: d
owner: o
lookups:
  mine: { of: entitlements, key: region, where: \"person = subject()\" }
  chief: { of: entitlements, key: person, where: \"remark = 'SECRET-chief'\" }
grants:
  - { id: own, why: Own regions., to: { roles: [reader] }, tables: [t], columns: [id, region, card], rows: \"in_lookup('mine', region)\", masks: { card: { sql: \"case when in_lookup('chief', subject()) then value else '***' end\" } } }
  - { id: orders-of-parcels, why: As seen., to: { roles: [reader] }, tables: [u], columns: all, rows: \"in_lookup('visible', t_id)\" }
";
    run(async |case| {
        let columns = ["id", "region", "card"].map(|name| (name, "string"));
        let rows = "1,DE,SECRET-1\n2,FR,SECRET-2\n3,IT,SECRET-3\n4,,SECRET-4\n";
        let policy = POLICY.replace("grants:", "  visible: { of: t, key: id, as: caller }\ngrants:");
        let plan = domain(MeshPlan::new(MESH, &["d"]), "d", &columns, rows, &policy);
        let entitlements = "anna,DE,x\nanna,FR,SECRET-chief\nben,IT,SECRET-y\nben,,x\ncleo,XX,x\n";
        let plan = with_table(
            plan,
            "entitlements",
            &["person", "region", "remark"].map(|n| (n, "string")),
            entitlements,
        );
        let plan = with_table(plan, "u", &[("id", "string"), ("t_id", "string")], "a,1\nb,2\nc,3\nd,4\ne,\n");
        let mesh = plan.start().await;
        for (person, regions, of_u) in [
            ("anna", vec![row(&["1", "DE", "SECRET-1"]), row(&["2", "FR", "SECRET-2"])], "a b"),
            ("ben", vec![row(&["3", "IT", "***"])], "c"),
            ("cleo", vec![], ""),
            ("dan", vec![], ""),
        ] {
            let mut client = mesh.client(&json!({ "sub": person, "roles": ["reader"] })).await;
            case.equal(cells(&mut client, "select * from d.t order by id").await, regions, person);
            case.equal(
                client.rows("select id from d.u order by id").await.column().join(" "),
                of_u.to_owned(),
                person,
            );
            // Who is looked up in it gets no right to read it.
            let told = |status: &tonic::Status, name: &str| {
                meshgate_tests::client::answer(status).replace(name, "x")
            };
            let hidden = client.refused("select * from d.entitlements").await;
            let missing = client.refused("select * from d.nothing").await;
            case.equal(told(&hidden, "entitlements"), told(&missing, "nothing"), person);
            let info = client.plan("select id, region from d.t").await.unwrap();
            let messages = client.messages(meshgate_tests::client::ticket(&info)).await.unwrap();
            case.check(!format!("{messages:?}").contains(MARKER), person);
        }
        let mut outsider = mesh.client(&json!({ "sub": "anna" })).await;
        case.equal(outsider.refused("select * from d.t").await.code(), Code::NotFound, "no grant");
        mesh.stop().await;
    });
}

#[test]
fn a018_a_policy_that_comes_back_to_itself_denies_its_domain() {
    run(async |case| {
        let uses = grant!("rows: \"in_lookup('a', id)\"");
        let lookups = [
            ("itself", "  a: { of: t, key: id, where: \"in_lookup('a', id)\" }"),
            (
                "each other",
                "  a: { of: t, key: id, where: \"in_lookup('b', id)\" }\n  b: { of: t, key: id, where: \"in_lookup('a', id)\" }",
            ),
            ("its own table as the caller sees it", "  a: { of: t, key: id, as: caller }"),
            (
                "through another",
                "  a: { of: t, key: id, where: \"in_lookup('b', id)\" }\n  b: { of: t, key: id, as: caller }",
            ),
            ("a table that is not there", "  a: { of: nothing, key: id }"),
            ("a table of another domain", "  a: { of: fine.t, key: id }"),
            ("a key of another type", "  a: { of: t, key: day }"),
        ];
        let rules: Vec<(&str, String)> =
            lookups.iter().map(|(what, text)| (*what, format!("{uses}\nlookups:\n{text}"))).collect();
        let rules: Vec<(&str, &str)> = rules.iter().map(|(what, rule)| (*what, rule.as_str())).collect();
        assert_denied(case, &rules).await;
        // Its own raw table is no circle.
        let columns = [("id", "integer"), ("kind", "string")];
        let policy = "domain: d\nowner: o\nlookups:\n  kinds: { of: t, key: kind, where: \"id = 1\" }\ngrants:\n  - { id: g, why: G., to: { everyone: true }, tables: [t], columns: all, rows: \"in_lookup('kinds', kind)\" }\n";
        let plan = domain(MeshPlan::new(MESH, &["d"]), "d", &columns, "1,a\n2,b\n3,a\n", policy);
        let mesh = plan.start().await;
        let mut client = mesh.client(&json!({ "sub": "p" })).await;
        let seen = ids(&mut client, "select id from d.t order by id").await;
        case.equal(seen, Some(row(&["1", "3"])), "the twin");
        mesh.stop().await;
    });
}

#[test]
fn a111_null_in_a_lookup_opens_nothing() {
    /// Name of a role, its row predicate, and the ids of the rows for which it is TRUE.
    const ROLES: [(&str, &str, &[&str]); 10] = [
        ("in-null", "in_lookup('holes', v)", &["1"]),
        ("not-in-null", "not in_lookup('holes', v)", &[]),
        ("in-whole", "in_lookup('whole', v)", &["1"]),
        ("not-in-whole", "not in_lookup('whole', v)", &["2"]),
        ("in-empty", "in_lookup('empty', v)", &[]),
        ("not-in-empty", "not in_lookup('empty', v)", &["1", "2"]),
        ("null-or", "not in_lookup('holes', v) or id = 3", &["3"]),
        ("null-and", "in_lookup('holes', v) and not in_lookup('whole', v)", &[]),
        ("unknown", "in_lookup('holes', v) is null", &["2", "3"]),
        ("not-claim", "not in_lookup('level', v)", &["2"]),
    ];
    run(async |case| {
        let grants: String = ROLES
            .iter()
            .map(|(role, rows, _)| {
                format!(
                    "  - {{ id: {role}, why: R., to: {{ roles: [{role}] }}, tables: [t], columns: all, rows: \"{rows}\" }}\n"
                )
            })
            .collect();
        let policy = format!(
            "domain: d\nowner: o\nlookups:
  holes: {{ of: k, key: v, where: \"kind = 'n'\" }}
  whole: {{ of: k, key: v, where: \"kind = 'w'\" }}
  empty: {{ of: k, key: v, where: \"kind = 'nothing'\" }}
  level: {{ of: k, key: v, where: \"kind = 'w' and v <= claim('level')\" }}
grants:\n{grants}"
        );
        let columns = [("id", "integer"), ("v", "integer")];
        let plan = domain(MeshPlan::new(MESH, &["d"]), "d", &columns, "1,1\n2,2\n3,\n", &policy);
        let plan = with_table(plan, "k", &[("kind", "string"), ("v", "integer")], "n,1\nn,\nw,1\n,5\n");
        let mesh = plan.start().await;
        for (at, (role, rows, of_one)) in ROLES.iter().enumerate() {
            // Alone, and with each other one.
            for (other, _, of_other) in &ROLES[at..] {
                let claims = json!({ "sub": "p", "roles": [role, other], "level": 7 });
                let mut expected: Vec<String> =
                    of_one.iter().chain(*of_other).map(ToString::to_string).collect();
                expected.sort();
                expected.dedup();
                let seen = ids(&mut mesh.client(&claims).await, "select id from d.t order by id").await;
                case.equal(seen, Some(expected), &format!("{role} ({rows}) and {other}"));
            }
        }
        // Without the claim that the lookup reads, the grant does not apply.
        let mut without = mesh.client(&json!({ "sub": "p", "roles": ["not-claim"] })).await;
        case.equal(ids(&mut without, "select id from d.t").await, None, "no claim");
        mesh.stop().await;
        assert_denied(
            case,
            &[
                ("NULL in a list", grant!("rows: \"n not in (1, null)\"")),
                ("NOT IN of a subquery", grant!("rows: \"n not in (select n from t)\"")),
                ("NOT EXISTS", grant!("rows: \"not exists (select 1 from t)\"")),
            ],
        )
        .await;
    });
}
