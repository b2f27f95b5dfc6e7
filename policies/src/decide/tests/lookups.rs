//! Lookups in decisions: whose rows, which claims, which order, what is refused.

use super::{
    fixture::{STATEMENT, document},
    *,
};
use crate::{ClaimValue, Decision, TableDecision};

const LOOKUPS: &str = r#"
lookups:
  own_regions: { of: orders, key: region, where: "note = subject() and day >= today()" }
  tenants:     { of: orders, key: id, where: "note = claim('tenant')" }
  chained:     { of: order_lines, key: id, where: "in_lookup('tenants', id)" }
  seen_orders: { of: orders, key: id, as: caller }
  seen_cheap:  { of: orders, key: card, where: "total < 10", as: caller }
  everything:  { of: order_lines, key: sku }
"#;

fn with(rules: &str) -> Fixture {
    Fixture::new(&format!("{LOOKUPS}\n{rules}"))
}

fn grant(table: &str, rows: &str) -> String {
    format!(
        "{{ id: {table}-rows, to: {{ roles: [analyst] }}, tables: [{table}], columns: all, rows: \"{rows}\" }}"
    )
}

fn decide(fixture: &Fixture, table: &str) -> Decision {
    fixture.policy().decide(table, &fixture.principal, &STATEMENT)
}

/// `name of table.key: rows` of each lookup.
fn sets(decision: &TableDecision) -> Vec<String> {
    let shown = |lookup: &crate::decision::DecidedLookup| {
        let rows = lookup.keys.rows.as_ref().map_or("all".to_owned(), ToString::to_string);
        assert_eq!(lookup.keys.columns.len(), 1);
        assert_eq!(lookup.keys.columns[0].cell, crate::Cell::Raw);
        format!("{} of {}.{}: {rows}", lookup.name, lookup.table, lookup.keys.columns[0].name)
    };
    decision.lookups.iter().map(shown).collect()
}

#[test]
fn membership_is_one_condition_and_its_set_is_in_the_decision() {
    let fixture = with(&format!("grants: [ {} ]", grant("orders", "in_lookup('own_regions', region)")));
    let decision = visible(decide(&fixture, "orders"));
    assert_eq!(decision.rows.as_ref().unwrap().to_string(), "in_lookup('own_regions', \"region\")");
    assert_eq!(
        sets(&decision),
        ["own_regions of orders.region: and((\"note\" = 'alice'), (\"day\" >= 20780:date))"]
    );
    // A helper table is not granted by being looked up.
    let fixture = with(&format!("grants: [ {} ]", grant("orders", "in_lookup('everything', note)")));
    assert_eq!(sets(&visible(decide(&fixture, "orders"))), ["everything of order_lines.sku: all"]);
    assert_eq!(decide(&fixture, "order_lines"), Decision::Absent { rules: vec![] });
}

#[test]
fn a_lookup_that_nothing_uses_for_this_caller_is_not_in_the_decision() {
    let fixture = with(&format!(
        "grants: [ {}, {{ id: b, to: {{ roles: [boss] }}, tables: [orders], columns: all }} ]",
        grant("orders", "in_lookup('own_regions', region)")
    ));
    assert_eq!(sets(&visible(decide(&fixture, "orders"))).len(), 1);
    assert_eq!(sets(&visible(decide(&fixture.role("boss"), "orders"))), [""; 0]);
    let folded =
        with(&format!("grants: [ {} ]", grant("orders", "has_role('x') and in_lookup('everything', note)")));
    let decision = visible(decide(&folded, "orders"));
    assert_eq!((decision.rows.unwrap().to_string(), decision.lookups.len()), ("false".to_owned(), 0));
}

#[test]
fn a_lookup_of_null_is_null() {
    let fixture = with(&format!(
        "grants: [ {} ]",
        grant("orders", "not in_lookup('everything', purpose()) and region = 'EU'")
    ));
    let decision = visible(decide(&fixture, "orders"));
    assert_eq!(decision.rows.unwrap().to_string(), "and(null:boolean, (\"region\" = 'EU'))");
}

