//! Fields inside columns: which are selected, how they are masked, how masks of several rules come together.

use super::{fixture::STATEMENT, *};
use crate::{Column, DataType, NestedField, data_type::Field};

/// `orders` with a column `address: struct<street, zip!, geo: struct<lat>>`, whose
/// street is `pii`, and `lines: list<struct<sku, price>>` with a restricted price.
fn with(rules: &str) -> Fixture {
    let field = |name: &str, data_type, nullable| Field { name: name.into(), data_type, nullable };
    let address = DataType::Struct(vec![
        field("street", DataType::Text, true),
        field("zip", DataType::Text, false),
        field("geo", DataType::Struct(vec![field("lat", DataType::Float64, true)]), true),
    ]);
    let line =
        DataType::Struct(vec![field("sku", DataType::Text, true), field("price", DataType::Int64, true)]);
    let lines = DataType::List(Box::new(field("item", line, true)));
    let marked = |path: &[&str], classification: Option<&str>, tags: &[&str]| NestedField {
        path: path.iter().map(|name| (*name).to_owned()).collect(),
        classification: classification.map(str::to_owned),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
    };
    let column = |name: &str, data_type, nested| Column {
        name: name.into(),
        data_type,
        required: false,
        classification: Some("internal".into()),
        tags: vec![],
        nested,
    };
    let mut fixture = Fixture::new(rules);
    fixture.tables[0].columns.extend([
        column("address", address, vec![marked(&["street"], None, &["pii"])]),
        column("lines", lines, vec![marked(&["price"], Some("restricted"), &[])]),
    ]);
    fixture
}

fn told(fixture: &Fixture) -> Vec<String> {
    let policy = fixture.policy();
    let reads = |column: &str| column == "address" || column == "lines";
    let told = policy.explain("orders", &fixture.principal, &STATEMENT, &reads, 100).unwrap();
    let on_columns = told.effects.iter().filter_map(|effect| Some((effect.column?, effect)));
    on_columns
        .map(|(column, effect)| {
            let expression = effect.expression.map_or_else(String::new, |text| format!(": {text}"));
            format!("{column} {:?} {}{expression}", effect.kind, effect.rule.id)
        })
        .collect()
}

fn grant(rest: &str) -> String {
    format!("grants:\n  - {{ id: g, to: {{ roles: [analyst] }}, tables: [orders], {rest} }}\n")
}

fn cell(fixture: &Fixture, name: &str) -> String {
    let decision = visible(fixture.decide());
    cells(&decision).into_iter().find(|cell| cell.starts_with(name)).unwrap_or_else(|| "hidden".into())
}

#[test]
fn a_grant_masks_fields_by_name_and_glob() {
    let shown = |masks: &str| cell(&with(&grant(&format!("columns: all, masks: {{ {masks} }}"))), "address");
    assert_eq!(cell(&with(&grant("columns: all")), "address"), "address?=raw");
    assert_eq!(
        shown("address.street: redact, address.zip: first(2)"),
        "address?*=mask_fields(\"address\", ['street'] -> '***', ['zip'] -> keep_first(\"value\", 2))"
    );
    assert_eq!(
        shown("address.geo.lat: round(1)"),
        "address?*=mask_fields(\"address\", ['geo', 'lat'] -> round(\"value\", 1))"
    );
    assert_eq!(
        shown("\"address.geo.*\": nullify"),
        "address?*=mask_fields(\"address\", ['geo', 'lat'] -> null:float64)"
    );
    assert_eq!(
        shown("address.street: { sql: \"left(value, 1) || '.'\" }").split_once("->").unwrap().1.trim(),
        "case(or(is_null(left(\"value\", 1))) -> null:text, else concat(left(\"value\", 1), '.')):text)"
            .replace("or(is_null(left(\"value\", 1)))", "is_null(left(\"value\", 1))")
    );
    // A glob without a dot is for columns: the column is masked as a whole.
    assert!(shown("\"addr*\": nullify").starts_with("address?*=null:struct<"));
    assert_eq!(
        cell(&with(&grant("columns: all, masks: { lines.price: constant(0) }")), "lines"),
        "lines?*=mask_fields(\"lines\", ['price'] -> 0:int64)"
    );
}

