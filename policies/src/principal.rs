//! A verified caller.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

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
    /// The purpose the caller works for: one of `purposes`.
    pub purpose: Option<String>,
    /// The purposes that the caller may choose: those of the token that
    /// mesh.yaml declares. The gateway asks; rules see the chosen one only.
    pub purposes: BTreeSet<String>,
}

/// The purpose is not declared, or the caller's token does not name it: the
/// same for whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the purpose cannot be chosen")]
pub struct NoSuchPurpose;

impl Principal {
    /// The same caller, working for `purpose`; `None` is no purpose.
    pub fn working_for(mut self, purpose: Option<&str>) -> Result<Self, NoSuchPurpose> {
        if purpose.is_some_and(|purpose| !self.purposes.contains(purpose)) {
            return Err(NoSuchPurpose);
        }
        self.purpose = purpose.map(str::to_owned);
        Ok(self)
    }
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

/// Type of a claim, as mesh.yaml declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClaimType {
    Text,
    Integer,
    Boolean,
    Date,
    Texts,
    Integers,
}

impl ClaimType {
    /// Is the value of this type?
    pub(crate) fn holds(self, value: &ClaimValue) -> bool {
        matches!(
            (self, value),
            (Self::Text, ClaimValue::Text(_))
                | (Self::Integer, ClaimValue::Integer(_))
                | (Self::Boolean, ClaimValue::Boolean(_))
                | (Self::Date, ClaimValue::Date(_))
                | (Self::Texts, ClaimValue::Texts(_))
                | (Self::Integers, ClaimValue::Integers(_))
        )
    }
}

impl fmt::Display for ClaimType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Texts => "list<text>",
            Self::Integers => "list<integer>",
        })
    }
}
