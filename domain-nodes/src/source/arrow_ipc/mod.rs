//! Arrow IPC, files and streams. The blocks are found, bounded and checked
//! here; the arrow crate decodes them, with its validation of every array.

mod block;
mod header;
mod reader;

pub(super) use header::{Header, read_header};
pub(super) use reader::ArrowReader;
