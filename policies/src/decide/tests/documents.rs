//! What is refused when documents are read and compiled, and how it is said.

use super::{
    fixture::{document, lines},
    *,
};
use crate::{Decision, DomainPolicy, Mesh};

/// The problem of a document that has exactly one.
#[track_caller]
fn problem(rules: &str) -> String {
    let problems = Fixture::new(rules).problems();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems[0].clone()
}

fn with(rest: &str) -> String {
    problem(&format!(
        "grants:\n  - {{ id: a, to: {{ everyone: true }}, tables: [orders], columns: all, {rest} }}"
    ))
}

#[test]
fn slots_for_sql_hold_yaml_texts() {
    for (slot, message) in [
        ("rows:", "`rows` has no value; leave the key out"),
        ("rows: null", "`rows` has no value"),
        ("rows: ~", "`rows` has no value"),
        ("rows: true", "`rows` must be an SQL text, `true` is none in YAML; write rows: \"true\""),
        ("rows: 1", "`rows` must be an SQL text, `1` is none in YAML; write rows: \"1\""),
        ("rows: [a]", "`rows` is a list, not an SQL text"),
        ("when: null", "`when` has no value"),
        ("when: yes", "`when` must be an SQL text"),
        ("rows: \"\"", "`rows`: the expression is empty"),
        ("masks: { card: null }", "the mask has no value; write `nullify` for SQL's NULL"),
        ("masks: { card: { sql: null } }", "`sql` has no value"),
    ] {
        let found = with(slot);
        assert!(found.starts_with("sales.yaml:3: ") && found.contains(message), "{slot}: {found}");
    }
}

#[test]
fn a_comment_that_cuts_an_expression_is_seen() {
    let rules = "grants:\n  - id: a\n    to: { everyone: true }\n    tables: [orders]\n    columns: all\n    rows: region = 'EU' # and total < 100";
    assert_eq!(
        problem(rules),
        "sales.yaml:7: a `#` cuts the value of `rows` off; quote the whole value, or put the comment on a line of its own"
    );
    let quoted = rules.replace("region = 'EU' #", "\"region = 'EU'\" #");
    assert!(Fixture::new(&quoted).warnings().is_empty());
    let block = rules.replace(
        "rows: region = 'EU' # and total < 100",
        "rows: |\n      region = 'EU'\n      and total < 100",
    );
    assert!(Fixture::new(&block).warnings().is_empty());
}

#[test]
fn an_expression_that_falls_apart_in_braces_is_seen() {
    let found = Fixture::new("grants:\n  - { id: a, to: { everyone: true }, tables: [orders], columns: all, rows: claim_has('regions', region) }").problems();
    assert!(found.iter().any(|problem| problem.contains("must be quoted")), "{found:#?}");
}

#[test]
fn unknown_keys_are_errors() {
    assert!(problem("grnats: []").contains("unknown key `grnats`; did you mean `grants`?"));
    assert!(with("row: \"true\"").contains("unknown key `row`; did you mean `rows`?"));
    assert!(with("unless: [ { roles: [x] } ]").contains("unknown key `unless`"));
    let found = problem("restrictions:\n  - { id: a, deny: true, until: 2026-01-01 }");
    assert!(found.contains("unknown key `until`"), "{found}");
    let found =
        problem("grants:\n  - { id: a, to: { role: [x], everyone: true }, tables: [orders], columns: all }");
    assert!(found.contains("unknown key `role`; did you mean `roles`?"), "{found}");
}

