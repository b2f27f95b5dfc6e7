//! The cookie that holds a session, in requests and in answers.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tonic::codegen::http::{
    HeaderMap, HeaderValue, Response,
    header::{COOKIE, SET_COOKIE},
};

const NAME: &str = "meshgate-session";
/// Clients keep no longer cookies.
const BYTES_MAX: usize = 4096;

/// What a request holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    Sealed(Vec<u8>),
    /// A cookie of this name that none of ours can be, or two of them.
    Unreadable,
}

/// Looks for the session among the cookies of a request.
pub(super) fn find(headers: &HeaderMap) -> Found {
    let mut found = Found::Nothing;
    for header in headers.get_all(COOKIE) {
        // Other people's cookies may hold anything.
        for cookie in header.as_bytes().split(|byte| *byte == b';') {
            // What was taken away may come back empty.
            let Some(value) = value_of(cookie.trim_ascii()).filter(|value| !value.is_empty()) else {
                continue;
            };
            found = match (found, decode(value)) {
                (Found::Nothing, Some(sealed)) => Found::Sealed(sealed),
                _ => return Found::Unreadable,
            };
        }
    }
    found
}

fn value_of(cookie: &[u8]) -> Option<&[u8]> {
    let value = cookie.strip_prefix(NAME.as_bytes())?.strip_prefix(b"=")?;
    // Java puts it in quotes, as RFC 6265 allows.
    let quoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    Some(quoted.unwrap_or(value))
}

fn decode(value: &[u8]) -> Option<Vec<u8>> {
    if value.len() > BYTES_MAX { None } else { URL_SAFE_NO_PAD.decode(value).ok() }
}

/// The header that gives a client a session.
pub(super) fn value(sealed: &[u8], life: Duration) -> Option<HeaderValue> {
    let value = URL_SAFE_NO_PAD.encode(sealed);
    if value.len() > BYTES_MAX {
        return None;
    }
    let text = format!(
        "{NAME}={value}; Path=/; Max-Age={}; HttpOnly; Secure; SameSite=Strict",
        life.as_secs().max(1)
    );
    let mut header = HeaderValue::from_str(&text).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// Adds the cookie to an answer.
pub(super) fn give<B>(response: &mut Response<B>, cookie: HeaderValue) {
    response.headers_mut().append(SET_COOKIE, cookie);
}

/// Makes the client forget its session.
pub(in crate::flight) fn take_away<B>(response: &mut Response<B>) {
    let text = format!("{NAME}=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict");
    if let Ok(cookie) = HeaderValue::from_str(&text) {
        give(response, cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cookies: &[&str]) -> Found {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(COOKIE, HeaderValue::from_str(cookie).unwrap());
        }
        find(&headers)
    }

    #[test]
    fn the_session_is_found_among_other_cookies() {
        let sealed = || Found::Sealed(b"abc".to_vec());
        assert_eq!(of(&[]), Found::Nothing);
        assert_eq!(of(&["a=b", "c; d=e", "meshgate-session="]), Found::Nothing);
        assert_eq!(of(&["xmeshgate-session=YWJj; meshgate-sessions=YWJj"]), Found::Nothing);
        assert_eq!(of(&["meshgate-session=YWJj"]), sealed());
        assert_eq!(of(&["a=b;meshgate-session=YWJj; c=d"]), sealed());
        assert_eq!(of(&["a=b", "meshgate-session=YWJj"]), sealed());
        assert_eq!(of(&["meshgate-session=\"YWJj\";$Path=\"/\""]), sealed());
    }

    #[test]
    fn what_is_none_of_ours_is_no_session() {
        let long = format!("meshgate-session={}", "a".repeat(BYTES_MAX + 4));
        for cookies in [
            ["meshgate-session=%%%", ""],
            ["meshgate-session=\"YWJj", ""],
            ["meshgate-session=YWJ", "meshgate-session=YWJj"],
            ["meshgate-session=YWJj", "meshgate-session=YWJj"],
            ["meshgate-session=YWJj; meshgate-session=YWJj", ""],
            [&long, ""],
        ] {
            assert_eq!(of(&cookies), Found::Unreadable, "{cookies:.60?}");
        }
    }

    #[test]
    fn a_cookie_is_for_secure_connections_and_a_time() {
        let header = value(b"abc", Duration::from_secs(60)).unwrap();
        assert_eq!(
            header.to_str().unwrap(),
            "meshgate-session=YWJj; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Strict"
        );
        assert!(value(&[0; BYTES_MAX], Duration::from_secs(60)).is_none());
    }
}
