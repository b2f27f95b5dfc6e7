//! Random statements over tables that are placed afterwards: what stands in FROM, and SELECT over it.
//! Those that could have several right answers are not asked, but limits without an order.

use crate::proofs::query::{Core, Writer};
use crate::proofs::random::Random;
use crate::proofs::rare::Rare;
use crate::proofs::scope::{Scope, Visible};
use crate::proofs::tables::Kind;

/// Most places in a statement where a table is named.
const TABLES: usize = 7;

pub(super) struct Author<'a> {
    pub(super) writer: Writer<'a>,
    /// Common table expressions that can be named.
    pub(super) with: Vec<Visible>,
    named: usize,
    aliases: usize,
    tables: usize,
}

impl<'a> Author<'a> {
    pub(super) fn new(random: &'a mut Random, tables: &'a [Visible]) -> Self {
        let writer = Writer { keys_only: true, ..Writer::over(random, tables) };
        Self { writer, with: Vec::new(), named: 0, aliases: 0, tables: 0 }
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.writer.random.below(bound)
    }

    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.writer.random.chance(percent)
    }

    pub(super) fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("x{}", self.aliases)
    }

    /// A table, or what WITH gave a name.
    pub(super) fn table(&mut self) -> Scope {
        let alias = self.alias();
        self.tables += 1;
        if !self.with.is_empty() && self.chance(50) {
            self.named += 1;
            self.writer.hit(if self.named == 1 { "what WITH named" } else { "what WITH named, again" });
            return Scope::of(&self.writer.random.pick(&self.with), &alias);
        }
        self.writer.table(&alias)
    }

    /// Something to select from: deeper ones hold joins and other queries.
    pub(super) fn relation(&mut self, depth: usize) -> Scope {
        if depth == 0 || self.tables >= TABLES {
            return self.table();
        }
        match self.below(10) {
            0..=2 => self.table(),
            3..=7 => {
                let left = self.relation(depth - 1);
                let right = self.relation(depth - 1);
                self.join(left, right)
            }
            _ => self.derived(depth - 1),
        }
    }

    fn derived(&mut self, depth: usize) -> Scope {
        self.writer.hit("query in from");
        let core = if self.chance(25) { self.first_rows(depth) } else { self.query(depth) };
        let alias = self.alias();
        let columns = self.columns(&core, &alias);
        Scope { from: format!("({}) as {alias}", core.sql), columns }
    }

    pub(super) fn columns(&self, core: &Core, alias: &str) -> Vec<(String, Kind)> {
        core.kinds.iter().enumerate().map(|(at, kind)| (format!("{alias}.e{at}"), *kind)).collect()
    }

    pub(super) fn join(&mut self, left: Scope, mut right: Scope) -> Scope {
        if right.from.contains(" join ") && !right.from.starts_with('(') {
            self.writer.hit("join on the right of a join");
            right.from = format!("({})", right.from);
        }
        if self.chance(30)
            && let Some(joined) = self.rare_join(&left, &right)
        {
            return joined;
        }
        if left.pairs(&right).is_empty() {
            return cross(left, right);
        }
        self.writer.joined(left, right)
    }

    /// Joins by other conditions than that columns of one kind are equal.
    fn rare_join(&mut self, left: &Scope, right: &Scope) -> Option<Scope> {
        let pairs = left.pairs(right);
        let mixed = mixed_pairs(left, right);
        let mut kind = self.writer.random.pick(&["join", "left join", "right join", "full join"]);
        let on = match self.below(7) {
            0 if !pairs.is_empty() => {
                self.writer.hit("join: is not distinct from");
                let (one, other) = self.writer.random.pick(&pairs);
                format!("{one} is not distinct from {other}")
            }
            1 if !pairs.is_empty() => {
                self.writer.hit("join: a condition on one side");
                let (one, other) = self.writer.random.pick(&pairs);
                let side = if self.chance(50) { left } else { right };
                format!("{one} = {other} and {}", side.predicate(self.writer.random, 1))
            }
            2 | 3 if !mixed.is_empty() => {
                self.writer.hit("join: other types");
                let (one, other) = self.writer.random.pick(&mixed);
                format!("{one} = {other}")
            }
            4 | 5 if !pairs.is_empty() => {
                kind = "join";
                self.writer.hit("join: no equality");
                let (one, other) = self.writer.random.pick(&pairs);
                format!("{one} < {other}")
            }
            6 if !pairs.is_empty() && self.tables < TABLES => {
                // The engine knows no other join with one.
                kind = "join";
                self.writer.hit("subquery in on");
                let (one, other) = self.writer.random.pick(&pairs);
                format!("{one} = {other} and {}", self.uncorrelated(left))
            }
            _ => return None,
        };
        let from = format!("{} {kind} {} on {on}", left.from, right.from);
        Some(Scope { from, columns: [left.columns.clone(), right.columns.clone()].concat() })
    }

    /// A condition with a subquery that knows nothing of the row. It has no condition of its own: the engine cannot
    /// plan one here that it finds to be always false.
    fn uncorrelated(&mut self, scope: &Scope) -> String {
        let inner = self.table();
        let (column, kind) = scope.key(self.writer.random);
        match inner.of_kind(kind).first() {
            Some(other) => format!("{column} in (select {other} from {})", inner.from),
            None => format!("(select count(*) from {}) > 1", inner.from),
        }
    }

    /// WHERE, or nothing. The subqueries of deeper ones hold joins and queries themselves.
    pub(super) fn condition(&mut self, scope: &Scope, depth: usize) -> String {
        if depth == 0 || self.tables >= TABLES || self.chance(60) {
            return self.writer.condition(scope);
        }
        let mut conditions = vec![self.subquery(scope, depth - 1)];
        if self.chance(40) {
            conditions.push(scope.predicate(self.writer.random, 1));
        }
        let word = if self.chance(80) { " and " } else { " or " };
        format!(" where {}", conditions.join(word))
    }

    fn subquery(&mut self, scope: &Scope, depth: usize) -> String {
        let inner = self.relation(depth);
        let pairs = correlations(scope, &inner);
        if pairs.is_empty() {
            return scope.predicate(self.writer.random, 1);
        }
        self.writer.hit("subquery over a join or a query");
        let (column, other) = self.writer.random.pick(&pairs);
        let predicate = inner.predicate(self.writer.random, 1);
        let from = &inner.from;
        let not = if self.chance(40) { "not " } else { "" };
        match self.below(4) {
            0 => format!("{column} {not}in (select {other} from {from} where {predicate})"),
            1 => format!("{not}exists (select 1 from {from} where {other} = {column} and {predicate})"),
            2 => {
                let limit = self.below(4);
                format!("(select count(*) from {from} where {other} = {column} and {predicate}) >= {limit}")
            }
            _ => {
                let core = self.grouped(&inner, 0);
                format!("{not}exists (select 1 from ({}) as g where g.e0 is not null)", core.sql)
            }
        }
    }

    /// A query whose columns are `e0`, `e1`, .. and whose rows have no order.
    pub(super) fn query(&mut self, depth: usize) -> Core {
        match self.below(12) {
            0..=5 => self.select(depth, None),
            6 | 7 => {
                let scope = self.relation(depth);
                self.grouped(&scope, depth)
            }
            8 | 9 => self.windows(depth),
            10 => self.set_operation(depth),
            _ => {
                let scope = self.relation(depth);
                self.values(&scope, depth)
            }
        }
    }

    /// SELECT .. FROM .. WHERE with items of these kinds, or of any.
    pub(super) fn select(&mut self, depth: usize, kinds: Option<&[Kind]>) -> Core {
        let scope = self.relation(depth);
        let kinds = match kinds {
            Some(kinds) => kinds.to_vec(),
            None => (0..1 + self.below(4)).map(|_| scope.key(self.writer.random).1).collect(),
        };
        let items: Vec<String> = kinds
            .iter()
            .enumerate()
            .map(|(at, kind)| format!("{} as e{at}", scope.expression(self.writer.random, *kind)))
            .collect();
        let distinct = if self.chance(12) {
            self.writer.hit("distinct");
            "distinct "
        } else {
            ""
        };
        let condition = self.condition(&scope, depth);
        Core { sql: format!("select {distinct}{} from {}{condition}", items.join(", "), scope.from), kinds }
    }

    /// The first rows of a query, in an order that leaves nothing open.
    pub(super) fn first_rows(&mut self, depth: usize) -> Core {
        self.writer.hit("first rows of an inner query");
        let core = self.query(depth);
        let order = self.order(core.kinds.len());
        let offset = if self.chance(30) { format!(" offset {}", self.below(4)) } else { String::new() };
        let sql = format!("select * from ({}) as f{order} limit {}{offset}", core.sql, self.below(9));
        Core { sql, kinds: core.kinds }
    }

    /// ORDER BY all columns, by their positions.
    pub(super) fn order(&mut self, columns: usize) -> String {
        let directions = ["", " desc", " asc nulls first", " desc nulls last"];
        let keys: Vec<String> =
            (1..=columns).map(|at| format!("{at}{}", self.writer.random.pick(&directions))).collect();
        format!(" order by {}", keys.join(", "))
    }

    /// UNION, INTERSECT, EXCEPT of two or three.
    pub(super) fn set_operation(&mut self, depth: usize) -> Core {
        let mut left = self.select(depth, None);
        for _ in 0..1 + self.below(2) {
            let right = self.select(depth.saturating_sub(1), Some(&left.kinds));
            let operator = self.writer.random.pick(&[
                "union",
                "union all",
                "intersect",
                "except",
                "intersect all",
                "except all",
            ]);
            self.writer.hit(operator);
            left.sql = format!("{} {operator} {}", left.sql, right.sql);
        }
        left
    }
}

