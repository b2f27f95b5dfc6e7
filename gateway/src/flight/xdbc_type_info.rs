//! The SQL types of results, as `GetXdbcTypeInfo` tells them.

use arrow_flight::{
    error::FlightError,
    sql::{
        Nullable, Searchable, XdbcDataType,
        metadata::{XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder},
    },
};

/// Every type that a contract can name, under the name that metadata gives to its columns.
pub(super) fn table() -> Result<XdbcTypeInfoData, FlightError> {
    let mut builder = XdbcTypeInfoDataBuilder::new();
    for (name, data_type, bits) in [
        ("TINYINT", XdbcDataType::XdbcTinyint, 8),
        ("SMALLINT", XdbcDataType::XdbcSmallint, 16),
        ("INTEGER", XdbcDataType::XdbcInteger, 32),
        ("BIGINT", XdbcDataType::XdbcBigint, 64),
        ("REAL", XdbcDataType::XdbcReal, 24),
        ("DOUBLE", XdbcDataType::XdbcDouble, 53),
    ] {
        builder.append(number(name, data_type, bits, 2));
    }
    builder.append(XdbcTypeInfo {
        create_params: Some(vec!["precision".to_owned(), "scale".to_owned()]),
        fixed_prec_scale: true,
        minimum_scale: Some(0),
        maximum_scale: Some(38),
        ..number("DECIMAL", XdbcDataType::XdbcDecimal, 38, 10)
    });
    builder.append(other("BOOLEAN", XdbcDataType::XdbcBit, Some(1), None));
    builder.append(XdbcTypeInfo {
        case_sensitive: true,
        ..other("VARCHAR", XdbcDataType::XdbcVarchar, None, Some("'"))
    });
    builder.append(other("VARBINARY", XdbcDataType::XdbcVarbinary, None, Some("X'")));
    builder.append(other("DATE", XdbcDataType::XdbcDate, Some(10), Some("DATE '")));
    builder.append(other("TIME", XdbcDataType::XdbcTime, Some(15), Some("TIME '")));
    builder.append(other("TIMESTAMP", XdbcDataType::XdbcTimestamp, Some(29), Some("TIMESTAMP '")));
    builder.append(other("TIMESTAMP WITH TIME ZONE", XdbcDataType::XdbcTimestamp, Some(35), None));
    // XDBC has no numbers for what other types are made of.
    for name in ["ARRAY", "STRUCT"] {
        builder.append(XdbcTypeInfo {
            searchable: Searchable::None,
            ..other(name, XdbcDataType::XdbcUnknownType, None, None)
        });
    }
    builder.build()
}

fn number(name: &str, data_type: XdbcDataType, size: i32, radix: i32) -> XdbcTypeInfo {
    XdbcTypeInfo {
        unsigned_attribute: Some(false),
        auto_increment: Some(false),
        num_prec_radix: Some(radix),
        ..other(name, data_type, Some(size), None)
    }
}

fn other(name: &str, data_type: XdbcDataType, size: Option<i32>, prefix: Option<&str>) -> XdbcTypeInfo {
    XdbcTypeInfo {
        type_name: name.to_owned(),
        data_type,
        column_size: size,
        literal_prefix: prefix.map(str::to_owned),
        literal_suffix: prefix.map(|_| "'".to_owned()),
        nullable: Nullable::NullabilityNullable,
        searchable: Searchable::Full,
        local_type_name: Some(name.to_owned()),
        sql_data_type: data_type,
        ..XdbcTypeInfo::default()
    }
}
