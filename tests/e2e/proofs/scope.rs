//! What can be named in a part of a query, and expressions over it.

use std::collections::BTreeSet;

use super::predicate::quoted;
use super::random::Random;
use super::rare::Rare;
use super::tables::{Kind, TEXTS};

/// A table as a caller sees it.
#[derive(Clone)]
pub(crate) struct Visible {
    pub(crate) name: String,
    pub(crate) columns: Vec<(String, Kind)>,
}

/// A FROM clause, and the columns that it gives.
#[derive(Clone)]
pub(crate) struct Scope {
    pub(crate) from: String,
    pub(crate) columns: Vec<(String, Kind)>,
}

impl Scope {
    pub(crate) fn of(table: &Visible, alias: &str) -> Self {
        let mut columns: Vec<(String, Kind)> =
            table.columns.iter().map(|(name, kind)| (format!("{alias}.{name}"), *kind)).collect();
        for (name, kind) in &table.columns {
            if *kind == Kind::Rare(Rare::Object) {
                columns.push((format!("{alias}.{name}['a']"), Kind::Integer));
                columns.push((format!("{alias}.{name}['b']"), Kind::Text));
            }
        }
        Self { from: format!("{} as {alias}", table.name), columns }
    }

    pub(crate) fn of_kind(&self, kind: Kind) -> Vec<String> {
        self.columns.iter().filter(|(_, own)| *own == kind).map(|(name, _)| name.clone()).collect()
    }

    /// Columns of this side and of another one that are of the same kind, and can be compared.
    pub(crate) fn pairs(&self, other: &Self) -> Vec<(String, String)> {
        self.columns
            .iter()
            .filter(|(_, kind)| kind.is_comparable())
            .flat_map(|(name, kind)| other.of_kind(*kind).into_iter().map(move |other| (name.clone(), other)))
            .collect()
    }

    /// A column that can be compared, sorted and grouped.
    pub(crate) fn key(&self, random: &mut Random) -> (String, Kind) {
        let keys: Vec<_> = self.columns.iter().filter(|(_, kind)| kind.is_comparable()).cloned().collect();
        // How engines order what is nested differs from plan to plan.
        if keys.is_empty() { ("1".to_owned(), Kind::Integer) } else { random.pick(&keys) }
    }

    /// Columns of whole numbers that can be added without rounding.
    pub(crate) fn exact_numbers(&self) -> Vec<String> {
        let is_exact = |kind: &Kind| matches!(kind, Kind::Small | Kind::Decimal(..));
        self.columns.iter().filter(|(_, kind)| is_exact(kind)).map(|(name, _)| name.clone()).collect()
    }

    /// An expression of some kind.
    pub(crate) fn any(&self, random: &mut Random) -> (String, Kind) {
        let (name, kind) = random.pick(&self.columns);
        if random.chance(60) { (name, kind) } else { (self.computed(random, &name, kind), kind) }
    }

    /// An expression of this kind.
    pub(crate) fn expression(&self, random: &mut Random, kind: Kind) -> String {
        let columns = self.of_kind(kind);
        if columns.is_empty() || random.chance(10) {
            return typed(random, kind);
        }
        let name = random.pick(&columns);
        if random.chance(70) { name } else { self.computed(random, &name, kind) }
    }

    fn computed(&self, random: &mut Random, name: &str, kind: Kind) -> String {
        match (random.below(4), kind) {
            (0..=2, Kind::Rare(_)) => name.to_owned(),
            (_, Kind::Rare(_)) => format!("case when {} then {name} end", self.predicate(random, 1)),
            (0, _) => format!("coalesce({name}, {})", typed(random, kind)),
            (1, _) => format!("case when {} then {name} end", self.predicate(random, 1)),
            (2, _) => format!("nullif({name}, {})", typed(random, kind)),
            (_, Kind::Integer) => format!("{name} * 2 - {}", random.below(5)),
            (_, Kind::Double) => format!("{name} * 0.5"),
            (_, Kind::Text) => {
                random.pick(&[format!("upper({name})"), format!("{name} || '!'"), format!("trim({name})")])
            }
            (_, Kind::Boolean) => format!("not {name}"),
            (_, Kind::Date) => format!("{name} + interval '1 day'"),
            (_, Kind::Timestamp | Kind::Decimal(..) | Kind::Small) => {
                format!("case when {name} is null then {} else {name} end", typed(random, kind))
            }
        }
    }

