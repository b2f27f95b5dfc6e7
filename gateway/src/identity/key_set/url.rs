//! A key set that the issuer itself serves: asked for in the background, and
//! as soon as a token names a key that is not known. An issuer changes its key
//! by signing with the new one, so the first such token has to wait for the
//! answer instead of being refused.
//!
//! Nobody makes the gateway ask often: between two questions lies a pause,
//! whoever wants keys, and only so many callers wait at a time.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use reqwest::{Certificate, Client, Url, redirect::Policy};
use tokio::{
    sync::{Notify, Semaphore, watch},
    time::{sleep, timeout},
};

use super::{
    super::{
        Clock, Reason,
        jwks::{self, VerifyingKey},
    },
    KEY_SET_BYTES_MAX, LastGood, ReadError,
};
use crate::config::SignatureAlgorithm;

/// Of one question, from the connection to the last byte.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// Callers that wait for keys at the same time; the others are refused.
const WAITING_MAX: usize = 256;

/// How often an issuer is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Between two questions, whoever wants keys; also if there was no answer.
    pub(super) least: Duration,
    /// Before the next question if there was an answer and nobody wants other keys.
    pub(super) fresh: Duration,
    /// How long a caller waits: for the pause and two questions.
    pub(super) wait: Duration,
}

const PACE: Pace =
    Pace { least: Duration::from_secs(5), fresh: Duration::from_secs(300), wait: Duration::from_secs(15) };

/// The keys that one issuer serves.
#[derive(Debug)]
pub(super) struct KeyUrl {
    issuer: String,
    url: Url,
    algorithms: Vec<SignatureAlgorithm>,
    client: Client,
    pace: Pace,
    last: Mutex<LastGood>,
    /// Questions that were begun, and the last one that is over.
    begun: AtomicU64,
    over: watch::Sender<u64>,
    wanted: Notify,
    waiting: Semaphore,
}

impl KeyUrl {
    /// Asks nothing yet.
    pub(super) fn new(
        url: &Url,
        ca: Option<&Path>,
        issuer: String,
        algorithms: Vec<SignatureAlgorithm>,
    ) -> Result<Self, ReadError> {
        Ok(Self {
            issuer,
            url: url.clone(),
            algorithms,
            client: client(url, ca)?,
            pace: PACE,
            last: Mutex::default(),
            begun: AtomicU64::new(0),
            over: watch::Sender::new(0),
            wanted: Notify::new(),
            waiting: Semaphore::new(WAITING_MAX),
        })
    }

    #[cfg(test)]
    pub(super) fn with_pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// The key of exactly this id, if need be from an answer that was asked for after this call.
    pub(super) async fn key(
        &self,
        key_id: &str,
        clock: &Clock,
        stale_max: i64,
    ) -> Result<VerifyingKey, Reason> {
        let known = || self.last().key(key_id, clock.now(), stale_max);
        let mut over = self.over.subscribe();
        // The answer to a question that was begun before may be older than the key.
        let newer = self.begun.load(Ordering::SeqCst).saturating_add(1);
        let missing = match known() {
            Ok(key) => return Ok(key),
            Err(reason) => reason,
        };
        let Ok(_place) = self.waiting.try_acquire() else {
            return Err(missing);
        };
        self.wanted.notify_one();
        let answered = async {
            while over.changed().await.is_ok() {
                let key = known();
                if key.is_ok() || *over.borrow_and_update() >= newer {
                    return key;
                }
            }
            Err(missing)
        };
        timeout(self.pace.wait, answered).await.unwrap_or(Err(missing))
    }

    /// Are there no keys, or only those from before the issuer stopped answering?
    pub(super) fn is_broken(&self) -> bool {
        let last = self.last();
        last.keys.is_empty() || last.broken_since.is_some()
    }

    /// Runs until it is dropped.
    pub(super) async fn keep_fresh(&self, clock: &Clock) {
        loop {
            let question = self.begun.fetch_add(1, Ordering::SeqCst).saturating_add(1);
            let answer = self.ask().await;
            let is_fresh = answer.is_ok();
            self.take(answer, clock.now());
            self.over.send_replace(question);
            sleep(self.pace.least).await;
            if is_fresh {
                tokio::select! {
                    () = self.wanted.notified() => {}
                    () = sleep(self.pace.fresh) => {}
                }
            }
        }
    }

    async fn ask(&self) -> Result<BTreeMap<String, VerifyingKey>, ReadError> {
        let mut response = self.client.get(self.url.clone()).send().await.map_err(http)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(ReadError::Status(response.status().as_u16()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(http)? {
            if bytes.len() + chunk.len() > KEY_SET_BYTES_MAX {
                return Err(ReadError::TooLong);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(jwks::parse(&bytes, &self.algorithms)?)
    }

    fn take(&self, answer: Result<BTreeMap<String, VerifyingKey>, ReadError>, now: i64) {
        let mut last = self.last();
        match answer {
            Ok(keys) => {
                if last.broken_since.is_some() || !keys.keys().eq(last.keys.keys()) {
                    tracing::info!(issuer = self.issuer, keys = keys.len(), "key set taken over");
                }
                *last = LastGood::of(keys);
            }
            Err(error) => {
                // Once for each time that it breaks, not for each question.
                if last.broken_since.is_none() {
                    tracing::error!(
                        issuer = self.issuer, url = %self.url, %error,
                        "the issuer's key set cannot be had: its last good keys stay for `identity.stale_keys`"
                    );
                } else {
                    tracing::debug!(issuer = self.issuer, url = %self.url, %error, "still no key set");
                }
                last.broken_since.get_or_insert(now);
            }
        }
    }

    fn last(&self) -> std::sync::MutexGuard<'_, LastGood> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// With a CA of its own an issuer is believed with that CA only.
fn client(url: &Url, ca: Option<&Path>) -> Result<Client, ReadError> {
    let mut builder = Client::builder()
        .use_rustls_tls()
        // What the configuration allows to be http is http from the start.
        .https_only(url.scheme() == "https")
        // A redirect could lead anywhere, and the environment is not ours to read.
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_WITHIN)
        .timeout(ANSWER_WITHIN)
        .user_agent("meshgate");
    if let Some(file) = ca {
        let no_ca = || ReadError::NoCa(file.display().to_string());
        let certificates = Certificate::from_pem_bundle(&std::fs::read(file)?).map_err(|_| no_ca())?;
        if certificates.is_empty() {
            return Err(no_ca());
        }
        builder = builder.tls_built_in_root_certs(false);
        for certificate in certificates {
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build().map_err(http)
}

/// The error with its reasons; the address stands beside it.
fn http(error: reqwest::Error) -> ReadError {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut reason = std::error::Error::source(&error);
    while let Some(error) = reason {
        text.push_str(": ");
        text.push_str(&error.to_string());
        reason = error.source();
    }
    ReadError::Http(text)
}
