//! Types of columns, nested ones too.

use meshgate_policies::DataType;
use meshgate_policies::data_type::{Field, TimeUnit};

use super::*;

#[test]
fn no_text_holds_binary_columns_and_csv_no_nested_ones_either() {
    for property in
        ["logicalType: string, physicalType: bytea", "logicalType: array, items: { logicalType: string }"]
    {
        assert!(type_of(property).is_ok());
        let contracts = load_one(&with_column(property).replacen("format: parquet }", "format: csv }", 1));
        assert!(
            contracts.problems[0].to_string().contains("which files of this format cannot hold"),
            "{property}"
        );
        let as_json = load_one(&with_column(property).replacen("format: parquet }", "format: json }", 1));
        assert_eq!(as_json.problems.is_empty(), property.contains("array"), "{property}");
    }
}

#[test]
fn measures_are_not_columns() {
    let text = format!(
        "{}      - {{ name: revenue, semanticType: measure, transformLogic: 'sum(total)' }}\n",
        VALID.split("    quality:").next().unwrap()
    );
    let contracts = load_one(&text);
    assert_eq!(contracts.products[0].tables[0].table.columns.len(), 3);
}

#[test]
fn types_come_from_logical_and_physical_type() {
    let timestamp = |unit, zone: Option<&str>| DataType::Timestamp { unit, zone: zone.map(str::to_owned) };
    for (property, expected) in [
        ("logicalType: integer, logicalTypeOptions: { format: i16 }", DataType::Int16),
        ("logicalType: integer, physicalType: Numeric(18)", DataType::Decimal { precision: 18, scale: 0 }),
        (
            "logicalType: number, logicalTypeOptions: { precision: 12, scale: 2 }",
            DataType::Decimal { precision: 12, scale: 2 },
        ),
        ("logicalType: number, logicalTypeOptions: { format: f32 }", DataType::Float32),
        (
            "logicalType: number, physicalType: 'DECIMAL( 10 , 3 )'",
            DataType::Decimal { precision: 10, scale: 3 },
        ),
        ("physicalType: int", DataType::Int32),
        ("physicalType: varchar(30)", DataType::Text),
        ("logicalType: string, physicalType: CHARACTER VARYING(30)", DataType::Text),
        ("logicalType: string, logicalTypeOptions: { format: email, maxLength: 3 }", DataType::Text),
        ("logicalType: date, physicalType: timestamp", timestamp(TimeUnit::Microsecond, None)),
        ("logicalType: timestamp", timestamp(TimeUnit::Microsecond, None)),
        ("logicalType: timestamp, physicalType: timestamp(3)", timestamp(TimeUnit::Millisecond, None)),
        (
            "logicalType: timestamp, physicalType: timestamp(9) with time zone",
            timestamp(TimeUnit::Nanosecond, Some("UTC")),
        ),
        (
            "logicalType: timestamp, logicalTypeOptions: { timezone: true }",
            timestamp(TimeUnit::Microsecond, Some("UTC")),
        ),
        (
            "logicalType: timestamp, logicalTypeOptions: { timezone: true, defaultTimezone: Europe/Berlin }",
            timestamp(TimeUnit::Microsecond, Some("Europe/Berlin")),
        ),
    ] {
        assert_eq!(type_of(&property.replace("Numeric(18)", "'Numeric(18)'")), Ok(expected), "{property}");
    }
    for (property, expected) in [
        (
            "logicalType: integer, physicalType: int8",
            "write `physicalType: tinyint` or `physicalType: bigint`",
        ),
        ("logicalType: integer, logicalTypeOptions: { format: i128 }", "no width that is supported"),
        ("logicalType: number, physicalType: decimal", "a decimal needs its precision and scale"),
        ("logicalType: number, physicalType: 'decimal(5,6)'", "there is no decimal(5,6)"),
        (
            "logicalType: date, physicalType: varchar",
            "`physicalType: varchar` does not go with `logicalType: date`",
        ),
        ("logicalType: timestamp, physicalType: timestamp(7)", "there is no timestamp(7)"),
        (
            "logicalType: timestamp, logicalTypeOptions: { timezone: true, defaultTimezone: Berlin }",
            "`Berlin` is no time zone",
        ),
        ("logicalType: map, map: {}", "`logicalType: map` is not supported"),
        ("logicalType: array", "the array has no `items`"),
        ("logicalType: object", "the object has no fields"),
    ] {
        let error = type_of(property).unwrap_err();
        assert!(error.contains(expected), "{property}: {error}");
    }
}

#[test]
fn nested_types_are_read_and_promise_per_field() {
    let field = |name: &str, data_type, nullable| Field { name: name.to_owned(), data_type, nullable };
    assert_eq!(
        type_of(
            "logicalType: array, items: { logicalType: object, required: true, properties: [ { name: a, logicalType: integer, required: true }, { name: b, logicalType: string } ] }"
        ),
        Ok(DataType::List(Box::new(field(
            "item",
            DataType::Struct(vec![field("a", DataType::Int64, false), field("b", DataType::Text, true)]),
            false
        ))))
    );
    for (fields, expected) in [
        (
            "{ name: a, logicalType: integer }, { name: a, logicalType: string }",
            "the field `a` is there twice",
        ),
        ("{ name: A, logicalType: integer }", "`A` cannot be the name of a field"),
        (
            "{ name: a, logicalType: array, items: { logicalType: string, classification: restricted } }",
            "`classification` of `items` has no effect",
        ),
        (
            "{ name: a, logicalType: array, items: { logicalType: string, tags: [pii] } }",
            "`tags` of `items` has no effect",
        ),
        ("{ name: a, logicalType: string, physicalName: b }", "fields inside an object cannot be renamed"),
    ] {
        let error = type_of(&format!("logicalType: object, properties: [ {fields} ]")).unwrap_err();
        assert!(error.contains(expected), "{fields}: {error}");
    }
    let mut deep = "logicalType: string".to_owned();
    for _ in 0..20 {
        deep = format!("logicalType: array, items: {{ {deep} }}");
    }
    assert!(type_of(&deep).unwrap_err().contains("nested deeper"));
}
