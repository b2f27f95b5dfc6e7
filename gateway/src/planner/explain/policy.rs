//! EXPLAIN POLICY: which rule made what a query reads what it is, and why.

use std::sync::{Arc, LazyLock};

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use meshgate_policies::{Effect, EffectKind};

use super::not_built;
use crate::{
    catalog::{PrincipalCatalog, VisibleTable, set_by},
    planner::Notice,
    status::GatewayError,
};

/// Most lines of an explanation.
const LINES_MAX: usize = 20_000;
/// Stands for a column where a rule is about rows; no column has such a name.
const ROWS: &str = "(rows)";

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("domain", DataType::Utf8, false),
        Field::new("table", DataType::Utf8, false),
        Field::new("column", DataType::Utf8, false),
        Field::new("effect", DataType::Utf8, false),
        Field::new("rule", DataType::Utf8, false),
        Field::new("set_by", DataType::Utf8, false),
        Field::new("why", DataType::Utf8, true),
        Field::new("owner", DataType::Utf8, true),
        Field::new("predicate", DataType::Utf8, true),
    ]))
});

type Line<'a> = (&'a VisibleTable, Effect<'a>);

/// One line for each rule and each thing that it has an effect on. The rules'
/// own expressions are there for those who may read them.
pub(in crate::planner) fn policy(
    notice: &Notice,
    catalog: &PrincipalCatalog,
) -> Result<RecordBatch, GatewayError> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for read in notice.reads() {
        let table = read.table.as_ref();
        let left = LINES_MAX.saturating_sub(lines.len());
        let reads = |column: &str| read.column(column);
        let (principal, statement) = (&catalog.principal, &catalog.statement);
        let explanation = table.view.policy.explain(&table.name, principal, statement, &reads, left);
        // It was decided for this principal at this instant before: it exists.
        let Some(explanation) = explanation else { continue };
        if explanation.is_cut {
            let text =
                format!("the explanation has more than {LINES_MAX} lines: name fewer columns or tables");
            return Err(GatewayError::Statement(text));
        }
        lines.extend(explanation.effects.into_iter().map(|effect| (table, effect)));
    }
    batch(&lines)
}

fn batch(lines: &[Line<'_>]) -> Result<RecordBatch, GatewayError> {
    let text = |of: for<'l> fn(&'l Line<'_>) -> Option<&'l str>| -> ArrayRef {
        Arc::new(lines.iter().map(of).collect::<StringArray>())
    };
    let columns = vec![
        text(|(table, _)| Some(&table.domain)),
        text(|(table, _)| Some(&table.name)),
        text(|(_, effect)| Some(effect.column.unwrap_or(ROWS))),
        text(|(_, effect)| Some(words(effect.kind))),
        text(|(_, effect)| Some(&effect.rule.id)),
        text(|(_, effect)| Some(set_by(effect.rule))),
        text(|(_, effect)| effect.rule.why.as_deref()),
        text(|(_, effect)| effect.contact),
        text(|(_, effect)| effect.expression),
    ];
    RecordBatch::try_new(Arc::clone(&SCHEMA), columns).map_err(not_built)
}

/// What the rule does, as the predicate of a sentence about it.
fn words(kind: EffectKind) -> &'static str {
    match kind {
        EffectKind::GivesAllRows => "gives all rows",
        EffectKind::GivesSomeRows => "gives some rows",
        EffectKind::GivesNoRows => "gives no rows",
        EffectKind::KeepsSomeRows => "keeps some rows",
        EffectKind::KeepsNoRows => "keeps no rows",
        EffectKind::Shows => "shows",
        EffectKind::ShowsOnItsRows => "shows on its rows",
        EffectKind::Masks => "masks",
        EffectKind::Redacts => "redacts",
    }
}