#[test]
fn what_is_required_and_what_goes_together() {
    for (rule, message) in [
        ("{ to: { everyone: true }, tables: [orders], columns: all }", "`id` is missing"),
        ("{ id: a, tables: [orders], columns: all }", "`to` is missing"),
        ("{ id: a, to: { everyone: true }, columns: all }", "`tables` (or `products`) is missing"),
        ("{ id: a, to: { everyone: true }, tables: [orders] }", "`columns` is missing"),
        ("{ id: a, to: {}, tables: [orders], columns: all }", "this matches nobody"),
        ("{ id: a, to: { roles: [] }, tables: [orders], columns: all }", "`roles` is empty"),
        (
            "{ id: a, to: { everyone: false, roles: [x] }, tables: [orders], columns: all }",
            "`everyone: false` does nothing",
        ),
        ("{ id: a, to: { everyone: true }, tables: [], columns: all }", "`tables` is empty"),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: everything }",
            "`columns` does not say which",
        ),
        ("{ id: a, to: { everyone: true }, tables: [orders], columns: {} }", "`columns` selects by nothing"),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: { unclassified: true } }",
            "unknown key `unclassified`",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], products: [orders], columns: all }",
            "ambiguous",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: all, until: 2026-02-30 }",
            "is not a day",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: all, purpose: frud }",
            "no purpose `frud`; did you mean `fraud`?",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: { tags: [pi] } }",
            "no tag `pi`; did you mean `pii`?",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [customers.profiles], columns: all }",
            "`customers.profiles` is not in the domain `sales`",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: [regoin] }",
            "no selected table has a column `regoin`; did you mean `region`?",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: all, masks: { crad: redact } }",
            "no selected table has a column `crad`",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: all, masks: { card: redat } }",
            "there is no mask `redat`; did you mean `redact`?",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: all, masks: { card: \"left(card, 4)\" } }",
            "there is no mask `left(..)`; for an SQL expression write { sql: \"left(card, 4)\" }",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: all, masks: { card: last } }",
            "is not how the mask `last` is written",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: all, masks: { card: last(0) } }",
            "needs a number from 1 to 1000",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: all, masks: { card: constant() } }",
            "`` is not a constant; write constant('x')",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: all, masks: { card: pseudonym(persn) } }",
            "declares no pseudonyms `persn`; did you mean `person`?",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: all, masks: { card: pseudonym } }",
            "is not how the mask `pseudonym` is written",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: all, masks: { fresh: pseudonym(person) } }",
            "have 64 bits, the column is int32; declare the column as a 64-bit integer",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: all, masks: { day: pseudonym(person) } }",
            "this mask is for the type text, the column is date",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: all, masks: { card: { sql: \"pseudonym('person', value)\" } } }",
            "write `pseudonym(space)` as the mask itself",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: all, masks: { \"c*\": redact, \"*d\": redact } }",
            "both mask `card`",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: all, rows: \"in_lookup('x', region)\" }",
            "there is no lookup `x`",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: all, masks: { card: bucket(0) } }",
            "`bucket(0)` needs a whole number from 1 to",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: all, masks: { total: round(1.5) } }",
            "`round(1.5)` needs a whole number from -18 to 18",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: all, masks: { card: bucket(10) } }",
            "this mask is for the type number, the column is text",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: all, masks: { day: round(-1) } }",
            "this mask is for the type number, the column is date",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: all, masks: { total: email_domain } }",
            "this mask is for the type text",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: all, masks: { id: bucket(1) } }",
            "`bucket(1)` leaves int64 as it is",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: all, masks: { id: round(0) } }",
            "`round(0)` leaves int64 as it is",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: all, masks: { total: round(2) } }",
            "`round(2)` leaves decimal(12,2) as it is",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: all, when: \"region = 'EU'\" }",
            "there is no row",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: all, when: \"try_cast(subject() as int) = 1\" }",
            "computes with floats",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders, order_lines], columns: [id], rows: { orders: \"true\" } }",
            "has no entry for the table `order_lines`",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [orders], columns: [id], rows: { orders: \"true\", order_lines: \"true\" } }",
            "which is not selected",
        ),
        (
            "{ id: a, to: { everyone: true }, tables: [\"*\"], columns: [id], rows: \"region = 'EU'\" }",
            "on `order_lines`: there is no column `region`",
        ),
    ] {
        let found = Fixture::new(&format!("grants:\n  - {rule}")).problems();
        assert!(found.iter().any(|problem| problem.contains(message)), "{rule}: {found:#?}");
    }
}

#[test]
fn restrictions_do_exactly_one_thing() {
    for (rule, message) in [
        ("{ id: a }", "exactly one thing"),
        ("{ id: a, deny: true, rows: \"true\" }", "exactly one thing"),
        ("{ id: a, hide: true }", "`hide` needs `columns`"),
        ("{ id: a, mask: redact }", "`mask` needs `columns`"),
        ("{ id: a, columns: [card], deny: true }", "`columns` does not go with `deny`"),
        ("{ id: a, columns: [card], hide: false }", "`hide: false` does nothing"),
        (
            "{ id: a, tables: [ordrs], deny: true }",
            "there is no table `ordrs` in the domain `sales`; did you mean `orders`?",
        ),
        ("{ id: a, columns: [crad], hide: true }", "no selected table has a column `crad`"),
        ("{ id: a, tables: [order_lines], rows: \"region = 'EU'\" }", "there is no column `region`"),
        ("{ id: a, unless: [ {} ], deny: true }", "says nobody"),
        ("{ id: a, columns: { unclassified: true, tags: [pii] }, hide: true }", "stands alone"),
        ("{ id: a, tables: [], deny: true }", "`tables` is empty"),
    ] {
        let found = Fixture::new(&format!("restrictions:\n  - {rule}")).problems();
        assert!(found.iter().any(|problem| problem.contains(message)), "{rule}: {found:#?}");
    }
}

