//! `mesh.system.policies`: the rules that have an effect on what the caller sees.

use std::sync::{Arc, LazyLock};

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
    error::ArrowError,
};
use meshgate_policies::{RuleKind, VisibleRule};

use crate::catalog::{PrincipalCatalog, VisibleTable, set_by};

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("domain", DataType::Utf8, false),
        Field::new("table_name", DataType::Utf8, false),
        Field::new("rule", DataType::Utf8, false),
        Field::new("kind", DataType::Utf8, false),
        Field::new("set_by", DataType::Utf8, false),
        Field::new("why", DataType::Utf8, true),
        Field::new("owner", DataType::Utf8, true),
    ]))
});

pub(super) fn schema() -> SchemaRef {
    Arc::clone(&SCHEMA)
}

/// One row for each rule of each table.
pub(super) fn rows(catalog: &PrincipalCatalog) -> Result<RecordBatch, ArrowError> {
    let tables = catalog.all();
    let rows: Vec<(&VisibleTable, VisibleRule<'_>)> = tables
        .iter()
        .flat_map(|table| {
            let policy = &table.view.policy;
            let rules = policy.visible_rules(&table.name, &catalog.principal, &catalog.statement);
            rules.into_iter().map(move |rule| (table, rule))
        })
        .collect();
    let text = |of: fn(&VisibleTable, &VisibleRule<'_>) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(|(table, rule)| of(table, rule)).collect::<StringArray>())
    };
    let columns = vec![
        text(|table, _| Some(table.domain.clone())),
        text(|table, _| Some(table.name.clone())),
        text(|_, visible| Some(visible.rule.id.clone())),
        text(|_, visible| Some(kind(visible.rule.kind).to_owned())),
        text(|_, visible| Some(set_by(visible.rule).to_owned())),
        text(|_, visible| visible.rule.why.clone()),
        text(|_, visible| visible.contact.map(str::to_owned)),
    ];
    RecordBatch::try_new(schema(), columns)
}

fn kind(kind: RuleKind) -> &'static str {
    match kind {
        RuleKind::Grant => "grant",
        RuleKind::Rows => "rows",
        RuleKind::Mask => "mask",
        RuleKind::Hide => "hide",
        RuleKind::Deny => "deny",
    }
}
