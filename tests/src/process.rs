//! The `meshgate` binary as real processes.

use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use crate::eventually;

/// The binary that the same build made.
pub fn meshgate() -> PathBuf {
    let mut path = std::env::current_exe().expect("this program");
    path.pop();
    path.pop();
    path.push("meshgate");
    assert!(
        path.exists(),
        "{} is missing: run all tests with `cargo test`, or `cargo build` first",
        path.display()
    );
    path
}

/// Runs `meshgate` to its end.
pub fn run(arguments: &[&str]) -> Output {
    Command::new(meshgate()).args(arguments).stdin(Stdio::null()).output().expect("meshgate runs")
}

/// A process that ends with the test.
pub struct Running {
    child: Child,
}

impl Running {
    pub fn spawn(command: &mut Command) -> Self {
        Self { child: command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")) }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The exit status if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child")
    }

    /// What Ctrl-C does to it; waits for its end.
    pub fn interrupt(&mut self) -> ExitStatus {
        signal(self.id(), "INT");
        eventually("the process ends after SIGINT", Duration::from_secs(20), || self.ended())
    }

    /// Asks it to end and waits for it.
    pub fn terminate(&mut self) -> ExitStatus {
        signal(self.id(), "TERM");
        eventually("the process ends after SIGTERM", Duration::from_secs(20), || self.ended())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Its own children end with it: they watch for that.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal by name.
pub fn signal(process: u32, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &process.to_string()]).status();
    assert!(status.expect("kill runs").success(), "kill -{name} {process}");
}

/// Is there such a process (that is no zombie)?
pub fn is_alive(process: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}
