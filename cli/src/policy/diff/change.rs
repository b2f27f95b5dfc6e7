//! One difference between two versions.

use meshgate_domain_node::offline::OfflineDomain;
use meshgate_policies::Column;
use serde_json::{Value, json};

/// Which way a change goes. What loosens comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Direction {
    /// Somebody sees more, or may come to see more.
    Looser,
    /// Somebody sees less.
    Tighter,
    /// Something differs, with no effect on this data.
    Other,
}

/// What differs for whom. Ordered by direction, person and table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Change {
    pub(crate) direction: Direction,
    pub(crate) who: String,
    pub(crate) table: String,
    pub(crate) what: String,
}

/// In the place of a persona where the contract itself changed.
pub(super) const ANYBODY: &str = "contract";

impl Direction {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Looser => "LOOSER",
            Self::Tighter => "tighter",
            Self::Other => "other",
        }
    }
}

impl Change {
    pub(crate) fn new(direction: Direction, who: &str, table: &str, what: impl Into<String>) -> Self {
        Self { direction, who: who.to_owned(), table: table.to_owned(), what: what.into() }
    }

    pub(crate) fn json(&self) -> Value {
        let direction = self.direction.word().to_ascii_lowercase();
        json!({ "direction": direction, "who": self.who, "table": self.table, "what": self.what })
    }
}

/// Marks of columns, which rules of the owner and of the operator go by: one
/// that is lost loosens, whoever is affected by it today.
pub(crate) fn of_contracts(old: &OfflineDomain, new: &OfflineDomain) -> Vec<Change> {
    let mut changes = Vec::new();
    for before in old.tables() {
        let Some(now) = new.table(&before.name) else { continue };
        for column in &before.columns {
            let Some(other) = now.columns.iter().find(|other| other.name == column.name) else { continue };
            let change = |direction, what| Change::new(direction, ANYBODY, &before.name, what);
            changes.extend(lost(column, other).map(|what| change(Direction::Looser, what)));
            changes.extend(
                lost(other, column).map(|what| change(Direction::Tighter, what.replace(" loses ", " gets "))),
            );
            changes.extend(classified_anew(column, other).map(|what| change(Direction::Looser, what)));
        }
    }
    changes
}

/// What `now` lacks of the marks of `before`.
fn lost<'c>(before: &'c Column, now: &'c Column) -> impl Iterator<Item = String> + 'c {
    let tags = before.tags.iter().filter(|tag| !now.tags.contains(tag));
    let tags = tags.map(|tag| format!("`{}` loses the tag {tag}", before.name));
    let classification = before.classification.as_ref().filter(|_| now.classification.is_none());
    let fields = before.nested.iter().filter(|field| !now.nested.contains(field));
    tags.chain(classification.map(|word| format!("`{}` loses the classification {word}", before.name)))
        .chain(fields.map(|field| format!("`{}.{}` loses a mark", before.name, field.path.join("."))))
}

/// Which of two classifications is the stricter one is nobody's to say but the reader's.
fn classified_anew(before: &Column, now: &Column) -> Option<String> {
    let (left, right) = (before.classification.as_ref()?, now.classification.as_ref()?);
    (left != right).then(|| format!("`{}` is classified {right}, no longer {left}", before.name))
}
