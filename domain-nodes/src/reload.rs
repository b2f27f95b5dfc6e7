//! Files to states. A state is built from what lies on disk, as a whole; a
//! broken file keeps what was last good and shows in log and readiness.
//!
//! | broken | at start | later |
//! |---|---|---|
//! | a contract | its product is left out | its product stays as it was |
//! | policies or mesh.yaml, or its signature | everything is denied | the last good documents stay |

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono_tz::Tz;
use meshgate_engine::bounded_file::{self, DOCUMENT_BYTES};
use meshgate_policies::yaml::{Problem, Severity};
use meshgate_policies::{Document, DomainPolicy, Mesh, Table};

use crate::config::NodeConfig;
use crate::contract::{self, Product};
use crate::describe::{self, Identity};
use crate::operator::OperatorFile;
use crate::pseudonyms::Pseudonyms;
use crate::readiness::Trouble;
use crate::source::{Access, Source};
use crate::state::{ServedTable, State};

/// Most files of policies that are read.
const POLICY_FILES: usize = 1000;

/// Most text of a candidate for the policies: it travels with the domain's description, and is compiled with it.
const CANDIDATE_BYTES: usize = 4 << 20;

/// Builds states, and remembers what was last good.
#[derive(Debug, Clone)]
pub(crate) struct Loader {
    config: Arc<NodeConfig>,
    access: Arc<Access>,
    identity: Identity,
    operator: Arc<OperatorFile>,
    last: Option<Arc<State>>,
    good: Option<Rules>,
    /// The documents of the candidate, as they were read last.
    candidate: Option<Vec<Document>>,
}

/// Documents that were accepted together.
#[derive(Debug, Clone)]
struct Rules {
    documents: Vec<Document>,
    mesh: Mesh,
}

/// A state and what is wrong with the files it was made from.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) state: Arc<State>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) troubles: BTreeSet<Trouble>,
}

impl Loader {
    pub(crate) fn new(config: Arc<NodeConfig>, identity: Identity, operator: Arc<OperatorFile>) -> Self {
        let access = Arc::new(Access::of(&config));
        Self { config, access, identity, operator, last: None, good: None, candidate: None }
    }

    /// The operator's document on this node's disk.
    pub(crate) fn operator(&self) -> &Arc<OperatorFile> {
        &self.operator
    }

    /// Reads everything and gives the state that is to be served now.
    pub(crate) fn load(&mut self) -> Loaded {
        let mut report = Report::default();
        let products = self.load_products(&mut report);
        let tables: Vec<Table> = products.iter().flat_map(|product| tables_of(product)).collect();
        let state = match self.load_policy(&tables, &mut report) {
            Some(policy) => {
                let candidate = self.load_candidate(&tables);
                self.assemble(products, policy, candidate, &mut report)
            }
            // Neither what is on disk now nor the last good documents fit these contracts.
            None => match &self.last {
                Some(last) if self.good.is_some() => last.clone(),
                Some(_) | None => self.assemble(products, self.deny_all(), None, &mut report),
            },
        };
        self.last = Some(state.clone());
        Loaded { state, problems: report.problems, troubles: report.troubles }
    }

    fn load_products(&self, report: &mut Report) -> Vec<Arc<Product>> {
        let config = &self.config;
        let contracts = contract::load_folder(
            &config.products,
            &config.domain,
            &config.environment,
            &config.contract_variables,
        );
        let broken = contracts.problems.iter().any(|problem| problem.severity == Severity::Error);
        report.add(contracts.problems, Trouble::Contracts);
        let mut products: Vec<Arc<Product>> = contracts.products.into_iter().map(Arc::new).collect();
        if let (true, Some(last)) = (broken, &self.last) {
            keep_missing(&mut products, &last.products);
        }
        products
    }

    fn load_policy(&mut self, tables: &[Table], report: &mut Report) -> Option<Policy> {
        match self.load_new_policy(tables, report) {
            Some((rules, policy)) => {
                self.good = Some(rules);
                Some(policy)
            }
            None => self.compile(self.good.as_ref()?, tables, &mut Report::default()).ok(),
        }
    }

