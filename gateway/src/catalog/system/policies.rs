//! `mesh.system.policies`: the rules that have an effect on what the caller
//! sees; all rules for those who see what is everybody's.

use std::sync::{Arc, LazyLock};

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
    error::ArrowError,
};
use meshgate_policies::{RuleKind, VisibleRule};

use crate::catalog::{PrincipalCatalog, set_by};

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

/// Domain and table, and a rule.
type Row<'a> = (&'a str, &'a str, VisibleRule<'a>);

/// One row for each rule of each table.
pub(super) fn rows(catalog: &PrincipalCatalog) -> Result<RecordBatch, ArrowError> {
    if catalog.reads_all() {
        return all_rows(catalog);
    }
    let tables = catalog.all();
    let rows: Vec<Row<'_>> = tables
        .iter()
        .flat_map(|table| {
            let policy = &table.view.policy;
            let rules = policy.visible_rules(&table.name, &catalog.principal, &catalog.statement);
            rules.into_iter().map(move |rule| (table.domain.as_str(), table.name.as_str(), rule))
        })
        .collect();
    batch(&rows)
}

/// Every rule of every table, whomever it is for.
fn all_rows(catalog: &PrincipalCatalog) -> Result<RecordBatch, ArrowError> {
    let rows: Vec<Row<'_>> = catalog
        .snapshot
        .domains()
        .flat_map(|domain| {
            let rules = domain.policy.all_rules();
            rules.map(|(table, rule)| (domain.name.as_str(), table, rule))
        })
        .collect();
    batch(&rows)
}

fn batch(rows: &[Row<'_>]) -> Result<RecordBatch, ArrowError> {
    let text = |of: fn(&VisibleRule<'_>) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(|(_, _, rule)| of(rule)).collect::<StringArray>())
    };
    let columns = vec![
        Arc::new(rows.iter().map(|(domain, _, _)| Some(*domain)).collect::<StringArray>()) as ArrayRef,
        Arc::new(rows.iter().map(|(_, table, _)| Some(*table)).collect::<StringArray>()),
        text(|visible| Some(visible.rule.id.clone())),
        text(|visible| Some(kind(visible.rule.kind).to_owned())),
        text(|visible| Some(set_by(visible.rule).to_owned())),
        text(|visible| visible.rule.why.clone()),
        text(|visible| visible.contact.map(str::to_owned)),
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
