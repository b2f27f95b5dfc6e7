//! `mesh.system.whoami`: the caller, as the gateway and policy see it. The
//! first thing that somebody needs who sees nothing.

use std::sync::{Arc, LazyLock};

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
    error::ArrowError,
};
use meshgate_policies::{ClaimValue, Principal};

use super::{text_list, texts};
use crate::catalog::PrincipalCatalog;

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("issuer", DataType::Utf8, false),
        Field::new("subject", DataType::Utf8, false),
        Field::new("roles", text_list(), false),
        Field::new("groups", text_list(), false),
        Field::new("claims", DataType::Utf8, false),
        Field::new("purpose", DataType::Utf8, true),
        Field::new("purposes", text_list(), false),
    ]))
});

/// `claims` is a JSON object; `purpose` is the one that was chosen, `purposes`
/// are those that can be.
pub(super) fn schema() -> SchemaRef {
    Arc::clone(&SCHEMA)
}

/// One row: the caller.
pub(super) fn rows(catalog: &PrincipalCatalog) -> Result<RecordBatch, ArrowError> {
    let principal = &catalog.principal;
    let text = |value: &str| Arc::new(StringArray::from(vec![value.to_owned()])) as ArrayRef;
    let columns = vec![
        text(&principal.issuer),
        text(&principal.subject),
        texts([principal.roles.iter()]),
        texts([principal.groups.iter()]),
        text(&claims(principal)),
        Arc::new(StringArray::from(vec![principal.purpose.clone()])) as ArrayRef,
        texts([principal.purposes.iter()]),
    ];
    RecordBatch::try_new(schema(), columns)
}

fn claims(principal: &Principal) -> String {
    let json = |value: &ClaimValue| match value {
        ClaimValue::Text(text) => text.as_str().into(),
        ClaimValue::Integer(number) => (*number).into(),
        ClaimValue::Boolean(truth) => (*truth).into(),
        ClaimValue::Date(days) => date(*days).into(),
        ClaimValue::Texts(texts) => texts.clone().into(),
        ClaimValue::Integers(numbers) => numbers.clone().into(),
    };
    let claims: serde_json::Map<String, serde_json::Value> =
        principal.claims.iter().map(|(name, value)| (name.clone(), json(value))).collect();
    serde_json::Value::Object(claims).to_string()
}

fn date(days: i32) -> String {
    let seconds = i64::from(days) * 86_400;
    chrono::DateTime::from_timestamp(seconds, 0)
        .map_or_else(String::new, |time| time.format("%Y-%m-%d").to_string())
}
