//! What is told of rules: what they do to visible things, their expressions to readers only.

use super::{
    fixture::{STATEMENT, document, orders},
    *,
};
use crate::{ClaimValue, EffectKind};

/// `column effect rule (contact): expression` of each effect on columns that are read.
fn told(fixture: &Fixture, reads: &dyn Fn(&str) -> bool) -> Option<Vec<String>> {
    let policy = fixture.policy();
    let explanation = policy.explain("orders", &fixture.principal, &STATEMENT, reads, 1_000)?;
    assert!(!explanation.is_cut);
    let line = |effect: &crate::Effect<'_>| {
        let on = effect.column.unwrap_or("(rows)");
        let contact = effect.contact.map_or_else(String::new, |contact| format!(" ({contact})"));
        let expression = effect.expression.map_or_else(String::new, |text| format!(": {text}"));
        format!("{on} {:?} {}{contact}{expression}", effect.kind, effect.rule.id)
    };
    Some(explanation.effects.iter().map(line).collect())
}

fn all(fixture: &Fixture) -> Vec<String> {
    told(fixture, &|_| true).unwrap()
}

fn kinds(fixture: &Fixture, column: Option<&str>) -> Vec<EffectKind> {
    let policy = fixture.policy();
    let explanation = policy.explain("orders", &fixture.principal, &STATEMENT, &|_| true, 1_000).unwrap();
    let on_column = explanation.effects.iter().filter(|effect| effect.column == column);
    on_column.map(|effect| effect.kind).collect()
}

fn rules(grants: &[&str], restrictions: &[&str]) -> Fixture {
    Fixture::new(&format!("grants: [ {} ]\nrestrictions: [ {} ]", grants.join(", "), restrictions.join(", ")))
}