#[test]
fn problems_of_all_files_come_at_once() {
    let mut fixture = Fixture::new("");
    fixture.documents = vec![
        document(
            "b.yaml",
            "grants: [ { id: a, to: { everyone: true }, tables: [orders], columns: all, rows: \"regoin = 'x'\" } ]",
        ),
        document(
            "a.yaml",
            "grants: [ { id: a, to: { everyone: true }, tables: [orders], columns: all, rows: \"id = 'x'\" } ]",
        ),
        document("c.yaml", "x: y"),
    ];
    let found = fixture.problems();
    let starts = |start: &str| found.iter().any(|problem| problem.starts_with(start));
    assert!(starts("a.yaml:2: `rows` of `a` on `orders`: "), "{found:#?}");
    assert!(starts(
        "b.yaml:2: `rows` of `a` on `orders`: there is no column `regoin`; did you mean `region`?"
    ));
    assert!(starts("b.yaml:2: the id `a` is used twice, first in a.yaml:2"));
    assert!(starts("c.yaml:2: unknown key `x`"));
    assert_eq!(found.len(), 4, "{found:#?}");
}

#[test]
fn a_grant_on_a_table_that_is_not_there_warns() {
    let grant = |table: &str| {
        format!(
            "grants: [ {{ id: a, to: {{ everyone: true }}, tables: [orders, {table}], columns: [id, gone] }} ]"
        )
    };
    let warnings = Fixture::new(&grant("order")).warnings();
    assert_eq!(
        warnings[0],
        "sales.yaml:2: warning: there is no table `order` in the domain `sales`; did you mean `orders`? [nothing-selected]"
    );
    // Its columns may have been in the table that is not there.
    assert!(warnings[1].contains("warning: no selected table has a column `gone`"), "{warnings:?}");
    let glob = Fixture::new(&grant("\"x*\"").replace(", gone", "")).warnings();
    assert!(glob[0].contains("there is no table `x*`"), "{glob:?}");
    // A restriction whose table's contract is broken does not take the others down.
    let gone = Fixture::new("restrictions: [ { id: a, tables: [forecast], deny: true } ]").warnings();
    assert!(gone[0].contains("there is no table `forecast`"), "{gone:?}");
}

#[test]
fn disclosures_are_checked() {
    let text = "disclosures:\n  - { tables: [orders], columns: [id], join_keys: values, to_domains: [customers], why: Joins }";
    assert_eq!(Fixture::new(text).warnings(), [""; 0]);
    for (from, to, problem) in [
        ("join_keys: values", "join_keys: all", "`all` is not `bounds` or `values`"),
        ("join_keys: values, ", "", "`join_keys` is missing"),
        ("tables: [orders], ", "", "`tables` is missing"),
        ("columns: [id], ", "", "`columns` is missing"),
        ("[id]", "[]", "`columns` is empty"),
        ("[id]", "[idd]", "no selected table has a column `idd`"),
        ("[id]", "[id.part]", "`id.part` is a field inside a column, and no key of joins"),
        ("[orders]", "[customers.orders]", "`customers.orders` is not in the domain `sales`"),
        (", to_domains: [customers]", "", "`to_domains` is missing"),
        ("[customers]", "[]", "`to_domains` is empty"),
        ("[customers]", "[sales]", "`sales` is this domain: it is told nothing new"),
        ("[customers]", "[\"*\"]", "`*` is no name of a domain"),
        ("[customers]", "[system]", "`system` is no name of a domain"),
        ("why: Joins", "whom: Joins", "unknown key `whom`"),
    ] {
        let problems = Fixture::new(&text.replace(from, to)).problems();
        assert!(problems.iter().any(|told| told.contains(problem)), "{to}: {problems:?}");
    }
    // As with grants: perhaps only its contract is broken.
    let gone = Fixture::new(&text.replace("[orders]", "[order]")).warnings();
    assert!(gone[0].contains("there is no table `order`"), "{gone:?}");
}

