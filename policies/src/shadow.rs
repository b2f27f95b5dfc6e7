//! What a candidate for the policies would decide otherwise than those in force.
//!
//! Only ever told: nothing of a candidate reaches a plan or a result.

use crate::{
    Cell, DecidedColumn, Decision, Disclosed, Table, TableDecision,
    decision::DecidedLookup,
    expression::{Expr, Literal},
};

/// Behind the name of a lookup of the other side; no name has such a character.
const OTHER: char = '?';

/// How one table would be decided otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// It exists now, and would not.
    pub is_refused: bool,
    /// It does not exist now, and would.
    pub is_allowed: bool,
    /// Columns that would be there.
    pub gained: Vec<String>,
    /// Columns that would not be there any more.
    pub lost: Vec<String>,
    /// Columns that would show something else.
    pub masked: Vec<String>,
    /// Which rows there are would be decided by another condition.
    pub rows: bool,
}

impl Difference {
    /// None if the candidate decides the same. Reasons and ids of rules make no difference.
    pub fn between(live: &Decision, candidate: &Decision) -> Option<Self> {
        let names = |decision: &TableDecision| -> Vec<String> {
            decision.columns.iter().map(|column| column.name.clone()).collect()
        };
        match (live, candidate) {
            (Decision::Absent { .. }, Decision::Absent { .. }) => None,
            (Decision::Visible(live), Decision::Absent { .. }) => {
                Some(Self { is_refused: true, lost: names(live), ..Self::default() })
            }
            (Decision::Absent { .. }, Decision::Visible(candidate)) => {
                Some(Self { is_allowed: true, gained: names(candidate), ..Self::default() })
            }
            (Decision::Visible(live), Decision::Visible(candidate)) => {
                let found = Self::of_tables(live, candidate);
                (found != Self::default()).then_some(found)
            }
        }
    }

    fn of_tables(live: &TableDecision, candidate: &TableDecision) -> Self {
        // A set by the same name may hold other keys.
        let same_lookups = live.lookups == candidate.lookups;
        let same = |left: &Expr, right: &Expr| left == right && (same_lookups || !has_lookup(left));
        let shows_otherwise = |column: &&DecidedColumn| {
            let there = find(candidate, column).map(|other| (&column.cell, &other.cell));
            match there {
                Some((Cell::Computed(left), Cell::Computed(right))) => !same(left, right),
                Some((left, right)) => left != right,
                None => false,
            }
        };
        let rows = match (&live.rows, &candidate.rows) {
            (Some(left), Some(right)) => !same(left, right),
            (left, right) => left.is_some() != right.is_some(),
        };
        let list = |columns: &mut dyn Iterator<Item = &DecidedColumn>| -> Vec<String> {
            columns.map(|column| column.name.clone()).collect()
        };
        Self {
            gained: list(&mut candidate.columns.iter().filter(|column| find(live, column).is_none())),
            lost: list(&mut live.columns.iter().filter(|column| find(candidate, column).is_none())),
            masked: list(&mut live.columns.iter().filter(shows_otherwise)),
            rows,
            ..Self::default()
        }
    }
}

fn find<'d>(decision: &'d TableDecision, column: &DecidedColumn) -> Option<&'d DecidedColumn> {
    decision.columns.iter().find(|other| other.name == column.name)
}

fn has_lookup(expr: &Expr) -> bool {
    expr.any(&mut |expr| matches!(expr, Expr::InLookup { .. }))
}

/// The rows that `one` gives and `other` does not, for counting them: the
/// table's first column alone. None if there are no such rows whatever the data.
pub fn rows_only_in(
    one: &TableDecision,
    other: Option<&TableDecision>,
    contract: &Table,
) -> Option<TableDecision> {
    let mut conditions: Vec<Expr> =
        one.rows.iter().map(|rows| Expr::IsTrue(Box::new(rows.clone()))).collect();
    let mut lookups = one.lookups.clone();
    if let Some(other) = other {
        let rows = with_other_lookups(other.rows.as_ref()?);
        conditions.push(Expr::Not(Box::new(Expr::IsTrue(Box::new(rows)))));
        lookups.extend(other.lookups.iter().map(renamed));
    }
    let rows = match conditions.len() {
        0 => None,
        1 => conditions.pop(),
        _ => Some(Expr::And(conditions)),
    };
    let first = contract.columns.first()?;
    let column = DecidedColumn {
        index: 0,
        name: first.name.clone(),
        data_type: first.data_type.clone(),
        nullable: true,
        plain: false,
        cell: Cell::Raw,
        disclosed: Disclosed::new(),
    };
    let never = rows == Some(Expr::Literal(Literal::Boolean(false)));
    let decision = TableDecision {
        columns: vec![column],
        rows,
        rules: Vec::new(),
        row_rules: Vec::new(),
        lookups,
        digest: one.digest,
    };
    (!never).then_some(decision)
}

fn renamed(lookup: &DecidedLookup) -> DecidedLookup {
    let mut lookup = lookup.clone();
    lookup.name.push(OTHER);
    lookup.keys.rows = lookup.keys.rows.as_ref().map(with_other_lookups);
    lookup.keys.lookups = lookup.keys.lookups.iter().map(renamed).collect();
    lookup
}

