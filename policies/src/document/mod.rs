//! Policy documents as they are written: YAML to a model, checked as far as
//! that is possible without the tables they are for.
//!
//! Nothing here decides. `compile` makes rules of tables out of it.

mod disclosure;
mod keys;
mod lookup;
mod mask;
mod owner;
mod pattern;
mod rule;

pub(crate) use disclosure::Disclosure;
pub(crate) use keys::Keys;
pub(crate) use lookup::{LookupSpec, Rights};
pub(crate) use mask::{Constant, MaskSpec, TypeGroup};
pub(crate) use owner::OwnerDocument;
pub(crate) use pattern::Pattern;
pub(crate) use rule::{
    Action, ColumnSelection, Exception, Grant, Matcher, Restriction, RowsSpec, Selection, Vocabulary, Where,
    read_readers, read_restrictions,
};

/// An SQL expression as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sql {
    pub(crate) text: String,
    pub(crate) at: Where,
}
