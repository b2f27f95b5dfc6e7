use super::{
    fixture::{STATEMENT, document},
    *,
};
use crate::{Cell, ClaimValue, Decision, DomainPolicy, Shows, Statement, decision::RuleKind};

const ALL: &str = "{ id: all, to: { roles: [analyst] }, tables: [orders], columns: all }";

fn grants(grants: &[&str]) -> Fixture {
    Fixture::new(&format!("grants: [ {} ]", grants.join(", ")))
}

/// Grants, then restrictions.
fn rules(grants: &[&str], restrictions: &[&str]) -> Fixture {
    Fixture::new(&format!("grants: [ {} ]\nrestrictions: [ {} ]", grants.join(", "), restrictions.join(", ")))
}

fn rows(decision: Decision) -> String {
    visible(decision).rows.map_or_else(|| "all".to_owned(), |rows| rows.to_string())
}

fn is_absent(decision: &Decision) -> bool {
    matches!(decision, Decision::Absent { .. })
}

fn names(decision: Decision) -> Vec<String> {
    visible(decision).columns.into_iter().map(|column| column.name).collect()
}

fn cell(decision: Decision, name: &str) -> String {
    let decision = visible(decision);
    cells(&decision).into_iter().find(|cell| cell.starts_with(name)).unwrap_or_else(|| "hidden".into())
}

#[test]
fn a001_each_principal_gets_its_rows_otto_gets_no_table() {
    let fixture = || {
        grants(&[
            "{ id: eu, to: { roles: [eu] }, tables: [orders], columns: all, rows: \"region = 'EU'\" }",
            "{ id: us, to: { roles: [us] }, tables: [orders], columns: all, rows: \"region = 'US'\" }",
            "{ id: audit, to: { subjects: [auditor] }, tables: [orders], columns: all }",
        ])
    };
    assert_eq!(rows(fixture().role("eu").decide()), "(\"region\" = 'EU')");
    assert_eq!(rows(fixture().role("us").decide()), "(\"region\" = 'US')");
    let mut auditor = fixture();
    auditor.principal.subject = "auditor".into();
    assert_eq!(rows(auditor.decide()), "all");
    assert_eq!(fixture().decide(), Decision::Absent { rules: vec![] });
}

#[test]
fn a003_the_policy_is_one_condition_of_its_own() {
    let both = grants(&[
        "{ id: a, to: { roles: [analyst] }, tables: [orders], columns: all, rows: \"region = 'EU' or total > 1\" }",
    ]);
    assert_eq!(rows(both.decide()), "or((\"region\" = 'EU'), (\"total\" > 100:decimal(12,2)))");
    let restricted = rules(
        &[
            "{ id: a, to: { roles: [analyst] }, tables: [orders], columns: all, rows: \"region = 'EU' or total > 1\" }",
        ],
        &["{ id: r, rows: \"id = 1 or id = 2\" }"],
    );
    assert_eq!(
        rows(restricted.decide()),
        "and(or((\"region\" = 'EU'), (\"total\" > 100:decimal(12,2))), or((\"id\" = 1:int64), (\"id\" = 2:int64)))"
    );
}

#[test]
fn a004_grants_or_restrictions_and() {
    for combination in 0..16 {
        let has = |bit: usize| combination & (1 << bit) != 0;
        let mut fixture = rules(
            &[
                "{ id: g1, to: { roles: [g1] }, tables: [orders], columns: all, rows: \"id = 1\" }",
                "{ id: g2, to: { roles: [g2] }, tables: [orders], columns: all, rows: \"id = 2\" }",
            ],
            &[
                "{ id: r1, tables: [orders], to: { roles: [r1] }, rows: \"region = 'a'\" }",
                "{ id: r2, tables: [orders], to: { roles: [r2] }, rows: \"region = 'b'\" }",
            ],
        );
        for (bit, role) in ["g1", "g2", "r1", "r2"].into_iter().enumerate() {
            if has(bit) {
                fixture = fixture.role(role);
            }
        }
        let decision = fixture.decide();
        if !has(0) && !has(1) {
            assert!(is_absent(&decision), "{combination}");
            continue;
        }
        let (g1, g2) = ("(\"id\" = 1:int64)", "(\"id\" = 2:int64)");
        let either = format!("or({g1}, {g2})");
        let given = [either.as_str(), g1, g2];
        let mut terms = vec![if has(0) && has(1) {
            given[0]
        } else if has(0) {
            given[1]
        } else {
            given[2]
        }];
        terms.extend(has(2).then_some("(\"region\" = 'a')"));
        terms.extend(has(3).then_some("(\"region\" = 'b')"));
        let expected =
            if terms.len() == 1 { terms[0].to_owned() } else { format!("and({})", terms.join(", ")) };
        assert_eq!(rows(decision), expected, "{combination}");
    }
}

#[test]
fn a005_null_is_not_true() {
    let never = grants(&[
        "{ id: a, to: { roles: [analyst] }, tables: [orders], columns: all, rows: \"cast(null as boolean)\" }",
    ]);
    assert_eq!(rows(never.decide()), "false");
    let when = grants(&[
        "{ id: a, to: { roles: [analyst] }, tables: [orders], columns: all, when: \"purpose() = 'fraud'\" }",
    ]);
    assert!(is_absent(&when.decide()));
    let restricted = rules(&[ALL], &["{ id: r, rows: \"purpose() = 'fraud'\" }"]);
    assert_eq!(rows(restricted.decide()), "false");
}

