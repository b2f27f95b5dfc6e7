//! Python in environments of their own, made once and kept beside the build.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The clients.
const PACKAGES: &[&str] = &["adbc-driver-flightsql==1.13.0", "pyarrow==26.0.1"];

/// Runs `script` with these arguments.
pub fn run(script: &Path, arguments: &[&str]) -> Output {
    Command::new(interpreter()).arg(script).args(arguments).output().expect("python runs")
}

/// Runs `script`, which must end well; gives what it printed.
pub fn output(script: &Path, arguments: &[&str]) -> String {
    let output = run(script, arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {text}{errors}", script.display());
    text
}

/// The environment's python, beside which lie its other programs.
pub fn interpreter() -> &'static Path {
    static INTERPRETER: OnceLock<PathBuf> = OnceLock::new();
    INTERPRETER.get_or_init(|| environment(PACKAGES))
}

/// The interpreter of an environment that holds `packages`. Its folder is
/// named after them, so that a change makes a new one. Call it once for each.
pub fn environment(packages: &[&str]) -> PathBuf {
    let mut target = std::env::current_exe().expect("this program");
    target.pop();
    target.pop();
    let name = packages.join("-").replace("==", "-").replace(['[', ']'], "_").replace(',', "_");
    let folder = target.join(format!("python-{name}"));
    let python = folder.join("bin/python");
    if !folder.join("complete").exists() {
        let _ = std::fs::remove_dir_all(&folder);
        set_up(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        set_up(
            Command::new(&python)
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                .args(packages),
        );
        std::fs::write(folder.join("complete"), "").expect("a mark");
    }
    python
}

fn set_up(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?} failed: the tests need python3 with venv, and PyPI once");
}
