//! One server of the demo: a child process of the same binary. It reports the
//! addresses it got on its standard output, and ends when its standard input
//! closes: that happens too when the demo itself is killed.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdin, Command},
    time::timeout,
};

use crate::{failure::Failure, serve::Report};

const START_TIME: Duration = Duration::from_secs(30);
const STOP_TIME: Duration = Duration::from_secs(15);
/// How much of a log the reason of a failure is looked for in.
const LOG_LINES: usize = 5;

/// How to start a part.
pub(crate) struct PartPlan {
    /// What people know it as: `the gateway`, `the node of sales`.
    pub(crate) name: String,
    /// Subcommand of the binary.
    pub(crate) command: &'static str,
    pub(crate) configuration: PathBuf,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) log: PathBuf,
}

/// A running server.
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) flight: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) process: u32,
    pub(crate) log: PathBuf,
    child: Child,
    lifeline: Option<ChildStdin>,
    is_reported: bool,
}

impl Part {
    /// Starts a server and waits until it listens.
    pub(crate) async fn start(program: &Path, plan: PartPlan) -> Result<Self, Failure> {
        let mut child = spawn(program, &plan)?;
        let process = child.id().unwrap_or_default();
        let lifeline = child.stdin.take();
        let report = match timeout(START_TIME, read_report(&mut child)).await {
            Ok(Some(report)) => report,
            Ok(None) => {
                let status = child.wait().await.ok();
                return Err(Failure::Usage(format!(
                    "{} did not start{}: {}",
                    plan.name,
                    exit_text(status),
                    last_words(&plan.log)
                )));
            }
            Err(_) => {
                return Err(Failure::Refused(format!(
                    "{} did not start within {} s; its log is {}",
                    plan.name,
                    START_TIME.as_secs(),
                    plan.log.display()
                )));
            }
        };
        let http = report.http.ok_or_else(|| {
            Failure::Usage(format!("{} needs `http` under `listen` in its configuration", plan.name))
        })?;
        Ok(Self {
            name: plan.name,
            flight: report.flight,
            http,
            process,
            log: plan.log,
            child,
            lifeline,
            is_reported: false,
        })
    }

    /// Why the server is not ready, as its log has it.
    pub(crate) fn complaint(&self) -> String {
        let error = last_error(&self.log).unwrap_or_else(|| "something is missing".to_owned());
        format!("{} is not ready: {error} (log: {})", self.name, self.log.display())
    }

    /// Waits until the process is gone, and says what happened.
    pub(crate) async fn ended(&mut self) -> String {
        let status = self.child.wait().await.ok();
        self.is_reported = true;
        let was_killed = status.is_some_and(|status| status.code().is_none());
        let reason = match was_killed {
            true => format!("its log is {}", self.log.display()),
            false => last_words(&self.log),
        };
        format!("{} ended{}: {reason}", self.name, exit_text(status))
    }

    /// Whether somebody was told that it ended.
    pub(crate) fn was_reported(&self) -> bool {
        self.is_reported
    }

    /// Asks the process to end, and makes it end if it does not.
    pub(crate) async fn stop(mut self) {
        drop(self.lifeline.take());
        if timeout(STOP_TIME, self.child.wait()).await.is_err() {
            tracing::warn!("{} did not end by itself and is killed", self.name);
            // Fails only if it has just ended.
            let _ = self.child.kill().await;
        }
    }
}

fn spawn(program: &Path, plan: &PartPlan) -> Result<Child, Failure> {
    if let Some(folder) = plan.log.parent() {
        fs::create_dir_all(folder).map_err(|error| Failure::file("create", folder, &error))?;
    }
    let log = fs::OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .open(&plan.log)
        .map_err(|error| Failure::file("write", &plan.log, &error))?;
    Command::new(program)
        .arg(plan.command)
        .arg("--config")
        .arg(&plan.configuration)
        .arg("--supervised")
        .envs(plan.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        // A group of its own: Ctrl-C reaches the demo alone, which ends its parts in order.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| Failure::file("start", program, &error))
}

/// `None` if the process ended, or wrote something else.
async fn read_report(child: &mut Child) -> Option<Report> {
    let mut lines = BufReader::new(child.stdout.take()?).lines();
    let line = lines.next_line().await.ok().flatten()?;
    serde_json::from_str(&line).ok()
}

fn exit_text(status: Option<ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status {
        Some(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!(" (exit code {code})"),
            (None, Some(signal)) => format!(" (killed by signal {signal})"),
            (None, None) => String::new(),
        },
        None => String::new(),
    }
}

/// The end of a log, where a server says why it ended.
fn last_words(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let start = lines.len().saturating_sub(LOG_LINES);
    match lines.get(start..) {
        Some(words) if !words.is_empty() => words.join("\n  ").replace("meshgate: ", ""),
        _ => format!("its log {} says nothing", log.display()),
    }
}

/// The last error in a log, without what stands before it.
fn last_error(log: &Path) -> Option<String> {
    let text = fs::read_to_string(log).ok()?;
    let line = text.lines().rfind(|line| line.contains(" ERROR "))?;
    let (_, error) = line.split_once(": ")?;
    Some(error.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(folder: &Path) -> PartPlan {
        PartPlan {
            name: "the node of sales".into(),
            command: "node",
            configuration: folder.join("node.yaml"),
            environment: vec![],
            log: folder.join("logs/node.log"),
        }
    }

    /// A stand-in for the binary.
    fn program(folder: &Path, script: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = folder.join("program");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[tokio::test]
    async fn a_part_reports_its_addresses_and_ends_with_its_lifeline() {
        let folder = tempfile::tempdir().unwrap();
        let script = r#"echo '{"flight":"127.0.0.1:1","http":"127.0.0.1:2"}'; cat > /dev/null"#;
        let part = Part::start(&program(folder.path(), script), plan(folder.path())).await.unwrap();
        assert_eq!((part.flight.port(), part.http.port()), (1, 2));
        assert!(!part.was_reported());
        timeout(Duration::from_secs(5), part.stop()).await.unwrap();
    }

    #[test]
    fn the_last_error_of_a_log_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        assert_eq!(last_error(&log), None);
        let first = "2026-11-23T16:48:15.1Z ERROR a::b: old.yaml:1: no";
        let second = "2026-11-23T16:48:16.1Z ERROR a::b: sales.yaml:60: a restriction does one thing";
        fs::write(&log, format!("{first}\n{second}\n2026-11-23T16:48:17.1Z  INFO a::b: fine\n")).unwrap();
        assert_eq!(last_error(&log).unwrap(), "sales.yaml:60: a restriction does one thing");
    }

    #[tokio::test]
    async fn a_part_that_dies_at_once_tells_why() {
        let folder = tempfile::tempdir().unwrap();
        let script = "echo 'node.yaml:3: unknown key' >&2; exit 2";
        let error = Part::start(&program(folder.path(), script), plan(folder.path())).await.err().unwrap();
        let text = error.to_string();
        assert!(text.contains("the node of sales did not start (exit code 2)"), "{text}");
        assert!(text.contains("node.yaml:3: unknown key"), "{text}");
    }
}
