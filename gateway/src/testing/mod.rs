//! What tests of the gateway share: a mesh of two domains with nodes that
//! answer from memory, and a gateway that serves it over plain TCP.

pub(crate) mod bench;
pub(crate) mod fake_node;
pub(crate) mod larkfield;
pub(crate) mod logs;
