use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::signature::KeyPair;
use meshgate_policies::{ClaimValue, Principal};
use meshgate_proto::v1;

use super::*;

const NOW: i64 = 1_795_437_000_000_000;
const EXPECTED: Expected<'static> =
    Expected { audience: "sales-1", now: NOW, started_at: NOW - 3_600_000_000 };

fn key() -> (PermitSigner, PermitKeys) {
    let random = aws_lc_rs::rand::SystemRandom::new();
    let document = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    let base64 = STANDARD.encode(document.as_ref());
    let (first, rest) = base64.split_at(64);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{first}\n{rest}\n-----END PRIVATE KEY-----\n");
    let signer = PermitSigner::from_pem("gateway-2026", &pem).unwrap();
    let public = signer.key.public_key().as_ref().try_into().unwrap();
    (signer, PermitKeys::new([("gateway-2026".to_owned(), public)]))
}

fn accept(keys: &PermitKeys, signed: &SignedPermit, expected: Expected<'_>) -> Result<Permit, PermitError> {
    let permit = super::verify(keys, signed)?;
    check(&permit, expected)?;
    Ok(permit)
}

fn alice() -> Principal {
    Principal {
        issuer: "https://login.example".into(),
        subject: "alice".into(),
        roles: BTreeSet::from(["analyst".into(), "auditor".into()]),
        groups: BTreeSet::from(["/emea".into()]),
        claims: BTreeMap::from([
            ("active".into(), ClaimValue::Boolean(true)),
            ("born".into(), ClaimValue::Date(-1)),
            ("level".into(), ClaimValue::Integer(i64::MIN)),
            ("levels".into(), ClaimValue::Integers(vec![3, 1, 2])),
            ("region".into(), ClaimValue::Text("EU".into())),
            ("regions".into(), ClaimValue::Texts(vec!["b".into(), "a".into()])),
        ]),
        purpose: Some("fraud".into()),
        purposes: BTreeSet::new(),
    }
}

fn permit() -> Permit {
    Permit {
        r#type: PERMIT_TYPE.into(),
        gateway: "gateway-1".into(),
        audience: "sales-1".into(),
        query_id: "0190".into(),
        principal: Some(principal_to_message(&alice())),
        issued_at: NOW,
        expires_at: NOW + MAXIMUM_LIFETIME,
        id: vec![7; 16],
        ..Permit::default()
    }
}

fn verify(permit: Permit) -> Result<Permit, PermitError> {
    let (signer, keys) = key();
    accept(&keys, &sign(&signer, &permit), EXPECTED)
}

#[test]
fn a_good_permit_comes_back_as_it_was() {
    let back = verify(permit()).unwrap();
    assert_eq!(back, permit());
    assert_eq!(principal_from_message(back.principal.as_ref().unwrap()), Ok(alice()));
}

