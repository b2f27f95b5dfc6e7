//! docs/cookbook.md is true: each recipe passes its own tests as it stands
//! there, and fails them without any one of its rules, and with everything open.

use std::collections::BTreeSet;
use std::path::Path;

use meshgate_tests::process::run;

const PAGE: &str = include_str!("../../docs/cookbook.md");
const POLICY: &str = "policies/sales.yaml";
const OPEN: &str =
    "domain: sales\ngrants:\n  - { id: open, to: { everyone: true }, tables: ['*'], columns: all }\n";

/// A file as a block of the page has it: its name is the first line.
type File = (&'static str, &'static str);

struct Recipe {
    title: &'static str,
    policy: &'static str,
    tests: Vec<File>,
}

fn files(text: &'static str) -> Vec<File> {
    let blocks = text.split("```yaml\n").skip(1).map(|block| block.split_once("```").expect("an end").0);
    let file = |block: &'static str| {
        let name = block.lines().next().and_then(|line| line.strip_prefix("# ")).expect("a name");
        (name, block)
    };
    blocks.map(file).collect()
}

/// What all recipes share, and the recipes.
fn page() -> (Vec<File>, Vec<Recipe>) {
    let mut sections = PAGE.split("\n## ");
    let shared = files(sections.next().expect("a beginning"));
    let mut recipes = Vec::new();
    for section in sections {
        let title = section.lines().next().expect("a title");
        let (policies, tests): (Vec<File>, Vec<File>) =
            files(section).into_iter().partition(|(name, _)| *name == POLICY);
        match policies.as_slice() {
            [] => assert!(tests.is_empty(), "{title}: tests without a policy"),
            [(_, policy)] => recipes.push(Recipe { title, policy, tests }),
            _ => panic!("{title}: two policies"),
        }
    }
    (shared, recipes)
}

/// The policy without one of its rules, for each of them.
fn without_one_rule(policy: &str) -> Vec<(String, String)> {
    let is_rule = |line: &str| line.starts_with("  - id: ");
    let rules: Vec<&str> = policy.lines().filter(|line| is_rule(line)).collect();
    assert_eq!(rules.len(), policy.matches("- id: ").count(), "{policy}");
    let without = |rule: &str| {
        let (mut left, mut is_left_out) = (Vec::new(), false);
        for line in policy.lines() {
            if is_rule(line) || !line.starts_with(' ') {
                is_left_out = line == rule;
            }
            if !is_left_out {
                left.push(line);
            }
        }
        // A list that has become empty goes with its last rule.
        let is_list = |line: &str| matches!(line, "grants:" | "restrictions:");
        let has_rules = |position: usize| {
            left[position + 1..].iter().take_while(|line| line.starts_with(' ')).any(|line| is_rule(line))
        };
        let lines = left.iter().enumerate().filter(|(position, line)| !is_list(line) || has_rules(*position));
        lines.map(|(_, line)| format!("{line}\n")).collect::<String>()
    };
    rules.iter().map(|rule| ((*rule).to_owned(), without(rule))).collect()
}

fn write(folder: &Path, (name, text): (&str, &str)) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A domain's folder as `meshgate init` makes it, with the files that all recipes share.
fn domain(shared: &[File]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["init", "domain", "sales", "--out", folder.path().join("sales").to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    let sales = folder.path().join("sales");
    std::fs::remove_file(sales.join("policies/policies.yaml")).unwrap();
    std::fs::remove_file(sales.join("mesh.yaml")).unwrap();
    let mut node = std::fs::read_to_string(sales.join("node.yaml")).unwrap();
    node.push_str("pseudonyms: { person: { keys: [{ id: a, key: \"${file:tls/person.key}\" }] } }\n");
    std::fs::write(sales.join("node.yaml"), node).unwrap();
    shared.iter().for_each(|file| write(&sales, *file));
    folder
}

#[test]
fn each_recipe_does_what_its_tests_say_and_every_rule_of_it_counts() {
    let (shared, recipes) = page();
    assert_eq!(recipes.len(), 20);
    let names: BTreeSet<&str> =
        recipes.iter().flat_map(|recipe| &recipe.tests).map(|(name, _)| *name).collect();
    assert_eq!(names.len(), recipes.iter().map(|recipe| recipe.tests.len()).sum::<usize>(), "names of tests");
    for Recipe { title, policy, tests } in &recipes {
        assert!(!tests.is_empty(), "{title}");
        let folder = domain(&shared);
        let sales = folder.path().join("sales");
        tests.iter().for_each(|file| write(&sales, *file));
        let test = |policy: &str| {
            write(&sales, (POLICY, policy));
            let output = run(&["policy", "test", sales.to_str().unwrap(), "--min-coverage", "100"]);
            let printed = String::from_utf8_lossy(&output.stdout).into_owned();
            (output.status.code(), printed + &String::from_utf8_lossy(&output.stderr))
        };
        let (code, printed) = test(policy);
        assert_eq!(code, Some(0), "{title}\n{printed}");
        assert!(!printed.contains("not exercised"), "{title}\n{printed}");
        assert_eq!(warnings(&sales), [""; 0], "{title}");
        for (rule, without) in without_one_rule(policy) {
            let (code, printed) = test(&without);
            assert!(code == Some(1) && printed.contains("FAILED"), "{title} without {rule}\n{printed}");
        }
        let (code, printed) = test(OPEN);
        assert!(code == Some(1) && printed.contains("FAILED"), "{title}, opened\n{printed}");
    }
}

/// What `meshgate check` says of a recipe that it should not: keys are not here, and days go by.
fn warnings(folder: &Path) -> Vec<String> {
    let output = run(&["check", folder.to_str().unwrap(), "--format", "json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{report}");
    let problems =
        report["checked"].as_array().unwrap().iter().flat_map(|file| file["problems"].as_array().unwrap());
    let others = problems
        .filter(|problem| problem["warning"] != "secret-not-here" && problem["warning"] != "grant-ends-soon");
    others.map(ToString::to_string).collect()
}
