//! Words that are searched for in what leaves the mesh and its nodes: each stands in one cell.

use std::collections::BTreeSet;

use meshgate_oracle::Value;
use meshgate_proto::v1::{DomainError, Permit};
use meshgate_tests::tap::Exchange;
use prost::Message;
use tonic::Status;

use super::random::Random;
use super::settings::Counters;
use super::sight::Sight;
use super::world::World;

const DIGITS: usize = 8;

/// A word that stands nowhere else.
pub(crate) fn word(random: &mut Random) -> String {
    format!("k{:08x}", random.next() >> 32)
}

/// What one caller may not be told.
pub(crate) struct Secrets {
    subject: String,
    hidden: BTreeSet<Vec<u8>>,
}

impl Secrets {
    pub(crate) fn new(world: &World, sight: &Sight) -> Self {
        let all = world.tables.iter().flat_map(|table| table.files.iter().flatten().flatten());
        let mut hidden: BTreeSet<Vec<u8>> = all.flat_map(words).collect();
        for cell in sight.views.iter().flat_map(|view| view.rows.iter().flatten()) {
            for word in words(cell) {
                hidden.remove(&word);
            }
        }
        Self { subject: sight.subject.clone(), hidden }
    }

    /// A hidden word in these bytes.
    pub(crate) fn find(&self, bytes: &[u8]) -> Option<String> {
        let found = words_in(bytes).find(|word| self.hidden.contains(word))?;
        Some(format!("the caller is sent `{}`\n", found.escape_ascii()))
    }

    /// A hidden word, or a text that no node may say, in what nodes answered for this caller.
    pub(crate) fn find_in(&self, exchanges: &[Exchange], counters: &mut Counters) -> Option<String> {
        exchanges.iter().filter(|exchange| subject(exchange) == self.subject).find_map(|exchange| {
            counters.hit("answers of nodes");
            let bytes = exchange.answer.messages.iter().flat_map(|message| {
                [message.data_header.as_ref(), message.data_body.as_ref(), message.app_metadata.as_ref()]
            });
            let found = bytes.flat_map(words_in).find(|word| self.hidden.contains(word));
            found
                .map(|word| format!("a node sends `{}`\n", word.escape_ascii()))
                .or_else(|| exchange.answer.end.as_ref().err().and_then(unusual))
        })
    }
}

fn subject(exchange: &Exchange) -> String {
    let permit =
        Permit::decode(exchange.request().permit.expect("a permit").permit.as_slice()).expect("a permit");
    permit.principal.expect("a principal").subject
}

/// All that nodes say, beside the name of a table or a limit.
const SENTENCES: [&str; 8] = [
    "an expression failed",
    "the table is unavailable",
    "a limit was reached",
    "the query ran longer than it may",
    "gateway and node hold different versions",
    "the node is shutting down",
    "cancelled",
    "refused",
];

/// A status that says more than it may.
fn unusual(status: &Status) -> Option<String> {
    let details = DomainError::decode(status.details());
    let is_plain = details.is_ok_and(|error| error.column.is_empty() && error.function.is_empty());
    (!is_plain || !SENTENCES.contains(&status.message())).then(|| format!("a node says {status:?}\n"))
}

fn words(cell: &Value) -> Vec<Vec<u8>> {
    match cell {
        Value::Text(text) => words_in(text.to_lowercase().as_bytes()).collect(),
        Value::Binary(bytes) => words_in(bytes).collect(),
        Value::List(items) => items.iter().flat_map(words).collect(),
        Value::Struct(fields) => fields.iter().flat_map(|(_, field)| words(field)).collect(),
        _ => Vec::new(),
    }
}

fn words_in(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    bytes.windows(DIGITS + 1).filter_map(|window| {
        let is_word = window[0] == b'k' && window[1..].iter().all(u8::is_ascii_hexdigit);
        is_word.then(|| window.to_vec())
    })
}
