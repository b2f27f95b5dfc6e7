//! The beginnings of all files of a table, as far as their format has one: the
//! columns that they say they have.

use std::sync::Arc;

use arrow::datatypes::DataType;

use super::Content;
use crate::source::arrow_ipc::{self, Header as ArrowHeader};
use crate::source::csv::{self, Header as CsvHeader};
use crate::source::definition::CsvOptions;
use crate::source::error::{Drift, SourceError};
use crate::source::files::FileSet;
use crate::source::json::{self, Head as JsonHead};

/// One per file, in their order.
#[derive(Debug)]
pub(in crate::source) enum Heads {
    Csv(Arc<CsvOptions>, Vec<CsvHeader>),
    JsonLines(Vec<JsonHead>),
    Arrow(Vec<Arc<ArrowHeader>>),
}

impl Heads {
    pub(in crate::source) async fn csv(
        options: &CsvOptions,
        files: &Arc<FileSet>,
    ) -> Result<Self, SourceError> {
        let options = Arc::new(options.clone());
        let how = Arc::clone(&options);
        let headers = files.each(move |files, file| csv::read_header(&how, files, file)).await?;
        Ok(Self::Csv(options, headers))
    }

    pub(in crate::source) async fn json_lines(files: &Arc<FileSet>) -> Result<Self, SourceError> {
        Ok(Self::JsonLines(files.each(|files, file| json::read_head(files, file)).await?))
    }

    pub(in crate::source) async fn arrow(files: &Arc<FileSet>) -> Result<Self, SourceError> {
        let read = |files: &_, file: &_| arrow_ipc::read_header(files, file).map(Arc::new);
        Ok(Self::Arrow(files.each(read).await?))
    }

    /// How a column of the files differs from the contract, if it does.
    pub(in crate::source) fn drift(&self, name: &str, expected: &DataType) -> Option<Drift> {
        match self {
            Self::Csv(_, headers) => headers.iter().find_map(|header| header.drift(name)),
            Self::JsonLines(heads) => json::drift(heads.iter(), name),
            Self::Arrow(headers) => headers.iter().find_map(|header| header.drift(name, expected)),
        }
    }

    /// Names of the columns of all files.
    pub(in crate::source) fn columns(&self) -> Vec<&str> {
        match self {
            Self::Csv(_, headers) => {
                headers.iter().flat_map(|header| header.columns()).map(String::as_str).collect()
            }
            Self::JsonLines(heads) => heads.iter().flat_map(|head| &head.keys).map(String::as_str).collect(),
            Self::Arrow(headers) => headers.iter().flat_map(|header| header.columns()).collect(),
        }
    }

    /// How to read the columns `asked` of a file. `all` is what a file without
    /// names has, in its order. Inside, `None` for a file that has no rows.
    pub(in crate::source) fn content(
        &self,
        number: usize,
        asked: &[&str],
        all: &[&str],
    ) -> Option<Option<Content>> {
        let positions = |position: &dyn Fn(&str) -> Option<usize>| -> Option<Vec<usize>> {
            asked.iter().map(|name| position(name)).collect()
        };
        match self {
            Self::Csv(options, headers) => {
                let (width, positions) = match headers.get(number)? {
                    CsvHeader::EmptyFile => return Some(None),
                    CsvHeader::Names(names) => {
                        (names.len(), positions(&|name| names.iter().position(|found| found == name))?)
                    }
                    CsvHeader::None => {
                        (all.len(), positions(&|name| all.iter().position(|found| *found == name))?)
                    }
                };
                Some(Some(Content::Csv { options: Arc::clone(options), width, positions }))
            }
            Self::JsonLines(_) => Some(Some(Content::JsonLines)),
            Self::Arrow(headers) => {
                let header = headers.get(number)?;
                let positions = positions(&|name| header.position(name))?;
                Some(Some(Content::Arrow { header: Arc::clone(header), positions }))
            }
        }
    }
}
