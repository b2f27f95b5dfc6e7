//! Where the tables of a statement lie.

use crate::proofs::random::Random;

use super::world::UNPLACED;

/// The same statement (or statements that go together), each table in some domain: all in one, every table
/// in one of its own, or each place where a table is named in any.
pub(super) fn placed(random: &mut Random, domains: &[&str], statements: &[&str]) -> Vec<String> {
    let own: Vec<&str> = (0..10).map(|_| random.pick(domains)).collect();
    let manner = random.below(10);
    let place = |rest: &str, occurrence: usize| match manner {
        0 | 1 => own[0],
        2..=5 => own[number(rest)],
        _ => own[(occurrence * 7 + number(rest)) % own.len()],
    };
    let unplaced = format!("{UNPLACED}.");
    let one = |statement: &&str| {
        let mut parts = statement.split(&unplaced).enumerate();
        let mut text = parts.next().unwrap().1.to_owned();
        for (occurrence, rest) in parts {
            text += &format!("{}.{rest}", place(rest, occurrence));
        }
        text
    };
    statements.iter().map(one).collect()
}

/// The number in the name of the table that `rest` begins with.
fn number(rest: &str) -> usize {
    let digits: String = rest.chars().skip(1).take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}
