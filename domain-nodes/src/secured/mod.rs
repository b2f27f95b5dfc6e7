//! Tables as one principal gets them.
//!
//! A [`SecuredTable`] is all that a query sees of a table: the visible
//! columns with their contract's types. Its scan is raw scan, row filter, one
//! projection that makes the cells, barrier. Raw data is readable only below
//! the [`BarrierExec`]; nothing of a user's query gets below it but predicates
//! that cannot fail, on columns that show their raw values to this principal.
//!
//! Who may see what is decided elsewhere (`meshgate_policies`); this module
//! makes a decision true for every way in which an engine can run a query.

mod barrier;
mod error;
mod harmless;
mod scrub;
mod table;
mod walker;

#[cfg(test)]
mod tests;

pub use barrier::BarrierExec;
pub use error::{ReadError, SecureError, TableError};
pub use table::SecuredTable;
pub use walker::{WalkerError, check, check_beside_values};