#[test]
fn a020_no_rows_is_another_thing_than_no_grant() {
    let grant = "{ id: a, to: { roles: [analyst] }, tables: [orders], columns: [id, region], rows: \"claim_has('regions', region)\" }";
    let empty = grants(&[grant]).texts("regions", &[]);
    assert_eq!(names(empty.decide()), ["id", "region"]);
    assert_eq!(rows(empty.decide()), "false");
    // Without the claim the grant does not apply: no table.
    assert!(is_absent(&grants(&[grant]).decide()));
}

#[test]
fn rules_that_leave_rows_out_are_told_from_those_that_do_not() {
    const EU: &str =
        "{ id: eu, to: { roles: [analyst] }, tables: [orders], columns: all, rows: \"region = 'EU'\" }";
    const ONE: &str =
        "{ id: one, to: { roles: [analyst] }, tables: [orders], columns: all, rows: \"id = 1\" }";
    const NEVER: &str = "{ id: never, to: { roles: [analyst] }, tables: [orders], columns: all, rows: \"purpose() = 'fraud'\" }";
    const MASK: &str = "{ id: mask, columns: [card], mask: redact }";
    const SMALL: &str = "{ id: small, rows: \"id < 9\" }";
    const EVERY: &str = "{ id: every, rows: \"subject() = 'alice'\" }";
    const NONE: &str = "{ id: none, rows: \"purpose() = 'fraud'\" }";
    for (grants, restrictions, expected) in [
        (vec![ALL], vec![], vec![]),
        (vec![EU], vec![], vec!["eu"]),
        (vec![EU, ONE], vec![MASK], vec!["eu", "one"]),
        (vec![EU, ALL], vec![], vec![]),
        (vec![EU, ALL], vec![MASK, SMALL], vec!["small"]),
        (vec![ALL], vec![EVERY], vec![]),
        (vec![EU], vec![EVERY, SMALL], vec!["eu", "small"]),
        (vec![NEVER], vec![], vec!["never"]),
        (vec![ALL], vec![SMALL, NONE], vec!["small", "none"]),
    ] {
        let decision = visible(rules(&grants, &restrictions).decide());
        let named: Vec<_> = decision.row_rules.iter().map(|rule| decision.rules[*rule].id.as_str()).collect();
        assert_eq!(named, expected, "{grants:?} {restrictions:?}");
        assert_eq!(decision.row_rules.is_empty(), decision.rows.is_none());
    }
}

#[test]
fn a028_masks_read_raw_columns_and_never_chain() {
    let fixture = rules(
        &[
            "{ id: a, to: { roles: [analyst] }, tables: [orders], columns: all, masks: { note: { sql: \"concat(card, value)\" }, card: redact } }",
        ],
        &["{ id: r, columns: [region], mask: { sql: \"left(card, 1)\" } }"],
    );
    let decision = visible(fixture.decide());
    assert_eq!(
        cells(&decision)[1..4],
        ["region?*=left(\"card\", 1)", "card?*='***'", "note?*=concat(\"card\", \"note\")"]
    );
}

#[test]
fn a029_masks_may_read_columns_that_are_hidden() {
    let fixture = rules(
        &[
            "{ id: a, to: { roles: [analyst] }, tables: [orders], columns: [id, card], masks: { card: { sql: \"case when region = 'EU' then value end\" } } }",
        ],
        &["{ id: r, columns: [region], hide: true }"],
    );
    let decision = visible(fixture.decide());
    assert_eq!(cells(&decision), ["id=raw", "card?*=case((\"region\" = 'EU') -> \"card\", ):text"]);
}

#[test]
fn a030_row_filters_read_raw_values() {
    let fixture = grants(&[
        "{ id: a, to: { roles: [analyst] }, tables: [orders], columns: all, rows: \"card = '4111'\", masks: { card: last(4) } }",
    ]);
    assert_eq!(rows(fixture.decide()), "(\"card\" = '4111')");
    assert_eq!(cell(fixture.decide(), "card"), "card?*=keep_last(\"card\", 4)");
}

#[test]
fn a031_a_mask_has_the_columns_type() {
    let problem = |mask: &str| {
        let grant = format!(
            "{{ id: a, to: {{ roles: [analyst] }}, tables: [orders], columns: all, masks: {{ {mask} }} }}"
        );
        grants(&[&grant]).problems().join("\n")
    };
    assert!(
        problem("id: last(4)")
            .contains("mask on `orders.id`: this mask is for the type text, the column is int64")
    );
    assert!(problem("id: first(4)").contains("this mask is for the type text"));
    assert!(problem("card: year").contains("the type date"));
    assert!(problem("id: { sql: \"region\" }").contains("`region` is not a value of type int64"));
    assert!(problem("fresh: { sql: \"id\" }").contains("`id` is not a value of type int32"));
    assert!(problem("total: { sql: \"value * 2\" }").contains("is not a value of type decimal(12,2)"));
    assert!(problem("id: constant('x')").contains("the constant is not a value of type int64"));
    assert!(problem("day: constant('2026-02-30')").contains("the constant is not a value of type date"));
    assert!(problem("fresh: constant(3000000000)").contains("the constant is not a value of type int32"));
    assert!(
        problem("total: { text: redact }").contains("no mask for the type decimal(12,2); add `number: ..`")
    );
}

