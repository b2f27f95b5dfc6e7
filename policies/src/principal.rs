//! A verified caller.

use std::collections::{BTreeMap, BTreeSet};

/// A verified caller, as policy sees it. `roles`, `groups` and `claims` hold
/// only what mesh.yaml maps from the token.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Principal {
    pub issuer: String,
    pub subject: String,
    pub roles: BTreeSet<String>,
    pub groups: BTreeSet<String>,
    /// Declared claims that are present with the declared type. A claim that
    /// is missing, null or of another type is not in here: every grant that
    /// reads it does not apply.
    pub claims: BTreeMap<String, ClaimValue>,
    /// The purpose the session works for.
    pub purpose: Option<String>,
}

/// Value of a claim, of the type that mesh.yaml declares for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ClaimValue {
    Text(String),
    Integer(i64),
    Boolean(bool),
    /// Days since the epoch; `YYYY-MM-DD` in the token.
    Date(i32),
    Texts(Vec<String>),
    Integers(Vec<i64>),
}
