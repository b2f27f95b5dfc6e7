//! Outcomes of tests, for people and for machines.

use std::fmt::Write as _;

use meshgate_policies::yaml::Problem;
use serde_json::{Value, json};

use super::{
    coverage::Coverage,
    suite::{Case, Question},
};
use crate::{check::report as problems, failure::Failure, format::Format, problems::ProblemWriter, sql};

/// Characters of a statement that a line shows.
const SQL_CHARACTERS: usize = 80;

/// One case for one caller.
#[derive(Debug)]
pub(crate) struct Tested {
    pub(crate) line: usize,
    pub(crate) persona: String,
    /// What the case is about, in words.
    pub(crate) what: String,
    /// Empty: it passed.
    pub(crate) failures: Vec<String>,
}

impl Tested {
    pub(crate) fn new(case: &Case, persona: &str, failures: Vec<String>) -> Self {
        let what = match (&case.name, &case.question) {
            (Some(name), _) => name.clone(),
            (None, Question::Read(table)) => format!("reads {table}"),
            (None, Question::Sql(sql)) => shortened(sql),
        };
        Self { line: case.line, persona: persona.to_owned(), what, failures }
    }

    fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

fn shortened(sql: &str) -> String {
    let words = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = words.chars().take(SQL_CHARACTERS).collect();
    if short.len() < words.len() {
        short.push('…');
    }
    short
}

/// Outcomes by file.
type Files = [(String, Vec<Tested>)];

pub(super) fn text(files: &Files, coverage: &Coverage<'_>, warnings: &[Problem]) -> String {
    let mut text = ProblemWriter::default().all(warnings);
    let all = || files.iter().flat_map(|(_, cases)| cases);
    let width = all().map(|case| case.persona.chars().count()).max().unwrap_or_default();
    for (file, cases) in files {
        let _ = writeln!(text, "{file}");
        for case in cases {
            let word = if case.passed() { "ok" } else { "FAILED" };
            let _ = writeln!(text, "  {word:<6} {:>4}  {:<width$}  {}", case.line, case.persona, case.what);
            for failure in &case.failures {
                for line in failure.lines() {
                    let _ = writeln!(text, "         {line}");
                }
            }
        }
    }
    let passed = all().filter(|case| case.passed()).count();
    let _ = writeln!(text, "{passed} of {} cases pass", all().count());
    let (exercised, rules) = (coverage.exercised(), coverage.rules);
    let _ = writeln!(text, "{exercised} of {rules} rules are exercised ({} %)", coverage.percent());
    for rule in &coverage.missed {
        let _ = writeln!(text, "  not exercised: {} ({}:{})", rule.id, rule.file, rule.line);
    }
    text
}

pub(super) fn json(files: &Files, coverage: &Coverage<'_>, found: &[Problem]) -> Result<String, Failure> {
    let cases: Vec<Value> = files
        .iter()
        .flat_map(|(file, cases)| cases.iter().map(move |case| (file, case)))
        .map(|(file, case)| {
            json!({
                "file": file,
                "line": case.line,
                "as": case.persona,
                "case": case.what,
                "passed": case.passed(),
                "failures": case.failures,
            })
        })
        .collect();
    let missed =
        coverage.missed.iter().map(|rule| json!({ "id": rule.id, "file": rule.file, "line": rule.line }));
    let coverage = json!({
        "rules": coverage.rules,
        "exercised": coverage.exercised(),
        "percent": coverage.percent(),
        "not_exercised": missed.collect::<Vec<_>>(),
    });
    let found: Vec<Value> = found.iter().map(problems::problem_json).collect();
    problems::pretty(&json!({ "cases": cases, "coverage": coverage, "problems": found }))
}

/// A suite a file, a test case a case and caller; and one for the coverage that is asked for.
pub(super) fn junit(files: &Files, coverage: &Coverage<'_>, min_coverage: Option<u8>) -> String {
    let mut text =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"meshgate policy test\">\n".to_owned();
    for (file, cases) in files {
        let failed = cases.iter().filter(|case| !case.passed()).count();
        let file = problems::escaped(file);
        let _ =
            writeln!(text, "  <testsuite name=\"{file}\" tests=\"{}\" failures=\"{failed}\">", cases.len());
        for case in cases {
            let name = problems::escaped(&format!("{} {} (line {})", case.persona, case.what, case.line));
            if case.passed() {
                let _ = writeln!(text, "    <testcase classname=\"{file}\" name=\"{name}\"/>");
            } else {
                let all = case.failures.join("\n");
                let first = all.lines().next().unwrap_or_default();
                let _ = writeln!(
                    text,
                    "    <testcase classname=\"{file}\" name=\"{name}\">\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
                    problems::escaped(first),
                    problems::escaped(&all)
                );
            }
        }
        text.push_str("  </testsuite>\n");
    }
    if let Some(min) = min_coverage {
        let few = coverage.percent() < min;
        let _ = writeln!(text, "  <testsuite name=\"coverage\" tests=\"1\" failures=\"{}\">", u8::from(few));
        let name = format!("at least {min} % of the rules");
        if few {
            let missed: Vec<&str> = coverage.missed.iter().map(|rule| rule.id.as_str()).collect();
            let message = format!("{} %; not exercised: {}", coverage.percent(), missed.join(", "));
            let _ = writeln!(
                text,
                "    <testcase classname=\"coverage\" name=\"{name}\">\n      <failure message=\"{}\"/>\n    </testcase>",
                problems::escaped(&message)
            );
        } else {
            let _ = writeln!(text, "    <testcase classname=\"coverage\" name=\"{name}\"/>");
        }
        text.push_str("  </testsuite>\n");
    }
    text + "</testsuites>\n"
}

/// Files that cannot be used: nothing was done.
pub(super) fn unusable(command: &str, found: &[Problem], format: Format) -> Result<(), Failure> {
    sql::print(&match format {
        Format::Text => ProblemWriter::default().all(found),
        Format::Json => {
            let found: Vec<Value> = found.iter().map(problems::problem_json).collect();
            problems::pretty(&json!({ "problems": found }))?
        }
        Format::Junit => unusable_junit(command, found),
    })?;
    Err(Failure::Usage("the files cannot be used".to_owned()))
}

/// Files that cannot be used are one test case that failed.
pub(super) fn unusable_junit(command: &str, found: &[Problem]) -> String {
    let all = found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let first = found.iter().find(|problem| problem.is_error()).map(ToString::to_string).unwrap_or_default();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"meshgate policy {command}\">\n  <testsuite name=\"files\" tests=\"1\" failures=\"1\">\n    <testcase classname=\"files\" name=\"files can be read\">\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n  </testsuite>\n</testsuites>\n",
        problems::escaped(&first),
        problems::escaped(&all)
    )
}
