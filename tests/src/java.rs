//! Programs in Java with the Flight SQL JDBC driver, unchanged. The driver comes
//! from Maven once and is kept beside the build.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::process::Running;

/// Group, artifact, version; its folder is named after it, so that a change makes a new one.
const DRIVER: [&str; 3] = ["org.apache.arrow", "flight-sql-jdbc-driver", "18.3.0"];

/// A driver that cannot start does not fail, it hangs.
const LONGEST: Duration = Duration::from_secs(120);

/// Runs the class `program` of `tests/java`, which must end well; gives what it printed.
pub fn output(program: &str, arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let create = |name: &str| std::fs::File::create(file(name)).expect("a file");
    let mut java = Running::spawn(
        Command::new("java")
            .args([
                "--add-opens=java.base/java.nio=ALL-UNNAMED",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
            ])
            .args(["-Xmx256m", "-cp"])
            .arg(class_path())
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(create("out"))
            .stderr(create("err")),
    );
    let started = Instant::now();
    let status = loop {
        if let Some(status) = java.ended() {
            break Some(status);
        }
        if started.elapsed() > LONGEST {
            break None;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let text = |name: &str| std::fs::read_to_string(file(name)).expect("what it printed");
    let well = status.is_some_and(|status| status.success());
    assert!(well, "{program}: {status:?}\n{}{}", text("out"), text("err"));
    text("out")
}

fn class_path() -> &'static str {
    static CLASS_PATH: OnceLock<String> = OnceLock::new();
    CLASS_PATH.get_or_init(|| {
        let driver = driver();
        let classes = beside_the_build("java-classes");
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("java");
        let sources =
            std::fs::read_dir(sources).expect("tests/java").map(|entry| entry.expect("a file").path());
        set_up(Command::new("javac").args(["-Xlint:all", "-Werror", "-d"]).arg(&classes).args(sources));
        format!("{}:{}", classes.display(), driver.display())
    })
}

/// The driver's jar. Its folder is complete or is made anew; one at a time.
pub fn driver() -> PathBuf {
    static ONCE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one = ONCE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let [group, artifact, version] = DRIVER;
    let folder = beside_the_build(&format!("{artifact}-{version}"));
    let jar = folder.join(format!("{artifact}-{version}.jar"));
    if !folder.join("complete").exists() {
        let _ = std::fs::remove_dir_all(&folder);
        set_up(
            Command::new("mvn")
                .args(["-q", "-B", "dependency:copy"])
                .arg(format!("-Dartifact={group}:{artifact}:{version}"))
                .arg(format!("-DoutputDirectory={}", folder.display())),
        );
        assert!(jar.exists(), "Maven ended well, and {} is not there", jar.display());
        std::fs::write(folder.join("complete"), "").expect("a mark");
    }
    jar
}

fn beside_the_build(name: &str) -> PathBuf {
    let mut target = std::env::current_exe().expect("this program");
    target.pop();
    target.pop();
    target.join(name)
}

fn set_up(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        status.success(),
        "{command:?} failed: the Java clients need a JDK (17 or newer) and Maven, and its registry once"
    );
}