#[test]
fn masks_of_all_forms() {
    let shown = |column: &str, mask: &str| {
        let grant = format!(
            "{{ id: a, to: {{ roles: [analyst] }}, tables: [orders], columns: all, masks: {{ {column}: {mask} }} }}"
        );
        let cell = cell(grants(&[&grant]).decide(), column);
        cell.split_once('=').unwrap().1.to_owned()
    };
    assert_eq!(shown("card", "redact"), "'***'");
    assert_eq!(shown("id", "redact"), "null:int64");
    assert_eq!(shown("card", "nullify"), "null:text");
    assert_eq!(shown("card", "last(4)"), "keep_last(\"card\", 4)");
    assert_eq!(shown("card", "first(2)"), "keep_first(\"card\", 2)");
    assert_eq!(shown("day", "year"), "date_trunc(\"day\", year)");
    assert_eq!(shown("day", "month"), "date_trunc(\"day\", month)");
    assert_eq!(shown("day", "day"), "date_trunc(\"day\", day)");
    assert_eq!(shown("card", "email_domain"), "email_domain(\"card\")");
    assert_eq!(shown("id", "bucket(10)"), "bucket(\"id\", 10)");
    assert_eq!(shown("total", "bucket(1)"), "bucket(\"total\", 1)");
    assert_eq!(shown("total", "round(-3)"), "round(\"total\", -3)");
    assert_eq!(shown("total", "{ number: round(1), other: nullify }"), "round(\"total\", 1)");
    assert_eq!(shown("card", "\"constant('it''s')\""), "'it''s'");
    assert_eq!(shown("total", "constant(1.5)"), "150:decimal(12,2)");
    assert_eq!(shown("id", "constant(-1)"), "-1:int64");
    assert_eq!(shown("day", "constant('1970-01-02')"), "1:date");
    assert_eq!(shown("id", "{ sql: \"fresh\" }"), "cast(\"fresh\", int64)");
    assert_eq!(shown("fresh", "{ sql: \"5\" }"), "5:int32");
    assert_eq!(shown("total", "{ number: constant(0), other: nullify }"), "0:decimal(12,2)");
    assert_eq!(shown("day", "{ text: redact, date: year, other: nullify }"), "date_trunc(\"day\", year)");
    assert_eq!(shown("id", "{ text: redact, date: year, other: nullify }"), "null:int64");
    assert_eq!(shown("card", "pseudonym(person)"), "pseudonym(\"card\", 'person', mesh)");
    assert_eq!(shown("id", "pseudonym(order)"), "pseudonym(\"id\", 'order', domain)");
    assert_eq!(shown("id", "{ integer: pseudonym(person) }"), "pseudonym(\"id\", 'person', mesh)");
}

#[test]
fn a032_spaces_of_pseudonyms_are_in_the_digest_and_known_to_the_node() {
    let with = |scope: &str| {
        let mut fixture = grants(&[ALL]).operator(
            "  - { id: keys, columns: { tags: [pci] }, mask: { text: pseudonym(person), other: nullify } }",
        );
        fixture.mesh =
            fixture.mesh.replace("person: { scope: mesh }", &format!("person: {{ scope: {scope} }}"));
        fixture
    };
    let digest = |fixture: &Fixture| match fixture.decide() {
        Decision::Visible(decision) => decision.digest,
        Decision::Absent { .. } => panic!("visible"),
    };
    assert_ne!(digest(&with("mesh")), digest(&with("domain")));
    let spaces: Vec<String> = with("domain")
        .policy()
        .pseudonym_spaces()
        .iter()
        .map(|space| format!("{} {}", space.name, space.scope))
        .collect();
    assert_eq!(spaces, ["person domain"]);
    assert!(grants(&[ALL]).policy().pseudonym_spaces().is_empty());
}

#[test]
fn own_masks_are_expressions_by_name() {
    let text = "masks: { domain_part: \"concat(value, region)\" }\ngrants: [ { id: a, to: { everyone: true }, tables: [orders], columns: all, masks: { card: domain_part } } ]";
    assert_eq!(cell(Fixture::new(text).decide(), "card"), "card?*=concat(\"card\", \"region\")");
}

#[test]
fn a036_a_mask_by_tag_applies_to_every_match_and_to_columns_added_later() {
    let mut fixture = grants(&[ALL]).operator(
        "  - { id: pii, columns: { tags: [pii] }, mask: { text: redact, date: year, other: nullify } }",
    );
    assert_eq!(cell(fixture.decide(), "card"), "card?*='***'");
    assert_eq!(cell(fixture.decide(), "note"), "note?*='***'");
    assert_eq!(cell(fixture.decide(), "day"), "day?*=date_trunc(\"day\", year)");
    assert_eq!(cell(fixture.decide(), "region"), "region=raw");
    let mut added = fixture.tables[0].columns[3].clone();
    added.name = "added".into();
    fixture.tables[0].columns.push(added);
    assert_eq!(cell(fixture.decide(), "added"), "added?*='***'");
}

#[test]
fn a037_a_column_added_later_is_hidden_until_granted() {
    let by_class =
        "{ id: a, to: { roles: [analyst] }, tables: [orders], columns: { classification: [internal] } }";
    let by_name = "{ id: a, to: { roles: [analyst] }, tables: [orders], columns: [id, region] }";
    assert_eq!(names(grants(&[by_class]).decide()), ["id", "region", "total", "day"]);
    assert_eq!(names(grants(&[by_name]).decide()), ["id", "region"]);
    let unclassified = grants(&[ALL]).operator("  - { id: u, columns: { unclassified: true }, hide: true }");
    assert!(!names(unclassified.decide()).contains(&"fresh".to_owned()));
    assert!(names(grants(&[ALL]).decide()).contains(&"fresh".to_owned()));
}

