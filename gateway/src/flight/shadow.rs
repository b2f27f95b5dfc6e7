//! What candidates for the policies of a statement's domains would decide
//! otherwise, for its audit record alone. Planning is over when it is asked.

use std::{collections::BTreeMap, sync::Arc};

use meshgate_engine::audit::shadow::{Effect, Shadow, ShadowTable};
use meshgate_policies::{Decision, DomainPolicy};

use crate::{
    catalog::{DeniedTable, PrincipalCatalog, VisibleTable},
    mesh::DomainView,
    planner::Planned,
    status::GatewayError,
};

/// None if no domain of the statement has a candidate.
pub(super) fn compare(
    catalog: &PrincipalCatalog,
    named: &[Arc<VisibleTable>],
    denied: &[DeniedTable],
    planned: &Result<Planned, GatewayError>,
) -> Option<Shadow> {
    let decide = |candidate: &DomainPolicy, table: &str| {
        candidate.decide(table, &catalog.principal, &catalog.statement)
    };
    let mut shadow = Shadow::default();
    for table in named {
        let Some(candidate) = candidate(&table.view, &mut shadow.candidates) else { continue };
        let (live, other) = (Decision::Visible(table.decision.clone()), decide(candidate, &table.name));
        of_visible(table, &live, &other, planned).into_iter().for_each(|found| shadow.note(found));
    }
    for table in denied {
        let Some(candidate) = candidate(&table.view, &mut shadow.candidates) else { continue };
        let live = Decision::Absent { rules: Vec::new() };
        let other = decide(candidate, &table.name);
        let found = ShadowTable::of(table.qualified_name(), &live, &other, &|_| true);
        found.into_iter().for_each(|found| shadow.note(found));
    }
    (!shadow.candidates.is_empty()).then_some(shadow)
}

fn candidate<'v>(
    view: &'v DomainView,
    candidates: &mut BTreeMap<String, String>,
) -> Option<&'v DomainPolicy> {
    let candidate = view.candidate.as_deref()?;
    candidates.insert(view.name.clone(), candidate.owner_version().to_string());
    Some(candidate)
}

fn of_visible(
    table: &VisibleTable,
    live: &Decision,
    other: &Decision,
    planned: &Result<Planned, GatewayError>,
) -> Option<ShadowTable> {
    let name = table.qualified_name();
    match planned {
        Ok(planned) => {
            ShadowTable::of(name.clone(), live, other, &|column| planned.notice.reads_column(&name, column))
        }
        // Of a statement that was refused only the missing column counts.
        Err(error) => {
            let column = error.missing_column()?;
            let found = ShadowTable::of(name, live, other, &|_| false)?;
            let is_gained = table.hides(column) && found.gained.iter().any(|gained| gained == column);
            let gained = vec![column.to_owned()];
            is_gained.then_some(ShadowTable { effect: Effect::Allowed, gained, rows: false, ..found })
        }
    }
}
