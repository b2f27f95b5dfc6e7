//! What a caller can ask about the mesh instead of its rows: what there is,
//! who would do what, which rules decide. Each answer is the caller's own.

use std::collections::BTreeSet;

use arrow_flight::sql::{
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any, CommandGetCatalogs,
    CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys, CommandGetImportedKeys,
    CommandGetPrimaryKeys, CommandGetTableTypes, CommandGetTables, CommandPreparedStatementQuery,
    ProstMessageExt,
};
use arrow_flight::{Action, Criteria, FlightDescriptor, FlightInfo};
use futures::TryStreamExt;
use meshgate_tests::client::{Client, answer, columns};
use meshgate_tests::fixture::{self, MARKER};
use meshgate_tests::render::Rendered;
use prost::Message;
use serde_json::json;
use tonic::{Code, Status};

/// Words that no answer to alice may hold: columns and tables that are hidden
/// from her, rules that are not hers, the text of those that are.
const HIDDEN_FROM_ALICE: [&str; 8] = ["note", "salary", "ledger", "fin", "us", "audit", "EU", "127"];

/// Names and words in a text.
fn words(text: &str) -> BTreeSet<&str> {
    text.split(|character: char| !character.is_alphanumeric() && character != '_').collect()
}

#[track_caller]
fn hides_from_alice(text: &str) {
    let words = words(text);
    for hidden in HIDDEN_FROM_ALICE {
        assert!(!words.contains(hidden), "{hidden}: {text}");
    }
    assert!(!text.contains(MARKER), "{text}");
}

/// The answer to a question by every way there is to ask it; all must give the same.
async fn by_every_way(client: &mut Client, sql: &str) -> Result<Rendered, Status> {
    let first = client.query(sql).await?;
    let text = FlightDescriptor::new_cmd(sql.as_bytes().to_vec());
    let info = client.flight().get_flight_info(text).await?.into_inner();
    assert_eq!(read(client, &info).await?, first, "{sql} as text");
    let handle = prepare(client, sql).await?;
    let prepared = CommandPreparedStatementQuery { prepared_statement_handle: handle };
    let prepared = FlightDescriptor::new_cmd(prepared.as_any().encode_to_vec());
    for _ in 0..2 {
        let info = client.flight().get_flight_info(prepared.clone()).await?.into_inner();
        assert_eq!(read(client, &info).await?, first, "{sql} prepared");
    }
    Ok(first)
}

async fn read(client: &mut Client, info: &FlightInfo) -> Result<Rendered, Status> {
    Ok(Rendered::of(columns(info), &client.batches(info).await?))
}

async fn prepare(client: &mut Client, sql: &str) -> Result<bytes::Bytes, Status> {
    let request = ActionCreatePreparedStatementRequest { query: sql.to_owned(), transaction_id: None };
    let action = Action::new("CreatePreparedStatement", request.as_any().encode_to_vec());
    let result = client.flight().do_action(action).await?.into_inner().message().await?.unwrap();
    let result: ActionCreatePreparedStatementResult =
        Any::decode(result.body).unwrap().unpack().unwrap().unwrap();
    Ok(result.prepared_statement_handle)
}

