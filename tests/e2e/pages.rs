//! Commands in the documentation: each is run by a test. Those of whole set-ups have tests of their
//! own; what is asked of a running demo is asked here.

use std::collections::BTreeSet;
use std::path::Path;

use meshgate_tests::demo::Demo;
use meshgate_tests::page::{Block, Shell, blocks};
use meshgate_tests::{java, process, python};

/// Pages that `own_mesh`, `own_data` and `tutorial` run from empty folders.
const SET_UPS: [&str; 3] = ["docs/own-data.md", "docs/own-mesh.md", "docs/tutorial-policies.md"];
/// Pages whose commands are for a running demo.
const OF_A_DEMO: [&str; 3] = ["README.md", "docs/commands.md", "docs/demo.md"];
/// Start the demo and the tests themselves.
const STARTS: [&str; 2] = ["cargo run -- demo ", "cargo test "];

/// The address that stands for a reader's own.
const EXAMPLE: &str = "gateway.example:31337";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn read(page: &str) -> String {
    std::fs::read_to_string(root().join(page)).unwrap()
}

#[test]
fn every_page_with_commands_is_run() {
    let files = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().file_name());
    let docs = files.map(|name| format!("docs/{}", name.into_string().unwrap()));
    let pages = docs.filter(|page| page.ends_with(".md")).chain(["README.md".to_owned()]);
    let with_commands: BTreeSet<String> = pages.filter(|page| !blocks(&read(page)).is_empty()).collect();
    let known: BTreeSet<String> = SET_UPS.iter().chain(&OF_A_DEMO).map(|page| (*page).to_owned()).collect();
    assert_eq!(with_commands, known);
}

#[test]
fn commands_for_a_running_demo_work_as_they_stand_there() {
    let parent = tempfile::tempdir().unwrap();
    let demo = Demo::start(&parent.path().join("demo"));
    let (address, folder) = (demo.address(), parent.path());
    std::fs::copy(demo.ca(), folder.join("mesh-ca.crt")).unwrap();
    std::fs::write(folder.join("token"), demo.token("anna")).unwrap();
    std::fs::write(folder.join("report.sql"), "select count(*) from sales.orders").unwrap();
    let programs = process::meshgate().parent().unwrap().display().to_string();
    let variables = [
        ("PATH", format!("{programs}:{}", std::env::var("PATH").unwrap())),
        ("XDG_STATE_HOME", folder.join("state").display().to_string()),
    ];
    let mut shell = Shell::start(folder, &variables);
    // The program is built already.
    shell.run(&block("cargo() { test \"$1 $2\" = 'run --' && shift 2 && meshgate \"$@\"; }"));
    let mut count = 0;
    for page in OF_A_DEMO {
        for block in blocks(&read(page)) {
            if STARTS.iter().all(|start| block.commands.contains(start)) {
                assert_eq!(block.commands.lines().count(), STARTS.len(), "{}", block.commands);
                continue;
            }
            shell.run(&Block { commands: block.commands.replace(EXAMPLE, address), ..block });
            count += 1;
        }
    }
    assert!(count >= OF_A_DEMO.len());
    assert!(std::fs::read_to_string(folder.join("report.csv")).unwrap().starts_with("count(*)\n"));
}

#[test]
fn the_python_and_the_url_of_the_page_about_clients_work() {
    let parent = tempfile::tempdir().unwrap();
    let demo = Demo::start(&parent.path().join("demo"));
    let page = read("docs/clients.md");
    let ca = demo.ca().display().to_string();
    let here = |text: &str| text.replace(EXAMPLE, demo.address());

    let script = here(fenced(&page, "python")).replace("mesh-ca.crt", &ca);
    let file = parent.path().join("client.py");
    std::fs::write(&file, format!("token = {:?}\n{script}", demo.token("anna"))).unwrap();
    let printed = python::output(&file, &[]);
    assert!(printed.contains("order_id: int64") && printed.contains("1001"), "{printed}");

    let url = here(fenced(&page, "text").trim()).replace("/path/mesh-ca.crt", &ca);
    let url = url.replace("eyJ..", demo.token("anna"));
    let printed =
        java::output("Query", &[&url, "", "", "select order_id from sales.orders where order_id = 1001"]);
    assert_eq!(printed.trim(), "order_id|BIGINT|1001");
}

fn block(commands: &str) -> Block {
    Block { line: 0, is_server: false, commands: commands.to_owned(), prints: None }
}

/// The first block of this language.
fn fenced<'p>(page: &'p str, language: &str) -> &'p str {
    let (_, rest) = page.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0
}
