//! Whole statements.

use crate::proofs::query::{Core, Query};
use crate::proofs::scope::Visible;
use crate::proofs::tables::Kind;

use super::aggregates::order_of_all;
use super::author::Author;

/// How deep joins and queries stand in each other.
const DEPTH: usize = 2;

impl Author<'_> {
    pub(super) fn statement(mut self) -> Query {
        // The statements of the other searches, too.
        if self.chance(15) {
            self.writer.keys_only = false;
            return self.writer.query();
        }
        let with = self.common_tables();
        let body = self.body();
        let sql = format!("{with}{}", body.sql);
        let (mut is_ordered, mut some_of) = (false, None);
        // Over grouping sets of columns that a join makes equal, the engine forgets to sort by the second.
        let has_sets =
            self.writer.constructs.iter().any(|hit| ["grouping sets", "rollup", "cube"].contains(hit));
        let sql = match self.below(20) {
            0..=6 if !has_sets => {
                is_ordered = true;
                let order = self.ordered(&body);
                format!("{sql}{order}")
            }
            7..=9 => {
                self.writer.hit("limit without order");
                let count = self.below(8);
                let limited = format!("{with}select * from ({}) as l limit {count}", body.sql);
                some_of = Some((sql, count));
                limited
            }
            _ => sql,
        };
        Query { sql, is_ordered, some_of, constructs: self.writer.constructs }
    }

    fn body(&mut self) -> Core {
        match self.below(24) {
            0..=1 => self.aggregates(DEPTH),
            2..=5 => self.grouping_sets(DEPTH),
            6..=7 => self.set_operation(DEPTH),
            8 => self.lateral(),
            9 => self.recursive(),
            10 => self.qualified(),
            11..=12 => self.windows(DEPTH),
            13..=14 => {
                let scope = self.relation(DEPTH);
                self.grouped(&scope, 1)
            }
            15..=16 => {
                let scope = self.relation(1);
                self.values(&scope, 1)
            }
            _ => self.query(DEPTH),
        }
    }

    /// ORDER BY and LIMIT of the whole.
    fn ordered(&mut self, body: &Core) -> String {
        self.writer.hit("order by");
        let mut sql = self.order(body.kinds.len());
        if self.chance(70) {
            self.writer.hit("limit");
            sql += &format!(" limit {}", self.below(12));
            if self.chance(40) {
                self.writer.hit("offset");
                sql += &format!(" offset {}", self.below(6));
            }
        }
        sql
    }

    /// WITH, of one or two, or nothing. The second may name the first.
    fn common_tables(&mut self) -> String {
        if self.chance(70) {
            return String::new();
        }
        self.writer.hit("with");
        let mut parts = Vec::new();
        for name in ["w1", "w2"].iter().take(1 + self.below(2)) {
            let core = self.query(1);
            let columns = core.kinds.iter().enumerate().map(|(at, kind)| (format!("e{at}"), *kind)).collect();
            self.with.push(Visible { name: (*name).to_owned(), columns });
            parts.push(format!("{name} as ({})", core.sql));
        }
        format!("with {} ", parts.join(", "))
    }

    /// A query in FROM that knows the rows before it.
    fn lateral(&mut self) -> Core {
        self.writer.hit("lateral");
        let outer = self.relation(1);
        let inner = self.table();
        let condition = match outer.pairs(&inner).as_slice() {
            [] => inner.predicate(self.writer.random, 1),
            pairs => {
                let (one, other) = self.writer.random.pick(pairs);
                format!("{one} = {other}")
            }
        };
        let (value, kind) = self.aggregate(&inner);
        let (item, item_kind) = outer.key(self.writer.random);
        let sql = format!(
            "select {item} as e0, y.x as e1 from {} cross join lateral \
             (select {value} as x from {} where {condition}) as y",
            outer.from, inner.from
        );
        Core { sql, kinds: vec![item_kind, kind] }
    }

    /// Numbers that a query counts itself, joined with what has such numbers.
    fn recursive(&mut self) -> Core {
        self.writer.hit("recursive");
        let scope = self.relation(1);
        let (item, kind) = scope.key(self.writer.random);
        let numbers = "with recursive n as (select 1 as x union all select x + 1 from n where x < 4) select";
        let condition = match scope.of_kind(Kind::Integer).first() {
            Some(column) => format!("{column} = n.x"),
            None => "n.x = 2".to_owned(),
        };
        let join = self.writer.random.pick(&["join", "left join", "right join"]);
        let sql = format!(
            "select * from ({numbers} {item} as e0, n.x as e1 from {} {join} n on {condition}) as o",
            scope.from
        );
        Core { sql, kinds: vec![kind, Kind::Integer] }
    }

    fn qualified(&mut self) -> Core {
        self.writer.hit("qualify");
        let scope = self.relation(1);
        let (item, kind) = scope.key(self.writer.random);
        let (partition, _) = scope.key(self.writer.random);
        let order = order_of_all(&scope);
        let condition = self.condition(&scope, 0);
        let sql = format!(
            "select {item} as e0 from {}{condition} \
             qualify row_number() over (partition by {partition} order by {order}) <= {}",
            scope.from,
            1 + self.below(2)
        );
        Core { sql, kinds: vec![kind] }
    }
}
