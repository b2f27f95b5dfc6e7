//! Each warning, and its twin that is none.

use super::*;
use crate::decide::tests::fixture::{Fixture, STATEMENT};

fn key() -> ForeignKey {
    let text = |text: &str| text.to_owned();
    ForeignKey {
        table: text("order_lines"),
        column: text("id"),
        to_table: text("orders"),
        to_column: text("id"),
    }
}

/// Names and lines of the warnings for these rules; the first rule stands in line 3.
fn doubts(rules: &str, callers: &[Principal]) -> Vec<(&'static str, usize)> {
    let policy = Fixture::new(rules).policy();
    let foreign_keys = [key()];
    let around = Surroundings { statement: &STATEMENT, callers, foreign_keys: &foreign_keys };
    let problems = policy.doubts(&around);
    problems.iter().map(|problem| (problem.warning_name().unwrap(), problem.line)).collect()
}

fn of(rules: &str) -> Vec<(&'static str, usize)> {
    doubts(rules, &[])
}

const LINES: &str = "{ id: lines, to: { roles: [analyst] }, tables: [order_lines], columns: all }";
const SOME_ORDERS: &str =
    "{ id: some, to: { roles: [analyst] }, tables: [orders], columns: all, rows: \"region = 'DE'\" }";

fn grants(rules: &[&str]) -> String {
    let rules: String = rules.iter().map(|rule| format!("  - {rule}\n")).collect();
    format!("grants:\n{rules}")
}

#[test]
fn a_child_without_a_rule_is_told_where_the_parents_rows_are_chosen() {
    let warned = [("foreign-key-without-rule", 3)];
    assert_eq!(of(&grants(&[LINES, SOME_ORDERS])), warned);
    // By a restriction, too.
    let all_orders = "{ id: all, to: { roles: [analyst] }, tables: [orders], columns: all }";
    let restricted = "restrictions:\n  - { id: r, tables: [orders], rows: \"region = 'DE'\" }\n";
    assert_eq!(of(&(grants(&[LINES, all_orders]) + restricted)), warned);
    // Others see all orders: not those whom the lines are for.
    let others = all_orders.replace("analyst", "manager");
    assert_eq!(of(&grants(&[LINES, SOME_ORDERS, &others])), warned);
    for (narrower, with) in [
        ("for a purpose", "purpose: fraud, "),
        ("for a while", "until: 2027-12-31, "),
        ("for some", "when: \"has_role('x')\", "),
    ] {
        let narrow = all_orders.replace("tables:", &format!("{with}tables:"));
        assert_eq!(of(&grants(&[LINES, SOME_ORDERS, &narrow])), warned, "{narrower}");
        // The same on both sides is the same people.
        let lines = LINES.replace("tables:", &format!("{with}tables:"));
        assert_eq!(of(&grants(&[&lines, SOME_ORDERS, &narrow])), [], "{narrower}");
    }
}

#[test]
fn a_child_with_a_rule_or_an_open_parent_is_not_told() {
    let by_lookup = "lookups: { o: { of: orders, key: id, as: caller } }\n";
    let lines = LINES.replace("columns: all", "columns: all, rows: \"in_lookup('o', id)\"");
    assert_eq!(of(&(by_lookup.to_owned() + &grants(&[&lines, SOME_ORDERS]))), []);
    // The parent is open, or nobody's.
    let all_orders = "{ id: all, to: { roles: [analyst] }, tables: [orders], columns: all }";
    assert_eq!(of(&grants(&[LINES, all_orders])), []);
    assert_eq!(of(&grants(&[LINES])), []);
    // Whom the lines are for, they see all orders.
    assert_eq!(of(&grants(&[LINES, SOME_ORDERS, all_orders])), []);
    let everyone = all_orders.replace("{ roles: [analyst] }", "{ everyone: true }");
    assert_eq!(of(&grants(&[LINES, SOME_ORDERS, &everyone])), []);
    // A restriction on the child is a rule, if it is for these people.
    let restricted =
        |to: &str| format!("restrictions:\n  - {{ id: r, {to}tables: [order_lines], rows: \"id > 1\" }}\n");
    assert_eq!(of(&(grants(&[LINES, SOME_ORDERS]) + &restricted(""))), []);
    assert_eq!(of(&(grants(&[LINES, SOME_ORDERS]) + &restricted("to: { roles: [analyst] }, "))), []);
    let others = of(&(grants(&[LINES, SOME_ORDERS]) + &restricted("to: { roles: [manager] }, ")));
    assert_eq!(others, [("foreign-key-without-rule", 3)]);
    for people in ["roles: [analyst]", "groups: [crew]", "subjects: [anna]"] {
        let lines = LINES.replace("roles: [analyst]", people);
        let same = restricted(&format!("to: {{ {people} }}, "));
        assert_eq!(of(&(grants(&[&lines, SOME_ORDERS]) + &same)), [], "{people}");
    }
}