fn story() -> Fixture {
    Fixture::new(
        "owner: sales@larkfield.example
policy_readers: { roles: [owner] }
grants:
  - { id: region, why: Own region., to: { roles: [analyst] }, tables: [orders], columns: [id, region, card], rows: \"region = 'EU'\", masks: { card: last(4) } }
  - { id: some, to: { roles: [analyst] }, tables: [orders], columns: [id, day], rows: \"total > 5\" }
restrictions:
  - { id: embargo, tables: [orders], rows: \"day < today()\" }
  - { id: note-hidden, tables: [orders], columns: [note], hide: true }
  - { id: total-masked, tables: [orders], columns: [total], mask: nullify }",
    )
    .operator("  - { id: pii, columns: { tags: [pii] }, mask: { text: redact, date: year, other: nullify } }")
}

const STORY: [&str; 10] = [
    "(rows) GivesSomeRows region (sales@larkfield.example)",
    "(rows) GivesSomeRows some (sales@larkfield.example)",
    "(rows) KeepsSomeRows embargo (sales@larkfield.example)",
    "id Shows region (sales@larkfield.example)",
    "id Shows some (sales@larkfield.example)",
    "region ShowsOnItsRows region (sales@larkfield.example)",
    "card Redacts region (sales@larkfield.example)",
    "card Redacts pii",
    "day ShowsOnItsRows some (sales@larkfield.example)",
    "day Masks pii",
];

#[test]
fn everybody_is_told_which_rules_decide_and_whom_to_ask() {
    assert_eq!(all(&story()), STORY);
    let of_id = told(&story(), &|column| column == "id").unwrap();
    assert_eq!(of_id, STORY[..5]);
}

#[test]
fn readers_of_the_rules_are_told_their_expressions_as_they_are_written() {
    let owner = story().role("owner");
    let with = [
        ": region = 'EU'",
        ": total > 5",
        ": day < today()",
        "",
        "",
        "",
        ": last(4)",
        ": redact",
        "",
        ": year",
    ];
    let expected: Vec<String> = STORY.iter().zip(with).map(|(line, text)| format!("{line}{text}")).collect();
    assert_eq!(all(&owner), expected);
    // The operator's readers read the rules of all domains.
    let mut mesh = story();
    mesh.mesh =
        format!("{}owner: mesh@larkfield.example\npolicy_readers: {{ subjects: [alice] }}\n", mesh.mesh);
    let lines = all(&mesh);
    assert!(lines.contains(&"day Masks pii (mesh@larkfield.example): year".to_owned()), "{lines:?}");
    assert!(lines[0].ends_with(": region = 'EU'"));
}

#[test]
fn readers_are_those_that_some_document_names() {
    let mut fixture = story().role("steward");
    assert!(!all(&fixture)[0].contains(": "));
    fixture.documents.push(document("more.yaml", "policy_readers: { roles: [steward] }"));
    assert!(all(&fixture)[0].ends_with(": region = 'EU'"));
    fixture.documents.push(document("nobody.yaml", "policy_readers: {}"));
    assert!(fixture.problems()[0].contains("this matches nobody"));
}

#[test]
fn of_what_is_hidden_nothing_is_told_to_anybody() {
    for fixture in [story(), story().role("owner")] {
        let text = all(&fixture).join("\n");
        for hidden in ["note", "note-hidden", "total-masked", "fresh"] {
            assert!(!text.contains(hidden), "{hidden}: {text}");
        }
        let policy = fixture.policy();
        let rules = policy.visible_rules("orders", &fixture.principal, &STATEMENT);
        let ids: Vec<&str> = rules.iter().map(|visible| visible.rule.id.as_str()).collect();
        assert_eq!(ids, ["region", "some", "embargo", "pii"]);
    }
    // The twin: where the columns are visible, so are the rules on them.
    let seen = rules(
        &["{ id: all, to: { roles: [analyst] }, tables: [orders], columns: all }"],
        &["{ id: total-masked, tables: [orders], columns: [total], mask: nullify }"],
    );
    assert!(all(&seen).contains(&"total Masks total-masked".to_owned()));
}

#[test]
fn a_table_that_does_not_exist_for_somebody_is_not_explained() {
    let mut otto = story();
    otto.principal.roles.clear();
    assert_eq!(told(&otto, &|_| true), None);
    let policy = otto.policy();
    assert!(policy.visible_rules("orders", &otto.principal, &STATEMENT).is_empty());
    assert!(policy.explain("nothing", &otto.principal, &STATEMENT, &|_| true, 10).is_none());
    let denied = rules(
        &["{ id: all, to: { roles: [analyst] }, tables: [orders], columns: all }"],
        &["{ id: no, tables: [orders], deny: true }"],
    );
    assert_eq!(told(&denied, &|_| true), None);
}

#[test]
fn conditions_that_the_caller_settles_are_told_as_what_they_are() {
    let grant =
        "{ id: g, to: { roles: [analyst] }, tables: [orders], columns: all, rows: \"claim('level') > 3\" }";
    let with_level = |level| rules(&[grant], &[]).claim("level", ClaimValue::Integer(level));
    assert_eq!(kinds(&with_level(4), None), [EffectKind::GivesAllRows]);
    assert_eq!(kinds(&with_level(3), None), [EffectKind::GivesNoRows]);
    let all = "{ id: g, to: { roles: [analyst] }, tables: [orders], columns: all }";
    let restriction = "{ id: r, tables: [orders], rows: \"claim('level') > 3\" }";
    let restricted = |level| rules(&[all], &[restriction]).claim("level", ClaimValue::Integer(level));
    assert_eq!(kinds(&restricted(4), None), [EffectKind::GivesAllRows]);
    assert_eq!(kinds(&restricted(3), None), [EffectKind::GivesAllRows, EffectKind::KeepsNoRows]);
}

#[test]
fn masks_that_meet_are_told_as_redaction() {
    let grant = |mask: &str| {
        format!(
            "{{ id: g, to: {{ roles: [analyst] }}, tables: [orders], columns: all, masks: {{ card: {mask} }} }}"
        )
    };
    let restriction =
        |id: &str, mask: &str| format!("{{ id: {id}, tables: [orders], columns: [card], mask: {mask} }}");
    let kinds_of = |grants: &[&str], restrictions: &[&str]| kinds(&rules(grants, restrictions), Some("card"));
    let last = grant("last(4)");
    assert_eq!(kinds_of(&[&last], &[]), [EffectKind::Masks]);
    assert_eq!(kinds_of(&[&last], &[&restriction("r", "last(4)")]), [EffectKind::Masks, EffectKind::Masks]);
    assert_eq!(
        kinds_of(&[&last], &[&restriction("r", "first(2)")]),
        [EffectKind::Redacts, EffectKind::Redacts]
    );
    let raw = "{ id: raw, to: { roles: [analyst] }, tables: [orders], columns: all }";
    assert_eq!(
        kinds_of(&[raw], &[&restriction("r", "first(2)"), &restriction("s", "last(4)")]),
        [EffectKind::Shows, EffectKind::Redacts, EffectKind::Redacts]
    );
    let needs_claim = restriction("r", "{ sql: \"coalesce(claim('tenant'), value)\" }");
    assert_eq!(kinds_of(&[raw], &[&needs_claim]), [EffectKind::Shows, EffectKind::Redacts]);
}

#[test]
fn explanations_have_a_bound() {
    let fixture = story();
    let policy = fixture.policy();
    let of = |most| policy.explain("orders", &fixture.principal, &STATEMENT, &|_| true, most).unwrap();
    assert!(!of(STORY.len()).is_cut);
    let cut = of(STORY.len() - 1);
    assert!(cut.is_cut && cut.effects.len() == STORY.len() - 1);
    assert_eq!(orders().columns.len(), 7);
}

#[test]
fn owners_are_told_all_of_every_rule() {
    let fixture = story();
    let policy = fixture.policy();
    let told = policy.explain_to_owner("orders", &fixture.principal, &STATEMENT).unwrap();
    let by_readers = all(&story().role("owner"));
    assert!(!told.is_cut && told.effects.len() == by_readers.len());
    // Without the role that may read rules.
    assert_eq!(told.effects[0].expression, Some("region = 'EU'"));
    assert!(policy.explain_to_owner("order_lines", &fixture.principal, &STATEMENT).is_none());
    let rules: Vec<_> = policy.all_rules().map(|(table, rule)| (table, rule.rule.id.as_str())).collect();
    let ids = ["region", "some", "embargo", "note-hidden", "total-masked", "pii"];
    assert_eq!(rules, ids.map(|id| ("orders", id)));
}
