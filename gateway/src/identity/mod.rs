//! From the credentials of a request to a verified caller, or to nothing.
//!
//! Each request is authenticated on its own. Every refusal looks the same to
//! the caller; the reason goes to the log, the token goes nowhere.

mod credentials;
mod json;
mod jwks;
mod key_set;
mod token;

use std::{fmt, sync::Arc};

use meshgate_policies::{Digest, Mesh, Principal};
use tonic::metadata::MetadataMap;

use crate::config::{IdentityConfig, Secret};
use key_set::KeySet;
use token::{Token, VerifiedClaims};

pub(crate) use key_set::KeySetError;

/// The present, in microseconds since the epoch (UTC).
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    /// A clock that reads the time from `now`.
    pub(crate) fn new(now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The computer's clock.
    pub(crate) fn system() -> Self {
        Self::new(|| chrono::Utc::now().timestamp_micros())
    }

    /// Microseconds since the epoch.
    pub(crate) fn now(&self) -> i64 {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// What else is known of a token that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Presented {
    /// When the token expires, microseconds since the epoch.
    pub expires_at: i64,
    /// SHA-256 of the token as it was presented.
    pub digest: Digest,
    audience: Vec<String>,
}

impl Presented {
    /// May a server of this name see the token?
    pub(crate) fn is_meant_for(&self, name: &str) -> bool {
        self.audience.iter().any(|audience| audience == name)
    }
}

/// The request carries no acceptable credentials. Its text is the same for
/// every reason, and says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "authentication failed: send the header `authorization: Bearer <token>` with a valid JWT of an issuer that this gateway accepts"
)]
pub(crate) struct Unauthenticated(Reason);

impl Unauthenticated {
    /// Refuses for `reason`, which goes to the log.
    pub(crate) fn because(reason: Reason) -> Self {
        tracing::info!(%reason, "authentication failed");
        Self(reason)
    }

    /// Why: for tests; the log has it already.
    #[cfg(test)]
    pub(crate) fn reason(self) -> Reason {
        self.0
    }
}

/// Why credentials were refused. Holds nothing of the credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Reason {
    #[error("no authorization header")]
    Missing,
    #[error("more than one authorization header")]
    Repeated,
    #[error("the authorization header is not `Bearer <token>`")]
    Scheme,
    #[error("the Basic credentials are not base64 of `user:token`")]
    Basic,
    #[error("the token or its header is longer than allowed")]
    TooLong,
    #[error("the token is not three base64url parts")]
    Parts,
    #[error("the token's header is not a flat, unambiguous JSON object")]
    Header,
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    #[error("the token's type is not a JWT access token")]
    Type,
    #[error("the token has critical extensions")]
    Critical,
    #[error("the token names no key")]
    NoKeyId,
    #[error("the token's claims are not an unambiguous JSON object")]
    Claims,
    #[error("the token's issuer is missing or not configured")]
    Issuer,
    #[error("the issuer has no usable signing key of the token's key id")]
    UnknownKey,
    #[error("the issuer's key set could not be read for too long")]
    StaleKeys,
    #[error("the signature does not verify")]
    Signature,
    #[error("the token has no valid audience for this gateway")]
    Audience,
    #[error("the token has no subject")]
    Subject,
    #[error("the token's expiry is missing or not a time")]
    Expiry,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYetValid,
    #[error("the token was issued in the future")]
    IssuedInFuture,
}

/// Verifies credentials against the configured issuers.
#[derive(Debug)]
pub(crate) struct Authenticator {
    issuers: Vec<KeySet>,
    token_bytes: usize,
    header_bytes: usize,
    clock: Clock,
}

impl Authenticator {
    /// Reads every issuer's key set file; one that cannot be used is an error at start.
    pub(crate) fn new(config: &IdentityConfig, clock: Clock) -> Result<Self, KeySetError> {
        let issuers = config
            .issuers
            .iter()
            .map(|issuer| KeySet::load(issuer, config.stale_keys, clock.now()))
            .collect::<Result<_, _>>()?;
        Ok(Self { issuers, token_bytes: config.token_bytes, header_bytes: config.header_bytes, clock })
    }

    /// What a request with `authorization: Bearer <JWT>` proves of its caller.
    pub(crate) async fn verify(&self, metadata: &MetadataMap) -> Result<Verified, Unauthenticated> {
        let token = credentials::bearer(metadata).map(|token| Secret::new(token.to_owned()));
        self.verified(token).await
    }

    /// The same for a Handshake, which may also come with `Basic` and the JWT
    /// as password (the user name means nothing).
    pub(crate) async fn verify_handshake(&self, metadata: &MetadataMap) -> Result<Verified, Unauthenticated> {
        self.verified(credentials::bearer_or_basic(metadata, self.token_bytes)).await
    }

    /// Asks issuers for their keys, where these are not in a file. Runs until it is dropped.
    pub(crate) async fn keep_keys_fresh(&self) {
        futures::future::join_all(self.issuers.iter().map(|issuer| issuer.keep_fresh(&self.clock))).await;
    }

    /// How many issuers' key sets cannot be had at present, so that their last
    /// good keys are in use.
    pub(crate) fn broken_key_sets(&self) -> usize {
        let now = self.clock.now();
        self.issuers.iter().filter(|issuer| issuer.is_broken(now)).count()
    }

    async fn verified(&self, token: Result<Secret<String>, Reason>) -> Result<Verified, Unauthenticated> {
        let token = token.map_err(Unauthenticated::because)?;
        let claims = self.claims(token.expose()).await.map_err(Unauthenticated::because)?;
        Ok(Verified { claims, token })
    }

    async fn claims(&self, token: &str) -> Result<VerifiedClaims, Reason> {
        let token = Token::parse(token, self.token_bytes, self.header_bytes)?;
        let issuer =
            self.issuers.iter().find(|issuer| issuer.issuer() == token.issuer()).ok_or(Reason::Issuer)?;
        let key = issuer.key(token.key_id(), &self.clock).await?;
        token.verify(&key, issuer.issuer(), issuer.audience(), self.clock.now())
    }
}

/// Credentials that were verified. Who that is depends on the mesh.
#[derive(Debug)]
pub(crate) struct Verified {
    claims: VerifiedClaims,
    token: Secret<String>,
}

impl Verified {
    /// The caller, with roles, groups and claims as `mesh` maps them.
    pub(crate) fn caller(&self, mesh: &Mesh) -> Principal {
        let VerifiedClaims { issuer, subject, claims, .. } = &self.claims;
        mesh.principal(issuer, subject, claims)
    }

    /// The token that was presented.
    pub(crate) fn presented(&self) -> Presented {
        Presented {
            expires_at: self.claims.expires_at,
            digest: Digest::of(self.token.expose().as_bytes()),
            audience: self.claims.audience(),
        }
    }

    /// The token, which a client is to send as Bearer after a Handshake.
    pub(crate) fn into_token(self) -> Secret<String> {
        self.token
    }
}

#[cfg(test)]
pub(crate) mod forge;
#[cfg(test)]
mod tests;
