use super::*;
use crate::policy::problems_of_a_test;

const CONTRACT: &str = "apiVersion: v3.1.0
kind: DataContract
id: orders
name: orders
version: 1.0.0
status: active
servers: [{ server: files, environment: dev, type: local, path: '../data/{model}.csv', format: csv }]
schema:
  - name: orders
    properties:
      - { name: order_id, logicalType: integer, primaryKey: true, primaryKeyPosition: 1, required: true, classification: internal }
      - { name: region, logicalType: string, classification: internal }
";

/// A domain with one table, one grant and one persona.
pub(in crate::policy) fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (file, text) in [
        (
            "node.yaml",
            "domain: sales\nenvironment: dev\nmesh: mesh.yaml\nproducts: products\npolicies: policies\ntls: ${file:not/here}\n",
        ),
        ("mesh.lock.yaml", "mesh: m\ntimezone: Europe/Berlin\nroles: { path: $.roles }\n"),
        ("products/orders.odcs.yaml", CONTRACT),
        (
            "policies/sales.yaml",
            "domain: sales\ngrants:\n  - { id: analysts, to: { roles: [analyst] }, tables: [orders], columns: all }\n",
        ),
        ("tests/personas.yaml", "personas:\n  anna: { sub: anna, roles: [analyst] }\n"),
    ] {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn problems(text: &str) -> Vec<String> {
    let told = |problem: Problem| {
        let hint = problem.hint.map(|hint| format!("; {hint}")).unwrap_or_default();
        format!("{}: {}{hint}", problem.line, problem.message)
    };
    problems_of_a_test(text).into_iter().map(told).collect()
}

fn problem(text: &str) -> String {
    let problems = problems(text);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.into_iter().next().unwrap()
}

/// The problem of a file with this one case.
fn of_case(case: &str) -> String {
    problem(&format!("cases:\n  - {case}\n"))
}

#[test]
fn what_is_right_has_no_problems() {
    for case in [
        "{ as: anna, read: orders, expect: { columns: [order_id], rows: [1] } }",
        "{ as: [anna], read: sales.orders, expect: no such table }",
        "{ as: everyone, read: orders, expect: { never_clear: [region] } }",
        "{ as: anna, read: orders, expect: { rows: all } }",
        "{ as: anna, read: orders, expect: { rows: [] } }",
        "{ as: anna, sql: select 1, expect: no such column }",
        "{ as: anna, sql: select 1 as a, expect: { columns: [a] } }",
        "{ as: anna, sql: select 1 as a, expect: \"a\\n1\" }",
    ] {
        let text = format!("personas: [personas.yaml]\ntoday: 2026-11-23\ncases:\n  - {case}\n");
        assert_eq!(problems(&text), Vec::<String>::new(), "{case}");
    }
}

#[test]
fn unknown_names_are_errors_with_what_was_meant() {
    let read = |rest: &str| of_case(&format!("{{ as: anna, read: orders, {rest} }}"));
    assert_eq!(
        of_case("{ as: ana, read: orders, expect: no such table }"),
        "2: there is no persona `ana`; did you mean `anna`?"
    );
    assert_eq!(
        of_case("{ as: anna, read: order, expect: no such table }"),
        "2: the domain has no table `order`; did you mean `orders`?"
    );
    assert_eq!(
        read("expect: { columns: [regoin] }"),
        "2: the contract of `orders` has no column `regoin`; did you mean `region`?"
    );
    assert_eq!(
        read("expect: { never_clear: [crad] }"),
        "2: the contract of `orders` has no column `crad`; known: order_id, region"
    );
    assert_eq!(
        read("expect: { rwos: [1], columns: [region] }"),
        "2: unknown key `rwos`; did you mean `rows`?"
    );
    let none =
        problems("personas: [no.yaml]\ncases:\n  - { as: anna, read: orders, expect: no such table }\n");
    assert!(none[0].contains("there is no persona `anna`") && none[1].contains("cannot be read"), "{none:?}");
}

#[test]
fn what_would_pass_whatever_comes_out_is_an_error() {
    let passes = |text: &str, why: &str| {
        let problem = problem(text);
        assert!(problem.contains(why), "{text}\n{problem}");
    };
    passes("cases: []\n", "`cases` is empty");
    passes("today: 2026-11-23\n", "`cases` is missing");
    passes("cases:\n  - { as: anna, read: orders }\n", "there is no `expect`");
    for nothing in ["", "''", "{}", "{ never_clear: [] }", "[1]"] {
        let text = format!("cases:\n  - {{ as: anna, read: orders, expect: {nothing} }}\n");
        assert!(!problems(&text).is_empty(), "{nothing}");
    }
    passes("cases:\n  - { as: [], read: orders, expect: no such table }\n", "`as` is empty");
    let empty = problems("personas: []\ncases:\n  - { as: everyone, read: orders, expect: no such table }\n");
    assert!(empty[1].contains("there are no personas"), "{empty:?}");
}

#[test]
fn questions_and_expectations_must_fit_each_other() {
    let fits = |case: &str, why: &str| {
        let problem = of_case(case);
        assert!(problem.contains(why), "{case}\n{problem}");
    };
    fits("{ as: anna, expect: no such table }", "asks exactly one thing");
    fits("{ as: anna, read: orders, sql: select 1, expect: no such table }", "asks exactly one thing");
    fits("{ as: anna, read: orders, expect: no such column }", "goes with `sql` only");
    fits("{ as: anna, sql: select 1, expect: { rows: [1] } }", "`rows` goes with `read` only");
    fits("{ as: anna, sql: select 1, expect: { never_clear: [a] } }", "`never_clear` goes with `read` only");
    fits("{ as: anna, read: orders, expect: { rows: 1 } }", "`rows` does not say which");
    fits("{ as: anna, read: orders, expect: { rows: [[1, 2]] } }", "no key of 1 columns");
    assert!(
        problem("today: soon\ncases:\n  - { as: anna, read: orders, expect: no such table }\n")
            .contains("not a day")
    );
    let given = "given: { orders: [1] }\ncases:\n  - { as: anna, read: orders, expect: no such table }\n";
    assert!(problem(given).contains("given rows are a text"));
}

#[test]
fn a_purpose_that_the_token_does_not_name_is_an_error() {
    let folder = repository();
    std::fs::write(
        folder.path().join("personas.yaml"),
        "personas:\n  eve: { sub: eve, purpose: fraud }\n  anna: { sub: anna }\n",
    )
    .unwrap();
    let workspace = Workspace::open(folder.path()).unwrap().unwrap();
    let mut problems = Vec::new();
    let callers = personas::of_repository(&workspace.folder, workspace.domain.mesh(), &mut problems);
    assert_eq!(callers.len(), 1);
    let texts: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(texts[0], "`eve` cannot work for the purpose `fraud`");
    assert!(texts[1].starts_with("the persona `anna` is there twice, first in"), "{texts:?}");
}
