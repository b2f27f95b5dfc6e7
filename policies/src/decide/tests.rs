//! Each line of the cell rule, with its deny twin.

mod account;
mod disclosures;
mod documents;
mod explain;
pub(crate) mod fixture;
mod formula;
mod lookups;
mod nested;
mod rules;

use fixture::{Fixture, cells, visible};
