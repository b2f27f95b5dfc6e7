//! `tests/catalogue.md` against the tests: each id stands there once, with tests that exist and compare
//! something, or with what it waits for; and each test of the catalogue stands there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// One line of the list.
struct Listed {
    id: String,
    tests: Vec<String>,
    waits: bool,
}

/// A test function in some file.
struct Test {
    file: PathBuf,
    body: String,
}

#[test]
fn each_id_has_its_tests_and_each_test_its_id() {
    let listed = read_list();
    let ids: Vec<&str> = listed.iter().map(|line| line.id.as_str()).collect();
    let expected: Vec<String> = (1..=80).chain(108..=121).map(|number| format!("A{number:03}")).collect();
    assert_eq!(ids, expected, "the ids of tests/catalogue.md");
    let tests = read_tests();
    for line in &listed {
        assert!(line.waits || !line.tests.is_empty(), "{}: neither a test nor what it waits for", line.id);
        for name in &line.tests {
            let test = tests.get(name).unwrap_or_else(|| panic!("{}: no test is called {name}", line.id));
            assert!(name.contains(&line.id.to_lowercase()), "{name} does not name {}", line.id);
            assert!(compares(test), "{name} in {} compares nothing", test.file.display());
        }
    }
    let named: BTreeSet<&String> = listed.iter().flat_map(|line| &line.tests).collect();
    let forgotten: Vec<&String> = tests
        .iter()
        .filter(|(name, test)| is_ours(&test.file) && starts_with_id(name) && !named.contains(name))
        .map(|(name, _)| name)
        .collect();
    assert!(forgotten.is_empty(), "not in tests/catalogue.md: {forgotten:?}");
}

/// Tests of this folder count what they compare; others have to assert something.
fn compares(test: &Test) -> bool {
    if is_ours(&test.file) { test.body.contains("run(async |case|") } else { test.body.contains("assert") }
}

fn is_ours(file: &Path) -> bool {
    file.parent().is_some_and(|folder| folder.ends_with("e2e/catalogue"))
}

fn starts_with_id(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next() == Some('a') && characters.take(3).filter(char::is_ascii_digit).count() == 3
}

/// `| A001 | what happens | [test](..) or waits for something |`
fn read_list() -> Vec<Listed> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("catalogue.md");
    let text = std::fs::read_to_string(file).unwrap();
    let line = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [id, what, how] = cells.as_slice() else { panic!("three cells are expected: {line}") };
        assert!(!what.is_empty(), "{id}: no description");
        let tests = how.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        Listed { id: (*id).to_owned(), tests, waits: how.starts_with("waits for ") }
    };
    text.lines().filter(|line| line.starts_with("| A")).map(line).collect()
}

/// Every test function of the workspace by name.
fn read_tests() -> BTreeMap<String, Test> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut folders: Vec<PathBuf> = ["cli", "domain-nodes", "engine", "gateway", "policies", "tests"]
        .iter()
        .map(|name| root.join(name))
        .collect();
    let mut tests = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                tests.extend(tests_of(&path));
            }
        }
    }
    tests
}

fn tests_of(file: &Path) -> Vec<(String, Test)> {
    let text = std::fs::read_to_string(file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate().skip(1) {
        let Some(rest) = line.trim_start().trim_start_matches("async ").strip_prefix("fn ") else { continue };
        let is_test = lines[at - 1].trim_start().starts_with("#[test]")
            || lines[at - 1].trim_start().starts_with("#[tokio::test");
        if !is_test {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let end = format!("{}}}", " ".repeat(indent));
        let body: Vec<&str> = lines[at..].iter().take_while(|line| **line != end).copied().collect();
        let name = rest.split('(').next().unwrap().to_owned();
        found.push((name, Test { file: file.to_owned(), body: body.join("\n") }));
    }
    found
}
