//! Every rule of a table, told to the owner.

use super::fixture::{Fixture, STATEMENT};
use crate::{Absence, Account, DomainPolicy, Standing};

const RULES: &str = r#"
grants:
  - { id: mine, to: { roles: [analyst] }, tables: [orders], columns: [id, region, card] }
  - { id: others, to: { roles: [manager] }, tables: [orders], columns: all }
  - { id: fraud, to: { roles: [analyst] }, purpose: fraud, tables: [orders], columns: all }
  - { id: ended, to: { roles: [analyst] }, until: 2026-11-22, tables: [orders], columns: all }
  - { id: last-day, to: { roles: [analyst] }, until: 2026-11-23, tables: [orders], columns: [id] }
  - { id: claims, to: { roles: [analyst] }, tables: [orders], columns: all, rows: "claim_has('regions', region)" }
  - { id: when, to: { roles: [analyst] }, when: "subject() = 'bob'", tables: [orders], columns: all }
  - { id: nothing, to: { roles: [analyst] }, tables: [orders], columns: [id], rows: "subject() = 'bob'" }
restrictions:
  - { id: hidden, tables: [orders], columns: [card], hide: true }
  - { id: not-to, to: { roles: [manager] }, tables: [orders], rows: "false" }
  - { id: lifted, tables: [orders], when: "subject() = 'bob'", rows: "false" }
  - { id: excused, tables: [orders], unless: [{ roles: [analyst] }], rows: "false" }
"#;

fn standings(account: &Account<'_>) -> Vec<(String, Standing)> {
    account.rules.iter().map(|rule| (rule.rule.id.clone(), rule.standing.clone())).collect()
}

fn policy(fixture: &Fixture) -> DomainPolicy {
    fixture.load().unwrap_or_else(|problems| panic!("{problems:?}")).0
}

#[test]
fn each_rule_says_why_it_applies_or_not() {
    let fixture = Fixture::new(RULES);
    let policy = policy(&fixture);
    let account = policy.account("orders", &fixture.principal, &STATEMENT).unwrap();
    let expected = [
        ("mine", Standing::Applies),
        ("others", Standing::NotTo),
        ("fraud", Standing::OtherPurpose("fraud".to_owned())),
        ("ended", Standing::Ended("2026-11-22".to_owned())),
        ("last-day", Standing::Applies),
        ("claims", Standing::MissingClaims(vec!["regions".to_owned()])),
        ("when", Standing::WhenNotTrue),
        ("nothing", Standing::GivesNoRows),
        ("hidden", Standing::Applies),
        ("not-to", Standing::NotTo),
        ("lifted", Standing::WhenFalse),
        ("excused", Standing::Excused),
    ];
    assert_eq!(standings(&account), expected.map(|(id, standing)| (id.to_owned(), standing)));
    let absent: Vec<(&str, Option<&str>)> = account
        .absent
        .iter()
        .map(|(column, absence)| match absence {
            Absence::HiddenBy(rule) => (*column, Some(rule.id.as_str())),
            Absence::NotListed => (*column, None),
        })
        .collect();
    assert_eq!(
        absent,
        [("card", Some("hidden")), ("note", None), ("total", None), ("day", None), ("fresh", None)]
    );
    assert_eq!(account.rules[5].rows, Some("claim_has('regions', region)"));
    assert!(policy.account("no_such_table", &fixture.principal, &STATEMENT).is_none());
}

/// What does not apply has no part in the decision, and the reverse.
#[test]
fn an_account_agrees_with_the_decision() {
    for fixture in [
        Fixture::new(RULES),
        Fixture::new(RULES).role("manager"),
        Fixture::new(RULES).purpose("fraud"),
        Fixture::new(RULES).texts("regions", &["DE"]),
    ] {
        let policy = policy(&fixture);
        let crate::Decision::Visible(decision) = policy.decide("orders", &fixture.principal, &STATEMENT)
        else {
            panic!("it is there");
        };
        let took_part: Vec<&str> = decision.rules.iter().map(|rule| rule.id.as_str()).collect();
        let account = policy.account("orders", &fixture.principal, &STATEMENT).unwrap();
        let applies = |standing: &Standing| matches!(standing, Standing::Applies | Standing::GivesNoRows);
        let applying = account.rules.iter().filter(|rule| applies(&rule.standing));
        assert_eq!(applying.map(|rule| rule.rule.id.as_str()).collect::<Vec<_>>(), took_part);
        let visible: Vec<&str> = decision.columns.iter().map(|column| column.name.as_str()).collect();
        assert!(account.absent.iter().all(|(column, _)| !visible.contains(column)));
        assert_eq!(account.absent.len() + visible.len(), 7);
    }
}
