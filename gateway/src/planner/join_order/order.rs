//! Joins parts one after the other: first those of each domain, then what semi and anti joins leave of them.

use std::{collections::BTreeMap, sync::Arc};

use datafusion::{
    common::{DFSchema, NullEquality, Result},
    logical_expr::{
        BinaryExpr, Expr, ExprSchemable, Join, JoinConstraint, JoinType, LogicalPlan, Operator,
        build_join_schema,
        utils::{can_hash, find_valid_equijoin_key_pair},
    },
};

use super::estimate::{Leaf, OTHER};

/// Most expressions that are equal to each other of which all pairs are looked at.
const MOST_EQUAL: usize = 16;

/// An equality that can join two parts.
#[derive(Debug)]
pub(super) struct Key {
    left: Expr,
    right: Expr,
    origin: Origin,
    is_taken: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Only a join says it.
    Join,
    /// A condition says it as well.
    Condition,
    /// It follows from others.
    Others,
}

impl Key {
    /// What a join said.
    pub(super) fn of_join(left: Expr, right: Expr) -> Self {
        Self { left, right, origin: Origin::Join, is_taken: false }
    }

    /// What follows from a condition.
    pub(super) fn of_condition(left: Expr, right: Expr) -> Self {
        Self { origin: Origin::Condition, ..Self::of_join(left, right) }
    }

    /// Is this condition, and nothing else, what a join does now?
    pub(super) fn has_taken(&self, condition: &Expr) -> bool {
        let is_this = |left: &Expr, right: &Expr| *left == self.left && *right == self.right;
        self.is_taken
            && matches!(condition, Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) if is_this(left, right))
    }

    /// A condition, if nothing says it any more.
    pub(super) fn left_over(self) -> Option<Expr> {
        (self.origin == Origin::Join && !self.is_taken).then(|| self.left.eq(self.right))
    }

    /// The side that belongs to `left`, and the one that belongs to `right`; none if it does not join them.
    fn between(&self, left: &DFSchema, right: &DFSchema) -> Result<Option<(Expr, Expr)>> {
        let pair = find_valid_equijoin_key_pair(&self.left, &self.right, left, right)?;
        Ok(match pair {
            Some((key, other)) if can_hash(&key.get_type(left)?) => Some((key, other)),
            _ => None,
        })
    }
}

/// The keys, and those that follow from them: tables of one domain often meet over the column of a third.
fn with_implied(mut keys: Vec<Key>, equal: &Equalities) -> Vec<Key> {
    let is_there = |keys: &[Key], left: &Expr, right: &Expr| {
        keys.iter()
            .any(|key| (&key.left, &key.right) == (left, right) || (&key.left, &key.right) == (right, left))
    };
    for class in equal.classes.iter().filter(|class| class.len() <= MOST_EQUAL) {
        for (position, left) in class.iter().enumerate() {
            for right in class.iter().skip(position + 1) {
                if !is_there(&keys, left, right) {
                    keys.push(Key { origin: Origin::Others, ..Key::of_join(left.clone(), right.clone()) });
                }
            }
        }
    }
    keys
}

/// Expressions by what equals what.
#[derive(Debug, Default)]
struct Equalities {
    classes: Vec<Vec<Expr>>,
}

impl Equalities {
    /// False if the two are equal by what is known already.
    fn unite(&mut self, left: &Expr, right: &Expr) -> bool {
        let class = |of: &Expr| self.classes.iter().position(|class| class.contains(of));
        match (class(left), class(right)) {
            (Some(one), Some(other)) if one == other => return false,
            (Some(one), Some(other)) => {
                let moved = self.classes.swap_remove(one.max(other));
                if let Some(class) = self.classes.get_mut(one.min(other)) {
                    class.extend(moved);
                }
            }
            (Some(one), None) | (None, Some(one)) => {
                let new = if self.classes.get(one).is_some_and(|class| class.contains(left)) {
                    right
                } else {
                    left
                };
                if let Some(class) = self.classes.get_mut(one) {
                    class.push(new.clone());
                }
            }
            (None, None) => self.classes.push(vec![left.clone(), right.clone()]),
        }
        true
    }
}

/// What is joined already, or a leaf.
struct Part {
    plan: LogicalPlan,
    /// How many rows it may give.
    rows: f64,
    /// Positions of its leaves.
    leaves: Vec<usize>,
}

/// What parts are joined for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    /// So that their domain does it.
    Domain,
    Mesh,
}

/// What a join may give.
struct Joined {
    rows: f64,
    /// The statement says it, or no row of one side finds more than one of the other. What follows from a third
    /// table alone may be all rows of one side with all of the other.
    is_meant: bool,
}

/// What keys leave of all pairs of rows of two leaves.
struct Pairs {
    fraction: f64,
    has_unique_side: bool,
}

struct Parts {
    leaves: Vec<Leaf>,
    keys: Vec<Key>,
    /// What all joins together make equal.
    all_equal: Equalities,
    /// What the joins so far make equal.
    equal: Equalities,
}

