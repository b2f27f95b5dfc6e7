//! Messages between the gateway and the domain nodes, generated from
//! `meshgate/v1/meshgate.proto`, which documents each of them.
//!
//! Messages only: no services (they are Arrow Flight's own) and no behaviour.

/// Version 1 of the messages.
pub mod v1 {
    #![allow(missing_docs, clippy::all, clippy::restriction)]
    include!(concat!(env!("OUT_DIR"), "/meshgate.v1.rs"));
}

/// Flight action by which a node describes its domain.
pub const DESCRIBE_ACTION: &str = "meshgate.describe";

/// Flight action by which a gateway brings the operator's document to a node.
pub const OPERATOR_DOCUMENT_ACTION: &str = "meshgate.operator-document";

/// Flight action by which a gateway has a node read its files. The answer is [`RELOADED`] or [`NOT_ALL_GOOD`].
pub const RELOAD_ACTION: &str = "meshgate.reload";

/// The files were read, and all of them can be used.
pub const RELOADED: &str = "reloaded";

/// The files were read, and some cannot be used: what was in use for them stays.
pub const NOT_ALL_GOOD: &str = "problems";

/// `Permit.type`, and the domain separation of its signature.
pub const PERMIT_TYPE: &str = "meshgate-permit-v1";