#[test]
fn a037_words_of_contracts_that_nobody_declared_open_nothing() {
    let mut fixture = grants(&[ALL]).operator("  - { id: u, columns: { unclassified: true }, hide: true }");
    assert!(names(fixture.decide()).contains(&"card".to_owned()));
    fixture.tables[0].columns[2].classification = Some("Restricted".into());
    fixture.tables[0].columns[2].tags = vec!["PII".into(), "gdpr-art-6".into()];
    assert!(!names(fixture.decide()).contains(&"card".to_owned()));
    let (_, warnings) = fixture.load().unwrap();
    let texts: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert!(
        texts.iter().any(|text| text.contains("`Restricted`") && text.contains("`restricted`")),
        "{texts:?}"
    );
    assert!(texts.iter().any(|text| text.contains("`PII`") && text.contains("`pii`")), "{texts:?}");
    assert!(!texts.iter().any(|text| text.contains("gdpr")), "{texts:?}");
}

#[test]
fn a065_without_documents_nothing_exists() {
    let mut fixture = grants(&[ALL]);
    assert!(!is_absent(&fixture.decide()));
    fixture.documents.clear();
    assert!(is_absent(&fixture.decide()));
    fixture.documents = vec![document("sales.yaml", "")];
    assert!(is_absent(&fixture.decide()));
    assert!(is_absent(&DomainPolicy::deny_all("sales").decide("orders", &fixture.principal, &STATEMENT)));
    fixture.documents[0].text = String::new();
    assert_eq!(fixture.problems(), ["sales.yaml: the file is empty"]);
}

#[test]
fn a112_grant_mask_against_restriction_mask() {
    let masks = ["nullify", "last(4)", "redact"];
    let shown = ["null:text", "keep_last(\"card\", 4)", "'***'"];
    for (g, grant_mask) in masks.iter().enumerate() {
        for (r, mask) in masks.iter().enumerate() {
            let grant = format!(
                "{{ id: a, to: {{ roles: [analyst] }}, tables: [orders], columns: all, masks: {{ card: {grant_mask} }} }}"
            );
            let restriction = format!("{{ id: r, columns: [card], mask: {mask} }}");
            let cell = cell(rules(&[&grant], &[&restriction]).decide(), "card");
            let expected = if g == r { shown[g] } else { shown[2] };
            assert_eq!(cell, format!("card?*={expected}"), "{grant_mask} {mask}");
        }
    }
}

#[test]
fn two_restrictions_masks_redact_unless_equal() {
    let two = |a: &str, b: &str| {
        let (a, b) = (
            format!("{{ id: a1, columns: [card], mask: {a} }}"),
            format!("{{ id: b1, columns: [card], mask: {b} }}"),
        );
        cell(rules(&[ALL], &[&a, &b]).decide(), "card")
    };
    assert_eq!(two("last(4)", "last(4)"), "card?*=keep_last(\"card\", 4)");
    assert_eq!(two("last(4)", "{ sql: \"lower(value)\" }"), "card?*='***'");
    assert_eq!(two("{ sql: \"lower( value )\" }", "{ sql: \"LOWER(card)\" }"), "card?*=lower(\"card\")");
}

#[test]
fn masks_and_claims_that_are_missing() {
    let mask = "{ id: r, columns: [card], mask: { sql: \"claim('tenant')\" } }";
    assert_eq!(cell(rules(&[ALL], &[mask]).decide(), "card"), "card?*='***'");
    let with = rules(&[ALL], &[mask]).claim("tenant", ClaimValue::Text("acme".into()));
    assert_eq!(cell(with.decide(), "card"), "card?*='acme'");
    // In a grant's mask: the grant does not apply at all.
    let grant = "{ id: a, to: { roles: [analyst] }, tables: [orders], columns: all, masks: { card: { sql: \"claim('tenant')\" } } }";
    assert!(is_absent(&grants(&[grant]).decide()));
    assert!(!is_absent(&grants(&[grant]).claim("tenant", ClaimValue::Text("acme".into())).decide()));
}

#[test]
fn claims_of_another_type_are_missing() {
    let grant = "{ id: a, to: { roles: [analyst] }, tables: [orders], columns: all, rows: \"region = claim('tenant')\" }";
    assert_eq!(
        rows(grants(&[grant]).claim("tenant", ClaimValue::Text("EU".into())).decide()),
        "(\"region\" = 'EU')"
    );
    assert!(is_absent(&grants(&[grant]).claim("tenant", ClaimValue::Integer(5)).decide()));
    assert!(is_absent(&grants(&[grant]).texts("tenant", &["EU"]).decide()));
    assert!(is_absent(&grants(&[grant]).decide()));
}

#[test]
fn a_claim_that_is_missing_never_opens() {
    // Each of these would be TRUE or FALSE in the caller's favour with NULL for the claim.
    let open = "coalesce(claim('tenant'), 'all') = 'all'";
    let grant =
        format!("{{ id: a, to: {{ roles: [analyst] }}, tables: [orders], columns: all, rows: \"{open}\" }}");
    assert!(is_absent(&grants(&[&grant]).decide()));
    let restriction = format!("{{ id: r, rows: \"{open}\" }}");
    assert_eq!(rows(rules(&[ALL], &[&restriction]).decide()), "false");
    let lifted = "{ id: r, when: \"claim('tenant') is not null\", deny: true }";
    assert!(is_absent(&rules(&[ALL], &[lifted]).decide()));
    let excused = "{ id: r, unless: [ { when: \"claim('tenant') is null\" } ], deny: true }";
    assert!(is_absent(&rules(&[ALL], &[excused]).decide()));
}

