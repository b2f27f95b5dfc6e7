//! A folder of contracts: finds the files, reads them all, and leaves out
//! those with errors.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use meshgate_engine::bounded_file::{self, DOCUMENT_BYTES};
use meshgate_policies::names::{is_name, is_reserved_domain};
use meshgate_policies::yaml::{self, Node, Problem};

use super::Product;
use super::document::{Document, Setting, read_document};
use super::proposal::propose_name;

/// Most contracts that one folder may hold.
const MAX_CONTRACTS: usize = 10_000;

/// What a folder of contracts gave.
#[derive(Debug, Clone, Default)]
pub struct Contracts {
    /// In the order of their files' names.
    pub products: Vec<Product>,
    /// Errors and warnings of all files.
    pub problems: Vec<Problem>,
}

/// Reads all contracts of `dir`: `*.odcs.yaml`, `*.odcs.yml`, and other
/// `*.yaml` that say `kind: DataContract`. Subfolders are not looked into.
pub fn load_folder(
    dir: &Path,
    domain: &str,
    environment: &str,
    variables: &BTreeMap<String, String>,
) -> Contracts {
    let mut problems = Vec::new();
    let folder = dir.display().to_string();
    if let Some(problem) = check_domain_name(&folder, domain) {
        problems.push(problem);
        return Contracts { products: Vec::new(), problems };
    }
    let setting = Setting { folder: dir, domain, environment, variables };
    let mut documents = Vec::new();
    for path in contract_files(dir, &mut problems) {
        let file = path.display().to_string();
        let Some(root) = read_file(&file, &path, &mut problems) else { continue };
        if let Some(document) = read_document(&file, &root, &setting, &mut problems) {
            documents.push((file, document));
        }
    }
    let doubtful = report_duplicates(&documents, &mut problems);
    let products = documents
        .into_iter()
        .enumerate()
        .filter(|(position, _)| !doubtful.contains(position))
        .map(|(_, (_, document))| document.product)
        .collect();
    Contracts { products, problems }
}

fn check_domain_name(folder: &str, domain: &str) -> Option<Problem> {
    if !is_name(domain) {
        let message = format!(
            "`{domain}` cannot be the name of a domain: names are `[a-z][a-z0-9_]*`, at most 63 long"
        );
        return Some(
            Problem::error(folder, 0, message).with_hint(format!("write `{}`", propose_name(domain))),
        );
    }
    is_reserved_domain(domain).then(|| {
        Problem::error(folder, 0, format!("`{domain}` is reserved and cannot be the name of a domain"))
            .with_hint("choose another name")
    })
}

/// Files that may hold a contract, sorted by name.
fn contract_files(dir: &Path, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let folder = dir.display().to_string();
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) => {
            problems.push(Problem::error(
                &folder,
                0,
                format!("the folder of contracts cannot be read: {error}"),
            ));
            return Vec::new();
        }
    };
    let mut paths = BTreeSet::new();
    for entry in entries {
        match entry {
            Ok(entry) if is_yaml(&entry.path()) => {
                paths.insert(entry.path());
            }
            Ok(_) => {}
            Err(error) => {
                problems.push(Problem::error(
                    &folder,
                    0,
                    format!("the folder of contracts cannot be read: {error}"),
                ));
            }
        }
        if paths.len() > MAX_CONTRACTS {
            problems.push(Problem::error(
                &folder,
                0,
                format!("the folder holds more than {MAX_CONTRACTS} contracts"),
            ));
            return Vec::new();
        }
    }
    paths.into_iter().collect()
}

fn is_yaml(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let visible = !name.starts_with('.');
    visible && (name.ends_with(".odcs.yaml") || name.ends_with(".odcs.yml") || name.ends_with(".yaml"))
}

/// `None` after an error, and for a plain YAML file that is no contract.
fn read_file(file: &str, path: &Path, problems: &mut Vec<Problem>) -> Option<Node> {
    let must_be_contract = file.ends_with(".odcs.yaml") || file.ends_with(".odcs.yml");
    let text = match bounded_file::read_text(path, DOCUMENT_BYTES) {
        Ok(text) => text,
        Err(error) => {
            problems.push(Problem::error(file, 0, format!("the file cannot be read: {error}")));
            return None;
        }
    };
    match yaml::parse(file, &text) {
        Ok(root)
            if must_be_contract || root.get("kind").and_then(Node::as_scalar) == Some("DataContract") =>
        {
            Some(root)
        }
        Ok(_) => None,
        Err(problem) => {
            if must_be_contract || text.contains("DataContract") {
                problems.push(problem);
            }
            None
        }
    }
}

/// Reports ids, products and tables that two contracts claim. Neither of the
/// two is served: which of them is meant is not for the order of files to say.
fn report_duplicates(documents: &[(String, Document)], problems: &mut Vec<Problem>) -> BTreeSet<usize> {
    let mut claims: BTreeMap<(&str, &str), Vec<(usize, usize)>> = BTreeMap::new();
    for (position, (_, document)) in documents.iter().enumerate() {
        let product = &document.product;
        claims.entry(("id", &product.id)).or_default().push((position, document.id_line));
        claims.entry(("data product", &product.name)).or_default().push((position, document.name_line));
        for (table, line) in product.tables.iter().zip(&document.table_lines) {
            claims.entry(("table", &table.table.name)).or_default().push((position, *line));
        }
    }
    let mut doubtful = BTreeSet::new();
    for ((what, name), places) in claims {
        for (position, line) in &places {
            let others: Vec<&str> = places
                .iter()
                .filter(|(other, _)| other != position)
                .filter_map(|(other, _)| documents.get(*other).map(|(file, _)| file.as_str()))
                .collect();
            let Some((file, _)) = documents.get(*position).filter(|_| !others.is_empty()) else { continue };
            doubtful.insert(*position);
            let message = format!("the {what} `{name}` is also in {}", others.join(", "));
            problems.push(
                Problem::error(file, *line, message).with_hint("neither is served until one is renamed"),
            );
        }
    }
    doubtful
}
