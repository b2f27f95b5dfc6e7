//! `meshgate demo`: Larkfield, a mesh with three domains, on this machine.

pub(crate) mod data;
mod folder;
mod operator;
mod part;
mod ready;
mod servers;
pub(crate) mod state;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use chrono::{NaiveDate, Utc};
use chrono_tz::Europe::Berlin;
use clap::Args;
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};

use crate::{
    dev::{self, signing_key::SigningKey, token},
    failure::Failure,
    sql::{self, target::Target},
};
use folder::{DOMAINS, DemoFolder};
use servers::{Ended, Servers};
use state::{DemoState, GatewayState, NodeState};

/// Tokens of the demo outlive a long day.
const TOKEN_SECONDS: i64 = 24 * 3600;

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// How much data: 1 is a thousand orders, 1000 a million.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    scale: Option<u32>,
    /// Folder for the files, to be kept and used again. Without it they are gone at the end.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Port of the gateway; 0 takes any free one.
    #[arg(long, default_value_t = 31337)]
    port: u16,
    /// Print a Python script for the running demo, instead of starting one.
    #[arg(long)]
    python: bool,
}

/// A demo that runs until it is stopped.
pub(crate) struct Demo {
    pub(crate) state: DemoState,
    servers: Servers,
    is_remembered: bool,
    folder: DemoFolder,
    /// Signs mesh.yaml as long as the demo runs.
    _operator: JoinSet<()>,
    /// Taken away at the end.
    _temporary: Option<tempfile::TempDir>,
}

