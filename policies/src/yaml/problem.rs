//! What is wrong in a file, where, and what to write instead.

use std::fmt;

use super::Warning;

/// One thing that is wrong in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub file: String,
    /// From 1; 0 means the whole file.
    pub line: usize,
    pub severity: Severity,
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

/// Does a problem stop the file from being used?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning(Warning),
}

impl Problem {
    /// A problem that stops the file from being used.
    pub fn error(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, severity: Severity::Error, message: message.into(), hint: None }
    }

    /// A problem that does not stop the file from being used.
    pub fn warning(warning: Warning, file: &str, line: usize, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning(warning), ..Self::error(file, line, message) }
    }

    /// The same problem with a remedy.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Does it stop the file from being used?
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Under which docs/warnings.md explains it; errors explain themselves.
    pub fn warning_name(&self) -> Option<&'static str> {
        match self.severity {
            Severity::Error => None,
            Severity::Warning(warning) => Some(warning.name()),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: ", self.file)?,
            line => write!(f, "{}:{line}: ", self.file)?,
        }
        if self.warning_name().is_some() {
            f.write_str("warning: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "; {hint}")?;
        }
        match self.warning_name() {
            Some(name) => write!(f, " [{name}]"),
            None => Ok(()),
        }
    }
}
