//! The cell rule, one cell at a time.

use serde_json::Value as Json;

use crate::caller::Caller;
use crate::documents::{Column, Documents, Table, list};
use crate::evaluate::{evaluate, truncate, truncate_instant};
use crate::fields::{self, Masks};
use crate::lookups::named;
use crate::numbers::{bucket, round};
use crate::value::{Row, Value, parse_date};

/// What a caller sees of a table: column names, and the visible rows in raw order.
#[derive(Debug, PartialEq)]
pub struct View {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Value>>,
}

/// What `caller` may see of `table`, of which `raw` are all rows; `None` if the table does not exist for it.
pub fn view(documents: &Documents, table: &Table, caller: &Caller, raw: &[Row]) -> Option<View> {
    let rule = Rule::of(documents, table, caller)?;
    let columns: Vec<&Column> = table.columns.iter().filter(|column| rule.shows(column)).collect();
    Some(View {
        columns: columns.iter().map(|column| column.name.clone()).collect(),
        rows: raw
            .iter()
            .filter(|row| rule.row_is_visible(row))
            .map(|row| columns.iter().map(|column| rule.cell(row, column)).collect())
            .collect(),
    })
}

/// The rows of `raw` that `caller` may see, raw.
pub(crate) fn visible_rows(documents: &Documents, table: &Table, caller: &Caller, raw: Vec<Row>) -> Vec<Row> {
    let Some(rule) = Rule::of(documents, table, caller) else { return Vec::new() };
    raw.into_iter().filter(|row| rule.row_is_visible(row)).collect()
}

struct Rule<'a> {
    documents: &'a Documents,
    table: &'a Table,
    caller: &'a Caller,
    grants: Vec<&'a Json>,
    restrictions: Vec<&'a Json>,
}

impl<'a> Rule<'a> {
    /// The rules for `caller`; `None` if the table does not exist for it.
    fn of(documents: &'a Documents, table: &'a Table, caller: &'a Caller) -> Option<Self> {
        let applies = |grant: &&Json| applies(documents, grant, table, caller);
        let restricts = |rule: &&Json| restricts(documents, rule, table, caller);
        let rule = Self {
            documents,
            table,
            caller,
            grants: documents.grants.iter().filter(applies).collect(),
            restrictions: documents.restrictions.iter().filter(restricts).collect(),
        };
        let denied = rule.restrictions.iter().any(|restriction| restriction["deny"] == Json::Bool(true));
        let shows_some = table.columns.iter().any(|column| rule.shows(column));
        (!rule.grants.is_empty() && !denied && shows_some).then_some(rule)
    }

    fn shows(&self, column: &Column) -> bool {
        // The type of a column names its fields: where one is hidden, so is the column.
        let hides = |rule: &&Json| rule["hide"] == Json::Bool(true) && touches(&rule["columns"], column);
        self.grants.iter().any(|grant| selects(&grant["columns"], column))
            && !self.restrictions.iter().any(hides)
    }

    fn row_is_visible(&self, row: &Row) -> bool {
        self.grants.iter().any(|grant| self.admits(grant, row))
            && self.restrictions.iter().all(|restriction| {
                // A condition that cannot be asked is not TRUE.
                claims_are_there(self.documents, &restriction["rows"], self.caller)
                    && self.admits(restriction, row)
            })
    }

    /// Is the rule's row predicate TRUE for the row? (No predicate: yes.)
    fn admits(&self, rule: &Json, row: &Row) -> bool {
        let sql = match &rule["rows"] {
            Json::Null => return true,
            Json::String(sql) => sql,
            map => map[&self.table.name].as_str().expect("rows for the table"),
        };
        evaluate(sql, row, self.caller, None).is_true()
    }

