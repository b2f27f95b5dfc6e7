//! What must not work, and that it fails alike whether a thing is hidden or missing.

use tonic::Code;

use crate::testing::bench::{Bench, anna, auditor, otto, statement, with_token};

#[tokio::test]
async fn a041_hidden_and_missing_tables_fail_alike() {
    let bench = Bench::start().await;
    let hidden = bench.refusal(&anna(), "select 1 from hr.people").await;
    assert_eq!(hidden.0, Code::NotFound);
    for missing in ["hr.nothing", "nothing.people", "mesh.nothing.people", "other.hr.people"] {
        let (code, text) = bench.refusal(&anna(), &format!("select 1 from {missing}")).await;
        assert_eq!((code, text), (hidden.0, hidden.1.replace("hr.people", missing)), "{missing}");
    }
    let of_otto = bench.refusal(&otto(), "select 1 from sales.orders").await;
    assert_eq!(of_otto, (hidden.0, hidden.1.replace("hr.people", "sales.orders")));
    let bare = bench.refusal(&anna(), "select 1 from orders").await;
    assert_eq!(bare, (hidden.0, hidden.1.replace("hr.people", "orders")));
    assert!(bench.query(&auditor(), "select 1 from hr.people").await.is_ok());
}

#[tokio::test]
async fn a039_hidden_and_missing_columns_fail_alike() {
    let bench = Bench::start().await;
    for shape in [
        "select {} from sales.orders",
        "select 1 from sales.orders where {} = 1",
        "select order_id from sales.orders order by {}",
        "select count(*) from sales.orders group by {}",
        "select upper({}) from sales.orders",
        "select 1 from sales.orders a join sales.orders b on a.{} = b.order_id",
        "select (select max({}) from sales.orders)",
    ] {
        let hidden = bench.refusal(&anna(), &shape.replace("{}", "margin")).await;
        let missing = bench.refusal(&anna(), &shape.replace("{}", "nargim")).await;
        assert_eq!(missing, (hidden.0, hidden.1.replace("margin", "nargim")), "{shape}");
        assert!(
            bench.query(&auditor(), &shape.replace("{}", "margin")).await.is_ok() || shape.contains("upper")
        );
    }
}

#[tokio::test]
async fn a040_messages_name_nothing_hidden() {
    let bench = Bench::start().await;
    for sql in [
        "select margn from sales.orders",
        "select 1 from sales.order",
        "select 1 from hr.peple",
        "select cord from sales.orders",
    ] {
        let (_, text) = bench.refusal(&anna(), sql).await;
        for hidden in ["margin", "order_lines", "people", "salary"] {
            assert!(!text.contains(hidden), "{sql}: {text}");
        }
    }
}

#[tokio::test]
async fn a042_the_engines_own_catalog_is_closed() {
    let bench = Bench::start().await;
    for table in ["tables", "columns", "views", "schemata", "routines", "parameters", "df_settings"] {
        for schema in ["information_schema", "mesh.information_schema", "datafusion.information_schema"] {
            // The gateway has tables of its own under some of these names.
            let is_ours = !["routines", "parameters", "df_settings"].contains(&table);
            if is_ours && schema != "datafusion.information_schema" {
                continue;
            }
            let (code, _) = bench.refusal(&auditor(), &format!("select * from {schema}.{table}")).await;
            assert_eq!(code, Code::NotFound, "{schema}.{table}");
        }
    }
}

const OTHER_STATEMENTS: [&str; 24] = [
    "create external table x stored as csv location '/etc/passwd'",
    "copy (select 1) to '/tmp/x.csv'",
    "create table x as select 1",
    "create view x as select 1",
    "create function f(int) returns int as '1'",
    "create schema x",
    "insert into sales.orders values (1)",
    "update sales.orders set total = 1",
    "delete from sales.orders",
    "drop table sales.orders",
    "truncate table sales.orders",
    "set datafusion.execution.batch_size = 1",
    "reset datafusion.execution.batch_size",
    "show all",
    "show functions",
    "show create table sales.orders",
    "describe select * from sales.orders",
    "prepare p as select 1",
    "execute p",
    "deallocate p",
    "begin",
    "explain verbose select * from sales.orders",
    "explain insert into sales.orders values (1)",
    "select 1; select 2",
];

#[tokio::test]
async fn a071_a072_a047_a075_other_statements_are_refused_on_every_way() {
    use arrow_flight::{
        Action, FlightData, FlightDescriptor,
        sql::{ActionCreatePreparedStatementRequest, CommandStatementUpdate, ProstMessageExt},
    };
    use prost::Message;
    let bench = Bench::start().await;
    for sql in OTHER_STATEMENTS {
        let (code, _) = bench.refusal(&auditor(), sql).await;
        assert_eq!(code, Code::InvalidArgument, "{sql}");
        assert!(bench.flight_info(&auditor(), FlightDescriptor::new_cmd(sql)).await.is_err(), "{sql}");
        let schema = bench.client().get_schema(with_token(statement(sql), &auditor())).await;
        assert_eq!(schema.unwrap_err().code(), Code::InvalidArgument, "{sql}");
        let poll = bench.client().poll_flight_info(with_token(statement(sql), &auditor())).await;
        assert_eq!(poll.unwrap_err().code(), Code::InvalidArgument, "{sql}");
        let prepare = ActionCreatePreparedStatementRequest { query: sql.to_owned(), transaction_id: None };
        let body = prepare.as_any().encode_to_vec().into();
        let action = Action { r#type: "CreatePreparedStatement".to_owned(), body };
        let prepared = bench.client().do_action(with_token(action, &auditor())).await;
        assert_eq!(prepared.unwrap_err().code(), Code::InvalidArgument, "{sql}");
        let update = CommandStatementUpdate { query: sql.to_owned(), transaction_id: None };
        let message = FlightData {
            flight_descriptor: Some(FlightDescriptor::new_cmd(update.as_any().encode_to_vec())),
            ..FlightData::default()
        };
        let messages = futures::stream::iter([message]);
        let put = bench.client().do_put(with_token(messages, &auditor())).await;
        // Of the one kind of update that there is, a wrong one.
        let is_setting = sql.starts_with("set ") || sql.starts_with("reset ");
        let expected = if is_setting { Code::InvalidArgument } else { Code::Unimplemented };
        assert_eq!(put.unwrap_err().code(), expected, "{sql}");
    }
    assert!(bench.sales.scans().is_empty() && bench.hr.scans().is_empty());
}

#[tokio::test]
async fn a073_a074_a076_no_files_no_unlisted_functions_no_nonsense() {
    let bench = Bench::start().await;
    for sql in [
        "select * from '/etc/passwd'",
        "select * from \"/etc/passwd\"",
        "select * from 's3://bucket/x.parquet'",
        "select * from read_csv('/etc/passwd')",
        "select * from sales.\"/etc/passwd\"",
        "select version()",
        "select arrow_metadata(order_id) from sales.orders",
        "select from where",
        "selekt 1",
        "",
        "select $1",
        "select * from sales.orders where order_id = $1",
        "select * from sales.orders where order_id = ?",
    ] {
        let status = bench.query(&auditor(), sql).await.expect_err(sql);
        assert!(matches!(status.code(), Code::InvalidArgument | Code::NotFound), "{sql}: {status}");
    }
    assert!(bench.sales.scans().is_empty());
}
