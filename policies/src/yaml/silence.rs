//! Warnings that somebody has looked at: a comment above the place names the
//! warning and says why it is as it should be.
//!
//! ```yaml
//! # meshgate-silence: grant-ends-soon: The project ends with it.
//! - { id: project, until: 2026-12-31, .. }
//! ```
//!
//! Comments are no part of what readers of documents see: a silence can take a
//! line out of a report, and nothing else.

use super::{Problem, Severity, Warning, nearest_hint};

/// How such a comment begins, behind its `#`.
const MARK: &str = "meshgate-silence";
const HINT: &str = "write `# meshgate-silence: <name>: <reason>`";

/// A comment that silences one kind of warning in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    file: String,
    /// Where the comment stands.
    line: usize,
    /// The next line that is no comment: the place of the warning.
    covers: Option<usize>,
    warning: Warning,
}

impl Silence {
    /// The silences of a file; those that say nothing are problems.
    pub fn read(file: &str, text: &str, problems: &mut Vec<Problem>) -> Vec<Self> {
        let mut silences = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let Some(comment) = comment(line).filter(|comment| comment.starts_with(MARK)) else { continue };
            match warning(comment) {
                Ok(warning) => {
                    let below = (number + 1..).zip(text.lines().skip(number));
                    let mut content = below.filter(|(_, line)| has_content(line)).map(|(number, _)| number);
                    silences.push(Self {
                        file: file.to_owned(),
                        line: number,
                        covers: content.next(),
                        warning,
                    });
                }
                Err((message, hint)) => problems.push(Problem::error(file, number, message).with_hint(hint)),
            }
        }
        silences
    }

    fn silences(&self, problem: &Problem) -> bool {
        problem.severity == Severity::Warning(self.warning)
            && problem.file == self.file
            && Some(problem.line) == self.covers
    }

    /// What it is, if no warning is there any more.
    fn stale(&self) -> Problem {
        let message = format!("there is no warning `{}` here that could be silenced", self.warning);
        let hint = "remove the comment; it stands directly above the line that the warning names";
        Problem::error(&self.file, self.line, message).with_hint(hint)
    }
}

/// Takes the warnings out that are silenced, and gives those silences that silenced nothing.
pub fn silence(silences: &[Silence], problems: &mut Vec<Problem>) -> Vec<Problem> {
    let is_stale = |silence: &&Silence| {
        silence.warning.is_of_files() && !problems.iter().any(|problem| silence.silences(problem))
    };
    let stale = silences.iter().filter(is_stale).map(Silence::stale).collect();
    problems.retain(|problem| !silences.iter().any(|silence| silence.silences(problem)));
    stale
}

/// The text of a line that is a comment as a whole.
fn comment(line: &str) -> Option<&str> {
    Some(line.trim_start().strip_prefix('#')?.trim_start_matches('#').trim())
}

/// Is there something on the line beside a comment?
fn has_content(line: &str) -> bool {
    !line.trim().is_empty() && comment(line).is_none()
}

/// The warning that a comment names; a reason must stand behind it.
fn warning(comment: &str) -> Result<Warning, (String, String)> {
    let malformed = || ("this silences nothing".to_owned(), HINT.to_owned());
    let rest = comment.strip_prefix(MARK).and_then(|rest| rest.trim_start().strip_prefix(':'));
    let (name, reason) = rest.map(|rest| rest.split_once(':').unwrap_or((rest, ""))).ok_or_else(malformed)?;
    let name = name.trim();
    if name.is_empty() {
        return Err(malformed());
    }
    let Some(warning) = Warning::by_name(name) else {
        let hint = nearest_hint(name, Warning::ALL.iter().map(|warning| warning.name()));
        return Err((format!("there is no warning `{name}`"), hint.unwrap_or_else(|| HINT.to_owned())));
    };
    if reason.trim().is_empty() {
        let message = format!("`{name}` is silenced without a reason");
        return Err((message, HINT.to_owned()));
    }
    Ok(warning)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
grants:
  # meshgate-silence: grant-ends-soon: The project ends with it: nobody minds.
  # More about it.

  - { id: a }
  - { id: b }
";

    fn read(text: &str) -> Vec<String> {
        let mut problems = Vec::new();
        Silence::read("p.yaml", text, &mut problems);
        problems.iter().map(ToString::to_string).collect()
    }

    fn at(line: usize) -> Problem {
        Problem::warning(Warning::GrantEndsSoon, "p.yaml", line, "it ends")
    }

    #[test]
    fn a_silence_is_for_one_kind_of_warning_in_the_next_line() {
        let mut problems = Vec::new();
        let silences = Silence::read("p.yaml", TEXT, &mut problems);
        let others = [
            at(6),
            Problem { file: "q.yaml".to_owned(), ..at(5) },
            Problem::warning(Warning::NothingSelected, "p.yaml", 5, "other"),
            Problem::error("p.yaml", 5, "it is wrong"),
        ];
        problems.push(at(5));
        problems.extend(others.clone());
        assert_eq!(silence(&silences, &mut problems), []);
        assert_eq!(problems, others);
    }

    #[test]
    fn a_silence_of_nothing_is_a_problem() {
        let silences = Silence::read("p.yaml", TEXT, &mut Vec::new());
        for mut problems in [vec![], vec![at(6)], vec![Problem::error("p.yaml", 5, "it ends")]] {
            let before = problems.clone();
            let stale = silence(&silences, &mut problems);
            assert_eq!(problems, before);
            let [stale] = stale.as_slice() else { panic!("{stale:?}") };
            assert!(stale.is_error() && stale.line == 2, "{stale}");
            assert!(stale.to_string().contains("no warning `grant-ends-soon`"), "{stale}");
        }
        // At the end of a file there is nothing to be silent about.
        let last = Silence::read("p.yaml", "a: 1\n# meshgate-silence: unknown-key: x\n", &mut Vec::new());
        assert_eq!(silence(&last, &mut vec![]).len(), 1);
        // What another machine may have is not stale here.
        let elsewhere = "# meshgate-silence: secret-not-here: The key is the node's.\na: 1\n";
        assert_eq!(silence(&Silence::read("p.yaml", elsewhere, &mut Vec::new()), &mut vec![]), []);
    }

    #[test]
    fn it_takes_a_known_name_and_a_reason() {
        assert_eq!(read(TEXT), [""; 0]);
        assert_eq!(
            read("# meshgate-silence is described in docs/warnings.md"),
            [format!("p.yaml:1: this silences nothing; {HINT}")]
        );
        for without_reason in ["# meshgate-silence: unknown-key", "#meshgate-silence: unknown-key:  "] {
            assert_eq!(
                read(without_reason),
                [format!("p.yaml:1: `unknown-key` is silenced without a reason; {HINT}")]
            );
        }
        assert_eq!(
            read("a: 1\n  # meshgate-silence: grants-ends-soon: x"),
            ["p.yaml:2: there is no warning `grants-ends-soon`; did you mean `grant-ends-soon`?"]
        );
        assert_eq!(read("# meshgate-silence: : x").len(), 1);
        // A value is no comment.
        assert_eq!(read("a: '# meshgate-silence: x'"), [""; 0]);
    }

    #[test]
    fn names_are_in_order_and_differ() {
        let names = Warning::ALL.map(Warning::name);
        assert!(names.is_sorted_by(|left, right| left < right), "{names:?}");
        assert!(Warning::ALL.iter().all(|warning| Warning::by_name(warning.name()) == Some(*warning)));
    }
}