#[test]
fn domains_have_their_own_names_and_tables() {
    let mut fixture =
        Fixture::new("grants: [ { id: a, to: { everyone: true }, tables: [orders], columns: all } ]");
    fixture.documents[0].text = fixture.documents[0].text.replace("domain: sales", "domain: customers");
    assert_eq!(fixture.problems(), ["sales.yaml:1: this is the domain `sales`, not `customers`"]);
    let (mesh, _) = Mesh::load("mesh.yaml", fixture::MESH).unwrap();
    for reserved in ["system", "information_schema", "public"] {
        assert!(crate::DomainPolicy::load(reserved, &[], &mesh, &[]).is_err());
    }
    // A table of another domain is none of this policy's.
    let mut foreign =
        Fixture::new("grants: [ { id: a, to: { everyone: true }, tables: [\"*\"], columns: all } ]");
    foreign.tables = vec![crate::Table { domain: "customers".into(), name: "orders".into(), ..lines() }];
    assert!(matches!(foreign.decide(), Decision::Absent { .. }));
}

#[test]
fn products_select_their_tables() {
    let by_product = "grants: [ { id: a, to: { everyone: true }, products: [orders], columns: [id] } ]";
    let fixture = Fixture::new(by_product);
    for table in ["orders", "order_lines"] {
        let decision = fixture.policy().decide(table, &fixture.principal, &fixture::STATEMENT);
        assert!(matches!(decision, Decision::Visible(_)), "{table}");
    }
    let other = Fixture::new(&by_product.replace("[orders]", "[returns]"));
    assert!(matches!(other.decide(), Decision::Absent { .. }));
}

#[test]
fn claims_must_be_declared() {
    let found = with("when: \"claim('employmnt') = 'staff'\"");
    assert!(found.contains("mesh.yaml declares no claim `employmnt`; did you mean `employment`?"), "{found}");
    let found = with("when: \"claim('employment') = 'stuff'\"");
    assert!(found.contains("the claim `employment` never is 'stuff'; did you mean `staff`?"), "{found}");
}

#[test]
fn roles_that_differ_only_in_case_are_refused() {
    let grant = |id: &str, to: &str, rows: &str| {
        format!("  - {{ id: {id}, to: {{ {to} }}, tables: [orders], columns: all, rows: \"{rows}\" }}\n")
    };
    let load = |second: String| {
        Fixture::new(&format!("grants:\n{}{second}", grant("a", "roles: [analyst], groups: [crew]", "true")))
    };
    assert!(load(grant("b", "roles: [analyst, analysts]", "has_role('analyst')")).load().is_ok());
    assert_eq!(
        load(grant("b", "roles: [Analyst]", "true")).problems(),
        [
            "sales.yaml:4: the role `Analyst` differs only in case from `analyst` in sales.yaml:3; write it as tokens do"
        ]
    );
    assert_eq!(
        load(grant("b", "groups: [CREW]", "true")).problems(),
        [
            "sales.yaml:4: the group `CREW` differs only in case from `crew` in sales.yaml:3; write it as tokens do"
        ]
    );
    // A role and a group are two things.
    assert!(load(grant("b", "roles: [Crew]", "true")).load().is_ok());
    assert!(
        load(grant("b", "everyone: true", "has_role('ANALYST')")).problems()[0].contains("`ANALYST` differs")
    );
    let unless =
        "restrictions:\n  - { id: r, tables: [orders], unless: [ { roles: [aNALYST] } ], deny: true }\n";
    assert!(load(unless.to_owned()).problems()[0].contains("sales.yaml:5: the role `aNALYST` differs"));
    let operator =
        load(String::new()).operator("  - { id: o, to: { roles: [ANALYST] }, tables: [orders], deny: true }");
    assert!(operator.problems()[0].contains("mesh.yaml:"), "{:?}", operator.problems());
}

