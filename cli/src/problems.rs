//! Problems of files as people read them: the sentence, and below it the line
//! with a mark under what it is about.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use meshgate_engine::bounded_file::{self, DOCUMENT_BYTES};
use meshgate_policies::yaml::Problem;

/// Longest line of a file that is shown.
const SHOWN_CHARACTERS: usize = 160;

/// Shows problems; reads each file once.
#[derive(Debug, Default)]
pub(crate) struct ProblemWriter {
    files: BTreeMap<String, Option<String>>,
}

impl ProblemWriter {
    /// The problem, and where it has a line, that line.
    pub(crate) fn shown(&mut self, problem: &Problem) -> String {
        let mut text = format!("{problem}\n");
        if let Some(line) = self.line(problem)
            && line.chars().count() <= SHOWN_CHARACTERS
        {
            let (start, length) = mark(&line, &problem.message);
            let number = problem.line.to_string();
            let _ = writeln!(text, "  {number} | {line}");
            let _ = writeln!(
                text,
                "  {} | {}{}",
                " ".repeat(number.len()),
                " ".repeat(start),
                "^".repeat(length)
            );
        }
        text
    }

    /// All of them.
    pub(crate) fn all(&mut self, problems: &[Problem]) -> String {
        problems.iter().map(|problem| self.shown(problem)).collect()
    }

    fn line(&mut self, problem: &Problem) -> Option<String> {
        let number = problem.line.checked_sub(1)?;
        let read = || read_open(Path::new(&problem.file));
        let text = self.files.entry(problem.file.clone()).or_insert_with(read).as_deref()?;
        let line = text.lines().nth(number)?.trim_end().replace('\t', " ");
        (!line.trim().is_empty() && !line.chars().any(char::is_control)).then_some(line)
    }
}

/// The text of a file whose lines may be shown. Reports end up in the logs of build servers, and
/// configuration and contracts may hold what opens a store: whatever is like one of them is not shown.
fn read_open(file: &Path) -> Option<String> {
    let name = file.file_name()?.to_string_lossy();
    let text = bounded_file::read_text(file, DOCUMENT_BYTES).ok()?;
    let is_closed = ["node.yaml", "gateway.yaml"].contains(&name.as_ref())
        || name.contains(".odcs.")
        || ["DataContract", "listen", "credentials"].iter().any(|word| text.contains(word));
    (!is_closed).then_some(text)
}

/// Where the mark begins and how long it is, in characters: under the last thing in the message
/// that stands in the line, else under the line's beginning.
fn mark(line: &str, message: &str) -> (usize, usize) {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let found = quoted.iter().rev().find_map(|thing| {
        let start = line.find(thing).filter(|_| !thing.is_empty())?;
        Some((line.get(..start)?.chars().count(), thing.chars().count()))
    });
    found.unwrap_or_else(|| (line.chars().take_while(|c| c.is_whitespace()).count(), 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_under_what_the_message_names() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("p.yaml");
        std::fs::write(&file, "a: 1\n  rows: \"totl > 0\"\n").unwrap();
        let name = file.display().to_string();
        let mut writer = ProblemWriter::default();
        let problem =
            Problem::error(&name, 2, "`rows`: there is no column `totl`").with_hint("did you mean `total`?");
        assert_eq!(
            writer.shown(&problem),
            format!("{problem}\n  2 |   rows: \"totl > 0\"\n    |          ^^^^\n")
        );
        let start = Problem::error(&name, 2, "this is wrong");
        assert!(writer.shown(&start).ends_with("\n    |   ^\n"));
        for without in
            [Problem::error(&name, 0, "x"), Problem::error(&name, 9, "x"), Problem::error("no", 1, "x")]
        {
            assert_eq!(writer.shown(&without), format!("{without}\n"));
        }
    }

    #[test]
    fn lines_of_files_that_may_hold_secrets_are_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            (
                "f.yaml",
                "version: 1\nlisten: { flight: 127.0.0.1:0 }\npseudonyms: { p: { keys: [{ key: hush }] } }\n",
            ),
            ("f.yaml", "version: 1\n\n\"credentials\": { lake: { secret_access_key: hush } }\n"),
            ("f.yaml", "kind: DataContract\nid: x\nservers: [{ location: 's3://key:hush@lake' }]\n"),
            ("f.odcs.yaml", "a: 1\nid: x\nservers: [{ location: 's3://key:hush@lake' }]\n"),
            ("node.yaml", "a: 1\nb: 2\nc: hush\n"),
            ("gateway.yaml", "a: 1\nb: 2\nc: hush\n"),
        ] {
            let file = folder.path().join(name);
            std::fs::write(&file, text).unwrap();
            let problem = Problem::error(&file.display().to_string(), 3, "this is wrong");
            assert_eq!(ProblemWriter::default().shown(&problem), format!("{problem}\n"));
        }
    }
}