pub(crate) async fn run(arguments: DemoArguments) -> Result<(), Failure> {
    if arguments.python {
        return print_python(arguments.keep.as_deref());
    }
    let failed = |error: std::io::Error| Failure::Usage(format!("cannot listen for signals: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let start = Demo::start(arguments.keep.as_deref(), arguments.scale, arguments.port);
    let mut demo = tokio::select! {
        demo = start => demo?,
        // What has been started ends with its standard input.
        _ = interrupt.recv() => return Err(Failure::Cancelled),
        _ = terminate.recv() => return Err(Failure::Cancelled),
    };
    let mut outcome = sql::print(&demo.introduction());
    while outcome.is_ok() {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            ended = demo.servers.ended() => match ended {
                Ended::Gateway(words) => outcome = Err(Failure::Found(words)),
                Ended::Node(words) => eprintln!("{words}\nThe other domains go on."),
            },
        }
    }
    demo.stop().await;
    outcome
}

impl Demo {
    pub(crate) async fn start(keep: Option<&Path>, scale: Option<u32>, port: u16) -> Result<Self, Failure> {
        servers::check_port(port)?;
        let temporary = match keep {
            Some(_) => None,
            None => Some(temporary_folder()?),
        };
        let path = keep.or(temporary.as_ref().map(tempfile::TempDir::path)).unwrap_or(Path::new("."));
        let folder = DemoFolder::open(path, scale, today())?;
        state::remove(&folder.path);
        let tokens = sign_tokens(&folder)?;
        let signer = operator::sign_again(&folder)?;
        let servers = Servers::start(&folder, port).await?;
        let state = describe(&folder, &servers, tokens);
        let mut operator = JoinSet::new();
        operator.spawn(operator::keep_signed(operator::mesh_file(&folder), signer));
        let mut demo =
            Self { state, servers, is_remembered: false, folder, _operator: operator, _temporary: temporary };
        if let Err(failure) = state::write(&demo.state) {
            demo.stop().await;
            return Err(failure);
        }
        demo.is_remembered = state::remember(&demo.folder.path);
        Ok(demo)
    }

    /// What runs, what to do next, where the files are.
    fn introduction(&self) -> String {
        let program = program_name();
        let folder = self.folder.path.display();
        let demo = if self.is_remembered { String::new() } else { format!(" --demo {folder}") };
        let made = if self.folder.is_new { "made just now" } else { "as they were" };
        let mut text = format!(
            "Larkfield runs: gateway {}, and a node each for {}.\n\
             Next:  {program} sql --as anna{demo} -c 'select * from sales.orders where order_id <= 1008'\n\
             Files: {folder} ({made}; edit sales/policies/sales.yaml and ask again; Ctrl-C ends all of it)\n",
            self.state.gateway.uri,
            DOMAINS.join(", "),
        );
        if let Some(trouble) = &self.servers.trouble {
            text.push_str(trouble);
            text.push('\n');
        }
        text
    }

    pub(crate) async fn stop(self) {
        state::remove(&self.folder.path);
        if self.is_remembered {
            state::forget(&self.folder.path);
        }
        self.servers.stop().await;
    }
}

fn temporary_folder() -> Result<tempfile::TempDir, Failure> {
    tempfile::Builder::new()
        .prefix("meshgate-demo-")
        .tempdir()
        .map_err(|error| Failure::file("create a folder in", &std::env::temp_dir(), &error))
}

/// The mesh's day, as mesh.yaml has it.
pub(crate) fn today() -> NaiveDate {
    Utc::now().with_timezone(&Berlin).date_naive()
}

fn sign_tokens(folder: &DemoFolder) -> Result<BTreeMap<String, String>, Failure> {
    let path = folder.path.join("keys/issuer/issuer.key");
    let pem = std::fs::read_to_string(&path).map_err(|error| Failure::file("read", &path, &error))?;
    let key = SigningKey::from_pem(&pem)?;
    let now = Utc::now().timestamp();
    let mut tokens = BTreeMap::new();
    for (persona, claims) in folder::personas(&folder.mesh())? {
        let subject = claims.get("sub").and_then(|sub| sub.as_str()).unwrap_or(&persona);
        let terms = token::TokenTerms {
            issuer: dev::ISSUER,
            audience: dev::AUDIENCE,
            subject,
            now,
            seconds: TOKEN_SECONDS,
        };
        let token = token::sign(&key, &terms, &claims)?;
        tokens.insert(persona, token);
    }
    Ok(tokens)
}

fn describe(folder: &DemoFolder, servers: &Servers, tokens: BTreeMap<String, String>) -> DemoState {
    let gateway = &servers.gateway;
    let nodes = DOMAINS.iter().zip(&servers.nodes).map(|(domain, node)| NodeState {
        domain: (*domain).to_owned(),
        address: node.flight.to_string(),
        http: format!("http://{}", node.http),
        process: node.process,
        directory: folder.path.join(domain),
        log: node.log.clone(),
    });
    DemoState {
        directory: folder.path.clone(),
        process: std::process::id(),
        gateway: GatewayState {
            uri: format!("grpc+tls://localhost:{}", gateway.flight.port()),
            address: gateway.flight.to_string(),
            http: format!("http://{}", gateway.http),
            process: gateway.process,
            log: gateway.log.clone(),
        },
        ca: folder.mesh().join("tls/mesh-ca.crt"),
        nodes: nodes.collect(),
        tokens,
        made: folder.made.clone(),
    }
}

/// How to call this program from the current folder.
fn program_name() -> String {
    let called = std::env::args().next().unwrap_or_default();
    let program = match std::env::current_exe() {
        // A name without a folder was found by way of PATH, and will be again.
        Ok(path) if called.contains('/') => path,
        _ => return "meshgate".to_owned(),
    };
    let shorter =
        std::env::current_dir().ok().and_then(|folder| program.strip_prefix(folder).ok().map(Path::to_owned));
    shorter.unwrap_or(program).display().to_string()
}

fn print_python(keep: Option<&Path>) -> Result<(), Failure> {
    let state = match keep {
        Some(folder) => state::read(folder)?,
        None => state::read_last()?,
    };
    sql::print(&sql::python::script(&Target::of_demo(&state, "anna")?, sql::SAMPLE_STATEMENT))
}
