//! What one persona sees in two versions.

use std::collections::{BTreeMap, BTreeSet};

use meshgate_domain_node::offline::{Sight, SightError};
use meshgate_policies::JoinKeys;

use super::change::{Change, Direction};
use crate::{
    failure::Failure,
    format::counted,
    policy::{
        case::texts,
        offline::Session,
        personas::Caller,
        view::{Shown, View},
    },
    sql::output,
};

/// Of rows, by their keys: the columns in which the raw value is shown, and in which another one is.
type Cells = BTreeMap<Vec<String>, BTreeMap<String, bool>>;

/// All that differs for one persona.
pub(super) async fn caller(
    old: &Session<'_>,
    new: &Session<'_>,
    caller: &Caller,
) -> Result<Vec<Change>, Failure> {
    // The claims are the same; each version's mesh.yaml maps them.
    let before = Caller {
        principal: caller.persona.principal(old.domain.mesh()).unwrap_or_else(|_| {
            old.domain.mesh().principal("", &caller.principal.subject, &caller.persona.claims)
        }),
        persona: caller.persona.clone(),
    };
    let tables = old.domain.tables().chain(new.domain.tables());
    let tables: BTreeSet<&str> = tables.map(|table| table.name.as_str()).collect();
    let mut changes = Vec::new();
    for table in tables {
        let left = Side::new(old, table, &before).await?;
        let right = Side::new(new, table, caller).await?;
        changes.extend(Comparison { who: &caller.persona.name, table, left, right }.changes());
    }
    Ok(changes)
}

/// A table in one version.
struct Side {
    view: View,
    /// `None` where rows cannot be told apart or read.
    cells: Option<Cells>,
}

impl Side {
    async fn new(session: &Session<'_>, table: &str, caller: &Caller) -> Result<Self, Failure> {
        let view = View::new(session, table, caller);
        let cells = match &view.decision {
            None => Some(Cells::new()),
            Some(decision) => match session.node.sight(table, decision, &session.statement).await {
                Ok(sight) => Some(cells(&sight, &view)?),
                Err(SightError::Changed(table)) => {
                    return Err(Failure::Found(format!(
                        "the rows of `{table}` changed while they were read"
                    )));
                }
                Err(error) => {
                    tracing::debug!(table, %error, "rows cannot be compared");
                    None
                }
            },
        };
        Ok(Self { view, cells })
    }

    fn exists(&self) -> bool {
        self.view.decision.is_some()
    }
}

fn cells(sight: &Sight, view: &View) -> Result<Cells, Failure> {
    let rows = |batches: &[arrow::record_batch::RecordBatch]| {
        let rows: Result<Vec<_>, Failure> = batches.iter().map(output::rows).collect();
        rows.map(|rows| rows.concat())
    };
    let (keys, shown, raw) = (texts(&sight.keys)?, rows(&sight.shown)?, rows(&sight.raw)?);
    let names: Vec<&str> = view
        .decision
        .iter()
        .flat_map(|decision| &decision.columns)
        .map(|column| column.name.as_str())
        .collect();
    let mut cells = Cells::new();
    for ((key, shown), raw) in keys.into_iter().zip(shown).zip(raw) {
        let clear = names.iter().zip(shown.iter().zip(&raw)).map(|(name, (shown, raw))| {
            let is_clear = *view.column(name) == Shown::Clear || shown == raw;
            ((*name).to_owned(), is_clear)
        });
        cells.insert(key, clear.collect());
    }
    Ok(cells)
}

struct Comparison<'c> {
    who: &'c str,
    table: &'c str,
    left: Side,
    right: Side,
}

