//! What policy says for one principal and one table.

use std::collections::BTreeMap;

use crate::{DataType, Digest, expression::Expr};

/// Outcome of a decision.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and nearly always a visible one")]
pub enum Decision {
    /// The table does not exist for this principal. Why is for logs and the
    /// owner only: callers cannot tell it from a table that is not there.
    Absent {
        rules: Vec<RuleRef>,
    },
    Visible(TableDecision),
}

/// A table as one principal gets it.
#[derive(Debug, Clone, PartialEq)]
pub struct TableDecision {
    /// The visible columns, in contract order; never empty.
    pub columns: Vec<DecidedColumn>,
    /// Rows for which this is TRUE are visible (NULL counts as not TRUE).
    /// `None`: all rows. Reads raw contract columns, hidden ones included.
    pub rows: Option<Expr>,
    /// The rules that said so: matching grants in order, then matching restrictions.
    pub rules: Vec<RuleRef>,
    /// Positions in `rules` of those that can leave rows out for this
    /// principal; empty exactly if `rows` is `None`.
    pub row_rules: Vec<usize>,
    /// The sets that `rows` and the cells test membership in, each behind
    /// those that it needs itself.
    pub lookups: Vec<DecidedLookup>,
    /// Visible columns with types and nullability, plain columns, ids and
    /// parsed forms of matching rules: what gateway and node compare.
    pub digest: Digest,
}

/// A set of keys, as one principal's rules see it.
#[derive(Debug, Clone, PartialEq)]
pub struct DecidedLookup {
    /// Unique in the domain.
    pub name: String,
    /// The table of the same domain that holds the keys.
    pub table: String,
    /// That table as the lookup reads it: the key alone, raw, of the rows that
    /// count. Lookups of its own stand in the list before this one.
    pub keys: TableDecision,
}

/// A visible column.
#[derive(Debug, Clone, PartialEq)]
pub struct DecidedColumn {
    /// Position in the contract's columns.
    pub index: usize,
    pub name: String,
    /// The contract's type; a mask never changes it.
    pub data_type: DataType,
    pub nullable: bool,
    /// Only plain columns take pushed predicates, dynamic filters, statistics.
    pub plain: bool,
    pub cell: Cell,
    /// What other domains may be told of its values, as keys of joins. Nothing unless it is
    /// plain and the principal sees all rows of the table.
    pub disclosed: Disclosed,
}

/// What the owner of a column lets other domains know of its values, by domain.
pub type Disclosed = BTreeMap<String, JoinKeys>;

/// What a domain may be told of the keys that it is joined with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JoinKeys {
    /// The least and the greatest.
    Bounds,
    /// All of them.
    Values,
}

impl JoinKeys {
    /// As documents say it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bounds => "bounds",
            Self::Values => "values",
        }
    }

    pub(crate) fn by_word(word: &str) -> Option<Self> {
        [Self::Bounds, Self::Values].into_iter().find(|keys| keys.word() == word)
    }
}

/// How much of its raw values a visible column can show, as far as rules tell without data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shows {
    /// In no row.
    Masked,
    /// In some rows; in others it is masked or NULL.
    Partly,
    /// In every row.
    Clear,
}

impl DecidedColumn {
    /// How much of the raw values the column can show.
    pub fn shows(&self) -> Shows {
        let is_raw = |expr: &Expr| matches!(expr, Expr::Column { index, .. } if *index == self.index);
        match &self.cell {
            Cell::Raw => Shows::Clear,
            Cell::Computed(Expr::Case { branches, otherwise, .. }) => {
                let mut results = branches.iter().map(|(_, result)| result).chain(otherwise.as_deref());
                if results.any(is_raw) { Shows::Partly } else { Shows::Masked }
            }
            Cell::Computed(expr) if is_raw(expr) => Shows::Clear,
            Cell::Computed(_) => Shows::Masked,
        }
    }
}

/// What a visible column shows.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// The raw value.
    Raw,
    /// Computed from the raw row; has the column's type.
    Computed(Expr),
}

/// A rule that took part in a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleRef {
    pub id: String,
    pub kind: RuleKind,
    /// The rule is the operator's (mesh.yaml), not the owner's.
    pub operator: bool,
    pub why: Option<String>,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RuleKind {
    Grant,
    Rows,
    Mask,
    Hide,
    Deny,
}
