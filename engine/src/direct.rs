//! Tickets of direct reads: how a gateway writes them, and how the node that
//! one is for reads its part.
//!
//! A ticket has two parts. The gateway's own one is an ordinary statement's,
//! with which a client comes back that did not get the rows. The node's one is
//! sealed for that node. Each is opaque to the other side.

use meshgate_policies::names::is_name;
use meshgate_proto::v1::{DirectRead, DirectTicket};
use prost::Message;

use crate::seal::{SEALED_BYTES_MAX, SealKeys};

/// First byte of a ticket. Nothing sealed begins like this, and no message: it is no tag of a field.
const FORMAT: u8 = 2;

/// Longest ticket: it is brought back like any other.
pub const TICKET_BYTES_MAX: usize = SEALED_BYTES_MAX;

/// The zone of clients that are in no other.
pub const DEFAULT_ZONE: &str = "default";

/// Can this be the name of a part of the network?
pub fn is_zone(name: &str) -> bool {
    is_name(name)
}

/// The ticket of a statement's result, which `node` gives too; `None` if it would be too long.
pub fn ticket(keys: &SealKeys, node: &str, read: &DirectRead, statement: &[u8]) -> Option<Vec<u8>> {
    let read = keys.seal(&label(node), read.encode_to_vec()).ok()?;
    let mut ticket = vec![FORMAT];
    DirectTicket { statement: statement.to_vec(), read }.encode(&mut ticket).ok()?;
    (ticket.len() <= TICKET_BYTES_MAX).then_some(ticket)
}

/// The gateway's part of a ticket. `None`: the ticket is not one of a direct read.
pub fn statement(ticket: &[u8]) -> Option<Vec<u8>> {
    parts(ticket).map(|parts| parts.statement)
}

/// The part of a ticket that is for `node`.
pub fn read(keys: &SealKeys, node: &str, ticket: &[u8]) -> Result<DirectRead, Unreadable> {
    let parts = parts(ticket).ok_or(Unreadable::Ticket)?;
    let read = keys.open(&label(node), &parts.read).ok_or(Unreadable::Sealed)?;
    DirectRead::decode(read.as_slice()).map_err(|_| Unreadable::Read)
}

/// Why a node cannot read a ticket. For its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the ticket is not one of a direct read, or too long")]
    Ticket,
    #[error("the ticket is sealed for another node, or under a key that is not known")]
    Sealed,
    #[error("what is sealed is not what a node reads")]
    Read,
}

fn parts(ticket: &[u8]) -> Option<DirectTicket> {
    let (format, parts) = ticket.split_first()?;
    if *format != FORMAT || ticket.len() > TICKET_BYTES_MAX {
        return None;
    }
    DirectTicket::decode(parts).ok()
}

fn label(node: &str) -> String {
    format!("meshgate-direct-v1\0{node}")
}

#[cfg(test)]
mod tests {
    use meshgate_proto::v1::DomainRequest;

    use super::*;

    const NODE: &str = "sales-1";

    fn keys(id: &str, byte: u8) -> SealKeys {
        SealKeys::new([(id, &[byte; 32])]).unwrap()
    }

    fn a_read(query: usize) -> DirectRead {
        let request = DomainRequest { permit: None, query: vec![7; query], wire: None };
        DirectRead { request: Some(request), result_rows: 5, ..DirectRead::default() }
    }

    #[test]
    fn each_side_reads_its_part() {
        let keys = keys("a", 1);
        let made = ticket(&keys, NODE, &a_read(3), b"the gateway's").unwrap();
        assert_eq!(statement(&made).as_deref(), Some(b"the gateway's".as_slice()));
        assert_eq!(read(&keys, NODE, &made), Ok(a_read(3)));
        assert!(!made.windows(3).any(|window| window == [7; 3]));
    }

    #[test]
    fn only_the_node_that_it_is_for_reads_it_and_only_as_it_was_made() {
        let made = ticket(&keys("a", 1), NODE, &a_read(3), b"x").unwrap();
        for (keys, node) in [(keys("a", 1), "sales-2"), (keys("a", 2), NODE), (keys("b", 1), NODE)] {
            assert_eq!(read(&keys, node, &made), Err(Unreadable::Sealed));
        }
        let keys = keys("a", 1);
        for position in 0..made.len() {
            for bit in 0..8 {
                let mut changed = made.clone();
                changed[position] ^= 1 << bit;
                // The gateway's part is the gateway's to look at.
                let other = read(&keys, NODE, &changed).is_ok_and(|read| read != a_read(3));
                assert!(!other, "{position}:{bit}");
            }
            assert!(read(&keys, NODE, &made[..position]).is_err(), "{position}");
        }
    }

    #[test]
    fn what_was_sealed_for_something_else_is_not_read() {
        let keys = keys("a", 1);
        let sealed = keys.seal("meshgate-ticket-v1\0statement", a_read(3).encode_to_vec()).unwrap();
        assert_eq!(statement(&sealed), None);
        assert_eq!(read(&keys, NODE, &sealed), Err(Unreadable::Ticket));
        let plain = a_read(3).request.unwrap_or_default().encode_to_vec();
        assert_eq!((statement(&plain), read(&keys, NODE, &plain)), (None, Err(Unreadable::Ticket)));

        let mut wrapped = vec![FORMAT];
        DirectTicket { statement: Vec::new(), read: sealed }.encode(&mut wrapped).unwrap();
        assert_eq!(read(&keys, NODE, &wrapped), Err(Unreadable::Sealed));
        let garbage = keys.seal(&label(NODE), vec![0xff; 9]).unwrap();
        let mut wrapped = vec![FORMAT];
        DirectTicket { statement: Vec::new(), read: garbage }.encode(&mut wrapped).unwrap();
        assert_eq!(read(&keys, NODE, &wrapped), Err(Unreadable::Read));
    }

    #[test]
    fn a_ticket_of_a_direct_read_is_no_domain_request() {
        let made = ticket(&keys("a", 1), NODE, &a_read(3), b"x").unwrap();
        assert!(DomainRequest::decode(made.as_slice()).is_err());
    }

    #[test]
    fn tickets_are_bounded() {
        let keys = keys("a", 1);
        assert!(ticket(&keys, NODE, &a_read(TICKET_BYTES_MAX - 1_000), b"x").is_some());
        assert!(ticket(&keys, NODE, &a_read(TICKET_BYTES_MAX - 1_000), &[0; 1_000]).is_none());
        assert!(ticket(&keys, NODE, &a_read(TICKET_BYTES_MAX), b"x").is_none());
        let mut long = vec![FORMAT];
        let statement_bytes = vec![0; TICKET_BYTES_MAX];
        DirectTicket { statement: statement_bytes, read: Vec::new() }.encode(&mut long).unwrap();
        assert_eq!((statement(&long), read(&keys, NODE, &long)), (None, Err(Unreadable::Ticket)));
    }
}