#[test]
fn the_hint_is_a_rule_that_silences_the_warning_by_being_followed() {
    let policy = Fixture::new(&grants(&[LINES, SOME_ORDERS])).policy();
    let foreign_keys = [key()];
    let around = Surroundings { statement: &STATEMENT, callers: &[], foreign_keys: &foreign_keys };
    let problem = policy.doubts(&around).remove(0);
    let hint = problem.hint.unwrap();
    let quoted: Vec<&str> = hint.split('`').collect();
    let [_, rows, _, lookup, _] = quoted.as_slice() else { panic!("{hint}") };
    let followed = LINES.replace("columns: all", &format!("columns: all, {rows}"));
    let rules = grants(&[&followed, SOME_ORDERS]);
    assert_eq!(of(&format!("lookups:\n  {lookup}\n{rules}")), []);
}

#[test]
fn a_grant_to_everyone_that_chooses_rows() {
    let grant = "{ id: g, to: { everyone: true }, tables: [orders], columns: all, rows: \"region = 'DE'\" }";
    assert_eq!(of(&grants(&[grant])), [("grant-to-everyone-with-rows", 3)]);
    for other in [
        grant.replace(", rows: \"region = 'DE'\"", ""),
        grant.replace("{ everyone: true }", "{ roles: [analyst] }"),
        grant.replace("tables:", "when: \"has_role('analyst')\", tables:"),
        grant.replace("tables:", "purpose: fraud, tables:"),
    ] {
        assert_eq!(of(&grants(&[&other])), [], "{other}");
    }
}

#[test]
fn a_claim_that_no_persona_carries() {
    let rules = grants(&[
        "{ id: g, to: { roles: [analyst] }, tables: [orders], columns: all, when: \"claim('level') > 1\" }",
    ]) + "restrictions:\n  - { id: r, tables: [orders], rows: \"claim('tenant') = region\" }\n";
    let caller = |fixture: Fixture| fixture.principal;
    let nobody = caller(Fixture::new(""));
    let level = caller(Fixture::new("").claim("level", crate::ClaimValue::Integer(1)));
    let tenant = caller(Fixture::new("").claim("tenant", crate::ClaimValue::Text("a".to_owned())));
    let (of_grant, of_restriction) = (("claim-nobody-sends", 3), ("claim-nobody-sends", 5));
    assert_eq!(doubts(&rules, std::slice::from_ref(&nobody)), [of_grant, of_restriction]);
    assert_eq!(doubts(&rules, std::slice::from_ref(&level)), [of_restriction]);
    assert_eq!(doubts(&rules, &[nobody.clone(), tenant.clone()]), [of_grant]);
    assert_eq!(doubts(&rules, &[level, tenant]), []);
    // Nobody is known: nothing is known.
    assert_eq!(doubts(&rules, &[]), []);
    // Those that a lookup reads count; those of the operator are not the owner's.
    let lookup = "lookups: { l: { of: orders, key: id, where: \"claim('tenant') = region\" } }\n";
    let by_lookup = "{ id: g, to: { roles: [analyst] }, tables: [order_lines], columns: all, rows: \"in_lookup('l', id)\" }";
    assert_eq!(
        doubts(&(lookup.to_owned() + &grants(&[by_lookup])), std::slice::from_ref(&nobody)),
        [("claim-nobody-sends", 4)]
    );
    let operator =
        Fixture::new("").operator("  - { id: o, tables: [orders], rows: \"claim('tenant') = 'x'\" }");
    let around = Surroundings { statement: &STATEMENT, callers: &[nobody], foreign_keys: &[] };
    assert_eq!(operator.policy().doubts(&around), []);
}

/// The statement's day is 2026-11-23 in the mesh's time zone.
#[test]
fn grants_that_end_within_fourteen_days() {
    let ends = |day: &str| {
        let grant =
            format!("{{ id: g, to: {{ roles: [analyst] }}, until: {day}, tables: ['*'], columns: all }}");
        let policy = Fixture::new(&grants(&[&grant])).policy();
        let around = Surroundings { statement: &STATEMENT, callers: &[], foreign_keys: &[] };
        let problems = policy.doubts(&around);
        assert!(problems.len() < 2, "one grant on two tables is one warning: {problems:?}");
        problems.first().map(|problem| problem.message.clone())
    };
    for (day, message) in [
        ("2026-12-07", "`g` ends on 2026-12-07, in 14 days"),
        ("2026-11-24", "`g` ends on 2026-11-24, tomorrow"),
        ("2026-11-23", "`g` ends today"),
        ("2026-11-22", "`g` ended on 2026-11-22 and grants nothing"),
        ("1999-12-31", "`g` ended on 1999-12-31 and grants nothing"),
    ] {
        assert_eq!(ends(day).as_deref(), Some(message));
    }
    assert_eq!(ends("2026-12-08"), None);
    assert_eq!(of(&grants(&[LINES])), [], "a grant without an end");
}
