//! Who may see what of a table: documents in, decisions out.
//!
//! Pure functions: no I/O, no clock, no runtime, no DataFusion. The gateway
//! decides with this crate in order to plan; a domain node decides with it
//! again in order to enforce. Both must come to the same [`Decision`], which
//! is why everything a decision depends on is an argument.

mod compile;
pub mod contract;
pub mod data_type;
mod data_type_text;
mod decide;
pub mod decision;
mod decision_cache;
pub mod digest;
mod document;
#[cfg(test)]
mod documentation;
mod domain_policy;
pub mod doubts;
pub mod expression;
mod mesh;
pub mod names;
pub mod persona;
pub mod principal;
mod pseudonym;
pub mod shadow;
mod statement;
pub mod yaml;

pub use contract::{Column, NestedField, Table};
pub use data_type::DataType;
pub use data_type_text::NotAType;
pub use decide::{Absence, Account, Effect, EffectKind, Explanation, RuleAccount, Standing, VisibleRule};
pub use decision::{
    Cell, DecidedColumn, Decision, Disclosed, JoinKeys, RuleKind, RuleRef, Shows, TableDecision,
};
pub use digest::Digest;
pub use domain_policy::{Document, DomainPolicy, WrittenRule};
pub use mesh::Mesh;
pub use persona::Persona;
pub use principal::{ClaimValue, NoSuchPurpose, Principal};
pub use pseudonym::{PseudonymScope, PseudonymSpace};
pub use statement::Statement;

/// Version of the expression language and of the cell rule. Gateway and node
/// must agree on it before their decisions can be compared.
pub const POLICY_LANGUAGE: u32 = 2;
