//! What an expression can name.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use crate::{Column, DataType, principal::ClaimType};

/// What an expression can name. Nothing else exists for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// Empty where no row is at hand.
    pub(crate) columns: &'a [Column],
    pub(crate) claims: &'a BTreeMap<String, ClaimDefinition>,
    /// Lookups and the types of their keys. `None` where nobody could compute them.
    pub(crate) lookups: Option<&'a BTreeMap<String, DataType>>,
    /// The zone of `now()`.
    pub(crate) zone: Tz,
    /// In a mask: the column that `value` stands for.
    pub(crate) cell: Option<usize>,
}

/// A claim as mesh.yaml declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClaimDefinition {
    pub(crate) claim_type: ClaimType,
    /// If not empty, the only values it can have.
    pub(crate) values: Vec<String>,
}