/// Lookups of the other side have names of their own.
fn with_other_lookups(expr: &Expr) -> Expr {
    let mut renamed = expr.map_children(&with_other_lookups);
    if let Expr::InLookup { lookup, .. } = &mut renamed {
        lookup.push(OTHER);
    }
    renamed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Column, DataType, Document, DomainPolicy, Mesh, Principal, Statement};

    fn orders() -> Table {
        let column = |name: &str| Column {
            name: name.to_owned(),
            data_type: DataType::Text,
            required: false,
            classification: None,
            tags: Vec::new(),
            nested: Vec::new(),
        };
        Table {
            domain: "sales".to_owned(),
            product: "orders".to_owned(),
            name: "orders".to_owned(),
            columns: ["id", "region", "card"].map(column).to_vec(),
            primary_key: Vec::new(),
        }
    }

    fn decide(rest: &str) -> Decision {
        let mesh = Mesh::load("mesh.yaml", "mesh: m\nversion: 1\ntimezone: UTC\n").unwrap().0;
        let text = format!("domain: sales\n{rest}");
        let documents = [Document { name: "a.yaml".to_owned(), text }];
        let (policy, _) = DomainPolicy::load("sales", &documents, &mesh, &[orders()]).unwrap();
        let anna = Principal { subject: "anna".to_owned(), ..Principal::default() };
        policy.decide("orders", &anna, &Statement { instant: 0, zone: chrono_tz::Tz::UTC })
    }

    fn grant(rest: &str) -> Decision {
        decide(&format!(
            "grants: [ {{ id: g, why: A test., to: {{ everyone: true }}, tables: [orders], {rest} }} ]\n"
        ))
    }

    fn texts(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_would_be_decided_otherwise_is_told_and_what_only_reads_otherwise_is_not() {
        let live = grant("columns: [id, card], rows: \"region = 'EU'\"");
        let again = grant("columns: [card, id], rows: \"(region) = 'EU'\"");
        assert_eq!(Difference::between(&live, &again), None);
        let other = grant("columns: [id, region], rows: \"region = 'US'\", masks: { id: redact }");
        let expected = Difference {
            gained: texts(&["region"]),
            lost: texts(&["card"]),
            masked: texts(&["id"]),
            rows: true,
            ..Difference::default()
        };
        assert_eq!(Difference::between(&live, &other), Some(expected));
        let all_rows = grant("columns: [id, card]");
        let expected = Difference { rows: true, ..Difference::default() };
        assert_eq!(Difference::between(&live, &all_rows), Some(expected));
        let nothing = decide("");
        assert_eq!(Difference::between(&nothing, &nothing), None);
        let refused = Difference::between(&live, &nothing).unwrap();
        assert!(refused.is_refused && !refused.is_allowed && refused.lost == texts(&["id", "card"]));
        let allowed = Difference::between(&nothing, &live).unwrap();
        assert!(allowed.is_allowed && !allowed.is_refused && allowed.gained == texts(&["id", "card"]));
    }

    #[test]
    fn a_lookup_of_the_same_name_with_other_keys_decides_otherwise() {
        let with = |condition: &str| {
            decide(&format!(
                "lookups: {{ mine: {{ of: orders, key: id, where: \"region = '{condition}'\", as: policy }} }}\n\
                 grants: [ {{ id: g, why: A test., to: {{ everyone: true }}, tables: [orders], columns: all, \
                 rows: \"in_lookup('mine', card)\" }} ]\n"
            ))
        };
        let (eu, us) = (with("EU"), with("US"));
        assert_eq!(Difference::between(&eu, &eu), None);
        assert!(Difference::between(&eu, &us).unwrap().rows);
        let (Decision::Visible(eu), Decision::Visible(us)) = (&eu, &us) else { panic!("visible") };
        let lost = rows_only_in(eu, Some(us), &orders()).unwrap();
        let names: Vec<&str> = lost.lookups.iter().map(|lookup| lookup.name.as_str()).collect();
        assert_eq!(names, ["mine", "mine?"]);
        assert_eq!(
            (lost.lookups[0].keys.clone(), lost.lookups[1].keys.clone()),
            (eu.lookups[0].keys.clone(), us.lookups[0].keys.clone())
        );
        let mut used = Vec::new();
        lost.rows.unwrap().any(&mut |expr| {
            if let Expr::InLookup { lookup, .. } = expr {
                used.push(lookup.clone());
            }
            false
        });
        assert_eq!(used, ["mine", "mine?"]);
    }

    #[test]
    fn other_keys_make_a_difference_only_where_they_are_looked_up() {
        let with = |condition: &str| {
            decide(&format!(
                "lookups: {{ mine: {{ of: orders, key: id, where: \"region = '{condition}'\" }} }}\n\
                 grants: [ {{ id: g, why: A test., to: {{ everyone: true }}, tables: [orders], columns: all, \
                 rows: \"region = 'EU'\", masks: {{ id: last(4), card: {{ sql: \"case when in_lookup('mine', id) then value end\" }} }} }} ]\n"
            ))
        };
        let expected = Difference { masked: texts(&["card"]), ..Difference::default() };
        assert_eq!(Difference::between(&with("EU"), &with("US")), Some(expected));
    }

    #[test]
    fn rows_of_one_side_only() {
        let (Decision::Visible(eu), Decision::Visible(all)) =
            (grant("columns: [card], rows: \"region = 'EU'\""), grant("columns: all"))
        else {
            panic!("visible")
        };
        // Nobody gives a row that is not among all rows.
        assert_eq!(rows_only_in(&eu, Some(&all), &orders()), None);
        let gained = rows_only_in(&all, Some(&eu), &orders()).unwrap();
        assert!(matches!(gained.rows, Some(Expr::Not(_))), "{:?}", gained.rows);
        assert_eq!(gained.columns.len(), 1);
        assert_eq!(rows_only_in(&all, None, &orders()).unwrap().rows, None);
    }
}
