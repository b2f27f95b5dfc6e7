//! Predicates that may pass a barrier: plain columns against literals of
//! exactly the column's type. They cannot fail and cannot tell anything that
//! their result does not tell. One function here recognises them, and the
//! conversion to and from messages knows no others.

mod literal;
mod message;
#[cfg(test)]
mod tests;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::expr::{Between, InList};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

pub use message::{PredicateError, from_message, to_message};

/// Nesting of a predicate, in expressions and in messages.
const MAXIMUM_DEPTH: usize = 32;
/// Nodes and literals of a predicate.
const MAXIMUM_NODES: usize = 10_000;

/// Does `expr` consist of nothing but comparisons, lists, ranges and NULL
/// tests of plain columns, combined by AND, OR and NOT?
pub fn is_leak_proof(expr: &Expr, schema: &Schema, plain: &dyn Fn(&str) -> bool) -> bool {
    Reader::new(schema, plain).read(expr, MAXIMUM_DEPTH).is_some()
}

/// A recognised predicate.
enum Predicate<'a> {
    Comparison { column: &'a str, operator: Operator, literal: &'a ScalarValue },
    InList { column: &'a str, literals: Vec<&'a ScalarValue>, negated: bool },
    NullTest { column: &'a str, negated: bool },
    All(Vec<Predicate<'a>>),
    Any(Vec<Predicate<'a>>),
    Not(Box<Predicate<'a>>),
}

/// Recognises predicates, within the bounds on nodes and depth.
struct Reader<'a> {
    schema: &'a Schema,
    plain: &'a dyn Fn(&str) -> bool,
    remaining: usize,
}

const TRUE: &ScalarValue = &ScalarValue::Boolean(Some(true));

impl<'a> Reader<'a> {
    fn new(schema: &'a Schema, plain: &'a dyn Fn(&str) -> bool) -> Self {
        Self { schema, plain, remaining: MAXIMUM_NODES }
    }

    fn read<'e>(&mut self, expr: &'e Expr, depth: usize) -> Option<Predicate<'e>> {
        let depth = depth.checked_sub(1)?;
        self.spend(1)?;
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
                Operator::And | Operator::Or => self.junction(expr, *op, depth),
                _ => self.comparison(left, *op, right),
            },
            Expr::Not(inner) => Some(Predicate::Not(Box::new(self.read(inner, depth)?))),
            Expr::IsNull(inner) => self.null_test(inner, false),
            Expr::IsNotNull(inner) => self.null_test(inner, true),
            Expr::InList(list) => self.in_list(list),
            Expr::Between(between) => self.between(between),
            Expr::Column(column) => {
                let field = self.column(column)?;
                (field.data_type() == &DataType::Boolean).then_some(Predicate::Comparison {
                    column: &column.name,
                    operator: Operator::Eq,
                    literal: TRUE,
                })
            }
            _ => None,
        }
    }

    fn spend(&mut self, nodes: usize) -> Option<()> {
        self.remaining = self.remaining.checked_sub(nodes)?;
        Some(())
    }

    /// Flattens a chain of the same operator, so that only alternation counts as depth.
    fn junction<'e>(&mut self, expr: &'e Expr, operator: Operator, depth: usize) -> Option<Predicate<'e>> {
        let mut terms = Vec::new();
        let mut open = vec![expr];
        while let Some(next) = open.pop() {
            match next {
                Expr::BinaryExpr(BinaryExpr { left, op, right }) if *op == operator => {
                    self.spend(1)?;
                    open.push(right);
                    open.push(left);
                }
                term => terms.push(self.read(term, depth)?),
            }
        }
        Some(if operator == Operator::And { Predicate::All(terms) } else { Predicate::Any(terms) })
    }

    fn comparison<'e>(
        &mut self,
        left: &'e Expr,
        operator: Operator,
        right: &'e Expr,
    ) -> Option<Predicate<'e>> {
        let (column, operator, literal) = match (left, right) {
            (Expr::Column(column), Expr::Literal(literal, _)) => (column, operator, literal),
            (Expr::Literal(literal, _), Expr::Column(column)) => (column, operator.swap()?, literal),
            _ => return None,
        };
        let known = matches!(
            operator,
            Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq
        );
        let field = self.column(column)?;
        (known && fits(literal, field)).then_some(Predicate::Comparison {
            column: &column.name,
            operator,
            literal,
        })
    }

    fn in_list<'e>(&mut self, list: &'e InList) -> Option<Predicate<'e>> {
        let Expr::Column(column) = list.expr.as_ref() else {
            return None;
        };
        self.spend(list.list.len())?;
        let field = self.column(column)?;
        let literals = list
            .list
            .iter()
            .map(|item| match item {
                Expr::Literal(literal, _) if fits(literal, field) => Some(literal),
                _ => None,
            })
            .collect::<Option<Vec<_>>>()?;
        (!literals.is_empty()).then_some(Predicate::InList {
            column: &column.name,
            literals,
            negated: list.negated,
        })
    }

    fn between<'e>(&mut self, between: &'e Between) -> Option<Predicate<'e>> {
        self.spend(2)?;
        let range = Predicate::All(vec![
            self.comparison(&between.expr, Operator::GtEq, &between.low)?,
            self.comparison(&between.expr, Operator::LtEq, &between.high)?,
        ]);
        Some(if between.negated { Predicate::Not(Box::new(range)) } else { range })
    }

    fn null_test<'e>(&mut self, inner: &'e Expr, negated: bool) -> Option<Predicate<'e>> {
        let Expr::Column(column) = inner else {
            return None;
        };
        self.column(column)?;
        Some(Predicate::NullTest { column: &column.name, negated })
    }

    fn column(&self, column: &Column) -> Option<&'a Field> {
        let (_, field) = self.schema.column_with_name(&column.name)?;
        (is_comparable(field.data_type()) && (self.plain)(&column.name)).then_some(field)
    }
}

/// Of exactly the column's type, and not NULL.
fn fits(literal: &ScalarValue, field: &Field) -> bool {
    !literal.is_null() && &literal.data_type() == field.data_type()
}

/// The scalar types of contracts. Comparing nested values is more than a comparison.
fn is_comparable(data_type: &DataType) -> bool {
    !data_type.is_nested() && crate::data_type::from_arrow(data_type).is_some()
}
