//! What of node.yaml counts where nothing is served: where contracts, policies
//! and data lie. Its keys, addresses and secrets need not be there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use meshgate_engine::bounded_file::{self, DOCUMENT_BYTES};
use meshgate_policies::yaml::{self, Node, Problem, Reader, UnknownKeys, Value};

use super::references::Lookup;
use super::{folder_of, path, read_contract_variables, read_data_roots, read_domain};

/// The keys that are read. `meshgate check` looks at the others.
const KEYS: [&str; 7] =
    ["domain", "environment", "mesh", "products", "policies", "data_roots", "contract_variables"];

/// A domain's files.
#[derive(Debug, Clone)]
pub struct Repository {
    /// Where node.yaml lies.
    pub folder: PathBuf,
    pub domain: String,
    /// Picks `servers[].environment` of every contract.
    pub environment: String,
    /// The node's copy of the operator's document. It need not be there.
    pub mesh: PathBuf,
    /// Folder of contracts.
    pub products: PathBuf,
    /// Folder of the owner's policies.
    pub policies: PathBuf,
    /// Folders in and below which local data may lie.
    pub data_roots: Vec<PathBuf>,
    /// Variables that contracts may refer to, with their values.
    pub contract_variables: BTreeMap<String, String>,
}

impl Repository {
    /// Reads node.yaml. `environment` looks up a variable. All problems at once.
    pub fn load(file: &Path, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, Vec<Problem>> {
        let name = file.display().to_string();
        let text = bounded_file::read_text(file, DOCUMENT_BYTES)
            .map_err(|error| vec![Problem::error(&name, 0, format!("cannot read this file: {error}"))])?;
        let root = yaml::parse(&name, &text).map_err(|problem| vec![problem])?;
        let (mut root, mut problems) = (only_known(root), Vec::new());
        let lookup = Lookup { folder: folder_of(file), environment };
        yaml::expand_all(&name, &mut root, &|reference| lookup.resolve(reference), &mut problems);
        let mut reader = Reader::new(&name, &root, &mut problems);
        let repository = read(&mut reader, &lookup);
        reader.finish(UnknownKeys::Error);
        match repository {
            Some(repository) if !problems.iter().any(Problem::is_error) => Ok(repository),
            _ => Err(problems),
        }
    }
}

fn only_known(root: Node) -> Node {
    let value = match root.value {
        Value::Mapping(mut entries) => {
            entries.retain(|entry| KEYS.contains(&entry.key.as_str()));
            Value::Mapping(entries)
        }
        other => other,
    };
    Node { value, ..root }
}

fn read(reader: &mut Reader<'_, '_>, lookup: &Lookup<'_>) -> Option<Repository> {
    let domain = read_domain(reader);
    let environment = reader.required_text("environment");
    let mesh = path(reader, "mesh", lookup);
    let products = path(reader, "products", lookup);
    let policies = path(reader, "policies", lookup);
    let data_roots = read_data_roots(reader, products.as_deref(), lookup);
    let contract_variables = read_contract_variables(reader, lookup);
    Some(Repository {
        folder: lookup.folder.clone(),
        domain: domain?,
        environment: environment?,
        mesh: mesh?,
        products: products?,
        policies: policies?,
        data_roots,
        contract_variables,
    })
}
