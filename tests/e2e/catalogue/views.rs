//! What each caller of the small mesh may see, written out by hand: rows by their place, columns by their
//! names, masked cells as they must look. Nothing here reads a policy.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, Date32Array, Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow::compute::take_record_batch;
use meshgate_tests::fixture;
use serde_json::Value;

use crate::plain_engine::PlainEngine;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Who {
    /// European orders with masked cards, European parcels, the people of one tenant.
    Alice,
    /// American orders without cards, American parcels with three masks.
    Bob,
    /// Everything.
    Auditor,
    /// Nothing.
    Otto,
}

use Who::{Alice, Auditor, Bob, Otto};

impl Who {
    pub(super) const ALL: [Self; 4] = [Alice, Bob, Auditor, Otto];

    pub(super) fn claims(self) -> Value {
        match self {
            Alice => fixture::alice(),
            Bob => fixture::bob(),
            Auditor => fixture::auditor(),
            Otto => fixture::otto(),
        }
    }
}

/// The tables as `who` may see them, in an engine that knows of no policy.
pub(super) fn view(who: Who, nested: bool) -> &'static PlainEngine {
    static VIEWS: LazyLock<HashMap<(Who, bool), PlainEngine>> = LazyLock::new(|| {
        let each = Who::ALL.into_iter().flat_map(|who| [false, true].map(|nested| (who, nested)));
        each.map(|(who, nested)| ((who, nested), PlainEngine::new("UTC", tables(who, nested)))).collect()
    });
    &VIEWS[&(who, nested)]
}

type Tables = Vec<(&'static str, &'static str, RecordBatch)>;

fn tables(who: Who, nested: bool) -> Tables {
    let (orders, parcels) = (fixture::orders(nested), fixture::parcels(nested));
    let (people, ledger) = (fixture::people(), fixture::ledger());
    match who {
        Alice => vec![
            (
                "sales",
                "orders",
                seen(
                    &orders,
                    &[0, 1, 4],
                    &["id", "customer_id", "region", "amount", "card", "meta"],
                    vec![("card", texts([Some("************1111"), Some("************2222"), None]))],
                ),
            ),
            ("sales", "parcels", seen(&parcels, &[0, 1, 4], &names(&parcels), Vec::new())),
            (
                "hr",
                "people",
                seen(&people, &[0, 1], &["id", "name", "ssn", "tenant"], vec![("ssn", texts([None, None]))]),
            ),
        ],
        Bob => {
            let masks = vec![
                ("code", texts([Some("***"), Some("***")])),
                ("price", Arc::new(Float64Array::from(vec![None, None])) as ArrayRef),
                // The first of January 2026.
                ("due", Arc::new(Date32Array::from(vec![20_454, 20_454]))),
            ];
            vec![
                (
                    "sales",
                    "orders",
                    seen(&orders, &[2, 3], &["id", "customer_id", "region", "amount"], vec![]),
                ),
                ("sales", "parcels", seen(&parcels, &[2, 3], &names(&parcels), masks)),
            ]
        }
        Auditor => vec![
            ("sales", "orders", orders),
            ("sales", "parcels", parcels),
            ("hr", "people", people),
            ("fin", "ledger", ledger),
        ],
        Otto => Vec::new(),
    }
}

/// These rows and those of the columns that are there, some of them with other cells.
fn seen(batch: &RecordBatch, rows: &[u64], columns: &[&str], masks: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let taken = take_record_batch(batch, &UInt64Array::from(rows.to_vec())).unwrap();
    let masked = |name: &str| masks.iter().find(|(column, _)| *column == name).map(|(_, cells)| cells);
    let shown = columns.iter().filter_map(|name| {
        let cells = taken.column_by_name(name)?;
        Some((*name, Arc::clone(masked(name).unwrap_or(cells)), true))
    });
    RecordBatch::try_from_iter_with_nullable(shown).unwrap()
}

fn names(batch: &RecordBatch) -> Vec<&str> {
    batch.schema_ref().fields().iter().map(|field| field.name().as_str()).collect()
}

fn texts<const N: usize>(cells: [Option<&str>; N]) -> ArrayRef {
    Arc::new(StringArray::from(cells.to_vec()))
}

/// Does the statement itself say in which order its rows come?
pub(super) fn is_ordered(sql: &str) -> bool {
    sql.to_ascii_lowercase().rfind("order by").is_some_and(|at| {
        let before = &sql[..at];
        before.matches('(').count() == before.matches(')').count()
    })
}