#[test]
fn claims_of_a_lookup_are_claims_of_the_rules_that_use_it() {
    for lookup in ["in_lookup('tenants', id)", "in_lookup('chained', id)", "not in_lookup('chained', id)"] {
        let rules = format!("grants: [ {} ]", grant("orders", lookup));
        assert_eq!(decide(&with(&rules), "orders"), Decision::Absent { rules: vec![] }, "{lookup}");
        let there = with(&rules).claim("tenant", ClaimValue::Text("t".into()));
        assert!(!visible(decide(&there, "orders")).lookups.is_empty());
        assert!(there.policy().claims_read("orders").contains("tenant"));
    }
    // In a restriction NULL: no row. In a mask of one: redacted.
    let everyone = "{ id: all, to: { everyone: true }, tables: [orders], columns: all }";
    let restricted = format!(
        "grants: [ {everyone} ]\nrestrictions:\n  - {{ id: r, tables: [orders], rows: \"not in_lookup('tenants', id)\" }}"
    );
    let decision = visible(decide(&with(&restricted), "orders"));
    assert_eq!((decision.rows.unwrap().to_string(), decision.lookups.len()), ("false".to_owned(), 0));
    let masked = format!(
        "grants: [ {everyone} ]\nrestrictions:\n  - {{ id: m, tables: [orders], columns: [card], mask: {{ sql: \"case when in_lookup('tenants', id) then value else 'x' end\" }} }}"
    );
    let cell = |fixture: Fixture| {
        let decision = visible(decide(&fixture, "orders"));
        (cells(&decision).into_iter().find(|cell| cell.starts_with("card")).unwrap(), decision.lookups.len())
    };
    assert_eq!(cell(with(&masked)), ("card?*='***'".to_owned(), 0));
    let there = with(&masked).claim("tenant", ClaimValue::Text("t".into()));
    assert_eq!(
        cell(there),
        ("card?*=case(in_lookup('tenants', \"id\") -> \"card\", else 'x'):text".to_owned(), 1)
    );
}

#[test]
fn lookups_stand_behind_those_that_they_need() {
    let fixture = with(&format!("grants: [ {} ]", grant("orders", "in_lookup('chained', id)")))
        .claim("tenant", ClaimValue::Text("t".into()));
    assert_eq!(
        sets(&visible(decide(&fixture, "orders"))),
        ["tenants of orders.id: (\"note\" = 't')", "chained of order_lines.id: in_lookup('tenants', \"id\")"]
    );
}

#[test]
fn as_caller_takes_the_rows_that_this_caller_may_see() {
    let lines = grant("order_lines", "in_lookup('seen_orders', id)");
    let set = |rules: String, change: fn(Fixture) -> Fixture| {
        let fixture = change(with(&rules));
        let decision = visible(decide(&fixture, "order_lines"));
        (sets(&decision), decision.digest)
    };
    let same: fn(Fixture) -> Fixture = |fixture| fixture;
    // No grant on the table: no row, whatever is in it.
    let (none, without) = set(format!("grants: [ {lines} ]"), same);
    assert_eq!(none, ["seen_orders of orders.id: false"]);
    let (some, with_rows) = set(format!("grants: [ {lines}, {} ]", grant("orders", "region = 'EU'")), same);
    assert_eq!(some, ["seen_orders of orders.id: (\"region\" = 'EU')"]);
    assert_ne!(without, with_rows);
    let all = "{ id: all, to: { roles: [boss] }, tables: [orders], columns: [region] }";
    let rules = format!("grants: [ {lines}, {}, {all} ]", grant("orders", "region = 'EU'"));
    let (every, _) = set(rules, |fixture| fixture.role("boss"));
    assert_eq!(every, ["seen_orders of orders.id: all"]);
    let denied = format!(
        "grants: [ {lines}, {} ]\nrestrictions: [ {{ id: d, tables: [orders], deny: true }} ]",
        grant("orders", "region = 'EU'")
    );
    assert_eq!(set(denied, same).0, ["seen_orders of orders.id: false"]);
    let restricted = format!(
        "grants: [ {lines}, {} ]\nrestrictions: [ {{ id: d, tables: [orders], rows: \"total > 1\" }}, {{ id: h, tables: [orders], columns: [id], hide: true }} ]",
        grant("orders", "region = 'EU'")
    );
    assert_eq!(
        set(restricted, same).0,
        ["seen_orders of orders.id: and((\"region\" = 'EU'), (\"total\" > 100:decimal(12,2)))"]
    );
}

#[test]
fn as_caller_and_where_hold_together_and_claims_travel() {
    let rules = format!(
        "grants: [ {}, {} ]",
        grant("order_lines", "in_lookup('seen_cheap', sku)"),
        grant("orders", "claim_has('regions', region)")
    );
    let fixture = with(&rules).texts("regions", &["EU"]);
    assert_eq!(
        sets(&visible(decide(&fixture, "order_lines"))),
        ["seen_cheap of orders.card: and((\"total\" < 1000:decimal(12,2)), in(\"region\", ['EU']))"]
    );
    assert!(fixture.policy().claims_read("order_lines").contains("regions"));
    // Without the claim there is no grant on the table; the rule that looks up applies all the same.
    assert_eq!(sets(&visible(decide(&with(&rules), "order_lines"))), ["seen_cheap of orders.card: false"]);
}

