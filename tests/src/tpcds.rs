//! The tables and queries of TPC-DS: 24 tables over four domains, written by DuckDB, which also answers the 99 queries
//! over the same files.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::mesh::MeshPlan;
use crate::{python, tpch};

const PACKAGES: &[&str] = &["duckdb==1.5.5", "duckdb-extensions==1.5.5", "duckdb-extension-tpcds==1.5.5"];

/// Where each table lives: a domain for each way to sell, and one for what they share.
const DOMAINS: &[(&str, &[&str])] = &[
    ("stores", &["store", "store_returns", "store_sales"]),
    ("catalogs", &["call_center", "catalog_page", "catalog_returns", "catalog_sales"]),
    ("web", &["web_page", "web_returns", "web_sales", "web_site"]),
    (
        "company",
        &[
            "customer",
            "customer_address",
            "customer_demographics",
            "date_dim",
            "household_demographics",
            "income_band",
            "inventory",
            "item",
            "promotion",
            "reason",
            "ship_mode",
            "time_dim",
            "warehouse",
        ],
    ),
];

/// One of the 99, and DuckDB's answer.
pub struct Query {
    pub number: u64,
    pub sql: String,
    pub rows: Vec<Vec<Option<String>>>,
}

/// Writes all tables as Parquet, and has DuckDB answer all queries over them.
pub fn write_data(folder: &Path, scale: f64) -> Vec<Query> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/tpcds.py");
    let status = Command::new(python::environment(PACKAGES))
        .args([&script, folder])
        .arg(scale.to_string())
        .status()
        .expect("python runs");
    assert!(status.success(), "tpcds.py failed");
    let answers = std::fs::read_to_string(folder.join("answers.json")).expect("the answers");
    let answers: Vec<Value> = serde_json::from_str(&answers).expect("JSON");
    answers.iter().map(query).collect()
}

fn query(answer: &Value) -> Query {
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let row = |row: &Value| list(row).iter().map(|cell| cell.as_str().map(str::to_owned)).collect();
    Query {
        number: answer["number"].as_u64().expect("a number"),
        sql: answer["sql"].as_str().expect("a text").trim().trim_end_matches(';').to_owned(),
        rows: list(&answer["rows"]).iter().map(row).collect(),
    }
}

/// The mesh of the four domains over the files in `data`; everybody sees everything.
pub fn plan(data: &Path) -> MeshPlan {
    tpch::plan_of("tpcds", DOMAINS, data, contract)
}

fn contract(domain: &str, names: &[&str], data: &Path) -> String {
    let mut text = tpch::head(domain, data);
    for name in names {
        text += &format!("  - name: {name}\n    properties:\n");
        let file = File::open(data.join(format!("{name}.parquet"))).expect("a table");
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
        for field in reader.schema().fields() {
            let types = tpch::types(field.data_type());
            text += &format!("      - {{ name: {}, {types}, classification: internal }}\n", field.name());
        }
    }
    text
}

/// The same query, with the tables' names bound to those of the mesh.
pub fn over_the_mesh(sql: &str) -> String {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let named: Vec<String> = DOMAINS
        .iter()
        .flat_map(|(domain, names)| names.iter().map(move |name| (domain, *name)))
        .filter(|(_, name)| sql.split(|letter| !is_word(letter)).any(|word| word == *name))
        .map(|(domain, name)| format!("{name} as (select * from {domain}.{name})"))
        .collect();
    let has_own =
        |prefix: &str| sql.get(..prefix.len()).is_some_and(|first| first.eq_ignore_ascii_case(prefix));
    let rest = match sql.split_once(char::is_whitespace) {
        Some((_, rest)) if has_own("with") => format!(", {rest}"),
        _ => format!("\n{sql}"),
    };
    format!("with {}{rest}", named.join(", "))
}
