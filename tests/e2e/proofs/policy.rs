//! Random grants and restrictions over the tables of a world.

use serde_json::{Map, Value as Json, json};

use super::predicate::{on_caller, on_row, role, subject};
use super::random::Random;
use super::tables::{Field, Kind, Table};

/// An owner's document.
pub(crate) fn owner(random: &mut Random, domain: &str, tables: &[&Table]) -> Json {
    let mut grants = vec![wide_grant(random)];
    for number in 0..2 + random.below(4) {
        grants.push(grant(random, tables, number));
    }
    // Where the first grant stands decides which mask wins.
    if random.chance(50) {
        grants.rotate_left(1);
    }
    let mut restrictions: Vec<Json> =
        (0..random.below(3)).map(|number| restriction(random, tables, number)).collect();
    for table in tables {
        for field in table.fields.iter().filter(|field| field.kind.has_fields()) {
            if random.chance(60) {
                restrictions.push(inside(random, table, field));
            }
        }
    }
    json!({
        "domain": domain, "owner": format!("{domain}@larkfield.example"),
        "masks": { "short": "left(value, 2) || '..'", "loud": "upper(value)" },
        "grants": grants, "restrictions": restrictions,
    })
}

/// What an owner lets other domains know of most of its tables, for joins.
pub(crate) fn disclosures(random: &mut Random, tables: &[&Table], others: &[&str]) -> Json {
    let mut disclosures = Vec::new();
    for table in tables {
        let names: Vec<&str> = table
            .fields
            .iter()
            .filter(|field| !field.kind.has_fields())
            .map(|field| field.name.as_str())
            .collect();
        if random.chance(80) && !names.is_empty() {
            let count = names.len() - random.below(2).min(names.len() - 1);
            disclosures.push(json!({
                "tables": [table.name], "columns": random.some(&names, count), "to_domains": others,
                "join_keys": random.pick(&["bounds", "values", "values"]), "why": "Joins.",
            }));
        }
    }
    json!(disclosures)
}

/// Tags that the operator pins to columns and fields, whatever their contracts say.
pub(crate) fn pinned(random: &mut Random, tables: &[&Table]) -> Json {
    let mut places = Map::new();
    for tag in ["pii", "pci"] {
        if random.chance(35) {
            let table = random.pick(tables);
            let field = random.pick(&table.fields);
            let inside = if field.kind.has_fields() && random.chance(60) { ".a" } else { "" };
            let place = random.pick(&[
                format!("{}.{}.{}{inside}", table.domain, table.name, field.name),
                format!("*.*.{}{inside}", field.name),
                format!("{}.*.area", table.domain),
            ]);
            places.insert(tag.to_owned(), json!([place]));
        }
    }
    Json::Object(places)
}

/// The operator's restrictions, over the tables of all domains.
pub(crate) fn operator(random: &mut Random, tables: &[&Table]) -> Vec<Json> {
    let mut restrictions = Vec::new();
    if random.chance(60) {
        let mut rule = json!({ "id": "pii", "why": "Persons.", "columns": { "tags": ["pii"] } });
        rule["mask"] = random.pick(&[json!("redact"), by_type(), json!("nullify")]);
        restrictions.push(excused(random, rule));
    }
    if random.chance(30) {
        let rule = json!({ "id": "unclassified", "why": "Not published.",
            "columns": { "unclassified": true }, "hide": true });
        restrictions.push(excused(random, rule));
    }
    if random.chance(30) {
        let common = &tables[0].fields[..2];
        let rule = json!({ "id": "everywhere", "why": "Only such rows.", "rows": on_row(random, common, 1) });
        restrictions.push(excused(random, rule));
    }
    if random.chance(20) {
        let table = random.pick(tables);
        let name = random.pick(&[format!("{}.{}", table.domain, table.name), format!("*.{}", table.name)]);
        let rule = json!({ "id": "closed", "why": "Not now.", "tables": [name], "deny": true });
        restrictions.push(excused(random, rule));
    }
    restrictions
}

