//! Makes `cargo test` build the binary, which the end-to-end tests run as real
//! processes: cargo builds a package's binaries only for tests of that package.
#![allow(clippy::expect_used, reason = "tests stop at the first thing that is not as it must be")]

use std::process::Command;

#[test]
fn the_binary_tells_its_version() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_meshgate")).arg("--version").output().expect("meshgate runs");
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        concat!("meshgate ", env!("CARGO_PKG_VERSION"))
    );
}
