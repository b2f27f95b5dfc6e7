//! An issuer's signing keys, from a file or from the issuer itself. While
//! newer ones cannot be had, the last good ones are used, for a bounded time.

mod file;
mod url;

use std::{collections::BTreeMap, io, time::Duration};

use super::{
    Clock, Reason,
    jwks::{JwksError, VerifyingKey},
};
use crate::config::{IssuerConfig, KeySource};
use file::KeyFile;
use url::KeyUrl;

/// Longest key set.
const KEY_SET_BYTES_MAX: usize = 1 << 20;

/// An issuer's key set cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the key set `{place}` of issuer `{issuer}` cannot be used: {cause}")]
pub struct KeySetError {
    issuer: String,
    place: String,
    cause: ReadError,
}

/// Why newer keys cannot be had.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("it is longer than 1 MiB")]
    TooLong,
    #[error("the issuer answers with status {0}; `jwks` must be the address of the key set itself")]
    Status(u16),
    #[error("the issuer does not answer as it should: {0}")]
    Http(String),
    #[error("its CA `{0}` holds no PEM certificate")]
    NoCa(String),
    #[error(transparent)]
    Content(#[from] JwksError),
}

/// One issuer with the keys it signs with.
#[derive(Debug)]
pub(super) struct KeySet {
    issuer: String,
    audience: String,
    /// Microseconds.
    stale_max: i64,
    keys: Keys,
}

#[derive(Debug)]
enum Keys {
    File(KeyFile),
    Url(Box<KeyUrl>),
}

/// The keys that were read last, and since when newer ones cannot be had.
#[derive(Debug, Default)]
struct LastGood {
    keys: BTreeMap<String, VerifyingKey>,
    broken_since: Option<i64>,
}

impl LastGood {
    fn of(keys: BTreeMap<String, VerifyingKey>) -> Self {
        Self { keys, broken_since: None }
    }

    /// The key of exactly this id.
    fn key(&self, key_id: &str, now: i64, stale_max: i64) -> Result<VerifyingKey, Reason> {
        match self.broken_since {
            Some(since) if now.saturating_sub(since) > stale_max => Err(Reason::StaleKeys),
            _ => self.keys.get(key_id).cloned().ok_or(Reason::UnknownKey),
        }
    }
}

impl KeySet {
    /// Reads a file, which must be usable; an issuer that has to be asked is asked by [`Self::keep_fresh`].
    pub(super) fn load(config: &IssuerConfig, stale: Duration, now: i64) -> Result<Self, KeySetError> {
        let (issuer, algorithms) = (config.issuer.clone(), config.algorithms.clone());
        let keys = match &config.jwks {
            KeySource::File(path) => KeyFile::load(path, issuer, algorithms, now).map(Keys::File),
            KeySource::Url { url, ca } => {
                KeyUrl::new(url, ca.as_deref(), issuer, algorithms).map(|keys| Keys::Url(Box::new(keys)))
            }
        };
        let failed =
            |cause| KeySetError { issuer: config.issuer.clone(), place: config.jwks.to_string(), cause };
        Ok(Self {
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
            stale_max: i64::try_from(stale.as_micros()).unwrap_or(i64::MAX),
            keys: keys.map_err(failed)?,
        })
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) fn audience(&self) -> &str {
        &self.audience
    }

    /// The key of exactly this id. One that is not known may be new: an issuer
    /// that can be asked is asked first.
    pub(super) async fn key(&self, key_id: &str, clock: &Clock) -> Result<VerifyingKey, Reason> {
        match &self.keys {
            Keys::File(file) => file.key(key_id, clock.now(), self.stale_max),
            Keys::Url(url) => url.key(key_id, clock, self.stale_max).await,
        }
    }

    pub(super) fn is_broken(&self, now: i64) -> bool {
        match &self.keys {
            Keys::File(file) => file.is_broken(now),
            Keys::Url(url) => url.is_broken(),
        }
    }

    /// Asks the issuer for its keys again and again. Ends at once for a file,
    /// which is looked at when a token comes.
    pub(super) async fn keep_fresh(&self, clock: &Clock) {
        if let Keys::Url(url) = &self.keys {
            url.keep_fresh(clock).await;
        }
    }
}

#[cfg(test)]
mod tests;
