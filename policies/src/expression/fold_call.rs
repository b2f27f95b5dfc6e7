//! Functions of known values.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, Timelike};
use chrono_tz::Tz;

use super::{
    DateUnit, Expr, Function, Literal,
    fold::{Known, order},
    types::{integer_type, is_float, per_second},
};
use crate::{
    DataType,
    statement::{day_from_epoch, days_since_epoch},
};

/// Is the function computed whenever its arguments are known?
pub(super) fn can_call(function: &Function, args: &[Expr]) -> bool {
    let no_float = args.iter().all(|arg| !is_float(&arg.data_type()));
    match function {
        // Who decides has no keys.
        Function::Pseudonym(_) => false,
        Function::DateTrunc(_) => args.iter().all(|arg| arg.data_type() == DataType::Date),
        _ => no_float,
    }
}

/// The value of a call. The outer `None`: it is not computed here; the inner one is NULL.
pub(super) fn call(function: &Function, args: &[Known<'_>]) -> Option<Option<Literal>> {
    match function {
        Function::Concat => return concat(args).map(Some),
        Function::Coalesce => return Some(args.iter().find_map(|arg| arg.cloned())),
        Function::NullIf => return null_if(args),
        _ => {}
    }
    let known: Option<Vec<&Literal>> = args.iter().copied().collect();
    let Some(known) = known else { return Some(None) };
    match known.as_slice() {
        [Literal::Text(text)] => of_text(function, text).map(Some),
        [Literal::Text(left), Literal::Text(right)] => of_two_texts(function, left, right).map(Some),
        [Literal::Date(days)] => of_date(function, *days),
        [Literal::Timestamp { value, data_type }] => match function {
            Function::DatePart(unit) => part(clock(*value, data_type)?, *unit).map(Some),
            _ => None,
        },
        [number] if *function == Function::Abs => absolute(number).map(Some),
        _ => None,
    }
}

fn concat(args: &[Known<'_>]) -> Option<Literal> {
    let mut joined = String::new();
    for arg in args.iter().flatten() {
        let Literal::Text(text) = arg else { return None };
        joined.push_str(text);
    }
    Some(Literal::Text(joined))
}

fn null_if(args: &[Known<'_>]) -> Option<Option<Literal>> {
    match args {
        [None, _] => Some(None),
        [Some(value), None] => Some(Some((*value).clone())),
        [Some(value), Some(other)] => Some(order(value, other)?.is_ne().then(|| (*value).clone())),
        _ => None,
    }
}

fn of_text(function: &Function, text: &str) -> Option<Literal> {
    let length = text.chars().count();
    let result = match function {
        Function::Lower => text.to_lowercase(),
        Function::Upper => text.to_uppercase(),
        Function::Length => return integer(i64::try_from(length).ok()?),
        Function::Trim => text.trim_matches(' ').to_owned(),
        Function::Left(count) => text.chars().take(usize::from(*count)).collect(),
        Function::Right(count) => text.chars().skip(length.saturating_sub(usize::from(*count))).collect(),
        Function::Substring { start, length } => {
            let from = text.chars().skip(usize::try_from(*start).ok()?.saturating_sub(1));
            match length {
                Some(length) => from.take(usize::try_from(*length).ok()?).collect(),
                None => from.collect(),
            }
        }
        Function::Replace { from, to } => text.replace(from.as_str(), to),
        Function::KeepLast(count) => {
            let hidden = hidden_characters(length, *count);
            let kept = text.chars().skip(hidden);
            std::iter::repeat_n('*', hidden).chain(kept).collect()
        }
        Function::KeepFirst(count) => {
            let hidden = hidden_characters(length, *count);
            text.chars().take(length - hidden).chain(std::iter::repeat_n('*', hidden)).collect()
        }
        _ => return None,
    };
    Some(Literal::Text(result))
}

fn hidden_characters(length: usize, kept: u16) -> usize {
    let kept = usize::from(kept);
    if length <= kept { length } else { length - kept }
}

fn of_two_texts(function: &Function, left: &str, right: &str) -> Option<Literal> {
    let result = match function {
        Function::StartsWith => left.starts_with(right),
        Function::EndsWith => left.ends_with(right),
        Function::Contains => left.contains(right),
        Function::IsUnder => is_under(left, right),
        _ => return None,
    };
    Some(Literal::Boolean(result))
}

fn is_under(path: &str, root: &str) -> bool {
    match root {
        _ if path == root => true,
        "" => false,
        "/" => path.starts_with('/'),
        _ => path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/')),
    }
}

fn absolute(number: &Literal) -> Option<Literal> {
    match number {
        Literal::Integer { value, data_type } => {
            let value = integer_type(data_type)?.wrap(value.abs());
            Some(Literal::Integer { value, data_type: data_type.clone() })
        }
        Literal::Decimal { value, precision, scale } => {
            Some(Literal::Decimal { value: value.checked_abs()?, precision: *precision, scale: *scale })
        }
        _ => None,
    }
}

fn of_date(function: &Function, days: i32) -> Option<Option<Literal>> {
    match function {
        Function::AddDays(moved) => Some(days.checked_add(*moved).map(Literal::Date)),
        Function::DateTrunc(unit) => {
            let cut = truncate(day_from_epoch(days)?, *unit)?;
            Some(Some(Literal::Date(days_since_epoch(cut))))
        }
        Function::DatePart(unit) => part(day_from_epoch(days)?.and_hms_opt(0, 0, 0)?, *unit).map(Some),
        _ => None,
    }
}

fn truncate(day: NaiveDate, unit: DateUnit) -> Option<NaiveDate> {
    match unit {
        DateUnit::Year => NaiveDate::from_ymd_opt(day.year(), 1, 1),
        DateUnit::Quarter => NaiveDate::from_ymd_opt(day.year(), day.month0() / 3 * 3 + 1, 1),
        DateUnit::Month => NaiveDate::from_ymd_opt(day.year(), day.month(), 1),
        DateUnit::Week => {
            day.checked_sub_signed(TimeDelta::days(i64::from(day.weekday().num_days_from_monday())))
        }
        _ => Some(day),
    }
}

fn part(moment: NaiveDateTime, unit: DateUnit) -> Option<Literal> {
    integer(match unit {
        DateUnit::Year => i64::from(moment.year()),
        DateUnit::Quarter => i64::from(moment.month0() / 3 + 1),
        DateUnit::Month => i64::from(moment.month()),
        DateUnit::Week => i64::from(moment.iso_week().week()),
        DateUnit::Day => i64::from(moment.day()),
        DateUnit::Hour => i64::from(moment.hour()),
        DateUnit::Minute => i64::from(moment.minute()),
        DateUnit::Second => i64::from(moment.second()),
    })
}

/// What a clock reads at a timestamp: in its own zone if it has one.
fn clock(value: i64, data_type: &DataType) -> Option<NaiveDateTime> {
    let DataType::Timestamp { unit, zone } = data_type else { return None };
    // Whole seconds: no part is finer.
    let moment = DateTime::from_timestamp(value.div_euclid(per_second(*unit)), 0)?;
    match zone {
        None => Some(moment.naive_utc()),
        Some(zone) => Some(moment.with_timezone(&zone.parse::<Tz>().ok()?).naive_local()),
    }
}

fn integer(value: i64) -> Option<Literal> {
    Some(Literal::Integer { value: i128::from(value), data_type: DataType::Int64 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_type::TimeUnit;

    /// Masks and clocks of units that no condition can write.
    #[test]
    fn calls_are_computed_as_the_engine_computes_them() {
        let text = |text: &str| Literal::Text(text.to_owned());
        let of = |function: Function, argument: &Literal| call(&function, &[Some(argument)]);
        for (value, last, first) in
            [("1234567", "***4567", "1234***"), ("1234", "****", "****"), ("", "", "")]
        {
            assert_eq!(of(Function::KeepLast(4), &text(value)), Some(Some(text(last))), "{value}");
            assert_eq!(of(Function::KeepFirst(4), &text(value)), Some(Some(text(first))), "{value}");
        }
        // Masks of numbers are none of these: their value stays unknown.
        let number = Literal::Integer { value: 17, data_type: DataType::Int64 };
        assert_eq!((of(Function::Bucket(10), &number), of(Function::Round(-1), &number)), (None, None));
        for (unit, value) in [
            (TimeUnit::Second, 1_795_390_261),
            (TimeUnit::Millisecond, 1_795_390_261_999),
            (TimeUnit::Microsecond, 1_795_390_261_999_999),
            (TimeUnit::Nanosecond, 1_795_390_261_999_999_999),
        ] {
            let at = |zone: Option<&str>| Literal::Timestamp {
                value,
                data_type: DataType::Timestamp { unit, zone: zone.map(str::to_owned) },
            };
            let part = |of_what, zone| match of(Function::DatePart(of_what), &at(zone)) {
                Some(Some(Literal::Integer { value, .. })) => value,
                other => panic!("{other:?}"),
            };
            let parts = [DateUnit::Year, DateUnit::Hour, DateUnit::Minute, DateUnit::Second];
            assert_eq!(parts.map(|unit| part(unit, None)), [2026, 23, 31, 1], "{unit:?}");
            assert_eq!(parts.map(|unit| part(unit, Some("Asia/Kolkata"))), [2026, 5, 1, 1], "{unit:?}");
        }
    }
}
