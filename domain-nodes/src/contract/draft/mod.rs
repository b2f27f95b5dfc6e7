//! A first contract for files that have none: types as the files have them, a
//! key and classifications as guesses. What is guessed stands in comments or
//! says so: the owner decides.

mod guess;
mod spelling;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

use meshgate_policies::names::is_name;

use super::proposal::propose_name;
use crate::source::{Sample, SampledColumn, SourceError, sample};

/// What a contract is drafted for.
#[derive(Debug, Clone, Copy)]
pub struct DraftOrder<'a> {
    /// Name of product and table.
    pub product: &'a str,
    pub domain: &'a str,
    pub environment: &'a str,
    /// Folder of the contract.
    pub products: &'a Path,
    /// Where the node reads files.
    pub data_roots: &'a [PathBuf],
    /// A file, a folder or a glob.
    pub from: &'a Path,
}

/// A contract, and what its author should know.
#[derive(Debug, Clone)]
pub struct Draft {
    pub text: String,
    pub notes: Vec<String>,
}

/// Why there is no draft.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    #[error("`{name}` cannot be the name of a data product: write `{proposal}`")]
    Name { name: String, proposal: String },
    #[error("`{from}` cannot be read as Parquet, CSV, JSON lines or Arrow files: {cause}")]
    Files { from: String, cause: SourceError },
    #[error("the files have no columns that can be served")]
    NoColumns,
}

/// Looks at the files and writes the draft. Blocks.
pub fn draft_contract(order: &DraftOrder<'_>) -> Result<Draft, DraftError> {
    if !is_name(order.product) {
        let (name, proposal) = (order.product.to_owned(), propose_name(order.product));
        return Err(DraftError::Name { name, proposal });
    }
    let from = std::path::absolute(order.from).unwrap_or_else(|_| order.from.to_owned());
    let looked = sample(&from, order.data_roots)
        .map_err(|cause| DraftError::Files { from: order.from.display().to_string(), cause })?;
    if !looked.columns.iter().any(|column| column.data_type.is_ok()) {
        return Err(DraftError::NoColumns);
    }
    let mut draft = Writer { order, from: &from, looked: &looked, text: String::new(), notes: Vec::new() };
    draft.write();
    Ok(Draft { text: draft.text, notes: draft.notes })
}

struct Writer<'a> {
    order: &'a DraftOrder<'a>,
    from: &'a Path,
    looked: &'a Sample,
    text: String,
    notes: Vec<String>,
}

impl Writer<'_> {
    fn write(&mut self) {
        self.head();
        let key = guess::key(self.order.product, &self.looked.columns);
        let mut names = BTreeSet::new();
        for column in &self.looked.columns {
            let name = self.name(column, &mut names);
            self.property(column, &name, key == Some(column.name.as_str()));
        }
        if key.is_none() {
            self.notes
                .push("no column looks like a key: if one is, write `primaryKey: true` to it".to_owned());
        }
        if !self.looked.in_roots {
            self.notes.push(format!(
                "the files lie outside of the folders that the node reads: add `data_roots: [{}]` to node.yaml",
                spelling::scalar(&fixed_part(self.from).display().to_string())
            ));
        }
    }

    fn head(&mut self) {
        let DraftOrder { product, domain, environment, products, .. } = self.order;
        let Sample { format, files, rows, complete, .. } = self.looked;
        let seen = if *complete { format!("{rows} rows") } else { format!("the first {rows} rows") };
        let path = spelling::scalar(&relative(self.from, products));
        self.text = format!(
            "# A draft from {files} file(s), {seen}. Types are those of the files; what is marked as a guess is one.\n\
             # Read it, correct it, then run `meshgate check`.\n\
             apiVersion: v3.1.0\n\
             kind: DataContract\n\
             id: {domain}-{product}\n\
             name: {product}\n\
             version: 1.0.0\n\
             status: draft\n\
             # description: What this is, for whom, and what it must not be used for.\n\
             # team: {{ name: Who answers questions }}\n\
             servers:\n  \
               - server: files\n    \
                 environment: {}\n    \
                 type: local\n    \
                 path: {path}\n    \
                 format: {format}\n\
             schema:\n  \
               - name: {product}\n    \
                 properties:\n",
            spelling::scalar(environment),
        );
    }

    /// A name that fits and is not taken.
    fn name(&mut self, column: &SampledColumn, names: &mut BTreeSet<String>) -> String {
        let first = if is_name(&column.name) { column.name.clone() } else { propose_name(&column.name) };
        let first = if is_name(&first) { first } else { "column".to_owned() };
        let numbered = (2..).map(|number| format!("{first}_{number}"));
        let name = std::iter::once(first.clone()).chain(numbered).find(|name| !names.contains(name));
        let name = name.unwrap_or(first);
        names.insert(name.clone());
        name
    }

    fn property(&mut self, column: &SampledColumn, name: &str, is_key: bool) {
        let data_type = match &column.data_type {
            Ok(data_type) => data_type,
            Err(found) => {
                let name = &column.name;
                let _ = writeln!(self.text, "      # {}: {found} cannot be served", one_line(name));
                self.notes
                    .push(format!("the column `{}` is left out: {found} cannot be served", one_line(name)));
                return;
            }
        };
        let _ = writeln!(self.text, "      - name: {name}");
        if name != column.name {
            let _ = writeln!(self.text, "        physicalName: {}", spelling::scalar(&column.name));
        }
        self.text += &spelling::type_lines(data_type, 8);
        if column.partition {
            self.text += "        partitioned: true\n";
        }
        if is_key {
            self.text +=
                "        primaryKey: true   # a guess: no value was there twice\n        required: true\n";
        }
        let guess = guess::classification(name);
        let _ = writeln!(
            self.text,
            "        # classification: {}   # a guess{}",
            guess.classification, guess.why
        );
        if let Some(tag) = guess.tag {
            let _ = writeln!(self.text, "        # tags: [{tag}]");
        }
    }
}

fn one_line(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).collect()
}

/// The part of a path before its first wildcard.
fn fixed_part(path: &Path) -> PathBuf {
    let is_wild = |part: &Component<'_>| part.as_os_str().to_string_lossy().contains(['*', '?']);
    let fixed: PathBuf = path.components().take_while(|part| !is_wild(part)).collect();
    if fixed.is_file() { fixed.parent().unwrap_or(&fixed).to_owned() } else { fixed }
}

/// `path` as a contract in `products` writes it: relative if both lie in the same domain's folder.
fn relative(path: &Path, products: &Path) -> String {
    let products = std::path::absolute(products).unwrap_or_else(|_| products.to_owned());
    let below = products.parent().and_then(|folder| path.strip_prefix(folder).ok());
    match below {
        Some(below) => format!("../{}", below.display()),
        None => path.display().to_string(),
    }
}