/// Joins all of `leaves`, which `conditions` are about, and gives the keys back with what became of them.
/// `tests` are semi and anti joins, whose left sides stand for all leaves.
pub(super) fn join(
    leaves: Vec<LogicalPlan>,
    keys: Vec<Key>,
    conditions: &[Expr],
    tests: Vec<Join>,
) -> Result<(LogicalPlan, Vec<Key>)> {
    let mut all_equal = Equalities::default();
    for key in &keys {
        all_equal.unite(&key.left, &key.right);
    }
    let mut parts = Parts {
        leaves: leaves.iter().map(|leaf| Leaf::of(leaf, conditions)).collect::<Result<_>>()?,
        keys: with_implied(keys, &all_equal),
        all_equal,
        equal: Equalities::default(),
    };
    let single = leaves.into_iter().enumerate().map(|(position, plan)| Part {
        plan,
        rows: parts.leaves.get(position).map_or(1.0, |leaf| leaf.rows),
        leaves: vec![position],
    });
    let mut of_domains: BTreeMap<Option<String>, Vec<Part>> = BTreeMap::new();
    for part in single.collect::<Vec<_>>() {
        let domain = part.leaves.first().and_then(|leaf| parts.leaves.get(*leaf)?.domain.clone());
        of_domains.entry(domain).or_default().push(part);
    }
    let mut groups = Vec::new();
    for (domain, group) in of_domains {
        match domain {
            Some(_) => groups.extend(parts.join_connected(group, Within::Domain)?),
            None => groups.extend(group),
        }
    }
    let mut above = Vec::new();
    for test in tests {
        match groups.iter().position(|part| can_test(&test, part.plan.schema())) {
            Some(position) => {
                let part = groups.swap_remove(position);
                let rows = (part.rows * OTHER).max(1.0);
                groups.push(Part { plan: tested(part.plan, test)?, rows, ..part });
            }
            None => above.push(test),
        }
    }
    let plan = above.into_iter().try_fold(parts.join_all(groups)?, tested)?;
    Ok((plan, parts.keys))
}

/// Is all that a semi or anti join looks at in these columns?
fn can_test(test: &Join, columns: &DFSchema) -> bool {
    let of_keys = test.on.iter().flat_map(|(left, _)| left.column_refs());
    let of_filter = test.filter.iter().flat_map(Expr::column_refs);
    let of_left = of_filter.filter(|column| !test.right.schema().has_column(column));
    of_keys.chain(of_left).all(|column| columns.has_column(column))
}

fn tested(left: LogicalPlan, test: Join) -> Result<LogicalPlan> {
    let schema = build_join_schema(left.schema(), test.right.schema(), &test.join_type)?;
    Ok(LogicalPlan::Join(Join { left: Arc::new(left), schema: Arc::new(schema), ..test }))
}

impl Parts {
    /// As few parts as conditions allow: none is joined without one.
    fn join_connected(&mut self, mut open: Vec<Part>, within: Within) -> Result<Vec<Part>> {
        let mut done = Vec::new();
        while let Some(mut part) = take_smallest(&mut open) {
            while let Some(next) = self.best(&part, &open, within)? {
                part = self.pair(part, open.swap_remove(next))?;
            }
            done.push(part);
        }
        Ok(done)
    }

    /// One part. Without a condition only what nothing else connects.
    fn join_all(&mut self, parts: Vec<Part>) -> Result<LogicalPlan> {
        let mut open = self.join_connected(parts, Within::Mesh)?;
        let Some(mut part) = take_smallest(&mut open) else {
            return datafusion::common::internal_err!("a join without inputs");
        };
        while let Some(next) = take_smallest(&mut open) {
            part = self.pair(part, next)?;
        }
        Ok(part.plan)
    }

    /// The position of the part that gives the fewest rows with `part`.
    fn best(&self, part: &Part, open: &[Part], within: Within) -> Result<Option<usize>> {
        let mut best: Option<(f64, usize, usize)> = None;
        for (position, other) in open.iter().enumerate() {
            let Some(joined) = self.joined(part, other)? else { continue };
            if within == Within::Domain && !joined.is_meant {
                continue;
            }
            let rows = joined.rows;
            let first = other.leaves.first().copied().unwrap_or_default();
            if best.is_none_or(|(fewest, leaf, _)| rows < fewest || (rows == fewest && first < leaf)) {
                best = Some((rows, first, position));
            }
        }
        Ok(best.map(|(_, _, position)| position))
    }

