//! `meshgate check` tells what is probably not meant, and is silent where
//! somebody has said why.

use meshgate_tests::process::run;
use meshgate_tests::repository::Repository;
use serde_json::Value;

const POLICIES: &str = "policies/sales.yaml";

/// Exit code, and the problems but for the key that no repository has.
fn check(repository: &Repository) -> (Option<i32>, Vec<Value>) {
    let output = run(&["check", repository.folder().to_str().unwrap(), "--format", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let files = report["checked"].as_array().unwrap().iter();
    let problems = files.flat_map(|file| file["problems"].as_array().unwrap().clone());
    (output.status.code(), problems.filter(|problem| problem["warning"] != "secret-not-here").collect())
}

fn matrix(repository: &Repository) -> String {
    let output = repository.policy("matrix", &["--today", "2026-11-23"]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Puts a line above the first one that begins with `above`.
fn insert(repository: &Repository, above: &str, line: &str) {
    repository.replace(POLICIES, above, &format!("{line}\n{above}"));
}

/// A day as YYYY-MM-DD.
fn in_days(days: u64) -> String {
    (chrono::Utc::now().date_naive() + chrono::Days::new(days)).to_string()
}

#[test]
fn each_warning_is_told_at_its_rule_and_can_be_silenced_with_a_reason() {
    assert_eq!(check(&Repository::default()), (Some(0), vec![]));
    let soon = format!("    to: {{ roles: [sales-owner] }}\n    until: {}\n", in_days(7));
    let later = soon.replace(&in_days(7), &in_days(30));
    for (warning, rule, file, from, to) in [
        (
            "foreign-key-without-rule",
            "lines-of-visible-orders",
            POLICIES,
            "    rows: \"in_lookup('visible_orders', order_id)\"\n",
            "",
        ),
        (
            "grant-to-everyone-with-rows",
            "named-entitlements",
            POLICIES,
            "to: { roles: [intern] }",
            "to: { everyone: true }",
        ),
        ("claim-nobody-sends", "managers-own-stores", "personas.yaml", ", org_path: /emea/dach", ""),
        ("grant-ends-soon", "owner", POLICIES, "    to: { roles: [sales-owner] }\n", soon.as_str()),
    ] {
        let repository = Repository::default();
        repository.replace(file, from, to);
        let (code, problems) = check(&repository);
        let [problem] = problems.as_slice() else { panic!("{warning}: {problems:?}") };
        assert_eq!((code, &problem["warning"]), (Some(0), &warning.into()));
        let line = problem["line"].as_u64().unwrap();
        let named = repository.read(POLICIES).lines().nth(line as usize - 1).unwrap().to_owned();
        assert_eq!(named, format!("  - id: {rule}"));
        assert!(
            problem["message"].as_str().unwrap().contains(rule) && problem["hint"].is_string(),
            "{problem}"
        );

        // The silence takes the warning away and nothing else.
        let before = matrix(&repository);
        insert(&repository, &named, &format!("  # meshgate-silence: {warning}: It is as it should be."));
        assert_eq!(check(&repository), (Some(0), vec![]), "{warning}");
        assert_eq!(matrix(&repository), before);
    }
    let repository = Repository::default();
    repository.replace(POLICIES, "    to: { roles: [sales-owner] }\n", &later);
    assert_eq!(check(&repository), (Some(0), vec![]));
}

#[test]
fn silences_that_say_nothing_or_too_much_are_errors() {
    let told = |comment: &str| {
        let repository = Repository::default();
        insert(&repository, "  - id: owner", comment);
        let (code, problems) = check(&repository);
        let [problem] = problems.as_slice() else { panic!("{comment}: {problems:?}") };
        assert_eq!((code, &problem["severity"]), (Some(1), &"error".into()));
        let line = problem["line"].as_u64().unwrap() as usize;
        assert_eq!(repository.read(POLICIES).lines().nth(line - 1).unwrap(), comment);
        // Servers and tests do not look at comments.
        assert_eq!(repository.policy("test", &[]).status.code(), Some(0));
        format!("{}; {}", problem["message"].as_str().unwrap(), problem["hint"].as_str().unwrap())
    };
    assert_eq!(
        told("  # meshgate-silence: grant-ends-soon: It ends with the project."),
        "there is no warning `grant-ends-soon` here that could be silenced; remove the comment; it stands directly above the line that the warning names"
    );
    assert_eq!(
        told("  # meshgate-silence: grant-ends-soon:"),
        "`grant-ends-soon` is silenced without a reason; write `# meshgate-silence: <name>: <reason>`"
    );
    assert_eq!(
        told("  # meshgate-silence: grant-end-soon: It ends with the project."),
        "there is no warning `grant-end-soon`; did you mean `grant-ends-soon`?"
    );
    let unknown = told("  # meshgate-silence: please");
    assert!(unknown.starts_with("there is no warning `please`; known: claim-nobody-sends, "), "{unknown}");
    assert_eq!(
        told("  # meshgate-silence"),
        "this silences nothing; write `# meshgate-silence: <name>: <reason>`"
    );
}

/// What is silenced is not an error, and an error cannot be silenced.
#[test]
fn a_silence_does_not_hide_errors_and_a_broken_file_makes_no_silence_stale() {
    let repository = Repository::default();
    insert(&repository, "  - id: owner", "  # meshgate-silence: nothing-selected: The table comes later.");
    repository.replace(POLICIES, "tables: [orders, order_lines]", "tables: [orders, order_lines, returns]");
    // The warning names the line of the list.
    let (code, problems) = check(&repository);
    assert_eq!(code, Some(1), "{problems:?}");
    let repository = Repository::default();
    repository.replace(
        POLICIES,
        "    tables: [orders, order_lines]",
        "    # meshgate-silence: nothing-selected: The table comes later.\n    tables: [orders, order_lines, returns]",
    );
    assert_eq!(check(&repository), (Some(0), vec![]));
    let printed = repository.policy("test", &[]).stdout;
    assert!(!String::from_utf8(printed).unwrap().contains("warning"), "it is silent there, too");
    repository.replace(POLICIES, "claim_has('regions', region)", "claim_has('regions', regoin)");
    let (code, problems) = check(&repository);
    assert_eq!((code, problems.len()), (Some(1), 1), "{problems:?}");
    assert!(problems[0]["message"].as_str().unwrap().contains("regoin"));
}

#[test]
fn a_copy_of_mesh_yaml_that_is_old_or_of_another_mesh_is_told_by_check_too() {
    let repository = Repository::default();
    let lock = repository.read("mesh.lock.yaml");
    repository.write("mesh.lock.yaml", &format!("# meshgate-pulled: 2025-01-31\n{lock}"));
    let (code, problems) = check(&repository);
    assert_eq!((code, &problems[0]["warning"]), (Some(0), &"lock-too-old".into()), "{problems:?}");
    assert!(problems[0]["hint"].as_str().unwrap().contains("meshgate mesh pull"));
    repository.write("mesh.lock.yaml", &lock);
    repository.write("mesh.yaml", &lock.replace("mesh: larkfield", "mesh: other"));
    let (_, problems) = check(&repository);
    assert_eq!(
        (problems.len(), &problems[0]["warning"]),
        (1, &"lock-of-another-mesh".into()),
        "{problems:?}"
    );
}

/// A report may stand in the log of a build server.
#[test]
fn a_secret_in_a_file_is_told_of_and_not_shown() {
    let repository = Repository::default();
    let node = repository.read("node.yaml");
    repository.write(
        "node.yaml",
        &format!(
            "{node}credentials: {{ lake: {{ access_key_id: a, secret_access_key: hush-hush, regoin: x }} }}\n"
        ),
    );
    for format in ["text", "json", "junit"] {
        let output = run(&["check", repository.folder().to_str().unwrap(), "--format", format]);
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{printed}");
        assert!(printed.contains("regoin") && !printed.contains("hush"), "{printed}");
    }
}