async fn rows(client: &mut Client, sql: &str) -> Vec<String> {
    let result = by_every_way(client, sql).await.unwrap_or_else(|status| panic!("{sql}: {status:?}"));
    let line = |row: &Vec<Option<String>>| {
        row.iter().map(|cell| cell.as_deref().unwrap_or("NULL")).collect::<Vec<_>>().join(",")
    };
    result.rows.iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a042_information_schema_lists_what_is_granted() {
    let mesh = fixture::leaks().start().await;
    let mut alice = mesh.client(&fixture::alice()).await;
    let mut otto = mesh.client(&fixture::otto()).await;
    let mut auditor = mesh.client(&fixture::auditor()).await;
    let granted = "select table_schema, table_name from information_schema.tables
                   where table_type = 'BASE TABLE' order by 1, 2";
    assert_eq!(rows(&mut alice, granted).await, ["hr,people", "sales,orders"]);
    assert_eq!(rows(&mut otto, granted).await, Vec::<String>::new());
    assert_eq!(rows(&mut auditor, granted).await, ["fin,ledger", "hr,people", "sales,orders"]);
    let visible = "select column_name from mesh.information_schema.columns
                   where table_schema = 'sales' order by ordinal_position";
    let of_alice = ["id", "customer_id", "region", "amount", "card"];
    assert_eq!(rows(&mut alice, visible).await, of_alice);
    assert_eq!(rows(&mut auditor, visible).await.len(), 6);
    for table in ["tables", "columns", "schemata", "views"] {
        let sql = format!("select * from information_schema.{table}");
        // A table of the gateway's own is called like a rule for auditors.
        let told = rows(&mut alice, &sql).await.join("\n").replace("mesh,system,audit,", "");
        hides_from_alice(&told);
    }
    for sql in [
        "select domain, product, owner, description, array_to_string(tables, ' ') from system.products",
        "select domain, table_name, column_name, data_type, description, classification from system.columns",
        "select * from mesh.system.policies",
    ] {
        hides_from_alice(&rows(&mut alice, sql).await.join("\n"));
        assert_eq!(rows(&mut otto, sql).await, Vec::<String>::new());
        assert!(rows(&mut auditor, sql).await.iter().any(|line| line.contains("ledger")), "{sql}");
    }
    for closed in ["routines", "parameters", "df_settings"] {
        let sql = |table: &str| format!("select * from information_schema.{table}");
        let status = by_every_way(&mut auditor, &sql(closed)).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{closed}");
        let missing = by_every_way(&mut auditor, &sql("nothing")).await.unwrap_err();
        assert_eq!(answer(&status).replace(closed, "x"), answer(&missing).replace("nothing", "x"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a043_metadata_commands_answer_for_the_principal() {
    let mesh = fixture::leaks().start().await;
    let mut alice = mesh.client(&fixture::alice()).await;
    let mut auditor = mesh.client(&fixture::auditor()).await;
    let key = |schema: Option<&str>, table: &str| CommandGetPrimaryKeys {
        db_schema: schema.map(str::to_owned),
        table: table.to_owned(),
        ..Default::default()
    };
    let mut commands = vec![
        CommandGetCatalogs {}.as_any(),
        CommandGetTableTypes {}.as_any(),
        CommandGetDbSchemas::default().as_any(),
        CommandGetExportedKeys { table: "ledger".into(), ..Default::default() }.as_any(),
        CommandGetImportedKeys { table: "ledger".into(), ..Default::default() }.as_any(),
        CommandGetCrossReference {
            pk_table: "ledger".into(),
            fk_table: "orders".into(),
            ..Default::default()
        }
        .as_any(),
        key(Some("fin"), "ledger").as_any(),
        key(None, "ledger").as_any(),
    ];
    for pattern in ["%", "_____r", "fin", "%i%", "note"] {
        commands.push(
            CommandGetDbSchemas { db_schema_filter_pattern: Some(pattern.into()), ..Default::default() }
                .as_any(),
        );
        for include_schema in [true, false] {
            let by_table = CommandGetTables {
                table_name_filter_pattern: Some(pattern.into()),
                include_schema,
                ..Default::default()
            };
            let by_schema = CommandGetTables {
                db_schema_filter_pattern: Some(pattern.into()),
                include_schema,
                ..Default::default()
            };
            commands.extend([by_table.as_any(), by_schema.as_any()]);
        }
    }
    let (mut of_alice, mut of_auditor) = (String::new(), String::new());
    for command in commands {
        let bytes = command.encode_to_vec();
        of_alice.push_str(&metadata(&mut alice, bytes.clone()).await);
        of_auditor.push_str(&metadata(&mut auditor, bytes).await);
    }
    for hidden in ["ledger", "salary", "note", MARKER] {
        assert!(!of_alice.contains(hidden), "{hidden}: {of_alice}");
    }
    assert!(of_alice.contains("orders") && of_alice.contains("people"), "{of_alice}");
    assert!(of_auditor.contains("ledger") && of_auditor.contains("fin"), "{of_auditor}");
}

/// The whole answer as text, the schemas that are in it too.
async fn metadata(client: &mut Client, command: Vec<u8>) -> String {
    let info =
        client.flight().get_flight_info(FlightDescriptor::new_cmd(command)).await.unwrap().into_inner();
    let messages = client.messages(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    let bytes: Vec<u8> = messages.into_iter().flat_map(|message| message.data_body).collect();
    bytes.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { ' ' }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a044_paths_and_lists_of_flights_have_the_policy_of_sql() {
    let mesh = fixture::leaks().start().await;
    for (caller, expected) in [
        (fixture::alice(), vec!["hr/people", "sales/orders"]),
        (fixture::bob(), vec!["sales/orders"]),
        (fixture::otto(), vec![]),
        (fixture::auditor(), vec!["fin/ledger", "hr/people", "sales/orders"]),
    ] {
        let mut client = mesh.client(&caller).await;
        let flights = client.flight().list_flights(Criteria::default()).await.unwrap().into_inner();
        let flights: Vec<FlightInfo> = flights.try_collect().await.unwrap();
        let path = |info: &FlightInfo| info.flight_descriptor.clone().unwrap().path.join("/");
        assert_eq!(flights.iter().map(path).collect::<Vec<_>>(), expected, "{caller}");
        for info in &flights {
            let table = path(info).replace('/', ".");
            let by_sql = client.rows(&format!("select * from {table}")).await.sorted();
            assert_eq!(read(&mut client, info).await.unwrap().sorted(), by_sql, "{caller}: {table}");
        }
    }
    let mut alice = mesh.client(&fixture::alice()).await;
    let path = |table: &str| FlightDescriptor::new_path(vec!["fin".to_owned(), table.to_owned()]);
    for table in ["ledger", "absent"] {
        let info = alice.flight().get_flight_info(path(table)).await.unwrap_err();
        let schema = alice.flight().get_schema(path(table)).await.unwrap_err();
        let poll = alice.flight().poll_flight_info(path(table)).await.unwrap_err();
        for status in [info, schema, poll] {
            assert_eq!(status.code(), Code::NotFound);
            let expected = answer(&alice.flight().get_schema(path("nothing")).await.unwrap_err());
            assert_eq!(answer(&status).replace(table, "x"), expected.replace("nothing", "x"));
        }
    }
}

const QUESTIONS: [&str; 6] = [
    "select * from sales.orders",
    "explain select * from sales.orders",
    "explain policy select * from sales.orders",
    "show tables",
    "describe sales.orders",
    "select * from information_schema.columns",
];

#[tokio::test(flavor = "multi_thread")]
async fn a045_a_flight_info_tells_no_sizes() {
    let mesh = fixture::leaks().start().await;
    let mut alice = mesh.client(&fixture::alice()).await;
    for sql in QUESTIONS {
        let info = alice.plan(sql).await.unwrap();
        assert_eq!((info.total_records, info.total_bytes, info.ordered), (-1, -1, false), "{sql}");
        let notice: serde_json::Value = serde_json::from_slice(&info.app_metadata).unwrap();
        let keys: Vec<&String> = notice.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["policies", "query_id"], "{sql}");
        for (name, count) in notice["policies"].as_object().unwrap() {
            assert!(
                ["row_rules", "masked_columns"].contains(&name.as_str()) && count.as_u64() <= Some(1),
                "{sql}"
            );
        }
        for endpoint in &info.endpoint {
            assert!(endpoint.app_metadata.is_empty() && endpoint.location.is_empty(), "{sql}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a046_results_carry_no_metadata_of_nodes() {
    let mesh = fixture::leaks().start().await;
    let mut alice = mesh.client(&fixture::alice()).await;
    for sql in QUESTIONS {
        let info = alice.plan(sql).await.unwrap();
        let promised = info.clone().try_decode_schema().unwrap();
        let schemas: Vec<_> =
            alice.batches(&info).await.unwrap().iter().map(|batch| batch.schema().as_ref().clone()).collect();
        assert!(!schemas.is_empty(), "{sql}");
        for schema in schemas.into_iter().chain([promised]) {
            assert!(schema.metadata().is_empty(), "{sql}: {schema:?}");
            for field in schema.fields() {
                let foreign = |key: &&String| !key.starts_with("ARROW:FLIGHT:SQL:");
                assert_eq!(field.metadata().keys().find(foreign), None, "{sql}: {field:?}");
                hides_from_alice(&format!("{:?}", field.metadata()));
            }
        }
        for message in alice.messages(info.endpoint[0].ticket.clone().unwrap()).await.unwrap() {
            assert!(message.app_metadata.is_empty(), "{sql}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a047_explain_holds_nothing_of_policies_nodes_or_sizes() {
    let mesh = fixture::leaks().start().await;
    let mut alice = mesh.client(&fixture::alice()).await;
    let sql = "explain select p.name, count(*) from sales.orders o join hr.people p on p.id = o.customer_id
               where o.card = 'x' and o.amount > 50 group by p.name";
    let steps = rows(&mut alice, sql).await;
    hides_from_alice(&steps.join("\n"));
    let of_sales = steps.iter().find(|step| step.contains("domain sales")).unwrap();
    assert!(of_sales.contains("sales.orders") && of_sales.contains("amount > 50"), "{steps:?}");
    // A condition on a masked column is the domain's too, and looked at above the mask.
    assert!(!of_sales.contains("card ="), "{steps:?}");
    assert!(
        steps.iter().any(|step| step.contains("domain sales,keeps") && step.contains("card =")),
        "{steps:?}"
    );
    // The restricted and the free table look the same.
    let mut auditor = mesh.client(&fixture::auditor()).await;
    let plain = "explain select id, region from sales.orders";
    assert_eq!(rows(&mut alice, plain).await, rows(&mut auditor, plain).await);
    for refused in [
        "explain verbose select * from sales.orders",
        "explain format indent select * from sales.orders",
        "explain (verbose) select * from sales.orders",
    ] {
        let status = by_every_way(&mut alice, refused).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{refused}");
    }
    for question in ["explain", "explain policy"] {
        let ask = |from: &str| format!("{question} select * from {from}");
        let hidden = by_every_way(&mut alice, &ask("fin.ledger")).await.unwrap_err();
        let missing = by_every_way(&mut alice, &ask("fin.nothing")).await.unwrap_err();
        assert_eq!(answer(&hidden).replace("ledger", "x"), answer(&missing).replace("nothing", "x"));
        let column = |name: &str| format!("{question} select {name} from sales.orders");
        let hidden = by_every_way(&mut alice, &column("note")).await.unwrap_err();
        let missing = by_every_way(&mut alice, &column("nope")).await.unwrap_err();
        assert_eq!(answer(&hidden).replace("note", "x"), answer(&missing).replace("nope", "x"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a047_explain_policy_tells_rules_and_to_readers_their_text() {
    let mesh = fixture::leaks().start().await;
    let mut alice = mesh.client(&fixture::alice()).await;
    let sql = "explain policy select id, card from sales.orders";
    let eu = "eu,owner,Works on Europe.,sales@larkfield.example";
    let line = |rest: &str, predicate: &str| format!("sales,orders,{rest},{eu},{predicate}");
    assert_eq!(
        rows(&mut alice, sql).await,
        [line("(rows),gives some rows", "NULL"), line("id,shows", "NULL"), line("card,masks", "NULL")]
    );
    hides_from_alice(
        &rows(&mut alice, "explain policy select * from sales.orders, hr.people").await.join("\n"),
    );
    // Alice as one of the owners.
    let mut owner =
        mesh.client(&serde_json::json!({ "sub": "alice", "tenant": "acme", "roles": ["sales-owner"] })).await;
    assert_eq!(
        rows(&mut owner, sql).await,
        [
            line("(rows),gives some rows", "region = 'EU'"),
            line("id,shows", "NULL"),
            line("card,masks", "last(4)")
        ]
    );
    // It makes her owner of no other domain, and shows her nothing that is hidden from her.
    let of_people = rows(&mut owner, "explain policy select * from hr.people").await;
    assert!(of_people.iter().all(|line| line.ends_with(",NULL")), "{of_people:?}");
    let all = rows(&mut owner, "explain policy select * from sales.orders").await.join("\n");
    assert!(!all.contains("note") && !all.contains("audit"), "{all}");
    assert!(by_every_way(&mut owner, "explain policy select note from sales.orders").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a048_explain_analyze_is_refused() {
    let mesh = fixture::leaks().start().await;
    for caller in [fixture::alice(), fixture::auditor()] {
        let mut client = mesh.client(&caller).await;
        for sql in
            ["explain analyze select * from sales.orders", "explain (analyze) select * from sales.orders"]
        {
            let status = by_every_way(&mut client, sql).await.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{sql}");
            assert!(status.message().contains("without running the query"), "{status:?}");
            let prepared = prepare(&mut client, sql).await.unwrap_err();
            assert_eq!(prepared.code(), Code::InvalidArgument, "{sql}");
        }
        let verbose = client.query("explain analyze verbose select * from sales.orders").await.unwrap_err();
        assert_eq!(verbose.code(), Code::InvalidArgument);
    }
}

/// Whom the operator lets run queries for their explanation is told of rows that it could have had, and of
/// nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a048_explain_analyze_counts_what_left_the_domain() {
    let mut plan = fixture::leaks();
    plan.gateway_lines = "analyze_roles: [tuner]\n".to_owned();
    let mesh = plan.start().await;
    let mut alice = mesh.client(&json!({ "sub": "alice", "tenant": "acme", "roles": ["tuner"] })).await;
    let mut auditor = mesh.client(&fixture::auditor()).await;
    let sql = "select id, card from sales.orders";
    let visible = alice.rows(sql).await.rows.len();
    assert!(visible < auditor.rows(sql).await.rows.len(), "some are hidden");
    let told = alice.rows(&format!("explain analyze {sql}")).await;
    let last = |place: &str| {
        let row = told.rows.iter().rfind(|row| row[1].as_deref() == Some(place)).unwrap();
        row[3].clone()
    };
    assert_eq!(last("domain sales"), Some(visible.to_string()), "{told:?}");
    assert_eq!(last("gateway"), Some(visible.to_string()), "{told:?}");
    // It is as long as what it tells, wherever the rest of the table is.
    for row in &told.rows {
        hides_from_alice(&row.iter().flatten().cloned().collect::<Vec<_>>().join(" "));
    }
    assert!(auditor.query(&format!("explain analyze {sql}")).await.is_err(), "not of that role");
}

#[tokio::test(flavor = "multi_thread")]
async fn a049_show_and_describe_are_filtered_or_refused() {
    let mesh = fixture::leaks().start().await;
    let mut alice = mesh.client(&fixture::alice()).await;
    let mut otto = mesh.client(&fixture::otto()).await;
    let mut auditor = mesh.client(&fixture::auditor()).await;
    assert_eq!(rows(&mut alice, "show tables").await, ["hr,people,NULL", "sales,orders,NULL"]);
    assert_eq!(rows(&mut otto, "show tables").await, Vec::<String>::new());
    assert_eq!(rows(&mut auditor, "show tables").await.len(), 3);
    assert_eq!(rows(&mut alice, "show tables from fin").await, Vec::<String>::new());
    assert_eq!(rows(&mut alice, "show schemas").await, ["hr", "information_schema", "sales", "system"]);
    let described = [
        "id,BIGINT,NO,NULL",
        "customer_id,BIGINT,YES,NULL",
        "region,VARCHAR,YES,NULL",
        "amount,BIGINT,YES,NULL",
        "card,VARCHAR,YES,NULL",
    ];
    assert_eq!(rows(&mut alice, "describe sales.orders").await, described);
    let mut shown = rows(&mut alice, "show columns from sales.orders").await;
    assert_eq!(shown.remove(0), "mesh,sales,orders,id,BIGINT,NO");
    hides_from_alice(&shown.join("\n"));
    assert_eq!(rows(&mut auditor, "show columns from sales.orders").await.len(), 6);
    for form in ["describe {}", "show columns from {}"] {
        let hidden = by_every_way(&mut alice, &form.replace("{}", "fin.ledger")).await.unwrap_err();
        let missing = by_every_way(&mut alice, &form.replace("{}", "fin.nothing")).await.unwrap_err();
        assert_eq!(answer(&hidden).replace("ledger", "x"), answer(&missing).replace("nothing", "x"));
    }
    for refused in [
        "show functions",
        "show create table sales.orders",
        "show all",
        "show variables",
        "show full tables",
        "describe select 1",
        "describe extended sales.orders",
    ] {
        let status = by_every_way(&mut auditor, refused).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{refused}: {status:?}");
    }
}
