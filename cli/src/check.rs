//! `meshgate check`: everything that the files of a folder have wrong, found
//! by the readers of the servers, at once.

pub(crate) mod report;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use chrono::Utc;
use clap::Args;
use meshgate_domain_node::{NodeConfig, check};
use meshgate_engine::{
    bounded_file::{self, DOCUMENT_BYTES},
    operator::{OperatorDocument, OperatorKeys},
};
use meshgate_gateway::config::GatewayConfig;
use meshgate_policies::{Mesh, Principal, Statement, doubts::Surroundings, yaml::Problem};

use crate::{
    failure::Failure,
    format::Format,
    policy::{lock, personas},
    serve,
    silences::Silences,
    sql,
};

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Folder with node.yaml, gateway.yaml or mesh.yaml, or with folders that have them.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Read the data as well: every row of every table.
    #[arg(long)]
    online: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A file that was checked, with all that depends on it.
#[derive(Debug, PartialEq, Eq)]
struct Checked {
    file: PathBuf,
    problems: Vec<Problem>,
}

impl Checked {
    fn errors(&self) -> usize {
        self.problems.iter().filter(|problem| problem.is_error()).count()
    }

    fn warnings(&self) -> usize {
        self.problems.len() - self.errors()
    }
}

/// The files that servers start from. What they name is checked with them.
const ROOTS: [&str; 3] = ["node.yaml", "gateway.yaml", "mesh.yaml"];

pub(crate) async fn run(arguments: CheckArguments) -> Result<(), Failure> {
    let roots = roots(&arguments.folder)?;
    let mut checked = Vec::with_capacity(roots.len());
    for file in roots {
        let problems = check_root(&file, arguments.online).await;
        checked.push(Checked { file, problems });
    }
    sql::print(&match arguments.format {
        Format::Text => report::text(&checked),
        Format::Json => report::json(&checked)?,
        Format::Junit => report::junit(&checked),
    })?;
    match checked.iter().map(Checked::errors).sum() {
        0 => Ok(()),
        1 => Err(Failure::Found("there is 1 error".to_owned())),
        errors => Err(Failure::Found(format!("there are {errors} errors"))),
    }
}

/// Files to start from in `folder`; if it has none, in the folders directly below.
fn roots(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let found = |folder: &Path| -> Vec<PathBuf> {
        ROOTS.iter().map(|name| folder.join(name)).filter(|file| file.is_file()).collect()
    };
    let mut roots = found(folder);
    if roots.is_empty() {
        let entries = std::fs::read_dir(folder).map_err(|error| Failure::file("read", folder, &error))?;
        for entry in entries {
            let path = entry.map_err(|error| Failure::file("read", folder, &error))?.path();
            if path.is_dir() {
                roots.extend(found(&path));
            }
        }
        roots.sort();
    }
    if roots.is_empty() {
        return Err(Failure::Usage(format!(
            "there is neither {} in {} or a folder in it: name a domain's or a mesh's folder, or make one with `meshgate init domain`",
            ROOTS.join(" nor "),
            folder.display()
        )));
    }
    Ok(roots)
}

async fn check_root(file: &Path, online: bool) -> Vec<Problem> {
    match file.file_name().and_then(|name| name.to_str()) {
        Some("node.yaml") => check_node(file, online).await,
        Some("gateway.yaml") => check_gateway(file),
        _ => check_mesh(file),
    }
}

async fn check_node(file: &Path, online: bool) -> Vec<Problem> {
    let (config, elsewhere) = match NodeConfig::load_without_secrets(file, &serve::environment) {
        Ok(loaded) => loaded,
        Err(problems) => return problems,
    };
    let check::Checked { mut problems, rules } = check::check(&config, &elsewhere);
    problems.extend(lock::warnings(&file.with_file_name(lock::FILE), &config.mesh));
    if let Some(rules) = rules {
        problems.extend(doubts(file, &rules));
    }
    problems.extend(if online { check::check_sources(&config).await } else { check::check_places(&config) });
    let mut folders = vec![config.products.as_path(), &config.policies];
    folders.extend(config.shadow.as_ref().map(|shadow| shadow.policies.as_path()));
    Silences::read(file, &folders).apply_strictly(&mut problems);
    problems
}

/// What the owner's rules probably do not mean, for the personas that are written down.
fn doubts(file: &Path, rules: &check::Rules) -> Vec<Problem> {
    let mut problems = Vec::new();
    let folder = file.parent().unwrap_or(Path::new(""));
    let callers = personas::of_repository(folder, &rules.mesh, &mut problems);
    let callers: Vec<Principal> = callers.into_iter().map(|caller| caller.principal).collect();
    let statement = Statement { instant: Utc::now().timestamp_micros(), zone: rules.mesh.time_zone() };
    let around = Surroundings { statement: &statement, callers: &callers, foreign_keys: &rules.foreign_keys };
    for policy in [&rules.policy].into_iter().chain(&rules.candidate) {
        // What is said of a table and of no file may be so of both.
        for doubt in policy.doubts(&around) {
            if !problems.contains(&doubt) {
                problems.push(doubt);
            }
        }
    }
    problems
}

fn check_gateway(file: &Path) -> Vec<Problem> {
    let config = match GatewayConfig::load(file, &serve::environment) {
        Ok(config) => config,
        Err(problems) => return problems,
    };
    let mut problems = check_mesh(&config.mesh);
    let is_readable = !problems.iter().any(Problem::is_error);
    // What a mesh.yaml in the same folder says is checked by itself.
    if config.mesh == file.with_file_name("mesh.yaml") {
        problems.clear();
    }
    if is_readable {
        problems.extend(check_signature(&config));
    }
    problems
}

/// Of a document that says nothing wrong.
fn check_signature(config: &GatewayConfig) -> Vec<Problem> {
    let name = config.mesh.display().to_string();
    let keys = OperatorKeys::load(&config.operator_keys).map_err(|error| error.to_string());
    let text = read(&config.mesh);
    match (keys, text) {
        (Ok(keys), Ok(text)) => OperatorDocument::open(&name, &text, &keys).err().unwrap_or_default(),
        (Err(message), _) | (_, Err(message)) => vec![Problem::error(&name, 0, message)],
    }
}

/// What the operator's document says. Its signature counts for servers, which know the operator's keys.
fn check_mesh(file: &Path) -> Vec<Problem> {
    let name = file.display().to_string();
    match read(file) {
        Ok(text) => {
            let mut problems = match Mesh::load(&name, &text) {
                Ok((_, warnings)) => warnings,
                Err(problems) => problems,
            };
            Silences::read(file, &[]).apply_strictly(&mut problems);
            problems
        }
        Err(message) => vec![Problem::error(&name, 0, message)],
    }
}

fn read(file: &Path) -> Result<String, String> {
    bounded_file::read_text(file, DOCUMENT_BYTES).map_err(|error| format!("the file cannot be read: {error}"))
}