    fn load_new_policy(&self, tables: &[Table], report: &mut Report) -> Option<(Rules, Policy)> {
        let rules = self.read_rules(report)?;
        match self.compile(&rules, tables, report) {
            Ok(policy) => Some((rules, policy)),
            Err(problems) => {
                report.add(problems, Trouble::Policies);
                None
            }
        }
    }

    fn compile(&self, rules: &Rules, tables: &[Table], report: &mut Report) -> Result<Policy, Vec<Problem>> {
        let domain = &self.identity.domain;
        let (policy, warnings) = DomainPolicy::load(domain, &rules.documents, &rules.mesh, tables)?;
        report.add(warnings, Trouble::Policies);
        Ok(Policy {
            policy: Arc::new(policy),
            documents: Some(rules.documents.clone()),
            zone: Some(rules.mesh.time_zone()),
        })
    }

    /// Reads the documents of the candidate. Whatever is wrong with them is a warning.
    pub(crate) fn read_candidate(&mut self) {
        let Some(shadow) = &self.config.shadow else { return };
        let read = read_documents(&shadow.policies).and_then(|documents| {
            let bytes: usize = documents.iter().map(|document| document.text.len()).sum();
            if bytes <= CANDIDATE_BYTES {
                return Ok(documents);
            }
            let message = format!("more than {CANDIDATE_BYTES} bytes of policies");
            Err(Problem::error(&shadow.policies.display().to_string(), 0, message))
        });
        self.candidate = read.inspect_err(unusable_candidate).ok();
    }

    /// The candidate under the operator's document in use.
    fn load_candidate(&self, tables: &[Table]) -> Option<Candidate> {
        let documents = self.candidate.clone()?;
        let mesh = &self.good.as_ref()?.mesh;
        let loaded = DomainPolicy::load(&self.identity.domain, &documents, mesh, tables);
        let (policy, _) = loaded.inspect_err(|problems| problems.iter().for_each(unusable_candidate)).ok()?;
        Some(Candidate { policy: Arc::new(policy), documents })
    }

    fn deny_all(&self) -> Policy {
        let policy = Arc::new(DomainPolicy::deny_all(&self.identity.domain));
        Policy { policy, documents: None, zone: None }
    }

    /// Both kinds are read, so that all problems are told.
    fn read_rules(&self, report: &mut Report) -> Option<Rules> {
        let documents = match read_documents(&self.config.policies) {
            Ok(documents) => Some(documents),
            Err(problem) => {
                report.add(vec![problem], Trouble::Policies);
                None
            }
        };
        let mesh = match self.operator.read() {
            Ok((document, warnings)) => {
                report.add(warnings, Trouble::OperatorDocument);
                Some(document.mesh().clone())
            }
            Err(problems) => {
                report.add(problems, Trouble::OperatorDocument);
                None
            }
        };
        Some(Rules { documents: documents?, mesh: mesh? })
    }

    fn assemble(
        &self,
        products: Vec<Arc<Product>>,
        policy: Policy,
        candidate: Option<Candidate>,
        report: &mut Report,
    ) -> Arc<State> {
        let tables = self.serve_tables(&products, report);
        let pseudonyms = self.pseudonyms(&policy.policy, report);
        let operator_version = policy.policy.operator_version();
        let descriptor = describe::descriptor(
            &self.identity,
            &products,
            policy.documents.as_deref(),
            candidate.as_ref().map(|candidate| candidate.documents.as_slice()),
            operator_version.as_bytes(),
        );
        Arc::new(State {
            domain: self.identity.domain.clone(),
            products,
            tables,
            policy: policy.policy,
            zone: policy.zone,
            pseudonyms: Arc::new(pseudonyms),
            descriptor: Arc::new(descriptor),
            candidate: candidate.map(|candidate| candidate.policy),
        })
    }

