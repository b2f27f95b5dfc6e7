//! Files as tables: Parquet, CSV, JSON lines and Arrow IPC, on disk and in
//! object stores; a file, a folder, a pattern, hive partitions.
//!
//! A statement opens a [`Source`] once: the files are listed and pinned (on
//! disk by size, time and inode, in a store by tag), and their columns compared
//! with the contract. What comes out is a [`RawTable`] with exactly the
//! contract's columns. Raw tables know nothing of policy: only the secured
//! tables may scan them.

mod access;
mod arrow_ipc;
mod bucket;
mod cell;
mod check;
mod columns;
mod csv;
mod definition;
mod disk;
mod error;
mod estimate;
mod files;
mod findings;
mod glob;
mod hive;
mod input;
mod json;
mod layout;
mod parquet;
mod promise;
mod provider;
mod ranges;
mod rows;
mod sample;
mod scan;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use datafusion::catalog::TableProvider;
use datafusion::config::ParquetOptions;
use datafusion::execution::SessionState;
use meshgate_policies::{DataType, Table};

pub use access::Access;
pub(crate) use bucket::BucketLocation;
pub use check::{Finding, check_online};
pub use definition::SourceDefinition;
pub(crate) use definition::{CsvOptions, Format, Location, SourceColumn};
pub use error::{Drift, SourceError};
pub use findings::BadCell;
pub(crate) use sample::{Sample, SampledColumn, sample};

#[cfg(test)]
pub(crate) use columns::accepts;

use crate::contract::ProductTable;
use access::Place;
use files::FileSet;
use findings::Findings;
use parquet::FooterCache;
use provider::FileTable;
use rows::Heads;

/// Where one table's rows come from.
#[derive(Debug)]
pub struct Source {
    table: Arc<Table>,
    definition: SourceDefinition,
    place: Place,
    footers: FooterCache,
    /// Differences to the contract that were logged: once is enough.
    reported: Mutex<BTreeSet<String>>,
}

/// A table as its files hold it, for one statement. The schema is exactly the
/// contract's columns, every one nullable.
#[derive(Debug, Clone)]
pub struct RawTable {
    pub provider: Arc<dyn TableProvider>,
}

/// What a look at the files of a table tells.
#[derive(Debug)]
pub(crate) struct Survey {
    /// For planning only, never an answer.
    pub(crate) rows: Option<u64>,
    pub(crate) bytes: u64,
    /// Can all columns be served?
    pub(crate) is_whole: bool,
}

impl Format {
    /// Can a file of this format hold values of the type?
    pub(crate) fn can_hold(&self, data_type: &DataType) -> bool {
        match self {
            Self::Parquet | Self::Arrow => true,
            Self::Csv(_) => cell::can_hold(data_type),
            Self::JsonLines => json::can_hold(data_type),
        }
    }
}

impl Source {
    /// A source whose files lie where `access` leads. Opens nothing.
    pub fn new(table: &ProductTable, access: &Access) -> Result<Self, SourceError> {
        Ok(Self {
            table: Arc::clone(&table.table),
            definition: table.source.clone(),
            place: access.place(&table.table.name, &table.source.location)?,
            footers: FooterCache::new(),
            reported: Mutex::new(BTreeSet::new()),
        })
    }

    /// Lists and pins the files and compares their columns with the contract.
    pub async fn open(&self, state: &SessionState) -> Result<RawTable, SourceError> {
        let table = self.open_files(&state.config_options().execution.parquet, None).await?;
        Ok(RawTable { provider: Arc::new(table) })
    }

    /// The same; with `findings`, bad cells are collected there.
    async fn open_files(
        &self,
        parquet: &ParquetOptions,
        findings: Option<Arc<Findings>>,
    ) -> Result<FileTable, SourceError> {
        let files = self.list().await?;
        let (contract, definition) = (&self.table, &self.definition);
        let table = match &definition.format {
            Format::Parquet => {
                let footers = parquet::read_footers(&self.footers, &files).await?;
                FileTable::parquet(contract, definition, files, footers, parquet)?
            }
            Format::Csv(options) => {
                let heads = Heads::csv(options, &files).await?;
                FileTable::rows(contract, definition, files, heads, findings)?
            }
            Format::JsonLines => {
                let heads = Heads::json_lines(&files).await?;
                FileTable::rows(contract, definition, files, heads, findings)?
            }
            Format::Arrow => {
                let heads = Heads::arrow(&files).await?;
                FileTable::rows(contract, definition, files, heads, findings)?
            }
        };
        self.report(&table);
        Ok(table)
    }

    /// Looks at the files as a query would, without reading rows.
    pub(crate) async fn survey(&self) -> Result<Survey, SourceError> {
        let table = self.open_files(&ParquetOptions::default(), None).await?;
        let rows = match &self.definition.format {
            Format::Parquet => table.rows_in_footers(),
            Format::Csv(_) | Format::JsonLines => estimate::rows_of_text(table.files()).await,
            Format::Arrow => None,
        };
        Ok(Survey { rows, bytes: table.files().bytes(), is_whole: table.unavailable().next().is_none() })
    }

    async fn list(&self) -> Result<Arc<FileSet>, SourceError> {
        self.place.list(&self.table.name, self.definition.format.extensions()).await.map(Arc::new)
    }

    /// Tells the node's log how files and contract differ, each difference once.
    fn report(&self, table: &FileTable) {
        // A poisoned lock only means that another thread died while logging.
        let mut reported = self.reported.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (domain, name) = (&self.table.domain, &self.table.name);
        for (column, drift) in table.unavailable() {
            if reported.insert(format!("{column}: {drift}")) {
                tracing::error!(domain, table = name, column, %drift, "a column cannot be served");
            }
        }
        for column in table.additional() {
            if reported.insert(column.clone()) {
                tracing::warn!(
                    domain,
                    table = name,
                    column,
                    "the files have a column that the contract does not name"
                );
            }
        }
    }
}
