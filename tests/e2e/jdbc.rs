//! The Arrow Flight SQL JDBC driver, unchanged.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
    Time64MicrosecondArray, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
    TimestampSecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Int64Type};
use meshgate_tests::demo::Demo;
use meshgate_tests::java;
use meshgate_tests::mesh::MeshPlan;
use parquet::arrow::ArrowWriter;
use serde_json::json;

#[test]
fn statements_parameters_metadata_and_ways_in() {
    let parent = tempfile::tempdir().unwrap();
    let demo = Demo::start(&parent.path().join("demo"));
    let ca = demo.ca();
    let arguments =
        [demo.address(), ca.to_str().unwrap(), demo.token("marco"), demo.token("anna"), demo.token("otto")];
    let output = java::output("DemoClient", &arguments);
    assert_eq!(output.lines().last(), Some("jdbc: 70 checks"), "{output}");
}

const MESH: &str = "mesh: types\ntimezone: UTC\nroles: { path: $.roles }\ngroups: { path: $.groups }\n\
                    classifications: [internal]\n";

const POLICY: &str = "
domain: lab
owner: lab@larkfield.example
grants:
  - { id: all, why: Types are no secret., to: { everyone: true }, tables: [samples], columns: all }
";

/// One column of every type that a contract can name: how the contract spells
/// it, three values, and what the driver says and gives.
fn columns() -> Vec<(&'static str, &'static str, ArrayRef, &'static str)> {
    let decimal = |values: [Option<i128>; 3], precision, scale| {
        Arc::new(Decimal128Array::from(values.to_vec()).with_precision_and_scale(precision, scale).unwrap())
    };
    let numbers = || [Some(vec![Some(1), None, Some(3)]), Some(vec![]), None];
    let pair: ArrayRef = Arc::new(StructArray::from(vec![
        (
            Arc::new(Field::new("a", DataType::Int64, true)),
            Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("b", DataType::Utf8, true)),
            Arc::new(StringArray::from(vec![Some("x"), None, None])),
        ),
    ]));
    vec![
        (
            "t_text",
            "logicalType: string",
            Arc::new(StringArray::from(vec![Some("Straße"), Some(""), None])),
            "VARCHAR|Straße||null",
        ),
        (
            "t_binary",
            "logicalType: string, physicalType: binary",
            Arc::new(BinaryArray::from(vec![Some(&b"\x00\xff"[..]), Some(b""), None])),
            "VARBINARY|00ff||null",
        ),
        (
            "t_boolean",
            "logicalType: boolean",
            Arc::new(BooleanArray::from(vec![Some(true), Some(false), None])),
            "BOOLEAN|true|false|null",
        ),
        (
            "t_int8",
            "logicalType: integer, physicalType: tinyint",
            Arc::new(Int8Array::from(vec![Some(127), Some(-128), None])),
            "TINYINT|127|-128|null",
        ),
        (
            "t_int16",
            "logicalType: integer, physicalType: smallint",
            Arc::new(Int16Array::from(vec![Some(32767), Some(-32768), None])),
            "SMALLINT|32767|-32768|null",
        ),
        (
            "t_int32",
            "logicalType: integer, physicalType: int",
            Arc::new(Int32Array::from(vec![Some(i32::MAX), Some(i32::MIN), None])),
            "INTEGER|2147483647|-2147483648|null",
        ),
        (
            "t_int64",
            "logicalType: integer",
            Arc::new(Int64Array::from(vec![Some(i64::MAX), Some(i64::MIN), None])),
            "BIGINT|9223372036854775807|-9223372036854775808|null",
        ),
        (
            "t_uint8",
            "logicalType: integer, physicalType: uint8",
            Arc::new(UInt8Array::from(vec![Some(255), Some(0), None])),
            "SMALLINT|255|0|null",
        ),
        (
            "t_uint16",
            "logicalType: integer, physicalType: uint16",
            Arc::new(UInt16Array::from(vec![Some(65535), Some(0), None])),
            "INTEGER|65535|0|null",
        ),
        (
            "t_uint32",
            "logicalType: integer, physicalType: uint32",
            Arc::new(UInt32Array::from(vec![Some(u32::MAX), Some(0), None])),
            "BIGINT|4294967295|0|null",
        ),
        (
            "t_uint64",
            "logicalType: integer, physicalType: uint64",
            Arc::new(UInt64Array::from(vec![Some(1 << 62), Some(0), None])),
            "BIGINT|4611686018427387904|0|null",
        ),
        (
            "t_float32",
            "logicalType: number, physicalType: float",
            Arc::new(Float32Array::from(vec![Some(1.5), Some(-0.25), None])),
            "FLOAT|1.5|-0.25|null",
        ),
        (
            "t_float64",
            "logicalType: number",
            Arc::new(Float64Array::from(vec![Some(0.1), Some(f64::NEG_INFINITY), None])),
            "DOUBLE|0.1|-Infinity|null",
        ),
        (
            "t_decimal",
            "logicalType: number, physicalType: 'decimal(12,2)'",
            decimal([Some(12050), Some(-1), None], 12, 2),
            "DECIMAL|120.50|-0.01|null",
        ),
        (
            "t_decimal38",
            "logicalType: number, physicalType: 'decimal(38,10)'",
            decimal([Some(99_999_999_999_999_999_999_999_999_999_999_999_999), Some(1), None], 38, 10),
            "DECIMAL|9999999999999999999999999999.9999999999|1E-10|null",
        ),
        (
            "t_date",
            "logicalType: date",
            Arc::new(Date32Array::from(vec![Some(20_000), Some(-1), None])),
            "DATE|2024-10-04|1969-12-31|null",
        ),
        (
            "t_time",
            "logicalType: time",
            Arc::new(Time64MicrosecondArray::from(vec![Some(86_399_000_000), Some(0), None])),
            "TIME|23:59:59|00:00:00|null",
        ),
        (
            "t_timestamp_s",
            "logicalType: timestamp, physicalType: timestamp_s",
            Arc::new(TimestampSecondArray::from(vec![Some(1_700_000_000), Some(-1), None])),
            "TIMESTAMP|2023-11-14 22:13:20.0|1969-12-31 23:59:59.0|null",
        ),
        (
            "t_timestamp_ms",
            "logicalType: timestamp, physicalType: timestamp_ms",
            Arc::new(TimestampMillisecondArray::from(vec![Some(1_700_000_000_123), Some(-1), None])),
            "TIMESTAMP|2023-11-14 22:13:20.123|1969-12-31 23:59:59.999|null",
        ),
        (
            "t_timestamp_us",
            "logicalType: timestamp",
            Arc::new(TimestampMicrosecondArray::from(vec![Some(1_700_000_000_123_456), Some(-1), None])),
            "TIMESTAMP|2023-11-14 22:13:20.123456|1969-12-31 23:59:59.999999|null",
        ),
        (
            "t_timestamp_ns",
            "logicalType: timestamp, physicalType: timestamp_ns",
            Arc::new(TimestampNanosecondArray::from(vec![Some(1_700_000_000_123_456_789), Some(-1), None])),
            "TIMESTAMP|2023-11-14 22:13:20.123456789|1969-12-31 23:59:59.999999999|null",
        ),
        (
            "t_timestamptz",
            "logicalType: timestamp, physicalType: timestamptz",
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(1_700_000_000_123_456), Some(-1), None])
                    .with_timezone("UTC"),
            ),
            "TIMESTAMP_WITH_TIMEZONE|2023-11-14 22:13:20.123456|1969-12-31 23:59:59.999999|null",
        ),
        (
            "t_instant_s",
            "logicalType: timestamp, physicalType: timestamp_s, logicalTypeOptions: { timezone: true, defaultTimezone: UTC }",
            Arc::new(
                TimestampSecondArray::from(vec![Some(1_700_000_000), Some(-1), None]).with_timezone("UTC"),
            ),
            "TIMESTAMP_WITH_TIMEZONE|2023-11-14 22:13:20.0|1969-12-31 23:59:59.0|null",
        ),
        (
            "t_instant_ms",
            "logicalType: timestamp, physicalType: timestamp_ms, logicalTypeOptions: { timezone: true, defaultTimezone: UTC }",
            Arc::new(
                TimestampMillisecondArray::from(vec![Some(1_700_000_000_123), Some(-1), None])
                    .with_timezone("UTC"),
            ),
            "TIMESTAMP_WITH_TIMEZONE|2023-11-14 22:13:20.123|1969-12-31 23:59:59.999|null",
        ),
        (
            "t_instant_ns",
            "logicalType: timestamp, physicalType: timestamp_ns, logicalTypeOptions: { timezone: true, defaultTimezone: UTC }",
            Arc::new(
                TimestampNanosecondArray::from(vec![Some(1_700_000_000_123_456_789), Some(-1), None])
                    .with_timezone("UTC"),
            ),
            "TIMESTAMP_WITH_TIMEZONE|2023-11-14 22:13:20.123456789|1969-12-31 23:59:59.999999999|null",
        ),
        // The driver adds the offset of a zone twice: docs/clients.md says what to do.
        (
            "t_instant_berlin",
            "logicalType: timestamp, physicalType: timestamptz, logicalTypeOptions: { timezone: true, defaultTimezone: Europe/Berlin }",
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(1_700_000_000_123_456), Some(-1), None])
                    .with_timezone("Europe/Berlin"),
            ),
            "TIMESTAMP_WITH_TIMEZONE|2023-11-15 00:13:20.123456|1970-01-01 01:59:59.999999|null",
        ),
        (
            "t_list",
            "logicalType: array, items: { logicalType: integer }",
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(numbers())),
            "ARRAY|[1, null, 3]|[]|null",
        ),
        (
            "t_struct",
            "logicalType: object, properties: [ { name: a, logicalType: integer }, { name: b, logicalType: string } ]",
            pair,
            "JAVA_OBJECT|{\"a\":1,\"b\":\"x\"}|{\"a\":2}|{\"a\":3}",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_of_a_contract_is_read_right() {
    let columns = columns();
    let batch =
        RecordBatch::try_from_iter(columns.iter().map(|(name, _, values, _)| (*name, Arc::clone(values))))
            .unwrap();
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let mut contract = "apiVersion: v3.1.0\nkind: DataContract\nid: lab\nname: lab\nversion: 1.0.0\nstatus: active\n\
         servers: [ { server: files, environment: test, type: local, path: ../data/samples.parquet, format: parquet } ]\n\
         schema:\n  - name: samples\n    properties:\n"
        .to_owned();
    for (name, spelled, _, _) in &columns {
        contract += &format!("      - {{ name: {name}, {spelled}, classification: internal }}\n");
    }
    let mesh = MeshPlan::new(MESH, &["lab"])
        .file("lab/products/lab.odcs.yaml", contract)
        .file("lab/policies/lab.yaml", POLICY)
        .file("lab/data/samples.parquet", file)
        .start()
        .await;
    let token = mesh.forge.token(&json!({ "sub": "analyst" }));
    let (address, ca) = (format!("localhost:{}", mesh.gateway.port()), mesh.ca());
    let arguments = [address, ca.display().to_string(), token, "select * from lab.samples".to_owned()];
    let read =
        tokio::task::spawn_blocking(move || java::output("Query", &arguments.each_ref().map(String::as_str)));
    let read = read.await.unwrap();
    let expected: Vec<String> = columns.iter().map(|(name, _, _, shown)| format!("{name}|{shown}")).collect();
    assert_eq!(read.lines().collect::<Vec<_>>(), expected);
}
