//! Reads the keys of one mapping and collects problems.
//!
//! Each method that names a key also makes it known; `finish` reports the
//! keys that nobody asked for. A value of the wrong kind, an empty one
//! included, is a problem and reads as absent.

use super::{Entry, Node, Problem, Severity, Warning, suggest};

/// A reader over one mapping.
#[derive(Debug)]
pub struct Reader<'n, 'p> {
    file: &'n str,
    line: usize,
    entries: &'n [Entry],
    known: Vec<String>,
    problems: &'p mut Vec<Problem>,
}

/// What an unknown key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownKeys {
    Error,
    Warn,
}

impl<'n, 'p> Reader<'n, 'p> {
    /// A reader over `node`; if that is no mapping, a problem and a reader over nothing.
    pub fn new(file: &'n str, node: &'n Node, problems: &'p mut Vec<Problem>) -> Self {
        let entries = match node.as_mapping() {
            Some(entries) => entries,
            None => {
                let message = format!("expected a mapping (`key: value`), found {}", node.kind());
                problems.push(Problem::error(file, node.line, message));
                &[]
            }
        };
        Self { file, line: node.line, entries, known: Vec::new(), problems }
    }

    /// The name of the file.
    pub fn file(&self) -> &'n str {
        self.file
    }

    /// The line where the mapping begins.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The line of a key, or of the mapping if it is absent.
    pub fn line_of(&self, key: &str) -> usize {
        self.entries.iter().find(|entry| entry.key == key).map_or(self.line, |entry| entry.key_line)
    }

    /// Is the key there, whatever its value?
    pub fn has(&mut self, key: &str) -> bool {
        self.node(key).is_some()
    }

    /// The raw value of a key.
    pub fn node(&mut self, key: &str) -> Option<&'n Node> {
        if !self.known.iter().any(|known| known == key) {
            self.known.push(key.to_owned());
        }
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// A single value as text.
    pub fn text(&mut self, key: &str) -> Option<String> {
        let node = self.node(key)?;
        let text = node.as_scalar().map(str::to_owned);
        self.or_wrong_kind(key, node, text, "a text")
    }

    /// A single value as text; its absence is a problem.
    pub fn required_text(&mut self, key: &str) -> Option<String> {
        self.require(key)?;
        self.text(key)
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, key: &str) -> Option<bool> {
        let node = self.node(key)?;
        let value = match node.as_scalar() {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => None,
        };
        self.or_wrong_kind(key, node, value, "`true` or `false`")
    }

    /// A whole number.
    pub fn integer(&mut self, key: &str) -> Option<i64> {
        let node = self.node(key)?;
        let value = node.as_scalar().and_then(|text| text.replace('_', "").parse().ok());
        self.or_wrong_kind(key, node, value, "a whole number")
    }

    /// The items of a list.
    pub fn list(&mut self, key: &str) -> Option<&'n [Node]> {
        let node = self.node(key)?;
        self.or_wrong_kind(key, node, node.as_sequence(), "a list")
    }

    /// A list of texts.
    pub fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        let items = self.list(key)?;
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            let text = item.as_scalar().map(str::to_owned);
            texts.push(self.or_wrong_kind(key, item, text, "a list of texts")?);
        }
        Some(texts)
    }

    /// One text, or a list of at least one.
    pub fn one_or_more(&mut self, key: &str) -> Option<Vec<String>> {
        if self.node(key)?.as_sequence().is_none() {
            return Some(vec![self.text(key)?]);
        }
        let texts = self.texts(key)?;
        if texts.is_empty() {
            self.error(self.line_of(key), format!("`{key}` is empty"), None);
            return None;
        }
        Some(texts)
    }

    /// The entries of a mapping whose keys are free.
    pub fn entries(&mut self, key: &str) -> Option<&'n [Entry]> {
        let node = self.node(key)?;
        self.or_wrong_kind(key, node, node.as_mapping(), "a mapping")
    }

    /// A reader over the mapping of a key.
    pub fn mapping(&mut self, key: &str) -> Option<Reader<'n, '_>> {
        let node = self.node(key)?;
        self.or_wrong_kind(key, node, node.as_mapping(), "a mapping")?;
        Some(Reader::new(self.file, node, self.problems))
    }

    /// A reader over any other node of the same file.
    pub fn over(&mut self, node: &'n Node) -> Reader<'n, '_> {
        Reader::new(self.file, node, self.problems)
    }

    /// Makes the absence of a key a problem.
    pub fn require(&mut self, key: &str) -> Option<&'n Node> {
        let node = self.node(key);
        if node.is_none() {
            self.error(self.line, format!("`{key}` is missing"), None);
        }
        node
    }

    /// Adds an error.
    pub fn error(&mut self, line: usize, message: impl Into<String>, hint: Option<String>) {
        self.problem(line, Severity::Error, message.into(), hint);
    }

    /// Adds a warning.
    pub fn warning(&mut self, warning: Warning, line: usize, message: impl Into<String>) {
        self.problem(line, Severity::Warning(warning), message.into(), None);
    }

    /// The collected problems, to add more.
    pub fn problems(&mut self) -> &mut Vec<Problem> {
        self.problems
    }

    /// Reports the keys that nobody asked for.
    pub fn finish(mut self, unknown: UnknownKeys) {
        let severity = match unknown {
            UnknownKeys::Error => Severity::Error,
            UnknownKeys::Warn => Severity::Warning(Warning::UnknownKey),
        };
        for entry in self.entries {
            if self.known.contains(&entry.key) {
                continue;
            }
            let hint = self.hint_for(&entry.key);
            self.problem(entry.key_line, severity, format!("unknown key `{}`", entry.key), hint);
        }
    }

    /// An expression with a comma that stands unquoted inside `{ }` falls
    /// apart, and its second half becomes a key.
    fn hint_for(&self, key: &str) -> Option<String> {
        if key.contains([')', '(', '\'']) {
            return Some("a value with a comma inside `{ }` or `[ ]` must be quoted".to_owned());
        }
        suggest::nearest_hint(key, self.known.iter().map(String::as_str))
    }

    fn or_wrong_kind<T>(&mut self, key: &str, node: &Node, value: Option<T>, expected: &str) -> Option<T> {
        if value.is_none() {
            let message = if node.is_null() {
                format!("`{key}` has no value, expected {expected}")
            } else {
                format!("`{key}` is not {expected}")
            };
            self.error(node.line, message, None);
        }
        value
    }

    fn problem(&mut self, line: usize, severity: Severity, message: String, hint: Option<String>) {
        self.problems.push(Problem { file: self.file.to_owned(), line, severity, message, hint });
    }
}
