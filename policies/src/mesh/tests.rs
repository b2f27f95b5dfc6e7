use serde_json::json;

use super::*;
use crate::ClaimValue;

const MESH: &str = r#"
mesh: larkfield
timezone: Europe/Berlin
version: 3
roles:
  - { path: $.realm_access.roles }
  - { issuer: "https://partners.example", path: "$['https://partners.example/roles']" }
groups: { path: $.groups }
pseudonyms: { person: { scope: mesh } }
claims:
  regions:    { path: $.regions, type: list<string> }
  stores:     { path: $.stores, type: list<integer> }
  org_path:   { path: $.org.path, type: string }
  employment: { path: $.employment, type: string, values: [staff, contractor] }
  level:      { path: $.level, type: integer }
  external:   { path: $.external, type: boolean }
  since:      { path: $.since, type: date }
classifications: [public, internal]
tags: { pii: Identifies a person directly. }
purposes: { fraud-investigation: { title: Investigation, approver: dpo@larkfield.example } }
restrictions:
  - { id: unclassified-hidden, columns: { unclassified: true }, hide: true }
"#;

fn mesh() -> Mesh {
    Mesh::load("mesh.yaml", MESH).unwrap().0
}

fn principal(token: serde_json::Value) -> Principal {
    mesh().principal("https://login.example", "anna", token.as_object().unwrap())
}

