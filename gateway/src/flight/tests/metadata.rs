//! Metadata shows what the caller sees, and nothing of the rest.

use std::collections::{BTreeSet, HashMap};

use arrow::{
    array::AsArray, datatypes::Schema, record_batch::RecordBatch, util::pretty::pretty_format_batches,
};
use arrow_flight::{
    Criteria, FlightDescriptor, IpcMessage, Ticket,
    sql::{
        CommandGetCatalogs, CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys,
        CommandGetImportedKeys, CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTableTypes,
        CommandGetTables, CommandGetXdbcTypeInfo, ProstMessageExt,
    },
};
use futures::TryStreamExt;
use meshgate_engine::data_type;
use meshgate_policies::{
    DataType,
    data_type::{Field, TimeUnit},
};
use prost::Message;

use crate::{
    catalog::type_name,
    testing::{
        bench::{Bench, anna, auditor, otto, statement, with_token},
        larkfield::SALES_POLICY,
    },
};

async fn answer<C: ProstMessageExt>(bench: &Bench, token: &str, command: C) -> RecordBatch {
    let packed = command.as_any().encode_to_vec();
    let info = bench.flight_info(token, FlightDescriptor::new_cmd(packed.clone())).await.unwrap();
    let batches = bench.do_get(token, info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    // Some clients send the command itself as a ticket.
    let by_command = bench.do_get(token, Ticket { ticket: packed.into() }).await.unwrap();
    assert_eq!(batches, by_command);
    let schema = Schema::try_from(info).unwrap();
    assert!(batches.iter().all(|batch| *batch.schema() == schema));
    arrow::compute::concat_batches(&std::sync::Arc::new(schema), &batches).unwrap()
}

fn tables(
    schema: Option<&str>,
    table: Option<&str>,
    types: &[&str],
    include_schema: bool,
) -> CommandGetTables {
    CommandGetTables {
        db_schema_filter_pattern: schema.map(str::to_owned),
        table_name_filter_pattern: table.map(str::to_owned),
        table_types: types.iter().map(ToString::to_string).collect(),
        include_schema,
        ..CommandGetTables::default()
    }
}

/// Tables of domains. Those of the gateway's own are the same for everybody.
async fn of_domains(bench: &Bench, token: &str) -> Vec<String> {
    let is_own = |name: &String| name.starts_with("system.") || name.starts_with("information_schema.");
    let all = names(bench, token, tables(None, None, &[], true)).await;
    let (own, of_domains): (Vec<_>, Vec<_>) = all.into_iter().partition(is_own);
    assert_eq!(own, OWN);
    of_domains
}

const OWN: [&str; 9] = [
    "information_schema.columns",
    "information_schema.schemata",
    "information_schema.tables",
    "information_schema.views",
    "system.audit",
    "system.columns",
    "system.policies",
    "system.products",
    "system.whoami",
];

async fn names(bench: &Bench, token: &str, command: CommandGetTables) -> Vec<String> {
    let batch = answer(bench, token, command).await;
    let (schemas, tables) = (batch.column(1).as_string::<i32>(), batch.column(2).as_string::<i32>());
    schemas
        .iter()
        .zip(tables)
        .map(|(schema, table)| format!("{}.{}", schema.unwrap(), table.unwrap()))
        .collect()
}

#[tokio::test]
async fn a043_tables_are_those_that_the_caller_sees() {
    let bench = Bench::start().await;
    assert_eq!(of_domains(&bench, &anna()).await, ["sales.orders"]);
    assert_eq!(of_domains(&bench, &otto()).await, Vec::<String>::new());
    let of_auditor = of_domains(&bench, &auditor()).await;
    assert_eq!(of_auditor, ["hr.people", "sales.order_lines", "sales.orders"]);
    assert_eq!(names(&bench, &otto(), tables(None, None, &["SYSTEM TABLE"], false)).await, OWN);
    for (command, expected) in [
        (tables(Some("s%"), Some("order!_lines"), &[], false), vec![]),
        (tables(Some("sal__"), Some("%lines"), &[], false), vec!["sales.order_lines"]),
        (tables(None, Some("people"), &["TABLE"], false), vec!["hr.people"]),
        (tables(Some("hr"), None, &["BASE TABLE"], false), vec!["hr.people"]),
        (tables(None, None, &["VIEW"], false), vec![]),
    ] {
        assert_eq!(names(&bench, &auditor(), command).await, expected);
    }
    assert_eq!(names(&bench, &anna(), tables(Some("hr"), None, &[], false)).await, Vec::<String>::new());
}

#[tokio::test]
async fn a043_schemas_of_tables_hold_visible_columns_only() {
    let bench = Bench::start().await;
    let batch = answer(&bench, &anna(), tables(Some("sales"), None, &[], true)).await;
    let bytes = batch.column(4).as_binary::<i32>().value(0).to_vec();
    let schema = Schema::try_from(IpcMessage(bytes.into())).unwrap();
    let columns: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(columns, ["order_id", "region", "total", "card"]);
    assert_eq!(schema.field(0).metadata()["ARROW:FLIGHT:SQL:TYPE_NAME"], "BIGINT");
}

#[tokio::test]
async fn schemas_of_tables_tell_what_the_caller_can_get() {
    let bench = Bench::start().await;
    bench.sales_policy(&SALES_POLICY.replace("card: last(4)", "card: last(4), region: redact"));
    let batch = answer(&bench, &anna(), tables(Some("sales"), None, &[], true)).await;
    let bytes = batch.column(4).as_binary::<i32>().value(0).to_vec();
    let schema = Schema::try_from(IpcMessage(bytes.into())).unwrap();
    let nullable: Vec<_> = schema.fields().iter().map(|field| field.is_nullable()).collect();
    // `region` is required, and masked: what shows promises nothing.
    assert_eq!(nullable, [false, true, true, true]);
    for field in schema.fields() {
        let metadata = |key: &str| field.metadata()[&format!("ARROW:FLIGHT:SQL:{key}")].as_str();
        assert_eq!(
            [metadata("CATALOG_NAME"), metadata("SCHEMA_NAME"), metadata("TABLE_NAME")],
            ["mesh", "sales", "orders"]
        );
        assert_eq!(metadata("IS_READ_ONLY"), "1");
    }
    // A result has the same names, types and nullability, and no metadata.
    let info = bench.flight_info(&anna(), statement("select * from sales.orders")).await.unwrap();
    let result = Schema::try_from(info).unwrap();
    assert!(result.metadata().is_empty());
    for (field, described) in result.fields().iter().zip(schema.fields()) {
        assert!(field.metadata().is_empty());
        assert_eq!(field.as_ref(), &described.as_ref().clone().with_metadata(HashMap::new()));
    }
}

#[tokio::test]
async fn catalogs_schemas_and_types() {
    let bench = Bench::start().await;
    let drawn = |batch: RecordBatch| pretty_format_batches(&[batch]).unwrap().to_string();
    assert!(drawn(answer(&bench, &otto(), CommandGetCatalogs {}).await).contains("| mesh "));
    let schemas = drawn(answer(&bench, &anna(), CommandGetDbSchemas::default()).await);
    assert!(schemas.contains("sales") && schemas.contains("system") && !schemas.contains("hr"), "{schemas}");
    assert!(drawn(answer(&bench, &anna(), CommandGetTableTypes {}).await).contains("| TABLE "));
    assert!(answer(&bench, &anna(), CommandGetSqlInfo { info: vec![] }).await.num_rows() > 80);
    assert!(answer(&bench, &anna(), CommandGetXdbcTypeInfo { data_type: None }).await.num_rows() > 10);
    assert_eq!(answer(&bench, &anna(), CommandGetXdbcTypeInfo { data_type: Some(12) }).await.num_rows(), 1);
}

/// One type of each kind that contracts can name.
fn contract_types() -> Vec<DataType> {
    let timestamp = |zone: Option<&str>| DataType::Timestamp {
        unit: TimeUnit::Microsecond,
        zone: zone.map(str::to_owned),
    };
    let field = |name: &str| Field { name: name.to_owned(), data_type: DataType::Text, nullable: true };
    let types = vec![
        DataType::Boolean,
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt8,
        DataType::UInt16,
        DataType::UInt32,
        DataType::UInt64,
        DataType::Float32,
        DataType::Float64,
        DataType::Decimal { precision: 12, scale: 2 },
        DataType::Text,
        DataType::Binary,
        DataType::Date,
        DataType::Time,
        timestamp(None),
        timestamp(Some("Europe/Berlin")),
        DataType::List(Box::new(field("item"))),
        DataType::Struct(vec![field("street")]),
    ];
    for data_type in &types {
        // A kind that is added is missing here first, and belongs into the list.
        match data_type {
            DataType::Boolean
            | DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
            | DataType::UInt64
            | DataType::Float32
            | DataType::Float64
            | DataType::Decimal { .. }
            | DataType::Text
            | DataType::Binary
            | DataType::Date
            | DataType::Time
            | DataType::Timestamp { .. }
            | DataType::List(_)
            | DataType::Struct(_) => {}
        }
    }
    types
}

#[tokio::test]
async fn the_types_are_those_of_columns_and_no_others() {
    let bench = Bench::start().await;
    let told = answer(&bench, &otto(), CommandGetXdbcTypeInfo { data_type: None }).await;
    let names = told.column_by_name("type_name").unwrap().as_string::<i32>();
    let told: BTreeSet<&str> = names.iter().map(Option::unwrap).collect();
    assert_eq!(told.len(), names.iter().len(), "each once");
    let arrow = contract_types().iter().map(data_type::to_arrow).collect::<Vec<_>>();
    assert_eq!(told, arrow.iter().map(type_name).collect());
    let timestamps = answer(&bench, &otto(), CommandGetXdbcTypeInfo { data_type: Some(93) }).await;
    assert_eq!(timestamps.num_rows(), 2);
}

#[tokio::test]
async fn keys_of_hidden_tables_are_no_keys() {
    let bench = Bench::start().await;
    let key = |schema: &str, table: &str| CommandGetPrimaryKeys {
        catalog: None,
        db_schema: Some(schema.to_owned()),
        table: table.to_owned(),
    };
    assert_eq!(answer(&bench, &anna(), key("sales", "orders")).await.num_rows(), 1);
    assert_eq!(answer(&bench, &anna(), key("hr", "people")).await.num_rows(), 0);
    assert_eq!(answer(&bench, &auditor(), key("hr", "people")).await.num_rows(), 1);
    assert_eq!(answer(&bench, &auditor(), CommandGetExportedKeys::default()).await.num_rows(), 0);
    assert_eq!(answer(&bench, &auditor(), CommandGetImportedKeys::default()).await.num_rows(), 0);
    assert_eq!(answer(&bench, &auditor(), CommandGetCrossReference::default()).await.num_rows(), 0);
}

#[tokio::test]
async fn a044_flights_are_the_visible_tables() {
    let bench = Bench::start().await;
    for (token, expected) in [
        (anna(), vec!["sales/orders"]),
        (otto(), vec![]),
        (auditor(), vec!["hr/people", "sales/order_lines", "sales/orders"]),
    ] {
        let flights =
            bench.client().list_flights(with_token(Criteria::default(), &token)).await.unwrap().into_inner();
        let flights: Vec<_> = flights.try_collect().await.unwrap();
        let paths: Vec<_> = flights
            .iter()
            .map(|info: &arrow_flight::FlightInfo| info.flight_descriptor.clone().unwrap().path.join("/"))
            .collect();
        assert_eq!(paths, expected);
        for info in flights {
            assert_eq!((info.total_records, info.total_bytes), (-1, -1));
            assert!(bench.do_get(&token, info.endpoint[0].ticket.clone().unwrap()).await.is_ok());
        }
    }
}
