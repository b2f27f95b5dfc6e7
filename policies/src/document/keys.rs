//! What several readers of rules share: texts that must be SQL, lists of names.

use super::{Pattern, Sql, Where};
use crate::{
    expression,
    yaml::{Node, Reader, Value},
};

/// Reads keys that mean the same wherever they stand.
pub(crate) trait Keys {
    /// A slot for an SQL expression.
    fn sql(&mut self, key: &str) -> Option<Sql>;
    /// As `sql`, of a value that stands elsewhere.
    fn sql_of(&mut self, key: &str, node: &Node) -> Option<Sql>;
    /// A list of names or globs that is not empty.
    fn patterns(&mut self, key: &str) -> Option<Vec<Pattern>>;
    /// A list of texts that is not empty.
    fn names(&mut self, key: &str) -> Option<Vec<String>>;
    /// `key: true`; `false` says what is so anyway and is refused.
    fn flag(&mut self, key: &str) -> bool;
}

impl Keys for Reader<'_, '_> {
    fn sql(&mut self, key: &str) -> Option<Sql> {
        let node = self.node(key)?;
        self.sql_of(key, node)
    }

    fn sql_of(&mut self, key: &str, node: &Node) -> Option<Sql> {
        let Value::Scalar { text, quoted } = &node.value else {
            self.error(node.line, format!("`{key}` is {}, not an SQL text", node.kind()), None);
            return None;
        };
        let at = Where { file: self.file().to_owned(), line: node.line };
        if node.is_null() {
            let hint = "leave the key out, or write the condition in quotes".to_owned();
            self.error(node.line, format!("`{key}` has no value"), Some(hint));
            return None;
        }
        if !quoted && is_not_a_string(text) {
            let hint = format!("write {key}: \"{text}\"");
            self.error(
                node.line,
                format!("`{key}` must be an SQL text, `{text}` is none in YAML"),
                Some(hint),
            );
            return None;
        }
        if node.cut_by_comment {
            let hint = "quote the whole value, or put the comment on a line of its own".to_owned();
            self.error(node.line, format!("a `#` cuts the value of `{key}` off"), Some(hint));
            return None;
        }
        if let Err(problem) = expression::check_syntax(text) {
            self.error(node.line, format!("`{key}`: {problem}"), problem.hint);
            return None;
        }
        Some(Sql { text: text.clone(), at })
    }

    fn patterns(&mut self, key: &str) -> Option<Vec<Pattern>> {
        let items = self.list(key)?;
        let mut patterns = Vec::with_capacity(items.len());
        for item in items {
            match item.as_scalar() {
                Some(text) => patterns.push(Pattern { text: text.to_owned(), line: item.line }),
                None => self.error(item.line, format!("`{key}` holds {} among its names", item.kind()), None),
            }
        }
        if items.is_empty() {
            let line = self.line_of(key);
            self.error(line, format!("`{key}` is empty"), Some("name something, or use [\"*\"]".to_owned()));
        }
        Some(patterns)
    }

    fn names(&mut self, key: &str) -> Option<Vec<String>> {
        let names = self.texts(key)?;
        if names.is_empty() {
            let line = self.line_of(key);
            self.error(line, format!("`{key}` is empty"), None);
        }
        Some(names)
    }

    fn flag(&mut self, key: &str) -> bool {
        match self.boolean(key) {
            Some(false) => {
                let line = self.line_of(key);
                self.error(line, format!("`{key}: false` does nothing"), Some("leave it out".to_owned()));
                false
            }
            value => value == Some(true),
        }
    }
}

/// A plain scalar that YAML readers take for a number or a truth value.
fn is_not_a_string(text: &str) -> bool {
    let word = text.to_ascii_lowercase();
    text.parse::<f64>().is_ok() || matches!(word.as_str(), "true" | "false" | "yes" | "no" | "on" | "off")
}
