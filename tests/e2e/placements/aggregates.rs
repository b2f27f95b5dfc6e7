//! Groups, windows and subqueries as values, with the kinds of what they give.

use crate::proofs::query::Core;
use crate::proofs::scope::Scope;
use crate::proofs::tables::Kind;

use super::author::{Author, correlations};

impl Author<'_> {
    /// GROUP BY, with what a group is and what it gives.
    pub(super) fn grouped(&mut self, scope: &Scope, depth: usize) -> Core {
        self.writer.hit("group by");
        let keys: Vec<(String, Kind)> =
            (0..1 + self.below(2)).map(|_| scope.key(self.writer.random)).collect();
        let values: Vec<(String, Kind)> = (0..1 + self.below(2)).map(|_| self.aggregate(scope)).collect();
        let having = match self.below(5) {
            0 => {
                self.writer.hit("having");
                format!(" having count(*) > {}", self.below(3))
            }
            1 => {
                self.writer.hit("subquery in having");
                let inner = self.table();
                let predicate = inner.predicate(self.writer.random, 1);
                format!(" having count(*) <= (select count(*) from {} where {predicate})", inner.from)
            }
            _ => String::new(),
        };
        let condition = self.condition(scope, depth);
        let by: Vec<&str> = keys.iter().map(|(key, _)| key.as_str()).collect();
        let (from, by) = (&scope.from, by.join(", "));
        let core = core([keys, values].concat());
        Core { sql: format!("{} from {from}{condition} group by {by}{having}", core.sql), ..core }
    }

    /// GROUPING SETS, ROLLUP, CUBE, and which columns a row is not grouped by.
    pub(super) fn grouping_sets(&mut self, depth: usize) -> Core {
        let scope = self.relation(depth);
        let (one, other) = (scope.key(self.writer.random), scope.key(self.writer.random));
        let (construct, sets) = self.writer.random.pick(&[
            ("grouping sets", format!("grouping sets (({0}), ({1}), ())", one.0, other.0)),
            ("grouping sets", format!("grouping sets (({0}, {1}), ({1}))", one.0, other.0)),
            ("rollup", format!("rollup ({}, {})", one.0, other.0)),
            ("cube", format!("cube ({}, {})", one.0, other.0)),
        ]);
        self.writer.hit(construct);
        let value = self.aggregate(&scope);
        let grouping = (format!("grouping({})", one.0), Kind::Small);
        let condition = self.condition(&scope, depth);
        let core = core(vec![one, other, value, grouping]);
        Core { sql: format!("{} from {}{condition} group by {sets}", core.sql, scope.from), ..core }
    }

    /// Aggregates of all rows.
    pub(super) fn aggregates(&mut self, depth: usize) -> Core {
        self.writer.hit("aggregates of all rows");
        let scope = self.relation(depth);
        let values = (0..1 + self.below(3)).map(|_| self.aggregate(&scope)).collect();
        let condition = self.condition(&scope, depth);
        let core = core(values);
        Core { sql: format!("{} from {}{condition}", core.sql, scope.from), ..core }
    }

    /// Window functions: the order is that of all columns, so rows that tie are the same.
    pub(super) fn windows(&mut self, depth: usize) -> Core {
        self.writer.hit("window");
        let scope = self.relation(depth);
        let mut items = vec![scope.key(self.writer.random)];
        let window = self.window(&scope);
        items.push(window);
        let condition = self.condition(&scope, depth);
        let core = core(items);
        Core { sql: format!("{} from {}{condition}", core.sql, scope.from), ..core }
    }

    /// A window function over rows of `scope`, and its kind.
    pub(super) fn window(&mut self, scope: &Scope) -> (String, Kind) {
        let (column, kind) = scope.key(self.writer.random);
        let (partition, _) = scope.key(self.writer.random);
        let by = if self.chance(60) { format!("partition by {partition} ") } else { String::new() };
        let order = order_of_all(scope);
        let whole = "rows between unbounded preceding and unbounded following";
        let number = |call: &str| (format!("cast({call} as bigint)"), Kind::Integer);
        let mut choices = vec![
            number(&format!("row_number() over ({by}order by {order})")),
            number(&format!("rank() over ({by}order by {column})")),
            number(&format!("dense_rank() over ({by}order by {column} desc nulls last)")),
            number(&format!("ntile(3) over ({by}order by {order})")),
            (format!("lag({column}) over ({by}order by {order})"), kind),
            (format!("lead({column}, 2) over ({by}order by {order})"), kind),
            (format!("first_value({column}) over ({by}order by {order})"), kind),
            (format!("last_value({column}) over ({by}order by {order} {whole})"), kind),
            (format!("nth_value({column}, 2) over ({by}order by {order} {whole})"), kind),
            (format!("count(*) over (partition by {partition})"), Kind::Integer),
            (format!("max({}) over (partition by {partition})", kind.ordered(&column)), kind),
            (
                format!(
                    "count({column}) over ({by}order by {order} rows between 2 preceding and current row)"
                ),
                Kind::Integer,
            ),
        ];
        let summed = |kind| match kind {
            Kind::Small => Some(Kind::Integer),
            Kind::Decimal(precision, scale) => Some(Kind::Decimal(38.min(precision + 10), scale)),
            _ => None,
        };
        if let Some(sum) = summed(kind) {
            let call =
                format!("sum({column}) over ({by}order by {order} rows between 1 preceding and 1 following)");
            choices.push((call, sum));
        }
        self.writer.random.pick(&choices)
    }

    /// Scalar subqueries among the items, by themselves or in a CASE.
    pub(super) fn values(&mut self, scope: &Scope, depth: usize) -> Core {
        let mut items = vec![scope.key(self.writer.random)];
        let inner = self.relation(depth.min(1));
        let (aggregate, kind) = self.aggregate(&inner);
        let pairs = correlations(scope, &inner);
        let limits = if pairs.is_empty() || self.chance(50) {
            self.writer.hit("subquery as a value");
            inner.predicate(self.writer.random, 1)
        } else {
            self.writer.hit("correlated subquery as a value");
            let (one, other) = self.writer.random.pick(&pairs);
            format!("{one} = {other}")
        };
        let value = format!("(select {aggregate} from {} where {limits})", inner.from);
        items.push(if self.chance(30) {
            self.writer.hit("subquery in case");
            (format!("case when {} then {value} end", scope.predicate(self.writer.random, 1)), kind)
        } else {
            (value, kind)
        });
        let condition = self.condition(scope, 0);
        let core = core(items);
        Core { sql: format!("{} from {}{condition}", core.sql, scope.from), ..core }
    }

    /// An aggregate whose result does not depend on the order of rows, and its kind.
    pub(super) fn aggregate(&mut self, scope: &Scope) -> (String, Kind) {
        let (column, kind) = scope.key(self.writer.random);
        let summed = match kind {
            Kind::Integer | Kind::Small => Some(Kind::Integer),
            Kind::Double => Some(Kind::Double),
            Kind::Decimal(precision, scale) => Some(Kind::Decimal(38.min(precision + 10), scale)),
            _ => None,
        };
        let (call, kind) = match (self.below(8), summed) {
            (0, _) => ("count(*)".to_owned(), Kind::Integer),
            (1, _) => (format!("count({column})"), Kind::Integer),
            (2, _) => (format!("count(distinct {column})"), Kind::Integer),
            (3, _) => (format!("min({})", kind.ordered(&column)), kind),
            (4, _) if kind == Kind::Text => {
                self.writer.hit("ordered aggregate");
                (format!("string_agg({column}, ',' order by {column} desc)"), Kind::Text)
            }
            (5 | 6, Some(sum)) => (format!("sum({column})"), sum),
            _ => (format!("max({})", kind.ordered(&column)), kind),
        };
        if self.chance(20) {
            self.writer.hit("aggregate filter");
            let predicate = scope.predicate(self.writer.random, 1);
            return (format!("{call} filter (where {predicate})"), kind);
        }
        (call, kind)
    }
}

/// SELECT with these items.
fn core(items: Vec<(String, Kind)>) -> Core {
    let named: Vec<String> =
        items.iter().enumerate().map(|(at, (item, _))| format!("{item} as e{at}")).collect();
    Core {
        sql: format!("select {}", named.join(", ")),
        kinds: items.into_iter().map(|(_, kind)| kind).collect(),
    }
}

/// All columns that can be compared: rows that are equal in them are equal in all that is asked for.
pub(super) fn order_of_all(scope: &Scope) -> String {
    let keys = scope.columns.iter().filter(|(_, kind)| kind.is_comparable());
    keys.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
}
