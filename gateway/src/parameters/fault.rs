//! Why values do not fit the parameters of a statement.

use arrow::datatypes::DataType;

use crate::catalog::type_name;

/// What is wrong. Never holds a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParameterFault {
    #[error(
        "the statement has {expected} parameters and {given} values are bound: prepare it, and bind one value for each"
    )]
    Count { expected: usize, given: usize },
    #[error("one row of values must be bound: run the statement once for each row")]
    Rows,
    #[error(
        "parameter {number} is {} and the value is {}: bind the parameter's type, or write `cast(? as ..)` with the value's",
        shown(.expected), shown(.given)
    )]
    Type { number: usize, expected: DataType, given: DataType },
    #[error("the value of parameter {number} does not fit {} exactly: write `cast(? as ..)` with its type", shown(.expected))]
    Value { number: usize, expected: DataType },
    #[error("the value of parameter {number} cannot be read")]
    Unreadable { number: usize },
    #[error("parameter {number} would have several types: write `cast(${number} as ..)` wherever it stands")]
    Conflict { number: usize },
    #[error("the values of the parameters cannot be read: bind them as one plain, uncompressed record batch")]
    Undecodable,
    #[error("the values of the parameters have more than {limit} bytes")]
    TooLong { limit: usize },
}

/// The SQL name of a type, as `cast` takes it.
fn shown(data_type: &DataType) -> String {
    match data_type {
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        other => type_name(other).to_owned(),
    }
}