fn problems(text: &str) -> Vec<String> {
    Mesh::load("mesh.yaml", text).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn everything_is_read() {
    let mesh = mesh();
    assert_eq!(mesh.name(), "larkfield");
    assert_eq!(mesh.time_zone(), chrono_tz::Europe::Berlin);
    assert_eq!(mesh.purposes(), ["fraud-investigation"]);
    assert_eq!(mesh.restrictions.len(), 1);
    assert_eq!(mesh.version(), self::mesh().version());
    let other = Mesh::load("mesh.yaml", &MESH.replace("version: 3", "version: 4")).unwrap().0;
    assert_ne!(mesh.version(), other.version());
}

#[test]
fn claims_of_the_declared_shape_are_present() {
    let principal = principal(json!({
        "realm_access": { "roles": ["analyst", "analyst", "intern"] },
        "groups": ["g"],
        "regions": ["DE", "AT"],
        "stores": [1, -2],
        "org": { "path": "/emea" },
        "employment": "staff",
        "level": 3,
        "external": false,
        "since": "1970-01-02",
        "other": "not mapped",
    }));
    assert_eq!(principal.subject, "anna");
    assert_eq!(principal.roles.into_iter().collect::<Vec<_>>(), ["analyst", "intern"]);
    assert_eq!(principal.groups.into_iter().collect::<Vec<_>>(), ["g"]);
    assert_eq!(principal.purpose, None);
    let expected = [
        ("employment", ClaimValue::Text("staff".into())),
        ("external", ClaimValue::Boolean(false)),
        ("level", ClaimValue::Integer(3)),
        ("org_path", ClaimValue::Text("/emea".into())),
        ("regions", ClaimValue::Texts(vec!["DE".into(), "AT".into()])),
        ("since", ClaimValue::Date(1)),
        ("stores", ClaimValue::Integers(vec![1, -2])),
    ];
    assert_eq!(principal.claims, expected.map(|(name, value)| (name.to_owned(), value)).into());
}

#[test]
fn a099_other_shapes_are_absent_as_a_whole() {
    let long = "x".repeat(4097);
    for (name, value) in [
        ("regions", json!("DE")),
        ("regions", json!(["DE", 1])),
        ("regions", json!(["DE", null])),
        ("regions", json!([["DE"]])),
        ("regions", json!(null)),
        ("regions", json!({"0": "DE"})),
        ("regions", json!(["DE", long])),
        ("regions", json!(vec!["DE"; 10_001])),
        ("stores", json!(["1"])),
        ("stores", json!([1.5])),
        ("stores", json!([1.0])),
        ("stores", json!([u64::MAX])),
        ("org", json!("/emea")),
        ("org", json!({ "path": ["/emea"] })),
        ("org", json!({ "path": 5 })),
        ("org", json!({ "path": long })),
        ("employment", json!("boss")),
        ("employment", json!(true)),
        ("level", json!("3")),
        ("level", json!(3.0)),
        ("level", json!(1e30)),
        ("external", json!("false")),
        ("external", json!(0)),
        ("since", json!("1970-1-2")),
        ("since", json!("1970-01-02T00:00:00Z")),
        ("since", json!(1)),
    ] {
        let principal = principal(json!({ name: value.clone() }));
        assert!(principal.claims.is_empty(), "{name}: {:.100}", value.to_string());
    }
    let most = principal(json!({ "regions": vec!["DE"; 10_000], "org": { "path": "x".repeat(4096) } }));
    assert_eq!(most.claims.len(), 2);
}

#[test]
fn a099_roles_are_a_list_of_texts_or_none() {
    for roles in [
        json!("analyst"),
        json!(["analyst", ["x"]]),
        json!([["analyst"]]),
        json!(null),
        json!(5),
        json!(["analyst", 5]),
        json!(["analyst", null]),
        json!({"analyst": true}),
        json!(vec!["analyst"; 10_001]),
    ] {
        assert!(
            principal(json!({ "realm_access": { "roles": roles.clone() } })).roles.is_empty(),
            "{roles:.50}"
        );
    }
    assert!(principal(json!({ "realm_access": "x" })).roles.is_empty());
}

#[test]
fn roles_lie_elsewhere_per_issuer() {
    let token = json!({
        "https://partners.example/roles": ["partner"],
        "realm_access": { "roles": ["analyst"] },
    });
    let token = token.as_object().unwrap();
    let roles = |issuer: &str| mesh().principal(issuer, "x", token).roles.into_iter().collect::<Vec<_>>();
    assert_eq!(roles("https://partners.example"), ["partner"]);
    assert_eq!(roles("https://partners.example/"), ["analyst"]);
}

#[test]
fn problems_come_all_at_once() {
    let text = "mesh: x\ntimezone: Europe/Berln\nroles: { path: roles }\nclaims:\n  a: { path: $.a, type: strin }\n  b: { path: $.b, type: integer, values: [x] }\ntag: [pii]\nclassifications: [public]\nrestrictions:\n  - { id: a, columns: { tags: [x] }, hide: true, mask: redact }\n  - { id: a, columns: { classification: [publc] }, hide: true }\n  - { id: b, rows: null }\n  - { id: c, deny: false }\n  - { id: c d, deny: true }\n";
    let found = problems(text);
    for expected in [
        "mesh.yaml:2: there is no time zone `Europe/Berln`; did you mean `Europe/Berlin`?",
        "mesh.yaml:3: `roles` is not a path into a token; write `$.name`, `$.outer.inner` or `$['name with.dots']`",
        "mesh.yaml:5: `strin` is not a type of claims; did you mean `string`?",
        "mesh.yaml:6: `values` goes with texts only",
        "mesh.yaml:7: unknown key `tag`; did you mean `tags`?",
        "mesh.yaml:10: a restriction does exactly one thing; write one of rows: .., columns: .. with mask: .., columns: .. with hide: true, deny: true",
        "mesh.yaml:11: mesh.yaml declares no classification `publc`; did you mean `public`?",
        "mesh.yaml:12: `rows` has no value; leave the key out, or write the condition in quotes",
        "mesh.yaml:13: `deny: false` does nothing; leave it out",
        "mesh.yaml:14: `c d` is not an id; use at most 100 letters, digits, `-`, `_`, `.`",
    ] {
        assert!(found.iter().any(|problem| problem == expected), "{expected}\nin {found:#?}");
    }
    assert_eq!(found.len(), 10, "{found:#?}");
    assert_eq!(
        problems("mesh: x\ntimezone: UTC\nrestrictions: [{id: a, deny: true}, {id: a, deny: true}]"),
        ["mesh.yaml:3: the id `a` is used twice, first in line 3"]
    );
}

#[test]
fn paths_name_every_step_and_have_an_end() {
    let steps = |count: usize| format!("${}", ".a".repeat(count));
    for text in ["$.a", "$.a.b", "$['a.b'].c", &steps(16)] {
        assert!(path::Path::parse(text).is_some(), "{text}");
    }
    for text in ["", "$", "a", "$.", "$.a.", "$..a", "$['']", "$['a'", "$a", &steps(17), &steps(18)] {
        assert!(path::Path::parse(text).is_none(), "{text}");
    }
}

#[test]
fn a065_an_empty_document_is_none() {
    assert_eq!(problems(""), ["mesh.yaml: the file is empty"]);
    assert_eq!(problems("{}").len(), 2);
}

#[test]
fn pinned_tags_are_read_and_checked() {
    let with =
        |pinned: &str| format!("mesh: x\ntimezone: UTC\ntags: {{ pii: Persons. }}\npinned_tags: {pinned}\n");
    assert!(Mesh::load("mesh.yaml", &with("{ pii: [a.b.c, \"*.*.email\"] }")).is_ok());
    for (pinned, expected) in [
        ("{ pi: [a.b.c] }", "mesh.yaml:4: mesh.yaml declares no tag `pi`; did you mean `pii`?"),
        ("{ pii: [] }", "mesh.yaml:4: `pii` is pinned to nothing; write a list: [domain.table.column, ..]"),
        (
            "{ pii: a.b.c }",
            "mesh.yaml:4: `pii` is pinned to nothing; write a list: [domain.table.column, ..]",
        ),
        (
            "{ pii: [b.c] }",
            "mesh.yaml:4: a tag is pinned to something else than a column; write domain.table.column; each may be a glob",
        ),
        (
            "{ pii: [a..c] }",
            "mesh.yaml:4: a tag is pinned to something else than a column; write domain.table.column; each may be a glob",
        ),
        ("[a.b.c]", "mesh.yaml:4: `pinned_tags` is not a mapping"),
    ] {
        assert_eq!(problems(&with(pinned)), [expected], "{pinned}");
    }
}

#[test]
fn purposes_are_those_of_the_token_that_the_mesh_declares() {
    let purposes = |text: &str, issuer: &str, token: serde_json::Value| {
        let mesh = Mesh::load("mesh.yaml", text).unwrap().0;
        mesh.principal(issuer, "felix", token.as_object().unwrap()).purposes.into_iter().collect::<Vec<_>>()
    };
    let both = json!({ "purposes": ["fraud-investigation", "marketing"], "p": ["fraud-investigation"] });
    assert_eq!(purposes(MESH, "a", both.clone()), ["fraud-investigation"]);
    for none in [json!({}), json!({ "purposes": "fraud-investigation" }), json!({ "purposes": ["x", 1] })] {
        assert!(purposes(MESH, "a", none).is_empty());
    }
    // Where they lie can be said, for each issuer: then the usual place is not looked at.
    let elsewhere = format!("{MESH}token_purposes: {{ issuer: a, path: $.p }}\n");
    assert_eq!(purposes(&elsewhere, "a", both.clone()), ["fraud-investigation"]);
    assert!(purposes(&elsewhere, "a", json!({ "purposes": ["fraud-investigation"] })).is_empty());
    assert!(purposes(&elsewhere, "b", both).is_empty());
}

#[test]
fn personas_may_stand_in_the_operators_document() {
    let with = format!("{MESH}personas: {{ anna: {{ sub: anna }}, otto: {{ sub: otto }} }}\n");
    let mesh = Mesh::load("mesh.yaml", &with).unwrap().0;
    let names: Vec<&str> = mesh.personas().iter().map(|persona| persona.name.as_str()).collect();
    assert_eq!(names, ["anna", "otto"]);
}

#[test]
fn names_of_purposes_can_travel_in_a_header() {
    for name in ["\"with space\"", "größe", "-x", "\"a\\nb\""] {
        let found = problems(&format!("mesh: x\ntimezone: UTC\npurposes: {{ {name}: {{ title: x }} }}"));
        assert!(found.len() == 1 && found[0].contains("cannot name a purpose"), "{found:?}");
    }
}

#[test]
fn only_what_the_token_names_can_be_chosen() {
    let felix = principal(json!({ "purposes": ["fraud-investigation"] }));
    let working = felix.clone().working_for(Some("fraud-investigation")).unwrap();
    assert_eq!(working.purpose.as_deref(), Some("fraud-investigation"));
    assert_eq!(working.working_for(None).unwrap().purpose, None);
    for wrong in ["", "marketing", "Fraud-investigation", "fraud-investigation "] {
        assert_eq!(felix.clone().working_for(Some(wrong)), Err(crate::NoSuchPurpose), "{wrong}");
    }
    assert!(principal(json!({})).working_for(Some("fraud-investigation")).is_err());
}

#[test]
fn revisions_are_positive_or_none() {
    let revision = |line: &str| {
        let loaded = Mesh::load("mesh.yaml", &format!("mesh: x\ntimezone: UTC\n{line}"));
        loaded.map(|(mesh, _)| mesh.revision()).map_err(|problems| problems.len())
    };
    assert_eq!(revision(""), Ok(None));
    assert_eq!(revision("version: 0\n"), Ok(None));
    assert_eq!(revision("version: 1\n"), Ok(Some(1)));
    assert_eq!(revision("version: 17\n"), Ok(Some(17)));
    assert_eq!(revision("version: -1\n"), Err(1));
}
