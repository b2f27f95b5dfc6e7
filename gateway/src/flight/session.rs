//! Session actions. The gateway keeps no sessions: everything works without
//! them, and what cannot be honoured is refused for each option.

use std::collections::HashMap;

use arrow_flight::sql::Any;
use bytes::Bytes;
use prost::Message;

use crate::{catalog::CATALOG, status::GatewayError};

/// Most options of one request.
const OPTIONS_MAX: usize = 1_000;

/// `arrow.flight.protocol.SetSessionOptionsRequest`; arrow-flight has no type for it.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SetSessionOptionsRequest {
    #[prost(map = "string, message", tag = "1")]
    pub(super) session_options: HashMap<String, SessionOptionValue>,
}

/// Value of an option.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SessionOptionValue {
    #[prost(oneof = "OptionValue", tags = "1, 2, 3, 4, 5")]
    pub(super) option_value: Option<OptionValue>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum OptionValue {
    #[prost(string, tag = "1")]
    String(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(sfixed64, tag = "3")]
    Int64(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    StringList(StringListValue),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct StringListValue {
    #[prost(string, repeated, tag = "1")]
    pub(super) values: Vec<String>,
}

/// `arrow.flight.protocol.SetSessionOptionsResult`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SetSessionOptionsResult {
    #[prost(map = "string, message", tag = "1")]
    pub(super) errors: HashMap<String, OptionError>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct OptionError {
    #[prost(enumeration = "OptionErrorValue", tag = "1")]
    pub(super) value: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(super) enum OptionErrorValue {
    Unspecified = 0,
    InvalidName = 1,
    InvalidValue = 2,
    Error = 3,
}

/// `arrow.flight.protocol.GetSessionOptionsResult`.
#[derive(Clone, PartialEq, Message)]
struct GetSessionOptionsResult {
    #[prost(map = "string, message", tag = "1")]
    session_options: HashMap<String, SessionOptionValue>,
}

/// `arrow.flight.protocol.CloseSessionResult`.
#[derive(Clone, PartialEq, Message)]
struct CloseSessionResult {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// `CloseSessionResult.Status.CLOSED`.
const CLOSED: i32 = 1;

/// Answers `SetSessionOptions`: the catalog there is, nothing else.
pub(super) fn set(body: &Bytes) -> Result<Vec<u8>, GatewayError> {
    // Most clients send the message as it is, some pack it.
    let packed =
        Any::decode(body.as_ref()).ok().filter(|any| any.type_url.ends_with(".SetSessionOptionsRequest"));
    let body = packed.map_or_else(|| body.clone(), |any| any.value);
    let request = SetSessionOptionsRequest::decode(body)
        .map_err(|_| GatewayError::InvalidRequest("the body is not SetSessionOptionsRequest"))?;
    if request.session_options.len() > OPTIONS_MAX {
        return Err(GatewayError::InvalidRequest("too many session options"));
    }
    let errors = request
        .session_options
        .into_iter()
        .filter_map(|(name, value)| {
            refusal(&name, &value).map(|error| (name, OptionError { value: error as i32 }))
        })
        .collect();
    Ok(SetSessionOptionsResult { errors }.encode_to_vec())
}

fn refusal(name: &str, value: &SessionOptionValue) -> Option<OptionErrorValue> {
    match (name, &value.option_value) {
        ("catalog", Some(OptionValue::String(catalog))) if catalog == CATALOG => None,
        ("catalog", _) => Some(OptionErrorValue::InvalidValue),
        _ => Some(OptionErrorValue::InvalidName),
    }
}

/// Answers `GetSessionOptions`.
pub(super) fn get() -> Vec<u8> {
    let catalog = SessionOptionValue { option_value: Some(OptionValue::String(CATALOG.to_owned())) };
    GetSessionOptionsResult { session_options: HashMap::from([("catalog".to_owned(), catalog)]) }
        .encode_to_vec()
}

/// Answers `CloseSession`.
pub(super) fn close() -> Vec<u8> {
    CloseSessionResult { status: CLOSED }.encode_to_vec()
}

#[cfg(test)]
mod tests;