    /// A condition that cannot fail.
    pub(crate) fn predicate(&self, random: &mut Random, depth: usize) -> String {
        if depth > 0 && random.chance(40) {
            let left = self.predicate(random, depth - 1);
            let right = self.predicate(random, depth - 1);
            return match random.below(5) {
                // One engine forgets NULL where lists meet in OR or under NOT: the gateway's tests are about that.
                2..=4 if lists_meet(&format!("{left} {right}")) => format!("({left} and {right})"),
                0 | 1 => format!("({left} and {right})"),
                2 | 3 => format!("({left} or {right})"),
                _ => format!("not ({left})"),
            };
        }
        let (name, kind) = random.pick(&self.columns);
        let same = self.of_kind(kind);
        match random.below(9) {
            2..=8 if !kind.is_comparable() => format!("{name} is not null"),
            0 => format!("{name} is null"),
            1 => format!("{name} is not null"),
            2 => format!("{name} in ({}, {})", literal(random, kind), literal(random, kind)),
            3 => format!("{name} not in ({})", literal(random, kind)),
            4 => format!("{name} between {} and {}", literal(random, kind), literal(random, kind)),
            // In parentheses: the parser takes all that follows for the right side.
            5 => format!("({name} is distinct from {})", random.pick(&same)),
            6 if kind == Kind::Text => {
                format!("{name} like {}", quoted(random.pick(&["%o%", "x%", "_", "*%", "%1%"])))
            }
            6 if kind == Kind::Boolean => name,
            7 => format!("{name} {} {}", comparison(random), random.pick(&same)),
            _ => format!("{name} {} {}", comparison(random), literal(random, kind)),
        }
    }
}

/// Are there two lists that the same is looked up in?
fn lists_meet(predicate: &str) -> bool {
    let mut parts: Vec<&str> = predicate.split(" in (").collect();
    parts.pop();
    let tested = |before: &str| before.split([' ', '(']).rev().find(|word| *word != "not").map(str::to_owned);
    let mut seen = BTreeSet::new();
    parts.into_iter().filter_map(tested).any(|name| !seen.insert(name))
}

pub(crate) fn comparison(random: &mut Random) -> &'static str {
    random.pick(&["=", "<>", "<", "<=", ">", ">=", ">=", "<="])
}

pub(crate) fn literal(random: &mut Random, kind: Kind) -> String {
    match kind {
        Kind::Integer | Kind::Small => random.between(-2, 9).to_string(),
        Kind::Text => {
            let texts = ["***", "hidden", "******th", "NORTH"];
            quoted(if random.chance(75) { random.pick(&TEXTS) } else { random.pick(&texts) })
        }
        Kind::Decimal(..) => random.pick(&["0", "1", "2", "2.5", "7", "100"]).to_owned(),
        Kind::Double => random.pick(&["0.5", "2.25", "0", "4", "-1.5"]).to_owned(),
        Kind::Boolean => random.pick(&["true", "false"]).to_owned(),
        Kind::Date => format!("date '2024-0{}-{:02}'", random.between(1, 2), random.between(1, 28)),
        Kind::Timestamp => format!("timestamp '2023-12-{:02} 00:00:00'", random.between(10, 31)),
        Kind::Rare(rare) => rare.literal(random),
    }
}

/// A literal with the type of the kind.
fn typed(random: &mut Random, kind: Kind) -> String {
    let name = match kind {
        Kind::Text | Kind::Boolean | Kind::Date | Kind::Integer => return literal(random, kind),
        Kind::Small => "int".to_owned(),
        Kind::Decimal(precision, scale) => format!("decimal({precision},{scale})"),
        Kind::Double => "double".to_owned(),
        Kind::Timestamp => "timestamp(6)".to_owned(),
        Kind::Rare(_) => return "null".to_owned(),
    };
    format!("cast({} as {name})", if random.chance(10) { "null".to_owned() } else { literal(random, kind) })
}
