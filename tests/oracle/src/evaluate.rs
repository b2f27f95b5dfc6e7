//! Policy expressions, evaluated on one row by walking the parser's own tree.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use chrono::{Datelike, Timelike};
use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, UnaryOperator,
    Value as Sql,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;

use crate::caller::Caller;
use crate::value::{Row, Value, calendar, parse_date};

/// Evaluates `sql` on `row`. `cell` is what `value` means inside a mask.
pub fn evaluate(sql: &str, row: &Row, caller: &Caller, cell: Option<&Value>) -> Value {
    Scope { row, caller, cell }.value(&parse(sql))
}

/// Each text is parsed once: there are as many evaluations as cells.
fn parse(sql: &str) -> Rc<Expr> {
    thread_local! {
        static PARSED: RefCell<HashMap<String, Rc<Expr>>> = RefCell::default();
    }
    if let Some(known) = PARSED.with_borrow(|parsed| parsed.get(sql).cloned()) {
        return known;
    }
    let expression = Parser::new(&GenericDialect {})
        .try_with_sql(sql)
        .and_then(|mut parser| parser.parse_expr())
        .unwrap_or_else(|error| panic!("`{sql}`: {error}"));
    let expression = Rc::new(expression);
    PARSED.with_borrow_mut(|parsed| parsed.insert(sql.to_owned(), Rc::clone(&expression)));
    expression
}

const MICROS_A_DAY: i64 = 86_400_000_000;

struct Scope<'a> {
    row: &'a Row,
    caller: &'a Caller,
    cell: Option<&'a Value>,
}

