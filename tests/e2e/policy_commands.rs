//! `meshgate policy`, as a domain's team uses it in its own repository.

use meshgate_tests::process::run;
use meshgate_tests::repository::Repository;

/// The report of the tests, which must end with this code.
fn test(repository: &Repository, code: i32, options: &[&str]) -> String {
    let output = repository.policy("test", options);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{printed}{}", text(&output.stderr));
    printed
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_example_passes_its_tests_without_a_server() {
    let repository = Repository::default();
    let report = test(&repository, 0, &["--min-coverage", "100"]);
    assert!(!report.contains("FAILED") && report.contains("(100 %)"), "{report}");
    assert!(report.contains("anna") && report.contains("reads orders"), "{report}");
}

/// Each allow of the example has a twin that fails when the policy opens or closes.
#[test]
fn a_policy_that_changes_fails_the_tests() {
    let fails = |from: &str, to: &str, expected: &[&str]| {
        let repository = Repository::default();
        repository.replace("policies/sales.yaml", from, to);
        let report = test(&repository, 1, &[]);
        assert!(expected.iter().all(|text| report.contains(text)), "{from}\n{report}");
    };
    fails("when: \"claim('employment') = 'staff'\"", "when: \"true\"", &["expected `no such table` and got"]);
    fails(
        "order_date < date_trunc('quarter', today())",
        "order_date < today()",
        &["rows that should not be there: 1003"],
    );
    fails("card: last(4)", "card: first(4)", &["and got", "1001,30.00,***"]);
    fails("[order_id, region, order_date, total]", "all", &["columns that should not be there: ", "card"]);
    fails("    purpose: fraud-investigation\n", "", &["felix", "expected `no such table` and got"]);
    fails(
        "in_lookup('visible_orders', order_id)",
        "true",
        &["rows that should not be there: 2 sofa, 3 chair"],
    );
}

#[test]
fn an_expectation_that_does_not_hold_says_what_came_out() {
    let fails = |from: &str, to: &str, expected: &[&str]| {
        let repository = Repository::default();
        repository.replace("tests/orders.test.yaml", from, to);
        let report = test(&repository, 1, &[]);
        assert!(expected.iter().all(|text| report.contains(text)), "{from}\n{report}");
    };
    fails(
        "rows: [1001, 1006]",
        "rows: [1001, 1002]",
        &["rows that are missing: 1002; that should not be there: 1006"],
    );
    fails("rows: [1004]", "rows: all", &["1 of 6 rows are visible"]);
    fails("1002,12.00,************0004", "1002,12.00,x", &["and got", "    1002,12.00,************0004"]);
    fails("customer_id\\n1\"", "customer_id\\n2\"", &["    customer_id\n", "    1\n"]);
    fails("expect: no such column", "expect: \"margin\\n1\"", &["refused: ", "margin"]);
    fails("total], rows: [1001", "total, card], rows: [1001", &["columns that are missing: card"]);
    // The day decides.
    fails("today: 2026-11-23", "today: 2027-02-01", &["rows that should not be there: 1003"]);
}

#[test]
fn rules_that_no_case_exercises_are_listed() {
    let repository = Repository::default();
    repository.replace(
        "tests/orders.test.yaml",
        "  - { as: rita, read: orders, expect: { rows: [1001, 1002, 1006] } }\n",
        "",
    );
    let grants = "grants:\n  - { id: nobody, to: { roles: [astronaut] }, tables: [orders], columns: all }\n";
    repository.replace("policies/sales.yaml", "grants:\n", grants);
    let report = test(&repository, 0, &[]);
    assert!(report.contains("7 of 8 rules are exercised (87 %)"), "{report}");
    assert!(
        report.contains("not exercised: nobody (") && report.contains("policies/sales.yaml:"),
        "{report}"
    );
    test(&repository, 0, &["--min-coverage", "87"]);
    let output = repository.policy("test", &["--min-coverage", "88"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("87 % of the rules are exercised, 88 % are asked for"));
}

#[test]
fn all_errors_are_told_at_once_with_a_mark_under_them() {
    let repository = Repository::default();
    repository.replace("tests/orders.test.yaml", "as: eve, read: orders", "as: eva, read: orders");
    repository.replace(
        "tests/lines.test.yaml",
        "as: [carl], read: order_lines",
        "as: [carl], read: order_line",
    );
    let report = test(&repository, 2, &[]);
    for expected in
        ["there is no persona `eva`; did you mean `eve`?", "`order_line`; did you mean `order_lines`?"]
    {
        assert!(report.contains(expected), "{report}");
    }
    let mark = "  - { as: eva, read: orders";
    let below = report.lines().skip_while(|line| !line.contains(mark)).nth(1).unwrap();
    let line = report.lines().find(|line| line.contains(mark)).unwrap();
    assert_eq!(below.find("^^^"), line.find("eva"), "{report}");

    // And those of policies, and of rows that are given.
    let repository = Repository::default();
    repository.replace("policies/sales.yaml", "claim_has('regions', region)", "claim_has('regions', regoin)");
    assert!(test(&repository, 2, &[]).contains("regoin"));
    let repository = Repository::default();
    repository.replace("tests/lines.test.yaml", "    3,paris,FR,2026-09-01", "    x,paris,FR,2026-09-01");
    let report = test(&repository, 2, &[]);
    assert!(report.contains("lines.test.yaml:4") && report.contains("order_id"), "{report}");
    let repository = Repository::default();
    repository.replace(
        "tests/lines.test.yaml",
        "    order_id,store_id,region,order_date",
        "    order_id,shop,region,order_date",
    );
    assert!(test(&repository, 2, &[]).contains("`orders` has no column `shop`"));
    let repository = Repository::default();
    repository.replace("tests/lines.test.yaml", "  orders: |", "  ordres: |");
    assert!(test(&repository, 2, &[]).contains("the domain has no table `ordres`; did you mean `orders`?"));
}

#[test]
fn reports_for_machines() {
    let repository = Repository::default();
    repository.replace("tests/orders.test.yaml", "rows: [1004]", "rows: [1005]");
    let json: serde_json::Value = serde_json::from_str(&test(&repository, 1, &["--format", "json"])).unwrap();
    let cases = json["cases"].as_array().unwrap();
    let failed: Vec<_> = cases.iter().filter(|case| case["passed"] == false).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!((failed[0]["as"].as_str(), failed[0]["line"].as_u64()), (Some("eve"), Some(14)));
    assert_eq!((&json["coverage"]["rules"], &json["coverage"]["percent"]), (&7.into(), &100.into()));
    let junit = test(&repository, 1, &["--format", "junit", "--min-coverage", "100"]);
    assert_eq!(junit.matches("<failure").count(), 1, "{junit}");
    assert_eq!(junit.matches("<testcase").count(), cases.len() + 1);

    repository.replace("tests/orders.test.yaml", "as: eve, read: orders", "as: eva, read: orders");
    let json: serde_json::Value = serde_json::from_str(&test(&repository, 2, &["--format", "json"])).unwrap();
    assert_eq!(json["problems"][0]["message"], "there is no persona `eva`");
    assert_eq!(test(&repository, 2, &["--format", "junit"]).matches("<failure").count(), 1);
}

#[test]
fn what_is_not_there_is_one_sentence() {
    let empty = tempfile::tempdir().unwrap();
    let folder = empty.path().to_str().unwrap();
    let output = run(&["policy", "test", folder]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("there is no node.yaml"), "{output:?}");
    let repository = Repository::default();
    std::fs::remove_dir_all(repository.path("tests")).unwrap();
    let output = repository.policy("test", &[]);
    assert_eq!((output.status.code(), text(&output.stderr).lines().count()), (Some(2), 1), "{output:?}");
    std::fs::remove_file(repository.path("mesh.lock.yaml")).unwrap();
    let output = repository.policy("test", &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stdout).contains("meshgate mesh pull"), "{output:?}");
}

#[test]
fn a_copy_that_is_old_or_of_another_mesh_is_a_warning() {
    let repository = Repository::default();
    let lock = std::fs::read_to_string(repository.path("mesh.lock.yaml")).unwrap();
    let report = |pulled: &str| {
        std::fs::write(repository.path("mesh.lock.yaml"), format!("{pulled}{lock}")).unwrap();
        test(&repository, 0, &[])
    };
    assert!(!report("").contains("warning"), "nothing is wrong");
    let old = report("# meshgate-pulled: 2025-01-31\n");
    assert!(old.contains("days old; take a new copy with `meshgate mesh pull"), "{old}");
    std::fs::write(repository.path("mesh.lock.yaml"), &lock).unwrap();
    std::fs::write(repository.path("mesh.yaml"), "mesh: other\ntimezone: UTC\n").unwrap();
    let other = test(&repository, 0, &[]);
    assert!(other.contains("the node here is a part of the mesh `other`; take a new copy"), "{other}");
}

/// The operator masks cards and so does the owner: it takes both to let one out.
#[test]
fn an_invariant_fails_as_soon_as_a_rule_could_show_the_value() {
    let repository = Repository::default();
    repository.replace("policies/sales.yaml", "    masks: { card: last(4) }\n", "");
    test(&repository, 0, &[]);
    let lock = std::fs::read_to_string(repository.path("mesh.lock.yaml")).unwrap();
    let (without, _) = lock.split_once("  - id: cards-masked").unwrap();
    std::fs::write(repository.path("mesh.lock.yaml"), without).unwrap();
    let report = test(&repository, 1, &[]);
    assert!(report.contains("`card` is in the clear in every row; rules: managers-own-stores"), "{report}");
}

#[test]
fn explain_names_the_rules_that_decide_and_why_others_do_not() {
    let repository = Repository::default();
    let explain = |options: &[&str]| {
        let output = repository.policy("explain", &[options, &["--today", "2026-11-23"]].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        text(&output.stdout)
    };
    let anna = explain(&["--as", "anna", "--table", "orders"]);
    for line in [
        "anna, sales.orders: 6 of 8 columns, 2 of 6 rows",
        "analysts-own-regions       owner     applies  gives some rows: claim_has('regions', region)",
        "Analysts work on the regions that they are responsible for.",
        "managers-own-stores        owner     -        is for others",
        "person-keys-pseudonymised  operator  applies  masks customer_id",
        "cards-masked               operator  applies  masks nothing that would be visible",
        "customer_id  masked: pseudonym(person)  shown by analysts-own-regions, masked by person-keys-pseudonymised",
        "margin       absent                     no grant that applies lists it",
    ] {
        assert!(anna.contains(line), "{line}\n{anna}");
    }
    let carl = explain(&["--as", "carl", "--table", "sales.orders"]);
    assert!(carl.contains("there is no such table") && carl.contains("`when` is not true"), "{carl}");
    let felix = explain(&["--as", "felix", "--table", "orders"]);
    assert!(felix.contains("is for the purpose fraud-investigation"), "{felix}");
    let statement = "select count(*) from sales.order_lines join sales.orders using (order_id)";
    let json: serde_json::Value =
        serde_json::from_str(&explain(&["--as", "rita", "--sql", statement, "--format", "json"])).unwrap();
    let tables: Vec<_> = json["tables"].as_array().unwrap().iter().map(|table| &table["table"]).collect();
    assert_eq!(tables, ["sales.order_lines", "sales.orders"]);
    for (options, code, expected) in [
        (["--as", "ana", "--table", "orders"], 2, "there is no persona `ana`; did you mean `anna`?"),
        (["--as", "anna", "--table", "order"], 2, "there is no table `order`; did you mean `orders`?"),
        (["--as", "otto", "--sql", "select * from sales.orders"], 1, "sales.orders"),
    ] {
        let output = repository.policy("explain", &options);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert!(text(&output.stderr).contains(expected), "{output:?}");
    }
}

#[test]
fn the_matrix_is_what_is_committed_until_a_policy_changes() {
    let repository = Repository::default();
    let file = repository.path("matrix.md");
    let file = file.to_str().unwrap();
    let matrix = |options: &[&str]| repository.policy("matrix", options);
    let committed = std::fs::read_to_string(file).unwrap();
    assert_eq!(text(&matrix(&["--today", "2026-11-23"]).stdout), committed);
    assert!(
        committed.contains("| anna | 2 of 6 | clear | masked: pseudonym(person) | clear |"),
        "{committed}"
    );
    assert!(committed.contains("| otto | - | - |"), "{committed}");
    assert_eq!(matrix(&["--check", file]).status.code(), Some(0));

    repository.replace("policies/sales.yaml", "[public, internal, confidential]", "[public, internal]");
    let output = matrix(&["--check", file]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains("| anna | 2 of 6 | clear | - |"), "{output:?}");
    assert_eq!(matrix(&["--out", file]).status.code(), Some(0));
    assert!(std::fs::read_to_string(file).unwrap().contains("| anna | 2 of 6 | clear | - |"));
    // Data that is not here is no reason not to say who sees which columns.
    std::fs::remove_file(repository.path("data/orders.csv")).unwrap();
    let without = text(&matrix(&["--today", "2026-11-23"]).stdout);
    assert!(
        without.contains("| anna | by rules | clear |") && without.contains("| felix-investigating | all |"),
        "{without}"
    );
}

/// What `policy diff` says of the example after `change`, against a copy of what there was before.
fn differences(change: impl Fn(&Repository)) -> Vec<String> {
    let (before, now) = (Repository::default(), Repository::default());
    change(&now);
    let folder = now.folder().to_str().unwrap().to_owned();
    let output =
        run(&["policy", "diff", before.folder().to_str().unwrap(), &folder, "--today", "2026-11-23"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text(&output.stdout).lines().map(words).collect()
}

#[test]
fn differences_are_told_by_their_effect_and_what_loosens_first() {
    let policy = |from: &'static str, to: &'static str| {
        differences(move |repository| repository.replace("policies/sales.yaml", from, to))
    };
    assert_eq!(policy("owner: sales-data", "owner: sales"), ["nobody sees more or less"]);
    assert_eq!(
        policy("[public, internal, confidential]", "[public, internal, restricted]"),
        [
            "LOOSER anna orders: gains card (masked: last(4)) on 2 rows",
            "LOOSER anna orders: gains margin (clear) on 2 rows",
            "tighter anna orders: loses customer_id (masked: pseudonym(person)) on 2 rows",
        ]
    );
    assert_eq!(
        policy("order_date < date_trunc('quarter', today())", "order_date < '2026-09-15'"),
        [
            "tighter anna order_lines: loses 1 row: 3 before, 2 now",
            "tighter anna orders: loses 1 row: 2 before, 1 now",
            "tighter rita order_lines: loses 1 row: 4 before, 3 now",
            "tighter rita orders: loses 1 row: 3 before, 2 now",
            "other eve orders: other rules, the same rows and cells of this data",
        ]
    );
    assert_eq!(
        policy("claim_has('regions', region)", "claim_has('regions', region) or region = 'AT'"),
        [
            "LOOSER anna order_lines: gains 1 row: 3 before, 4 now",
            "LOOSER anna orders: gains 1 row: 2 before, 3 now",
        ]
    );
    assert_eq!(
        policy("to: { roles: [sales-owner] }\n    tables", "to: { roles: [visitor] }\n    tables"),
        [
            "LOOSER otto order_lines: gains the table: 3 columns, 7 rows",
            "LOOSER otto orders: gains the table: 8 columns, 6 rows",
            "tighter sven order_lines: loses the table: 3 columns, 7 rows",
            "tighter sven orders: loses the table: 8 columns, 6 rows",
        ]
    );
    assert_eq!(
        policy("card: last(4)", "card: redact"),
        ["tighter rita orders: card is masked: redact, no longer masked: last(4)"]
    );
    assert_eq!(
        policy("claim_has('regions', region)", "claim_has('regions', region) or region = 'XX'"),
        ["other anna orders: other rules, the same rows and cells of this data"]
    );
    // Only where all rows are the persona's, and the column as it is.
    let disclosure = "\ndisclosures: [ { tables: [orders], columns: [order_id, card], join_keys: values, to_domains: [web] } ]\ngrants:\n";
    assert_eq!(
        policy("\ngrants:\n", disclosure),
        [
            "LOOSER felix-investigating orders: join keys of order_id for the domain web: values",
            "LOOSER sven orders: join keys of order_id for the domain web: values",
        ]
    );
}

#[test]
fn marks_that_a_column_loses_loosen() {
    let changes = differences(|repository| {
        repository.replace("products/orders.odcs.yaml", "        tags: [pci]\n", "");
    });
    assert_eq!(changes[0], "LOOSER contract orders: `card` loses the tag pci");
    // The operator's mask goes by the tag.
    assert!(
        changes.contains(&"LOOSER sven orders: card is clear, no longer masked: last(4)".to_owned()),
        "{changes:?}"
    );
    let changes = differences(|repository| {
        repository.replace("mesh.lock.yaml", "columns: { tags: [pci] }", "columns: { tags: [contact] }");
    });
    assert!(
        changes.contains(&"LOOSER sven orders: card is clear, no longer masked: last(4)".to_owned()),
        "{changes:?}"
    );
    assert!(changes.iter().all(|change| !change.contains("rita")), "the owner's own mask stays: {changes:?}");
}

#[test]
fn versions_are_folders_files_and_git_revisions() {
    let repository = Repository::default();
    let git = |arguments: &[&str]| repository.git(arguments);
    let diff = |before: &str, options: &[&str]| {
        let folder = repository.folder().to_str().unwrap();
        run(&[&["policy", "diff", before, folder, "--today", "2026-11-23"], options].concat())
    };
    let refused = |before: &str, expected: &str| {
        let output = diff(before, &[]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let errors = text(&output.stderr);
        assert!(errors.contains(expected) && errors.lines().count() == 1, "{errors}");
    };
    refused("HEAD", "is in no git repository");
    git(&["init", "-q"]);
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "first"]);
    refused("no-such-branch", "has no revision `no-such-branch`");

    let before = repository.folder().join("before.yaml");
    std::fs::copy(repository.path("policies/sales.yaml"), &before).unwrap();
    repository.replace(
        "policies/sales.yaml",
        "[public, internal, confidential]",
        "[public, internal, confidential, restricted]",
    );
    let expected = "LOOSER    anna  orders: gains margin (clear) on 2 rows";
    let output = diff("HEAD", &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(&output.stdout).contains(expected), "{output:?}");
    for (fail_on, code) in [("loosening", 1), ("change", 1)] {
        assert_eq!(diff("HEAD", &["--fail-on", fail_on]).status.code(), Some(code));
    }
    let json: serde_json::Value =
        serde_json::from_slice(&diff("HEAD", &["--format", "json"]).stdout).unwrap();
    assert_eq!(json["changes"][0]["direction"], "looser");
    // A policy file stands for the one of its name.
    let old = repository.folder().join("old");
    std::fs::create_dir(&old).unwrap();
    std::fs::rename(&before, old.join("sales.yaml")).unwrap();
    let output = diff(old.join("sales.yaml").to_str().unwrap(), &[]);
    assert!(text(&output.stdout).contains(expected), "{output:?}");

    // The way back tightens: nothing that a pipeline would stop.
    git(&["commit", "-q", "-a", "-m", "second"]);
    repository.replace(
        "policies/sales.yaml",
        "[public, internal, confidential, restricted]",
        "[public, internal, confidential]",
    );
    assert_eq!(diff("HEAD", &["--fail-on", "loosening"]).status.code(), Some(0));
    assert_eq!(diff("HEAD~1", &["--fail-on", "change"]).status.code(), Some(0));
}