    fn pseudonyms(&self, policy: &DomainPolicy, report: &mut Report) -> Pseudonyms {
        let spaces = policy.pseudonym_spaces();
        let (pseudonyms, missing) = Pseudonyms::new(&self.identity.domain, spaces, &self.config.pseudonyms);
        for space in missing {
            tracing::error!(
                space,
                "node.yaml has no key for these pseudonyms: tables that need them cannot be read"
            );
            report.troubles.insert(Trouble::Pseudonyms);
        }
        pseudonyms
    }

    fn serve_tables(
        &self,
        products: &[Arc<Product>],
        report: &mut Report,
    ) -> BTreeMap<String, Arc<ServedTable>> {
        let mut tables = BTreeMap::new();
        for table in products.iter().flat_map(|product| &product.tables) {
            let source = match Source::new(table, &self.access) {
                Ok(source) => Some(source),
                Err(error) => {
                    tracing::error!(table = %table.table.name, %error, "the table has no usable source");
                    report.troubles.insert(Trouble::Sources);
                    None
                }
            };
            tables.insert(table.table.name.clone(), Arc::new(ServedTable::new(table, source)));
        }
        tables
    }
}

#[derive(Debug, Default)]
struct Report {
    problems: Vec<Problem>,
    troubles: BTreeSet<Trouble>,
}

impl Report {
    fn add(&mut self, problems: Vec<Problem>, trouble: Trouble) {
        if problems.iter().any(|problem| problem.severity == Severity::Error) {
            self.troubles.insert(trouble);
        }
        self.problems.extend(problems);
    }
}

/// A compiled policy and the documents it was compiled from.
#[derive(Debug)]
struct Policy {
    policy: Arc<DomainPolicy>,
    documents: Option<Vec<Document>>,
    zone: Option<Tz>,
}

/// A compiled candidate for the policy.
#[derive(Debug)]
struct Candidate {
    policy: Arc<DomainPolicy>,
    documents: Vec<Document>,
}

fn unusable_candidate(problem: &Problem) {
    tracing::warn!(%problem, "the candidate for the policies cannot be used, and nothing is compared");
}

fn tables_of(product: &Product) -> impl Iterator<Item = Table> + '_ {
    product.tables.iter().map(|table| table.table.as_ref().clone())
}

/// While some contract is broken, what was served before and is gone may be
/// what is broken: it stays, unless its id or one of its tables is there anew.
fn keep_missing(products: &mut Vec<Arc<Product>>, last: &[Arc<Product>]) {
    for product in last {
        let table_names = |product: &Product| -> BTreeSet<String> {
            product.tables.iter().map(|table| table.table.name.clone()).collect()
        };
        let names = table_names(product);
        let replaced =
            products.iter().any(|other| other.id == product.id || !names.is_disjoint(&table_names(other)));
        if !replaced {
            products.push(product.clone());
        }
    }
}

/// The owner's documents, by file name.
pub(crate) fn read_documents(folder: &Path) -> Result<Vec<Document>, Problem> {
    let files = yaml_files(folder).map_err(|error| unreadable(folder, &error))?;
    if files.len() > POLICY_FILES {
        let message = format!("more than {POLICY_FILES} policy files");
        return Err(Problem::error(&folder.display().to_string(), 0, message));
    }
    files.iter().map(|file| Ok(Document { name: file_name(file), text: read_document(file)? })).collect()
}

fn file_name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn read_document(file: &Path) -> Result<String, Problem> {
    bounded_file::read_text(file, DOCUMENT_BYTES).map_err(|error| unreadable(file, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::error(&path.display().to_string(), 0, format!("cannot be read: {error}"))
}

/// What is called `.yaml` or `.yml` directly in a folder, sorted by name. Also
/// what cannot be read, such as a link that leads nowhere: a restriction that
/// is left out silently opens.
pub(crate) fn yaml_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let yaml = path.extension().is_some_and(|extension| {
            extension.eq_ignore_ascii_case("yaml") || extension.eq_ignore_ascii_case("yml")
        });
        // Editors keep their half-written copies in hidden files.
        if yaml && !file_name(&path).starts_with('.') && !path.is_dir() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
