//! Rows that a test writes down: checked against the contract, and put into a
//! file that the usual source reads.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use meshgate_policies::yaml::nearest_hint;
use meshgate_policies::{Column, Table};
use serde_json::{Map, Value};

use super::data::TableData;
use super::domain::OfflineDomain;
use crate::contract::ProductTable;
use crate::source::{Access, Finding, check_online};

/// Rows as somebody wrote them: CSV with a header, or one JSON object a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenRows {
    pub table: String,
    pub text: String,
}

/// What is wrong with given rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenFault {
    pub message: String,
    pub hint: Option<String>,
}

impl OfflineDomain {
    /// Writes the rows below `folder` and checks them. A column that is not given is NULL.
    pub async fn give(&self, rows: &GivenRows, folder: &Path) -> Result<TableData, Vec<GivenFault>> {
        let tables = || self.tables().map(|table| table.name.as_str());
        let Some(table) = self.product_tables().find(|table| table.table.name == rows.table) else {
            let message = format!("the domain has no table `{}`", rows.table);
            return Err(vec![GivenFault { message, hint: nearest_hint(&rows.table, tables()) }]);
        };
        let is_json = rows.text.trim_start().starts_with('{');
        let text = match is_json {
            true => completed_objects(&table.table, &rows.text)?,
            false => completed_csv(&table.table, &rows.text)?,
        };
        let file = folder.join(format!("{}.{}", rows.table, if is_json { "jsonl" } else { "csv" }));
        fs::write(&file, text).map_err(|error| fault(format!("the rows cannot be kept: {error}")))?;
        let access = Arc::new(Access::new(vec![folder.to_owned()], BTreeMap::new()));
        let data = match is_json {
            true => TableData::json_lines(file.clone(), &access),
            false => TableData::csv(file.clone(), &access),
        };
        let problems = check(&data.under(table), &access, &file).await;
        if problems.is_empty() { Ok(data) } else { Err(problems) }
    }
}

fn fault(message: String) -> Vec<GivenFault> {
    vec![GivenFault { message, hint: None }]
}

/// The rows read as the node will read them.
async fn check(table: &ProductTable, access: &Access, file: &Path) -> Vec<GivenFault> {
    let path = file.display().to_string();
    let findings = check_online(table, access).await.into_iter();
    let told =
        |finding: Finding| GivenFault { message: finding.to_string().replace(&path, "the rows"), hint: None };
    findings.map(told).collect()
}

/// The columns that are not given, if all is well with those that are.
fn missing<'t>(table: &'t Table, given: &BTreeSet<&str>) -> Result<Vec<&'t str>, Vec<GivenFault>> {
    let mut faults = Vec::new();
    for name in given {
        if table.columns.iter().all(|column| column.name != *name) {
            let known = table.columns.iter().map(|column| column.name.as_str());
            let message = format!("`{}` has no column `{name}`", table.name);
            faults.push(GivenFault { message, hint: nearest_hint(name, known) });
        }
    }
    let missing = table.columns.iter().filter(|column| !given.contains(column.name.as_str()));
    let (required, optional): (Vec<&Column>, Vec<&Column>) = missing.partition(|column| column.required);
    for column in required {
        let message = format!("the column `{}` of `{}` is missing", column.name, table.name);
        let hint = "the contract requires it: give it a value in every row".to_owned();
        faults.push(GivenFault { message, hint: Some(hint) });
    }
    if faults.is_empty() {
        Ok(optional.into_iter().map(|column| column.name.as_str()).collect())
    } else {
        Err(faults)
    }
}

/// The CSV with a cell for each column that is not given.
fn completed_csv(table: &Table, text: &str) -> Result<String, Vec<GivenFault>> {
    let header = text.lines().next().unwrap_or_default();
    let given = header.split(',').map(|name| name.trim_matches('"')).collect();
    let names = missing(table, &given)?;
    Ok(with_columns(text.trim_end_matches(['\n', '\r']), &names))
}

/// The objects; the first one says that what is not given is NULL.
fn completed_objects(table: &Table, text: &str) -> Result<String, Vec<GivenFault>> {
    let mut rows: Vec<Map<String, Value>> = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let row = serde_json::from_str(line);
        rows.push(row.map_err(|error| fault(format!("row {} is no JSON object: {error}", number + 1)))?);
    }
    let given = rows.iter().flat_map(|row| row.keys().map(String::as_str)).collect();
    let names = missing(table, &given)?;
    let nulls: String = names.iter().map(|name| format!("\"{name}\":null,")).collect();
    Ok(match text.trim_start().strip_prefix('{') {
        Some(rest) => format!("{{{nulls}{rest}\n"),
        None => text.to_owned(),
    })
}

/// `text` with columns of nothing behind the others.
fn with_columns(text: &str, names: &[&str]) -> String {
    let mut completed = String::with_capacity(text.len());
    let (mut in_quotes, mut is_header) = (false, true);
    let mut end = |completed: &mut String| {
        for name in names {
            completed.push(',');
            completed.push_str(if is_header { name } else { "" });
        }
        is_header = false;
    };
    for character in text.chars() {
        in_quotes ^= character == '"';
        if character == '\n' && !in_quotes {
            let had_return = completed.ends_with('\r');
            if had_return {
                completed.pop();
            }
            end(&mut completed);
        }
        completed.push(character);
    }
    end(&mut completed);
    completed.push('\n');
    completed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_are_not_given_are_nothing() {
        assert_eq!(with_columns("a,b\n1,\"x\ny\"\r\n2,", &["c", "d"]), "a,b,c,d\n1,\"x\ny\",,\n2,,,\n");
        assert_eq!(with_columns("a", &[]), "a\n");
    }
}
