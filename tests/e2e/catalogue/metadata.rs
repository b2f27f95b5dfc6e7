//! A3: hidden columns, hidden tables, and everything that tells about the others.

use std::sync::Arc;

use arrow_flight::sql::{
    CommandGetCatalogs, CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys,
    CommandGetImportedKeys, CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTableTypes, CommandGetTables,
    CommandGetXdbcTypeInfo, ProstMessageExt,
};
use arrow_flight::{Criteria, FlightDescriptor, FlightInfo};
use futures::TryStreamExt;
use meshgate_tests::client::{Client, answer, statement, ticket};
use prost::Message;
use tonic::{Code, Status};

use super::ask::{Road, holds_marker, reply};
use super::case::{Case, Source};
use super::views::Who;
use super::{Alice, Auditor, Bob, Otto, run};

/// Where a column can be named.
const PLACES: [&str; 17] = [
    "select {} from sales.orders",
    "select o.{} from sales.orders o",
    "select sales.orders.{} from sales.orders",
    "select id from sales.orders where {} = 'x'",
    "select id from sales.orders where {} is null or id > 0",
    "select id from sales.orders order by {}",
    "select count(*) from sales.orders group by {}",
    "select count(*) from sales.orders having max({}) = 'x'",
    "select a.id from sales.orders a join sales.orders b on a.{} = b.region",
    "select id from sales.orders join sales.parcels using ({})",
    "select upper({}) from sales.orders",
    "select case when {} = 'x' then 1 end from sales.orders",
    "select row_number() over (order by {}) from sales.orders",
    "select (select {} from sales.orders limit 1)",
    "select id from sales.parcels p where exists (select 1 from sales.orders where {} = p.code)",
    "select {} from (select * from sales.orders) d",
    "with c as (select * from sales.orders) select {} from c",
];

/// The answers to both, which may differ in the word that was asked for only.
async fn assert_alike(case: &mut Case, client: &mut Client, question: &str, hidden: &str, missing: &str) {
    for way in ["statement", "prepared", "text", "schema", "poll"] {
        let mut told = Vec::new();
        for word in [hidden, missing] {
            let status = refusal(client, way, &question.replace("{}", word)).await;
            told.push(answer(&status).replace(word, "x"));
        }
        assert_eq!(told[0], told[1], "{way}: {question}");
        assert!(!told[1].contains(hidden), "{way}: a typo must not list hidden names: {}", told[1]);
        case.checked();
    }
}

async fn refusal(client: &mut Client, way: &str, sql: &str) -> Status {
    let text = FlightDescriptor::new_cmd(sql.as_bytes().to_vec());
    let refused = match way {
        "statement" => client.plan(sql).await.err(),
        "prepared" => client.prepare(sql).await.err(),
        "text" => client.info(text).await.err(),
        "schema" => client.flight().get_schema(statement(sql)).await.err(),
        _ => client.flight().poll_flight_info(statement(sql)).await.err(),
    };
    refused.unwrap_or_else(|| panic!("{way} of {sql} should be refused"))
}

#[test]
fn a039_a_hidden_column_is_one_that_does_not_exist() {
    run(async |case| {
        let sources = Arc::clone(&case.sources);
        for source in sources.iter() {
            let mut alice = source.client(Alice);
            for place in PLACES {
                assert_alike(case, &mut alice, place, "note", "nope").await;
            }
            let mut bob = source.client(Bob);
            for place in PLACES.iter().take(4) {
                assert_alike(case, &mut bob, place, "card", "cart").await;
                assert_alike(case, &mut bob, place, "note", "nope").await;
            }
            let salary = "select {} from hr.people";
            assert_alike(case, &mut alice, salary, "salary", "celery").await;
        }
        // The twin.
        case.rows(
            &[Auditor],
            &["select note from sales.orders where id = 1", "select salary from hr.people"],
        )
        .await;
        case.refused(&[Alice, Bob], &["select note from sales.orders where id = 1"]).await;
    });
}

