//! Runs one case for one caller.

use std::collections::BTreeSet;

use arrow::{datatypes::SchemaRef, record_batch::RecordBatch};
use meshgate_gateway::offline::{Answer, RefusalKind, Refused};
use meshgate_policies::{Decision, RuleRef, Shows};

use super::{
    expectation::{Expectation, Rows, Seen},
    offline::Session,
    personas::Caller,
    suite::{Case, Question},
};
use crate::{
    failure::{Failure, with_reasons},
    sql::output::{self, Format, Output},
};

/// Most keys that a failure names.
const KEYS_TOLD: usize = 10;

/// What came out for one caller.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// What is not as expected; empty if all is.
    pub(crate) failures: Vec<String>,
    /// Ids of the rules that took part.
    pub(crate) rules: BTreeSet<String>,
}

/// The outcome of `case` for `caller`.
pub(crate) async fn run(session: &Session<'_>, case: &Case, caller: &Caller) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::default();
    match &case.question {
        Question::Read(table) => read(session, table, &case.expectation, caller, &mut outcome).await?,
        Question::Sql(sql) => {
            let answer = session.gateway.query(&caller.principal, sql).await;
            if let Ok(answer) = &answer {
                for table in &answer.tables {
                    outcome.rules.extend(ids(&rules(&decide(session, table, caller))));
                }
            }
            compare(answer, &case.expectation, is_ordered(sql), &mut outcome.failures)?;
        }
    }
    Ok(outcome)
}

fn decide(session: &Session<'_>, table: &str, caller: &Caller) -> Decision {
    session.domain.policy().decide(table, &caller.principal, &session.statement)
}

fn rules(decision: &Decision) -> Vec<RuleRef> {
    match decision {
        Decision::Absent { rules } => rules.clone(),
        Decision::Visible(decision) => decision.rules.clone(),
    }
}

fn ids(rules: &[RuleRef]) -> Vec<String> {
    rules.iter().map(|rule| rule.id.clone()).collect()
}

async fn read(
    session: &Session<'_>,
    table: &str,
    expectation: &Expectation,
    caller: &Caller,
    outcome: &mut Outcome,
) -> Result<(), Failure> {
    let decision = decide(session, table, caller);
    outcome.rules.extend(ids(&rules(&decision)));
    let Expectation::Seen(seen) = expectation else {
        let sql = format!("select * from {}.{table}", session.domain.name());
        let answer = session.gateway.query(&caller.principal, &sql).await;
        return compare(answer, expectation, false, &mut outcome.failures);
    };
    let Decision::Visible(decision) = decision else {
        // What is not there is not in the clear.
        if seen.columns.is_some() || seen.rows.is_some() {
            outcome.failures.push("there is no such table".to_owned());
        }
        return Ok(());
    };
    let visible: Vec<&str> = decision.columns.iter().map(|column| column.name.as_str()).collect();
    if let Some(expected) = &seen.columns {
        outcome.failures.extend(other_columns(expected, &visible));
    }
    for column in &decision.columns {
        if seen.never_clear.contains(&column.name) && column.shows() != Shows::Masked {
            let which = if column.shows() == Shows::Partly { "in some rows" } else { "in every row" };
            let rules = ids(&decision.rules).join(", ");
            outcome.failures.push(format!("`{}` is in the clear {which}; rules: {rules}", column.name));
        }
    }
    if let Some(expected) = &seen.rows {
        let keys = session.node.keys(table, &decision, &session.statement).await;
        match (keys, expected) {
            (Err(error), _) => outcome.failures.push(with_reasons(&error)),
            (Ok(keys), Rows::Keys(expected)) => outcome.failures.extend(other_rows(expected, &texts(&keys)?)),
            (Ok(keys), Rows::All) => {
                let rows: usize = keys.iter().map(RecordBatch::num_rows).sum();
                let total = session.node.total(table, &session.statement).await;
                let total = total.map_err(|error| Failure::Found(with_reasons(&error)))?;
                if rows != total {
                    outcome.failures.push(format!("{rows} of {total} rows are visible"));
                }
            }
        }
    }
    Ok(())
}

fn other_columns(expected: &[String], visible: &[&str]) -> Option<String> {
    let missing: Vec<&str> =
        expected.iter().map(String::as_str).filter(|name| !visible.contains(name)).collect();
    let more: Vec<&str> =
        visible.iter().copied().filter(|name| expected.iter().all(|other| other != name)).collect();
    told("columns", &missing, &more)
}

