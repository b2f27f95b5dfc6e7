//! What a node alone can do, put into the rules of a domain: lookups, purposes and pseudonyms.
//! Nodes with a planted leak hold no keys of either kind, and serve worlds without these.

use serde_json::{Value as Json, json};

use super::predicate::on_row;
use super::random::Random;
use super::tables::Table;

pub(crate) const PURPOSES: [&str; 2] = ["audit", "fraud"];

/// Adds them to an owner's document.
pub(crate) fn add(random: &mut Random, document: &mut Json, tables: &[&Table]) {
    let source = random.pick(tables);
    let mut areas = json!({ "of": source.name, "key": "area" });
    if random.chance(60) {
        areas["where"] = json!(on_row(random, &source.fields, 1));
    }
    let seen = tables[0].name.as_str();
    document["lookups"] = json!({ "areas": areas, "ids": { "of": seen, "key": "id", "as": "caller" } });
    for grant in document["grants"].as_array_mut().unwrap() {
        if grant["id"] != "wide" {
            look_up(random, grant, seen);
            if random.chance(20) {
                grant["purpose"] = json!(random.pick(&PURPOSES));
            }
        }
        for (column, space) in [("area", "person"), ("id", "local")] {
            if grant["columns"] == "all" && random.chance(12) {
                grant["masks"][column] = json!(format!("pseudonym({space})"));
            }
        }
    }
    for restriction in document["restrictions"].as_array_mut().unwrap() {
        if !restriction["rows"].is_null() && random.chance(40) {
            let own = restriction["rows"].as_str().unwrap();
            restriction["rows"] = json!(format!("({own}) or in_lookup('areas', area)"));
        }
        // What is masked inside a column reads no lookup.
        let is_of_fields = restriction["columns"].to_string().contains('.');
        if !restriction["mask"].is_null() && !is_of_fields && random.chance(25) {
            restriction["mask"] = json!({ "sql": "case when in_lookup('areas', area) then value end" });
        }
        if random.chance(40) {
            let excuse = json!({ "purpose": random.pick(&PURPOSES) });
            match &mut restriction["unless"] {
                Json::Array(excuses) => excuses.push(excuse),
                nothing => *nothing = json!([excuse]),
            }
        }
    }
}

/// A condition on keys, beside the grant's own. `seen`: the table of which the keys `ids` are those
/// that the caller sees, so that its own rules cannot ask for them.
fn look_up(random: &mut Random, grant: &mut Json, seen: &str) {
    if random.chance(50) {
        return;
    }
    let is_of_seen = grant["tables"].as_array().unwrap().iter().any(|table| table == seen);
    let test =
        if is_of_seen || random.chance(50) { "in_lookup('areas', area)" } else { "in_lookup('ids', id)" };
    let test = format!("{}{test}", random.pick(&["", "", "not "]));
    let rows = match &grant["rows"] {
        Json::Null => test,
        Json::String(own) => format!("({own}) {} {test}", random.pick(&["and", "or"])),
        // By table.
        _ => return,
    };
    grant["rows"] = json!(rows);
}
