//! `mesh.system.whoami`: the caller, as the gateway and policy see it. The
//! first thing that somebody needs who sees nothing.

use std::sync::{Arc, LazyLock};

use arrow::{
    array::{ArrayRef, ListBuilder, RecordBatch, StringArray, StringBuilder},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider, memory::MemorySourceConfig},
    common::Result,
    logical_expr::{Expr, TableType},
    physical_plan::ExecutionPlan,
};
use meshgate_policies::{ClaimValue, Principal};

/// Name of the table in the schema `system`.
pub(crate) const WHO_AM_I: &str = "whoami";

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let texts = || DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)));
    Arc::new(Schema::new(vec![
        Field::new("issuer", DataType::Utf8, false),
        Field::new("subject", DataType::Utf8, false),
        Field::new("roles", texts(), false),
        Field::new("groups", texts(), false),
        Field::new("claims", DataType::Utf8, false),
        Field::new("purpose", DataType::Utf8, true),
    ]))
});

/// The table's columns. `claims` is a JSON object.
pub(crate) fn who_am_i_schema() -> SchemaRef {
    Arc::clone(&SCHEMA)
}

/// One row: the caller.
#[derive(Debug)]
pub(crate) struct WhoAmITable(Arc<Principal>);

impl WhoAmITable {
    /// The table of one principal.
    pub(crate) fn new(principal: Arc<Principal>) -> Self {
        Self(principal)
    }

    fn row(&self) -> Result<RecordBatch> {
        let principal = &self.0;
        let text = |value: &str| Arc::new(StringArray::from(vec![value.to_owned()])) as ArrayRef;
        let columns = vec![
            text(&principal.issuer),
            text(&principal.subject),
            texts(principal.roles.iter()),
            texts(principal.groups.iter()),
            text(&claims(principal)),
            Arc::new(StringArray::from(vec![principal.purpose.clone()])) as ArrayRef,
        ];
        Ok(RecordBatch::try_new(who_am_i_schema(), columns)?)
    }
}

#[async_trait]
impl TableProvider for WhoAmITable {
    fn schema(&self) -> SchemaRef {
        who_am_i_schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let plan =
            MemorySourceConfig::try_new_exec(&[vec![self.row()?]], self.schema(), projection.cloned())?;
        Ok(plan)
    }
}

fn texts<'a>(values: impl Iterator<Item = &'a String>) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    values.for_each(|value| builder.values().append_value(value));
    builder.append(true);
    Arc::new(builder.finish())
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
