//! What a check found, for people and for machines.

use std::fmt::Write as _;

use meshgate_policies::yaml::Problem;
use serde_json::{Value, json};

use super::Checked;
use crate::{failure::Failure, format::counted, problems::ProblemWriter};

/// A line for each problem, and one for each file.
pub(super) fn text(checked: &[Checked]) -> String {
    let (mut text, mut writer) = (String::new(), ProblemWriter::default());
    for checked in checked {
        text.push_str(&writer.all(&checked.problems));
        let (errors, warnings) = (checked.errors(), checked.warnings());
        let outcome = match (errors, warnings) {
            (0, 0) => "good".to_owned(),
            (errors, warnings) => format!("{}, {}", counted(errors, "error"), counted(warnings, "warning")),
        };
        let _ = writeln!(text, "{}: {outcome}", checked.file.display());
    }
    text
}

pub(super) fn json(checked: &[Checked]) -> Result<String, Failure> {
    let files = checked.iter().map(|checked| {
        json!({
            "file": checked.file.display().to_string(),
            "errors": checked.errors(),
            "warnings": checked.warnings(),
            "problems": checked.problems.iter().map(problem_json).collect::<Vec<_>>(),
        })
    });
    let whole = json!({ "checked": files.collect::<Vec<_>>() });
    pretty(&whole)
}

pub(crate) fn problem_json(problem: &Problem) -> Value {
    json!({
        "file": problem.file,
        // 0 means the whole file.
        "line": problem.line,
        "severity": if problem.is_error() { "error" } else { "warning" },
        // Where docs/warnings.md explains it; null for errors.
        "warning": problem.warning_name(),
        "message": problem.message,
        "hint": problem.hint,
    })
}

/// A report as JSON.
pub(crate) fn pretty(report: &Value) -> Result<String, Failure> {
    serde_json::to_string_pretty(report)
        .map(|text| text + "\n")
        .map_err(|error| Failure::Found(format!("the report cannot be written: {error}")))
}

/// One test case for each file that was checked. Warnings fail nothing.
pub(super) fn junit(checked: &[Checked]) -> String {
    let failed = checked.iter().filter(|checked| checked.errors() > 0).count();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"meshgate check\" tests=\"{}\" failures=\"{failed}\">\n",
        checked.len()
    );
    for checked in checked {
        let name = escaped(&checked.file.display().to_string());
        let _ = writeln!(text, "  <testcase classname=\"meshgate\" name=\"{name}\">");
        let errors: Vec<String> =
            checked.problems.iter().filter(|problem| problem.is_error()).map(ToString::to_string).collect();
        if let Some(first) = errors.first() {
            let all = escaped(&errors.join("\n"));
            let _ = writeln!(text, "    <failure message=\"{}\">{all}</failure>", escaped(first));
        }
        let warnings: Vec<String> =
            checked.problems.iter().filter(|problem| !problem.is_error()).map(ToString::to_string).collect();
        if !warnings.is_empty() {
            let _ = writeln!(text, "    <system-out>{}</system-out>", escaped(&warnings.join("\n")));
        }
        text.push_str("  </testcase>\n");
    }
    text + "</testsuite>\n"
}

/// XML has no way to write most control characters.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
