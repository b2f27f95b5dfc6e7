//! Test files: `tests/*.test.yaml`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use chrono::{NaiveDate, Utc};
use meshgate_domain_node::offline::GivenRows;
use meshgate_engine::bounded_file::{self, DOCUMENT_BYTES};
use meshgate_policies::{
    persona::EVERYONE,
    yaml::{self, Node, Problem, Reader, UnknownKeys, nearest_hint},
};

use super::{
    day,
    expectation::{self, Expectation},
    personas::{self, Caller},
    workspace::Workspace,
};
use crate::failure::Failure;

/// A test file that can be run.
#[derive(Debug)]
pub(crate) struct Suite {
    pub(crate) file: String,
    pub(crate) callers: Vec<Caller>,
    /// Of every statement, in microseconds since the epoch.
    pub(crate) instant: i64,
    /// With the lines where they stand.
    pub(crate) given: Vec<(usize, GivenRows)>,
    pub(crate) cases: Vec<Case>,
}

/// One case: somebody, a question, and what must come out.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) line: usize,
    pub(crate) name: Option<String>,
    /// Positions of the callers.
    pub(crate) callers: Vec<usize>,
    /// For all personas, whoever they are.
    pub(crate) is_invariant: bool,
    pub(crate) question: Question,
    pub(crate) expectation: Expectation,
}

#[derive(Debug)]
pub(crate) enum Question {
    /// All that the caller sees of a table.
    Read(String),
    Sql(String),
}

/// The test files of a repository, or those that are named.
pub(crate) fn files(folder: &Path, named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    if !named.is_empty() {
        return Ok(named.to_vec());
    }
    // As people write it: without `./` in front.
    let tests = if folder == Path::new(".") { PathBuf::from("tests") } else { folder.join("tests") };
    let mut files = Vec::new();
    if tests.is_dir() {
        for entry in fs::read_dir(&tests).map_err(|error| Failure::file("read", &tests, &error))? {
            let path = entry.map_err(|error| Failure::file("read", &tests, &error))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_test = name.ends_with(".test.yaml") || name.ends_with(".test.yml");
            if is_test && !name.starts_with('.') {
                files.push(path);
            }
        }
    }
    files.sort();
    if files.is_empty() {
        let place = tests.join("*.test.yaml");
        return Err(Failure::Usage(format!("there are no tests: write them as {}", place.display())));
    }
    Ok(files)
}