    fn cell(&self, row: &Row, column: &Column) -> Value {
        let granted: Vec<Masks> = self
            .grants
            .iter()
            .filter(|grant| selects(&grant["columns"], column) && self.admits(grant, row))
            .map(|grant| fields::of_grant(grant, column))
            .collect();
        let Some(first) = granted.first() else { return Value::Null };
        let is_raw = granted.iter().any(Masks::is_raw);
        let base = if is_raw { Masks::default() } else { self.resolved(first.clone(), column) };
        let put = self.restrictions.iter().filter(|rule| !rule["mask"].is_null()).map(|rule| {
            let masks = self.resolved(fields::of_restriction(rule, column), column);
            masks.map(|mask, _| {
                let is_asked = claims_are_there(self.documents, &mask, self.caller);
                if is_asked { mask } else { Json::from("redact") }
            })
        });
        let masks = put.fold(base, Masks::and);
        let raw = &row[&column.name];
        match &masks.whole {
            Some(mask) => self.masked(mask, row, column, raw),
            None => fields::masked(raw, column, &masks.fields, &|mask, field, raw| {
                // What a field shows depends on nothing else in its row.
                self.masked(mask, &Row::new(), field, raw)
            }),
        }
    }

    /// The masks themselves, as those of one type.
    fn resolved(&self, masks: Masks, column: &Column) -> Masks {
        masks.map(|mask, field| self.resolve(&mask, field.map_or(column, |name| fields::named(column, name))))
    }

    /// The mask itself: picked by the column's type, own masks by name looked up.
    fn resolve(&self, mask: &Json, column: &Column) -> Json {
        match mask {
            Json::Object(map) if map.contains_key("sql") => mask.clone(),
            Json::Object(map) => {
                let group = type_group(column);
                let chosen = map.get(group).or_else(|| map.get("other"));
                self.resolve(chosen.unwrap_or(&Json::from("redact")), column)
            }
            Json::String(name) => match &self.documents.masks[name] {
                Json::Null => mask.clone(),
                Json::String(sql) => serde_json::json!({ "sql": sql }),
                own => own.clone(),
            },
            other => panic!("mask {other}"),
        }
    }

    /// What a resolved mask shows of `raw`.
    fn masked(&self, mask: &Json, row: &Row, column: &Column, raw: &Value) -> Value {
        if let Some(sql) = mask["sql"].as_str() {
            return evaluate(sql, row, self.caller, Some(raw));
        }
        let written = mask.as_str().expect("a mask by name");
        let (name, argument) = written.split_once('(').unwrap_or((written, ")"));
        let argument = argument.trim_end_matches(')').trim();
        match (name, raw) {
            ("redact", _) => redacted(column),
            ("nullify", _) => Value::Null,
            ("constant", _) => constant(argument, evaluate(argument, row, self.caller, None), column),
            (_, Value::Null) => Value::Null,
            ("pseudonym", raw) => self.pseudonym(argument, raw),
            ("email_domain", Value::Text(text)) => Value::Text(email_domain(text)),
            ("bucket", number) => bucket(number, argument.parse().expect("a width"), column),
            ("round", number) => round(number, argument.parse().expect("places"), column),
            ("last", Value::Text(text)) => Value::Text(keep(text, argument, false)),
            ("first", Value::Text(text)) => Value::Text(keep(text, argument, true)),
            ("year" | "month" | "day", Value::Date(days)) => Value::Date(truncate(name, *days)),
            ("year" | "month" | "day", Value::Timestamp(micros)) => {
                Value::Timestamp(truncate_instant(name, *micros))
            }
            other => panic!("the oracle does not know the mask {other:?}"),
        }
    }

