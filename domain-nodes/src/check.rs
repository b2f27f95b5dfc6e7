//! A node's files, looked at without serving: what the node itself would
//! complain of, and what its data has wrong. For the owner, on the owner's
//! machine: unlike everything that callers see, it names cells.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use meshgate_engine::bounded_file::{self, DOCUMENT_BYTES};
use meshgate_engine::operator::{OperatorDocument, OperatorKeys};
use meshgate_policies::doubts::ForeignKey;
use meshgate_policies::yaml::{Problem, Severity};
use meshgate_policies::{Document, DomainPolicy, Mesh, Table};

use crate::config::NodeConfig;
use crate::contract::{Contracts, ProductTable, load_folder};
use crate::pseudonyms::Pseudonyms;
use crate::reload::read_documents;
use crate::source::{Access, Finding, SourceError, check_online};

/// What `meshgate mesh pull` writes, where no gateway has brought a document yet.
const PULLED: &str = "mesh.lock.yaml";

/// What a domain's files gave.
#[derive(Debug, Default)]
pub struct Checked {
    pub problems: Vec<Problem>,
    /// `None` if they cannot be used.
    pub rules: Option<Rules>,
}

/// Policies that can be used, and what they are for.
#[derive(Debug)]
pub struct Rules {
    pub policy: DomainPolicy,
    /// What node.yaml has tried in the shadow, if it is there and can be used.
    pub candidate: Option<DomainPolicy>,
    pub mesh: Mesh,
    pub foreign_keys: Vec<ForeignKey>,
}

/// Everything that node.yaml should say in another way, and that contracts, mesh.yaml and policies have wrong, as the node
/// finds it, and spaces of pseudonyms that node.yaml has no key for; of those in `elsewhere` it is not here. A candidate for
/// the policies counts as the policies do. Changes no file.
pub fn check(config: &NodeConfig, elsewhere: &BTreeSet<String>) -> Checked {
    let Contracts { products, problems: of_contracts } = contracts(config);
    let mut problems = config.warnings.clone();
    problems.extend(of_contracts);
    let foreign_keys = products.iter().flat_map(|product| product.foreign_keys.clone()).collect();
    let tables = products.iter().flat_map(|product| &product.tables);
    let tables: Vec<Table> = tables.map(|table| table.table.as_ref().clone()).collect();
    let mesh = match read_mesh(config) {
        Ok((mesh, warnings)) => {
            problems.extend(warnings);
            mesh
        }
        Err(found) => {
            problems.extend(found);
            problems.extend(documents(&config.policies).err());
            return Checked { problems, rules: None };
        }
    };
    let mut load = |folder: &Path| match load_policy(config, folder, &mesh, &tables, elsewhere) {
        Ok((policy, found)) => {
            problems.extend(found);
            Some(policy)
        }
        Err(found) => {
            problems.extend(found);
            None
        }
    };
    let policy = load(&config.policies);
    let candidate = config.shadow.as_ref().filter(|shadow| shadow.policies.is_dir());
    let candidate = candidate.and_then(|shadow| load(&shadow.policies));
    let rules = policy.map(|policy| Rules { policy, candidate, mesh, foreign_keys });
    Checked { problems, rules }
}

/// The documents of a folder, with what they do not do well.
fn load_policy(
    config: &NodeConfig,
    folder: &Path,
    mesh: &Mesh,
    tables: &[Table],
    elsewhere: &BTreeSet<String>,
) -> Result<(DomainPolicy, Vec<Problem>), Vec<Problem>> {
    let documents = documents(folder).map_err(|problem| vec![problem])?;
    let (policy, mut problems) = DomainPolicy::load(&config.domain, &documents, mesh, tables)?;
    problems.extend(without_keys(config, &policy, elsewhere));
    Ok((policy, problems))
}

/// Tables whose paths leave the folders in which data may lie. Looks at folders only, and only at those
/// that lie here.
pub fn check_places(config: &NodeConfig) -> Vec<Problem> {
    let (products, access) = (contracts(config).products, Access::of(config));
    let tables = products.iter().flat_map(|product| &product.tables);
    let outside = tables.filter(|table| access.is_outside(table));
    let problem = |table: &ProductTable| {
        let place = format!("{}.{}", config.domain, table.table.name);
        let error = SourceError::OutsideRoots { table: table.table.name.clone() };
        Problem::error(&place, 0, error.to_string()).with_hint("add the folder to `data_roots` of node.yaml")
    };
    outside.map(problem).collect()
}

/// What the sources have wrong: drift, cells that are not of their type, NULLs
/// in required columns. Reads every row of every table.
pub async fn check_sources(config: &NodeConfig) -> Vec<Problem> {
    let (products, access) = (contracts(config).products, Access::of(config));
    let mut problems = Vec::new();
    for table in products.iter().flat_map(|product| &product.tables) {
        let findings = check_online(table, &access).await;
        problems.extend(findings.into_iter().map(|finding| problem(&config.domain, finding)));
    }
    problems
}

/// The owner's documents under the paths that problems name.
pub(crate) fn documents(folder: &Path) -> Result<Vec<Document>, Problem> {
    let named = |Document { name, text }| Document { name: folder.join(name).display().to_string(), text };
    Ok(read_documents(folder)?.into_iter().map(named).collect())
}

fn contracts(config: &NodeConfig) -> Contracts {
    load_folder(&config.products, &config.domain, &config.environment, &config.contract_variables)
}

/// The operator's document that lies here. Its signature counts where the
/// operator's keys lie as well; a machine that serves nothing need not have them.
fn read_mesh(config: &NodeConfig) -> Result<(Mesh, Vec<Problem>), Vec<Problem>> {
    let file = mesh_file(&config.mesh);
    let name = file.display().to_string();
    let text = bounded_file::read_text(&file, DOCUMENT_BYTES).map_err(|error| {
        let hint = "take a copy of the operator's document with `meshgate mesh pull`";
        vec![Problem::error(&name, 0, format!("cannot be read: {error}")).with_hint(hint)]
    })?;
    match OperatorKeys::load(&config.operator_keys) {
        Ok(keys) => OperatorDocument::open(&name, &text, &keys)
            .map(|(document, warnings)| (document.mesh().clone(), warnings)),
        Err(_) => Mesh::load(&name, &text),
    }
}

fn mesh_file(mesh: &Path) -> PathBuf {
    let pulled = mesh.with_file_name(PULLED);
    if !mesh.exists() && pulled.exists() { pulled } else { mesh.to_owned() }
}

fn without_keys(config: &NodeConfig, policy: &DomainPolicy, elsewhere: &BTreeSet<String>) -> Vec<Problem> {
    let (_, missing) = Pseudonyms::new(&config.domain, policy.pseudonym_spaces(), &config.pseudonyms);
    let problem = |space: String| {
        let message = format!("node.yaml has no key for the pseudonyms `{space}` that policies use");
        let hint = format!("write `pseudonyms: {{ {space}: {{ keys: [..] }} }}`");
        Problem::error(&config.domain, 0, message).with_hint(hint)
    };
    missing.into_iter().filter(|space| !elsewhere.contains(space)).map(problem).collect()
}

/// Of a table's data: there is no file of ours to name a line of.
fn problem(domain: &str, finding: Finding) -> Problem {
    let Finding { severity, table, column, message } = finding;
    let place = match column {
        Some(column) => format!("{domain}.{table}.{column}"),
        None => format!("{domain}.{table}"),
    };
    match severity {
        Severity::Error => Problem::error(&place, 0, message),
        Severity::Warning(warning) => Problem::warning(warning, &place, 0, message),
    }
}
