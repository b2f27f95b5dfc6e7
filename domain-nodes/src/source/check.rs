//! A contract against the data it describes: everything that a query could
//! stumble over, read once from beginning to end, for the owner alone.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array as _, RecordBatch};
use datafusion::catalog::TableProvider as _;
use datafusion::error::DataFusionError;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties as _};
use futures::StreamExt as _;
use meshgate_engine::failure::external;
use meshgate_policies::Table;
use meshgate_policies::yaml::{Severity, Warning};

use super::findings::{Findings, MAX_BAD_CELLS};
use super::provider::FileTable;
use super::{Access, Source, SourceError};
use crate::contract::ProductTable;

/// One thing that is not as the contract says. Holds what is in bad cells: it
/// is for whoever owns the data, and belongs into no log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    pub table: String,
    pub column: Option<String>,
    pub message: String,
}

/// Opens the sources of a table as the node would, compares columns, reads all
/// rows and gives what is wrong, in this order. Reads as much as there is: the
/// caller bounds the time.
pub async fn check_online(table: &ProductTable, access: &Access) -> Vec<Finding> {
    let mut report = Report { table: &table.table, findings: Vec::new() };
    let state = SessionStateBuilder::new().build();
    let bad_cells = Arc::new(Findings::default());
    let opened = match Source::new(table, access) {
        Ok(source) => {
            let parquet = &state.config_options().execution.parquet;
            source.open_files(parquet, Some(Arc::clone(&bad_cells))).await
        }
        Err(error) => Err(error),
    };
    match opened {
        Ok(opened) => {
            report.differences(&opened);
            report.rows(&opened, &state, &bad_cells).await;
        }
        Err(error) => report.add(Severity::Error, None, told(&error)),
    }
    report.findings
}

struct Report<'t> {
    table: &'t Table,
    findings: Vec<Finding>,
}

impl Report<'_> {
    fn add(&mut self, severity: Severity, column: Option<&str>, message: String) {
        let column = column.map(str::to_owned);
        self.findings.push(Finding { severity, table: self.table.name.clone(), column, message });
    }

    fn differences(&mut self, opened: &FileTable) {
        for (column, drift) in opened.unavailable() {
            self.add(Severity::Error, Some(column), drift.to_string());
        }
        for column in opened.additional() {
            let message = "the contract does not name it, so it is not served".to_owned();
            self.add(Severity::Warning(Warning::ColumnNotInContract), Some(column), message);
        }
    }

    /// Reads all rows of the columns that can be read.
    async fn rows(&mut self, opened: &FileTable, state: &SessionState, bad_cells: &Findings) {
        let unavailable: Vec<&str> = opened.unavailable().map(|(column, _)| column).collect();
        let columns = self.table.columns.iter().enumerate();
        let readable: Vec<usize> = columns
            .filter(|(_, column)| !unavailable.contains(&column.name.as_str()))
            .map(|(position, _)| position)
            .collect();
        let mut nulls = vec![0_usize; readable.len()];
        let read = match opened.scan(state, Some(&readable), &[], None).await {
            Ok(plan) => count_nulls(&plan, state, &mut nulls).await,
            Err(error) => Err(error),
        };
        let found = bad_cells.take();
        let are_all = found.len() < MAX_BAD_CELLS;
        for cell in found {
            self.add(Severity::Error, Some(&cell.column), cell.to_string());
        }
        match read {
            Ok(()) => {}
            Err(_) if !are_all => {
                let message = format!("there are more than {MAX_BAD_CELLS} bad cells: the rest was not read");
                self.add(Severity::Error, None, message);
            }
            Err(error) => match external::<SourceError>(&error) {
                // It was found, with what is in it.
                Some(SourceError::BadCell { .. }) => {}
                Some(error) => self.add(Severity::Error, None, told(error)),
                None => self.add(Severity::Error, None, error.to_string()),
            },
        }
        for (position, nulls) in readable.into_iter().zip(nulls) {
            if let Some(column) =
                self.table.columns.get(position).filter(|column| column.required && nulls > 0)
            {
                let message = format!("the contract requires it, and it is NULL in {nulls} rows");
                self.add(Severity::Error, Some(&column.name), message);
            }
        }
    }
}

async fn count_nulls(
    plan: &Arc<dyn ExecutionPlan>,
    state: &SessionState,
    nulls: &mut [usize],
) -> Result<(), DataFusionError> {
    let mut first_error = Ok(());
    for partition in 0..plan.output_partitioning().partition_count() {
        let mut batches = plan.execute(partition, state.task_ctx())?;
        while let Some(batch) = batches.next().await {
            match batch {
                Ok(batch) => add_nulls(&batch, nulls),
                // The other partitions have other files.
                Err(error) => {
                    first_error = first_error.and(Err(error));
                    break;
                }
            }
        }
    }
    first_error
}

fn add_nulls(batch: &RecordBatch, nulls: &mut [usize]) {
    for (column, nulls) in batch.columns().iter().zip(nulls) {
        *nulls = nulls.saturating_add(column.logical_null_count());
    }
}

/// An error with its causes.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.column {
            Some(column) => write!(f, "`{}.{column}`: {}", self.table, self.message),
            None => write!(f, "`{}`: {}", self.table, self.message),
        }
    }
}