#[test]
fn a_field_that_must_not_be_null_takes_what_is_around_it_along() {
    let shown = cell(&with(&grant("columns: all, masks: { address.zip: nullify }")), "address");
    assert!(shown.starts_with("address?*=null:struct<"), "{shown}");
}

#[test]
fn what_is_refused_about_fields() {
    for (rest, expected) in [
        ("columns: [address.street]", "`address.street` is a field, not a column; list the column"),
        (
            "columns: all, masks: { address.stret: redact }",
            "no selected table has a column `address.stret`; did you mean `address.street`?",
        ),
        (
            "columns: all, masks: { address.street.x: redact }",
            "no selected table has a column `address.street.x`",
        ),
        (
            "columns: all, masks: { address: nullify, address.street: redact }",
            "`address` is masked as a whole and field by field",
        ),
        (
            "columns: all, masks: { address.geo.lat: last(4) }",
            "mask on `orders.address.geo.lat`: this mask is for the type text",
        ),
        ("columns: all, masks: { address.street: { sql: region } }", "there is no column `region`"),
        (
            "columns: all, masks: { \"address.s*\": redact, \"address.*t\": redact }",
            "both mask `address.street`",
        ),
    ] {
        let found = with(&grant(rest)).problems();
        assert!(found.iter().any(|problem| problem.contains(expected)), "{rest}: {found:#?}");
    }
    let restriction =
        "restrictions:\n  - { id: r, tables: [orders], columns: [address.streets], mask: redact }\n";
    assert!(with(restriction).problems()[0].contains("no selected table has a column `address.streets`"));
}

#[test]
fn a_restriction_by_tag_masks_the_field_that_has_it() {
    let rules = grant("columns: all");
    let pii = "  - { id: pii, columns: { tags: [pii] }, mask: { text: redact, other: nullify } }";
    let masked = "address?*=mask_fields(\"address\", ['street'] -> '***')";
    assert_eq!(cell(&with(&rules).operator(pii), "address"), masked);
    assert_eq!(cell(&with(&rules).operator(pii), "lines"), "lines?=raw");
    let mut whole = with(&rules).operator(pii);
    whole.tables[0].columns[7].tags.push("pii".into());
    assert!(cell(&whole, "address").starts_with("address?*=null:struct<"));
    let unless = pii.replace("columns:", "unless: [ { roles: [analyst] } ], columns:");
    assert_eq!(cell(&with(&rules).operator(&unless), "address"), "address?=raw");
    let named = "  - { id: n, tables: [orders], columns: [address.street], mask: redact }";
    assert_eq!(cell(&with(&rules).operator(named), "address"), masked);
}

#[test]
fn a_hidden_field_hides_its_column() {
    let rules = grant("columns: all");
    let hide = "  - { id: h, columns: { tags: [pii] }, hide: true }";
    assert_eq!(cell(&with(&rules).operator(hide), "address"), "hidden");
    assert_eq!(cell(&with(&rules).operator(hide), "lines"), "lines?=raw");
    let unclassified = "  - { id: u, columns: { unclassified: true }, hide: true }";
    assert_eq!(cell(&with(&rules).operator(unclassified), "lines"), "lines?=raw");
    let mut fixture = with(&rules).operator(unclassified);
    fixture.tables[0].columns[8].nested[0].classification = Some("secret".into());
    assert_eq!(cell(&fixture, "lines"), "hidden");
}

#[test]
fn a_grant_by_marks_leaves_out_fields_with_other_marks() {
    let internal = grant("columns: { classification: [internal] }");
    assert_eq!(cell(&with(&internal), "lines"), "lines?*=mask_fields(\"lines\", ['price'] -> null:int64)");
    assert_eq!(cell(&with(&internal), "address"), "address?=raw");
    let both = grant("columns: { classification: [internal, restricted] }");
    assert_eq!(cell(&with(&both), "lines"), "lines?=raw");
    let except = grant("columns: { except_tags: [pii] }");
    assert_eq!(
        cell(&with(&except), "address"),
        "address?*=mask_fields(\"address\", ['street'] -> null:text)"
    );
    // Whatever it masks: a field that is left out is not shown by a mask of its own or of the whole.
    let own =
        grant("columns: { except_tags: [pii] }, masks: { address.street: first(3), address.zip: redact }");
    assert_eq!(
        cell(&with(&own), "address"),
        "address?*=mask_fields(\"address\", ['street'] -> null:text, ['zip'] -> '***')"
    );
    let whole = grant("columns: { except_tags: [pii] }, masks: { address: { sql: value } }");
    assert!(cell(&with(&whole), "address").starts_with("address?*=null:struct<"));
}