#[test]
fn each_check_fails_alone() {
    for (broken, expected) in [
        (Permit { r#type: "meshgate-permit-v2".into(), ..permit() }, PermitError::Type),
        (Permit { audience: "customers-1".into(), ..permit() }, PermitError::Audience),
        (Permit { audience: String::new(), ..permit() }, PermitError::Audience),
        (Permit { id: vec![7; 15], ..permit() }, PermitError::Malformed),
        (Permit { query_id: String::new(), ..permit() }, PermitError::Malformed),
        (Permit { principal: None, ..permit() }, PermitError::Malformed),
        (Permit { expires_at: NOW + MAXIMUM_LIFETIME + 1, ..permit() }, PermitError::Lifetime),
        (Permit { expires_at: NOW, ..permit() }, PermitError::Lifetime),
        (Permit { issued_at: i64::MIN, ..permit() }, PermitError::Lifetime),
        (
            Permit { issued_at: NOW + CLOCK_SKEW + 1, expires_at: NOW + CLOCK_SKEW + 1_000_000, ..permit() },
            PermitError::NotYetValid,
        ),
        (Permit { issued_at: NOW - MAXIMUM_LIFETIME, expires_at: NOW, ..permit() }, PermitError::Expired),
    ] {
        assert_eq!(verify(broken), Err(expected));
    }
    let ahead = Permit { issued_at: NOW + CLOCK_SKEW, expires_at: NOW + CLOCK_SKEW + 1_000_000, ..permit() };
    assert!(verify(ahead).is_ok());
}

#[test]
fn a_permit_from_before_the_node_started_is_refused() {
    let (signer, keys) = key();
    let signed = sign(&signer, &permit());
    assert!(accept(&keys, &signed, Expected { started_at: NOW, ..EXPECTED }).is_ok());
    let later = Expected { started_at: NOW + 1, ..EXPECTED };
    assert_eq!(accept(&keys, &signed, later), Err(PermitError::BeforeStart));
}

#[test]
fn other_keys_and_other_signatures_are_refused() {
    let (signer, keys) = key();
    let signed = sign(&signer, &permit());
    assert!(accept(&keys, &signed, EXPECTED).is_ok());
    assert_eq!(accept(&PermitKeys::default(), &signed, EXPECTED), Err(PermitError::UnknownKey));
    let renamed = SignedPermit { key_id: "other".into(), ..signed.clone() };
    assert_eq!(accept(&keys, &renamed, EXPECTED), Err(PermitError::UnknownKey));
    let (_, other_keys) = key();
    assert_eq!(accept(&other_keys, &signed, EXPECTED), Err(PermitError::Signature));
    for byte in 0..signed.signature.len() {
        let mut forged = signed.clone();
        forged.signature[byte] ^= 1;
        assert_eq!(accept(&keys, &forged, EXPECTED), Err(PermitError::Signature));
    }
    for byte in 0..signed.permit.len() {
        let mut forged = signed.clone();
        forged.permit[byte] ^= 1;
        assert_eq!(accept(&keys, &forged, EXPECTED), Err(PermitError::Signature));
    }
    for length in [0, 63] {
        let mut forged = signed.clone();
        forged.signature.truncate(length);
        assert_eq!(accept(&keys, &forged, EXPECTED), Err(PermitError::Signature));
    }
}

#[test]
fn a_signed_message_of_another_kind_is_no_permit() {
    let (signer, keys) = key();
    let signed = |permit: Vec<u8>, prefix: &[u8]| SignedPermit {
        key_id: "gateway-2026".into(),
        signature: signer.key.sign(&[prefix, &permit].concat()).as_ref().to_vec(),
        permit,
    };
    let good = permit().encode_to_vec();
    let ours = b"meshgate-permit-v1\0";
    assert!(accept(&keys, &signed(good.clone(), ours), EXPECTED).is_ok());
    assert_eq!(accept(&keys, &signed(good.clone(), b""), EXPECTED), Err(PermitError::Signature));
    assert_eq!(accept(&keys, &signed(good, b"meshgate-ticket-v1\0"), EXPECTED), Err(PermitError::Signature));
    let other = Permit { r#type: "meshgate-permit-v2".into(), ..permit() }.encode_to_vec();
    assert_eq!(accept(&keys, &signed(other, ours), EXPECTED), Err(PermitError::Type));
    assert_eq!(accept(&keys, &signed(vec![0xff; 9], ours), EXPECTED), Err(PermitError::Malformed));
}

/// A permit with a query id that makes it so long.
fn long_permit(length: usize) -> Permit {
    let with = |length: usize| Permit { query_id: "x".repeat(length), ..permit() };
    let beside = with(length / 2).encoded_len() - length / 2;
    with(length - beside)
}

#[test]
fn a_permit_is_at_most_a_mebibyte_long() {
    let (signer, keys) = key();
    for (length, expected) in [(1 << 20, Ok(())), ((1 << 20) + 1, Err(PermitError::Malformed))] {
        let signed = sign(&signer, &long_permit(length));
        assert_eq!(signed.permit.len(), length);
        assert_eq!(accept(&keys, &signed, EXPECTED).map(drop), expected);
    }
}

#[test]
fn keys_of_other_kinds_are_refused() {
    let not_base64 = "-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----";
    let no_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----";
    for pem in ["", "no key", not_base64, no_key] {
        assert_eq!(PermitSigner::from_pem("k", pem).unwrap_err(), KeyError::Private);
    }
    assert_eq!(format!("{:?}", key().0), "PermitSigner { key_id: \"gateway-2026\", .. }");
}

#[test]
fn messages_that_are_no_principals() {
    let good = principal_to_message(&alice());
    assert!(principal_from_message(&good).is_ok());
    let claim = good.claims[0].clone();
    let without_value = v1::Claim { name: "a".into(), value: None };
    let roles = |roles: &[&str]| roles.iter().map(|role| (*role).to_owned()).collect::<Vec<_>>();
    for (broken, expected) in [
        (v1::Principal { issuer: String::new(), ..good.clone() }, PrincipalError::Nobody),
        (v1::Principal { subject: String::new(), ..good.clone() }, PrincipalError::Nobody),
        (v1::Principal { roles: roles(&["b", "a"]), ..good.clone() }, PrincipalError::Order),
        (v1::Principal { groups: roles(&["a", "a"]), ..good.clone() }, PrincipalError::Order),
        (v1::Principal { claims: vec![claim.clone(), claim], ..good.clone() }, PrincipalError::Order),
        (v1::Principal { claims: vec![without_value], ..good.clone() }, PrincipalError::Claim),
        (
            v1::Principal { roles: (0..=MANY).map(|n| format!("{n:09}")).collect(), ..good },
            PrincipalError::TooLarge,
        ),
    ] {
        assert_eq!(principal_from_message(&broken), Err(expected));
    }
}

const MANY: usize = 10_000;

/// Roles, groups, claims and the values of claims count together.
#[test]
fn a_principal_of_the_largest_size_fits() {
    let names = |count: usize| (0..count).map(|number| format!("{number:05}")).collect::<BTreeSet<_>>();
    let texts = |count: usize| ClaimValue::Texts(names(count).into_iter().collect());
    let integers = |count: usize| ClaimValue::Integers((0..).take(count).collect());
    let claims = |claims: &[ClaimValue]| {
        claims.iter().cloned().zip(0_u8..).map(|(value, at)| (at.to_string(), value)).collect()
    };
    let nobody = || Principal { roles: names(0), groups: names(0), claims: claims(&[]), ..alice() };
    let of = |size: usize| {
        [
            Principal { roles: names(size), ..nobody() },
            Principal { groups: names(size), ..nobody() },
            Principal { claims: claims(&[texts(size - 1)]), ..nobody() },
            Principal { claims: claims(&[integers(size - 1)]), ..nobody() },
            Principal { claims: claims(&[ClaimValue::Boolean(true), texts(size - 2)]), ..nobody() },
            Principal {
                roles: names(3),
                groups: names(5),
                claims: claims(&[texts(7), integers(size - 17)]),
                ..nobody()
            },
        ]
    };
    for principal in of(MANY) {
        assert!(principal_fits(&principal));
        assert_eq!(principal_from_message(&principal_to_message(&principal)), Ok(principal));
    }
    for principal in of(MANY + 1) {
        assert!(!principal_fits(&principal));
        let refused = principal_from_message(&principal_to_message(&principal));
        assert_eq!(refused, Err(PrincipalError::TooLarge));
    }
}