fn cross(left: Scope, right: Scope) -> Scope {
    let from = format!("{} cross join {}", left.from, right.from);
    Scope { from, columns: [left.columns, right.columns].concat() }
}

/// Columns that can be equal, of which the inner ones are no fields: by these, the engine cannot take an aggregate
/// out of its row, and whether it has to depends on what else it finds out.
pub(super) fn correlations(outer: &Scope, inner: &Scope) -> Vec<(String, String)> {
    let mut pairs = outer.pairs(inner);
    pairs.retain(|(_, inner)| !inner.contains('['));
    pairs
}

/// Columns that can be equal although their types differ: exact numbers, and moments. Of the others some values cannot
/// be converted, and it is open who finds out.
fn mixed_pairs(left: &Scope, right: &Scope) -> Vec<(String, String)> {
    let family = |kind: Kind| match kind {
        Kind::Integer | Kind::Small | Kind::Decimal(..) => Some(0),
        Kind::Date | Kind::Timestamp => Some(1),
        Kind::Rare(Rare::Seconds | Rare::Millis | Rare::Nanos | Rare::Instant) => Some(1),
        Kind::Rare(rare) if rare.is_number() && rare != Rare::Float32 => Some(0),
        _ => None,
    };
    let mut pairs = Vec::new();
    for (one, kind) in &left.columns {
        for (other, other_kind) in &right.columns {
            if kind != other_kind && family(*kind).is_some() && family(*kind) == family(*other_kind) {
                pairs.push((one.clone(), other.clone()));
            }
        }
    }
    pairs
}
