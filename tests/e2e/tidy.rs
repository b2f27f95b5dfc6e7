//! The structure: which crate may use which, and no test file forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Who may use whom directly. Whatever is not listed is forbidden.
const ARROWS: &[(&str, &[&str])] = &[
    ("meshgate-proto", &[]),
    ("meshgate-policies", &[]),
    ("meshgate-engine", &["meshgate-policies", "meshgate-proto"]),
    ("meshgate-domain-node", &["meshgate-engine", "meshgate-policies", "meshgate-proto"]),
    ("meshgate-gateway", &["meshgate-engine", "meshgate-policies", "meshgate-proto"]),
    (
        "meshgate",
        &[
            "meshgate-domain-node",
            "meshgate-engine",
            "meshgate-gateway",
            "meshgate-policies",
            "meshgate-proto",
        ],
    ),
    // The oracle of the tests shares nothing with what it judges.
    ("meshgate-oracle", &[]),
    (
        "meshgate-tests",
        &[
            "meshgate-domain-node",
            "meshgate-engine",
            "meshgate-gateway",
            "meshgate-oracle",
            "meshgate-policies",
            "meshgate-proto",
        ],
    ),
];

/// What `policies` must not use: it has no I/O, no runtime, no engine.
const NOT_IN_POLICIES: &[&str] = &["arrow", "datafusion", "object_store", "tokio", "tonic"];

#[test]
fn crates_use_only_what_lies_left_of_them() {
    let packages = packages();
    let ours: BTreeSet<&str> = packages.keys().map(String::as_str).collect();
    let listed: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(ours, listed, "a crate is not in the table of arrows");
    for (name, allowed) in ARROWS {
        let used = packages[*name].iter().filter(|used| ours.contains(used.as_str()));
        for used in used {
            assert!(allowed.contains(&used.as_str()), "{name} must not use {used}");
        }
    }
}

#[test]
fn policies_are_pure() {
    let packages = packages();
    let used: Vec<_> =
        NOT_IN_POLICIES.iter().filter(|name| packages["meshgate-policies"].contains(**name)).collect();
    assert!(used.is_empty(), "policies uses {used:?}");
}

#[test]
fn every_test_file_is_in_the_binary() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e");
    let main = std::fs::read_to_string(folder.join("main.rs")).unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.trim_end_matches(".rs");
        let is_there = module == "main" || main.contains(&format!("mod {module};"));
        assert!(is_there || !name.ends_with(".rs"), "{name} is not in main.rs");
    }
}

/// A link into the documentation leads somewhere.
#[test]
fn links_between_pages_lead_to_what_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut pages = vec![root.join("README.md"), root.join("ARCHITECTURE.md"), root.join("CHANGELOG.md")];
    pages.extend(std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path()));
    let (mut broken, mut anchors) = (Vec::new(), 0);
    for page in pages.iter().filter(|page| page.extension().is_some_and(|extension| extension == "md")) {
        let text = std::fs::read_to_string(page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            if link.contains("://") || link.contains(char::is_whitespace) {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            anchors += usize::from(!anchor.is_empty());
            let is_there = match anchor {
                "" => target.exists(),
                _ => std::fs::read_to_string(&target).is_ok_and(|text| headings(&text).contains(anchor)),
            };
            if !is_there {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(anchors >= 5, "links to headings are found");
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The anchors that the headings of a page have: lower case, hyphens for spaces, no punctuation.
fn headings(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| -> String {
        let kept = heading.trim_start_matches('#').trim().chars();
        let kept = kept.filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        kept.map(|letter| if letter == ' ' { '-' } else { letter.to_ascii_lowercase() }).collect()
    };
    headings.map(anchor).collect()
}

/// Our crates, each with the names of all its direct dependencies.
fn packages() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let name = |value: &Value| value["name"].as_str().expect("a name").to_owned();
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| {
            let used = package["dependencies"].as_array().expect("dependencies").iter().map(name).collect();
            (name(package), used)
        })
        .collect()
}
