//! How a command ends when it does not end well: one sentence and an exit code.

use std::process::ExitCode;

/// Why a command did not do what it was asked for. The text is the sentence
/// that a person reads; it names what is wrong and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A check or a statement found something wrong.
    #[error("{0}")]
    Found(String),
    /// Wrong usage, configuration or files.
    #[error("{0}")]
    Usage(String),
    /// A server refused the caller or did not answer.
    #[error("{0}")]
    Refused(String),
    /// The person at the keyboard ended it.
    #[error("cancelled")]
    Cancelled,
    /// Whoever read our output went away (`| head`): nothing to complain about.
    #[error("the output was closed")]
    OutputClosed,
}

impl Failure {
    /// 0 done, 1 found something, 2 wrong usage or configuration, 3 refused or
    /// unreachable; 130 is what shells expect after Ctrl-C.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }

    fn code(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::Found(_) => 1,
            Self::Usage(_) => 2,
            Self::Refused(_) => 3,
            Self::Cancelled => 130,
        }
    }

    /// For errors of files: what was tried, and what the system says.
    pub(crate) fn file(doing: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::Usage(format!("cannot {doing} {}: {error}", path.display()))
    }

    /// For errors while writing results.
    pub(crate) fn output(error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Found(format!("cannot write the output: {error}")),
        }
    }
}

/// An error and what lies behind it, in one line.
pub(crate) fn with_reasons(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut current = error;
    while let Some(source) = current.source() {
        let reason = source.to_string();
        // Errors that pass others on say the same again.
        if !text.contains(&reason) {
            text.push_str(": ");
            text.push_str(&reason);
        }
        current = source;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_codes_are_those_of_the_documentation() {
        let page = include_str!("../../docs/commands.md");
        let (_, table) = page.split_once("| code | meaning |").unwrap();
        let rows = table.lines().skip(2).map_while(|line| line.strip_prefix("| "));
        let documented: Vec<u8> = rows.map(|row| row.split_once(' ').unwrap().0.parse().unwrap()).collect();
        let text = String::new;
        let failures = [
            Failure::OutputClosed,
            Failure::Found(text()),
            Failure::Usage(text()),
            Failure::Refused(text()),
            Failure::Cancelled,
        ];
        assert_eq!(documented, failures.map(|failure| failure.code()));
    }
}