impl Scope<'_> {
    fn value(&self, expression: &Expr) -> Value {
        match expression {
            Expr::Identifier(name) => self.column(&name.value.to_lowercase()),
            Expr::Value(literal) => constant(&literal.value),
            Expr::Nested(inner) => self.value(inner),
            Expr::TypedString(typed) => Value::Date(parse_date(&typed.value.to_string().replace('\'', ""))),
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => not(self.value(expr)),
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match self.value(expr) {
                Value::Integer(value) => Value::Integer(-value),
                Value::Decimal { value, scale } => Value::Decimal { value: -value, scale },
                other => panic!("minus {other:?}"),
            },
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right),
            Expr::IsNull(inner) => Value::Boolean(self.value(inner) == Value::Null),
            Expr::IsNotNull(inner) => Value::Boolean(self.value(inner) != Value::Null),
            Expr::IsTrue(inner) => Value::Boolean(self.value(inner).is_true()),
            Expr::IsNotTrue(inner) => Value::Boolean(!self.value(inner).is_true()),
            Expr::IsFalse(inner) => Value::Boolean(self.value(inner) == Value::Boolean(false)),
            Expr::IsNotFalse(inner) => Value::Boolean(self.value(inner) != Value::Boolean(false)),
            Expr::IsDistinctFrom(left, right) => not(same(&self.value(left), &self.value(right))),
            Expr::IsNotDistinctFrom(left, right) => same(&self.value(left), &self.value(right)),
            Expr::Like { negated, any: false, expr, pattern, escape_char: None } => {
                let found = match (self.value(expr), self.value(pattern)) {
                    (Value::Null, _) => Value::Null,
                    (Value::Text(text), Value::Text(pattern)) => Value::Boolean(like(&pattern, &text)),
                    other => panic!("LIKE of {other:?}"),
                };
                if *negated { not(found) } else { found }
            }
            Expr::ILike { negated, any: false, expr, pattern, escape_char: None } => {
                let found = match (self.value(expr), self.value(pattern)) {
                    (Value::Null, _) => Value::Null,
                    (Value::Text(text), Value::Text(pattern)) => {
                        Value::Boolean(like(&pattern.to_lowercase(), &text.to_lowercase()))
                    }
                    other => panic!("ILIKE of {other:?}"),
                };
                if *negated { not(found) } else { found }
            }
            Expr::InList { expr, list, negated } => {
                let items: Vec<Value> = list.iter().map(|item| self.value(item)).collect();
                let found = among(&self.value(expr), &items);
                if *negated { not(found) } else { found }
            }
            Expr::Between { expr, negated, low, high } => {
                let value = self.value(expr);
                let above = order(&value, &self.value(low), |ordering| ordering.is_ge());
                let below = order(&value, &self.value(high), |ordering| ordering.is_le());
                let inside = and(above, below);
                if *negated { not(inside) } else { inside }
            }
            Expr::Case { operand: None, conditions, else_result, .. } => conditions
                .iter()
                .find(|branch| self.value(&branch.condition).is_true())
                .map(|branch| self.value(&branch.result))
                .or_else(|| else_result.as_ref().map(|otherwise| self.value(otherwise)))
                .unwrap_or(Value::Null),
            Expr::Cast { kind, expr, data_type, .. } => self.cast(kind, expr, data_type),
            Expr::Extract { field, expr, .. } => part(&field.to_string().to_lowercase(), &self.value(expr)),
            Expr::Trim { trim_where: None, trim_what: None, expr, trim_characters: None } => {
                text(self.value(expr), |text| text.trim_matches(' ').to_owned())
            }
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                let from = substring_from.as_ref().map_or(1, |from| count(&self.value(from)));
                let length = substring_for.as_ref().map_or(usize::MAX, |length| count(&self.value(length)));
                text(self.value(expr), |text| text.chars().skip(from - 1).take(length).collect())
            }
            Expr::Interval(interval) => match constant_text(&interval.value).split_once(' ') {
                Some((days, "day" | "days")) => Value::Integer(days.parse().expect("days")),
                other => panic!("interval {other:?}"),
            },
            Expr::Function(call) => {
                let FunctionArguments::List(list) = &call.args else { panic!("{call}: arguments") };
                let args: Vec<&Expr> = list.args.iter().map(argument).collect();
                self.call(&call.name.to_string().to_lowercase(), &args)
            }
            other => panic!("the oracle does not know `{other}`"),
        }
    }

    fn column(&self, name: &str) -> Value {
        match (name, self.cell) {
            ("value", Some(cell)) => cell.clone(),
            _ => self.row.get(name).cloned().unwrap_or_else(|| panic!("no column {name}")),
        }
    }

    fn binary(&self, left: &Expr, operator: &BinaryOperator, right: &Expr) -> Value {
        let (left, right) = (self.value(left), self.value(right));
        match operator {
            BinaryOperator::And => and(left, right),
            BinaryOperator::Or => not(and(not(left), not(right))),
            BinaryOperator::Eq => order(&left, &right, |ordering| ordering.is_eq()),
            BinaryOperator::NotEq => order(&left, &right, |ordering| ordering.is_ne()),
            BinaryOperator::Lt => order(&left, &right, |ordering| ordering.is_lt()),
            BinaryOperator::LtEq => order(&left, &right, |ordering| ordering.is_le()),
            BinaryOperator::Gt => order(&left, &right, |ordering| ordering.is_gt()),
            BinaryOperator::GtEq => order(&left, &right, |ordering| ordering.is_ge()),
            BinaryOperator::StringConcat => match (left, right) {
                (Value::Text(left), Value::Text(right)) => Value::Text(left + &right),
                (Value::Null, _) | (_, Value::Null) => Value::Null,
                (left, right) => panic!("{left:?} || {right:?}"),
            },
            BinaryOperator::Plus | BinaryOperator::Minus => match (left, right) {
                (Value::Null, _) | (_, Value::Null) => Value::Null,
                (Value::Integer(left), Value::Integer(right)) if *operator == BinaryOperator::Plus => {
                    Value::Integer(left + right)
                }
                (Value::Integer(left), Value::Integer(right)) => Value::Integer(left - right),
                (Value::Date(day), Value::Integer(days)) => {
                    let days = i32::try_from(days).unwrap();
                    Value::Date(if *operator == BinaryOperator::Plus { day + days } else { day - days })
                }
                (left, right) => panic!("{left:?} {operator} {right:?}"),
            },
            BinaryOperator::Modulo => match (left, right) {
                (Value::Null, _) => Value::Null,
                (Value::Integer(left), Value::Integer(right)) => Value::Integer(left % right),
                (left, right) => panic!("{left:?} % {right:?}"),
            },
            other => panic!("the oracle does not know the operator `{other}`"),
        }
    }

    fn cast(&self, kind: &CastKind, expression: &Expr, to: &DataType) -> Value {
        let value = self.value(expression);
        match (&value, to) {
            (Value::Null, _) => Value::Null,
            (Value::Text(text), DataType::Date) if *kind == CastKind::TryCast => {
                text.parse::<chrono::NaiveDate>().map_or(Value::Null, |_| Value::Date(parse_date(text)))
            }
            (Value::Timestamp(micros), DataType::Date) => {
                Value::Date(i32::try_from(micros.div_euclid(MICROS_A_DAY)).unwrap())
            }
            (_, DataType::Text | DataType::Varchar(_)) => value.render().map_or(Value::Null, Value::Text),
            other => panic!("the oracle does not cast {other:?}"),
        }
    }

    fn call(&self, name: &str, args: &[&Expr]) -> Value {
        let caller = self.caller;
        let arg = |position: usize| self.value(args[position]);
        match name {
            "claim" => {
                let Value::Text(claim) = arg(0) else { panic!("claim of a text") };
                caller.claims.get(&claim).cloned().unwrap_or(Value::Null)
            }
            "claim_has" => {
                let Value::Text(claim) = arg(0) else { panic!("claim of a text") };
                caller.list_claims.get(&claim).map_or(Value::Null, |items| among(&arg(1), items))
            }
            "in_lookup" => {
                let Value::Text(lookup) = arg(0) else { panic!("in_lookup of a text") };
                match (arg(1), &caller.keys[&lookup]) {
                    (Value::Null, _) | (_, None) => Value::Null,
                    (key, Some(keys)) => among(&key, keys),
                }
            }
            "has_role" => Value::Boolean(caller.roles.iter().any(|role| Value::text(role) == arg(0))),
            "subject" => Value::text(&caller.subject),
            "purpose" => caller.purpose.as_deref().map_or(Value::Null, Value::text),
            "today" => Value::Date(caller.today),
            "now" => Value::Timestamp(caller.now),
            "lower" => text(arg(0), |text| text.to_lowercase()),
            "upper" => text(arg(0), |text| text.to_uppercase()),
            "trim" => text(arg(0), |text| text.trim_matches(' ').to_owned()),
            "length" | "char_length" | "character_length" => match arg(0) {
                Value::Text(text) => Value::Integer(text.chars().count().try_into().unwrap()),
                _ => Value::Null,
            },
            "left" => match (arg(0), arg(1)) {
                (Value::Text(text), Value::Integer(count)) => {
                    Value::Text(text.chars().take(count.try_into().unwrap()).collect())
                }
                _ => Value::Null,
            },
            "right" => match (arg(0), arg(1)) {
                (Value::Text(text), shown) => {
                    let hidden = text.chars().count().saturating_sub(count(&shown));
                    Value::Text(text.chars().skip(hidden).collect())
                }
                _ => Value::Null,
            },
            "substr" | "substring" => {
                let from = count(&arg(1));
                let length = if args.len() > 2 { count(&arg(2)) } else { usize::MAX };
                text(arg(0), |text| text.chars().skip(from - 1).take(length).collect())
            }
            "replace" => match (arg(1), arg(2)) {
                (Value::Text(from), Value::Text(to)) => text(arg(0), |text| text.replace(&from, &to)),
                other => panic!("replace {other:?}"),
            },
            // NULL is empty here.
            "concat" => Value::Text((0..args.len()).filter_map(|at| arg(at).render()).collect()),
            "nullif" => match (arg(0), arg(1)) {
                (value, other) if order(&value, &other, |ordering| ordering.is_eq()).is_true() => Value::Null,
                (value, _) => value,
            },
            "abs" => match arg(0) {
                Value::Integer(value) => Value::Integer(value.abs()),
                Value::Decimal { value, scale } => Value::Decimal { value: value.abs(), scale },
                Value::Float(value) => Value::Float(value.abs()),
                Value::Null => Value::Null,
                other => panic!("abs of {other:?}"),
            },
            "year" | "quarter" | "month" | "day" => part(name, &arg(0)),
            "date_part" => match arg(0) {
                Value::Text(unit) => part(&unit, &arg(1)),
                other => panic!("date_part of {other:?}"),
            },
            "coalesce" => args
                .iter()
                .map(|arg| self.value(arg))
                .find(|value| *value != Value::Null)
                .unwrap_or(Value::Null),
            "is_under" => match (arg(0), arg(1)) {
                (Value::Text(path), Value::Text(root)) => {
                    let below = if root == "/" { root.clone() } else { format!("{root}/") };
                    Value::Boolean(path == root || (!root.is_empty() && path.starts_with(&below)))
                }
                _ => Value::Null,
            },
            "date_trunc" => {
                let (Value::Text(unit), value) = (arg(0), arg(1)) else { panic!("date_trunc of a unit") };
                match value {
                    Value::Null => Value::Null,
                    Value::Date(days) => Value::Date(truncate(&unit, days)),
                    Value::Timestamp(micros) => Value::Timestamp(truncate_instant(&unit, micros)),
                    other => panic!("date_trunc of {other:?}"),
                }
            }
            "starts_with" => match (arg(0), arg(1)) {
                (Value::Text(whole), Value::Text(start)) => Value::Boolean(whole.starts_with(&start)),
                _ => Value::Null,
            },
            "ends_with" => match (arg(0), arg(1)) {
                (Value::Text(whole), Value::Text(end)) => Value::Boolean(whole.ends_with(&end)),
                _ => Value::Null,
            },
            "contains" => match (arg(0), arg(1)) {
                (Value::Text(whole), Value::Text(inside)) => Value::Boolean(whole.contains(&inside)),
                _ => Value::Null,
            },
            other => panic!("the oracle does not know the function `{other}`"),
        }
    }
}

