//! A6: statements that are none, names that are none, and plans that clients bring along.

use std::sync::Arc;

use arrow_flight::sql::{
    ActionCreatePreparedSubstraitPlanRequest, CommandStatementIngest, CommandStatementSubstraitPlan,
    CommandStatementUpdate, ProstMessageExt, SubstraitPlan,
};
use arrow_flight::{FlightData, FlightDescriptor, Ticket};
use bytes::Bytes;
use meshgate_tests::client::{Client, statement, ticket};
use prost::Message;
use tonic::{Code, Status};

use super::case::{Case, Source};
use super::{Alice, Auditor, Bob, run};

const ALL: &[super::views::Who] = &[Alice, Bob, Auditor];

/// Sends a text on every path on which something could run.
async fn every_path(client: &mut Client, sql: &str) -> Vec<(&'static str, Status)> {
    let text = || FlightDescriptor::new_cmd(sql.as_bytes().to_vec());
    let update = CommandStatementUpdate { query: sql.to_owned(), transaction_id: None };
    let update = FlightDescriptor::new_cmd(update.as_any().encode_to_vec());
    let put = FlightData { flight_descriptor: Some(update.clone()), ..FlightData::default() };
    let explained = format!("explain {sql}");
    let raw = Ticket { ticket: Bytes::from(sql.as_bytes().to_vec()) };
    let packed = Ticket { ticket: statement(sql).cmd };
    vec![
        ("GetFlightInfo", ended(client.plan(sql).await)),
        ("GetFlightInfo of a text", ended(client.info(text()).await)),
        ("GetFlightInfo of an update", ended(client.info(update).await)),
        ("GetSchema", ended(client.flight().get_schema(statement(sql)).await)),
        ("PollFlightInfo", ended(client.flight().poll_flight_info(statement(sql)).await)),
        ("prepare", ended(client.prepare(sql).await)),
        ("DoPut", ended(client.flight().do_put(futures::stream::iter([put])).await)),
        ("DoGet", ended(client.messages(raw).await)),
        ("DoGet of a command", ended(client.messages(packed).await)),
        ("inside EXPLAIN", ended(client.query(&explained).await)),
    ]
}

fn ended<T>(result: Result<T, Status>) -> Status {
    result.err().unwrap_or_else(|| Status::ok("it answered"))
}

/// Refused on every path, and nothing of our machine is told.
async fn refused_everywhere(case: &mut Case, source: &Source, who: super::views::Who, sql: &str) {
    let mut client = source.client(who);
    for (path, status) in every_path(&mut client, sql).await {
        let refused = [Code::InvalidArgument, Code::NotFound, Code::Unimplemented].contains(&status.code());
        assert!(refused, "{path}: {sql}: {status:?}");
        let directory = source.mesh.directory.path().to_str().unwrap();
        assert!(sql.contains(directory) || !status.message().contains(directory), "{path}: {sql}");
        case.checked();
    }
}

