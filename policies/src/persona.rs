//! Personas: callers of demos and tests, as claims that a token would carry.

use serde_json::{Map, Value};

use crate::{
    Mesh, NoSuchPurpose, Principal,
    names::{ID_HINT, is_id},
    yaml::{self, Entry, Node, Problem, Reader, UnknownKeys, Value as Yaml},
};

/// Stands for all personas where one could be named.
pub const EVERYONE: &str = "everyone";

/// Who issued the token of a persona that does not say so with `iss`.
const ISSUER: &str = "personas";

/// Somebody who asks in demos and tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Persona {
    pub name: String,
    /// As a token carries them; `sub` is among them.
    pub claims: Map<String, Value>,
    /// What the persona works for.
    pub purpose: Option<String>,
    pub file: String,
    pub line: usize,
}

impl Persona {
    /// Reads personas.yaml, or what stands under `personas` of any other file.
    pub fn read_file(file: &str, text: &str) -> Result<Vec<Self>, Vec<Problem>> {
        let root = yaml::parse(file, text).map_err(|problem| vec![problem])?;
        let mut problems = Vec::new();
        let mut reader = Reader::new(file, &root, &mut problems);
        reader.require("personas");
        let personas = Self::read(&mut reader);
        reader.finish(UnknownKeys::Error);
        if problems.is_empty() { Ok(personas) } else { Err(problems) }
    }

    /// What stands under `personas`.
    pub(crate) fn read(reader: &mut Reader<'_, '_>) -> Vec<Self> {
        let entries = reader.entries("personas").unwrap_or_default();
        entries.iter().filter_map(|entry| Self::read_one(reader, entry)).collect()
    }

    fn read_one(reader: &mut Reader<'_, '_>, entry: &Entry) -> Option<Self> {
        let (name, line) = (&entry.key, entry.key_line);
        if name == EVERYONE {
            reader.error(line, "`everyone` stands for all personas and cannot name one", None);
            return None;
        }
        if !is_id(name) {
            let message = format!("`{name}` cannot name a persona");
            reader.error(line, message, Some(ID_HINT.to_owned()));
            return None;
        }
        let Value::Object(mut claims) = json(&entry.value) else {
            let hint = format!("write `{name}: {{ sub: {name} }}`");
            reader.error(line, "a persona is a mapping of claims", Some(hint));
            return None;
        };
        if !claims.get("sub").is_some_and(Value::is_string) {
            let hint = format!("write `{name}: {{ sub: {name}, .. }}`");
            reader.error(line, "a persona needs a `sub`", Some(hint));
            return None;
        }
        let purpose = match claims.remove("purpose") {
            None => None,
            Some(Value::String(purpose)) => Some(purpose),
            Some(_) => {
                reader.error(line, "`purpose` of a persona is one text", None);
                return None;
            }
        };
        Some(Self { name: name.clone(), claims, purpose, file: reader.file().to_owned(), line })
    }

    /// Who a verified token of these claims would be, working for the persona's purpose.
    pub fn principal(&self, mesh: &Mesh) -> Result<Principal, NoSuchPurpose> {
        let text = |claim: &str| self.claims.get(claim).and_then(Value::as_str);
        let (issuer, subject) = (text("iss").unwrap_or(ISSUER), text("sub").unwrap_or_default());
        mesh.principal(issuer, subject, &self.claims).working_for(self.purpose.as_deref())
    }
}

/// YAML as JSON. Only plain `true`, `false` and whole numbers are not texts,
/// so that dates and the like stay what they look like.
fn json(node: &Node) -> Value {
    match &node.value {
        Yaml::Scalar { .. } if node.is_null() => Value::Null,
        Yaml::Scalar { text, quoted: true } => text.as_str().into(),
        Yaml::Scalar { text, quoted: false } => match text.as_str() {
            "true" => true.into(),
            "false" => false.into(),
            other => other.parse::<i64>().map_or_else(|_| other.into(), Value::from),
        },
        Yaml::Sequence(items) => items.iter().map(json).collect(),
        Yaml::Mapping(entries) => {
            entries.iter().map(|entry| (entry.key.clone(), json(&entry.value))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problem(text: &str) -> (usize, String) {
        let problem = Persona::read_file("personas.yaml", text).unwrap_err().remove(0);
        (problem.line, problem.message)
    }

    #[test]
    fn claims_are_read_as_a_token_carries_them() {
        let text = "personas:\n  eve: { sub: eve, r: [FR, '1'], n: 7, b: true, d: 2031-12-31, o: { roles: [a] }, z: null, q: 'null', purpose: p }\n";
        let personas = Persona::read_file("personas.yaml", text).unwrap();
        let [eve] = personas.as_slice() else { panic!("{personas:?}") };
        assert_eq!(
            Value::Object(eve.claims.clone()),
            json!({ "sub": "eve", "r": ["FR", "1"], "n": 7, "b": true, "d": "2031-12-31", "o": { "roles": ["a"] }, "z": null, "q": "null" })
        );
        assert_eq!((eve.purpose.as_deref(), eve.line), (Some("p"), 2));
    }

    #[test]
    fn problems_have_a_line() {
        assert_eq!(problem("personas:\n  eve: 1\n"), (2, "a persona is a mapping of claims".to_owned()));
        assert_eq!(problem("personas:\n  eve: { a: b }\n"), (2, "a persona needs a `sub`".to_owned()));
        assert_eq!(
            problem("personas:\n  everyone: { sub: b }\n"),
            (2, "`everyone` stands for all personas and cannot name one".to_owned())
        );
        let purpose = problem("personas:\n  eve: { sub: b, purpose: [a] }\n");
        assert_eq!(purpose, (2, "`purpose` of a persona is one text".to_owned()));
        assert!(Persona::read_file("personas.yaml", "people: {}\n").is_err());
    }

    #[test]
    fn a_persona_is_whom_its_token_would_make_it() {
        let text = "mesh: m\ntimezone: UTC\nroles: { path: $.r }\nclaims: { level: { path: $.l, type: integer } }\npurposes: { fraud: { title: Fraud } }\n";
        let (mesh, _) = Mesh::load("mesh.yaml", text).unwrap();
        let personas = "personas:\n  a: { sub: s, r: [x], l: 3, purposes: [fraud], purpose: fraud }\n  b: { sub: s, l: '3', purpose: fraud }\n";
        let personas = Persona::read_file("personas.yaml", personas).unwrap();
        let principal = personas[0].principal(&mesh).unwrap();
        assert_eq!((principal.subject.as_str(), principal.purpose.as_deref()), ("s", Some("fraud")));
        assert!(principal.roles.contains("x") && principal.claims.contains_key("level"));
        // The token does not name the purpose.
        assert_eq!(personas[1].principal(&mesh), Err(NoSuchPurpose));
    }
}
