//! Principals as messages. Sets travel sorted and without repetition, so that
//! equal principals have equal bytes, and anything else is refused.

use std::collections::BTreeSet;

use meshgate_policies::{ClaimValue, Principal};
use meshgate_proto::v1;
use meshgate_proto::v1::claim::Value;

/// Roles, groups, claims and values of list claims together.
const MAXIMUM_VALUES: usize = 10_000;

/// Why a message is no principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PrincipalError {
    #[error("a principal needs an issuer and a subject")]
    Nobody,
    #[error("roles, groups or claims are not sorted, or repeated")]
    Order,
    #[error("a claim has no value")]
    Claim,
    #[error("a principal has too many roles, groups or claims")]
    TooLarge,
}

/// Does a node take the principal's message?
pub fn principal_fits(principal: &Principal) -> bool {
    size(&principal_to_message(principal)) <= MAXIMUM_VALUES
}

/// The message of a principal, with all its claims.
pub fn principal_to_message(principal: &Principal) -> v1::Principal {
    v1::Principal {
        issuer: principal.issuer.clone(),
        subject: principal.subject.clone(),
        roles: principal.roles.iter().cloned().collect(),
        groups: principal.groups.iter().cloned().collect(),
        claims: principal
            .claims
            .iter()
            .map(|(name, value)| v1::Claim { name: name.clone(), value: Some(claim_to_message(value)) })
            .collect(),
        purpose: principal.purpose.clone(),
    }
}

/// The principal of a message.
pub fn principal_from_message(message: &v1::Principal) -> Result<Principal, PrincipalError> {
    if message.issuer.is_empty() || message.subject.is_empty() {
        return Err(PrincipalError::Nobody);
    }
    if size(message) > MAXIMUM_VALUES {
        return Err(PrincipalError::TooLarge);
    }
    let names: Vec<&String> = message.claims.iter().map(|claim| &claim.name).collect();
    if !(ascends(&message.roles) && ascends(&message.groups) && ascends(&names)) {
        return Err(PrincipalError::Order);
    }
    let claims = message
        .claims
        .iter()
        .map(|claim| {
            let value = claim.value.as_ref().ok_or(PrincipalError::Claim)?;
            Ok((claim.name.clone(), claim_from_message(value)))
        })
        .collect::<Result<_, PrincipalError>>()?;
    Ok(Principal {
        issuer: message.issuer.clone(),
        subject: message.subject.clone(),
        roles: message.roles.iter().cloned().collect(),
        groups: message.groups.iter().cloned().collect(),
        claims,
        purpose: message.purpose.clone(),
        // What could be chosen stays at the gateway, where it is chosen.
        purposes: BTreeSet::new(),
    })
}

fn size(message: &v1::Principal) -> usize {
    let claims: usize = message
        .claims
        .iter()
        .map(|claim| match &claim.value {
            Some(Value::Texts(list)) => 1 + list.values.len(),
            Some(Value::Integers(list)) => 1 + list.values.len(),
            _ => 1,
        })
        .sum();
    message.roles.len() + message.groups.len() + claims
}

fn ascends<T: PartialOrd>(values: &[T]) -> bool {
    values.iter().zip(values.iter().skip(1)).all(|(value, next)| value < next)
}

fn claim_to_message(value: &ClaimValue) -> Value {
    match value {
        ClaimValue::Text(value) => Value::Text(value.clone()),
        ClaimValue::Integer(value) => Value::Integer(*value),
        ClaimValue::Boolean(value) => Value::Boolean(*value),
        ClaimValue::Date(value) => Value::Date(*value),
        ClaimValue::Texts(values) => Value::Texts(v1::TextList { values: values.clone() }),
        ClaimValue::Integers(values) => Value::Integers(v1::IntegerList { values: values.clone() }),
    }
}

fn claim_from_message(value: &Value) -> ClaimValue {
    match value {
        Value::Text(value) => ClaimValue::Text(value.clone()),
        Value::Integer(value) => ClaimValue::Integer(*value),
        Value::Boolean(value) => ClaimValue::Boolean(*value),
        Value::Date(value) => ClaimValue::Date(*value),
        Value::Texts(list) => ClaimValue::Texts(list.values.clone()),
        Value::Integers(list) => ClaimValue::Integers(list.values.clone()),
    }
}