fn argument(argument: &FunctionArg) -> &Expr {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => expression,
        other => panic!("argument {other}"),
    }
}

/// A literal text.
fn constant_text(expression: &Expr) -> String {
    match expression {
        Expr::Value(literal) => constant(&literal.value).render().expect("a text"),
        other => panic!("`{other}` is no literal"),
    }
}

/// A literal number of characters.
fn count(value: &Value) -> usize {
    match value {
        Value::Integer(count) => usize::try_from(*count).expect("a count"),
        other => panic!("{other:?} is no count"),
    }
}

/// A part of a date or a timestamp.
fn part(unit: &str, moment: &Value) -> Value {
    let (days, micros) = match moment {
        Value::Null => return Value::Null,
        Value::Date(days) => (*days, 0),
        Value::Timestamp(micros) => {
            (i32::try_from(micros.div_euclid(MICROS_A_DAY)).unwrap(), micros.rem_euclid(MICROS_A_DAY))
        }
        other => panic!("{unit} of {other:?}"),
    };
    let (day, second) = (calendar(days), u32::try_from(micros / 1_000_000).unwrap());
    let time = chrono::NaiveTime::from_num_seconds_from_midnight_opt(second, 0).unwrap();
    Value::Integer(match unit {
        "year" => day.year().into(),
        "quarter" => (day.month0() / 3 + 1).into(),
        "month" => day.month().into(),
        "week" => day.iso_week().week().into(),
        "day" => day.day().into(),
        "hour" => time.hour().into(),
        "minute" => time.minute().into(),
        "second" => time.second().into(),
        other => panic!("unit {other}"),
    })
}

