//! Text to tree, with bounds: one document, no aliases (they multiply), no
//! tags (they would change what a scalar means), no key twice (the last would
//! win silently).

use std::collections::HashSet;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::Problem;

/// Longest text that is read.
pub const MAX_BYTES: usize = 1024 * 1024;
/// Deepest nesting that is read.
pub const MAX_DEPTH: usize = 64;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub value: Value,
    /// From 1.
    pub line: usize,
    /// A plain scalar with a comment behind it on the same line: in an
    /// expression the `#` may have been meant as part of it.
    pub cut_by_comment: bool,
}

/// A YAML value. Scalars stay texts; what they mean is up to who reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `quoted` is true for quotes and for block scalars: certainly a text.
    Scalar {
        text: String,
        quoted: bool,
    },
    Sequence(Vec<Node>),
    /// In the order of the file.
    Mapping(Vec<Entry>),
}

/// One key of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    pub key_line: usize,
    pub value: Node,
}

impl Node {
    /// An unquoted nothing, `null` or `~`.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, quoted: false }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The text of a scalar.
    pub fn as_scalar(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => None,
        }
    }

    /// The entries of a mapping.
    pub fn as_mapping(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items of a sequence.
    pub fn as_sequence(&self) -> Option<&[Node]> {
        match &self.value {
            Value::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The value of a key, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_mapping()?.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// What this is, for messages.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            _ if self.is_null() => "nothing",
            Value::Scalar { .. } => "a single value",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }
}

/// Reads one YAML document.
pub fn parse(file: &str, text: &str) -> Result<Node, Problem> {
    if text.len() > MAX_BYTES {
        return Err(Problem::error(file, 0, format!("the file is larger than {MAX_BYTES} bytes")));
    }
    // For the scanner a NUL is the end of the text: what follows would be dropped silently.
    if let Some(position) = text.lines().position(|line| line.contains('\0')) {
        return Err(Problem::error(file, position + 1, "the file holds a NUL character"));
    }
    let mut builder =
        Builder { file, parser: Parser::new_from_str(text), lines: text.lines().collect(), last_line: 1 };
    builder.document()
}

struct Builder<'a> {
    file: &'a str,
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    lines: Vec<&'a str>,
    last_line: usize,
}

impl<'a> Builder<'a> {
    fn document(&mut self) -> Result<Node, Problem> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
                Event::DocumentStart(_) if root.is_some() => {
                    return Err(self.problem(span.start.line(), "the file holds more than one document"));
                }
                Event::DocumentStart(_) => {
                    let (event, span) = self.next()?;
                    root = Some(self.node(event, span, 0)?);
                }
                Event::StreamEnd => break,
                _ => return Err(self.problem(span.start.line(), "this is not expected here")),
            }
        }
        root.ok_or_else(|| self.problem(0, "the file is empty"))
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Problem> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                self.last_line = span.start.line();
                Ok((event, span))
            }
            Some(Err(error)) => {
                let message = format!("this is not YAML: {}", error.info());
                let problem = self.problem(error.marker().line(), &message);
                // What a glob that is not quoted begins like.
                let alias = error.info().contains("alias");
                Err(if alias { problem.with_hint("quote a `*`: [\"*\"]") } else { problem })
            }
            None => Err(self.problem(self.last_line, "the file ends too early")),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Problem> {
        let line = span.start.line();
        if depth > MAX_DEPTH {
            return Err(self.problem(line, &format!("more than {MAX_DEPTH} levels inside each other")));
        }
        let mut cut_by_comment = false;
        let value = match event {
            Event::Scalar(text, style, _, tag) => {
                self.refuse_tag(tag.is_some(), line)?;
                let quoted = style != ScalarStyle::Plain;
                cut_by_comment = !quoted && self.comment_behind(span);
                Value::Scalar { text: text.into_owned(), quoted }
            }
            Event::SequenceStart(_, tag) => {
                self.refuse_tag(tag.is_some(), line)?;
                Value::Sequence(self.sequence(depth)?)
            }
            Event::MappingStart(_, tag) => {
                self.refuse_tag(tag.is_some(), line)?;
                Value::Mapping(self.mapping(depth)?)
            }
            Event::Alias(_) => {
                return Err(self
                    .problem(line, "aliases (`*name`) are not allowed")
                    .with_hint("repeat the value; quote a glob: \"*name\""));
            }
            _ => return Err(self.problem(line, "a value is missing")),
        };
        Ok(Node { value, line, cut_by_comment })
    }

    fn sequence(&mut self, depth: usize) -> Result<Vec<Node>, Problem> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Vec<Entry>, Problem> {
        let mut entries = Vec::new();
        let mut keys = HashSet::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(entries);
            }
            let key_line = span.start.line();
            let Node { value: Value::Scalar { text: key, .. }, .. } = self.node(event, span, depth + 1)?
            else {
                return Err(self.problem(key_line, "a key must be a single value"));
            };
            if !keys.insert(key.clone()) {
                return Err(self.problem(key_line, &format!("the key `{key}` is written twice")));
            }
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            entries.push(Entry { key, key_line, value });
        }
    }

    fn refuse_tag(&self, tagged: bool, line: usize) -> Result<(), Problem> {
        if tagged {
            return Err(self.problem(line, "tags (`!name`) are not allowed"));
        }
        Ok(())
    }

    fn comment_behind(&self, span: Span) -> bool {
        let Some(line) = span.end.line().checked_sub(1).and_then(|index| self.lines.get(index)) else {
            return false;
        };
        let behind: String = line.chars().skip(span.end.col()).collect();
        behind.trim_start().starts_with('#')
    }

    fn problem(&self, line: usize, message: &str) -> Problem {
        Problem::error(self.file, line, message)
    }
}