fn other_rows(expected: &[Vec<String>], visible: &[Vec<String>]) -> Option<String> {
    let missing = expected.iter().filter(|key| !visible.contains(key)).map(|key| key.join(" "));
    let more = visible.iter().filter(|key| !expected.contains(key)).map(|key| key.join(" "));
    let (missing, more) = (cut(missing.collect()), cut(more.collect()));
    told("rows", &missing, &more)
}

fn cut(mut keys: Vec<String>) -> Vec<String> {
    if keys.len() > KEYS_TOLD {
        let left = keys.len() - KEYS_TOLD;
        keys.truncate(KEYS_TOLD);
        keys.push(format!("and {left} more"));
    }
    keys
}

fn told(what: &str, missing: &[impl AsRef<str>], more: &[impl AsRef<str>]) -> Option<String> {
    let list = |names: &[&str]| names.join(", ");
    let missing: Vec<&str> = missing.iter().map(AsRef::as_ref).collect();
    let more: Vec<&str> = more.iter().map(AsRef::as_ref).collect();
    match (missing.is_empty(), more.is_empty()) {
        (true, true) => None,
        (false, true) => Some(format!("{what} that are missing: {}", list(&missing))),
        (true, false) => Some(format!("{what} that should not be there: {}", list(&more))),
        (false, false) => Some(format!(
            "{what} that are missing: {}; that should not be there: {}",
            list(&missing),
            list(&more)
        )),
    }
}

/// An answer, or a refusal, against what is expected.
fn compare(
    answer: Result<Answer, Refused>,
    expectation: &Expectation,
    is_ordered: bool,
    failures: &mut Vec<String>,
) -> Result<(), Failure> {
    let refused_as = |kind| matches!(&answer, Err(refused) if refused.kind == kind);
    let words = match expectation {
        Expectation::NoSuchTable if refused_as(RefusalKind::NoSuchTable) => return Ok(()),
        Expectation::NoSuchColumn if refused_as(RefusalKind::NoSuchColumn) => return Ok(()),
        Expectation::NoSuchTable => Some("no such table"),
        Expectation::NoSuchColumn => Some("no such column"),
        Expectation::Csv(_) | Expectation::Seen(_) => None,
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(refused) => {
            failures.push(format!("refused: {}", refused.text));
            return Ok(());
        }
    };
    match expectation {
        Expectation::Csv(expected) => {
            let found = csv(&answer.schema, &answer.batches)?;
            if lines(expected, is_ordered) != lines(&found, is_ordered) {
                failures.push(format!("expected\n{}\nand got\n{}", indented(expected), indented(&found)));
            }
        }
        Expectation::Seen(Seen { columns: Some(expected), .. }) => {
            let names: Vec<&str> = answer.schema.fields().iter().map(|field| field.name().as_str()).collect();
            failures.extend(other_columns(expected, &names));
        }
        _ => {
            let rows: usize = answer.batches.iter().map(RecordBatch::num_rows).sum();
            let words = words.unwrap_or("something else");
            failures.push(format!("expected `{words}` and got {rows} rows"));
        }
    }
    Ok(())
}

/// Without an order that was asked for, rows come in any.
fn is_ordered(sql: &str) -> bool {
    sql.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase().contains("order by")
}

fn lines(csv: &str, is_ordered: bool) -> Vec<String> {
    let mut lines: Vec<String> = csv.trim_end().lines().map(|line| line.trim_end().to_owned()).collect();
    if !is_ordered && let Some((_, rows)) = lines.split_first_mut() {
        rows.sort();
    }
    lines
}

fn indented(text: &str) -> String {
    text.trim_end().lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

fn csv(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<String, Failure> {
    let mut text = Vec::new();
    let mut output = Output::begin(Format::Csv, &mut text, schema)?;
    for batch in batches {
        output.write(batch)?;
    }
    output.finish()?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Keys as texts; NULL is an empty one.
pub(super) fn texts(batches: &[RecordBatch]) -> Result<Vec<Vec<String>>, Failure> {
    let mut keys = Vec::new();
    for batch in batches {
        let rows = output::rows(batch)?;
        keys.extend(rows.into_iter().map(|row| row.into_iter().map(Option::unwrap_or_default).collect()));
    }
    Ok(keys)
}