#[test]
fn masks_of_several_rules_come_together_field_by_field() {
    let restrictions = |rules: &[&str]| rules.join("\n");
    let street = "  - { id: a, tables: [orders], columns: [address.street], mask: redact }";
    let zip = "  - { id: b, tables: [orders], columns: [address.zip], mask: first(2) }";
    let other = "  - { id: c, tables: [orders], columns: [address.street], mask: first(1) }";
    let whole = "  - { id: d, tables: [orders], columns: [address], mask: nullify }";
    let all = grant("columns: all");
    let shown = |grant: &str, rules: &[&str]| cell(&with(grant).operator(&restrictions(rules)), "address");
    assert_eq!(
        shown(&all, &[street, zip]),
        "address?*=mask_fields(\"address\", ['street'] -> '***', ['zip'] -> keep_first(\"value\", 2))"
    );
    assert_eq!(shown(&all, &[street, other]), "address?*=mask_fields(\"address\", ['street'] -> '***')");
    assert_eq!(shown(&all, &[other, street]), "address?*=mask_fields(\"address\", ['street'] -> '***')");
    assert!(shown(&all, &[street, whole]).starts_with("address?*=null:struct<"));
    // And with those of a grant.
    let masked = grant("columns: all, masks: { address.street: redact, address.geo: nullify }");
    assert_eq!(
        shown(&masked, &[street, zip]),
        "address?*=mask_fields(\"address\", ['geo'] -> null:struct<lat:float64>, ['street'] -> '***', ['zip'] -> keep_first(\"value\", 2))"
    );
    assert_eq!(
        shown(&masked, &[other]),
        "address?*=mask_fields(\"address\", ['geo'] -> null:struct<lat:float64>, ['street'] -> '***')"
    );
}

#[test]
fn marks_of_fields_are_in_the_contracts_version() {
    let (before, mut after) = (with("").tables[0].clone(), with("").tables[0].clone());
    assert_eq!(before.version(), after.version());
    after.columns[7].nested[0].tags.clear();
    assert_ne!(before.version(), after.version());
}

#[test]
fn fields_have_pseudonyms_too() {
    let shown = |masks: &str| with(&grant(&format!("columns: all, masks: {{ {masks} }}")));
    assert_eq!(
        cell(&shown("address.zip: pseudonym(person), lines.price: pseudonym(order)"), "address"),
        "address?*=mask_fields(\"address\", ['zip'] -> pseudonym(\"value\", 'person', mesh))"
    );
    let spaces: Vec<String> = shown("address.zip: pseudonym(person)")
        .policy()
        .pseudonym_spaces()
        .into_iter()
        .map(|space| space.name)
        .collect();
    assert_eq!(spaces, ["person"]);
    let refused = shown("address.geo.lat: pseudonym(person)").problems();
    assert!(
        refused[0].contains("mask on `orders.address.geo.lat`: this mask is for the type text"),
        "{refused:?}"
    );
}

#[test]
fn a_mask_around_a_masked_field_does_not_show_it() {
    let geo = |masks: &str| cell(&with(&grant(&format!("columns: all, masks: {{ {masks} }}"))), "address");
    assert_eq!(
        geo("address.geo: { sql: value }"),
        "address?*=mask_fields(\"address\", ['geo'] -> \"value\")"
    );
    let hidden = "address?*=mask_fields(\"address\", ['geo'] -> null:struct<lat:float64>)";
    assert_eq!(geo("address.geo: { sql: value }, address.geo.lat: round(1)"), hidden);
    // And neither does one around a field that the grant leaves out.
    let mut left_out =
        with(&grant("columns: { except_tags: [pci] }, masks: { address.geo: { sql: value } }"));
    assert!(cell(&left_out, "address").ends_with("['geo'] -> \"value\")"));
    left_out.tables[0].columns[7].tag_field(vec!["geo".into(), "lat".into()], "pci");
    assert_eq!(cell(&left_out, "address"), hidden);
}

