//! Masks for columns: an expression of exactly the column's type.

use std::collections::BTreeMap;

use crate::{
    DataType, PseudonymSpace, Table,
    document::{Constant, MaskSpec, Sql, TypeGroup, Where},
    expression::{
        self, DateUnit, Expr, Function, Literal, Number, Scope, integer_type, is_numeric, text_to_literal,
    },
    yaml::Problem,
};

/// The one constant of each type that `redact` shows.
pub(super) fn redact(data_type: &DataType) -> Expr {
    match data_type {
        DataType::Text => Expr::Literal(Literal::Text("***".to_owned())),
        other => Expr::Null(other.clone()),
    }
}

/// A mask for one column of a table.
pub(super) struct MaskCompiler<'a> {
    pub(super) table: &'a Table,
    pub(super) scope: Scope<'a>,
    pub(super) own: &'a BTreeMap<String, Sql>,
    pub(super) at: &'a Where,
    pub(super) line: usize,
}

impl MaskCompiler<'_> {
    pub(super) fn compile(&self, spec: &MaskSpec, index: usize) -> Result<Expr, Problem> {
        let Some(column) = self.table.columns.get(index) else {
            return Err(self.problem(index, "there is no such column"));
        };
        let data_type = &column.data_type;
        match spec {
            MaskSpec::Redact => Ok(redact(data_type)),
            MaskSpec::Nullify => Ok(Expr::Null(data_type.clone())),
            MaskSpec::Last(count) if *data_type == DataType::Text => {
                Ok(self.call(Function::KeepLast(*count), index))
            }
            MaskSpec::First(count) if *data_type == DataType::Text => {
                Ok(self.call(Function::KeepFirst(*count), index))
            }
            MaskSpec::Last(_) | MaskSpec::First(_) => Err(self.wrong_type(index, "text")),
            MaskSpec::Cut(unit) => match data_type {
                DataType::Date | DataType::Timestamp { .. } => Ok(self.cut(*unit, index)),
                _ => Err(self.wrong_type(index, "date")),
            },
            MaskSpec::EmailDomain if *data_type == DataType::Text => {
                Ok(self.call(Function::EmailDomain, index))
            }
            MaskSpec::EmailDomain => Err(self.wrong_type(index, "text")),
            MaskSpec::Bucket(_) | MaskSpec::Round(_) if !is_numeric(data_type) => {
                Err(self.wrong_type(index, "number"))
            }
            MaskSpec::Bucket(1) if integer_type(data_type).is_some() => {
                Err(self.problem(index, format!("`bucket(1)` leaves {data_type} as it is")))
            }
            MaskSpec::Bucket(width) => Ok(self.call(Function::Bucket(*width), index)),
            MaskSpec::Round(places) if *places >= decimal_places(data_type) => {
                Err(self.problem(index, format!("`round({places})` leaves {data_type} as it is")))
            }
            MaskSpec::Round(places) => Ok(self.call(Function::Round(*places), index)),
            MaskSpec::Constant(constant) => {
                literal(constant, data_type).map(Expr::Literal).ok_or_else(|| {
                    self.problem(index, format!("the constant is not a value of type {data_type}"))
                })
            }
            MaskSpec::Pseudonym(space) => self.pseudonym(space, index, data_type),
            MaskSpec::Sql(sql) => self.sql(sql, index),
            MaskSpec::Own(name) => match self.own.get(name) {
                Some(sql) => self.sql(sql, index),
                None => Err(self.problem(index, format!("there is no mask `{name}`"))),
            },
            MaskSpec::PerType(masks) => self.per_type(masks, index, data_type),
        }
    }

    fn per_type(
        &self,
        masks: &[(TypeGroup, MaskSpec)],
        index: usize,
        data_type: &DataType,
    ) -> Result<Expr, Problem> {
        let group = TypeGroup::of(data_type);
        let find = |wanted: TypeGroup| masks.iter().find(|(group, _)| *group == wanted);
        match find(group).or_else(|| find(TypeGroup::Other)) {
            Some((_, mask)) => self.compile(mask, index),
            None => {
                let problem = self.problem(index, format!("there is no mask for the type {data_type}"));
                Err(problem.with_hint(format!("add `{}: ..` or `other: nullify`", group.name())))
            }
        }
    }

    /// Pseudonyms of numbers have 63 bits: fewer would not tell persons apart.
    fn pseudonym(&self, space: &PseudonymSpace, index: usize, data_type: &DataType) -> Result<Expr, Problem> {
        match data_type {
            DataType::Text | DataType::Int64 | DataType::UInt64 => {
                Ok(self.call(Function::Pseudonym(space.clone()), index))
            }
            narrow if TypeGroup::of(narrow) == TypeGroup::Integer => {
                let problem = self
                    .problem(index, format!("pseudonyms of integers have 64 bits, the column is {narrow}"));
                Err(problem.with_hint(
                    "declare the column as a 64-bit integer in its contract, or give another mask for it",
                ))
            }
            _ => Err(self.wrong_type(index, "text")),
        }
    }

    fn sql(&self, sql: &Sql, index: usize) -> Result<Expr, Problem> {
        let Some(column) = self.table.columns.get(index) else {
            return Err(self.problem(index, "there is no such column"));
        };
        let scope = Scope { cell: Some(index), ..self.scope };
        expression::value(&sql.text, &column.data_type, scope).map_err(|error| {
            let message = format!("mask on `{}.{}`: {error}", self.table.name, column.name);
            let mut problem = Problem::error(&sql.at.file, sql.at.line, message);
            problem.hint = error.hint;
            problem
        })
    }

    fn call(&self, function: Function, index: usize) -> Expr {
        let cell = self.cell(index);
        let data_type = cell.data_type();
        Expr::Call { function, args: vec![cell], data_type }
    }

    fn cut(&self, unit: DateUnit, index: usize) -> Expr {
        self.call(Function::DateTrunc(unit), index)
    }

    fn cell(&self, index: usize) -> Expr {
        match self.table.columns.get(index) {
            Some(column) => {
                let (name, data_type) = (column.name.clone(), column.data_type.clone());
                Expr::Column { index, name, data_type }
            }
            None => Expr::Null(DataType::Boolean),
        }
    }

    fn wrong_type(&self, index: usize, expected: &str) -> Problem {
        let data_type = self.cell(index).data_type();
        let problem =
            self.problem(index, format!("this mask is for the type {expected}, the column is {data_type}"));
        problem.with_hint(format!("give a mask per type: {{ {expected}: .., other: nullify }}"))
    }

    fn problem(&self, index: usize, message: impl std::fmt::Display) -> Problem {
        let name = self.table.columns.get(index).map_or("", |column| column.name.as_str());
        let message = format!("mask on `{}.{name}`: {message}", self.table.name);
        Problem::error(&self.at.file, self.line, message)
    }
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
