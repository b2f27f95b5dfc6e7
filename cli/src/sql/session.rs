//! A channel to a gateway that keeps the session it is given: a cookie, so
//! that `SET` holds for the statements behind it.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use tonic::{
    body::Body,
    codegen::{
        Service,
        http::{
            HeaderMap, HeaderValue, Request, Response,
            header::{COOKIE, SET_COOKIE},
        },
    },
    transport::{Channel, Error},
};

/// The one cookie that a gateway gives.
const NAME: &str = "meshgate-session=";

#[derive(Clone)]
pub(crate) struct SessionChannel {
    channel: Channel,
    cookie: Arc<Mutex<Option<HeaderValue>>>,
}

impl SessionChannel {
    pub(crate) fn new(channel: Channel) -> Self {
        Self { channel, cookie: Arc::default() }
    }
}

impl Service<Request<Body>> for SessionChannel {
    type Response = Response<Body>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.channel.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let kept = Arc::clone(&self.cookie);
        if let Some(cookie) = kept.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            request.headers_mut().insert(COOKIE, cookie);
        }
        let answer = self.channel.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            if let Some(given) = given(answer.headers()) {
                *kept.lock().unwrap_or_else(PoisonError::into_inner) = given;
            }
            Ok(answer)
        })
    }
}

/// The session of an answer; `Some(None)` ends the one there is.
fn given(headers: &HeaderMap) -> Option<Option<HeaderValue>> {
    let cookies = headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookie = cookies.into_iter().find(|cookie| cookie.starts_with(NAME))?;
    let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
    if attributes.split(';').any(|attribute| attribute.trim().eq_ignore_ascii_case("max-age=0")) {
        return Some(None);
    }
    let mut kept = HeaderValue::from_str(pair).ok()?;
    kept.set_sensitive(true);
    Some(Some(kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cookie: &str) -> Option<Option<String>> {
        let headers = HeaderMap::from_iter([(SET_COOKIE, HeaderValue::from_str(cookie).unwrap())]);
        given(&headers).map(|kept| kept.map(|value| value.to_str().unwrap().to_owned()))
    }

    #[test]
    fn a_session_is_taken_and_given_up() {
        let kept = Some(Some("meshgate-session=abc".to_owned()));
        assert_eq!(of("meshgate-session=abc; Path=/; Max-Age=60; HttpOnly"), kept);
        assert_eq!(of("meshgate-session=abc"), kept);
        assert_eq!(of("meshgate-session=; Path=/; Max-Age=0"), Some(None));
        assert_eq!(of("other=abc; Path=/"), None);
        assert_eq!(given(&HeaderMap::new()), None);
    }
}