/// So that most worlds show something to somebody.
fn wide_grant(random: &mut Random) -> Json {
    let to = if random.chance(40) { json!({ "everyone": true }) } else { json!({ "roles": [role(random)] }) };
    let mut grant =
        json!({ "id": "wide", "why": "Works on it.", "to": to, "tables": ["*"], "columns": "all" });
    if random.chance(30) {
        let mask = text_mask(random);
        grant["masks"] = json!({ "area": mask });
    }
    grant
}

fn grant(random: &mut Random, tables: &[&Table], number: usize) -> Json {
    let count = 1 + random.below(2);
    let chosen = random.some(tables, count);
    let names: Vec<&str> = chosen.iter().map(|table| table.name.as_str()).collect();
    let mut grant = json!({ "id": format!("g{number}"), "why": "Works on it.", "to": callers(random),
        "tables": names });
    // What all chosen tables have: of one table all columns, of several the common ones.
    let fields: Vec<Field> =
        if let [only] = chosen.as_slice() { only.fields.clone() } else { chosen[0].fields[..2].to_vec() };
    let some_count = 1 + random.below(fields.len());
    let listed = random.some(&fields, some_count);
    let listed_names: Vec<&str> = listed.iter().map(|field| field.name.as_str()).collect();
    let (columns, maskable) = match random.below(6) {
        0 | 1 => (json!("all"), fields.clone()),
        2 | 3 => (json!(listed_names), listed),
        4 => (json!({ "classification": ["public", "internal"] }), Vec::new()),
        _ => (json!({ "classification": ["public", "restricted"], "except_tags": ["pci"] }), Vec::new()),
    };
    grant["columns"] = columns;
    if random.chance(70) {
        grant["rows"] = if random.chance(50) || chosen.len() == 1 {
            json!(on_row(random, &fields, 2))
        } else {
            let entries =
                chosen.iter().map(|table| (table.name.clone(), json!(on_row(random, &table.fields, 1))));
            Json::Object(entries.collect())
        };
    }
    let mut masks = Map::new();
    for field in &maskable {
        if field.kind.has_fields() && random.chance(60) {
            let (fields, mask) = field_mask(random, &field.name);
            masks.insert(fields, mask);
        } else if random.chance(35) {
            masks.insert(field.name.clone(), mask(random, field.kind));
        }
    }
    if !masks.is_empty() {
        grant["masks"] = Json::Object(masks);
    }
    if random.chance(20) {
        grant["when"] = json!(on_caller(random));
    }
    if random.chance(15) {
        grant["until"] = json!(random.pick(&["2020-01-01", "2999-12-31"]));
    }
    grant
}

fn callers(random: &mut Random) -> Json {
    match random.below(6) {
        0 => json!({ "everyone": true }),
        1 => json!({ "subjects": [subject(random), subject(random)] }),
        2 => json!({ "groups": ["staff"], "roles": [role(random)] }),
        3 => json!({ "roles": [role(random)] }),
        _ => json!({ "roles": [role(random), role(random)] }),
    }
}

fn mask(random: &mut Random, kind: Kind) -> Json {
    if random.chance(25) {
        return random.pick(&[json!("redact"), json!("nullify"), by_type()]);
    }
    match kind {
        Kind::Text => text_mask(random),
        Kind::Integer => random.pick(&[
            json!("constant(0)"),
            json!("bucket(3)"),
            json!("round(-1)"),
            json!({ "sql": "case when value > 3 then value end" }),
            json!({ "sql": "coalesce(value, id)" }),
        ]),
        Kind::Small => {
            let condition = json!({ "sql": "case when value > 3 then value end" });
            random.pick(&[json!("constant(7)"), json!("bucket(4)"), json!("round(-1)"), condition])
        }
        Kind::Decimal(..) => {
            let condition = json!({ "sql": "case when area is null then value end" });
            random.pick(&[json!("constant(1)"), json!("bucket(2)"), json!("round(-1)"), condition])
        }
        Kind::Double => {
            let condition = json!({ "sql": "case when value < 4 then value end" });
            random.pick(&[json!("nullify"), json!("bucket(2)"), json!("round(1)"), condition])
        }
        Kind::Boolean => random.pick(&[json!("constant(true)"), json!({ "sql": "not value" })]),
        Kind::Date => {
            random.pick(&[json!("year"), json!("month"), json!({ "sql": "date_trunc('month', value)" })])
        }
        Kind::Timestamp => random.pick(&[json!("year"), json!("month"), json!("day")]),
        Kind::Rare(rare) if rare.is_number() && random.chance(30) => {
            random.pick(&[json!("constant(1)"), json!("bucket(3)"), json!("round(-1)")])
        }
        Kind::Rare(_) => random.pick(&[
            json!("redact"),
            json!({ "sql": "case when id > 3 then value end" }),
            json!({ "sql": "case when area is not null then value end" }),
        ]),
    }
}

