//! The one parse of the `authorization` header.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use tonic::metadata::MetadataMap;

use super::Reason;
use crate::config::Secret;

/// Go's client sends Basic credentials without padding, others with it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Longest user name in front of a Basic password.
const USER_BYTES_MAX: usize = 1024;

/// The token of `authorization: Bearer <token>`.
pub(super) fn bearer(metadata: &MetadataMap) -> Result<&str, Reason> {
    match scheme_and_value(metadata)? {
        (scheme, token) if scheme.eq_ignore_ascii_case("bearer") => Ok(token),
        _ => Err(Reason::Scheme),
    }
}

/// The token of `Bearer <token>`, or the password of `Basic <user:token>`.
pub(super) fn bearer_or_basic(metadata: &MetadataMap, token_bytes: usize) -> Result<Secret<String>, Reason> {
    let (scheme, value) = scheme_and_value(metadata)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(Secret::new(value.to_owned()))
    } else if scheme.eq_ignore_ascii_case("basic") {
        basic_password(value, token_bytes).map(Secret::new)
    } else {
        Err(Reason::Scheme)
    }
}

fn scheme_and_value(metadata: &MetadataMap) -> Result<(&str, &str), Reason> {
    let mut values = metadata.get_all("authorization").iter();
    let value = values.next().ok_or(Reason::Missing)?;
    if values.next().is_some() {
        return Err(Reason::Repeated);
    }
    let text = value.to_str().map_err(|_| Reason::Scheme)?;
    // Exactly one space: what follows is the credential, byte for byte.
    let (scheme, value) = text.split_once(' ').ok_or(Reason::Scheme)?;
    if value.is_empty() || value.contains(|c: char| c.is_ascii_whitespace()) {
        return Err(Reason::Scheme);
    }
    Ok((scheme, value))
}

fn basic_password(value: &str, token_bytes: usize) -> Result<String, Reason> {
    let bytes_max = token_bytes.saturating_add(USER_BYTES_MAX);
    if value.len() / 4 * 3 > bytes_max {
        return Err(Reason::TooLong);
    }
    let bytes = BASE64.decode(value).map_err(|_| Reason::Basic)?;
    let text = String::from_utf8(bytes).map_err(|_| Reason::Basic)?;
    let (_, password) = text.split_once(':').ok_or(Reason::Basic)?;
    Ok(password.to_owned())
}
