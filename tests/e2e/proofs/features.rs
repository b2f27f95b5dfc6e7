//! What a world is made of, for the counters.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::tables::{Field, Kind};
use super::world::World;

/// Every feature that some table, rule or caller of the world has.
pub(crate) fn features(world: &World) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    for table in &world.tables {
        found.insert(table.format.source());
        found.extend(table.fields.iter().map(type_of));
        if table.fields.iter().any(|field| !field.inside.1.is_empty()) {
            found.insert("a field with a tag of its own");
        }
        if table.fields.iter().any(|field| field.inside.0.is_some()) {
            found.insert("a field with a classification of its own");
        }
        if table.files.iter().flatten().flatten().any(|cell| *cell == meshgate_oracle::Value::Null) {
            found.insert("cells: NULL");
        }
    }
    for policy in &world.policies {
        for grant in items(&policy["grants"]) {
            grant_features(grant, &mut found);
        }
        for restriction in items(&policy["restrictions"]) {
            found.insert("restriction of an owner");
            restriction_features(restriction, &mut found);
        }
        if !items(&policy["disclosures"]).is_empty() {
            found.insert("disclosure");
        }
        let lookups: Vec<&Json> =
            policy["lookups"].as_object().into_iter().flat_map(|all| all.values()).collect();
        for lookup in lookups {
            let as_caller = lookup["as"].as_str() == Some("caller");
            found.insert(if as_caller { "lookup as caller" } else { "lookup as policy" });
        }
    }
    for (_, places) in world.mesh["pinned_tags"].as_object().into_iter().flatten() {
        let is_of_field = places[0].as_str().is_some_and(|place| place.matches('.').count() == 3);
        found.insert(if is_of_field { "tag pinned to a field" } else { "tag pinned to a column" });
    }
    for restriction in items(&world.mesh["restrictions"]) {
        found.insert("restriction of the operator");
        restriction_features(restriction, &mut found);
    }
    let texts = world.documents();
    for (part, feature) in [
        ("in_lookup(", "in_lookup"),
        ("not in_lookup(", "not in_lookup"),
        ("claim_has(", "claim_has"),
        ("claim('", "claim"),
        ("is_under(", "is_under"),
        ("has_role(", "has_role"),
        ("subject()", "subject()"),
        ("purpose()", "purpose()"),
        ("today()", "today()"),
        ("now()", "now()"),
    ] {
        if texts.contains(part) {
            found.insert(feature);
        }
    }
    for claims in &world.callers {
        caller_features(claims, &mut found);
    }
    found.insert(if world.has_other_engine() { "nodes: another engine" } else { "nodes: the same engine" });
    if world.damage.is_some() {
        found.insert("a cell that cannot be read");
    }
    found
}

fn items(list: &Json) -> &[Json] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn type_of(field: &Field) -> &'static str {
    match field.kind {
        Kind::Integer => "type int64",
        Kind::Small => "type int32",
        Kind::Text => "type text",
        Kind::Decimal(..) => "type decimal",
        Kind::Double => "type float64",
        Kind::Boolean => "type boolean",
        Kind::Date => "type date",
        Kind::Timestamp => "type timestamp(us)",
        Kind::Rare(rare) => rare.name(),
    }
}

fn grant_features(grant: &Json, found: &mut BTreeSet<&'static str>) {
    for (key, feature) in [
        ("when", "grant with when"),
        ("until", "grant with until"),
        ("purpose", "grant with purpose"),
        ("masks", "grant with masks"),
        ("products", "grant by product"),
    ] {
        if !grant[key].is_null() {
            found.insert(feature);
        }
    }
    match &grant["rows"] {
        Json::String(_) => found.insert("grant with rows"),
        Json::Object(_) => found.insert("grant with rows by table"),
        _ => found.insert("grant for all rows"),
    };
    match &grant["columns"] {
        Json::String(_) => found.insert("columns: all"),
        Json::Array(_) => found.insert("columns: names"),
        columns => {
            if !columns["except_tags"].is_null() {
                found.insert("columns: except tags");
            }
            found.insert("columns: classification")
        }
    };
    for (column, mask) in grant["masks"].as_object().into_iter().flatten() {
        found.insert(mask_of(mask));
        if column.contains('.') {
            found.insert("grant with a mask inside a column");
        }
    }
}

fn restriction_features(rule: &Json, found: &mut BTreeSet<&'static str>) {
    for (key, feature) in [
        ("rows", "restriction: rows"),
        ("mask", "restriction: mask"),
        ("hide", "restriction: hide"),
        ("deny", "restriction: deny"),
        ("to", "restriction with to"),
        ("when", "restriction with when"),
        ("unless", "restriction with unless"),
    ] {
        if !rule[key].is_null() {
            found.insert(feature);
        }
    }
    if !rule["mask"].is_null() {
        found.insert(mask_of(&rule["mask"]));
    }
    if items(&rule["columns"]).iter().any(|name| name.as_str().is_some_and(|name| name.contains('.'))) {
        found.insert(if rule["hide"].is_null() {
            "restriction: mask inside a column"
        } else {
            "restriction: hide inside a column"
        });
    }
    for excuse in items(&rule["unless"]) {
        if !excuse["purpose"].is_null() {
            found.insert("unless with purpose");
        }
        if !excuse["when"].is_null() {
            found.insert("unless with when");
        }
    }
    if !rule["columns"]["tags"].is_null() {
        found.insert("columns: tags");
    }
    if rule["columns"]["unclassified"] == Json::Bool(true) {
        found.insert("columns: unclassified");
    }
}

fn mask_of(mask: &Json) -> &'static str {
    let Some(text) = mask.as_str() else {
        return if mask["sql"].is_null() { "mask: by type" } else { "mask: sql" };
    };
    match text.split('(').next().unwrap_or_default() {
        "redact" => "mask: redact",
        "nullify" => "mask: nullify",
        "last" => "mask: last",
        "first" => "mask: first",
        "year" => "mask: year",
        "month" => "mask: month",
        "day" => "mask: day",
        "constant" => "mask: constant",
        "bucket" => "mask: bucket",
        "round" => "mask: round",
        "email_domain" => "mask: email_domain",
        "pseudonym" => "mask: pseudonym",
        _ => "mask: by name",
    }
}

fn caller_features(claims: &Json, found: &mut BTreeSet<&'static str>) {
    for (claim, right) in [
        ("area", claims["area"].is_string()),
        ("level", claims["level"].is_i64()),
        ("staff", claims["staff"].is_boolean()),
        ("until", claims["until"].is_string()),
        ("areas", claims["areas"].is_array()),
    ] {
        found.insert(match (claims.get(claim), right) {
            (None, _) => "caller: a claim is missing",
            (Some(_), true) => "caller: a claim is there",
            (Some(_), false) => "caller: a claim of another type",
        });
    }
    if claims["areas"] == Json::Array(Vec::new()) {
        found.insert("caller: an empty list");
    }
    if claims["works_for"].is_string() {
        found.insert("caller: a purpose");
    }
}
