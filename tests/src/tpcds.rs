//! The tables and queries of TPC-DS: 24 tables over four domains, written by DuckDB, which also answers the 99 queries
//! over the same files.

use std::fs::File;
use std::path::Path;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::duckdb::{self, Answered};
use crate::mesh::MeshPlan;
use crate::tpch;

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

/// Writes all tables as Parquet, and has DuckDB answer all queries over them.
pub fn write_data(folder: &Path, scale: f64) -> Vec<Answered> {
    duckdb::run("tpcds.py", folder, &[&scale.to_string()]);
    duckdb::answers(folder)
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