impl Comparison<'_> {
    fn change(&self, direction: Direction, what: impl Into<String>) -> Change {
        Change::new(direction, self.who, self.table, what)
    }

    fn changes(&self) -> Vec<Change> {
        match (self.left.exists(), self.right.exists()) {
            (false, false) => Vec::new(),
            (false, true) => {
                vec![self.change(Direction::Looser, format!("gains the table: {}", extent(&self.right)))]
            }
            (true, false) => {
                vec![self.change(Direction::Tighter, format!("loses the table: {}", extent(&self.left)))]
            }
            (true, true) => {
                let mut changes = self.columns();
                changes.extend(self.rows());
                changes.extend(self.cells());
                changes.extend(self.disclosures());
                if changes.is_empty() {
                    changes.extend(self.without_effect());
                }
                changes
            }
        }
    }

    fn columns(&self) -> Vec<Change> {
        let names: BTreeSet<&str> = self
            .left
            .view
            .columns
            .iter()
            .chain(&self.right.view.columns)
            .map(|(name, _)| name.as_str())
            .collect();
        names.into_iter().filter_map(|name| self.column(name)).collect()
    }

    fn column(&self, name: &str) -> Option<Change> {
        let (left, right) = (self.left.view.column(name), self.right.view.column(name));
        let on = |side: &Side| {
            side.cells
                .as_ref()
                .map(|cells| format!(" on {}", counted(cells.len(), "row")))
                .unwrap_or_default()
        };
        match (left, right) {
            (left, right) if left == right => None,
            (Shown::Absent, shown) => {
                let what = format!("gains {name} ({}){}", shown.words(), on(&self.right));
                Some(self.change(Direction::Looser, what))
            }
            (shown, Shown::Absent) => {
                let what = format!("loses {name} ({}){}", shown.words(), on(&self.left));
                Some(self.change(Direction::Tighter, what))
            }
            (left, right) => {
                let what = format!("{name} is {}, no longer {}", right.words(), left.words());
                Some(self.change(direction(left, right), what))
            }
        }
    }

    fn rows(&self) -> Vec<Change> {
        let (Some(left), Some(right)) = (&self.left.cells, &self.right.cells) else { return Vec::new() };
        let gained = right.keys().filter(|key| !left.contains_key(*key)).count();
        let lost = left.keys().filter(|key| !right.contains_key(*key)).count();
        let of = |count: usize, word: &str| {
            format!("{word} {}: {} before, {} now", counted(count, "row"), left.len(), right.len())
        };
        let mut changes = Vec::new();
        if gained > 0 {
            changes.push(self.change(Direction::Looser, of(gained, "gains")));
        }
        if lost > 0 {
            changes.push(self.change(Direction::Tighter, of(lost, "loses")));
        }
        changes
    }

    /// Columns that are shown in the same way by the rules, and not in the same rows.
    fn cells(&self) -> Vec<Change> {
        let (Some(left), Some(right)) = (&self.left.cells, &self.right.cells) else { return Vec::new() };
        let mut moved: BTreeMap<(&str, bool), usize> = BTreeMap::new();
        for (key, before) in left {
            let Some(now) = right.get(key) else { continue };
            for (column, was_clear) in before {
                if self.left.view.column(column) != self.right.view.column(column) {
                    continue;
                }
                if let Some(is_clear) = now.get(column).filter(|is_clear| *is_clear != was_clear) {
                    *moved.entry((column, *is_clear)).or_default() += 1;
                }
            }
        }
        let change = |((column, is_clear), count): ((&str, bool), usize)| match is_clear {
            true => {
                self.change(Direction::Looser, format!("{column} is clear on {} more", counted(count, "row")))
            }
            false => self
                .change(Direction::Tighter, format!("{column} is clear on {} less", counted(count, "row"))),
        };
        moved.into_iter().map(change).collect()
    }

    /// What other domains may be told of its columns where this persona joins them.
    fn disclosures(&self) -> Vec<Change> {
        let (left, right) = (disclosed(&self.left), disclosed(&self.right));
        let places: BTreeSet<_> = left.keys().chain(right.keys()).collect();
        let change = |place: &(&str, &str)| {
            let (before, now) = (left.get(place), right.get(place));
            let (column, domain) = place;
            let told =
                |keys: &JoinKeys| format!("join keys of {column} for the domain {domain}: {}", keys.word());
            let direction = if now > before { Direction::Looser } else { Direction::Tighter };
            let what = match now {
                Some(keys) => told(keys),
                None => format!("no join keys of {column} for the domain {domain} any more"),
            };
            (before != now).then(|| self.change(direction, what))
        };
        places.into_iter().filter_map(change).collect()
    }

    /// Rules that differ, with the same effect on these rows.
    fn without_effect(&self) -> Option<Change> {
        let (left, right) = (self.left.view.decision.as_ref()?, self.right.view.decision.as_ref()?);
        if left.rows == right.rows && left.columns == right.columns {
            return None;
        }
        let what = match self.left.cells.is_some() && self.right.cells.is_some() {
            true => "other rules, the same rows and cells of this data",
            false => "other rules; rows cannot be compared, as there is no data or no primary key",
        };
        Some(self.change(Direction::Other, what))
    }
}

/// What is disclosed of each column to each domain.
fn disclosed(side: &Side) -> BTreeMap<(&str, &str), JoinKeys> {
    let columns = side.view.decision.iter().flat_map(|decision| &decision.columns);
    let of_columns =
        columns.flat_map(|column| column.disclosed.iter().map(|told| (column.name.as_str(), told)));
    of_columns.map(|(column, (domain, keys))| ((column, domain.as_str()), *keys)).collect()
}

/// A mask that becomes another one may show more; only what shows nothing is certain.
fn direction(left: &Shown, right: &Shown) -> Direction {
    let shows_nothing = |shown: &Shown| match shown {
        Shown::Masked(mask) | Shown::Partly(mask) => matches!(mask.as_str(), "redact" | "nullify"),
        Shown::Absent | Shown::Clear => false,
    };
    match left.rank().cmp(&right.rank()) {
        std::cmp::Ordering::Less => Direction::Looser,
        std::cmp::Ordering::Greater => Direction::Tighter,
        std::cmp::Ordering::Equal if shows_nothing(right) => Direction::Tighter,
        std::cmp::Ordering::Equal => Direction::Looser,
    }
}

fn extent(side: &Side) -> String {
    let visible = side.view.columns.iter().filter(|(_, shown)| *shown != Shown::Absent).count();
    let columns = counted(visible, "column");
    match &side.cells {
        Some(cells) => format!("{columns}, {}", counted(cells.len(), "row")),
        None => columns,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_that_shows_nothing_is_the_only_one_that_surely_tightens() {
        let masked = |mask: &str| Shown::Masked(mask.to_owned());
        for (left, right, expected) in [
            (masked("last(4)"), Shown::Clear, Direction::Looser),
            (Shown::Clear, masked("last(4)"), Direction::Tighter),
            (masked("last(4)"), masked("redact"), Direction::Tighter),
            (masked("redact"), masked("last(4)"), Direction::Looser),
            (masked("last(4)"), masked("first(4)"), Direction::Looser),
            (Shown::Partly("redact".to_owned()), masked("redact"), Direction::Tighter),
        ] {
            assert_eq!(direction(&left, &right), expected, "{left:?} {right:?}");
        }
    }
}
