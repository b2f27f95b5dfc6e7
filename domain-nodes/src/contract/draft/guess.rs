//! Guesses from names. They are proposals to a person who knows the data, and
//! never take effect by themselves.

use crate::contract::proposal::propose_name;
use crate::source::SampledColumn;

/// A classification and a tag that a column may deserve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Guess {
    pub(super) classification: &'static str,
    pub(super) tag: Option<&'static str>,
    /// Behind `a guess`.
    pub(super) why: &'static str,
}

/// Words in names of columns, the most sensitive first.
const WORDS: &[(&[&str], Guess)] = &[
    (
        &["password", "passwd", "secret", "token", "pin"],
        Guess { classification: "restricted", tag: None, why: ": a secret? Better not served at all" },
    ),
    (
        &["card", "pan", "cvv", "cvc"],
        Guess { classification: "restricted", tag: Some("pci"), why: ": payment cards" },
    ),
    (
        &["ssn", "passport", "iban", "bic", "tax", "salary", "wage", "diagnosis", "religion"],
        Guess { classification: "restricted", tag: Some("pii"), why: ": of a person, and sensitive" },
    ),
    (
        &[
            "email",
            "mail",
            "phone",
            "mobile",
            "fax",
            "firstname",
            "lastname",
            "surname",
            "birth",
            "birthday",
            "dob",
            "street",
            "address",
            "ip",
            "gender",
        ],
        Guess { classification: "confidential", tag: Some("pii"), why: ": identifies a person" },
    ),
    (
        &["margin", "cost", "profit", "discount"],
        Guess { classification: "confidential", tag: None, why: ": inside information" },
    ),
];

/// Words before `name` that make it a person's.
const PERSONS: &[&str] = &["first", "last", "full", "middle", "customer", "person", "user", "contact"];

pub(super) fn classification(name: &str) -> Guess {
    let words: Vec<&str> = name.split('_').collect();
    let is_persons_name = words.contains(&"name") && words.iter().any(|word| PERSONS.contains(word));
    let found = WORDS.iter().find(|(known, _)| words.iter().any(|word| known.contains(word)));
    match found {
        Some((_, guess)) => *guess,
        None if is_persons_name => {
            Guess { classification: "confidential", tag: Some("pii"), why: ": identifies a person" }
        }
        None => Guess { classification: "internal", tag: None, why: "" },
    }
}

/// The column that is most likely the key of `table`, by its name in the files.
pub(super) fn key<'c>(table: &str, columns: &'c [SampledColumn]) -> Option<&'c str> {
    let singular = table.strip_suffix('s').unwrap_or(table);
    let own = [format!("{table}_id"), format!("{singular}_id")];
    let rank = |name: &str| {
        let name = propose_name(name);
        if name == "id" || own.contains(&name) {
            Some(0)
        } else if ["_id", "_key", "_no", "_nr", "_number", "_code", "_uuid"]
            .iter()
            .any(|end| name.ends_with(end))
        {
            Some(1)
        } else {
            None
        }
    };
    let unique =
        columns.iter().filter(|column| column.unique && !column.partition && column.data_type.is_ok());
    let ranked = unique.filter_map(|column| Some((rank(&column.name)?, column.name.as_str())));
    ranked.min_by_key(|(rank, _)| *rank).map(|(_, name)| name)
}
