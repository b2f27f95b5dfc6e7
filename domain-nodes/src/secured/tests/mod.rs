//! Attacks on secured tables, and what must keep working.

#![allow(clippy::disallowed_methods, reason = "tests plan SQL and build raw tables themselves")]

mod attacks;
mod barrier;
mod buffers;
mod fixture;
mod harmless;
mod masks;
mod planning;
mod promises;
mod raw_bytes;
mod raw_scans;
mod scrubbing;
mod sources;
mod trait_methods;
mod types;
mod walking;