#[test]
fn a040_a_typo_lists_no_names() {
    run(async |case| {
        let sources = Arc::clone(&case.sources);
        for source in sources.iter() {
            for (who, names) in [(Alice, ["note", "salary"]), (Bob, ["note", "card"])] {
                let mut client = source.client(who);
                for typo in ["notes", "nte", "Note", "salry", "cardd", "\"NOTE\"", "o.not", "orders.note2"] {
                    for sql in [
                        format!("select {typo} from sales.orders o"),
                        format!("select id from sales.orders o where {typo} = 1"),
                        format!("select * from sales.orders o order by {typo}"),
                    ] {
                        let said = format!("{:?}", client.refused(&sql).await);
                        // As it was typed, or as names without quotes are read.
                        let said = said.replace(typo, "").replace(&typo.to_lowercase(), "");
                        for name in names {
                            assert!(!said.contains(name), "{who:?}: {sql}: {said}");
                        }
                        case.checked();
                    }
                }
                for typo in ["fin.ledgr", "fin.ledgers", "hr.peopl", "fin.x", "finn.ledger"] {
                    let said = format!("{:?}", client.refused(&format!("select 1 from {typo}")).await);
                    let said = said.replace(typo, "");
                    case.check(!said.contains("ledger") && !said.contains("people"), &said);
                }
            }
        }
    });
}

#[test]
fn a041_refused_and_missing_tables_give_identical_answers() {
    run(async |case| {
        let sources = Arc::clone(&case.sources);
        for source in sources.iter() {
            for (who, hidden, missing) in [
                (Otto, "fin.ledger", "fin.nothing"),
                (Otto, "sales.orders", "nowhere.orders"),
                (Otto, "mesh.hr.people", "mesh.hr.persons"),
                (Alice, "fin.ledger", "fin.nothing"),
                (Bob, "hr.people", "hr.nobody"),
            ] {
                let mut client = source.client(who);
                for question in [
                    "select 1 from {}",
                    "select * from {}",
                    "select id, amount from {} where id = 1",
                    "select nothing from {}",
                    "select count(*) from {} join {} b using (id)",
                    "with c as (select 1 from {}) select * from c",
                    "select (select max(id) from {})",
                    "select 1 where exists (select 1 from {})",
                    "select 1 union select id from {}",
                ] {
                    assert_alike(case, &mut client, question, hidden, missing).await;
                }
            }
            for (who, hidden, missing) in [(Otto, "ledger", "nothing"), (Alice, "ledger", "nothing")] {
                assert_paths_alike(case, &mut source.client(who), "fin", hidden, missing).await;
            }
        }
        case.rows(&[Auditor], &["select 1 from fin.ledger"]).await;
    });
}

async fn assert_paths_alike(case: &mut Case, client: &mut Client, domain: &str, hidden: &str, missing: &str) {
    for call in ["info", "schema", "poll"] {
        let mut told = Vec::new();
        for table in [hidden, missing] {
            let status = by_path(client, call, domain, table).await.unwrap_err();
            told.push(answer(&status).replace(table, "x"));
        }
        assert_eq!(told[0], told[1], "{call}");
        case.checked();
    }
}

async fn by_path(client: &mut Client, call: &str, domain: &str, table: &str) -> Result<(), Status> {
    let path = FlightDescriptor::new_path(vec![domain.to_owned(), table.to_owned()]);
    let flight = client.flight();
    match call {
        "info" => flight.get_flight_info(path).await.map(drop),
        "schema" => flight.get_schema(path).await.map(drop),
        _ => flight.poll_flight_info(path).await.map(drop),
    }
}

#[test]
fn a043_metadata_commands_tell_of_what_is_granted() {
    run(async |case| {
        let sources = Arc::clone(&case.sources);
        for source in sources.iter() {
            for (who, hidden) in HIDDEN {
                let mut client = source.client(*who);
                for (name, command) in commands() {
                    let told = told(&mut client, command).await;
                    for hidden in *hidden {
                        assert!(!holds(&told, hidden), "{who:?}, {name}: {hidden} is told");
                    }
                    assert!(*who == Auditor || !holds_marker(&told), "{who:?}, {name}");
                    case.checked();
                }
            }
            // SQL's own words and functions are the same for everybody.
            let info = || CommandGetSqlInfo { info: Vec::new() }.as_any().encode_to_vec();
            let mut everybody = Vec::new();
            for who in Who::ALL {
                everybody.push(told(&mut source.client(who), info()).await);
            }
            case.check(everybody.iter().all(|told| *told == everybody[0]), "sql info");
            // The twin: the auditor is told.
            let mut auditor = source.client(Auditor);
            let told = told(&mut auditor, tables(None, None, true)).await;
            for word in ["ledger", "note", "salary", "orders", "people", "parcels"] {
                case.check(holds(&told, word), word);
            }
            same_key_answers(case, source).await;
        }
    });
}

