//! The binary `meshgate`: one command a module, and here their table of contents.

mod audit;
mod check;
mod demo;
mod dev;
mod failure;
mod format;
mod gateway;
mod init;
mod mesh;
mod node;
mod policy;
mod problems;
mod reload;
mod schema;
mod serve;
mod silences;
mod sql;
mod tour;

use std::{io::IsTerminal, process::ExitCode};

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use failure::Failure;

/// Federated SQL over a data mesh, with policy that holds at the source.
#[derive(Debug, Parser)]
#[command(name = "meshgate", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a mesh with three domains, data and people on this machine.
    Demo(demo::DemoArguments),
    /// Walk through what the demo shows, and check every line of it.
    Tour(tour::TourArguments),
    /// Ask a gateway.
    Sql(sql::SqlArguments),
    /// Serve a domain.
    Node(serve::ServeArguments),
    /// Serve all domains to SQL clients.
    Gateway(serve::ServeArguments),
    /// The operator's document: sign it, check it, take a copy of it.
    #[command(subcommand)]
    Mesh(mesh::MeshCommand),
    /// Make the first files of a domain or a data product.
    #[command(subcommand)]
    Init(init::InitCommand),
    /// Find everything that is wrong in the files of a domain or a mesh, without a server.
    Check(check::CheckArguments),
    /// Test, explain and compare the policies of a domain, without a server.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Audit logs of gateways and nodes: has anything been changed or taken away?
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Have a gateway and all nodes read their files at once.
    Reload(reload::ReloadArguments),
    /// Print the JSON schema of one of the YAML files.
    Schema(schema::SchemaArguments),
    /// Keys, certificates and tokens for development.
    #[command(subcommand)]
    Dev(dev::DevCommand),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Fails only if there is a provider already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    start_log(&arguments.command);
    match run(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::OutputClosed) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("meshgate: {failure}");
            failure.exit_code()
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Usage(format!("cannot start threads: {error}")))?;
    runtime.block_on(async {
        match command {
            Command::Demo(arguments) => Box::pin(demo::run(arguments)).await,
            Command::Tour(arguments) => Box::pin(tour::run(arguments)).await,
            Command::Sql(arguments) => Box::pin(sql::run(arguments)).await,
            Command::Node(arguments) => Box::pin(node::run(arguments)).await,
            Command::Gateway(arguments) => Box::pin(gateway::run(arguments)).await,
            Command::Mesh(command) => mesh::run(&command),
            Command::Init(command) => init::run(&command),
            Command::Check(arguments) => Box::pin(check::run(arguments)).await,
            Command::Policy(command) => Box::pin(policy::run(command)).await,
            Command::Audit(command) => audit::run(&command),
            Command::Reload(arguments) => Box::pin(reload::run(arguments)).await,
            Command::Schema(arguments) => schema::run(&arguments),
            Command::Dev(command) => dev::run(command),
        }
    })
}

/// To standard error, as `RUST_LOG` says; servers tell more by themselves than tools.
fn start_log(command: &Command) {
    let default = match command {
        Command::Node(_) | Command::Gateway(_) => "info",
        _ => "warn",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_commands_are_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn arguments_that_belong_together() {
        for line in [
            "meshgate demo --scale 3 --keep d --port 0",
            "meshgate sql --as anna -c select",
            "meshgate sql --as felix --purpose fraud-investigation -c select",
            "meshgate sql --as anna --demo d -f x.sql --format json",
            "meshgate sql --gateway grpc+tls://h:1 --ca c --token-file t",
            "meshgate node -c node.yaml --check",
            "meshgate gateway --config gateway.yaml",
            "meshgate init domain sales --out d",
            "meshgate init product orders --from data/*.parquet --domain d",
            "meshgate check",
            "meshgate check d --online --format junit",
            "meshgate policy test",
            "meshgate policy explain --as anna --table orders",
            "meshgate policy explain d --as anna --sql select --format json --today 2026-11-23",
            "meshgate policy diff HEAD",
            "meshgate policy diff ../before d --fail-on loosening --format json",
            "meshgate policy matrix --out matrix.md --today 2026-11-23",
            "meshgate policy diff HEAD --fail-on change --format junit",
            "meshgate policy matrix d --check matrix.md",
            "meshgate policy matrix --format json",
            "meshgate policy test d --test a.test.yaml --test b.test.yaml --format json --min-coverage 80",
            "meshgate audit verify audit/gateway.jsonl audit/node.jsonl",
            "meshgate audit verify a.jsonl --part",
            "meshgate audit shadow audit/gateway.jsonl audit/node.jsonl --format json",
            "meshgate reload --gateway grpc+tls://h:1 --ca c --token-file t",
            "meshgate schema node",
            "meshgate dev ca --out d --domain sales --domain web",
            "meshgate dev token --key k --sub anna --hours 1",
            "meshgate mesh sign mesh.yaml --key operator.key --version 7",
            "meshgate mesh check mesh.yaml --operator-key a.pub --operator-key b.pub",
            "meshgate mesh check mesh.yaml",
            "meshgate mesh pull ../mesh.yaml --operator-key a.pub --out mesh.lock.yaml",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
        for line in [
            "meshgate",
            "meshgate demo --scale 0",
            "meshgate demo --port 70000",
            "meshgate sql -c a -f b --as anna",
            "meshgate sql --gateway grpc+tls://h:1 -c a",
            "meshgate sql --as anna --gateway g --ca c --token-file t",
            "meshgate sql --demo d -c a",
            "meshgate node",
            "meshgate init domain",
            "meshgate init product orders",
            "meshgate check --format xml",
            "meshgate policy",
            "meshgate policy test --min-coverage 101",
            "meshgate policy explain --as anna",
            "meshgate policy explain --as anna --table a --sql b",
            "meshgate policy diff",
            "meshgate policy matrix --out a --check b",
            "meshgate policy matrix --format json --check b",
            "meshgate policy explain --as anna --table a --format junit",
            "meshgate schema contract",
            "meshgate dev token --key k",
            "meshgate mesh sign mesh.yaml",
            "meshgate mesh sign mesh.yaml --key k --version 0",
            "meshgate mesh pull mesh.yaml",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
