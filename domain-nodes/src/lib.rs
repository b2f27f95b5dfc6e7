//! The node of one domain: serves the domain's data products over Arrow
//! Flight, and decides next to the data what each caller gets of them.

pub mod contract;
pub mod secured;
pub mod source;