#[test]
fn as_caller_follows_the_rules_of_tables_through_their_own_lookups() {
    let rules = format!(
        "grants: [ {}, {} ]",
        grant("order_lines", "in_lookup('seen_orders', id)"),
        grant("orders", "in_lookup('own_regions', region)")
    );
    let decision = visible(decide(&with(&rules), "order_lines"));
    let names: Vec<&str> = decision.lookups.iter().map(|lookup| lookup.name.as_str()).collect();
    assert_eq!(names, ["own_regions", "seen_orders"]);
}

#[test]
fn what_a_lookup_is_goes_into_digests() {
    let digest = |lookup: &str| {
        let rows = grant("orders", "in_lookup('l', region)");
        let fixture = Fixture::new(&format!("lookups: {{ l: {lookup} }}\ngrants: [ {rows} ]"));
        visible(decide(&fixture, "orders")).digest
    };
    let before = digest("{ of: order_lines, key: sku }");
    assert_eq!(digest("{ of: order_lines, key: sku, as: policy }"), before);
    for other in [
        "{ of: order_lines, key: sku, where: \"id = 1\" }",
        "{ of: order_lines, key: sku, where: \"id = 2\" }",
        "{ of: order_lines, key: sku, as: caller }",
        "{ of: orders, key: note }",
        "{ of: orders, key: card }",
    ] {
        assert_ne!(digest(other), before, "{other}");
    }
    // The table's contract, too: its hidden columns are in no other digest.
    let mut fixture = Fixture::new(&format!(
        "lookups: {{ l: {{ of: order_lines, key: sku }} }}\ngrants: [ {} ]",
        grant("orders", "in_lookup('l', region)")
    ));
    assert_eq!(visible(decide(&fixture, "orders")).digest, before);
    fixture.tables[1].columns[0].data_type = crate::DataType::Int32;
    assert_ne!(visible(decide(&fixture, "orders")).digest, before);
}

#[test]
fn lookups_are_for_all_documents_of_the_domain() {
    let mut fixture = Fixture::new(LOOKUPS);
    let rows = grant("orders", "in_lookup('everything', note)");
    fixture.documents.push(document("a.yaml", &format!("grants: [ {rows} ]")));
    assert_eq!(sets(&visible(decide(&fixture, "orders"))).len(), 1);
    fixture.documents.push(document("z.yaml", "lookups: { everything: { of: orders, key: id } }"));
    assert_eq!(fixture.problems(), ["z.yaml:2: there is another lookup `everything` in this domain"]);
}

#[track_caller]
fn refused(rules: &str, expected: &str) {
    let problems = Fixture::new(rules).problems();
    assert!(problems.iter().any(|problem| problem.contains(expected)), "{problems:#?}");
}

#[test]
fn a_lookup_is_of_a_table_and_a_key_of_the_domain() {
    for (lookup, expected) in [
        ("{ key: id }", "`of` is missing"),
        ("{ of: orders }", "`key` is missing"),
        ("{ of: ordres, key: id }", "which is no table of this domain; did you mean `orders`?"),
        ("{ of: customers.profiles, key: id }", "which is no table of this domain"),
        ("{ of: orders, key: ids }", "the table `orders` has no column `ids`; did you mean `id`?"),
        ("{ of: orders, key: id, as: owner }", "`as` is neither `policy` nor `caller`"),
        ("{ of: orders, key: id, as: null }", "`as` is neither `policy` nor `caller`"),
        ("{ of: orders, key: id, where: null }", "`where` has no value"),
        ("{ of: orders, key: id, where: true }", "`where` must be an SQL text"),
        (
            "{ of: orders, key: id, where: \"regoin = 'x'\" }",
            "`where` of the lookup `l`: there is no column `regoin`",
        ),
        ("{ of: orders, key: id, where: \"total\" }", "not a condition"),
        ("{ of: orders, key: id, where: \"id in (select 1)\" }", "subqueries are not allowed in policies"),
        ("{ of: orders, key: id, rows: \"true\" }", "unknown key `rows`"),
    ] {
        refused(&format!("lookups: {{ l: {lookup} }}"), expected);
    }
    refused("lookups: { L-1: { of: orders, key: id } }", "`L-1` is not the name of a lookup");
    let mut fixture = Fixture::new("lookups: { l: { of: orders, key: total } }");
    fixture.tables[0].columns[4].data_type = crate::DataType::Float64;
    assert!(fixture.problems()[0].contains("`orders.total` is float64: that is no type for keys"));
}