#[test]
fn claims_of_the_whole_grant_count() {
    let grant = "{ id: a, to: { roles: [analyst] }, tables: [orders, order_lines], columns: [id], rows: { orders: \"true\", order_lines: \"sku = claim('tenant')\" } }";
    assert!(is_absent(&grants(&[grant]).decide()));
    let with = grants(&[grant]).claim("tenant", ClaimValue::Text("x".into()));
    assert_eq!(rows(with.decide()), "all");
    assert_eq!(with.policy().claims_read("orders").iter().collect::<Vec<_>>(), ["tenant"]);
}

#[test]
fn whom_a_grant_is_for() {
    let decided = |to: &str, change: fn(&mut Fixture)| {
        let grant = format!("{{ id: a, to: {to}, tables: [orders], columns: all }}");
        let mut fixture = grants(&[&grant]);
        change(&mut fixture);
        !is_absent(&fixture.decide())
    };
    assert!(decided("{ everyone: true }", |_| {}));
    assert!(decided("{ roles: [analyst, boss] }", |_| {}));
    assert!(!decided("{ roles: [boss] }", |_| {}));
    assert!(decided("{ subjects: [alice] }", |_| {}));
    assert!(!decided("{ subjects: [Alice] }", |_| {}));
    assert!(decided("{ groups: [g] }", |fixture| fixture.principal.groups = ["g".to_owned()].into()));
    assert!(!decided("{ groups: [analyst] }", |_| {}));
    assert!(decided("{ roles: [boss], subjects: [alice] }", |_| {}));
}

#[test]
fn purposes_are_required_where_they_are_named() {
    let grant = "{ id: a, to: { roles: [analyst] }, purpose: fraud, tables: [orders], columns: all }";
    assert!(is_absent(&grants(&[grant]).decide()));
    assert!(!is_absent(&grants(&[grant]).purpose("fraud").decide()));
    assert!(is_absent(&grants(&[grant]).purpose("other").decide()));
    let restriction = "{ id: r, deny: true, unless: [ { roles: [analyst], purpose: fraud } ] }";
    assert!(is_absent(&rules(&[ALL], &[restriction]).decide()));
    assert!(!is_absent(&rules(&[ALL], &[restriction]).purpose("fraud").decide()));
}

#[test]
fn until_is_the_last_day_in_the_meshs_zone() {
    let ends = |day: &str| {
        let grant =
            format!("{{ id: a, to: {{ roles: [analyst] }}, until: {day}, tables: [orders], columns: all }}");
        !is_absent(&grants(&[&grant]).decide())
    };
    // 23:30 on the 22nd in London is the 23rd in Berlin.
    assert!(ends("2026-11-23") && ends("2026-11-24"));
    assert!(!ends("2026-11-22"));
    let grant =
        grants(&["{ id: a, to: { roles: [analyst] }, until: 2026-11-24, tables: [orders], columns: all }"]);
    let outside = Statement { instant: i64::MAX, ..STATEMENT };
    assert!(is_absent(&grant.policy().decide("orders", &grant.principal, &outside)));
}

#[test]
fn restrictions_hide_and_deny() {
    let hidden = rules(&[ALL], &["{ id: r, columns: [card, note], hide: true }"]);
    assert_eq!(names(hidden.decide()), ["id", "region", "total", "day", "fresh"]);
    let all_hidden = rules(
        &["{ id: a, to: { roles: [analyst] }, tables: [orders], columns: [card] }"],
        &["{ id: r, columns: [card], hide: true }"],
    );
    assert!(is_absent(&all_hidden.decide()));
    let denied = rules(&[ALL], &["{ id: r, deny: true, why: Closed }"]);
    let Decision::Absent { rules: by } = denied.decide() else { panic!("denied") };
    assert_eq!(
        by.iter().map(|rule| (rule.id.as_str(), rule.kind)).collect::<Vec<_>>(),
        [("r", RuleKind::Deny)]
    );
    let elsewhere = rules(&[ALL], &["{ id: r, tables: [order_lines], deny: true }"]);
    assert!(!is_absent(&elsewhere.decide()));
    let others = rules(&[ALL], &["{ id: r, to: { roles: [intern] }, deny: true }"]);
    assert!(!is_absent(&others.decide()));
}

#[test]
fn a_when_lifts_a_restriction_only_if_it_is_false() {
    let denied = |when: &str, level: Option<i64>| {
        let restriction = format!("{{ id: r, when: \"{when}\", deny: true }}");
        let mut fixture = rules(&[ALL], &[&restriction]);
        if let Some(level) = level {
            fixture = fixture.claim("level", ClaimValue::Integer(level));
        }
        is_absent(&fixture.decide())
    };
    assert!(denied("claim('level') < 3", Some(1)));
    assert!(!denied("claim('level') < 3", Some(5)));
    assert!(denied("claim('level') < 3", None));
    assert!(denied("purpose() = 'x'", None));
}

#[test]
fn unless_excuses_if_some_entry_is_true_as_a_whole() {
    let denied = |unless: &str| {
        let restriction = format!("{{ id: r, unless: [ {unless} ], deny: true }}");
        is_absent(&rules(&[ALL], &[&restriction]).claim("level", ClaimValue::Integer(3)).decide())
    };
    assert!(!denied("{ roles: [analyst] }"));
    assert!(denied("{ roles: [boss] }"));
    assert!(!denied("{ roles: [boss] }, { subjects: [alice] }"));
    assert!(!denied("{ roles: [analyst], when: \"claim('level') = 3\" }"));
    assert!(denied("{ roles: [analyst], when: \"claim('level') = 4\" }"));
    assert!(denied("{ roles: [boss], when: \"claim('level') = 3\" }"));
    assert!(denied("{ when: \"purpose() = 'x'\" }"));
    assert!(!denied("{ everyone: true }"));
}

