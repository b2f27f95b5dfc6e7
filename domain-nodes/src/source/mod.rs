//! Local files as tables: Parquet and CSV, a file, a folder, a glob, hive
//! partitions.
//!
//! A statement opens a [`Source`] once: the files are listed, pinned by size,
//! time and inode, and their columns compared with the contract. What comes out
//! is a [`RawTable`] with exactly the contract's columns. Raw tables know
//! nothing of policy: only the secured tables may scan them.

mod columns;
mod csv;
mod definition;
mod error;
mod files;
mod hive;
mod layout;
mod listing;
mod parquet;
mod promise;
mod provider;
mod scan;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use datafusion::catalog::TableProvider;
use datafusion::execution::SessionState;
use meshgate_policies::Table;

pub use definition::SourceDefinition;
pub(crate) use definition::{CsvOptions, Format, SourceColumn};
pub use error::{Drift, SourceError};

#[cfg(test)]
pub(crate) use columns::accepts;
pub(crate) use csv::can_hold as csv_can_hold;

use crate::contract::ProductTable;
use files::{FileSet, Roots};
use parquet::FooterCache;
use provider::LocalTable;

/// Where one table's rows come from.
#[derive(Debug)]
pub struct Source {
    table: Arc<Table>,
    definition: SourceDefinition,
    roots: Roots,
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

impl Source {
    /// A source whose files must lie below one of `roots`. Opens nothing.
    pub fn new(table: &ProductTable, roots: &[PathBuf]) -> Result<Self, SourceError> {
        Ok(Self {
            table: Arc::clone(&table.table),
            definition: table.source.clone(),
            roots: Roots::new(roots)?,
            footers: FooterCache::new(),
            reported: Mutex::new(BTreeSet::new()),
        })
    }

    /// Lists and pins the files and compares their columns with the contract.
    pub async fn open(&self, state: &SessionState) -> Result<RawTable, SourceError> {
        let files = self.list().await?;
        let table = match &self.definition.format {
            Format::Parquet => {
                let footers = parquet::read_footers(&self.footers, &files).await?;
                LocalTable::parquet(&self.table, &self.definition, files, footers, state)?
            }
            Format::Csv(options) => {
                let headers = csv::read_headers(options, &files).await?;
                LocalTable::csv(&self.table, &self.definition, files, headers, options.clone())?
            }
        };
        self.report(&table);
        Ok(RawTable { provider: Arc::new(table) })
    }

    /// Rows and bytes, for planning only: never an answer.
    pub async fn estimate(&self) -> Option<(u64, u64)> {
        let files = self.list().await.ok()?;
        let bytes = files.bytes();
        let rows = match &self.definition.format {
            Format::Parquet => {
                let footers = parquet::read_footers(&self.footers, &files).await.ok()?;
                footers.iter().map(|footer| footer.rows()).fold(0, u64::saturating_add)
            }
            Format::Csv(_) => csv::estimate_rows(&files).await?,
        };
        Some((rows, bytes))
    }

    async fn list(&self) -> Result<Arc<FileSet>, SourceError> {
        let (table, definition, roots) =
            (self.table.name.clone(), self.definition.clone(), self.roots.clone());
        let listed = tokio::task::spawn_blocking(move || listing::list(&table, &definition, &roots)).await;
        match listed {
            Ok(files) => files.map(Arc::new),
            Err(cause) => Err(SourceError::unreadable(&self.table.name, cause)),
        }
    }

    /// Tells the node's log how files and contract differ, each difference once.
    fn report(&self, table: &LocalTable) {
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
