//! What a caller may see, worked out the simple way.
//!
//! An independent reading of the policy documents: it reads the YAML itself,
//! goes row by row and cell by cell through the raw table and follows the cell
//! rule to the letter. It shares no code with the servers, knows no plan and
//! no optimizer, and is slow on purpose. What it cannot read it panics on: an
//! oracle that guesses proves nothing.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    missing_debug_implementations
)]

mod caller;
mod cells;
mod documents;
mod evaluate;
mod fields;
mod lookups;
mod numbers;
mod raw;
mod value;

pub use caller::Caller;
pub use cells::{View, view};
pub use documents::{Column, Documents, Table, yaml};
pub use lookups::{Keys, keys_of, with_lookups};
pub use raw::{read_rows, value};
pub use value::{Row, Value};
