//! Messages as nobody writes them: fields of good ones taken out, doubled, exchanged, given other numbers and values.
//!
//! Whatever is done to them, the walk and the decoder answer; and what both let
//! through reads no table that the walk did not name.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};

use super::*;

/// A field of a message, by its number.
#[derive(Debug, Clone)]
enum Content {
    Varint(u64),
    Fixed(WireType, Vec<u8>),
    Bytes(Vec<u8>),
    Message(Vec<(u32, Content)>),
}

/// The fields of `bytes`; `None` if it is no message.
fn fields(mut bytes: &[u8]) -> Option<Vec<(u32, Content)>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let (number, wire_type) = decode_key(&mut bytes).ok()?;
        let mut take = |length: usize| {
            let (content, rest) = bytes.split_at_checked(length)?;
            bytes = rest;
            Some(content.to_vec())
        };
        let content = match wire_type {
            WireType::Varint => Content::Varint(decode_varint(&mut bytes).ok()?),
            WireType::SixtyFourBit => Content::Fixed(wire_type, take(8)?),
            WireType::ThirtyTwoBit => Content::Fixed(wire_type, take(4)?),
            WireType::LengthDelimited => {
                let length = usize::try_from(decode_varint(&mut bytes).ok()?).ok()?;
                let (content, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                // Texts that could be messages are taken for such: all the stranger is what comes of it.
                fields_of(content)
            }
            WireType::StartGroup | WireType::EndGroup => return None,
        };
        fields.push((number, content));
    }
    Some(fields)
}

fn fields_of(content: &[u8]) -> Content {
    fields(content).map_or_else(|| Content::Bytes(content.to_vec()), Content::Message)
}

fn write(fields: &[(u32, Content)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, content) in fields {
        match content {
            Content::Varint(value) => {
                encode_key(*number, WireType::Varint, &mut bytes);
                encode_varint(*value, &mut bytes);
            }
            Content::Fixed(wire_type, content) => {
                encode_key(*number, *wire_type, &mut bytes);
                bytes.extend_from_slice(content);
            }
            Content::Bytes(content) => bytes.extend(prefixed(*number, content)),
            Content::Message(fields) => bytes.extend(prefixed(*number, &write(fields))),
        }
    }
    bytes
}

/// xorshift64: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }

    /// Some field list inside a message, the deep ones as likely as the others.
    fn inside<'f>(&mut self, fields: &'f mut Vec<(u32, Content)>) -> &'f mut Vec<(u32, Content)> {
        let messages = fields.iter().filter(|(_, content)| matches!(content, Content::Message(_))).count();
        if messages == 0 || self.below(6) == 0 {
            return fields;
        }
        let at = self.below(messages);
        let mut inner = fields.iter_mut().filter_map(|(_, content)| match content {
            Content::Message(inner) => Some(inner),
            _ => None,
        });
        self.inside(inner.nth(at).unwrap())
    }

    fn change(&mut self, message: &mut Vec<(u32, Content)>, other: &[(u32, Content)]) {
        let mut other = other.to_vec();
        let donor = self.inside(&mut other).clone();
        let fields = self.inside(message);
        if fields.is_empty() {
            fields.extend(donor);
            return;
        }
        let at = self.below(fields.len());
        match self.below(6) {
            0 => drop(fields.remove(at)),
            1 => fields.push(fields[at].clone()),
            2 => fields[at].0 = u32::try_from(1 + self.below(60)).unwrap(),
            3 if !donor.is_empty() => fields[at] = donor[self.below(donor.len())].clone(),
            4 => *fields = donor,
            _ => match &mut fields[at].1 {
                Content::Varint(value) => {
                    *value = [0, 1, 2, 7, u64::from(u32::MAX), u64::MAX, *value + 1][self.below(7)];
                }
                Content::Fixed(_, bytes) | Content::Bytes(bytes) => {
                    if !bytes.is_empty() {
                        let at = self.below(bytes.len());
                        bytes[at] = [0, 1, 0x7f, 0xff, bytes[at] ^ 1][self.below(5)];
                    }
                }
                Content::Message(inner) => inner.reverse(),
            },
        }
    }
}

fn assert_reads_only(plan: &LogicalPlan, named: &BTreeSet<String>) {
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let table = datafusion::datasource::source_as_provider(&scan.source).unwrap();
            let name = name(table.as_ref()).unwrap();
            assert!(named.contains(&name), "{name} is read, and {named:?} are named");
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .unwrap();
}

#[expect(clippy::disallowed_methods, reason = "how much is searched is chosen on the command line")]
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// `MESHGATE_MESSAGES` is how many messages there are, `MESHGATE_SEED` the first of their random numbers.
#[tokio::test]
async fn whatever_is_done_to_a_message_only_named_tables_are_read() {
    let messages = setting("MESHGATE_MESSAGES", 10_000);
    let mut random = Random(setting("MESHGATE_SEED", 0x9e37_79b9_7f4a_7c15) | 1);
    let state = state();
    let mut good = Vec::new();
    for sql in STATEMENTS {
        let bytes = encode(&plan(&state, sql).await, name).unwrap();
        let parsed = fields(&bytes).unwrap();
        assert!(check(&write(&parsed)).is_ok(), "{sql}");
        good.push(parsed);
    }
    let (mut refused, mut undecoded, mut plans) = (0, 0, 0);
    for _ in 0..messages {
        let mut message = good[random.below(good.len())].clone();
        for _ in 0..=random.below(3) {
            let other = random.below(good.len());
            random.change(&mut message, &good[other]);
        }
        let Ok(checked) = check(&write(&message)) else {
            refused += 1;
            continue;
        };
        let Ok(plan) = checked.decode(tables(), &state.task_ctx()) else {
            undecoded += 1;
            continue;
        };
        plans += 1;
        assert_reads_only(&plan, checked.tables());
        // What the optimizer makes of it reads no more.
        if let Ok(optimized) = state.optimize(&plan) {
            assert_reads_only(&optimized, checked.tables());
        }
    }
    let least = usize::try_from(messages / 50).unwrap();
    assert!(
        refused > least && undecoded > least && plans > least,
        "{refused} refused, {undecoded} not decoded, {plans} plans"
    );
}