#[test]
fn cases_only_where_grants_differ() {
    let eu = "{ id: eu, to: { roles: [analyst] }, tables: [orders], columns: [id, region, card], rows: \"region = 'EU'\", masks: { card: last(4) } }";
    let us = "{ id: us, to: { roles: [analyst] }, tables: [orders], columns: [id, card, total], rows: \"region = 'US'\", masks: { card: last(4) } }";
    let raw =
        "{ id: raw, to: { roles: [analyst] }, tables: [orders], columns: [id, card], rows: \"id = 1\" }";
    assert_eq!(
        cells(&visible(grants(&[eu, us]).decide())),
        [
            "id=raw",
            "region?*=case((\"region\" = 'EU') -> \"region\", ):text",
            "card?*=keep_last(\"card\", 4)",
            "total?*=case((\"region\" = 'US') -> \"total\", ):decimal(12,2)",
        ]
    );
    assert_eq!(
        cell(grants(&[eu, us, raw]).decide(), "card"),
        "card?*=case((\"id\" = 1:int64) -> \"card\", else keep_last(\"card\", 4)):text"
    );
    // NULL is NULL, by a mask or for want of a grant.
    let null = eu.replace("last(4)", "nullify");
    let without =
        us.replace("[id, card, total], rows", "[id, total], rows").replace("card: last(4)", "total: redact");
    assert_eq!(cell(grants(&[&null, &without]).decide(), "card"), "card?*=null:text");
    // Of a grant that gives all rows to this caller the column is raw, but not plain.
    let every = raw.replace("id = 1", "has_role('analyst')");
    assert_eq!(cell(grants(&[eu, &every]).decide(), "card"), "card?*=raw");
    // A grant for all rows makes the column raw, and plain.
    assert_eq!(cell(grants(&[eu, us, ALL]).decide(), "card"), "card=raw");
    assert_eq!(rows(grants(&[eu, us, ALL]).decide()), "all");
    // Masks of grants differ by row: the first that gives the row decides.
    let first = eu.replace("last(4)", "first(1)");
    assert_eq!(
        cell(grants(&[&first, us]).decide(), "card"),
        "card?*=case((\"region\" = 'EU') -> keep_first(\"card\", 1), else keep_last(\"card\", 4)):text"
    );
}

#[test]
fn what_does_not_depend_on_the_row_is_computed() {
    let grant = "{ id: a, to: { roles: [analyst] }, tables: [orders], columns: all, rows: \"has_role('boss') or region = 'EU' and day < date_trunc('year', today())\" }";
    assert_eq!(rows(grants(&[grant]).decide()), "and((\"region\" = 'EU'), (\"day\" < 20454:date))");
    assert_eq!(rows(grants(&[grant]).role("boss").decide()), "all");
    let list = "{ id: a, to: { roles: [analyst] }, tables: [orders], columns: all, rows: \"claim_has('stores', fresh)\" }";
    let stores = grants(&[list]).claim("stores", ClaimValue::Integers(vec![1, i64::MAX, 2]));
    assert_eq!(rows(stores.decide()), "in(\"fresh\", [1:int32, 2:int32])");
}

