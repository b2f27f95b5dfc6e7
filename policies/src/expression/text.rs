//! The canonical text of an expression: what digests are made of. Complete and unambiguous: two texts are equal exactly if the
//! expressions are. Part of the policy language version.

use std::fmt::{self, Display, Formatter};

use super::{ArithmeticOperator, ComparisonOperator, Expr, Function, Literal, Parameter};
use crate::DataType;

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column { name, .. } => write!(f, "\"{}\"", name.replace('"', "\"\"")),
            Self::Literal(literal) => literal.fmt(f),
            Self::Null(data_type) => write!(f, "null:{data_type}"),
            Self::Parameter { parameter, data_type } => write!(f, "{parameter}:{data_type}"),
            Self::Not(inner) => write!(f, "not({inner})"),
            Self::And(terms) => listed(f, "and", terms),
            Self::Or(terms) => listed(f, "or", terms),
            Self::Compare { operator, left, right } => write!(f, "({left} {} {right})", symbol(*operator)),
            Self::IsNull { expr, negated } => {
                write!(f, "{}({expr})", if *negated { "is_not_null" } else { "is_null" })
            }
            Self::IsTrue(inner) => write!(f, "is_true({inner})"),
            Self::InList { expr, list, negated } => {
                write!(f, "{}({expr}, [", if *negated { "not_in" } else { "in" })?;
                separated(f, list)?;
                f.write_str("])")
            }
            Self::InClaim { claim, expr } => write!(f, "claim_has({}, {expr})", Quoted(claim)),
            // Its definition has a digest of its own, which goes into those of rules.
            Self::InLookup { lookup, expr } => write!(f, "in_lookup({}, {expr})", Quoted(lookup)),
            Self::Like { expr, pattern, negated, ignore_case } => {
                let name = match (negated, ignore_case) {
                    (false, false) => "like",
                    (false, true) => "ilike",
                    (true, false) => "not_like",
                    (true, true) => "not_ilike",
                };
                write!(f, "{name}({expr}, {})", Quoted(pattern))
            }
            Self::Case { branches, otherwise, data_type } => {
                f.write_str("case(")?;
                for (condition, result) in branches {
                    write!(f, "{condition} -> {result}, ")?;
                }
                match otherwise {
                    Some(otherwise) => write!(f, "else {otherwise}):{data_type}"),
                    None => write!(f, "):{data_type}"),
                }
            }
            Self::Arithmetic { operator, left, right, data_type } => {
                write!(f, "({left} {} {right}):{data_type}", sign(*operator))
            }
            Self::Negate(inner) => write!(f, "-({inner})"),
            Self::Cast { expr, to } => write!(f, "cast({expr}, {to})"),
            Self::TryCast { expr, to } => write!(f, "try_cast({expr}, {to})"),
            Self::Call { function, args, .. } => call(f, function, args),
            Self::MaskFields { column, fields } => {
                write!(f, "mask_fields({column}")?;
                for (path, expr) in fields {
                    let path: Vec<String> = path.iter().map(|name| Quoted(name).to_string()).collect();
                    write!(f, ", [{}] -> {expr}", path.join(", "))?;
                }
                f.write_str(")")
            }
        }
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Integer { value, data_type } => write!(f, "{value}:{data_type}"),
            // The bits: no two floats share them, however they are printed.
            Self::Float { value, data_type } => write!(f, "{:016x}:{data_type}", value.to_bits()),
            Self::Decimal { value, precision, scale } => {
                write!(f, "{value}:{}", DataType::Decimal { precision: *precision, scale: *scale })
            }
            Self::Text(text) => Quoted(text).fmt(f),
            Self::Date(days) => write!(f, "{days}:date"),
            Self::Timestamp { value, data_type } => write!(f, "{value}:{data_type}"),
        }
    }
}

impl Display for Parameter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claim(name) => write!(f, "claim({})", Quoted(name)),
            Self::Subject => f.write_str("subject()"),
            Self::Purpose => f.write_str("purpose()"),
            Self::HasRole(role) => write!(f, "has_role({})", Quoted(role)),
            Self::Today => f.write_str("today()"),
            Self::Now => f.write_str("now()"),
        }
    }
}

struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", self.0.replace('\'', "''"))
    }
}

fn separated<T: Display>(f: &mut Formatter<'_>, items: &[T]) -> fmt::Result {
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            f.write_str(", ")?;
        }
        item.fmt(f)?;
    }
    Ok(())
}

fn listed(f: &mut Formatter<'_>, name: &str, items: &[Expr]) -> fmt::Result {
    write!(f, "{name}(")?;
    separated(f, items)?;
    f.write_str(")")
}

fn call(f: &mut Formatter<'_>, function: &Function, args: &[Expr]) -> fmt::Result {
    let name = match function {
        Function::Lower => "lower",
        Function::Upper => "upper",
        Function::Length => "length",
        Function::Trim => "trim",
        Function::Concat => "concat",
        Function::Coalesce => "coalesce",
        Function::NullIf => "nullif",
        Function::Left(_) => "left",
        Function::Right(_) => "right",
        Function::Substring { .. } => "substring",
        Function::StartsWith => "starts_with",
        Function::EndsWith => "ends_with",
        Function::Contains => "contains",
        Function::Replace { .. } => "replace",
        Function::DateTrunc(_) => "date_trunc",
        Function::DatePart(_) => "date_part",
        Function::AddDays(_) => "add_days",
        Function::Abs => "abs",
        Function::IsUnder => "is_under",
        Function::KeepLast(_) => "keep_last",
        Function::KeepFirst(_) => "keep_first",
        Function::EmailDomain => "email_domain",
        Function::Bucket(_) => "bucket",
        Function::Round(_) => "round",
        Function::Pseudonym(_) => "pseudonym",
    };
    write!(f, "{name}(")?;
    separated(f, args)?;
    match function {
        Function::Left(count)
        | Function::Right(count)
        | Function::KeepLast(count)
        | Function::KeepFirst(count) => {
            write!(f, ", {count}")?;
        }
        Function::Substring { start, length: None } => write!(f, ", {start}")?,
        Function::Substring { start, length: Some(length) } => write!(f, ", {start}, {length}")?,
        Function::Replace { from, to } => write!(f, ", {}, {}", Quoted(from), Quoted(to))?,
        Function::DateTrunc(unit) | Function::DatePart(unit) => write!(f, ", {}", unit.name())?,
        Function::AddDays(days) => write!(f, ", {days}")?,
        Function::Bucket(width) => write!(f, ", {width}")?,
        Function::Round(places) => write!(f, ", {places}")?,
        Function::Pseudonym(space) => write!(f, ", {}, {}", Quoted(&space.name), space.scope)?,
        _ => {}
    }
    f.write_str(")")
}

fn symbol(operator: ComparisonOperator) -> &'static str {
    match operator {
        ComparisonOperator::Equal => "=",
        ComparisonOperator::NotEqual => "<>",
        ComparisonOperator::Less => "<",
        ComparisonOperator::LessOrEqual => "<=",
        ComparisonOperator::Greater => ">",
        ComparisonOperator::GreaterOrEqual => ">=",
        ComparisonOperator::DistinctFrom => "is distinct from",
        ComparisonOperator::NotDistinctFrom => "is not distinct from",
    }
}

fn sign(operator: ArithmeticOperator) -> &'static str {
    match operator {
        ArithmeticOperator::Add => "+",
        ArithmeticOperator::Subtract => "-",
        ArithmeticOperator::Multiply => "*",
        ArithmeticOperator::Divide => "/",
        ArithmeticOperator::Modulo => "%",
    }
}
