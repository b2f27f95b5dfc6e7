//! Sessions: what clients set and ask of them, by actions and by `SET`.
//!
//! The gateway keeps none: see `call`. What cannot be honoured is refused, for
//! each option.

mod call;
mod cookie;

use std::collections::HashMap;

use arrow_flight::sql::Any;
use bytes::Bytes;
use meshgate_engine::statement::{self, Setting, StatementLimits};
use prost::Message;

use super::{authenticate::Caller, record::QueryRecord};
use crate::{
    app::Gateway,
    catalog::CATALOG,
    planner::Parameters,
    status::{GatewayError, PURPOSE_SETTING, SessionFault, ShownName},
};

pub(super) use call::{CallSession, Refused, working_for};
pub(super) use cookie::take_away;

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

/// Answers `SetSessionOptions`: the purpose, and the catalog that there is.
pub(super) fn set(gateway: &Gateway, caller: &Caller, body: &Bytes) -> Result<Vec<u8>, GatewayError> {
    // Most clients send the message as it is, some pack it.
    let packed =
        Any::decode(body.as_ref()).ok().filter(|any| any.type_url.ends_with(".SetSessionOptionsRequest"));
    let body = packed.map_or_else(|| body.clone(), |any| any.value);
    let request = SetSessionOptionsRequest::decode(body)
        .map_err(|_| GatewayError::InvalidRequest("the body is not SetSessionOptionsRequest"))?;
    if request.session_options.len() > OPTIONS_MAX {
        return Err(GatewayError::InvalidRequest("too many session options"));
    }
    let mut errors = HashMap::new();
    for (name, value) in request.session_options {
        if let Some(error) = set_option(gateway, caller, &name, value.option_value)? {
            errors.insert(name, OptionError { value: error as i32 });
        }
    }
    Ok(SetSessionOptionsResult { errors }.encode_to_vec())
}

fn set_option(
    gateway: &Gateway,
    caller: &Caller,
    name: &str,
    value: Option<OptionValue>,
) -> Result<Option<OptionErrorValue>, GatewayError> {
    match (name, value) {
        ("catalog", Some(OptionValue::String(catalog))) if catalog == CATALOG => Ok(None),
        ("catalog", _) => Ok(Some(OptionErrorValue::InvalidValue)),
        (PURPOSE_SETTING, None) => set_purpose(gateway, caller, None, "SetSessionOptions").map(|()| None),
        (PURPOSE_SETTING, Some(OptionValue::String(purpose))) => {
            match set_purpose(gateway, caller, Some(&purpose), "SetSessionOptions") {
                Ok(()) => Ok(None),
                Err(GatewayError::Purpose { .. }) => Ok(Some(OptionErrorValue::InvalidValue)),
                Err(error) => Err(error),
            }
        }
        (PURPOSE_SETTING, Some(_)) => Ok(Some(OptionErrorValue::InvalidValue)),
        _ => Ok(Some(OptionErrorValue::InvalidName)),
    }
}

/// Answers `GetSessionOptions`: also what a header chose.
pub(super) fn get(caller: &Caller) -> Vec<u8> {
    let text = |value: &str| SessionOptionValue { option_value: Some(OptionValue::String(value.to_owned())) };
    let purpose = caller.principal.purpose.as_deref().map(|purpose| (PURPOSE_SETTING, purpose));
    let options = [Some(("catalog", CATALOG)), purpose];
    let session_options =
        options.into_iter().flatten().map(|(name, value)| (name.to_owned(), text(value))).collect();
    GetSessionOptionsResult { session_options }.encode_to_vec()
}

/// The setting that a statement changes; `None` if it is no `SET` or `RESET`.
pub(super) fn setting(gateway: &Gateway, sql: &str) -> Result<Option<Setting>, GatewayError> {
    let limits = StatementLimits { bytes: gateway.limits.statement_bytes, ..StatementLimits::default() };
    let setting =
        statement::setting(sql, &limits).map_err(|error| GatewayError::Statement(error.to_string()))?;
    match setting {
        Some(setting) if setting.name != PURPOSE_SETTING => {
            Err(GatewayError::Session(SessionFault::UnknownSetting(ShownName::new(&setting.name))))
        }
        setting => Ok(setting),
    }
}

/// Does what `SET` or `RESET` says.
pub(super) fn change(
    gateway: &Gateway,
    caller: &Caller,
    sql: &str,
    setting: &Setting,
) -> Result<(), GatewayError> {
    set_purpose(gateway, caller, setting.value.as_deref(), sql)
}

/// Chooses a purpose for the calls that follow, and records that.
fn set_purpose(
    gateway: &Gateway,
    caller: &Caller,
    purpose: Option<&str>,
    statement: &str,
) -> Result<(), GatewayError> {
    gateway.audit.ready()?;
    let principal = working_for(caller.principal.as_ref().clone(), purpose);
    let recorded = principal.as_ref().unwrap_or(&caller.principal);
    let record =
        QueryRecord::begin(gateway.audit.clone(), &caller.query_id, recorded, statement, &Parameters::Open);
    match principal.and_then(|_| caller.session.set_purpose(purpose)) {
        Ok(()) => record.completed(),
        Err(error) => Err(record.refused(error)),
    }
}

/// Answers `CloseSession`: the client forgets it.
pub(super) fn close(caller: &Caller) -> Vec<u8> {
    caller.session.close();
    CloseSessionResult { status: CLOSED }.encode_to_vec()
}

#[cfg(test)]
mod tests;