/// All files of the mesh that queries must not change, with their contents.
fn files(source: &Source) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![source.mesh.directory.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.to_string_lossy().contains("audit.jsonl") {
                let content = std::fs::read(&path).unwrap();
                found.push((path, content));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a021_products_cannot_be_changed() {
    run(async |case| {
        let sources = Arc::clone(&case.sources);
        for source in sources.iter() {
            let before = files(source);
            for sql in [
                "insert into sales.orders values (7, 1, 'EU', 1, 'x', 'y')",
                "insert into sales.orders select * from sales.orders",
                "insert into sales.orders (id) values (7) returning id",
                "update sales.orders set region = 'EU'",
                "update sales.orders set amount = 1 where 1/(amount - 5) > 0",
                "delete from sales.orders",
                "delete from sales.orders where region <> 'EU'",
                "truncate table sales.orders",
                "merge into sales.orders o using sales.parcels p on o.id = p.order_id when matched then delete",
                "with gone as (delete from sales.orders returning *) select * from gone",
                "select * from sales.orders for update",
            ] {
                for who in [Alice, Auditor] {
                    refused_everywhere(case, source, who, sql).await;
                }
            }
            let mut alice = source.client(Alice);
            let ingest = CommandStatementIngest { table: "orders".to_owned(), ..Default::default() };
            let descriptor = FlightDescriptor::new_cmd(ingest.as_any().encode_to_vec());
            let put = FlightData { flight_descriptor: Some(descriptor), ..FlightData::default() };
            let status = ended(alice.flight().do_put(futures::stream::iter([put])).await);
            case.equal(status.code(), Code::Unimplemented, "ingest");
            case.check(files(source) == before, "no file changed");
        }
        case.rows(ALL, &["select * from sales.orders"]).await;
    });
}

#[test]
fn a071_only_queries_are_accepted_on_every_path() {
    run(async |case| {
        let sources = Arc::clone(&case.sources);
        for source in sources.iter() {
            let before = files(source);
            let written = source.mesh.path("written.csv");
            let written = written.display();
            let mesh_yaml = source.mesh.path("mesh.yaml");
            for sql in [
                format!("copy (select 1) to '{written}'"),
                format!("copy sales.orders to '{written}' stored as csv"),
                format!("create external table t stored as csv location '{}'", mesh_yaml.display()),
                format!("create unbounded external table t (x int) stored as csv location '{written}'"),
                "create table t as select 1".to_owned(),
                "create table t (x int)".to_owned(),
                "create view v as select * from sales.orders".to_owned(),
                "create or replace view sales.orders as select 1".to_owned(),
                "create function f(int) returns int return $1 + 1".to_owned(),
                "create schema s".to_owned(),
                "create database d".to_owned(),
                "create index i on sales.orders (id)".to_owned(),
                "drop table sales.orders".to_owned(),
                "drop view sales.orders".to_owned(),
                "drop function abs".to_owned(),
                "drop schema sales cascade".to_owned(),
                "alter table sales.orders add column x int".to_owned(),
                "select * into t from sales.orders".to_owned(),
                "attach 'x' as y".to_owned(),
                "load data inpath 'x' into table sales.orders".to_owned(),
                "install parquet".to_owned(),
                "call system.shutdown()".to_owned(),
                "analyze table sales.orders compute statistics".to_owned(),
                "vacuum sales.orders".to_owned(),
                "grant select on sales.orders to otto".to_owned(),
            ] {
                refused_everywhere(case, source, Auditor, &sql).await;
            }
            case.check(files(source) == before, "no file changed");
        }
        case.rows(ALL, &["select count(*) from sales.orders"]).await;
    });
}

#[test]
fn a073_a_path_is_no_table_and_no_function_reads_files() {
    run(async |case| {
        let sources = Arc::clone(&case.sources);
        for source in sources.iter() {
            let ending = source.format.name();
            let data = source.mesh.path(&format!("sales/data/orders.{ending}"));
            let data = data.to_str().unwrap();
            let relative = format!("sales/data/orders.{ending}");
            for sql in [
                format!("select * from '{data}'"),
                format!("select * from \"{data}\""),
                format!("select * from 'file://{data}'"),
                format!("select * from \"file://{data}\""),
                format!("select * from '{relative}'"),
                "select * from 's3://bucket/orders.parquet'".to_owned(),
                "select * from \"http://127.0.0.1:1/x.csv\"".to_owned(),
                "select * from '/etc/passwd'".to_owned(),
                "select * from mesh.\"..\".\"etc\"".to_owned(),
                format!("select * from read_csv('{data}')"),
                format!("select * from read_parquet('{data}')"),
                format!("select * from parquet_metadata('{data}')"),
                format!("select * from sales.orders, lateral read_csv('{data}')"),
                "select * from generate_series(1, 10)".to_owned(),
                "select * from range(10)".to_owned(),
                "select * from glob('*')".to_owned(),
                format!("select read_text('{data}'), pg_read_file('{data}')"),
                "select input_file_name() from sales.orders".to_owned(),
            ] {
                for who in [Alice, Auditor] {
                    refused_everywhere(case, source, who, &sql).await;
                }
            }
            // As a path descriptor: the slashes are no way out of the two names.
            for path in
                [vec![data.to_owned()], vec!["..".to_owned(), data.to_owned()], vec![relative.clone()]]
            {
                let status = ended(source.client(Auditor).info(FlightDescriptor::new_path(path)).await);
                let refused = [Code::InvalidArgument, Code::NotFound].contains(&status.code());
                case.check(refused, &format!("{status:?}"));
            }
        }
    });
}

#[test]
fn a074_functions_that_are_not_on_the_list_do_not_exist() {
    run(async |case| {
        let sources = Arc::clone(&case.sources);
        for source in sources.iter() {
            for call in [
                "version()",
                "random()",
                "uuid()",
                "repeat('x', 10)",
                "lpad('x', 100)",
                "rpad('x', 100)",
                "array_repeat(1, 10)",
                "range(1, 10)",
                "generate_series(1, 10)",
                "arrow_cast([1], 'LargeList(Int64)')",
                "arrow_try_cast('a', 'FixedSizeBinary(100000000)')",
                "arrow_metadata(region)",
                "with_metadata(region, 'a', 'b')",
                "levenshtein('a', 'b')",
                "map(['a'], [1])",
                "current_user()",
                "pg_sleep(1)",
                "input_file_name()",
                "file_row_index()",
                "nosuch(1)",
                "scalar_or_null(1)",
                "array_transform([1], x -> x + 1)",
            ] {
                for sql in [
                    format!("select {call} from sales.orders"),
                    format!("select id from sales.orders where {call} is null"),
                    format!("select id from sales.orders order by {call}"),
                    format!("select (select max({call}) from sales.parcels)"),
                ] {
                    refused_everywhere(case, source, Alice, &sql).await;
                }
            }
        }
        case.rows(ALL, &["select abs(id), upper(region) from sales.orders"]).await;
    });
}

#[test]
fn a075_one_statement_at_a_time() {
    run(async |case| {
        let sources = Arc::clone(&case.sources);
        for source in sources.iter() {
            for sql in [
                "select 1; select 2",
                "select id from sales.orders; drop table sales.orders",
                "select 1; set meshgate.purpose = 'x'",
                "begin; select 1; commit",
                "select 1;;select 2",
                "select 1 /* ; */ ; select 2 -- ;",
                "",
                ";",
                "-- nothing",
                "/* select 1 */",
            ] {
                refused_everywhere(case, source, Alice, sql).await;
            }
        }
        case.rows(
            ALL,
            &[
                "select id from sales.orders;",
                "select id from sales.orders where region <> ';' -- ; select 2",
                "select id /* ; drop table sales.orders */ from sales.orders",
            ],
        )
        .await;
    });
}

#[test]
fn a076_what_does_not_parse_reaches_no_node() {
    run(async |case| {
        let sources = Arc::clone(&case.sources);
        for source in sources.iter() {
            let records =
                || std::fs::read_to_string(source.mesh.path("sales/audit.jsonl")).unwrap_or_default();
            // A person of our own, of whom no other test makes records.
            let mut lena =
                source.mesh.client(&serde_json::json!({ "sub": "lena", "roles": ["auditor"] })).await;
            for sql in [
                "selec id from sales.orders",
                "select id frm sales.orders",
                "select id from sales.orders where",
                "select 'unclosed from sales.orders",
                "select \"unclosed from sales.orders",
                "select (id from sales.orders",
                "select id from sales.orders where id = = 1",
                "select * from sales.orders limit",
                "\0select id from sales.orders",
            ] {
                for (path, status) in every_path(&mut lena, sql).await {
                    let refused = [Code::InvalidArgument, Code::NotFound, Code::Unimplemented];
                    case.check(refused.contains(&status.code()), &format!("{path}: {sql}: {status:?}"));
                }
            }
            case.check(!records().contains("lena"), "nothing was sent to the node");
            lena.rows("select id from sales.orders").await;
            case.check(records().contains("lena"), "the twin was");
        }
    });
}

#[test]
fn a077_hostile_names_are_names() {
    run(async |case| {
        case.rows(
            ALL,
            &[
                "select id as \"select * from fin.ledger\" from sales.orders",
                "select id as \"a\"\"b\", region as \"c'd\" from sales.orders",
                "select \"x;y\".id from sales.orders \"x;y\"",
                "select \"-- x\".id from sales.orders as \"-- x\" where \"-- x\".id > 1",
                "select \"/*\".id from sales.orders as \"/*\" order by \"/*\".id",
                "with \"hr.people\" as (select id from sales.orders) select * from \"hr.people\"",
                "with \"from\" as (select id as \"where\" from sales.orders) select \"where\" from \"from\"",
                "select id as \"a\nb\" from sales.orders",
                "select id as \"\u{202e}evil\", id as \"b\u{200b}\" from sales.orders",
                "select \"ünï\".id from sales.orders \"ünï\"",
                "select id as \"'; drop table x; --\" from sales.orders group by id",
            ],
        )
        .await;
        let sources = Arc::clone(&case.sources);
        for source in sources.iter() {
            let mut alice = source.client(Alice);
            for name in [
                "a\nb",
                "\u{202e}evil",
                "x\0y",
                "\u{1b}[31mred",
                "a`b",
                "<script>",
                "b\u{200b}b",
                "fin.ledger\" union select 1 from \"fin.ledger",
            ] {
                for sql in [
                    format!("select \"{name}\" from sales.orders"),
                    format!("select 1 from sales.\"{name}\""),
                    format!("select 1 from \"{name}\".orders"),
                    format!("select \"{name}\"(id) from sales.orders"),
                ] {
                    let status = alice.refused(&sql).await;
                    let said = status.message();
                    let is_plain = said.chars().all(|c| !c.is_control() && !"\u{202e}\u{200b}".contains(c));
                    case.check(is_plain && !said.contains("<script"), &format!("{sql:?}: {said:?}"));
                }
            }
            let long = "x".repeat(10_000);
            let status = alice.refused(&format!("select {long} from sales.orders")).await;
            case.check(status.message().len() < 1_000, "a long name is not repeated");
        }
    });
}

#[test]
fn a078_clauses_are_executed_or_refused() {
    run(async |case| {
        let sources = Arc::clone(&case.sources);
        for source in sources.iter() {
            for sql in [
                "select * from sales.orders tablesample (50 percent)",
                "select * from sales.orders tablesample bernoulli (50)",
                "select * from sales.orders for system_time as of timestamp '2026-01-01'",
                "select * from sales.orders for version as of 1",
                "select * from sales.orders with (nolock)",
                "select * from sales.orders pivot (sum(amount) for region in ('EU', 'US'))",
                "select * from sales.orders unpivot (v for c in (id, amount))",
                "select /*+ broadcast(o) */ id from sales.orders o",
                "select top 1 id from sales.orders",
                "select id from sales.orders qualify row_number() over (order by id) = 1 for update",
                "select id from sales.orders cluster by id",
                "select id from sales.orders distribute by id",
                "select id from sales.orders sort by id",
                "select id from sales.orders prewhere id = 1",
                "select id from sales.orders connect by id = prior id",
                "select id from sales.orders for share",
                "select id from sales.orders partition (p0)",
                "select id from sales.orders order by id with fill",
                "select id from sales.orders format json",
                "select id from sales.orders settings max_threads = 1",
                "select id from sales.orders fetch first 2 rows only",
                "select id from sales.orders offset 1 fetch next 1 rows with ties",
                "table sales.orders",
                "from sales.orders |> where id = 1",
            ] {
                refused_everywhere(case, source, Alice, sql).await;
            }
        }
        // What is executed, is executed on visible rows.
        case.rows(
            ALL,
            &[
                "select id from sales.orders qualify row_number() over (order by id desc) = 1",
                "from sales.orders select id",
            ],
        )
        .await;
    });
}

#[test]
fn a079_substrait_plans_are_not_accepted() {
    run(async |case| {
        let sources = Arc::clone(&case.sources);
        for source in sources.iter() {
            let mut auditor = source.client(Auditor);
            for plan in [&b""[..], b"\x0a\x02\x08\x01", &[0xff; 64]] {
                let plan = SubstraitPlan { plan: plan.to_vec().into(), version: "0.60.0".to_owned() };
                let command =
                    CommandStatementSubstraitPlan { plan: Some(plan.clone()), transaction_id: None };
                let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
                let put = FlightData { flight_descriptor: Some(descriptor.clone()), ..FlightData::default() };
                let prepare =
                    ActionCreatePreparedSubstraitPlanRequest { plan: Some(plan), transaction_id: None };
                let prepare = prepare.as_any().encode_to_vec();
                for status in [
                    ended(auditor.info(descriptor.clone()).await),
                    ended(auditor.flight().get_schema(descriptor.clone()).await),
                    ended(auditor.flight().poll_flight_info(descriptor.clone()).await),
                    ended(auditor.flight().do_put(futures::stream::iter([put])).await),
                    ended(auditor.act("CreatePreparedSubstraitPlan", prepare).await),
                ] {
                    case.equal(status.code(), Code::Unimplemented, &format!("{status:?}"));
                }
                let as_ticket = Ticket { ticket: descriptor.cmd };
                let status = ended(auditor.messages(as_ticket).await);
                let refused = [Code::Unimplemented, Code::InvalidArgument].contains(&status.code());
                case.check(refused, &format!("{status:?}"));
            }
        }
    });
}

#[test]
fn a080_plans_of_the_engine_are_not_accepted() {
    run(async |case| {
        let plan = engine_plan();
        let sources = Arc::clone(&case.sources);
        for source in sources.iter() {
            let mut auditor = source.client(Auditor);
            let descriptor = FlightDescriptor::new_cmd(plan.clone());
            for status in [
                ended(auditor.info(descriptor.clone()).await),
                ended(auditor.flight().get_schema(descriptor.clone()).await),
                ended(auditor.flight().poll_flight_info(descriptor).await),
                ended(auditor.messages(Ticket { ticket: plan.clone().into() }).await),
                ended(auditor.act("ExecutePlan", plan.clone()).await),
            ] {
                let refused = [Code::InvalidArgument, Code::Unimplemented].contains(&status.code());
                case.check(refused, &format!("{status:?}"));
            }
            case.check(auditor.plan("select 1").await.map(|info| ticket(&info)).is_ok(), "the twin");
        }
    });
}

/// `LogicalPlanNode { empty_relation { produce_one_row: true } }` of datafusion-proto.
fn engine_plan() -> Vec<u8> {
    vec![0x4a, 0x02, 0x08, 0x01]
}

#[test]
fn a048_explain_analyze_is_refused_on_every_path() {
    run(async |case| {
        let sources = Arc::clone(&case.sources);
        for source in sources.iter() {
            for sql in [
                "explain analyze select * from sales.orders",
                "explain analyze verbose select count(*) from sales.parcels",
                "explain (analyze) select * from sales.orders",
                "explain analyze select * from fin.ledger",
                "EXPLAIN /* x */ ANALYZE select 1",
            ] {
                for who in [Alice, Auditor] {
                    refused_everywhere(case, source, who, sql).await;
                }
            }
        }
    });
}

#[test]
fn a072_statements_about_the_session_change_nothing() {
    run(async |case| {
        let sources = Arc::clone(&case.sources);
        for source in sources.iter() {
            for sql in [
                "set datafusion.execution.batch_size = 1",
                "set datafusion.catalog.information_schema = true",
                "set role auditor",
                "set role = 'auditor'",
                "set session authorization ivy",
                "set meshgate.user = 'ivy'",
                "set meshgate.roles = 'auditor'",
                "set meshgate.policy = 'off'",
                "set search_path = fin",
                "set time zone 'Asia/Tokyo'",
                "set x to y",
                "reset datafusion.execution.batch_size",
                "reset all",
                "show all",
                "show datafusion.execution.batch_size",
                "show variables",
                "show time zone",
                "prepare p as select 1",
                "prepare p(int) as select $1",
                "execute p",
                "execute p(1)",
                "deallocate p",
                "deallocate all",
                "begin",
                "begin transaction",
                "start transaction",
                "commit",
                "rollback",
                "savepoint s",
                "use hr",
                "kill 1",
                "listen x",
                "lock tables sales.orders read",
                "discard all",
            ] {
                refused_everywhere(case, source, Alice, sql).await;
            }
        }
        case.rows(&[Alice, Bob], &["select * from sales.orders", "select count(*) from sales.parcels"]).await;
        case.refused(
            &[Alice, Bob],
            &["select * from fin.ledger", "select * from information_schema.df_settings"],
        )
        .await;
    });
}