fn constant(literal: &Sql) -> Value {
    match literal {
        Sql::Null => Value::Null,
        Sql::Boolean(value) => Value::Boolean(*value),
        Sql::SingleQuotedString(text) => Value::text(text),
        Sql::Number(number, _) => match number.split_once('.') {
            None => Value::Integer(number.parse().expect("an integer")),
            Some((whole, rest)) => Value::Decimal {
                value: format!("{whole}{rest}").parse().expect("a decimal"),
                scale: rest.len().try_into().unwrap(),
            },
        },
        other => panic!("literal {other}"),
    }
}

/// The beginning of the unit that holds `micros`.
pub fn truncate_instant(unit: &str, micros: i64) -> i64 {
    let second = 1_000_000;
    match unit {
        "hour" => return micros.div_euclid(3600 * second) * 3600 * second,
        "minute" => return micros.div_euclid(60 * second) * 60 * second,
        "second" => return micros.div_euclid(second) * second,
        _ => {}
    }
    let day = i32::try_from(micros.div_euclid(MICROS_A_DAY)).unwrap();
    i64::from(truncate(unit, day)) * MICROS_A_DAY
}

/// First day of the unit that holds `days`.
pub fn truncate(unit: &str, days: i32) -> i32 {
    let day = calendar(days);
    let month = match unit {
        "year" => 1,
        "quarter" => (day.month0() / 3) * 3 + 1,
        "month" => day.month(),
        // A week begins on a Monday, and so did the one of the epoch three days before it.
        "week" => return (days + 3).div_euclid(7) * 7 - 3,
        "day" => return days,
        other => panic!("unit {other}"),
    };
    parse_date(&format!("{:04}-{month:02}-01", day.year()))
}

