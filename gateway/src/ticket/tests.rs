use meshgate_engine::seal::SEALED_BYTES_MAX;

use super::*;
use crate::config::Secret;

const MESH: &str = "larkfield";
const KINDS: [TicketKind; 4] =
    [TicketKind::Statement, TicketKind::Metadata, TicketKind::Prepared, TicketKind::Session];
const NOW: i64 = 1_795_000_000_000_000;

fn key(id: &str, byte: u8) -> SealingKey {
    SealingKey { id: id.to_owned(), key: Secret::new([byte; 32]) }
}

fn sealer(keys: &[SealingKey]) -> Sealer {
    Sealer::new(keys).unwrap()
}

fn anna() -> Principal {
    Principal { issuer: "staff".to_owned(), subject: "anna".to_owned(), ..Principal::default() }
}

fn ticket(kind: TicketKind) -> Ticket {
    Ticket {
        kind,
        content: b"select * from sales.orders".to_vec(),
        purpose: Some("audit".to_owned()),
        instant: NOW - 5,
        schema: Some(Digest::of(b"schema")),
        expires_at: NOW + 1,
        id: random_id().unwrap(),
    }
}

#[test]
fn what_was_sealed_comes_back() {
    let sealer = sealer(&[key("2026-11", 1)]);
    for kind in KINDS {
        for schema in [None, Some(Digest::of(b"schema"))] {
            let ticket = Ticket { schema, ..ticket(kind) };
            let sealed = sealer.seal(&ticket, MESH, &anna()).unwrap();
            assert_eq!(sealer.open(kind, &sealed, MESH, &anna(), NOW), Ok(ticket.clone()));
            // Sealed twice it is not the same.
            assert_ne!(sealer.seal(&ticket, MESH, &anna()).unwrap(), sealed);
            assert!(!sealed.windows(6).any(|window| window == b"select" || window == b"orders"));
        }
    }
}

#[test]
fn a066_changed_cut_and_foreign_bytes() {
    let sealer = sealer(&[key("2026-11", 1)]);
    let kind = TicketKind::Statement;
    let sealed = sealer.seal(&ticket(kind), MESH, &anna()).unwrap();
    for position in 0..sealed.len() {
        for bit in 0..8 {
            let mut changed = sealed.clone();
            changed[position] ^= 1 << bit;
            assert_eq!(
                sealer.open(kind, &changed, MESH, &anna(), NOW),
                Err(InvalidTicket),
                "{position}:{bit}"
            );
        }
        assert_eq!(sealer.open(kind, &sealed[..position], MESH, &anna(), NOW), Err(InvalidTicket));
        assert_eq!(sealer.open(kind, &sealed[position + 1..], MESH, &anna(), NOW), Err(InvalidTicket));
    }
    let longer = [sealed.as_slice(), b"x"].concat();
    assert_eq!(sealer.open(kind, &longer, MESH, &anna(), NOW), Err(InvalidTicket));
    let huge = vec![1; SEALED_BYTES_MAX + 1];
    assert_eq!(sealer.open(kind, &huge, MESH, &anna(), NOW), Err(InvalidTicket));
}

#[test]
fn a066_expired() {
    let sealer = sealer(&[key("2026-11", 1)]);
    let kind = TicketKind::Statement;
    let sealed = sealer.seal(&ticket(kind), MESH, &anna()).unwrap();
    assert!(sealer.open(kind, &sealed, MESH, &anna(), NOW).is_ok());
    assert_eq!(sealer.open(kind, &sealed, MESH, &anna(), NOW + 1), Err(InvalidTicket));
    assert_eq!(sealer.open(kind, &sealed, MESH, &anna(), i64::MAX), Err(InvalidTicket));
}

#[test]
fn a060_a066_of_another_principal_or_mesh() {
    let sealer = sealer(&[key("2026-11", 1)]);
    let kind = TicketKind::Prepared;
    let sealed = sealer.seal(&ticket(kind), MESH, &anna()).unwrap();
    let bob = Principal { subject: "bob".to_owned(), ..anna() };
    let other_anna = Principal { issuer: "partner".to_owned(), ..anna() };
    for principal in [bob, other_anna, Principal::default()] {
        assert_eq!(sealer.open(kind, &sealed, MESH, &principal, NOW), Err(InvalidTicket));
    }
    assert_eq!(sealer.open(kind, &sealed, "beefield", &anna(), NOW), Err(InvalidTicket));
}

#[test]
fn a068_the_same_principal_with_other_claims() {
    let sealer = sealer(&[key("2026-11", 1)]);
    let kind = TicketKind::Statement;
    let sealed = sealer.seal(&ticket(kind), MESH, &anna()).unwrap();
    let promoted = Principal { roles: ["manager".to_owned()].into(), ..anna() };
    assert!(sealer.open(kind, &sealed, MESH, &promoted, NOW).is_ok());
}

#[test]
fn keys_of_replicas_and_before() {
    let kind = TicketKind::Statement;
    let old = sealer(&[key("2026-10", 1)]);
    let sealed = old.seal(&ticket(kind), MESH, &anna()).unwrap();
    let rotated = sealer(&[key("2026-11", 2), key("2026-10", 1)]);
    assert!(rotated.open(kind, &sealed, MESH, &anna(), NOW).is_ok());
    let new = rotated.seal(&ticket(kind), MESH, &anna()).unwrap();
    assert_eq!(old.open(kind, &new, MESH, &anna(), NOW), Err(InvalidTicket));
    // Another gateway's key of the same name, and the same key of another name.
    for stranger in [sealer(&[key("2026-10", 3)]), sealer(&[key("2026-12", 1)])] {
        assert_eq!(stranger.open(kind, &sealed, MESH, &anna(), NOW), Err(InvalidTicket));
    }
}

#[test]
fn a121_a_handle_is_never_a_ticket() {
    let sealer = sealer(&[key("2026-11", 1)]);
    for sealed_as in KINDS {
        let sealed = sealer.seal(&ticket(sealed_as), MESH, &anna()).unwrap();
        for opened_as in KINDS {
            let opened = sealer.open(opened_as, &sealed, MESH, &anna(), NOW);
            assert_eq!(opened.is_ok(), opened_as == sealed_as, "{sealed_as:?} {opened_as:?}");
        }
    }
}

#[test]
fn bounds() {
    let one = sealer(&[key("2026-11", 1)]);
    let long = Ticket { content: vec![b'x'; SEALED_BYTES_MAX], ..ticket(TicketKind::Statement) };
    assert_eq!(one.seal(&long, MESH, &anna()), Err(SealError));
    assert!(Sealer::new(&[]).is_err());
    assert!(Sealer::new(&[key("", 1)]).is_err());
    assert!(Sealer::new(&[key(&"k".repeat(65), 1)]).is_err());
    assert!(!format!("{:?} {:?}", one, key("2026-11", 77)).contains("77"));
}
