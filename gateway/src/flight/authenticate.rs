//! Authentication of every call, before anything of it but its headers is read.

use std::{
    convert::Infallible,
    future::Future,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use meshgate_policies::Principal;
use tonic::{
    Status,
    body::Body,
    codegen::{Service, http},
    metadata::MetadataMap,
    server::NamedService,
    transport::server::{TcpConnectInfo, TlsConnectInfo},
};

use super::{
    record::QueryRecord,
    session::{self, CallSession, Refused},
};
use crate::{
    app::Gateway,
    config::Secret,
    identity::{Presented, Unauthenticated},
    mesh::Snapshot,
    planner::Parameters,
    status::{GatewayError, PURPOSE_HEADER, QUERY_ID_HEADER},
};

/// The one method that takes `Basic` credentials.
const HANDSHAKE: &str = "/arrow.flight.protocol.FlightService/Handshake";

/// A verified caller of one call.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// At work for the purpose of the call's header, or of its session.
    pub(super) principal: Arc<Principal>,
    pub(super) session: CallSession,
    /// The mesh that the whole call works on.
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) query_id: String,
    pub(super) token: Arc<Presented>,
    /// From where the call came.
    pub(super) peer: Option<IpAddr>,
    /// The token, where the call hands it back to the client.
    pub(super) handshake_token: Option<Secret<String>>,
}

/// A service that only verified callers reach.
#[derive(Debug, Clone)]
pub(crate) struct Authenticated<S> {
    inner: S,
    gateway: Arc<Gateway>,
}

impl<S> Authenticated<S> {
    pub(super) fn new(inner: S, gateway: Arc<Gateway>) -> Self {
        Self { inner, gateway }
    }
}

impl<S: NamedService> NamedService for Authenticated<S> {
    const NAME: &'static str = S::NAME;
}

type ResponseFuture = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

impl<S> Service<http::Request<Body>> for Authenticated<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> ResponseFuture {
        // The one that was polled to readiness makes the call.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let gateway = Arc::clone(&self.gateway);
        Box::pin(async move {
            let query_id = uuid::Uuid::now_v7().to_string();
            let response = match identify(&gateway, request.uri().path(), request.headers(), &query_id).await
            {
                Ok(caller) => {
                    let caller = Caller { peer: peer(request.extensions()), ..caller };
                    let (session, principal) = (caller.session.clone(), Arc::clone(&caller.principal));
                    let snapshot = Arc::clone(&caller.snapshot);
                    request.extensions_mut().insert(caller);
                    let mut response = inner.call(request).await?;
                    session.answer(&gateway, snapshot.mesh.name(), &principal, &mut response);
                    response
                }
                Err(Refused { error, session_is_over }) => {
                    let mut response = error.status(&query_id).into_http();
                    if session_is_over {
                        session::take_away(&mut response);
                    }
                    response
                }
            };
            Ok(with_query_id(response, &query_id))
        })
    }
}

fn peer(extensions: &http::Extensions) -> Option<IpAddr> {
    let of_tcp = |info: &TcpConnectInfo| info.remote_addr();
    let of_tls = |info: &TlsConnectInfo<TcpConnectInfo>| of_tcp(info.get_ref());
    let address = extensions.get().and_then(of_tls).or_else(|| extensions.get().and_then(of_tcp));
    address.map(|address| address.ip())
}

async fn identify(
    gateway: &Gateway,
    path: &str,
    headers: &http::HeaderMap,
    query_id: &str,
) -> Result<Caller, Refused> {
    let metadata = MetadataMap::from_headers(headers.clone());
    let refused = |error: Unauthenticated| Refused { error: error.into(), session_is_over: false };
    let is_handshake = path == HANDSHAKE;
    let verified = if is_handshake {
        gateway.authenticator.verify_handshake(&metadata).await.map_err(refused)?
    } else {
        gateway.authenticator.verify(&metadata).await.map_err(refused)?
    };
    // Only now: an issuer may have been asked for its keys meanwhile.
    let snapshot = gateway.mesh.snapshot();
    let (principal, token) = (verified.caller(&snapshot.mesh), Arc::new(verified.presented()));
    let (session, principal) = CallSession::begin(gateway, snapshot.mesh.name(), headers, principal.clone())
        .map_err(|refused| recorded(gateway, query_id, &principal, refused))?;
    let handshake_token = is_handshake.then(|| verified.into_token());
    let principal = Arc::new(principal);
    let (query_id, peer) = (query_id.to_owned(), None);
    Ok(Caller { principal, session, snapshot, query_id, token, peer, handshake_token })
}

/// A purpose that was refused is in the audit log: somebody tried.
fn recorded(gateway: &Gateway, query_id: &str, principal: &Principal, refused: Refused) -> Refused {
    let Refused { error, session_is_over } = refused;
    let error = match error {
        error @ GatewayError::Purpose { .. } => {
            let (audit, parameters) = (Arc::clone(&gateway.audit), Parameters::Open);
            QueryRecord::begin(audit, query_id, principal, PURPOSE_HEADER, &parameters).refused(error)
        }
        other => other,
    };
    Refused { error, session_is_over }
}

impl Caller {
    /// Who calls. There is no way to a method without it; if there were one, it would end here.
    pub(super) fn of<T>(request: &tonic::Request<T>) -> Result<Self, Status> {
        let missing = || Status::internal("the call was not authenticated");
        request.extensions().get::<Self>().cloned().ok_or_else(missing)
    }

    /// Name of the mesh that the call works on.
    pub(super) fn mesh(&self) -> &str {
        self.snapshot.mesh.name()
    }

    /// The same caller under the mesh of this moment, whose document may map claims differently.
    pub(super) async fn again(
        &self,
        gateway: &Gateway,
        metadata: &MetadataMap,
    ) -> Result<Self, GatewayError> {
        let verified = gateway.authenticator.verify(metadata).await?;
        let snapshot = gateway.mesh.snapshot();
        let principal = verified.caller(&snapshot.mesh);
        let principal = session::working_for(principal, self.principal.purpose.as_deref())?;
        Ok(Self { principal: Arc::new(principal), snapshot, ..self.clone() })
    }

    /// The same caller at work for the purpose under which it got a ticket or handle.
    pub(super) fn working_for(self, purpose: Option<&str>) -> Result<Self, GatewayError> {
        let principal = session::working_for(self.principal.as_ref().clone(), purpose)?;
        Ok(Self { principal: Arc::new(principal), ..self })
    }
}

/// The call's query id, unless the method named the query itself.
fn with_query_id(mut response: http::Response<Body>, query_id: &str) -> http::Response<Body> {
    if let Ok(value) = http::HeaderValue::from_str(query_id) {
        response.headers_mut().entry(QUERY_ID_HEADER).or_insert(value);
    }
    response
}
