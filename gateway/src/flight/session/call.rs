//! The session of one call. Nothing is kept here: a session is a sealed cookie
//! that its client sends with each call, and gets anew when it changes.
//!
//! A client that keeps cookies has one from its first good answer on. One that
//! cannot be used any more is refused and taken away, so that what was set in
//! it is never forgotten in silence, and the next call works.

use std::sync::{Arc, OnceLock};

use meshgate_policies::Principal;
use tonic::codegen::http::{HeaderMap, HeaderValue, Response};

use super::cookie::{self, Found};
use crate::{
    app::Gateway,
    status::{GatewayError, PURPOSE_HEADER, SessionFault},
    ticket::{self, Ticket, TicketKind},
};

/// What a call knows of its client's session.
#[derive(Debug, Clone)]
pub(in crate::flight) struct CallSession {
    /// The client sent its session: it will send what it gets.
    is_kept: bool,
    /// More than half of the session's time is over.
    is_old: bool,
    purpose: Option<String>,
    /// The call itself names its purpose.
    purpose_in_header: bool,
    /// What the call makes of the session.
    outcome: Arc<OnceLock<Outcome>>,
}

#[derive(Debug)]
enum Outcome {
    Purpose(Option<String>),
    Closed,
}

/// A call that is refused for what it says about its session or purpose.
#[derive(Debug)]
pub(in crate::flight) struct Refused {
    pub(in crate::flight) error: GatewayError,
    /// The session is what is wrong: it is taken from the client.
    pub(in crate::flight) session_is_over: bool,
}

impl CallSession {
    /// Reads cookie and header of a call, and gives the principal its purpose.
    pub(in crate::flight) fn begin(
        gateway: &Gateway,
        mesh: &str,
        headers: &HeaderMap,
        principal: Principal,
    ) -> Result<(Self, Principal), Refused> {
        let over = |error| Refused { error, session_is_over: true };
        let mut session = Self::read(gateway, mesh, headers, &principal)
            .ok_or_else(|| over(GatewayError::Session(SessionFault::Unusable)))?;
        let in_header =
            purpose_in_header(headers).map_err(|error| Refused { error, session_is_over: false })?;
        session.purpose_in_header = in_header.is_some();
        let session_is_over = in_header.is_none();
        let purpose = in_header.or(session.purpose.as_deref());
        let principal =
            working_for(principal, purpose).map_err(|error| Refused { error, session_is_over })?;
        Ok((session, principal))
    }

    fn read(gateway: &Gateway, mesh: &str, headers: &HeaderMap, principal: &Principal) -> Option<Self> {
        let now = gateway.clock.now();
        let none = Self {
            is_kept: false,
            is_old: false,
            purpose: None,
            purpose_in_header: false,
            outcome: Arc::default(),
        };
        match cookie::find(headers) {
            Found::Nothing => Some(none),
            Found::Unreadable => None,
            Found::Sealed(sealed) => {
                let ticket = gateway.sealer.open_late(TicketKind::Session, &sealed, mesh, principal)?;
                if now >= ticket.expires_at {
                    // Nothing is lost where nothing was set.
                    return ticket.purpose.is_none().then_some(none);
                }
                let half = ticket.expires_at.saturating_sub(ticket.instant) / 2;
                let is_old = now >= ticket.instant.saturating_add(half);
                Some(Self { is_kept: true, is_old, purpose: ticket.purpose, ..none })
            }
        }
    }

    /// Lets the session work for `purpose` from the next call on; whether the
    /// caller may choose it has been asked.
    pub(in crate::flight) fn set_purpose(&self, purpose: Option<&str>) -> Result<(), GatewayError> {
        if self.purpose_in_header {
            return Err(GatewayError::Session(SessionFault::PurposeInHeader));
        }
        if !self.is_kept {
            return Err(GatewayError::Session(SessionFault::NotKept));
        }
        // One call changes its session once.
        let _ = self.outcome.set(Outcome::Purpose(purpose.map(str::to_owned)));
        Ok(())
    }

    /// Ends the session.
    pub(in crate::flight) fn close(&self) {
        let _ = self.outcome.set(Outcome::Closed);
    }

    /// Gives the client its session, if the call went well and there is something new.
    pub(in crate::flight) fn answer<B>(
        &self,
        gateway: &Gateway,
        mesh: &str,
        principal: &Principal,
        response: &mut Response<B>,
    ) {
        // An answer without messages has its status among the headers.
        if response.headers().contains_key("grpc-status") {
            return;
        }
        let purpose = match self.outcome.get() {
            Some(Outcome::Closed) => return cookie::take_away(response),
            Some(Outcome::Purpose(purpose)) => purpose.clone(),
            None if self.is_kept && !self.is_old => return,
            None => self.purpose.clone(),
        };
        if let Some(cookie) = seal(gateway, mesh, principal, purpose) {
            cookie::give(response, cookie);
        }
    }
}

/// The principal at work for `purpose`.
pub(in crate::flight) fn working_for(
    principal: Principal,
    purpose: Option<&str>,
) -> Result<Principal, GatewayError> {
    let purposes = principal.purposes.iter().cloned().collect();
    let chosen = crate::status::ShownName::new(purpose.unwrap_or_default());
    principal.working_for(purpose).map_err(|_| GatewayError::Purpose { chosen, purposes })
}

fn purpose_in_header(headers: &HeaderMap) -> Result<Option<&str>, GatewayError> {
    let mut values = headers.get_all(PURPOSE_HEADER).iter();
    let Some(first) = values.next() else { return Ok(None) };
    match (first.to_str(), values.next()) {
        (Ok(purpose), None) => Ok(Some(purpose)),
        _ => Err(GatewayError::InvalidRequest("the header `meshgate-purpose` names one purpose, once")),
    }
}

/// The value of a new cookie. Without one the client keeps what it has, and
/// sessions that end early are refused, not forgotten.
fn seal(
    gateway: &Gateway,
    mesh: &str,
    principal: &Principal,
    purpose: Option<String>,
) -> Option<HeaderValue> {
    let instant = gateway.clock.now();
    let time = gateway.limits.session_time;
    let life = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    let session = Ticket {
        kind: TicketKind::Session,
        content: Vec::new(),
        purpose,
        instant,
        schema: None,
        expires_at: instant.saturating_add(life),
        id: ticket::random_id().ok()?,
    };
    let sealed = gateway.sealer.seal(&session, mesh, principal).ok()?;
    cookie::value(&sealed, time)
}