/// A mask for fields inside a column: it reads nothing else.
fn field_mask(random: &mut Random, column: &str) -> (String, Json) {
    let any = [json!("redact"), json!("nullify"), by_type()];
    match random.below(5) {
        0 => (format!("{column}.*"), random.pick(&any)),
        1 | 2 => {
            let condition = json!({ "sql": "case when value > 3 then value end" });
            let masks = [json!("constant(0)"), json!("bucket(3)"), json!("round(-1)"), condition];
            (format!("{column}.a"), random.pick(&[&masks[..], &any].concat()))
        }
        _ => {
            let masks =
                [json!("last(2)"), json!("first(1)"), json!("email_domain"), json!("short"), json!("loud")];
            (format!("{column}.b"), random.pick(&[&masks[..], &any].concat()))
        }
    }
}

fn text_mask(random: &mut Random) -> Json {
    random.pick(&[
        json!("last(2)"),
        json!("first(1)"),
        json!("email_domain"),
        json!("redact"),
        json!("constant('hidden')"),
        json!("short"),
        json!("loud"),
        json!({ "sql": "case when id > 3 then value else 'few' end" }),
        json!({ "sql": "coalesce(value, claim('area'))" }),
        json!({ "sql": "value || '-' || area" }),
    ])
}

fn by_type() -> Json {
    json!({ "text": "last(1)", "date": "year", "timestamp": "month", "other": "nullify" })
}

fn restriction(random: &mut Random, tables: &[&Table], number: usize) -> Json {
    let table = random.pick(tables);
    let field = random.pick(&table.fields);
    let mut rule = json!({ "id": format!("r{number}"), "why": "It must be so.", "tables": [table.name] });
    match random.below(8) {
        0..=2 => rule["rows"] = json!(on_row(random, &table.fields, 1)),
        3..=5 => {
            rule["columns"] = json!([field.name]);
            // A mask that a grant may put on it, too.
            rule["mask"] = if field.kind == Kind::Text && random.chance(60) {
                json!("short")
            } else {
                mask(random, field.kind)
            };
        }
        6 => {
            rule["columns"] = json!([field.name]);
            rule["hide"] = json!(true);
        }
        _ => rule["deny"] = json!(true),
    }
    excused(random, rule)
}

/// A restriction of what is inside a column.
fn inside(random: &mut Random, table: &Table, field: &Field) -> Json {
    let (columns, mask) = field_mask(random, &field.name);
    let id = format!("{}-{}", table.name, field.name);
    let mut rule = json!({ "id": id, "why": "It must be so.", "tables": [table.name], "columns": [columns] });
    if random.chance(15) {
        rule["hide"] = json!(true);
    } else {
        rule["mask"] = mask;
    }
    excused(random, rule)
}

/// With `to`, `when` and `unless`, or without.
fn excused(random: &mut Random, mut rule: Json) -> Json {
    if random.chance(30) {
        rule["to"] = callers(random);
    }
    if random.chance(25) {
        rule["when"] = json!(on_caller(random));
    }
    if random.chance(40) {
        rule["unless"] = match random.below(3) {
            0 => json!([{ "roles": [role(random)] }]),
            1 => json!([{ "when": on_caller(random) }]),
            _ => {
                json!([{ "roles": [role(random)], "when": on_caller(random) }, { "subjects": [subject(random)] }])
            }
        };
    }
    rule
}
