//! Errors of a store's client: what happened goes to the log and to the error,
//! what was sent and answered to neither.

use object_store::Error;

use super::Bucket;
use crate::source::error::SourceError;

/// Codes of S3 that mean: not with these credentials.
const REFUSALS: [&str; 7] = [
    "AccessDenied",
    "AllAccessDisabled",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "NotSignedUp",
    "SignatureDoesNotMatch",
];
/// Longest text of a store that is passed on.
const TEXT_CHARS: usize = 300;

impl Bucket {
    /// What an error of the store means for a table that is read from it.
    pub(super) fn explained(&self, table: &str, doing: &str, error: &Error) -> SourceError {
        let (bucket, told) = (&self.name, self.told(error));
        tracing::error!(table, bucket, doing, cause = told, "an object store did not answer as it should");
        let table = table.to_owned();
        match error {
            Error::NotFound { .. } => {
                SourceError::NotFound { table, cause: std::io::ErrorKind::NotFound.into() }
            }
            Error::Precondition { .. } | Error::NotModified { .. } => SourceError::Changed { table },
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
                SourceError::Refused { table, reason: told }
            }
            // The client does not tell statuses apart where it lists.
            _ if code_of(&error.to_string()).is_some_and(|code| REFUSALS.contains(&code)) => {
                SourceError::Refused { table, reason: told }
            }
            _ => SourceError::Store { table, reason: told },
        }
    }

    /// The store's own code where it gave one, otherwise the beginning of the
    /// client's text. Answers of stores quote the request with its headers.
    fn told(&self, error: &Error) -> String {
        let text = error.to_string();
        if let Some(code) = code_of(&text) {
            return format!("the store says {code}");
        }
        let said = text.split_once('<').map_or(text.as_str(), |(before, _)| before);
        let mut said: String = said.chars().take(TEXT_CHARS).collect();
        for secret in &self.secrets {
            said = said.replace(secret.reveal(), "***");
        }
        said
    }
}

/// `<Code>AccessDenied</Code>`.
fn code_of(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    (code.len() <= 64 && code.chars().all(|c| c.is_ascii_alphanumeric())).then_some(code)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const ANSWER: &str = "Server returned non-2xx status code: 403 Forbidden: <?xml?><Error>\
        <Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>AKSECRET</AWSAccessKeyId>\
        <CanonicalRequest>x-amz-security-token:TOKENSECRET</CanonicalRequest></Error>";

    fn bucket() -> Arc<Bucket> {
        Bucket::over("lake", Arc::new(object_store::memory::InMemory::new()), &["AKSECRET", "TOKENSECRET"])
    }

    fn generic(text: &str) -> Error {
        Error::Generic { store: "S3", source: text.into() }
    }

    #[test]
    fn keys_and_tokens_in_answers_are_told_to_nobody() {
        for text in
            [ANSWER.to_owned(), ANSWER.replace("<Code>", "<Kode>"), "sent AKSECRET TOKENSECRET".to_owned()]
        {
            let error = bucket().explained("t", "listing", &generic(&text));
            for told in [error.to_string(), format!("{error:?}"), bucket().told(&generic(&text))] {
                assert!(!told.contains("SECRET"), "{told}");
            }
        }
        assert_eq!(bucket().told(&generic(ANSWER)), "the store says SignatureDoesNotMatch");
        assert!(bucket().told(&generic("connection refused")).contains("connection refused"));
        assert!(!format!("{:?}", bucket()).contains("SECRET"));
    }

    #[test]
    fn refusals_changes_and_absence_are_told_apart() {
        let source = || "x".into();
        let path = || "t/a.csv".to_owned();
        let explained = |error| bucket().explained("t", "reading", &error);
        assert!(matches!(
            explained(Error::PermissionDenied { path: path(), source: source() }),
            SourceError::Refused { .. }
        ));
        assert!(matches!(
            explained(Error::Precondition { path: path(), source: source() }),
            SourceError::Changed { .. }
        ));
        assert!(matches!(
            explained(Error::NotFound { path: path(), source: source() }),
            SourceError::NotFound { .. }
        ));
        assert!(matches!(explained(generic(ANSWER)), SourceError::Refused { .. }));
        assert!(matches!(explained(generic("<Code>SlowDown</Code>")), SourceError::Store { .. }));
        assert!(matches!(explained(generic("x")), SourceError::Store { .. }));
    }
}