    /// HMAC-SHA256 under a key made for the space and its scope.
    fn pseudonym(&self, space: &str, raw: &Value) -> Value {
        let secret = &self.documents.pseudonym_keys[space];
        let scope = match self.documents.mesh["pseudonyms"][space]["scope"].as_str() {
            Some("mesh") => "mesh".to_owned(),
            _ => format!("domain\0{}", self.table.domain),
        };
        let derived = hmac(secret, format!("meshgate-pseudonym-v1\0{space}\0{scope}").as_bytes());
        match raw {
            Value::Text(text) => {
                let hash = hmac(&derived, &[b"text\0".as_slice(), text.as_bytes()].concat());
                Value::Text(hash[..16].iter().map(|byte| format!("{byte:02x}")).collect())
            }
            Value::Integer(number) => {
                let hash = hmac(&derived, &[b"integer\0".as_slice(), &number.to_be_bytes()].concat());
                let first = u64::from_be_bytes(hash[..8].try_into().expect("eight bytes"));
                Value::Integer(i128::from(first & (u64::MAX >> 1)))
            }
            other => panic!("no pseudonym of {other:?}"),
        }
    }
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
    sign(&Key::new(HMAC_SHA256, key), message).as_ref().to_vec()
}

/// Text keeps its length; what is not shown becomes `*`; short texts are not shown at all.
fn keep(text: &str, count: &str, front: bool) -> String {
    let count: usize = count.parse().expect("a number of characters");
    let characters: Vec<char> = text.chars().collect();
    let length = characters.len();
    let is_shown =
        |position: usize| length > count && if front { position < count } else { position >= length - count };
    characters.iter().enumerate().map(|(at, character)| if is_shown(at) { *character } else { '*' }).collect()
}

/// Without what stands before the last `@`.
fn email_domain(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, domain)) if !domain.is_empty() => format!("***@{domain}"),
        _ => "***".to_owned(),
    }
}

/// A constant in the column's type.
fn constant(written: &str, value: Value, column: &Column) -> Value {
    match (column.logical_type.as_str(), value) {
        ("date", Value::Text(day)) => Value::Date(parse_date(&day)),
        ("timestamp", Value::Text(moment)) => {
            let moment: chrono::NaiveDateTime = moment.replace(' ', "T").parse().expect("a timestamp");
            Value::Timestamp(moment.and_utc().timestamp_micros())
        }
        ("number", _) if FLOATS.contains(&column.physical_type.as_str()) => {
            Value::Float(written.parse().expect("a number"))
        }
        (_, value) => value,
    }
}

/// Physical types of numbers in floating point.
const FLOATS: [&str; 9] =
    ["", "double", "double precision", "float64", "float8", "float", "real", "float32", "float4"];
const BINARIES: [&str; 5] = ["binary", "varbinary", "bytea", "blob", "bytes"];

fn redacted(column: &Column) -> Value {
    if type_group(column) == "text" { Value::text("***") } else { Value::Null }
}

fn type_group(column: &Column) -> &'static str {
    match column.logical_type.as_str() {
        "string" if BINARIES.contains(&column.physical_type.as_str()) => "binary",
        "string" => "text",
        "integer" => "integer",
        "number" => "number",
        "date" => "date",
        "timestamp" => "timestamp",
        "boolean" => "boolean",
        "array" | "object" => "nested",
        _ => "other",
    }
}

fn applies(documents: &Documents, grant: &Json, table: &Table, caller: &Caller) -> bool {
    matches_caller(&grant["to"], caller)
        && chooses(grant, table, false)
        && claims_are_there(documents, grant, caller)
        && condition(documents, &grant["when"], caller).is_none_or(|value| value.is_true())
        && grant["purpose"].as_str().is_none_or(|purpose| caller.purpose.as_deref() == Some(purpose))
        && grant["until"].as_str().is_none_or(|day| caller.today <= parse_date(day))
}

fn restricts(documents: &Documents, rule: &Json, table: &Table, caller: &Caller) -> bool {
    let lifted = condition(documents, &rule["when"], caller) == Some(Value::Boolean(false));
    let excused = list(&rule["unless"]).iter().any(|excuse| {
        (!names_callers(excuse) || matches_caller(excuse, caller))
            && condition(documents, &excuse["when"], caller).is_none_or(|value| value.is_true())
            && excuse["purpose"].as_str().is_none_or(|purpose| caller.purpose.as_deref() == Some(purpose))
    });
    (rule["to"].is_null() || matches_caller(&rule["to"], caller))
        && chooses(rule, table, true)
        && !lifted
        && !excused
        && (rule["columns"].is_null() || table.columns.iter().any(|column| touches(&rule["columns"], column)))
}

