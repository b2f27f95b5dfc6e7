//! Running plans: own threads, bounded streams, deadlines that hold.

mod alarm;
mod cooperation;
mod sliced;
mod stream;
#[cfg(test)]
mod tests;

pub use stream::QueryStream;

pub(crate) use alarm::{Alarm, Clock};
pub(crate) use cooperation::Cooperation;
