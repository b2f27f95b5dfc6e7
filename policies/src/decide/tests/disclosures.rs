//! What other domains may be told of a table's columns where a caller joins them.

use super::fixture::{Fixture, visible};
use crate::{Decision, JoinKeys, TableDecision};

const GRANT: &str = "grants: [ { id: a, to: { everyone: true }, tables: [orders], columns: all } ]";

fn disclosure(columns: &str, join_keys: &str, to_domains: &str) -> String {
    format!(
        "  - {{ tables: [orders], columns: {columns}, join_keys: {join_keys}, to_domains: {to_domains} }}\n"
    )
}

fn decide(grants: &str, disclosures: &str) -> TableDecision {
    visible(Fixture::new(&format!("{grants}\ndisclosures:\n{disclosures}")).decide())
}

/// `column > domain: what` of all that is disclosed.
fn told(decision: &TableDecision) -> Vec<String> {
    let of_column = |column: &crate::DecidedColumn| -> Vec<String> {
        let told =
            |(domain, keys): (&String, &JoinKeys)| format!("{} > {domain}: {}", column.name, keys.word());
        column.disclosed.iter().map(told).collect()
    };
    decision.columns.iter().flat_map(of_column).collect()
}

#[test]
fn what_an_owner_discloses_is_told_of_the_named_columns_to_the_named_domains() {
    let without = visible(Fixture::new(GRANT).decide());
    assert_eq!(told(&without), [""; 0]);
    let values = decide(GRANT, &disclosure("[id]", "values", "[hr, web]"));
    assert_eq!(told(&values), ["id > hr: values", "id > web: values"]);
    // Where several speak of one column, the most that one of them says.
    for columns in [["[id]", "[\"i*\", region]"], ["[\"i*\", region]", "[id]"]] {
        let text = disclosure(columns[0], "bounds", "[hr]") + &disclosure(columns[1], "values", "[hr]");
        let expected = match columns[0] {
            "[id]" => ["id > hr: values", "region > hr: values"],
            _ => ["id > hr: values", "region > hr: bounds"],
        };
        assert_eq!(told(&decide(GRANT, &text)), expected);
    }
}

#[test]
fn of_what_is_kept_from_a_caller_nothing_is_disclosed() {
    let disclosures = disclosure("[id, card, region, note]", "values", "[hr]");
    let all = ["id > hr: values", "region > hr: values", "card > hr: values", "note > hr: values"];
    assert_eq!(told(&decide(GRANT, &disclosures)), all);
    // A masked column.
    let masked = GRANT.replace("columns: all", "columns: all, masks: { card: last(4) }");
    assert_eq!(told(&decide(&masked, &disclosures)), [all[0], all[1], all[3]]);
    let restricted = "restrictions: [ { id: r, columns: [card], mask: redact } ]";
    assert_eq!(told(&decide(&format!("{GRANT}\n{restricted}"), &disclosures)), [all[0], all[1], all[3]]);
    // A hidden one.
    let hidden = GRANT.replace("columns: all", "columns: [id, card]");
    assert_eq!(told(&decide(&hidden, &disclosures)), [all[0], all[2]]);
    // Any column of a table of which some rows are hidden.
    let rows = GRANT.replace("columns: all", "columns: all, rows: \"region = 'EU'\"");
    assert_eq!(told(&decide(&rows, &disclosures)), [""; 0]);
    let restricted = "restrictions: [ { id: r, tables: [orders], rows: \"region = 'EU'\" } ]";
    assert_eq!(told(&decide(&format!("{GRANT}\n{restricted}"), &disclosures)), [""; 0]);
    // The operator's rules count like the owner's.
    let fixture = Fixture::new(&format!("{GRANT}\ndisclosures:\n{disclosures}"))
        .operator("  - { id: o, columns: [card], mask: redact }");
    assert_eq!(told(&visible(fixture.decide())), [all[0], all[1], all[3]]);
}

#[test]
fn a_disclosure_grants_nothing_and_changes_nothing_that_is_seen() {
    let alone = Fixture::new(&format!("disclosures:\n{}", disclosure("[id]", "values", "[hr]")));
    assert!(matches!(alone.decide(), Decision::Absent { .. }));
    let (mut with, without) =
        (decide(GRANT, &disclosure("[id]", "values", "[hr]")), visible(Fixture::new(GRANT).decide()));
    for column in &mut with.columns {
        column.disclosed.clear();
    }
    with.digest = without.digest;
    assert_eq!(with, without);
}

#[test]
fn gateway_and_node_must_agree_on_what_is_disclosed() {
    let digest = |disclosures: &str| decide(GRANT, disclosures).digest;
    let base = disclosure("[id]", "values", "[hr]");
    let other = [
        disclosure("[id]", "bounds", "[hr]"),
        disclosure("[region]", "values", "[hr]"),
        disclosure("[id]", "values", "[web]"),
        disclosure("[id]", "values", "[hr, web]"),
        disclosure("[id, region]", "values", "[hr]"),
    ];
    for other in other {
        assert_ne!(digest(&base), digest(&other), "{other}");
    }
    assert_ne!(digest(&base), visible(Fixture::new(GRANT).decide()).digest);
    assert_eq!(digest(&base), digest(&(base.clone() + &disclosure("[id]", "bounds", "[hr]"))));
    // What is disclosed of nothing is no difference.
    let rows = GRANT.replace("columns: all", "columns: all, rows: \"region = 'EU'\"");
    assert_eq!(decide(&rows, &base).digest, visible(Fixture::new(&rows).decide()).digest);
}