#[test]
fn membership_is_typed_and_only_where_rows_are() {
    for (rows, expected) in [
        ("in_lookup('evrything', note)", "there is no lookup `evrything`; did you mean `everything`?"),
        ("in_lookup(note, note)", "the lookup must be a text literal"),
        ("in_lookup('everything', id)", "the keys of the lookup `everything` are text, `id` is not"),
        ("in_lookup('tenants', region)", "the keys of the lookup `tenants` are int64, `region` is not"),
        ("in_lookup('tenants')", "`in_lookup` is called with the wrong number of arguments"),
    ] {
        refused(&format!("{LOOKUPS}\ngrants: [ {} ]", grant("orders", rows)), expected);
    }
    refused(
        &format!(
            "{LOOKUPS}\ngrants: [ {{ id: a, to: {{ everyone: true }}, when: \"in_lookup('everything', subject())\", tables: [orders], columns: all }} ]"
        ),
        "lookups are computed where the data is, not here; test membership in `rows` or in a mask",
    );
    let mut operator = Fixture::new(LOOKUPS);
    operator
        .mesh
        .push_str("restrictions: [ { id: r, tables: [orders], rows: \"in_lookup('everything', note)\" } ]\n");
    assert!(operator.problems()[0].contains("there is no lookup `everything`"));
    // Smaller numbers widen, literals take the key's type.
    for rows in
        ["in_lookup('tenants', fresh)", "in_lookup('tenants', 7)", "in_lookup('everything', subject())"]
    {
        assert!(with(&format!("grants: [ {} ]", grant("orders", rows))).load().is_ok(), "{rows}");
    }
}

#[test]
fn a_lookup_that_comes_back_to_itself_is_refused() {
    refused(
        "lookups: { a: { of: orders, key: id, where: \"in_lookup('a', id)\" } }",
        "sales.yaml:2: the lookup `a` uses itself: a -> a",
    );
    refused(
        "lookups:\n  a: { of: orders, key: id, where: \"in_lookup('b', id)\" }\n  b: { of: orders, key: id, where: \"in_lookup('a', id)\" }",
        "sales.yaml:3: the lookup `a` uses itself: a -> b -> a",
    );
    let through_a_table = format!(
        "lookups: {{ a: {{ of: orders, key: id, as: caller }} }}\ngrants: [ {} ]",
        grant("orders", "in_lookup('a', id)")
    );
    refused(&through_a_table, "sales.yaml:2: the lookup `a` uses itself: a -> a");
    let through_a_mask = "lookups: { a: { of: orders, key: id, as: caller } }\nrestrictions: [ { id: m, tables: [orders], columns: [card], mask: { sql: \"case when in_lookup('a', id) then value end\" } } ]";
    refused(through_a_mask, "the lookup `a` uses itself");
    let through_two_tables = format!(
        "lookups: {{ a: {{ of: orders, key: id, as: caller }}, b: {{ of: order_lines, key: id, as: caller }} }}\ngrants: [ {}, {} ]",
        grant("orders", "in_lookup('b', id)"),
        grant("order_lines", "in_lookup('a', id)")
    );
    refused(&through_two_tables, "the lookup `a` uses itself: a -> b -> a");
    // The same with the rights of the policy is none.
    let as_policy = through_two_tables.replace("as: caller", "as: policy");
    assert!(Fixture::new(&as_policy).load().is_ok());
}

#[test]
fn there_are_only_so_many_lookups() {
    let lookups = |count: usize| {
        let lookup = |number| format!("  l{number}: {{ of: orders, key: id }}\n");
        Fixture::new(&format!("lookups:\n{}", (0..count).map(lookup).collect::<String>()))
    };
    assert!(lookups(1_000).load().is_ok());
    for more in [1_001, 1_002] {
        assert_eq!(lookups(more).problems(), [": the domain has more than 1000 lookups"]);
    }
}

#[test]
fn each_lookup_that_is_used_is_in_the_decision_once() {
    let both = "in_lookup('everything', note) and in_lookup('own_regions', region)";
    let again = "or not in_lookup('everything', card)";
    let fixture = with(&format!("grants: [ {} ]", grant("orders", &format!("{both} {again}"))));
    let decision = visible(decide(&fixture, "orders"));
    let keys =
        |lookup: &crate::decision::DecidedLookup| (lookup.name.clone(), lookup.keys.columns[0].nullable);
    let used: Vec<_> = decision.lookups.iter().map(keys).collect();
    // Both keys are of required columns.
    assert_eq!(used, [("everything".to_owned(), false), ("own_regions".to_owned(), false)]);
    let mut nullable = with(&format!("grants: [ {} ]", grant("orders", both)));
    nullable.tables[1].columns[1].required = false;
    assert!(visible(decide(&nullable, "orders")).lookups[0].keys.columns[0].nullable);
}

#[test]
fn chains_are_bounded() {
    let chain = |length: usize| {
        let mut lookups = String::from("lookups:\n  l0: { of: orders, key: id }\n");
        for at in 1..length {
            lookups.push_str(&format!(
                "  l{at}: {{ of: orders, key: id, where: \"in_lookup('l{}', id)\" }}\n",
                at - 1
            ));
        }
        Fixture::new(&lookups)
    };
    assert!(chain(16).load().is_ok());
    assert!(chain(17).problems()[0].contains("sales.yaml:19: more than 16 lookups lie behind `l16`"));
}
