//! The command line, as people use it.

use std::process::{Command, Stdio};

use meshgate_tests::demo::Demo;
use meshgate_tests::process::{Running, meshgate, run};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn sql_prints_results_and_the_policy_notice() {
    let parent = tempfile::tempdir().unwrap();
    let demo = Demo::start(&parent.path().join("demo"));
    let directory = demo.directory.to_str().unwrap();
    let sql = |persona: &str, statement: &str, format: &str| {
        run(&["sql", "--as", persona, "--demo", directory, "--format", format, "-c", statement])
    };

    let statement =
        "select order_id, total from sales.orders where order_id between 1001 and 1008 order by order_id";
    let output = sql("anna", statement, "csv");
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output.stdout).starts_with("order_id,total\n1001,"), "{output:?}");
    assert!(text(&output.stderr).contains("Policies applied: rows ("), "{output:?}");
    let json = sql("anna", statement, "json");
    assert!(text(&json.stdout).contains("1001"), "{json:?}");

    // Refused, and a mistake: one sentence each, with their exit codes.
    let output = sql("otto", statement, "table");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(text(&output.stdout), "");
    assert!(!text(&output.stderr).contains("panicked"), "{output:?}");
    let token = parent.path().join("token");
    std::fs::write(&token, demo.token("anna")).unwrap();
    let ca = demo.ca();
    let (ca, token) = (ca.to_str().unwrap(), token.to_str().unwrap());
    let nowhere = "grpc+tls://127.0.0.1:9";
    let output = run(&["sql", "--gateway", nowhere, "--ca", ca, "--token-file", token, "-c", "select 1"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");

    // From standard input.
    let mut child = Command::new(meshgate())
        .args(["sql", "--as", "anna", "--demo", directory, "--format", "csv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"select 1 as a;\nselect 2 as b;\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        text(&output.stdout).replace('\n', " ").split_whitespace().collect::<Vec<_>>(),
        ["a", "1", "b", "2"]
    );
}

#[test]
fn the_tour_holds_what_it_promises() {
    let parent = tempfile::tempdir().unwrap();
    let demo = Demo::start(&parent.path().join("demo"));
    let directory = demo.directory.to_str().unwrap();
    let output = run(&["tour", "--demo", directory]);
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    // Its edit is out of force when it ends, not only undone in the file.
    let orders = "select * from sales.orders where order_id = 1001";
    let output = run(&["sql", "--as", "anna", "--demo", directory, "--format", "csv", "-c", orders]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(
        text(&output.stdout).lines().next(),
        Some("order_id,customer_id,store_id,region,order_date,total")
    );
}

#[test]
fn ctrl_c_has_its_own_code_for_what_was_not_done() {
    let parent = tempfile::tempdir().unwrap();
    // A demo that serves has done what it was asked for.
    let mut demo = Demo::start(&parent.path().join("demo"));
    assert_eq!(demo.process.interrupt().code(), Some(0));
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (gateway, token) =
        (format!("grpc+tls://{}", silent.local_addr().unwrap()), parent.path().join("token"));
    std::fs::write(&token, demo.token("anna")).unwrap();
    let mut asking = Running::spawn(
        Command::new(meshgate())
            .args(["sql", "--gateway", &gateway, "-c", "select 1", "--ca"])
            .arg(demo.ca())
            .arg("--token-file")
            .arg(&token)
            .stdin(Stdio::null()),
    );
    // It waits for an answer now.
    let _connection = silent.accept().unwrap();
    assert_eq!(asking.interrupt().code(), Some(130));
}

#[test]
fn a_port_in_use_is_one_sentence_and_nothing_is_left() {
    let parent = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let directory = parent.path().join("demo");
    let output = run(&["demo", "--port", &port, "--keep", directory.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(text(&output.stderr).contains(&format!("port {port}")), "{output:?}");
    assert!(!directory.join("demo.json").exists());
}

#[test]
fn broken_configuration_names_file_line_and_remedy() {
    let parent = tempfile::tempdir().unwrap();
    for (command, file) in [("node", "node.yaml"), ("gateway", "gateway.yaml")] {
        let path = parent.path().join(file);
        std::fs::write(&path, "version: 1\nlisten: { flihgt: 127.0.0.1:0 }\n").unwrap();
        let output = run(&[command, "-c", path.to_str().unwrap(), "--check"]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let errors = text(&output.stderr);
        assert!(errors.contains(&format!("{file}:2")) && errors.contains("flight"), "{errors}");
    }
}
