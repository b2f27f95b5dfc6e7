//! The example of a domain's repository: its hook and its workflow let a good
//! change through, and stop one that fails a test or shows somebody more.

use std::process::Output;

use meshgate_policies::yaml;
use meshgate_tests::repository::Repository;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A repository with a first commit, made through the hook.
fn committed(folder: &str) -> Repository {
    let repository = Repository::below(folder);
    repository.git(&["init", "-q", "-b", "main"]);
    let hooks = if folder.is_empty() { "hooks".to_owned() } else { format!("{folder}/hooks") };
    repository.git(&["config", "core.hooksPath", &hooks]);
    let output = commit(&repository, &[]);
    assert!(output.status.success(), "{output:?}");
    repository
}

fn commit(repository: &Repository, variables: &[(&str, &str)]) -> Output {
    repository.git(&["add", "-A"]);
    repository.try_git(&["commit", "-q", "-m", "change"], variables)
}

/// Analysts see margins, and everything in the repository says so.
fn loosen(repository: &Repository) {
    repository.replace(
        "policies/sales.yaml",
        "[public, internal, confidential]",
        "[public, internal, confidential, restricted]",
    );
    repository.replace(
        "tests/orders.test.yaml",
        "order_date, total], rows: [1001, 1006]",
        "order_date, total, margin, card], rows: [1001, 1006]",
    );
    let matrix = repository.path("matrix.md");
    let output = repository.policy("matrix", &["--today", "2026-11-23", "--out", matrix.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
}

fn tighten(repository: &Repository) {
    repository.replace("policies/sales.yaml", "masks: { card: last(4) }", "masks: { card: redact }");
    let tests = repository.read("tests/orders.test.yaml");
    let masked = tests.replace("************1111", "***").replace("************0004", "***");
    repository.write("tests/orders.test.yaml", &masked);
    let matrix = repository.path("matrix.md");
    let output = repository.policy("matrix", &["--today", "2026-11-23", "--out", matrix.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
}

fn fail_a_test(repository: &Repository) {
    repository.replace("tests/orders.test.yaml", "rows: [1004]", "rows: [1005]");
}

#[test]
fn the_hook_stops_what_fails_and_what_loosens() {
    for folder in ["", "domains/sales"] {
        let repository = committed(folder);
        let head = || repository.git(&["rev-parse", "HEAD"]);
        tighten(&repository);
        let before = head();
        let output = commit(&repository, &[]);
        assert!(output.status.success(), "{output:?}");
        assert_ne!(head(), before);

        let before = head();
        let stopped = |why: &str| {
            let output = commit(&repository, &[]);
            let printed = text(&output.stdout) + &text(&output.stderr);
            assert!(!output.status.success() && printed.contains(why), "{printed}");
            assert_eq!(head(), before);
        };
        fail_a_test(&repository);
        stopped("1 case fails");
        repository.git(&["reset", "-q", "--hard"]);
        repository.replace("matrix.md", "| otto | - |", "| otto | 1 of 6 |");
        stopped("this is not what the policies say any more");
        repository.git(&["reset", "-q", "--hard"]);
        repository.replace("policies/sales.yaml", "domain: sales", "domain: sale");
        stopped("this is the domain `sales`, not `sale`");
        repository.git(&["reset", "-q", "--hard"]);
        loosen(&repository);
        stopped("LOOSER    anna  orders: gains margin (clear) on 2 rows");
        // Somebody who means it says so.
        let output = commit(&repository, &[("LOOSENING", "meant")]);
        assert!(output.status.success(), "{output:?}");
        assert_ne!(head(), before);
    }
}

/// The steps of the workflow: names and command lines.
fn steps(repository: &Repository) -> Vec<(String, String)> {
    let file = ".github/workflows/policies.yaml";
    let root = yaml::parse(file, &repository.read(file)).unwrap();
    let jobs = root.get("jobs").and_then(yaml::Node::as_mapping).unwrap();
    let steps = jobs.iter().flat_map(|job| job.value.get("steps").unwrap().as_sequence().unwrap());
    let of = |step: &yaml::Node, key: &str| step.get(key).and_then(yaml::Node::as_scalar).map(str::to_owned);
    steps.filter_map(|step| Some((of(step, "name")?, of(step, "run")?))).collect()
}

/// The names of the steps that fail, each run as a build server runs it.
fn failing(repository: &Repository) -> Vec<String> {
    let steps = steps(repository);
    assert_eq!(steps.len(), 4, "{steps:?}");
    let fails = |line: &str| !repository.shell(line, &[]).status.success();
    steps.into_iter().filter(|(_, line)| fails(line)).map(|(name, _)| name).collect()
}

#[test]
fn the_workflow_stops_what_fails_and_what_loosens() {
    let repository = committed("");
    // What a checkout of a pull request has.
    repository.git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    assert_eq!(failing(&repository), [""; 0]);
    tighten(&repository);
    assert_eq!(failing(&repository), [""; 0]);
    for report in ["check.junit.xml", "policies.junit.xml", "diff.junit.xml"] {
        let report = repository.read(report);
        assert!(report.starts_with("<?xml") && !report.contains("<failure"), "{report}");
    }
    assert!(repository.read("diff.junit.xml").contains("<system-out>tighter orders: card is masked: redact"));
    repository.git(&["checkout", "-q", "."]);
    fail_a_test(&repository);
    assert_eq!(failing(&repository), ["Tests, with every rule exercised"]);
    assert_eq!(repository.read("policies.junit.xml").matches("<failure").count(), 1);
    repository.git(&["checkout", "-q", "."]);
    loosen(&repository);
    assert_eq!(failing(&repository), ["Nobody sees more than on the main branch"]);
    assert!(repository.read("diff.junit.xml").contains("<failure message=\"LOOSER orders: gains"));
    repository.git(&["checkout", "-q", "."]);
    repository.replace("products/orders.odcs.yaml", "kind: DataContract", "kind: Contract");
    assert!(failing(&repository).contains(&"Nothing is wrong in the files".to_owned()));
}
