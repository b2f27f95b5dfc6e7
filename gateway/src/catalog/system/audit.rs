//! `mesh.system.audit`: the gateway's newest audit records. Everybody sees
//! their own; who may see all of them also sees what was denied and why.

use std::sync::{Arc, LazyLock};

use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
    error::ArrowError,
};
use chrono::DateTime;
use meshgate_policies::Principal;
use serde::Deserialize;

use super::{text_list, texts};
use crate::{
    app::{Gateway, has_role},
    audit::AuditLog,
    catalog::PrincipalCatalog,
};

/// Digits of a digest that are shown: enough to tell versions apart.
const DIGEST_DIGITS: usize = 12;

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("time", time, false),
        Field::new("query_id", DataType::Utf8, false),
        Field::new("issuer", DataType::Utf8, false),
        Field::new("subject", DataType::Utf8, false),
        Field::new("purpose", DataType::Utf8, true),
        Field::new("statement", DataType::Utf8, false),
        Field::new("tables", text_list(), false),
        Field::new("masked", text_list(), false),
        Field::new("policy_versions", DataType::Utf8, false),
        Field::new("rows", DataType::Int64, false),
        Field::new("bytes", DataType::Int64, false),
        Field::new("outcome", DataType::Utf8, false),
        Field::new("error", DataType::Utf8, true),
        Field::new("duration_ms", DataType::Int64, false),
        Field::new("denied", text_list(), false),
        Field::new("rules", text_list(), false),
    ]))
});

pub(super) fn schema() -> SchemaRef {
    Arc::clone(&SCHEMA)
}

/// The audit as one principal sees it.
#[derive(Debug, Clone)]
pub(crate) struct AuditView {
    log: Arc<AuditLog>,
    /// Everybody's records, not only the principal's own.
    pub(in crate::catalog) reads_all: bool,
}

impl AuditView {
    pub(crate) fn of(gateway: &Gateway, principal: &Principal) -> Self {
        let reads_all = has_role(principal, &gateway.reader_roles);
        Self { log: Arc::clone(&gateway.audit), reads_all }
    }
}

/// A line of the log, as far as it is shown.
#[derive(Debug, Deserialize)]
struct Record {
    time: String,
    query_id: String,
    principal: Caller,
    purpose: Option<String>,
    statement: String,
    #[serde(default)]
    tables: Vec<String>,
    #[serde(default)]
    masked: Vec<String>,
    #[serde(default)]
    denied: Vec<String>,
    #[serde(default)]
    rules: Vec<String>,
    #[serde(default)]
    policy_versions: Vec<Versions>,
    rows: i64,
    bytes: i64,
    outcome: String,
    error: Option<String>,
    duration_ms: i64,
}

impl Record {
    /// Takes away what is not the caller's: names of what does not exist for it, the rules that
    /// say so, and the versions of domains of which it only named something that is hidden.
    fn keep_own(&mut self) {
        self.denied.clear();
        self.rules.clear();
        let tables = &self.tables;
        self.policy_versions.retain(|version| {
            let is_of = |table: &String| table.split('.').next() == Some(version.domain.as_str());
            tables.iter().any(is_of)
        });
    }
}

#[derive(Debug, Deserialize)]
struct Caller {
    issuer: String,
    subject: String,
}

#[derive(Debug, Deserialize)]
struct Versions {
    domain: String,
    owner: String,
    operator: String,
}

/// The newest records that the principal may see, newest first.
pub(super) fn rows(catalog: &PrincipalCatalog) -> Result<RecordBatch, ArrowError> {
    let records = match &catalog.audit {
        Some(view) => records(view, &catalog.principal)?,
        None => Vec::new(),
    };
    let text = |of: fn(&Record) -> Option<&str>| -> ArrayRef {
        Arc::new(records.iter().map(of).collect::<StringArray>())
    };
    let number = |of: fn(&Record) -> i64| -> ArrayRef {
        Arc::new(records.iter().map(|record| Some(of(record))).collect::<Int64Array>())
    };
    let times: TimestampMicrosecondArray = records.iter().map(|record| Some(micros(&record.time))).collect();
    let versions: StringArray =
        records.iter().map(|record| Some(versions(&record.policy_versions))).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(times.with_timezone("UTC")),
        text(|record| Some(&record.query_id)),
        text(|record| Some(&record.principal.issuer)),
        text(|record| Some(&record.principal.subject)),
        text(|record| record.purpose.as_deref()),
        text(|record| Some(&record.statement)),
        texts(records.iter().map(|record| &record.tables)),
        texts(records.iter().map(|record| &record.masked)),
        Arc::new(versions),
        number(|record| record.rows),
        number(|record| record.bytes),
        text(|record| Some(&record.outcome)),
        text(|record| record.error.as_deref()),
        number(|record| record.duration_ms),
        texts(records.iter().map(|record| &record.denied)),
        texts(records.iter().map(|record| &record.rules)),
    ];
    RecordBatch::try_new(schema(), columns)
}

fn records(view: &AuditView, principal: &Principal) -> Result<Vec<Record>, ArrowError> {
    let mut records = Vec::new();
    let read = view.log.newest(|line| {
        let Ok(mut record) = serde_json::from_slice::<Record>(line) else { return false };
        let caller = &record.principal;
        let is_own = caller.issuer == principal.issuer && caller.subject == principal.subject;
        if !is_own && !view.reads_all {
            return false;
        }
        if !view.reads_all {
            record.keep_own();
        }
        records.push(record);
        true
    });
    read.map_err(|error| ArrowError::ExternalError(Box::new(error)))?;
    Ok(records)
}

fn micros(time: &str) -> i64 {
    DateTime::parse_from_rfc3339(time).map_or(0, |time| time.timestamp_micros())
}

/// Which documents a statement was decided under, in one text.
fn versions(versions: &[Versions]) -> String {
    let short = |digest: &str| digest.chars().take(DIGEST_DIGITS).collect::<String>();
    let one = |version: &Versions| {
        format!("{} owner {} operator {}", version.domain, short(&version.owner), short(&version.operator))
    };
    versions.iter().map(one).collect::<Vec<_>>().join(", ")
}
