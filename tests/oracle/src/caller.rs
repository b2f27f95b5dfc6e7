//! A caller as its token describes it, mapped by mesh.yaml.

use std::collections::BTreeMap;

use chrono::Utc;
use serde_json::Value as Json;

use crate::lookups::Keys;
use crate::value::{Value, parse_date};

/// A caller: what policy may know of it.
#[derive(Clone)]
pub struct Caller {
    pub subject: String,
    pub roles: Vec<String>,
    pub groups: Vec<String>,
    /// Those that it may choose, and the one that it has chosen.
    pub purposes: Vec<String>,
    pub purpose: Option<String>,
    /// Single values; a claim that is missing or of another type than declared is absent.
    pub claims: BTreeMap<String, Value>,
    pub list_claims: BTreeMap<String, Vec<Value>>,
    /// The day in the mesh's time zone.
    pub today: i32,
    /// Microseconds since the epoch, UTC. Test data lie further than any zone away from it.
    pub now: i64,
    /// What the lookups of the domain in question hold for this caller.
    pub keys: Keys,
}

impl Caller {
    /// Without a purpose. Reads `token` (the claims of a JWT) as `mesh` (the parsed mesh.yaml, as JSON) says.
    pub fn new(mesh: &Json, token: &Json, today: i32) -> Self {
        let purposes = mesh["token_purposes"]["path"].as_str().unwrap_or("$.purposes");
        let mut caller = Self {
            subject: token["sub"].as_str().expect("a subject").to_owned(),
            roles: texts(at(token, mesh["roles"]["path"].as_str())),
            groups: texts(at(token, mesh["groups"]["path"].as_str())),
            purposes: declared(texts(at(token, Some(purposes))), &mesh["purposes"]),
            purpose: None,
            claims: BTreeMap::new(),
            list_claims: BTreeMap::new(),
            today,
            now: Utc::now().timestamp_micros(),
            keys: Keys::new(),
        };
        for (name, declared) in mesh["claims"].as_object().into_iter().flatten() {
            let found = at(token, declared["path"].as_str());
            let kind = declared["type"].as_str().expect("a claim's type");
            match (kind, found) {
                ("list<string>", Json::Array(items)) if items.iter().all(Json::is_string) => {
                    let items = items.iter().map(|item| Value::text(item.as_str().unwrap())).collect();
                    caller.list_claims.insert(name.clone(), items);
                }
                ("list<integer>", Json::Array(items)) if items.iter().all(Json::is_i64) => {
                    let items = items.iter().map(|item| Value::Integer(item.as_i64().unwrap().into()));
                    caller.list_claims.insert(name.clone(), items.collect());
                }
                ("string", Json::String(text)) => {
                    let listed = declared["values"].as_array();
                    if listed.is_none_or(|values| values.iter().any(|value| value == text)) {
                        caller.claims.insert(name.clone(), Value::text(text));
                    }
                }
                ("integer", Json::Number(number)) if number.is_i64() => {
                    caller.claims.insert(name.clone(), Value::Integer(number.as_i64().unwrap().into()));
                }
                ("boolean", Json::Bool(value)) => {
                    caller.claims.insert(name.clone(), Value::Boolean(*value));
                }
                ("date", Json::String(text)) => {
                    caller.claims.insert(name.clone(), Value::Date(parse_date(text)));
                }
                _ => {}
            }
        }
        caller
    }

    /// The same caller, working for one of its purposes.
    pub fn working_for(mut self, purpose: &str) -> Self {
        assert!(self.purposes.iter().any(|own| own == purpose), "`{purpose}` is not there to choose");
        self.purpose = Some(purpose.to_owned());
        self
    }

    pub fn has_claim(&self, name: &str) -> bool {
        self.claims.contains_key(name) || self.list_claims.contains_key(name)
    }
}

/// The value at `$.a.b` of `token`.
fn at<'a>(token: &'a Json, path: Option<&str>) -> &'a Json {
    let Some(path) = path else { return &Json::Null };
    path.trim_start_matches("$.").split('.').fold(token, |value, key| &value[key])
}

fn declared(purposes: Vec<String>, mesh: &Json) -> Vec<String> {
    purposes.into_iter().filter(|purpose| mesh.get(purpose).is_some()).collect()
}

fn texts(value: &Json) -> Vec<String> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Json::as_str).map(str::to_owned).collect()
}
