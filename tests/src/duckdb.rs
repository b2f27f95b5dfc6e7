//! DuckDB as a judge: its answers to queries over Parquet files, and whether others are the same.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::python;

const PACKAGES: &[&str] = &["duckdb==1.5.5", "duckdb-extensions==1.5.5", "duckdb-extension-tpcds==1.5.5"];
/// Digits of averages and quotients differ: DuckDB's are floating, the mesh's of decimals are decimals.
const DIGITS: f64 = 1e-4;

type Rows = [Vec<Option<String>>];

/// A query, and what DuckDB answers.
pub struct Answered {
    pub number: u64,
    pub sql: String,
    pub rows: Vec<Vec<Option<String>>>,
}

/// What DuckDB says to a query: rows, or why there are none.
pub type Reply = Result<Vec<Vec<Option<String>>>, String>;

/// Runs a script of `tests/python` for a folder.
pub(crate) fn run(script: &str, folder: &Path, arguments: &[&str]) {
    static INTERPRETER: OnceLock<PathBuf> = OnceLock::new();
    let interpreter = INTERPRETER.get_or_init(|| python::environment(PACKAGES));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(script);
    let status = Command::new(interpreter).arg(file).arg(folder).args(arguments).status();
    assert!(status.expect("python runs").success(), "{script} failed");
}

/// Answers to these queries, by number, over the Parquet files in `folder`.
pub fn answers_to(queries: &[(u64, String)], folder: &Path) -> Vec<Answered> {
    let queries: Vec<Value> =
        queries.iter().map(|(number, sql)| json!({ "number": number, "sql": sql })).collect();
    write(&queries, folder);
    answers(folder)
}

/// What DuckDB says to each of these queries over the Parquet files in `folder`, if it divides integers as the mesh does.
pub fn replies_to(queries: &[&str], folder: &Path) -> Vec<Reply> {
    let queries: Vec<Value> = queries.iter().map(|sql| json!({ "sql": sql })).collect();
    write(&queries, folder);
    ask(folder, &["integer_division=true"]).iter().map(reply).collect()
}

/// Answers to the queries in `queries.json` of `folder`.
pub(crate) fn answers(folder: &Path) -> Vec<Answered> {
    ask(folder, &[]).iter().map(answered).collect()
}

fn write(queries: &[Value], folder: &Path) {
    std::fs::write(folder.join("queries.json"), Value::from(queries).to_string()).expect("the queries");
}

fn ask(folder: &Path, settings: &[&str]) -> Vec<Value> {
    run("duckdb_answers.py", folder, settings);
    let answers = std::fs::read_to_string(folder.join("answers.json")).expect("the answers");
    serde_json::from_str(&answers).expect("JSON")
}

fn answered(answer: &Value) -> Answered {
    Answered {
        number: answer["number"].as_u64().expect("a number"),
        sql: answer["sql"].as_str().expect("a text").trim().trim_end_matches(';').to_owned(),
        rows: reply(answer).expect("DuckDB answers"),
    }
}

fn reply(answer: &Value) -> Reply {
    if let Some(error) = answer["error"].as_str() {
        return Err(error.to_owned());
    }
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let row = |row: &Value| list(row).iter().map(|cell| cell.as_str().map(str::to_owned)).collect();
    Ok(list(&answer["rows"]).iter().map(row).collect())
}

/// What is not the same in two results, in whatever order their rows are.
pub fn difference(expected: &Rows, actual: &Rows) -> Option<String> {
    if expected.len() != actual.len() {
        return Some(format!("{} rows, not {}", actual.len(), expected.len()));
    }
    let mut left: Vec<&Vec<Option<String>>> = actual.iter().collect();
    for row in expected {
        match left.iter().position(|other| is_same_row(row, other)) {
            Some(found) => drop(left.swap_remove(found)),
            None => {
                return Some(format!(
                    "{row:?} is not there; {:?} is",
                    left.iter().take(3).collect::<Vec<_>>()
                ));
            }
        }
    }
    None
}

fn is_same_row(one: &[Option<String>], other: &[Option<String>]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| is_same(one.as_ref(), other.as_ref()))
}

fn is_same(one: Option<&String>, other: Option<&String>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return one == other };
    match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(one), Ok(other)) => (one - other).abs() <= DIGITS * one.abs().max(1.0),
        _ => one == other,
    }
}