#[test]
fn yaml_has_traps_and_none_opens() {
    let everyone = |rest: &str| format!("grants:\n  - {{ id: a, to: {{ everyone: true }}, {rest} }}\n");
    for (rules, expected) in [
        (everyone("tables: [*], columns: all"), "quote"),
        (everyone("tables: *, columns: all"), "quote"),
        (everyone("tables: [orders], columns: all, masks: { card: NO }"), "there is no mask `NO`"),
        (everyone("tables: [orders], columns: all, masks: { card: null }"), "write `nullify`"),
        (everyone("tables: [orders], columns: all, masks: { card: ~ }"), "write `nullify`"),
        (everyone("tables: [orders], columns: all, rows: NO"), "write rows: \"NO\""),
        (everyone("tables: [orders], columns: all, rows: 0123"), "write rows: \"0123\""),
        (everyone("tables: [orders], columns: all, when: on"), "write when: \"on\""),
        (everyone("tables: [orders], columns: all, until: 2027"), "write the last day as YYYY-MM-DD"),
        (everyone("tables: [orders], columns: null"), "`columns` does not say which"),
        (everyone("tables: null, columns: all"), "`tables` has no value"),
        (
            "grants:\n  - { id: a, to: { everyone: yes }, tables: [orders], columns: all }\n".into(),
            "`everyone` is not `true` or `false`",
        ),
        (
            "grants:\n  - { id: a, to: { roles: [~] }, tables: [orders], columns: all }\n".into(),
            "`roles` has no value, expected a list of texts",
        ),
    ] {
        let found = Fixture::new(&rules).problems();
        assert!(found.iter().any(|problem| problem.contains(expected)), "{rules}: {found:#?}");
    }
    // Texts of YAML stay the texts that they are: zeros in front, `NO`.
    let fixture = Fixture::new(
        "grants:\n  - { id: a, to: { roles: [NO], subjects: [007] }, tables: [orders], columns: all }\n",
    );
    let absent = |subject: &str| {
        let principal = crate::Principal { subject: subject.into(), ..crate::Principal::default() };
        matches!(fixture.policy().decide("orders", &principal, &fixture::STATEMENT), Decision::Absent { .. })
    };
    assert!(!absent("007") && absent("7"));
    assert!(matches!(fixture.role("NO").decide(), Decision::Visible(_)));
}

#[test]
fn there_are_only_so_many_documents() {
    let mut fixture = Fixture::new("");
    fixture.documents = (0..1_000).map(|number| document(&format!("{number}.yaml"), "")).collect();
    assert!(fixture.warnings().is_empty());
    for more in ["a.yaml", "b.yaml"] {
        fixture.documents.push(document(more, ""));
        assert_eq!(fixture.problems(), [": the domain has more than 1000 policy documents"]);
    }
}

#[test]
fn own_masks_take_no_name_of_the_language() {
    for name in ["redact", "last", "pseudonym"] {
        let found = problem(&format!("masks: {{ {name}: value }}"));
        assert_eq!(
            found,
            format!("sales.yaml:2: `{name}` is the name of a mask of the language; choose another name")
        );
    }
    assert!(Fixture::new("masks: { redacted: value }").load().is_ok());
}

#[test]
fn a_comment_behind_a_mask_is_none_of_it() {
    let mask = |mask: &str| {
        Fixture::new(&format!(
            "restrictions:\n  - id: a\n    columns: [card]\n    mask: {mask}\n    tables: [orders]"
        ))
    };
    for whole in ["redact # all", "last(4) # of the number", "\"constant('a # b')\""] {
        assert!(mask(whole).warnings().is_empty(), "{whole}");
    }
    assert_eq!(
        mask("constant('a # b')").problems(),
        ["sales.yaml:5: a `#` cuts the mask off; quote the mask"]
    );
}

/// A selection that cannot be read is not also said to be missing, nor taken for all tables.
#[test]
fn a_broken_selection_is_one_problem() {
    problem("restrictions:\n  - { id: a, tables: 5, rows: \"sku = 'x'\" }");
    for selection in ["tables: 5", "products: {}"] {
        let found = problem(&format!(
            "grants:\n  - {{ id: a, to: {{ everyone: true }}, {selection}, columns: all }}"
        ));
        assert!(!found.contains("missing"), "{selection}: {found}");
    }
}

#[test]
fn without_an_operators_document_nothing_is_granted() {
    let fixture =
        Fixture::new("grants:\n  - { id: a, to: { everyone: true }, tables: [orders], columns: all }");
    assert!(matches!(fixture.decide(), Decision::Visible(_)));
    let missing = Mesh::missing();
    assert!(missing.is_missing());
    let (policy, problems) =
        DomainPolicy::load("sales", &fixture.documents, &missing, &fixture.tables).unwrap();
    assert!(problems.is_empty(), "{problems:?}");
    let decision = policy.decide("orders", &fixture.principal, &super::fixture::STATEMENT);
    assert!(matches!(decision, Decision::Absent { .. }), "{decision:?}");
}

#[test]
fn there_are_only_so_many_rules() {
    let rules = |count: usize| {
        let rule = |number| {
            format!("  - {{ id: r{number}, to: {{ roles: [nobody] }}, tables: [orders], columns: [id] }}\n")
        };
        Fixture::new(&format!("grants:\n{}", (0..count).map(rule).collect::<String>()))
    };
    assert!(rules(10_000).warnings().is_empty());
    let problems = rules(10_001).problems();
    assert!(problems.len() == 1 && problems[0].contains("more than 10000 rules"), "{problems:?}");
}
