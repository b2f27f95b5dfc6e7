//! What one persona sees of one table, in words.

use std::collections::BTreeMap;

use meshgate_policies::{Decision, EffectKind, Shows, TableDecision};

use super::{offline::Session, personas::Caller};

/// How a column is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shown {
    Absent,
    /// With the masks as rules write them.
    Masked(String),
    /// Raw in some rows, in others masked or NULL.
    Partly(String),
    Clear,
}

/// A table as a persona gets it.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// `None`: it does not exist for the persona.
    pub(crate) decision: Option<TableDecision>,
    /// All columns of the contract, in its order.
    pub(crate) columns: Vec<(String, Shown)>,
}

/// The rows that are visible, where data can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowCount {
    pub(crate) visible: usize,
    pub(crate) total: usize,
}

impl View {
    pub(crate) fn new(session: &Session<'_>, table: &str, caller: &Caller) -> Self {
        let (policy, statement) = (session.domain.policy(), &session.statement);
        let decision = match policy.decide(table, &caller.principal, statement) {
            Decision::Visible(decision) => Some(decision),
            Decision::Absent { .. } => None,
        };
        let masks = masks(session, table, caller);
        let shown = |name: &str| {
            let column = decision.as_ref()?.columns.iter().find(|column| column.name == name)?;
            let mask = masks.get(name).cloned().unwrap_or_default();
            Some(match column.shows() {
                Shows::Clear => Shown::Clear,
                Shows::Partly => Shown::Partly(mask),
                Shows::Masked => Shown::Masked(mask),
            })
        };
        let contract = session.domain.table(table).map(|table| table.columns.as_slice()).unwrap_or_default();
        let columns = contract.iter().map(|column| {
            let shown = shown(&column.name).unwrap_or(Shown::Absent);
            (column.name.clone(), shown)
        });
        Self { columns: columns.collect(), decision }
    }

    /// How many rows there are of how many; `None` where the data cannot be read here.
    pub(crate) async fn rows(&self, session: &Session<'_>, table: &str) -> Option<RowCount> {
        let decision = self.decision.as_ref()?;
        let visible = session.node.count(table, decision, &session.statement).await.ok()?;
        let total = session.node.total(table, &session.statement).await.ok()?;
        Some(RowCount { visible, total })
    }

    pub(crate) fn column(&self, name: &str) -> &Shown {
        self.columns.iter().find(|(column, _)| column == name).map_or(&Shown::Absent, |(_, shown)| shown)
    }
}

/// The masks on each column, as rules write them.
fn masks(session: &Session<'_>, table: &str, caller: &Caller) -> BTreeMap<String, String> {
    let policy = session.domain.policy();
    let explained = policy.explain_to_owner(table, &caller.principal, &session.statement);
    let mut masks: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for effect in explained.iter().flat_map(|explanation| &explanation.effects) {
        let mask = match effect.kind {
            EffectKind::Masks => effect.expression,
            EffectKind::Redacts => Some("redact"),
            _ => None,
        };
        if let (Some(column), Some(mask)) = (effect.column, mask) {
            let known = masks.entry(column.to_owned()).or_default();
            if !known.contains(&mask) {
                known.push(mask);
            }
        }
    }
    masks.into_iter().map(|(column, masks)| (column, masks.join(", "))).collect()
}

impl Shown {
    /// In a word, with the mask behind it.
    pub(crate) fn words(&self) -> String {
        let with = |word: &str, mask: &str| match mask {
            "" => word.to_owned(),
            mask => format!("{word}: {mask}"),
        };
        match self {
            Self::Absent => "absent".to_owned(),
            Self::Clear => "clear".to_owned(),
            Self::Masked(mask) => with("masked", mask),
            Self::Partly(mask) => with("partly clear", mask),
        }
    }

    /// More is shown by what is greater.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Absent => 0,
            Self::Masked(_) => 1,
            Self::Partly(_) => 2,
            Self::Clear => 3,
        }
    }
}