/// What is hidden from each caller.
const HIDDEN: &[(Who, &[&str])] = &[
    (Alice, &["ledger", "note", "salary"]),
    (Bob, &["ledger", "note", "card", "people", "salary", "ssn"]),
    (Otto, &["ledger", "orders", "parcels", "people", "note", "card", "amount"]),
    (Auditor, &[]),
];

fn tables(schema: Option<&str>, table: Option<&str>, include_schema: bool) -> Vec<u8> {
    let command = CommandGetTables {
        catalog: None,
        db_schema_filter_pattern: schema.map(str::to_owned),
        table_name_filter_pattern: table.map(str::to_owned),
        table_types: Vec::new(),
        include_schema,
    };
    command.as_any().encode_to_vec()
}

fn primary_keys(schema: &str, table: &str) -> Vec<u8> {
    let command =
        CommandGetPrimaryKeys { catalog: None, db_schema: Some(schema.to_owned()), table: table.to_owned() };
    command.as_any().encode_to_vec()
}

/// Metadata commands that any caller may send, with the patterns that find everything.
fn commands() -> Vec<(String, Vec<u8>)> {
    let catalog = || Some("mesh".to_owned());
    let schemas = |pattern: Option<&str>| CommandGetDbSchemas {
        catalog: catalog(),
        db_schema_filter_pattern: pattern.map(str::to_owned),
    };
    let mut commands = vec![
        ("catalogs".to_owned(), CommandGetCatalogs {}.as_any().encode_to_vec()),
        ("table types".to_owned(), CommandGetTableTypes {}.as_any().encode_to_vec()),
        ("type info".to_owned(), CommandGetXdbcTypeInfo { data_type: None }.as_any().encode_to_vec()),
    ];
    for pattern in [None, Some("%"), Some("_%"), Some("fin"), Some("f__"), Some("")] {
        commands.push((format!("schemas {pattern:?}"), schemas(pattern).as_any().encode_to_vec()));
        commands.push((format!("tables in {pattern:?}"), tables(pattern, None, true)));
    }
    for pattern in ["%", "l%", "ledger", "______", "people", "%o%"] {
        commands.push((format!("tables {pattern}"), tables(None, Some(pattern), true)));
        commands.push((format!("tables {pattern} by name"), tables(Some("%"), Some(pattern), false)));
    }
    let key = CommandGetExportedKeys { catalog: catalog(), db_schema: None, table: "orders".to_owned() };
    commands.push(("exported keys".to_owned(), key.as_any().encode_to_vec()));
    let key = CommandGetImportedKeys { catalog: catalog(), db_schema: None, table: "orders".to_owned() };
    commands.push(("imported keys".to_owned(), key.as_any().encode_to_vec()));
    let key = CommandGetCrossReference {
        pk_catalog: None,
        pk_db_schema: None,
        pk_table: "orders".to_owned(),
        fk_catalog: None,
        fk_db_schema: None,
        fk_table: "parcels".to_owned(),
    };
    commands.push(("cross reference".to_owned(), key.as_any().encode_to_vec()));
    commands
}

/// Every byte of the answer but the echo of the command.
async fn told(client: &mut Client, command: Vec<u8>) -> Vec<u8> {
    let mut info = client.info(FlightDescriptor::new_cmd(command)).await.unwrap();
    let messages = client.messages(ticket(&info)).await.unwrap();
    info.flight_descriptor = None;
    info.endpoint.clear();
    let mut bytes = info.encode_to_vec();
    messages.iter().for_each(|message| bytes.extend(message.encode_to_vec()));
    bytes
}

