//! Conditions of policies: over a row's columns and the caller.

use super::random::Random;
use super::tables::{Field, Kind, TEXTS};

/// `'..'` with its quotes doubled.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A condition on a row with these columns.
pub(crate) fn on_row(random: &mut Random, fields: &[Field], depth: usize) -> String {
    if depth > 0 && random.chance(45) {
        let left = on_row(random, fields, depth - 1);
        let right = on_row(random, fields, depth - 1);
        return match random.below(6) {
            0 | 1 => format!("({left} and {right})"),
            2 | 3 => format!("({left} or {right})"),
            4 => format!("not ({left})"),
            _ => format!("case when {left} then {right} else {} end", simple(random, fields)),
        };
    }
    simple(random, fields)
}

fn simple(random: &mut Random, fields: &[Field]) -> String {
    let field = random.pick(fields);
    let name = &field.name;
    match random.below(12) {
        0 => return format!("{name} is null"),
        1 => return format!("{name} is not null"),
        2 => return on_caller(random),
        // Data lie in the past, and so does this day.
        11 => return format!("cast(now() as date) {} date '2024-06-30'", random.pick(&[">", "<"])),
        3 if field.kind.is_comparable() => {
            let same: Vec<&Field> = fields.iter().filter(|other| other.kind == field.kind).collect();
            let other = &random.pick(&same).name;
            let comparison = random.pick(&["=", "<>", "<", "is distinct from", "is not distinct from"]);
            return format!("({name} {comparison} {other})");
        }
        _ => {}
    }
    match field.kind {
        Kind::Integer | Kind::Small => on_integer(random, name),
        Kind::Text => on_text(random, name),
        Kind::Decimal(..) => match random.below(3) {
            0 => format!("{name} between {} and {}", random.between(-3, 2), random.between(2, 6)),
            1 => format!("{name} in (0, 1, 2, {})", random.between(3, 9)),
            _ => compared(random, name, |random| random.between(-2, 9).to_string()),
        },
        Kind::Double => match random.below(2) {
            0 => format!("{name} between -1 and {}", random.between(0, 9)),
            _ => compared(random, name, |random| {
                random.pick(&["0.5", "2.25", "0", "4", "-1.5", "1000"]).to_owned()
            }),
        },
        Kind::Boolean => match random.below(4) {
            0 => name.clone(),
            1 => format!("not {name}"),
            2 => format!("{name} is {}", random.pick(&["true", "not true", "false", "not false"])),
            _ => format!("coalesce({name}, {})", random.pick(&["true", "false"])),
        },
        Kind::Date => on_date(random, name),
        Kind::Timestamp if random.chance(30) => {
            format!("{name} {} now()", random.pick(&["<", ">", "<="]))
        }
        Kind::Timestamp => {
            let day = day(random);
            format!("cast({name} as date) {} {day}", random.pick(&["=", "<", ">="]))
        }
        Kind::Rare(rare) if rare.is_number() => {
            compared(random, name, |random| random.between(0, 9).to_string())
        }
        Kind::Rare(_) => format!("{name} is {}", random.pick(&["null", "not null"])),
    }
}

fn on_integer(random: &mut Random, name: &str) -> String {
    match random.below(8) {
        0 => format!("{name} between {} and {}", random.between(-3, 3), random.between(2, 8)),
        1 => format!("{name} in ({}, {}, 3)", random.between(-2, 9), random.between(-2, 9)),
        2 => format!("{name} not in ({}, 2)", random.between(-2, 9)),
        3 => format!("claim_has('numbers', {name})"),
        4 => format!("{name} % 3 = {}", random.between(-1, 2)),
        5 => format!("{name} <= claim('level')"),
        _ => compared(random, name, |random| random.between(-2, 9).to_string()),
    }
}

fn on_text(random: &mut Random, name: &str) -> String {
    let text = quoted(random.pick(&TEXTS));
    match random.below(12) {
        0 => format!("{name} in ({text}, 'north', '')"),
        1 => format!("{name} like {}", quoted(random.pick(&["x%", "%o%", "_", "%", "n_rth", "%_"]))),
        2 => format!("{name} not like 'x%'"),
        3 | 4 => format!("claim_has('areas', {name})"),
        5 => format!("{name} = claim('area')"),
        6 => format!("is_under({name}, {})", random.pick(&["'x'", "claim('path')", "'x/'"])),
        7 => format!("starts_with(lower({name}), {text})"),
        8 => format!("length({name}) > {}", random.below(4)),
        9 => format!("{name} || 'x' <> {text}"),
        10 => format!("coalesce({name}, '') = {text}"),
        _ => compared(random, name, |random| quoted(random.pick(&TEXTS))),
    }
}

fn on_date(random: &mut Random, name: &str) -> String {
    match random.below(6) {
        0 => format!("{name} between {} and {}", day(random), day(random)),
        1 => format!("{name} <= claim('until')"),
        2 => format!("{name} < today()"),
        3 => format!("extract({} from {name}) > {}", random.pick(&["month", "year"]), random.between(1, 4)),
        4 => format!("date_trunc('month', {name}) = '2024-01-01'"),
        _ => compared(random, name, day),
    }
}

fn day(random: &mut Random) -> String {
    format!("date '2024-0{}-{:02}'", random.between(1, 2), random.between(1, 28))
}

fn compared(random: &mut Random, name: &str, mut value: impl FnMut(&mut Random) -> String) -> String {
    format!("{name} {} {}", random.pick(&["=", "<>", "<", "<=", ">", ">="]), value(random))
}

/// A condition on the caller alone.
pub(crate) fn on_caller(random: &mut Random) -> String {
    match random.below(9) {
        0 => format!("claim('level') >= {}", random.between(1, 4)),
        1 => "claim('area') = 'north'".to_owned(),
        2 => "claim('staff')".to_owned(),
        3 => "claim('area') is null".to_owned(),
        4 => format!("has_role('{}')", role(random)),
        5 => format!("not has_role('{}')", role(random)),
        6 => format!("subject() = '{}'", subject(random)),
        7 => format!("claim('level') < 3 or has_role('{}')", role(random)),
        _ => "claim('until') > '2024-01-20' and not claim('staff')".to_owned(),
    }
}

pub(crate) fn role(random: &mut Random) -> &'static str {
    random.pick(&["reader", "writer", "auditor"])
}

pub(crate) fn subject(random: &mut Random) -> &'static str {
    random.pick(&["ada", "ben", "cid", "dee"])
}
