//! Values that cells hold, and texts that are none.

use super::*;
use arrow::util::display::array_value_to_string;

fn shown(data_type: &DataType, text: &str) -> Option<String> {
    let mut parser = Parser::new(data_type).unwrap();
    parser.append(text).then(|| array_value_to_string(&parser.finish(), 0).unwrap())
}

fn timestamp_type(unit: TimeUnit, zone: Option<&str>) -> DataType {
    DataType::Timestamp { unit, zone: zone.map(str::to_owned) }
}

#[test]
fn values_of_every_type_are_read_exactly() {
    let micro = |zone| timestamp_type(TimeUnit::Microsecond, zone);
    for (data_type, text, expected) in [
        (DataType::Boolean, "true", "true"),
        (DataType::Boolean, "false", "false"),
        (DataType::Int8, "-128", "-128"),
        (DataType::Int16, "32767", "32767"),
        (DataType::Int32, "-2147483648", "-2147483648"),
        (DataType::Int64, "9223372036854775807", "9223372036854775807"),
        (DataType::UInt8, "255", "255"),
        (DataType::UInt16, "65535", "65535"),
        (DataType::UInt32, "4294967295", "4294967295"),
        (DataType::UInt64, "18446744073709551615", "18446744073709551615"),
        (DataType::Float32, "1.5", "1.5"),
        (DataType::Float64, "-1.25e3", "-1250.0"),
        (DataType::Float64, "NaN", "NaN"),
        (DataType::Float64, "-Infinity", "-inf"),
        (DataType::Decimal { precision: 5, scale: 2 }, "123.45", "123.45"),
        (DataType::Decimal { precision: 5, scale: 2 }, "-0.1", "-0.10"),
        (DataType::Decimal { precision: 5, scale: 2 }, "1.5000", "1.50"),
        (DataType::Decimal { precision: 5, scale: 2 }, "000999", "999.00"),
        (DataType::Decimal { precision: 38, scale: 0 }, &"9".repeat(38), &"9".repeat(38)),
        (DataType::Text, " a ", " a "),
        (DataType::Date, "2024-02-29", "2024-02-29"),
        (DataType::Date, "0001-01-01", "0001-01-01"),
        (DataType::Time, "23:59:59.123456", "23:59:59.123456"),
        (DataType::Time, "00:00:00", "00:00:00"),
        (micro(None), "2026-11-23 10:00:00", "2026-11-23T10:00:00"),
        (micro(None), "2026-11-23T10:00:00.5", "2026-11-23T10:00:00.500"),
        (micro(Some("UTC")), "2026-11-23T10:00:00+02:00", "2026-11-23T08:00:00Z"),
        (micro(Some("Europe/Berlin")), "2026-11-23T10:00:00Z", "2026-11-23T11:00:00+01:00"),
        (timestamp_type(TimeUnit::Second, None), "1969-12-31 23:59:59", "1969-12-31T23:59:59"),
        (timestamp_type(TimeUnit::Millisecond, None), "1969-12-31 23:59:59.999", "1969-12-31T23:59:59.999"),
        (
            timestamp_type(TimeUnit::Nanosecond, None),
            "2026-11-23 10:00:00.000000001",
            "2026-11-23T10:00:00.000000001",
        ),
    ] {
        assert_eq!(shown(&data_type, text).as_deref(), Some(expected), "{data_type} {text}");
    }
}

#[test]
fn what_is_not_exactly_of_the_type_is_refused() {
    let decimal = DataType::Decimal { precision: 5, scale: 2 };
    let micro = |zone| timestamp_type(TimeUnit::Microsecond, zone);
    for (data_type, texts) in [
        (DataType::Boolean, vec!["True", "TRUE", "1", "yes", "", " true"]),
        (DataType::Int8, vec!["128", "+1", "1.0", "", " 1", "1 ", "0x1", "1_000", "--1", "-"]),
        (DataType::UInt8, vec!["-1", "256", "+1"]),
        (DataType::Int64, vec!["9223372036854775808", "1e3", "١"]),
        (DataType::Float32, vec!["1e39", "nan", "inf", "", "+1", "1,5", "0x1p3"]),
        (DataType::Float64, vec!["1e999", "infinity", ".", "e", "1 "]),
        (decimal, vec!["1.234", "1000", "1.", ".5", "", "-", "1e2", "+1", "1,00", "1.2.3", " 1"]),
        (
            DataType::Date,
            vec![
                "2023-02-29",
                "2024-2-9",
                "24-02-09",
                "2024-02-09T00:00:00",
                "",
                "2024/02/09",
                "+2024-02-09",
            ],
        ),
        (
            DataType::Time,
            vec!["24:00:00", "1:00:00", "10:00", "10:00:60", "10:00:00.", "10:00:00.1234567", "10:00:00Z"],
        ),
        (
            micro(None),
            vec![
                "2026-11-23",
                "2026-11-23 10:00:00Z",
                "2026-11-23 10:00:00+01:00",
                "2026-11-23  10:00:00",
                "x",
            ],
        ),
        (
            micro(Some("UTC")),
            vec!["2026-11-23 10:00:00", "2026-11-23 10:00:00+0100", "2026-11-23 10:00:00+24:00"],
        ),
        (micro(None), vec!["2026-11-23 10:00:00.0000001"]),
        (timestamp_type(TimeUnit::Second, None), vec!["2026-11-23 10:00:00.5"]),
        (
            timestamp_type(TimeUnit::Nanosecond, None),
            vec!["2300-01-01 00:00:00", "2026-11-23 10:00:00.0000000001"],
        ),
    ] {
        for text in texts {
            assert_eq!(shown(&data_type, text), None, "{data_type} {text:?}");
        }
    }
}

#[test]
fn cells_hold_no_nested_or_binary_values() {
    assert!(Parser::new(&DataType::Binary).is_none());
    assert!(Parser::new(&DataType::Struct(Vec::new())).is_none());
}

#[test]
fn arrays_have_the_type_of_the_contract() {
    for data_type in [
        DataType::Decimal { precision: 5, scale: 2 },
        DataType::Time,
        timestamp_type(TimeUnit::Nanosecond, Some("Europe/Berlin")),
        timestamp_type(TimeUnit::Second, None),
    ] {
        let mut parser = Parser::new(&data_type).unwrap();
        parser.append_null();
        assert_eq!(parser.finish().data_type(), &meshgate_engine::data_type::to_arrow(&data_type));
    }
}
