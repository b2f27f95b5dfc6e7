//! Handshake: the way in for clients that know user and password only. The
//! password is the token; the answer tells the client to send it as Bearer.

use arrow_flight::HandshakeResponse;
use futures::{StreamExt, stream, stream::BoxStream};
use tonic::{Response, Status, metadata::MetadataValue};

use super::authenticate::Caller;
use crate::status::GatewayError;

/// One response, with the header that clients take their token from.
pub(super) fn answer(
    caller: &Caller,
) -> Result<Response<BoxStream<'static, Result<HandshakeResponse, Status>>>, GatewayError> {
    let internal = || GatewayError::Internal("a handshake without a token".to_owned());
    let token = caller.handshake_token.as_ref().ok_or_else(internal)?.expose();
    let mut header = MetadataValue::try_from(format!("Bearer {token}")).map_err(|_| internal())?;
    header.set_sensitive(true);
    let payload = HandshakeResponse { protocol_version: 0, payload: token.clone().into() };
    let mut response = Response::new(stream::iter([Ok(payload)]).boxed());
    response.metadata_mut().insert("authorization", header);
    Ok(response)
}