/// Does it select the column, or a field inside?
fn touches(columns: &Json, column: &Column) -> bool {
    selects(columns, column) || column.fields.iter().any(|field| fields::selects(columns, column, field))
}

fn names_callers(excuse: &Json) -> bool {
    ["roles", "groups", "subjects", "everyone"].iter().any(|key| excuse.get(key).is_some())
}

fn matches_caller(to: &Json, caller: &Caller) -> bool {
    let any = |key: &str, of: &[String]| list(&to[key]).iter().any(|name| of.iter().any(|own| name == own));
    to["everyone"] == Json::Bool(true)
        || any("roles", &caller.roles)
        || any("groups", &caller.groups)
        || any("subjects", std::slice::from_ref(&caller.subject))
}

pub(crate) fn chooses(rule: &Json, table: &Table, default: bool) -> bool {
    if rule["tables"].is_null() && rule["products"].is_null() {
        return default;
    }
    let qualified = format!("{}.{}", table.domain, table.name);
    list(&rule["tables"]).iter().any(|pattern| {
        let pattern = pattern.as_str().expect("a table's name");
        glob(pattern, &table.name) || glob(pattern, &qualified)
    }) || list(&rule["products"])
        .iter()
        .any(|pattern| glob(pattern.as_str().expect("a name"), &table.product))
}

pub(crate) fn selects(columns: &Json, column: &Column) -> bool {
    let tagged = |key: &str| list(&columns[key]).iter().any(|tag| column.tags.iter().any(|own| tag == own));
    match columns {
        Json::String(all) => all == "all",
        Json::Array(patterns) => patterns.iter().any(|p| glob(p.as_str().expect("a name"), &column.name)),
        Json::Object(by) => {
            let classified = list(&columns["classification"])
                .iter()
                .any(|class| column.classification.as_deref() == class.as_str());
            (by.get("classification").is_none() || classified)
                && (by.get("tags").is_none() || tagged("tags"))
                && !tagged("except_tags")
                && (by.get("unclassified").is_none() || column.classification.is_none())
        }
        _ => false,
    }
}

/// The condition's outcome; NULL if it reads a claim that is missing.
fn condition(documents: &Documents, when: &Json, caller: &Caller) -> Option<Value> {
    let is_asked = claims_are_there(documents, when, caller);
    when.as_str().map(|sql| if is_asked { evaluate(sql, &Row::new(), caller, None) } else { Value::Null })
}

/// Are the claims there that a rule or a part of it reads, its own masks and lookups included?
pub(crate) fn claims_are_there(documents: &Documents, rule: &Json, caller: &Caller) -> bool {
    let mut text = String::new();
    collect(documents, rule, &mut text);
    claims_named(&text).iter().all(|claim| caller.has_claim(claim))
}

/// All that a rule says, with what stands behind names of masks and lookups.
fn collect(documents: &Documents, rule: &Json, text: &mut String) {
    match rule {
        Json::String(value) => {
            *text += value;
            *text += "\n";
            if let Some(mask) = documents.masks.get(value) {
                collect(documents, mask, text);
            }
            for lookup in named(value) {
                collect(documents, &documents.lookups[lookup]["where"], text);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| collect(documents, item, text)),
        Json::Object(entries) => entries.values().for_each(|value| collect(documents, value, text)),
        _ => {}
    }
}

/// Names of the claims that a text reads.
fn claims_named(text: &str) -> Vec<String> {
    text.split("claim('")
        .skip(1)
        .chain(text.split("claim_has('").skip(1))
        .map(|rest| rest.split('\'').next().expect("a name").to_owned())
        .collect()
}

/// `*` stands for any characters.
pub(crate) fn glob(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => {
            name.starts_with(start)
                && (start.len()..=name.len())
                    .filter(|at| name.is_char_boundary(*at))
                    .any(|at| glob(rest, &name[at..]))
        }
    }
}
