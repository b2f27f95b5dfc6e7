//! Random queries. Those that could have several right answers are not asked.

use super::random::Random;
use super::scope::{Scope, Visible, comparison, literal};
use super::shapes;
use super::sight::Sight;
use super::tables::Kind;

pub(crate) struct Query {
    pub(crate) sql: String,
    /// The order of the rows is part of the answer.
    pub(crate) is_ordered: bool,
    /// A statement all of whose rows are possible, and how many of them there must be at most.
    pub(crate) some_of: Option<(String, usize)>,
    /// What it is made of, for the counters.
    pub(crate) constructs: Vec<&'static str>,
}

/// SELECT with its items, without ORDER BY; the items are called `e0`, `e1`, ..
pub(crate) struct Core {
    pub(crate) sql: String,
    pub(crate) kinds: Vec<Kind>,
}

pub(crate) struct Writer<'a> {
    pub(crate) random: &'a mut Random,
    pub(crate) tables: &'a [Visible],
    /// Tables and columns that the caller does not see, as `(table, column)`.
    pub(crate) hidden: &'a [(String, String)],
    pub(crate) constructs: Vec<&'static str>,
    /// What is compared row by row, as by DISTINCT or ORDER BY: nothing nested.
    pub(crate) keys_only: bool,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(random: &'a mut Random, sight: &'a Sight) -> Self {
        Self { hidden: &sight.hidden, ..Self::over(random, &sight.visible) }
    }

    /// Over tables that have nothing hidden.
    pub(crate) fn over(random: &'a mut Random, tables: &'a [Visible]) -> Self {
        Self { random, tables, hidden: &[], constructs: Vec::new(), keys_only: false }
    }

    pub(crate) fn query(mut self) -> Query {
        let (mut is_ordered, mut some_of) = (false, None);
        let sql = if self.tables.is_empty() || self.random.chance(5) {
            self.missing()
        } else {
            match self.random.below(24) {
                0 => self.whole_table(),
                1 | 2 => {
                    is_ordered = true;
                    self.ordered()
                }
                3 => shapes::grouped(&mut self),
                4 => shapes::aggregates(&mut self),
                5 => shapes::windows(&mut self),
                6 | 7 => shapes::set_operation(&mut self),
                8 => shapes::common_table(&mut self),
                9 | 22 => shapes::failing(&mut self),
                10 | 23 => shapes::grouped_join(&mut self),
                11 | 12 => shapes::grouping_sets(&mut self),
                13 => shapes::subquery_as_value(&mut self),
                14 => shapes::subquery_in_having(&mut self),
                15 | 16 => {
                    let core = if self.random.chance(40) { self.whole_table() } else { self.core(None).sql };
                    self.hit("limit without order");
                    let count = self.random.below(8);
                    let limited = format!("{core} limit {count}");
                    some_of = Some((core, count));
                    limited
                }
                _ => self.core(None).sql,
            }
        };
        Query { sql, is_ordered, some_of, constructs: self.constructs }
    }

    pub(crate) fn hit(&mut self, construct: &'static str) {
        self.constructs.push(construct);
    }

    pub(crate) fn table(&mut self, alias: &str) -> Scope {
        Scope::of(&self.random.pick(self.tables), alias)
    }

    fn whole_table(&mut self) -> String {
        self.hit("select *");
        let table = self.random.pick(self.tables);
        format!("select * from {}", table.name)
    }

    fn missing(&mut self) -> String {
        let table = self.random.pick(&["alpha.nothing", "beta.b1", "alpha.a2", "gamma.g"]).to_owned();
        match (self.random.below(3), self.hidden.is_empty(), self.tables.is_empty()) {
            (0 | 1, false, _) => {
                self.hit("hidden column");
                let (table, column) = self.random.pick(self.hidden);
                if self.random.chance(50) {
                    format!("select count(*) from {table} where {column} is not null")
                } else {
                    format!("select t.{column} from {table} as t")
                }
            }
            (2, _, false) => {
                self.hit("missing column");
                format!("select no_such_column from {}", self.random.pick(self.tables).name)
            }
            _ => {
                self.hit("missing table");
                format!("select count(*) as n from {table}")
            }
        }
    }

    fn ordered(&mut self) -> String {
        self.keys_only = true;
        let core = self.core(None);
        self.hit("order by");
        let mut keys = Vec::new();
        for position in 1..=core.kinds.len() {
            let direction = self.random.pick(&["", " desc", " asc nulls first", " desc nulls last"]);
            keys.push(format!("{position}{direction}"));
        }
        let mut sql = format!("{} order by {}", core.sql, keys.join(", "));
        if self.random.chance(70) {
            self.hit("limit");
            sql += &format!(" limit {}", self.random.below(12));
            if self.random.chance(30) {
                self.hit("offset");
                sql += &format!(" offset {}", self.random.below(6));
            }
        }
        sql
    }

    /// SELECT .. FROM .. WHERE, with items of these kinds, or of any.
    pub(crate) fn core(&mut self, kinds: Option<&[Kind]>) -> Core {
        let scope = self.from();
        let is_distinct = self.random.chance(15);
        let distinct = if is_distinct {
            self.hit("distinct");
            "distinct "
        } else {
            ""
        };
        let (items, kinds) = self.items(&scope, kinds, is_distinct || self.keys_only);
        let condition = self.condition(&scope);
        Core { sql: format!("select {distinct}{items} from {}{condition}", scope.from), kinds }
    }

    fn items(&mut self, scope: &Scope, kinds: Option<&[Kind]>, keys_only: bool) -> (String, Vec<Kind>) {
        let items: Vec<(String, Kind)> = match kinds {
            Some(kinds) => kinds.iter().map(|kind| (scope.expression(self.random, *kind), *kind)).collect(),
            None if keys_only => (0..1 + self.random.below(4)).map(|_| scope.key(self.random)).collect(),
            None => (0..1 + self.random.below(4)).map(|_| scope.any(self.random)).collect(),
        };
        if items.iter().any(|(sql, _)| sql.starts_with("case")) {
            self.hit("case");
        }
        let kinds = items.iter().map(|(_, kind)| *kind).collect();
        let named: Vec<String> =
            items.iter().enumerate().map(|(at, (sql, _))| format!("{sql} as e{at}")).collect();
        (named.join(", "), kinds)
    }

    fn from(&mut self) -> Scope {
        let first = self.table("t0");
        if self.random.chance(60) { first } else { self.join(first, "t1") }
    }

    /// `left` joined with one more table, by columns of the same kind if there are some.
    pub(crate) fn join(&mut self, left: Scope, alias: &str) -> Scope {
        let right = self.table(alias);
        let domain = |scope: &Scope| scope.from.split('.').next().unwrap().to_owned();
        if left.pairs(&right).is_empty() {
            return left;
        }
        if domain(&left) != domain(&right) {
            self.hit("join across domains");
        } else if left.from.split(' ').next() == right.from.split(' ').next() {
            self.hit("self join");
        }
        self.joined(left, right)
    }

    /// Two sides, joined in some way by columns of the same kind, of which there are some.
    pub(crate) fn joined(&mut self, left: Scope, right: Scope) -> Scope {
        let pairs = left.pairs(&right);
        let (kind, construct) = self.random.pick(&[
            ("join", "inner join"),
            ("join", "inner join"),
            ("left join", "left join"),
            ("right join", "right join"),
            ("full join", "full join"),
            ("cross join", "cross join"),
            ("left semi join", "semi join"),
            ("left anti join", "anti join"),
        ]);
        self.hit(construct);
        if construct == "cross join" {
            let from = format!("{} cross join {}", left.from, right.from);
            return Scope { from, columns: [left.columns, right.columns].concat() };
        }
        let (one, other) = self.random.pick(&pairs);
        let mut on = format!("{one} = {other}");
        if self.random.chance(30) {
            let (one, other) = self.random.pick(&pairs);
            on += &format!(" and {one} {} {other}", comparison(self.random));
        }
        let from = format!("{} {kind} {} on {on}", left.from, right.from);
        // Of a semi or anti join only the left side is left.
        let is_half = matches!(construct, "semi join" | "anti join");
        let columns = if is_half { left.columns } else { [left.columns, right.columns].concat() };
        Scope { from, columns }
    }

    /// WHERE, or nothing.
    pub(crate) fn condition(&mut self, scope: &Scope) -> String {
        match self.random.below(10) {
            0..=2 => String::new(),
            3 | 4 => format!(" where {}", self.subquery(scope)),
            5 => {
                let predicate = scope.predicate(self.random, 1);
                format!(" where {predicate} and {}", self.subquery(scope))
            }
            _ => {
                self.hit("where");
                format!(" where {}", scope.predicate(self.random, 2))
            }
        }
    }

    pub(crate) fn subquery(&mut self, scope: &Scope) -> String {
        let inner = self.table("s");
        let (column, kind) = self.random.pick(&scope.columns);
        let others = inner.of_kind(kind);
        if others.is_empty() || !kind.is_comparable() {
            return scope.predicate(self.random, 1);
        }
        let other = self.random.pick(&others);
        let predicate =
            if self.random.chance(50) { inner.predicate(self.random, 1) } else { "true".to_owned() };
        let from = &inner.from;
        let not = if self.random.chance(35) { "not " } else { "" };
        match self.random.below(4) {
            0 => {
                self.hit(if not.is_empty() { "in subquery" } else { "not in subquery" });
                format!("{column} {not}in (select {other} from {from} where {predicate})")
            }
            1 => {
                self.hit(if not.is_empty() { "exists" } else { "not exists" });
                format!("{not}exists (select 1 from {from} where {other} = {column} and {predicate})")
            }
            2 if kind != Kind::Boolean => {
                self.hit("scalar subquery");
                let aggregate = self.random.pick(&["min", "max"]);
                let compared = comparison(self.random);
                format!(
                    "{column} {compared} (select {aggregate}({}) from {from} where {predicate})",
                    kind.ordered(&other)
                )
            }
            _ => {
                self.hit("correlated aggregate");
                let limit = self.random.below(3);
                format!("(select count(*) from {from} where {other} = {column} and {predicate}) > {limit}")
            }
        }
    }

    /// A literal that a column of this kind may equal.
    pub(crate) fn literal(&mut self, kind: Kind) -> String {
        literal(self.random, kind)
    }
}
