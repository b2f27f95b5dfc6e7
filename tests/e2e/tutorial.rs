//! docs/tutorial-policies.md is true: from an empty folder, every command as it
//! stands there, with what it prints.

use meshgate_tests::mesh::closed_port;
use meshgate_tests::page::{Shell, blocks};
use meshgate_tests::process::meshgate;

const PAGE: &str = include_str!("../../docs/tutorial-policies.md");

#[test]
fn the_tutorial_goes_from_a_first_grant_to_a_change_that_was_shadowed_and_reviewed() {
    let folder = tempfile::tempdir().unwrap();
    let programs = meshgate().parent().unwrap().display().to_string();
    let mut variables = vec![
        ("PATH", format!("{programs}:{}", std::env::var("PATH").unwrap())),
        ("GIT_CONFIG_GLOBAL", "/dev/null".to_owned()),
        ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
    ];
    for name in ["SALES", "GATEWAY", "GATEWAY_HTTP"] {
        variables.push((name, closed_port().to_string()));
    }
    let mut shell = Shell::start(folder.path(), &variables);
    let blocks = blocks(PAGE);
    assert!(blocks.iter().filter(|block| block.prints.is_some()).count() >= 14);
    blocks.iter().for_each(|block| shell.run(block));
    let log = std::process::Command::new("git")
        .args(["log", "--no-merges", "--topo-order", "--format=%s", "main"])
        .current_dir(folder.path().join("sales"))
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(log.stdout).unwrap().lines().collect::<Vec<_>>(),
        [
            "Analysts see margins, of past quarters",
            "The next policies are tried in the shadow",
            "Analysts and controllers see orders"
        ]
    );
}
