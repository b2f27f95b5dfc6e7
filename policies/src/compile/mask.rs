//! Masks for columns: an expression of exactly the column's type.

use std::collections::BTreeMap;

use crate::{
    DataType, PseudonymSpace,
    document::{Constant, MaskSpec, Sql, TypeGroup, Where},
    expression::{self, Expr, Function, Literal, Number, Scope, integer_type, is_numeric, text_to_literal},
    yaml::Problem,
};

/// The one constant of each type that `redact` shows.
pub(super) fn redact(data_type: &DataType) -> Expr {
    match data_type {
        DataType::Text => Expr::Literal(Literal::Text("***".to_owned())),
        other => Expr::Null(other.clone()),
    }
}

/// A mask for one cell: a column, or a field inside one.
pub(super) struct MaskCompiler<'a> {
    /// For problems.
    pub(super) name: &'a str,
    /// Its `cell` is the one that is masked.
    pub(super) scope: Scope<'a>,
    pub(super) own: &'a BTreeMap<String, Sql>,
    pub(super) at: &'a Where,
    pub(super) line: usize,
}

impl MaskCompiler<'_> {
    pub(super) fn compile(&self, spec: &MaskSpec) -> Result<Expr, Problem> {
        let cell = self.cell()?;
        let data_type = &cell.data_type();
        match spec {
            MaskSpec::Redact => Ok(redact(data_type)),
            MaskSpec::Nullify => Ok(Expr::Null(data_type.clone())),
            MaskSpec::Last(count) if *data_type == DataType::Text => {
                Ok(call(Function::KeepLast(*count), cell))
            }
            MaskSpec::First(count) if *data_type == DataType::Text => {
                Ok(call(Function::KeepFirst(*count), cell))
            }
            MaskSpec::Last(_) | MaskSpec::First(_) => Err(self.wrong_type(data_type, "text")),
            MaskSpec::Cut(unit) => match data_type {
                DataType::Date | DataType::Timestamp { .. } => Ok(call(Function::DateTrunc(*unit), cell)),
                _ => Err(self.wrong_type(data_type, "date")),
            },
            MaskSpec::EmailDomain if *data_type == DataType::Text => Ok(call(Function::EmailDomain, cell)),
            MaskSpec::EmailDomain => Err(self.wrong_type(data_type, "text")),
            MaskSpec::Bucket(_) | MaskSpec::Round(_) if !is_numeric(data_type) => {
                Err(self.wrong_type(data_type, "number"))
            }
            MaskSpec::Bucket(1) if integer_type(data_type).is_some() => {
                Err(self.problem(format!("`bucket(1)` leaves {data_type} as it is")))
            }
            MaskSpec::Bucket(width) => Ok(call(Function::Bucket(*width), cell)),
            MaskSpec::Round(places) if *places >= decimal_places(data_type) => {
                Err(self.problem(format!("`round({places})` leaves {data_type} as it is")))
            }
            MaskSpec::Round(places) => Ok(call(Function::Round(*places), cell)),
            MaskSpec::Constant(constant) => literal(constant, data_type)
                .map(Expr::Literal)
                .ok_or_else(|| self.problem(format!("the constant is not a value of type {data_type}"))),
            MaskSpec::Pseudonym(space) => self.pseudonym(space, cell),
            MaskSpec::Sql(sql) => self.sql(sql, data_type),
            MaskSpec::Own(name) => match self.own.get(name) {
                Some(sql) => self.sql(sql, data_type),
                None => Err(self.problem(format!("there is no mask `{name}`"))),
            },
            MaskSpec::PerType(masks) => self.per_type(masks, data_type),
        }
    }

    fn per_type(&self, masks: &[(TypeGroup, MaskSpec)], data_type: &DataType) -> Result<Expr, Problem> {
        let group = TypeGroup::of(data_type);
        let find = |wanted: TypeGroup| masks.iter().find(|(group, _)| *group == wanted);
        match find(group).or_else(|| find(TypeGroup::Other)) {
            Some((_, mask)) => self.compile(mask),
            None => {
                let problem = self.problem(format!("there is no mask for the type {data_type}"));
                Err(problem.with_hint(format!("add `{}: ..` or `other: nullify`", group.name())))
            }
        }
    }

    /// Pseudonyms of numbers have 63 bits: fewer would not tell persons apart.
    fn pseudonym(&self, space: &PseudonymSpace, cell: Expr) -> Result<Expr, Problem> {
        match cell.data_type() {
            DataType::Text | DataType::Int64 | DataType::UInt64 => {
                Ok(call(Function::Pseudonym(space.clone()), cell))
            }
            narrow if TypeGroup::of(&narrow) == TypeGroup::Integer => {
                let problem =
                    self.problem(format!("pseudonyms of integers have 64 bits, the column is {narrow}"));
                Err(problem.with_hint(
                    "declare the column as a 64-bit integer in its contract, or give another mask for it",
                ))
            }
            other => Err(self.wrong_type(&other, "text")),
        }
    }

    fn sql(&self, sql: &Sql, data_type: &DataType) -> Result<Expr, Problem> {
        expression::value(&sql.text, data_type, self.scope).map_err(|error| {
            let message = format!("mask on `{}`: {error}", self.name);
            let mut problem = Problem::error(&sql.at.file, sql.at.line, message);
            problem.hint = error.hint;
            problem
        })
    }

    fn cell(&self) -> Result<Expr, Problem> {
        let index = self.scope.cell.unwrap_or(usize::MAX);
        match self.scope.columns.get(index) {
            Some(column) => {
                let (name, data_type) = (column.name.clone(), column.data_type.clone());
                Ok(Expr::Column { index, name, data_type })
            }
            None => Err(self.problem("there is no such column")),
        }
    }

    fn wrong_type(&self, data_type: &DataType, expected: &str) -> Problem {
        let problem =
            self.problem(format!("this mask is for the type {expected}, the column is {data_type}"));
        problem.with_hint(format!("give a mask per type: {{ {expected}: .., other: nullify }}"))
    }

    fn problem(&self, message: impl std::fmt::Display) -> Problem {
        Problem::error(&self.at.file, self.line, format!("mask on `{}`: {message}", self.name))
    }
}

fn call(function: Function, cell: Expr) -> Expr {
    let data_type = cell.data_type();
    Expr::Call { function, args: vec![cell], data_type }
}

/// Places behind the point that values of a type of numbers have.
fn decimal_places(data_type: &DataType) -> i8 {
    match data_type {
        DataType::Decimal { scale, .. } => i8::try_from(*scale).unwrap_or(i8::MAX),
        DataType::Float32 | DataType::Float64 => i8::MAX,
        _ => 0,
    }
}

fn literal(constant: &Constant, data_type: &DataType) -> Option<Literal> {
    match constant {
        Constant::Text(text) => text_to_literal(text, data_type),
        Constant::Bare(word) => match (word.as_str(), data_type) {
            ("true", DataType::Boolean) => Some(Literal::Boolean(true)),
            ("false", DataType::Boolean) => Some(Literal::Boolean(false)),
            (word, _) => match word.strip_prefix('-') {
                Some(digits) => Number::parse(digits)?.negated().to_literal(data_type),
                None => Number::parse(word)?.to_literal(data_type),
            },
        },
    }
}
