//! What `meshgate node` and `meshgate gateway` have in common: when they end,
//! and what they tell whoever started them.

use std::{io::Write, net::SocketAddr, path::PathBuf};

use clap::Args;
use meshgate_engine::reload::Reload;
use meshgate_policies::yaml::{Problem, Severity};
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};

use crate::{failure::Failure, format::counted};

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// The configuration file.
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    pub(crate) configuration: PathBuf,
    /// Check the configuration, then end without serving.
    #[arg(long)]
    pub(crate) check: bool,
    /// Print the addresses as one JSON line on standard output, and end when standard input closes.
    #[arg(long, hide = true)]
    pub(crate) supervised: bool,
}

/// The line that a supervised server prints once it listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) flight: SocketAddr,
    pub(crate) http: Option<SocketAddr>,
}

/// Looks up `${VAR}` references of configuration files.
#[expect(clippy::disallowed_methods, reason = "the binary is who reads the environment")]
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Every problem of a configuration at once, one a line.
pub(crate) fn configuration_failure(problems: &[Problem]) -> Failure {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let count = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    let problems = counted(count, "problem");
    Failure::Usage(format!("{problems} in the configuration\n{}", lines.join("\n")))
}

/// Tells the supervisor, if there is one, where the server listens.
pub(crate) fn announce(supervised: bool, report: Report) -> Result<(), Failure> {
    if !supervised {
        return Ok(());
    }
    let line = serde_json::to_string(&report).map_err(|error| Failure::Usage(error.to_string()))?;
    let mut target = std::io::stdout().lock();
    writeln!(target, "{line}").and_then(|()| target.flush()).map_err(|error| Failure::output(&error))
}

/// Completes when the server should end: SIGINT, SIGTERM, or the supervisor is gone.
pub(crate) async fn end(supervised: bool) -> Result<impl Future<Output = ()> + Send, Failure> {
    let failed = |error: std::io::Error| Failure::Usage(format!("cannot listen for signals: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = standard_input_closed(), if supervised => {}
        }
    })
}

/// SIGHUP has the server read its files at once, settled or not.
pub(crate) fn reload_on_hangup(reload: Reload) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::Usage(format!("cannot listen for signals: {error}"));
    let mut hangup = signal(SignalKind::hangup()).map_err(failed)?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            if reload.now().await {
                tracing::info!("SIGHUP: all files were read");
            } else {
                tracing::error!("SIGHUP: some files cannot be used, and what was in use for them stays");
            }
        }
    });
    Ok(())
}

/// A thread of its own waits, because a read from standard input cannot be
/// cancelled; it does not keep the process from ending.
async fn standard_input_closed() {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // An error means that nobody is there any more, as much as an end does.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        // Nobody waits if the server ended by a signal.
        let _ = sender.send(());
    });
    // The sender is dropped only after it has sent.
    let _ = receiver.await;
}
