//! personas.yaml: who asks in demos and tests. Claims as a token carries them.

use std::collections::BTreeMap;

use meshgate_policies::yaml::{self, Node, Problem, Value as Yaml};
use serde_json::{Map, Value};

/// The claims of each persona, by name.
pub(crate) fn read(file: &str, text: &str) -> Result<BTreeMap<String, Map<String, Value>>, Problem> {
    let root = yaml::parse(file, text)?;
    let wrong = |line, message: &str| Problem::error(file, line, message.to_owned());
    let Some(personas) = root.get("personas").and_then(Node::as_mapping) else {
        return Err(wrong(root.line, "there are no `personas`"));
    };
    let mut read = BTreeMap::new();
    for persona in personas {
        let Value::Object(claims) = json(&persona.value) else {
            return Err(wrong(persona.key_line, "a persona is a mapping of claims, such as `{ sub: anna }`"));
        };
        if !claims.get("sub").is_some_and(Value::is_string) {
            return Err(wrong(persona.key_line, "a persona needs a `sub`"));
        }
        read.insert(persona.key.clone(), claims);
    }
    Ok(read)
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

    #[test]
    fn claims_are_read_as_a_token_carries_them() {
        let text =
            "personas:\n  eve: { sub: eve, r: [FR, '1'], n: 7, b: true, d: 2031-12-31, o: { roles: [a] } }\n";
        let personas = read("personas.yaml", text).unwrap();
        assert_eq!(
            Value::Object(personas["eve"].clone()),
            json!({ "sub": "eve", "r": ["FR", "1"], "n": 7, "b": true, "d": "2031-12-31", "o": { "roles": ["a"] } })
        );
    }

    #[test]
    fn problems_have_a_line() {
        for text in ["personas:\n  eve: 1\n", "personas:\n  eve: { a: b }\n"] {
            let problem = read("personas.yaml", text).unwrap_err();
            assert_eq!((problem.line, problem.file.as_str()), (2, "personas.yaml"));
        }
        assert!(read("personas.yaml", "people: {}\n").is_err());
    }
}