#[test]
fn file_names_then_document_order_decide_whose_mask_comes_first() {
    let grant = |id: &str, mask: &str| {
        format!(
            "grants: [ {{ id: {id}, to: {{ roles: [analyst] }}, tables: [orders], columns: [id, card], rows: \"id > 0\", masks: {{ card: {mask} }} }} ]"
        )
    };
    let mut fixture = Fixture::new("");
    fixture.documents =
        vec![document("b.yaml", &grant("b", "last(4)")), document("a.yaml", &grant("a", "first(1)"))];
    let decision = visible(fixture.decide());
    assert_eq!(decision.rules.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(cell(fixture.decide(), "card").contains("-> keep_first"));
    let version = fixture.policy().owner_version();
    fixture.documents.reverse();
    assert_eq!(fixture.policy().owner_version(), version);
    assert_eq!(visible(fixture.decide()).digest, decision.digest);
}

#[test]
fn digests_change_with_what_is_decided_and_with_nothing_else() {
    let base = "{ id: a, why: First, to: { roles: [analyst] }, tables: [orders], columns: [id, card], rows: \"region = 'EU'\" }";
    let digest = |grant: &str| visible(grants(&[grant]).decide()).digest;
    let same = digest(base);
    assert_eq!(digest(&base.replace("First", "Second")), same);
    assert_eq!(digest(&base.replace("region = 'EU'", "( REGION='EU' )")), same);
    assert_eq!(
        visible(grants(&[base, "{ id: b, to: { roles: [boss] }, tables: [orders], columns: all }"]).decide())
            .digest,
        same
    );
    for (from, to) in [
        ("id: a,", "id: b,"),
        ("'EU'", "'US'"),
        ("[id, card]", "[id]"),
        ("[analyst]", "[analyst, boss]"),
        (", rows", ", until: 2027-01-01, rows"),
        (", rows", ", masks: { card: redact }, rows"),
        (", rows", ", when: \"true\", rows"),
    ] {
        assert_ne!(digest(&base.replace(from, to)), same, "{to}");
    }
    let restricted = |restriction: &str| visible(rules(&[base], &[restriction]).decide()).digest;
    assert_ne!(restricted("{ id: r, rows: \"id = 1\" }"), same);
    assert_ne!(restricted("{ id: r, rows: \"id = 1\" }"), restricted("{ id: r, rows: \"id = 2\" }"));
    assert_ne!(
        restricted("{ id: r, columns: [card], mask: redact }"),
        restricted("{ id: r, columns: [card], mask: nullify }")
    );
    // Claims are the same on both sides by the permit.
    let claims = "{ id: a, to: { roles: [analyst] }, tables: [orders], columns: [id], rows: \"claim_has('regions', region)\" }";
    let with = |regions: &[&str]| visible(grants(&[claims]).texts("regions", regions).decide()).digest;
    assert_eq!(with(&["EU"]), with(&["US"]));
}

#[test]
fn the_claims_that_travel_are_those_that_are_read() {
    let fixture = rules(
        &[
            "{ id: a, to: { roles: [analyst] }, when: \"claim('employment') = 'staff'\", tables: [orders], columns: all, rows: \"claim_has('regions', region)\" }",
            "{ id: b, to: { roles: [x] }, tables: [order_lines], columns: all, rows: \"sku = claim('tenant')\" }",
        ],
        &[
            "{ id: r, tables: [orders], unless: [ { when: \"claim('level') = 1\" } ], columns: [card], mask: redact }",
        ],
    );
    let policy = fixture.policy();
    let read = |table: &str| policy.claims_read(table).iter().cloned().collect::<Vec<_>>();
    assert_eq!(read("orders"), ["employment", "level", "regions"]);
    assert_eq!(read("order_lines"), ["tenant"]);
    assert!(read("nothing").is_empty());
}

#[test]
fn rule_refs_say_who_and_why() {
    let fixture = rules(
        &["{ id: a, why: Because, to: { everyone: true }, tables: [orders], columns: all }"],
        &["{ id: r, rows: \"id = 1\" }"],
    )
    .operator("  - { id: op, columns: { tags: [pii] }, mask: { other: nullify } }");
    let decision = visible(fixture.decide());
    let refs: Vec<_> =
        decision.rules.iter().map(|r| (r.id.as_str(), r.kind, r.operator, r.why.as_deref())).collect();
    assert_eq!(
        refs,
        [
            ("a", RuleKind::Grant, false, Some("Because")),
            ("r", RuleKind::Rows, false, None),
            ("op", RuleKind::Mask, true, None),
        ]
    );
    assert!(decision.columns.iter().all(|column| column.plain == (column.cell == Cell::Raw)));
}

#[test]
fn operators_restrictions_name_tables_of_domains() {
    let hides = |tables: &str| {
        let fixture = grants(&[ALL])
            .operator(&format!("  - {{ id: op, tables: [{tables}], columns: [card], hide: true }}"));
        !names(fixture.decide()).contains(&"card".to_owned())
    };
    assert!(hides("orders") && hides("sales.orders") && hides("\"*.orders\"") && hides("\"sales.*\""));
    assert!(!hides("customers.orders") && !hides("\"customers.*\"") && !hides("profiles"));
    let typo = grants(&[ALL]).operator("  - { id: op, tables: [sales.ordrs], columns: [card], hide: true }");
    assert_eq!(
        typo.problems(),
        ["mesh.yaml:16: there is no table `ordrs` in the domain `sales`; did you mean `orders`?"]
    );
}

#[test]
fn open_tables_are_those_with_a_grant_that_names_something_of_the_caller() {
    let fixture = grants(&[
        "{ id: a, to: { roles: [boss], groups: [crew] }, tables: [orders], columns: all }",
        "{ id: b, to: { subjects: [otto] }, tables: [order_lines], columns: all, when: \"false\" }",
    ]);
    let open = |fixture: &Fixture| -> Vec<String> {
        fixture.policy().open_tables(&fixture.principal).into_iter().map(str::to_owned).collect()
    };
    assert_eq!(open(&fixture), [""; 0]);
    let mut boss = grants(&["{ id: a, to: { roles: [boss] }, tables: [\"*\"], columns: all }"]).role("boss");
    assert_eq!(open(&boss), ["order_lines", "orders"]);
    boss.principal.roles.clear();
    boss.principal.groups.insert("boss".into());
    assert_eq!(open(&boss), [""; 0]);
    let mut others = fixture;
    others.principal.groups.insert("crew".into());
    assert_eq!(open(&others), ["orders"]);
    // An index, not a decision: this grant does not apply.
    others.principal.subject = "otto".into();
    assert_eq!(open(&others), ["order_lines", "orders"]);
    assert!(is_absent(&others.policy().decide("order_lines", &others.principal, &STATEMENT)));
    let everyone = grants(&["{ id: a, to: { everyone: true }, tables: [orders], columns: all }"]);
    assert_eq!(open(&everyone), ["orders"]);
}

#[test]
fn decisions_from_the_cache_are_those_of_their_day_or_instant() {
    let until = "{ id: a, to: { roles: [analyst] }, until: 2026-11-23, tables: [orders], columns: all }";
    let policy = grants(&[until]).policy();
    let caller = grants(&[until]).principal;
    let decide = |policy: &DomainPolicy, instant| {
        policy.decide("orders", &caller, &Statement { instant, zone: STATEMENT.zone })
    };
    let (day, second) = (86_400_000_000, 1_000_000);
    for _ in 0..2 {
        assert!(!is_absent(&decide(&policy, STATEMENT.instant)));
        assert!(is_absent(&decide(&policy, STATEMENT.instant + day)));
    }
    let timed = "{ id: a, to: { roles: [analyst] }, tables: [orders], columns: all, rows: \"day < cast(now() as date)\" }";
    let policy = grants(&[timed]).policy();
    let rows_at = |instant| rows(decide(&policy, instant));
    assert_ne!(rows_at(STATEMENT.instant), rows_at(STATEMENT.instant + second));
    assert_eq!(rows_at(STATEMENT.instant), rows_at(STATEMENT.instant));
}

#[test]
fn a_tag_that_the_operator_pins_is_there_whatever_the_contract_says() {
    let masked = |pinned: &str| {
        let mut fixture = grants(&[ALL])
            .operator("  - { id: pii, columns: { tags: [pii] }, mask: { text: redact, other: nullify } }");
        fixture.tables[0].columns.iter_mut().for_each(|column| column.tags.clear());
        fixture.mesh.push_str(pinned);
        fixture
    };
    assert_eq!(cell(masked("").decide(), "card"), "card=raw");
    assert_eq!(cell(masked("pinned_tags: { pii: [sales.orders.card] }").decide(), "card"), "card?*='***'");
    let globs = masked("pinned_tags: { pii: [\"*.order*.*d\"] }");
    assert_eq!(cell(globs.decide(), "card"), "card?*='***'");
    assert_eq!(cell(globs.decide(), "region"), "region=raw");
    for elsewhere in ["customers.orders.card", "sales.order_lines.sku", "sales.orders.id"] {
        let fixture = masked(&format!("pinned_tags: {{ pii: [{elsewhere}] }}"));
        assert_eq!(cell(fixture.decide(), "card"), "card=raw", "{elsewhere}");
    }
    assert_eq!(
        masked("pinned_tags: { pii: [sales.orders.crad, sales.forecast.x, web.clicks.ip] }").warnings(),
        [
            "mesh.yaml:17: warning: the tag `pii` is pinned to `sales.orders.crad`, which is not there [pinned-to-nothing]",
            "mesh.yaml:17: warning: the tag `pii` is pinned to `sales.forecast.x`, which is not there [pinned-to-nothing]",
        ]
    );
    // A glob may be meant for what does not exist yet.
    let globs = masked("pinned_tags: { pii: [\"sales.orders.new*\", \"sales.new*.card\"] }");
    assert!(globs.warnings().is_empty());
    // Grants that leave the tag out leave the column out.
    let mut except =
        grants(&["{ id: a, to: { roles: [analyst] }, tables: [orders], columns: { except_tags: [pci] } }"]);
    except.mesh.push_str("pinned_tags: { pci: [sales.orders.id] }\n");
    assert!(!names(except.decide()).contains(&"id".to_owned()));
}

/// Of a table that it names a list must know the columns; a list for tables by glob may be meant for others.
#[test]
fn operators_columns_are_checked_where_their_table_is_named() {
    let loads = |tables: &str| {
        let rule = format!("  - {{ id: op, {tables} columns: [crad], hide: true }}");
        grants(&[ALL]).operator(&rule).load().is_ok()
    };
    for tables in ["", "tables: [orders],", "tables: [\"*.orders\"],", "tables: [\"sales.*\"],"] {
        assert!(loads(tables), "{tables}");
    }
    for tables in ["tables: [sales.orders],", "tables: [sales.orders, \"*.order_lines\"],"] {
        assert!(!loads(tables), "{tables}");
    }
}

#[test]
fn operators_conditions_per_table_may_name_those_of_other_domains() {
    let per_table = "{ id: r, tables: [orders], rows: { orders: \"id = 1\", profiles: \"true\" } }";
    let operators = grants(&[ALL]).operator(&format!("  - {per_table}"));
    assert_eq!(rows(operators.decide()), "(\"id\" = 1:int64)");
    let owners = rules(&[ALL], &[per_table]).problems();
    assert!(owners[0].contains("`rows` names the table `profiles`, which is not selected"), "{owners:?}");
}

#[test]
fn a_mask_takes_part_where_it_masks_some_column() {
    let mask = |columns: &str| {
        let rule = format!("  - {{ id: m, columns: {columns}, mask: {{ other: redact }} }}");
        let decision = visible(grants(&[ALL]).operator(&rule).decide());
        let masked = decision.columns.iter().filter(|column| column.cell != Cell::Raw).count();
        (masked, decision.rules.len() == 2)
    };
    assert_eq!(mask("all"), (7, true));
    assert_eq!(mask("[card]"), (1, true));
    assert_eq!(mask("[sku]"), (0, false));
}

#[test]
fn how_much_of_its_raw_values_a_column_can_show() {
    let grant = |id: &str, rest: &str| {
        format!("{{ id: {id}, to: {{ roles: [analyst] }}, tables: [orders], columns: [id, card], {rest} }}")
    };
    let shows = |given: &[&str]| {
        let given: Vec<String> = ["a", "b"].iter().zip(given).map(|(id, rest)| grant(id, rest)).collect();
        let given: Vec<&str> = given.iter().map(String::as_str).collect();
        visible(grants(&given).decide()).columns[1].shows()
    };
    let first = "rows: \"id = 1\", masks: { card: first(2) }";
    let last = "rows: \"id = 2\", masks: { card: last(2) }";
    for (given, expected) in [
        (&["rows: \"id = 1\""][..], Shows::Clear),
        (&["masks: { card: last(4) }"], Shows::Masked),
        (&["masks: { card: nullify }"], Shows::Masked),
        // A mask that reads another column shows none of this one's values, one of its own value all.
        (&["masks: { card: { sql: region } }"], Shows::Masked),
        (&["masks: { card: { sql: value } }"], Shows::Clear),
        (&[first, last], Shows::Masked),
        (&[first, "rows: \"id = 2\""], Shows::Partly),
        (&["masks: { card: { sql: \"case when id > 1 then value end\" } }"], Shows::Partly),
    ] {
        assert_eq!(shows(given), expected, "{given:?}");
    }
}
