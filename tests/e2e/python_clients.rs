//! pyarrow and ADBC, unchanged, against the demo.

use std::path::{Path, PathBuf};

use meshgate_tests::demo::Demo;
use meshgate_tests::python;

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(name)
}

#[test]
fn adbc_and_pyarrow_get_governed_results() {
    let parent = tempfile::tempdir().unwrap();
    let demo = Demo::start(&parent.path().join("demo"));
    let ca = demo.ca();
    for (name, last) in [("adbc_client.py", "adbc: 13 checks"), ("pyarrow_client.py", "pyarrow: 11 checks")] {
        let arguments = [
            demo.address(),
            ca.to_str().unwrap(),
            demo.token("marco"),
            demo.token("anna"),
            demo.token("otto"),
        ];
        let output = python::output(&script(name), &arguments);
        assert_eq!(output.lines().last(), Some(last), "{output}");
    }
}

#[test]
fn the_script_that_the_demo_prints_runs() {
    let parent = tempfile::tempdir().unwrap();
    let demo = Demo::start(&parent.path().join("demo"));
    let printed = meshgate_tests::process::run(&[
        "sql",
        "--python",
        "--as",
        "anna",
        "--demo",
        demo.directory.to_str().unwrap(),
    ]);
    assert!(printed.status.success(), "{printed:?}");
    let file = parent.path().join("five_lines.py");
    std::fs::write(&file, &printed.stdout).unwrap();
    let output = python::output(&file, &[]);
    assert!(output.contains("1001"), "{output}");
    // Embargoed: not hers to see.
    assert!(!output.contains("1003"), "{output}");
}
