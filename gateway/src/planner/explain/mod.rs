//! Answers about a query instead of its rows: which domain would do what, what
//! that took, and which rules decide what it reads.
//!
//! All are made of the plan that would run, after the cut: what policy leaves
//! is all that such a plan knows.

mod analyze;
mod policy;
mod steps;
mod words;

pub(super) use analyze::AnalyzeExec;
pub(super) use policy::policy;
pub(super) use steps::{Steps, steps};

use arrow::error::ArrowError;

use crate::status::GatewayError;

fn not_built(error: ArrowError) -> GatewayError {
    GatewayError::Internal(format!("an explanation cannot be built: {error}"))
}