/// Reads a test file; everything that is wrong with it goes to `problems`.
pub(crate) fn read(path: &Path, workspace: &Workspace, problems: &mut Vec<Problem>) -> Option<Suite> {
    let file = path.display().to_string();
    let text = match bounded_file::read_text(path, DOCUMENT_BYTES) {
        Ok(text) => text,
        Err(error) => {
            problems.push(Problem::error(&file, 0, format!("cannot be read: {error}")));
            return None;
        }
    };
    let root = match yaml::parse(&file, &text) {
        Ok(root) => root,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let before = problems.iter().filter(|problem| problem.is_error()).count();
    let mut of_personas = Vec::new();
    let mut reader = Reader::new(&file, &root, problems);
    let callers = read_callers(&mut reader, path, workspace, &mut of_personas);
    let instant = read_instant(&mut reader, workspace);
    let given = read_given(&mut reader);
    let cases = read_cases(&mut reader, workspace, &callers);
    reader.finish(UnknownKeys::Error);
    // What several test files share is wrong once.
    for problem in of_personas {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    (errors == before).then_some(Suite { file, callers, instant: instant?, given, cases })
}

fn read_callers(
    reader: &mut Reader<'_, '_>,
    path: &Path,
    workspace: &Workspace,
    problems: &mut Vec<Problem>,
) -> Vec<Caller> {
    if !reader.has("personas") {
        return personas::of_repository(&workspace.folder, workspace.domain.mesh(), problems);
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let named = reader.one_or_more("personas").unwrap_or_default();
    let files: Vec<PathBuf> = named.iter().map(|name| folder.join(name)).collect();
    personas::of_files(&files, workspace.domain.mesh(), problems)
}

/// Noon of the day that the test names, in the mesh's time zone; else now.
fn read_instant(reader: &mut Reader<'_, '_>, workspace: &Workspace) -> Option<i64> {
    if !reader.has("today") {
        return Some(Utc::now().timestamp_micros());
    }
    let text = reader.text("today")?;
    let zone = workspace.domain.mesh().time_zone();
    let instant = text.parse::<NaiveDate>().ok().and_then(|day| day::noon(day, zone));
    if instant.is_none() {
        let line = reader.line_of("today");
        reader.error(line, format!("`{text}` is not a day"), Some("write it as YYYY-MM-DD".to_owned()));
    }
    instant
}

fn read_given(reader: &mut Reader<'_, '_>) -> Vec<(usize, GivenRows)> {
    let mut given = Vec::new();
    for entry in reader.entries("given").unwrap_or_default() {
        match entry.value.as_scalar() {
            Some(text) => {
                given.push((entry.key_line, GivenRows { table: entry.key.clone(), text: text.to_owned() }));
            }
            None => {
                let hint = format!("write `{}: |` and the rows as CSV below it", entry.key);
                reader.error(entry.key_line, "given rows are a text", Some(hint));
            }
        }
    }
    given
}

fn read_cases(reader: &mut Reader<'_, '_>, workspace: &Workspace, callers: &[Caller]) -> Vec<Case> {
    reader.require("cases");
    let nodes = reader.list("cases").unwrap_or_default();
    if nodes.is_empty() && reader.has("cases") {
        let line = reader.line_of("cases");
        reader.error(line, "`cases` is empty: the file would pass without checking anything", None);
    }
    nodes.iter().filter_map(|node| read_case(reader, node, workspace, callers)).collect()
}

fn read_case<'n>(
    reader: &mut Reader<'n, '_>,
    node: &'n Node,
    workspace: &Workspace,
    callers: &[Caller],
) -> Option<Case> {
    let mut reader = reader.over(node);
    let name = if reader.has("name") { reader.text("name") } else { None };
    let who = read_who(&mut reader, callers);
    let question = read_question(&mut reader, workspace);
    let is_read = !reader.has("sql");
    let table = match &question {
        Some(Question::Read(table)) => workspace.domain.table(table),
        _ => None,
    };
    let expectation = expectation::read(&mut reader, table, is_read);
    reader.finish(UnknownKeys::Error);
    let (callers, is_invariant) = who?;
    Some(Case {
        line: node.line,
        name,
        callers,
        is_invariant,
        question: question?,
        expectation: expectation?,
    })
}

/// Positions of those who ask, and whether these are all.
fn read_who(reader: &mut Reader<'_, '_>, callers: &[Caller]) -> Option<(Vec<usize>, bool)> {
    reader.require("as")?;
    let names = reader.one_or_more("as")?;
    let line = reader.line_of("as");
    if names.iter().any(|name| name == EVERYONE) {
        if callers.is_empty() {
            reader.error(line, "there are no personas: the case would pass without checking anything", None);
        }
        return Some(((0..callers.len()).collect(), true));
    }
    let mut positions = Vec::with_capacity(names.len());
    for name in &names {
        match callers.iter().position(|caller| caller.persona.name == *name) {
            Some(position) => positions.push(position),
            None => {
                let known = callers.iter().map(|caller| caller.persona.name.as_str());
                reader.error(line, format!("there is no persona `{name}`"), nearest_hint(name, known));
            }
        }
    }
    Some((positions, false))
}

fn read_question(reader: &mut Reader<'_, '_>, workspace: &Workspace) -> Option<Question> {
    let line = reader.line();
    match (reader.has("read"), reader.has("sql")) {
        (true, false) => {
            let named = reader.text("read")?;
            let domain = workspace.domain.name();
            let prefix = format!("{domain}.");
            let table = named.strip_prefix(&prefix).unwrap_or(&named);
            if workspace.domain.table(table).is_none() {
                let known = workspace.domain.tables().map(|table| table.name.as_str());
                let line = reader.line_of("read");
                reader.error(line, format!("the domain has no table `{table}`"), nearest_hint(table, known));
                return None;
            }
            Some(Question::Read(table.to_owned()))
        }
        (false, true) => Some(Question::Sql(reader.text("sql")?)),
        _ => {
            let hint = "write `read: <table>` or `sql: <statement>`".to_owned();
            reader.error(line, "a case asks exactly one thing", Some(hint));
            None
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
