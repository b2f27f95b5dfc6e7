//! Decisions compared, cell by cell, with the formula written down naively:
//! random rules, callers and rows; the expressions of a decision are evaluated
//! by a small interpreter that shares nothing with the code under test.

use super::fixture::{Fixture, STATEMENT, document};
use crate::{
    Cell, ClaimValue, Column, DataType, Decision, Principal, Table,
    expression::{ComparisonOperator, Expr, Function, Literal},
};

#[derive(Debug, Clone, PartialEq)]
enum V {
    Null,
    B(bool),
    I(i128),
    T(String),
}

type Row = [V; 5];
const NAMES: [&str; 5] = ["id", "region", "card", "note", "n"];

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % bound
    }

    fn chance(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// SQL, the claims it reads, and what it means.
type Predicate = (&'static str, &'static [&'static str], fn(&Row, &Principal) -> Option<bool>);
/// YAML, the claims it reads, and what it shows of a column.
type MaskForm = (&'static str, &'static [&'static str], fn(&Row, usize, &Principal) -> V);

fn tenant(p: &Principal) -> String {
    match p.claims.get("tenant") {
        Some(ClaimValue::Text(text)) => text.clone(),
        _ => panic!("asked only if it is there"),
    }
}

fn n(row: &Row) -> Option<i128> {
    match row[4] {
        V::I(n) => Some(n),
        _ => None,
    }
}

fn is(row: &Row, column: usize, text: &str) -> Option<bool> {
    match &row[column] {
        V::T(value) => Some(value == text),
        _ => None,
    }
}

const PREDICATES: &[Predicate] =
    &[
        ("region = 'EU'", &[], |row, _| is(row, 1, "EU")),
        ("region = 'US'", &[], |row, _| is(row, 1, "US")),
        ("n > 2", &[], |row, _| Some(n(row)? > 2)),
        ("not (n = 1)", &[], |row, _| Some(n(row)? != 1)),
        ("n is null or region <> 'EU'", &[], |row, _| {
            Some(n(row).is_none() || is(row, 1, "EU") == Some(false))
        }),
        ("region in ('EU', 'US') and n between 0 and 3", &[], |row, _| {
            let listed = row[1] == V::T("EU".into()) || row[1] == V::T("US".into());
            match n(row) {
                Some(n) => Some(listed && (0..=3).contains(&n)),
                None if listed => None,
                None => Some(false),
            }
        }),
        ("note = claim('tenant')", &["tenant"], |row, p| is(row, 3, &tenant(p))),
        ("claim_has('regions', region)", &["regions"], |row, p| match (&row[1], p.claims.get("regions")) {
            (V::T(region), Some(ClaimValue::Texts(regions))) => Some(regions.contains(region)),
            _ => panic!("asked only if it is there"),
        }),
        ("has_role('r1') or n = 0", &[], |row, p| {
            if p.roles.contains("r1") { Some(true) } else { Some(n(row)? == 0) }
        }),
        ("case when note is null then n = 1 else starts_with(card, 'c') end", &[], |row, _| match &row[3] {
            V::Null => Some(n(row)? == 1),
            _ => Some(matches!(&row[2], V::T(card) if card.starts_with('c'))),
        }),
        ("false", &[], |_, _| Some(false)),
        ("true", &[], |_, _| Some(true)),
        ("null", &[], |_, _| None),
    ];

const WHENS: &[Predicate] = &[
    ("claim('tenant') = 'a'", &["tenant"], |_, p| Some(tenant(p) == "a")),
    ("has_role('r1')", &[], |_, p| Some(p.roles.contains("r1"))),
    ("claim('tenant') = 'a' or has_role('r2')", &["tenant"], |_, p| {
        Some(tenant(p) == "a" || p.roles.contains("r2"))
    }),
    ("coalesce(claim('tenant'), 'a') = 'a'", &["tenant"], |_, p| Some(tenant(p) == "a")),
    ("null", &[], |_, _| None),
    ("today() > '2026-11-22'", &[], |_, _| Some(true)),
];

const TEXT_MASKS: &[MaskForm] = &[
    ("redact", &[], |_, _, _| V::T("***".into())),
    ("nullify", &[], |_, _, _| V::Null),
    ("last(1)", &[], |row, c, _| match &row[c] {
        V::T(text) if text.len() > 1 => {
            V::T("*".repeat(text.len() - 1) + &text.chars().last().into_iter().collect::<String>())
        }
        V::T(text) => V::T("*".repeat(text.len())),
        other => other.clone(),
    }),
    ("constant('x')", &[], |_, _, _| V::T("x".into())),
    ("{ sql: \"concat(value, region)\" }", &[], |row, c, _| {
        let text = |v: &V| if let V::T(text) = v { text.clone() } else { String::new() };
        V::T(text(&row[c]) + &text(&row[1]))
    }),
    ("{ sql: \"claim('tenant')\" }", &["tenant"], |_, _, p| V::T(tenant(p))),
    ("{ sql: \"case when n > 1 then value end\" }", &[], |row, c, _| {
        if n(row).is_some_and(|n| n > 1) { row[c].clone() } else { V::Null }
    }),
];

const NUMBER_MASKS: &[MaskForm] = &[
    ("redact", &[], |_, _, _| V::Null),
    ("nullify", &[], |_, _, _| V::Null),
    ("constant(7)", &[], |_, _, _| V::I(7)),
    ("{ sql: \"value + 1\" }", &[], |row, c, _| match row[c] {
        V::I(n) => V::I(n + 1),
        _ => V::Null,
    }),
    ("{ sql: \"coalesce(value, 5)\" }", &[], |row, c, _| match row[c] {
        V::I(n) => V::I(n),
        _ => V::I(5),
    }),
];

fn mask_forms(column: usize) -> &'static [MaskForm] {
    if column == 0 || column == 4 { NUMBER_MASKS } else { TEXT_MASKS }
}

struct TestGrant {
    role: Option<usize>,
    when: Option<usize>,
    purpose: bool,
    ended: bool,
    columns: Vec<usize>,
    rows: Option<usize>,
    masks: Vec<(usize, usize)>,
}

enum TestAction {
    Rows(usize),
    Mask(usize, usize),
    Hide(usize),
    Deny,
}

struct TestRestriction {
    role: Option<usize>,
    when: Option<usize>,
    unless: Vec<(Option<usize>, Option<usize>, bool)>,
    action: TestAction,
}

fn to(role: Option<usize>) -> String {
    match role {
        Some(role) => format!("{{ roles: [r{role}] }}"),
        None => "{ everyone: true }".into(),
    }
}

fn random_columns(random: &mut Random) -> Vec<usize> {
    let columns: Vec<usize> = (0..5).filter(|_| !random.chance(3)).collect();
    if columns.is_empty() { vec![0] } else { columns }
}

fn random_grant(random: &mut Random) -> TestGrant {
    let columns = random_columns(random);
    let masks = columns
        .iter()
        .map(|c| (*c, random.below(3 * mask_forms(*c).len())))
        .filter(|(c, mask)| *mask < mask_forms(*c).len())
        .collect();
    TestGrant {
        role: random.chance(2).then(|| random.below(3)),
        when: random.chance(5).then(|| random.below(WHENS.len())),
        purpose: random.chance(8),
        ended: random.chance(10),
        rows: (!random.chance(3)).then(|| random.below(PREDICATES.len())),
        columns,
        masks,
    }
}

fn random_restriction(random: &mut Random) -> TestRestriction {
    let column = random.below(5);
    let action = match random.below(14) {
        0..=4 => TestAction::Rows(random.below(PREDICATES.len())),
        5..=10 => TestAction::Mask(column, random.below(mask_forms(column).len())),
        11 | 12 => TestAction::Hide(column),
        _ => TestAction::Deny,
    };
    let unless = (0..random.below(3))
        .map(|_| match random.below(3) {
            0 => (Some(random.below(3)), None, false),
            1 => (None, Some(random.below(WHENS.len())), false),
            _ => (random.chance(2).then(|| random.below(3)), None, true),
        })
        .collect();
    TestRestriction {
        role: random.chance(2).then(|| random.below(3)),
        when: random.chance(4).then(|| random.below(WHENS.len())),
        unless,
        action,
    }
}

fn yaml(grants: &[TestGrant], restrictions: &[TestRestriction]) -> String {
    let mut text = String::new();
    if !grants.is_empty() {
        text.push_str("grants:\n");
    }
    for (i, grant) in grants.iter().enumerate() {
        let columns: Vec<&str> = grant.columns.iter().map(|c| NAMES[*c]).collect();
        text +=
            &format!("  - id: g{i}\n    to: {}\n    tables: [t]\n    columns: {columns:?}\n", to(grant.role));
        if let Some(when) = grant.when {
            text += &format!("    when: \"{}\"\n", WHENS[when].0);
        }
        if grant.purpose {
            text += "    purpose: fraud\n";
        }
        text += if grant.ended { "    until: 2026-11-22\n" } else { "    until: 2026-11-23\n" };
        if let Some(rows) = grant.rows {
            text += &format!("    rows: \"{}\"\n", PREDICATES[rows].0);
        }
        if !grant.masks.is_empty() {
            text += "    masks:\n";
        }
        for (column, mask) in &grant.masks {
            text += &format!("      {}: {}\n", NAMES[*column], mask_forms(*column)[*mask].0);
        }
    }
    if !restrictions.is_empty() {
        text.push_str("restrictions:\n");
    }
    for (i, restriction) in restrictions.iter().enumerate() {
        text += &format!("  - id: r{i}\n    to: {}\n", to(restriction.role));
        if let Some(when) = restriction.when {
            text += &format!("    when: \"{}\"\n", WHENS[when].0);
        }
        if !restriction.unless.is_empty() {
            text += "    unless:\n";
        }
        for (role, when, purpose) in &restriction.unless {
            let mut parts: Vec<String> = role.iter().map(|role| format!("roles: [r{role}]")).collect();
            parts.extend(when.iter().map(|when| format!("when: \"{}\"", WHENS[*when].0)));
            parts.extend(purpose.then(|| "purpose: fraud".to_owned()));
            text += &format!("      - {{ {} }}\n", parts.join(", "));
        }
        match restriction.action {
            TestAction::Rows(rows) => text += &format!("    rows: \"{}\"\n", PREDICATES[rows].0),
            TestAction::Mask(column, mask) => {
                text +=
                    &format!("    columns: [{}]\n    mask: {}\n", NAMES[column], mask_forms(column)[mask].0);
            }
            TestAction::Hide(column) => {
                text += &format!("    columns: [{}]\n    hide: true\n", NAMES[column]);
            }
            TestAction::Deny => text += "    deny: true\n",
        }
    }
    text
}

fn has_claims(claims: &[&str], p: &Principal) -> bool {
    claims.iter().all(|claim| p.claims.contains_key(*claim))
}

/// A predicate for a caller; with a claim missing it is NULL.
fn predicate(predicate: &Predicate, row: &Row, p: &Principal) -> Option<bool> {
    if has_claims(predicate.1, p) { (predicate.2)(row, p) } else { None }
}

const NO_ROW: Row = [V::Null, V::Null, V::Null, V::Null, V::Null];

fn matches_role(role: Option<usize>, p: &Principal) -> bool {
    role.is_none_or(|role| p.roles.contains(&format!("r{role}")))
}

fn grant_applies(grant: &TestGrant, p: &Principal) -> bool {
    let claims_there = grant.when.iter().all(|when| has_claims(WHENS[*when].1, p))
        && grant.rows.iter().all(|rows| has_claims(PREDICATES[*rows].1, p))
        && grant.masks.iter().all(|(c, mask)| has_claims(mask_forms(*c)[*mask].1, p));
    claims_there
        && matches_role(grant.role, p)
        && grant.when.is_none_or(|when| predicate(&WHENS[when], &NO_ROW, p) == Some(true))
        && (!grant.purpose || p.purpose.as_deref() == Some("fraud"))
        && !grant.ended
}

fn restriction_applies(restriction: &TestRestriction, p: &Principal) -> bool {
    matches_role(restriction.role, p)
        && restriction.when.is_none_or(|when| predicate(&WHENS[when], &NO_ROW, p) != Some(false))
        && !restriction.unless.iter().any(|(role, when, purpose)| {
            matches_role(*role, p)
                && when.is_none_or(|when| predicate(&WHENS[when], &NO_ROW, p) == Some(true))
                && (!purpose || p.purpose.as_deref() == Some("fraud"))
        })
}

/// What the formula says of one row: nothing, or the cells of the visible columns.
fn formula_row(
    grants: &[&TestGrant],
    restrictions: &[&TestRestriction],
    columns: &[usize],
    row: &Row,
    p: &Principal,
) -> Option<Vec<V>> {
    let gives =
        |grant: &TestGrant| grant.rows.is_none_or(|rows| predicate(&PREDICATES[rows], row, p) == Some(true));
    let leaves = |restriction: &TestRestriction| match restriction.action {
        TestAction::Rows(rows) => predicate(&PREDICATES[rows], row, p) == Some(true),
        _ => true,
    };
    if !grants.iter().any(|grant| gives(grant)) || !restrictions.iter().all(|r| leaves(r)) {
        return None;
    }
    let cell = |c: usize| {
        let a: Vec<&&TestGrant> = grants.iter().filter(|g| gives(g) && g.columns.contains(&c)).collect();
        let mask_of = |g: &TestGrant| g.masks.iter().find(|(column, _)| *column == c).map(|(_, mask)| *mask);
        // `redact` is the first form of both lists.
        let mut put: Vec<usize> = Vec::new();
        for restriction in restrictions {
            if let TestAction::Mask(column, mask) = restriction.action
                && column == c
            {
                let mask = if has_claims(mask_forms(c)[mask].1, p) { mask } else { 0 };
                if !put.contains(&mask) {
                    put.push(mask);
                }
            }
        }
        let show = |mask: usize| (mask_forms(c)[mask].2)(row, c, p);
        if a.is_empty() {
            return V::Null;
        }
        let base = if a.iter().any(|g| mask_of(g).is_none()) { None } else { mask_of(a[0]) };
        match (base, put.as_slice()) {
            (None, []) => row[c].clone(),
            (Some(mask), []) => show(mask),
            (None, [only]) => show(*only),
            (Some(mask), [only]) if same(c, mask, *only) => show(mask),
            _ => show(0),
        }
    };
    Some(columns.iter().map(|c| cell(*c)).collect())
}

/// For numbers `redact` and `nullify` parse to the same expression.
fn same(column: usize, left: usize, right: usize) -> bool {
    left == right || (mask_forms(column).len() == NUMBER_MASKS.len() && left < 2 && right < 2)
}

fn evaluate(expr: &Expr, row: &Row) -> V {
    let truth = |expr: &Expr| match evaluate(expr, row) {
        V::B(value) => Some(value),
        V::Null => None,
        other => panic!("{other:?} is no truth value"),
    };
    let from = |value: Option<bool>| value.map_or(V::Null, V::B);
    match expr {
        Expr::Column { index, name, .. } => {
            assert_eq!(NAMES[*index], name);
            row[*index].clone()
        }
        Expr::Literal(literal) => value(literal),
        Expr::Null(_) => V::Null,
        Expr::Not(inner) => from(truth(inner).map(|value| !value)),
        Expr::IsTrue(inner) => V::B(truth(inner) == Some(true)),
        Expr::And(terms) => {
            let terms: Vec<Option<bool>> = terms.iter().map(truth).collect();
            if terms.contains(&Some(false)) {
                V::B(false)
            } else {
                from((!terms.contains(&None)).then_some(true))
            }
        }
        Expr::Or(terms) => {
            let terms: Vec<Option<bool>> = terms.iter().map(truth).collect();
            if terms.contains(&Some(true)) {
                V::B(true)
            } else {
                from((!terms.contains(&None)).then_some(false))
            }
        }
        Expr::IsNull { expr, negated } => V::B((evaluate(expr, row) == V::Null) != *negated),
        Expr::InList { list, negated, .. } if list.is_empty() => V::B(*negated),
        Expr::InList { expr, list, negated } => match evaluate(expr, row) {
            V::Null => V::Null,
            found => V::B(list.iter().any(|item| value(item) == found) != *negated),
        },
        Expr::Compare { operator, left, right } => match (evaluate(left, row), evaluate(right, row)) {
            (V::Null, _) | (_, V::Null) => V::Null,
            (V::I(left), V::I(right)) => V::B(holds(*operator, left.cmp(&right))),
            (V::T(left), V::T(right)) => V::B(holds(*operator, left.cmp(&right))),
            other => panic!("{other:?} compared"),
        },
        Expr::Case { branches, otherwise, .. } => {
            for (condition, result) in branches {
                if truth(condition) == Some(true) {
                    return evaluate(result, row);
                }
            }
            otherwise.as_ref().map_or(V::Null, |otherwise| evaluate(otherwise, row))
        }
        Expr::Arithmetic { left, right, .. } => match (evaluate(left, row), evaluate(right, row)) {
            (V::I(left), V::I(right)) => V::I(left + right),
            _ => V::Null,
        },
        Expr::Call { function, args, .. } => {
            let args: Vec<V> = args.iter().map(|arg| evaluate(arg, row)).collect();
            match (function, args.as_slice()) {
                (Function::Concat, args) => V::T(
                    args.iter().map(|arg| if let V::T(text) = arg { text.as_str() } else { "" }).collect(),
                ),
                (Function::Coalesce, args) => {
                    args.iter().find(|arg| **arg != V::Null).cloned().unwrap_or(V::Null)
                }
                (_, args) if args.contains(&V::Null) => V::Null,
                (Function::StartsWith, [V::T(text), V::T(start)]) => V::B(text.starts_with(start.as_str())),
                (Function::KeepLast(1), [V::T(text)]) if text.len() > 1 => {
                    V::T("*".repeat(text.len() - 1) + &text.chars().last().into_iter().collect::<String>())
                }
                (Function::KeepLast(1), [V::T(text)]) => V::T("*".repeat(text.len())),
                other => panic!("{other:?}"),
            }
        }
        other => panic!("{other} is not evaluated"),
    }
}

fn holds(operator: ComparisonOperator, ordering: std::cmp::Ordering) -> bool {
    match operator {
        ComparisonOperator::Equal => ordering.is_eq(),
        ComparisonOperator::NotEqual => ordering.is_ne(),
        ComparisonOperator::Less => ordering.is_lt(),
        ComparisonOperator::LessOrEqual => ordering.is_le(),
        ComparisonOperator::Greater => ordering.is_gt(),
        ComparisonOperator::GreaterOrEqual => ordering.is_ge(),
        other => panic!("{other:?}"),
    }
}

fn value(literal: &Literal) -> V {
    match literal {
        Literal::Boolean(value) => V::B(*value),
        Literal::Integer { value, .. } => V::I(*value),
        Literal::Text(text) => V::T(text.clone()),
        other => panic!("{other} is not expected"),
    }
}

fn table() -> Table {
    let types = [DataType::Int64, DataType::Text, DataType::Text, DataType::Text, DataType::Int32];
    let column = |(name, data_type): (&&str, DataType)| Column {
        name: (*name).to_owned(),
        data_type,
        required: ["id", "region"].contains(name),
        classification: None,
        tags: vec![],
        nested: vec![],
    };
    Table {
        domain: "sales".into(),
        product: "t".into(),
        name: "t".into(),
        columns: NAMES.iter().zip(types).map(column).collect(),
        primary_key: vec![],
    }
}

fn random_row(random: &mut Random, id: usize) -> Row {
    let text = |choice: &str| if choice.is_empty() { V::Null } else { V::T(choice.to_owned()) };
    let n = random.below(6) as i128;
    [
        V::I(id as i128),
        text(random.pick(&["EU", "US", "AT"])),
        text(random.pick(&["", "c123", "7", "d9"])),
        text(random.pick(&["", "a", "b"])),
        if n == 5 { V::Null } else { V::I(n) },
    ]
}

fn random_principal(random: &mut Random) -> Principal {
    let mut principal = Principal { subject: "alice".into(), ..Principal::default() };
    for role in ["r0", "r1", "r2"] {
        if random.chance(2) {
            principal.roles.insert(role.into());
        }
    }
    if !random.chance(3) {
        principal.claims.insert("tenant".into(), ClaimValue::Text(random.pick(&["a", "b"]).into()));
    }
    if !random.chance(3) {
        let regions = if random.chance(4) { vec![] } else { vec!["EU".to_owned()] };
        principal.claims.insert("regions".into(), ClaimValue::Texts(regions));
    }
    if random.chance(3) {
        principal.purpose = Some("fraud".into());
    }
    principal
}

/// Callers for whom each set of rules decides.
const CALLERS: usize = 4;

fn check(seed: u64, seen: &mut Seen) {
    let random = &mut Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let grants: Vec<TestGrant> = (0..=random.below(4)).map(|_| random_grant(random)).collect();
    let restrictions: Vec<TestRestriction> =
        (0..random.below(4)).map(|_| random_restriction(random)).collect();
    let text = yaml(&grants, &restrictions);
    let mut fixture = Fixture::new("");
    fixture.documents = vec![document("t.yaml", &text)];
    fixture.tables = vec![table()];
    let policy = fixture.policy();
    for _ in 0..CALLERS {
        let p = random_principal(random);
        let decision = policy.decide("t", &p, &STATEMENT);
        let context = || format!("seed {seed}, {p:?}\n{text}");
        compare(random, (&grants, &restrictions), &p, decision, &context, seen);
    }
}

fn compare(
    random: &mut Random,
    (grants, restrictions): (&[TestGrant], &[TestRestriction]),
    p: &Principal,
    decision: Decision,
    context: &dyn Fn() -> String,
    seen: &mut Seen,
) {
    seen.decisions += 1;
    let g: Vec<&TestGrant> = grants.iter().filter(|grant| grant_applies(grant, p)).collect();
    let r: Vec<&TestRestriction> = restrictions.iter().filter(|r| restriction_applies(r, p)).collect();
    let hides = |c: usize| r.iter().any(|r| matches!(r.action, TestAction::Hide(hidden) if hidden == c));
    let columns: Vec<usize> =
        (0..5).filter(|c| g.iter().any(|g| g.columns.contains(c)) && !hides(*c)).collect();
    let denied = r.iter().any(|r| matches!(r.action, TestAction::Deny));
    let Decision::Visible(decision) = decision else {
        assert!(g.is_empty() || denied || columns.is_empty(), "{}", context());
        seen.absent += 1;
        return;
    };
    assert!(!denied && !g.is_empty(), "{}", context());
    assert_eq!(decision.columns.iter().map(|c| c.index).collect::<Vec<_>>(), columns, "{}", context());
    for column in &decision.columns {
        let c = column.index;
        let masked = r.iter().any(|r| matches!(r.action, TestAction::Mask(column, _) if column == c));
        let unmasked =
            |g: &TestGrant| g.columns.contains(&c) && !g.masks.iter().any(|(column, _)| *column == c);
        let plain =
            !masked && (g.iter().all(|g| unmasked(g)) || g.iter().any(|g| unmasked(g) && g.rows.is_none()));
        assert_eq!(column.plain, plain, "{} {}", column.name, context());
        assert!(!plain || column.cell == Cell::Raw, "{} {}", column.name, context());
        assert!(column.nullable || (plain && c < 2), "{} {}", column.name, context());
        seen.cases += usize::from(matches!(&column.cell, Cell::Computed(Expr::Case { .. })));
    }
    for id in 0..8 {
        let row = random_row(random, id);
        let expected = formula_row(&g, &r, &columns, &row, p);
        let given = decision.rows.as_ref().is_none_or(|rows| evaluate(rows, &row) == V::B(true));
        let cells: Option<Vec<V>> = given.then(|| {
            let cell = |column: &crate::DecidedColumn| match &column.cell {
                Cell::Raw => row[column.index].clone(),
                Cell::Computed(expr) => {
                    assert_eq!(expr.data_type(), column.data_type);
                    evaluate(expr, &row)
                }
            };
            decision.columns.iter().map(cell).collect()
        });
        assert_eq!(cells, expected, "row {row:?} of {}", context());
        seen.rows += usize::from(given);
        seen.hidden_rows += usize::from(!given);
    }
}

#[derive(Default, Debug)]
struct Seen {
    decisions: usize,
    absent: usize,
    cases: usize,
    rows: usize,
    hidden_rows: usize,
}

/// `MESHGATE_DECISIONS` asks for more decisions; docs/proofs.md has the result of a million.
#[expect(clippy::disallowed_methods, reason = "a test that somebody runs longer")]
fn decisions_wanted() -> usize {
    std::env::var("MESHGATE_DECISIONS").map_or(12_000, |text| text.parse().expect("a number"))
}

#[test]
fn decisions_are_the_formula() {
    let mut seen = Seen::default();
    let wanted = decisions_wanted();
    for seed in 1.. {
        check(seed, &mut seen);
        if seen.decisions >= wanted {
            break;
        }
    }
    println!("{seen:?}");
    // The random rules reach all of it, or the comparison would say little.
    let often = |count: usize| count * 10 > wanted;
    assert!(often(seen.absent) && often(seen.cases), "{seen:?}");
    assert!(often(seen.rows) && often(seen.hidden_rows), "{seen:?}");
}
