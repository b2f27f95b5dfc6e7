//! Every function and every operator of the engine: can it fail, and may a
//! query use it?
//!
//! The table is a closed list. What is not in it is refused, and a test fails
//! when an upgrade of the engine adds, renames or drops something.

mod functions;
mod operators;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::LazyLock;

use arrow::datatypes::DataType;
use datafusion::logical_expr::Operator;

use crate::data_type::is_simple;

/// What calls a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Scalar,
    HigherOrder,
    Aggregate,
    Window,
    Table,
}

/// How a function or an operator behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Has a result for all values of the types it takes.
    Infallible,
    /// Fails for some values.
    Fallible,
    /// Gives different results for the same values.
    Volatile,
}

/// May a query use it?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    Allowed,
    /// In statements only: the planner puts a cast in its place, and only one to a type that clients can read.
    AsCast,
    Refused(Reason),
}

/// Why a function or an operator is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Makes values much larger than its arguments, in memory that no limit counts.
    UncountedMemory,
    /// Takes time that grows faster than its arguments.
    Time,
    /// Tells something about the server or about files.
    RevealsSystem,
    /// Two runs would differ.
    Volatile,
    /// Shows or changes metadata of columns.
    Metadata,
    /// Makes types that clients cannot read.
    ForeignTypes,
    /// The engine knows its name but not what it means.
    NotImplemented,
    /// Not offered yet.
    NotOffered,
}

impl Reason {
    /// Half a sentence for documentation and errors.
    pub fn text(self) -> &'static str {
        match self {
            Self::UncountedMemory => "it makes values of any size from small ones",
            Self::Time => "it takes time beyond proportion to its arguments",
            Self::RevealsSystem => "it tells about the server",
            Self::Volatile => "two runs of it differ",
            Self::Metadata => "it shows or changes metadata of columns",
            Self::ForeignTypes => "it makes types that clients cannot read; use CAST",
            Self::NotImplemented => "the engine does not implement it",
            Self::NotOffered => "it is not offered",
        }
    }
}

/// What the table says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Classification {
    pub behaviour: Behaviour,
    pub offer: Offer,
}

/// What the table says about a function; `None` if it is not in it.
pub fn function(kind: Kind, name: &str) -> Option<Classification> {
    static INDEX: LazyLock<HashMap<(Kind, &str), Classification>> = LazyLock::new(|| {
        functions::all().map(|(kind, name, classification)| ((kind, name), classification)).collect()
    });
    INDEX.get(&(kind, name)).copied()
}

/// What the table says about an operator.
pub fn operator(operator: Operator) -> Classification {
    operators::classify(operator)
}

/// May a query use this function?
pub fn is_allowed(kind: Kind, name: &str) -> bool {
    function(kind, name).is_some_and(|known| matches!(known.offer, Offer::Allowed | Offer::AsCast))
}

/// May the plan of a query hold this function, when it is sent to a node?
pub fn is_sent(kind: Kind, name: &str) -> bool {
    function(kind, name).is_some_and(|known| known.offer == Offer::Allowed)
}

/// Is it another name for a cast, to a type that its second argument names?
pub fn is_cast(name: &str) -> bool {
    function(Kind::Scalar, name).is_some_and(|known| known.offer == Offer::AsCast)
}

/// Longest name of a type that such a function may be given. Reading the name of a nested type takes stack.
pub const TYPE_NAME_MAX: usize = 64;

/// May such a function be given this type?
pub fn is_cast_type(name: &str) -> bool {
    let is_short = name.len() <= TYPE_NAME_MAX;
    is_short && name.parse::<DataType>().is_ok_and(|data_type| is_plain(&data_type))
}

/// Types of one value, whose size no argument says, and that leave a mesh as such.
fn is_plain(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => {
            !matches!(**values, DataType::Dictionary(_, _)) && is_plain(values)
        }
        other => is_simple(other),
    }
}

/// Digest of names and offers: two servers with the same one understand the same functions.
pub fn function_set() -> meshgate_policies::Digest {
    let mut names: Vec<String> = functions::all()
        .filter(|(_, _, known)| known.offer == Offer::Allowed)
        .map(|(kind, name, _)| format!("{kind:?} {name}"))
        .collect();
    names.sort_unstable();
    meshgate_policies::digest::DigestBuilder::new("meshgate-functions-v1").parts(names.iter()).finish()
}