#[test]
fn fields_have_the_marks_of_what_is_around_them() {
    let precise = "  - { id: p, columns: { classification: [restricted], tags: [pci] }, mask: nullify }";
    let marked = |geo: &[&str]| {
        let mut fixture = with(&grant("columns: all")).operator(precise);
        let mark = |path: &[&str], classification: Option<&str>, tags: &[&str]| NestedField {
            path: path.iter().map(|name| (*name).to_owned()).collect(),
            classification: classification.map(str::to_owned),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        };
        fixture.tables[0].columns[7].nested =
            vec![mark(&["geo", "lat"], Some("restricted"), &[]), mark(&["geo"], None, geo)];
        cell(&fixture, "address")
    };
    assert_eq!(marked(&["pci"]), "address?*=mask_fields(\"address\", ['geo', 'lat'] -> null:float64)");
    assert_eq!(marked(&["pii"]), "address?=raw");
}

#[test]
fn the_operator_pins_tags_to_fields() {
    let pinned = |to: &str| {
        let mut fixture =
            with(&grant("columns: all")).operator("  - { id: p, columns: { tags: [pci] }, mask: nullify }");
        fixture.mesh.push_str(&format!("pinned_tags: {{ pci: [\"{to}\"] }}\n"));
        fixture
    };
    let lat = "address?*=mask_fields(\"address\", ['geo', 'lat'] -> null:float64)";
    assert_eq!(cell(&pinned("sales.orders.address.geo.lat"), "address"), lat);
    assert_eq!(cell(&pinned("*.*.*.lat"), "address"), lat);
    assert_eq!(cell(&pinned("sales.orders.lines.price"), "address"), "address?=raw");
    assert!(pinned("sales.orders.address.geo.lat").warnings().is_empty());
    let missing = pinned("sales.orders.address.geo.lng").warnings();
    assert!(missing[0].contains("`sales.orders.address.geo.lng`, which is not there"), "{missing:?}");
}

#[test]
fn what_reads_more_than_the_field_is_refused_with_place_and_hint() {
    for (mask, expected) in [
        (
            "last(4)",
            "sales.yaml:3: mask on `orders.lines.price`: this mask is for the type text, the column is int64",
        ),
        ("{ sql: \"in_lookup('x', value)\" }", "lookups are computed where the data is"),
        ("{ sql: \"region\" }", "there is no column `region`"),
        ("constant('x')", "the constant is not a value of type int64"),
        ("bucket(1)", "`bucket(1)` leaves int64 as it is"),
    ] {
        let found = with(&grant(&format!("columns: all, masks: {{ lines.price: {mask} }}"))).problems();
        assert!(found[0].contains(expected), "{mask}: {found:#?}");
    }
    let hint = with(&grant("columns: all, masks: { lines.price: last(4) }")).problems();
    assert!(hint[0].contains("give a mask per type: { text: .., other: nullify }"), "{hint:?}");
    let per_type = grant("columns: all, masks: { \"lines.*\": { integer: bucket(10), other: redact } }");
    assert_eq!(
        cell(&with(&per_type), "lines"),
        "lines?*=mask_fields(\"lines\", ['price'] -> bucket(\"value\", 10), ['sku'] -> '***')"
    );
}

#[test]
fn readers_of_the_rules_are_told_how_fields_are_masked() {
    let rules =
        |masks: &str| grant(&format!("columns: {{ classification: [internal] }}, masks: {{ {masks} }}"));
    let pii = "  - { id: pii, columns: { tags: [pii] }, mask: { text: redact, other: nullify } }";
    let fixture = |masks: &str| {
        let readers = format!("policy_readers: {{ roles: [owner] }}\n{}", rules(masks));
        with(&readers).operator(pii)
    };
    assert_eq!(
        told(&fixture("address.zip: first(2)").role("owner")),
        [
            "address Masks g: address.zip: first(2)",
            "address Masks pii: address.street: redact",
            "lines Masks g: lines.price: nullify"
        ]
    );
    // Another mask of the same field: both are told to redact. Without the role no expression.
    assert_eq!(
        told(&fixture("address.street: first(2)")),
        ["address Redacts g", "address Redacts pii", "lines Masks g"]
    );
}