    /// What a join may give; none if no key joins the two.
    fn joined(&self, one: &Part, other: &Part) -> Result<Option<Joined>> {
        let pairs = self.pairs(&one.plan, &other.plan)?;
        if pairs.is_empty() {
            return Ok(None);
        }
        let is_written = |(position, _): &(usize, _)| {
            self.keys.get(*position).is_some_and(|key| key.origin != Origin::Others)
        };
        let mut fewest: Option<Pairs> = None;
        for left in &one.leaves {
            for right in &other.leaves {
                let found = self.pairs_left(*left, *right)?;
                fewest = match (fewest, found) {
                    (Some(one), Some(other)) if one.fraction <= other.fraction => Some(one),
                    (fewest, found) => found.or(fewest),
                };
            }
        }
        // A key over several leaves of one side says little.
        let fewest = fewest.unwrap_or(Pairs { fraction: 0.1, has_unique_side: false });
        let rows = (one.rows * other.rows * fewest.fraction).max(1.0);
        Ok(Some(Joined { rows, is_meant: fewest.has_unique_side || pairs.iter().any(is_written) }))
    }

    /// The part of all pairs of rows of two leaves that their keys leave; none if no key is theirs.
    fn pairs_left(&self, one: usize, other: usize) -> Result<Option<Pairs>> {
        let (Some(left), Some(right)) = (self.leaves.get(one), self.leaves.get(other)) else {
            return Ok(None);
        };
        let mut columns = (Vec::new(), Vec::new());
        for key in &self.keys {
            if let Some((left, right)) = key.between(&left.schema, &right.schema)? {
                columns.0.push(left);
                columns.1.push(right);
            }
        }
        if columns.0.is_empty() {
            return Ok(None);
        }
        let unique = [(left, &columns.0), (right, &columns.1)].into_iter();
        let unique = unique.filter(|(leaf, columns)| leaf.is_unique_by(columns));
        Ok(Some(match unique.map(|(leaf, _)| leaf.all_rows).reduce(f64::max) {
            Some(rows) => Pairs { fraction: 1.0 / rows.max(1.0), has_unique_side: true },
            // Values are taken to come again and again.
            None => {
                let known = columns.0.iter().filter_map(|key| self.values(key)).reduce(f64::max);
                let distinct = known.unwrap_or_else(|| left.all_rows.min(right.all_rows).sqrt());
                Pairs { fraction: 1.0 / distinct.max(1.0), has_unique_side: false }
            }
        }))
    }

    /// How many values a key has, if it equals the primary key of one of the tables.
    fn values(&self, key: &Expr) -> Option<f64> {
        let class = self.all_equal.classes.iter().find(|class| class.contains(key))?;
        let is_key_of = |leaf: &&Leaf| {
            class.iter().any(|expression| {
                let is_its = expression.column_refs().iter().all(|column| leaf.schema.has_column(column));
                is_its && leaf.is_unique_by(std::slice::from_ref(expression))
            })
        };
        self.leaves.iter().filter(is_key_of).map(|leaf| leaf.all_rows).reduce(f64::min)
    }

    /// The keys between two plans, by position.
    fn pairs(&self, left: &LogicalPlan, right: &LogicalPlan) -> Result<Vec<(usize, (Expr, Expr))>> {
        let mut pairs: Vec<(usize, (Expr, Expr))> = Vec::new();
        for (position, key) in self.keys.iter().enumerate().filter(|(_, key)| !key.is_taken) {
            if let Some(pair) = key.between(left.schema(), right.schema())? {
                pairs.push((position, pair));
            }
        }
        Ok(pairs)
    }

    /// Joins two parts by all keys between them, the smaller one first.
    fn pair(&mut self, one: Part, other: Part) -> Result<Part> {
        let rows = self.joined(&one, &other)?.map_or(one.rows * other.rows, |joined| joined.rows);
        let (left, right) = if one.rows <= other.rows { (one, other) } else { (other, one) };
        let mut on: Vec<(Expr, Expr)> = Vec::new();
        for (position, pair) in self.pairs(&left.plan, &right.plan)? {
            if let Some(key) = self.keys.get_mut(position) {
                key.is_taken = true;
            }
            // What follows from other keys need not be compared again.
            if self.equal.unite(&pair.0, &pair.1) {
                on.push(pair);
            }
        }
        let schema = build_join_schema(left.plan.schema(), right.plan.schema(), &JoinType::Inner)?;
        let leaves = left.leaves.iter().chain(&right.leaves).copied().collect();
        let plan = LogicalPlan::Join(Join {
            left: Arc::new(left.plan),
            right: Arc::new(right.plan),
            on,
            filter: None,
            join_type: JoinType::Inner,
            join_constraint: JoinConstraint::On,
            schema: Arc::new(schema),
            null_equality: NullEquality::NullEqualsNothing,
            null_aware: false,
        });
        Ok(Part { plan, rows, leaves })
    }
}

/// The part with the fewest rows, the first of those in the statement.
fn take_smallest(parts: &mut Vec<Part>) -> Option<Part> {
    let size = |part: &Part| (part.rows, part.leaves.first().copied().unwrap_or_default());
    let smallest = parts.iter().enumerate().min_by(|(_, one), (_, other)| {
        let ((rows, leaf), (other_rows, other_leaf)) = (size(one), size(other));
        rows.total_cmp(&other_rows).then(leaf.cmp(&other_leaf))
    });
    let position = smallest.map(|(position, _)| position)?;
    Some(parts.swap_remove(position))
}
