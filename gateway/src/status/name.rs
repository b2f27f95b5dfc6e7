//! Names from statements and from nodes, as they are shown to callers.

use std::fmt;

const SHOWN_CHARS_MAX: usize = 128;

/// A name that a caller typed. Shown in backticks if it is harmless; a name
/// with control characters, marks or line breaks is not repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShownName(Option<String>);

impl ShownName {
    /// The name, if it is harmless.
    pub(crate) fn new(name: &str) -> Self {
        let harmless = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '$' | '#' | ' ');
        let short = name.chars().count() <= SHOWN_CHARS_MAX;
        Self((!name.is_empty() && short && name.chars().all(harmless)).then(|| name.to_owned()))
    }
}

impl ShownName {
    /// The name, if it is harmless.
    pub(crate) fn text(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl fmt::Display for ShownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(name) => write!(f, "`{name}`"),
            None => f.write_str("of that name"),
        }
    }
}