fn holds(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

/// Keys of a hidden table and of one that is not there.
async fn same_key_answers(case: &mut Case, source: &Source) {
    let mut otto = source.client(Otto);
    let hidden = told(&mut otto, primary_keys("sales", "orders")).await;
    let missing = told(&mut otto, primary_keys("sales", "absent")).await;
    case.equal(hidden, missing, "primary keys");
    let mut alice = source.client(Alice);
    let keys = told(&mut alice, primary_keys("sales", "orders")).await;
    case.check(holds(&keys, "orders"), "the twin has a key");
}

#[test]
fn a044_paths_follow_the_policy_of_statements() {
    run(async |case| {
        let sources = Arc::clone(&case.sources);
        for source in sources.iter() {
            for (who, there, hidden) in [
                (Alice, vec!["sales.orders", "sales.parcels", "hr.people"], vec!["fin.ledger"]),
                (Bob, vec!["sales.orders", "sales.parcels"], vec!["hr.people", "fin.ledger"]),
                (Otto, vec![], vec!["sales.orders", "sales.parcels", "hr.people", "fin.ledger"]),
                (Auditor, vec!["sales.orders", "sales.parcels", "hr.people", "fin.ledger"], vec![]),
            ] {
                let mut client = source.client(who);
                let listed = flights(&mut client).await;
                let mut names: Vec<String> = listed.iter().map(path_of).collect();
                names.sort();
                let mut expected = there.clone();
                expected.sort_unstable();
                case.equal(names, expected.iter().map(ToString::to_string).collect(), "ListFlights");
                for info in &listed {
                    let rows = client.batches(info).await.unwrap();
                    let rows =
                        meshgate_tests::render::Rendered::of(meshgate_tests::client::columns(info), &rows);
                    let sql = format!("select * from {}", path_of(info));
                    case.equal(rows.sorted(), client.rows(&sql).await.sorted(), &sql);
                }
                for table in there {
                    let (domain, table) = table.split_once('.').unwrap();
                    for call in ["info", "schema", "poll"] {
                        case.check(by_path(&mut client, call, domain, table).await.is_ok(), table);
                    }
                }
                for table in hidden {
                    let (domain, table) = table.split_once('.').unwrap();
                    for call in ["info", "schema", "poll"] {
                        let status = by_path(&mut client, call, domain, table).await.unwrap_err();
                        case.equal(status.code(), Code::NotFound, table);
                    }
                }
            }
        }
    });
}

async fn flights(client: &mut Client) -> Vec<FlightInfo> {
    let flights = client.flight().list_flights(Criteria::default()).await.unwrap().into_inner();
    flights.try_collect().await.unwrap()
}

fn path_of(info: &FlightInfo) -> String {
    info.flight_descriptor.as_ref().unwrap().path.join(".")
}

#[test]
fn a045_infos_tell_nothing_of_sizes() {
    run(async |case| {
        let sources = Arc::clone(&case.sources);
        for source in sources.iter() {
            let mut told = Vec::new();
            for who in [Alice, Bob, Auditor] {
                let mut client = source.client(who);
                for sql in ["select id from sales.orders", "select count(*) from sales.parcels", "select 1"] {
                    let info = client.plan(sql).await.unwrap();
                    let polled = client.flight().poll_flight_info(statement(sql)).await.unwrap().into_inner();
                    for info in [info, polled.info.unwrap()] {
                        case.equal(
                            (info.total_records, info.total_bytes, info.ordered),
                            (-1, -1, false),
                            sql,
                        );
                        case.equal((info.endpoint.len(), info.endpoint[0].location.len()), (1, 0), sql);
                        case.check(info.endpoint[0].app_metadata.is_empty(), sql);
                        let notice: serde_json::Value = serde_json::from_slice(&info.app_metadata).unwrap();
                        told.push((who, sql, notice["policies"].clone()));
                    }
                }
                for info in flights(&mut client).await {
                    case.equal((info.total_records, info.total_bytes), (-1, -1), &path_of(&info));
                    case.check(info.app_metadata.is_empty(), &path_of(&info));
                }
            }
            // What is counted are rules and masked columns: the same however many rows they hide.
            let of =
                |who: Who, sql: &str| told.iter().find(|(w, s, _)| *w == who && *s == sql).unwrap().2.clone();
            let (orders, parcels) = ("select id from sales.orders", "select count(*) from sales.parcels");
            case.equal(of(Alice, orders), serde_json::json!({ "row_rules": 1, "masked_columns": 0 }), orders);
            case.equal(of(Bob, parcels), serde_json::json!({ "row_rules": 1, "masked_columns": 0 }), parcels);
            case.equal(
                of(Auditor, orders),
                serde_json::json!({ "row_rules": 0, "masked_columns": 0 }),
                orders,
            );
        }
    });
}

#[test]
fn a046_schemas_carry_no_metadata_of_the_source() {
    run(async |case| {
        let sources = Arc::clone(&case.sources);
        for source in sources.iter() {
            for who in [Alice, Bob, Auditor] {
                let mut client = source.client(who);
                for sql in ["select * from sales.orders", "select * from sales.parcels"] {
                    let schema = client.plan(sql).await.unwrap().try_decode_schema().unwrap();
                    case.check(schema.metadata().is_empty(), sql);
                    let allowed = |key: &String| key.starts_with("ARROW:FLIGHT:SQL:");
                    for field in schema.fields() {
                        case.check(field.metadata().keys().all(allowed), field.name());
                    }
                    let reply = reply(Road::Statement, source.clients(who), sql).await;
                    let directory = source.mesh.directory.path().to_str().unwrap();
                    for word in [directory, "parquet", ".csv", "PARQUET", "pandas"] {
                        case.check(!holds(&reply.bytes, word), word);
                    }
                }
            }
        }
    });
}

#[test]
fn a042_a047_a049_what_is_told_is_the_callers_own() {
    /// For everybody, whatever is granted.
    const QUESTIONS: [&str; 14] = [
        "select * from information_schema.tables",
        "select * from information_schema.columns",
        "select * from information_schema.schemata",
        "select * from information_schema.views",
        "select * from mesh.system.products",
        "select * from mesh.system.columns",
        "select * from mesh.system.policies",
        "show tables",
        "show schemas",
        "select c.column_name from information_schema.columns c join information_schema.tables t using (table_name)",
        "select max(column_name), min(table_name), count(*) from information_schema.columns",
        "select (select string_agg(table_name, ',') from information_schema.tables)",
        "with c as (select * from system.columns) select * from c where column_name like '%' order by 1 desc",
        "select table_name from information_schema.tables union all select column_name from system.columns",
    ];
    /// For who sees orders.
    const OF_ORDERS: [&str; 9] = [
        "describe sales.orders",
        "show columns from sales.orders",
        "explain select * from sales.orders",
        "explain select region, count(*) from sales.orders where amount > 7 group by region order by 2",
        "explain select * from sales.orders o join sales.parcels p on o.id = p.order_id",
        "explain policy select * from sales.orders",
        "explain policy select id from sales.orders union select id from sales.parcels",
        "explain policy select (select max(amount) from sales.orders)",
        "explain select id from sales.orders where id in (select order_id from sales.parcels)",
    ];
    run(async |case| {
        let sources = Arc::clone(&case.sources);
        for source in sources.iter() {
            for (who, hidden) in HIDDEN {
                let of_orders = if *who == Otto { &[][..] } else { &OF_ORDERS };
                for sql in QUESTIONS.iter().chain(of_orders) {
                    let mut told = Vec::new();
                    for road in Road::ALL {
                        let reply = reply(road, source.clients(*who), sql).await;
                        let what = format!("{who:?} over {} by {road:?}: {sql}", source.format.name());
                        reply.assert_clean(*who, sql, &what);
                        told.push(reply.answer.shown());
                    }
                    case.check(
                        told.iter().all(|other| *other == told[0]),
                        &format!("{who:?}: {sql}: {told:?}"),
                    );
                    case.check(!told[0].starts_with("broken"), &told[0]);
                    let is_part = |character: char| character.is_alphanumeric() || character == '_';
                    let words: Vec<&str> = told[0].split(|character| !is_part(character)).collect();
                    for word in hidden.iter().chain(POLICY_WORDS) {
                        case.check(!words.contains(word), &format!("{who:?}: {sql}: {word}: {}", told[0]));
                    }
                }
            }
            let mut otto = source.client(Otto);
            for form in [
                "describe {}",
                "show columns from {}",
                "explain select * from {}",
                "explain policy select * from {}",
            ] {
                assert_alike(case, &mut otto, form, "sales.orders", "sales.nothing").await;
            }
        }
    });
}

/// Of row conditions and masks, and of where data lies: for nobody here.
const POLICY_WORDS: &[&str] =
    &["EU", "US", "acme", "tenant'", "localhost", "data", "csv", "parquet", "json", "ipc"];
