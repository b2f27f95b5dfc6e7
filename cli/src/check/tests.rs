use std::fs;

use clap::ValueEnum;
use meshgate_policies::yaml::Warning;

use super::*;

fn checked() -> Vec<Checked> {
    vec![
        Checked { file: "a/node.yaml".into(), problems: Vec::new() },
        Checked {
            file: "b/mesh.yaml".into(),
            problems: vec![
                Problem::error("b/mesh.yaml", 3, "`x` is <wrong> & \"bad\"").with_hint("write `y`"),
                Problem::warning(Warning::UnknownKey, "b/mesh.yaml", 0, "old\u{7}"),
            ],
        },
    ]
}

#[test]
fn reports() {
    assert_eq!(
        report::text(&checked()),
        "a/node.yaml: good\n\
         b/mesh.yaml:3: `x` is <wrong> & \"bad\"; write `y`\n\
         b/mesh.yaml: warning: old\u{7} [unknown-key]\n\
         b/mesh.yaml: 1 error, 1 warning\n"
    );
    let json: serde_json::Value = serde_json::from_str(&report::json(&checked()).unwrap()).unwrap();
    assert_eq!(json["checked"][0]["errors"], 0);
    assert_eq!(json["checked"][1]["problems"][0]["line"], 3);
    assert_eq!(json["checked"][1]["problems"][0]["hint"], "write `y`");
    assert_eq!(json["checked"][1]["problems"][1]["severity"], "warning");
    assert_eq!(json["checked"][1]["problems"][1]["warning"], "unknown-key");
    assert_eq!(json["checked"][1]["problems"][0]["warning"], serde_json::Value::Null);
    let junit = report::junit(&checked());
    assert!(junit.contains("tests=\"2\" failures=\"1\""), "{junit}");
    assert!(
        junit.contains(
            "<failure message=\"b/mesh.yaml:3: `x` is &lt;wrong&gt; &amp; &quot;bad&quot;; write `y`\">"
        ),
        "{junit}"
    );
    assert!(
        junit.contains("<system-out>b/mesh.yaml: warning: old\u{fffd} [unknown-key]</system-out>"),
        "{junit}"
    );
}

#[test]
fn what_is_checked_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    assert!(matches!(roots(folder.path()), Err(Failure::Usage(text)) if text.contains("neither node.yaml")));
    assert!(matches!(roots(&path("nothing")), Err(Failure::Usage(_))));
    for name in ["sales/node.yaml", "mesh/gateway.yaml", "mesh/mesh.yaml", "other/x.yaml"] {
        fs::create_dir_all(path(name).parent().unwrap()).unwrap();
        fs::write(path(name), "x: 1\n").unwrap();
    }
    assert_eq!(
        roots(folder.path()).unwrap(),
        [path("mesh/gateway.yaml"), path("mesh/mesh.yaml"), path("sales/node.yaml")]
    );
    assert_eq!(roots(&path("sales")).unwrap(), [path("sales/node.yaml")]);
}

#[tokio::test]
async fn all_problems_are_told_at_once_and_count() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("node.yaml"), "version: 2\ndomain: Sales\nzzz: 1\n").unwrap();
    fs::write(folder.path().join("mesh.yaml"), "mesh: m\ntimezone: UTC\n").unwrap();
    let problems = check_root(&folder.path().join("node.yaml"), false).await;
    assert!(problems.len() > 5, "{problems:?}");
    assert!(
        problems.iter().any(|problem| problem.line == 3 && problem.message.contains("`zzz`")),
        "{problems:?}"
    );
    assert_eq!(check_root(&folder.path().join("mesh.yaml"), false).await, []);
    let arguments = |format| CheckArguments { folder: folder.path().to_owned(), online: false, format };
    for format in Format::value_variants() {
        assert!(matches!(run(arguments(*format)).await, Err(Failure::Found(_))), "{format:?}");
    }
}

#[tokio::test]
async fn a_path_that_leaves_the_data_roots_is_found_without_the_data() {
    let folder = tempfile::tempdir().unwrap();
    for folder_of_files in ["sales/products", "sales/policies", "sales/data", "other"] {
        fs::create_dir_all(folder.path().join(folder_of_files)).unwrap();
    }
    let node = folder.path().join("sales/node.yaml");
    fs::write(&node, include_str!("../init/node.yaml").replace("DOMAIN", "sales")).unwrap();
    let found = async |path: &str| {
        let contract = format!(
            "apiVersion: v3.1.0\nkind: DataContract\nid: t\nname: t\nversion: 1.0.0\n\
             servers: [ {{ server: files, environment: dev, type: local, path: '{path}', format: csv }} ]\n\
             schema: [ {{ name: t, properties: [ {{ name: id, logicalType: integer }} ] }} ]\n"
        );
        fs::write(folder.path().join("sales/products/t.odcs.yaml"), contract).unwrap();
        let problems = check_root(&node, false).await;
        assert!(!problems.iter().any(|problem| problem.message.contains("environment")), "{problems:?}");
        problems.iter().any(|problem| problem.file == "sales.t" && problem.message.contains("leaves"))
    };
    assert!(found("../../other/").await);
    assert!(found("../../other/*.csv").await);
    assert!(found("/etc/").await);
    assert!(!found("../data/").await);
    assert!(!found("../data/not-there.csv").await);
    assert!(!found("/srv/not/on/this/machine/").await);
}

#[tokio::test]
async fn a_candidate_for_the_policies_is_checked_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let node = include_str!("../init/node.yaml").replace("DOMAIN", "sales");
    write("node.yaml", &format!("{node}shadow: {{ policies: ./next/ }}\n"));
    write("mesh.yaml", "mesh: m\ntimezone: UTC\nroles: { path: $.roles }\n");
    write("data/t.csv", "id,note\n1,a\n");
    write(
        "products/t.odcs.yaml",
        "apiVersion: v3.1.0\nkind: DataContract\nid: t\nname: t\nversion: 1.0.0\n\
         servers: [ { server: files, environment: dev, type: local, path: '../data/t.csv', format: csv } ]\n\
         schema: [ { name: t, properties: [ { name: id, logicalType: integer, classification: x } ] } ]\n",
    );
    let policies = |columns: &str| {
        format!(
            "domain: sales\nowner: a@b.example\ngrants:\n  - {{ id: g, why: W., to: {{ roles: [r] }}, tables: [t], columns: [{columns}] }}\n"
        )
    };
    write("policies/sales.yaml", &policies("id"));
    let of_candidate = async || {
        let problems = check_root(&folder.path().join("node.yaml"), false).await;
        let of_candidate = problems.into_iter().filter(|problem| problem.file.contains("/next/"));
        of_candidate.map(|problem| (problem.line, problem.message)).collect::<Vec<_>>()
    };
    assert_eq!(of_candidate().await, [], "there is none");
    write("next/sales.yaml", &policies("id"));
    assert_eq!(of_candidate().await, [], "it is good");
    write("next/sales.yaml", &policies("nowhere"));
    let found = of_candidate().await;
    assert!(matches!(&found[..], [(4, message)] if message.contains("nowhere")), "{found:?}");
}