fn text(value: Value, change: impl Fn(&str) -> String) -> Value {
    match value {
        Value::Text(text) => Value::Text(change(&text)),
        Value::Null => Value::Null,
        other => panic!("{other:?} is no text"),
    }
}

fn order(left: &Value, right: &Value, holds: impl Fn(std::cmp::Ordering) -> bool) -> Value {
    left.compare(right).map_or(Value::Null, |ordering| Value::Boolean(holds(ordering)))
}

/// IS NOT DISTINCT FROM: two NULLs are the same.
fn same(left: &Value, right: &Value) -> Value {
    match (left, right) {
        (Value::Null, _) | (_, Value::Null) => Value::Boolean(left == right),
        _ => order(left, right, |ordering| ordering.is_eq()),
    }
}

/// `%` stands for any characters, `_` for one.
fn like(pattern: &str, text: &str) -> bool {
    let mut rest = text.chars();
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('%') => {
            let tail = &pattern[1..];
            like(tail, text) || (rest.next().is_some() && like(pattern, rest.as_str()))
        }
        Some(wanted) => {
            let found = rest.next();
            let fits = found.is_some_and(|found| wanted == '_' || wanted == found);
            fits && like(&pattern[wanted.len_utf8()..], rest.as_str())
        }
    }
}

fn not(value: Value) -> Value {
    match value {
        Value::Boolean(value) => Value::Boolean(!value),
        Value::Null => Value::Null,
        other => panic!("NOT {other:?}"),
    }
}

fn and(left: Value, right: Value) -> Value {
    match (left, right) {
        (Value::Boolean(false), _) | (_, Value::Boolean(false)) => Value::Boolean(false),
        (Value::Null, _) | (_, Value::Null) => Value::Null,
        (Value::Boolean(true), Value::Boolean(true)) => Value::Boolean(true),
        other => panic!("AND of {other:?}"),
    }
}

/// IN: unknown if nothing matches and either side holds a NULL; an empty list is FALSE.
fn among(value: &Value, items: &[Value]) -> Value {
    let outcomes: Vec<Value> = items.iter().map(|item| order(value, item, |o| o.is_eq())).collect();
    if outcomes.iter().any(Value::is_true) {
        Value::Boolean(true)
    } else if outcomes.contains(&Value::Null) {
        Value::Null
    } else {
        Value::Boolean(false)
    }
}
