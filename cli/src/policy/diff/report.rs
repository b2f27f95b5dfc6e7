//! Differences, for people and for machines.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    FailOn,
    change::{ANYBODY, Change},
};
use crate::{check::report, failure::Failure};

/// A line for each change.
pub(super) fn text(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "nobody sees more or less\n".to_owned();
    }
    let mut text = String::new();
    let width = changes.iter().map(|change| change.who.chars().count()).max().unwrap_or_default();
    for change in changes {
        let word = change.direction.word();
        let _ = writeln!(text, "{word:<8}  {:<width$}  {}: {}", change.who, change.table, change.what);
    }
    text
}

pub(super) fn json(changes: &[Change], today: &str) -> Result<String, Failure> {
    let listed: Vec<Value> = changes.iter().map(Change::json).collect();
    report::pretty(&json!({ "today": today, "changes": listed }))
}

/// A test case a persona, and one for the contracts. It fails by the changes that `--fail-on` asks
/// for; the others are its output.
pub(super) fn junit(changes: &[Change], personas: &[&str], fail_on: Option<FailOn>) -> String {
    let fails = |change: &&Change| fail_on.is_some_and(|fail_on| fail_on.means(change));
    let cases: Vec<&str> = [ANYBODY].into_iter().chain(personas.iter().copied()).collect();
    let of = |who: &str| changes.iter().filter(move |change| change.who == who).collect::<Vec<_>>();
    let failed = cases.iter().filter(|who| of(who).iter().any(fails)).count();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"meshgate policy diff\" tests=\"{}\" failures=\"{failed}\">\n",
        cases.len()
    );
    for who in cases {
        let (failures, others): (Vec<&Change>, Vec<&Change>) =
            of(who).into_iter().partition(|change| fails(change));
        let told = |changes: &[&Change]| {
            let lines = changes
                .iter()
                .map(|change| format!("{} {}: {}", change.direction.word(), change.table, change.what));
            report::escaped(&lines.collect::<Vec<_>>().join("\n"))
        };
        let _ = writeln!(
            text,
            "  <testcase classname=\"meshgate policy diff\" name=\"{}\">",
            report::escaped(who)
        );
        if let Some(first) = failures.first() {
            let _ =
                writeln!(text, "    <failure message=\"{}\">{}</failure>", told(&[first]), told(&failures));
        }
        if !others.is_empty() {
            let _ = writeln!(text, "    <system-out>{}</system-out>", told(&others));
        }
        text.push_str("  </testcase>\n");
    }
    text + "</testsuite>\n"
}

#[cfg(test)]
mod tests {
    use super::{super::change::Direction, *};

    #[test]
    fn a_persona_fails_by_what_is_asked_for() {
        let changes = [
            Change::new(Direction::Looser, "anna", "orders", "gains <card>"),
            Change::new(Direction::Tighter, "eve", "orders", "loses 1 row"),
        ];
        let personas = ["anna", "eve", "otto"];
        let none = junit(&changes, &personas, None);
        assert!(none.contains("tests=\"4\" failures=\"0\"") && !none.contains("<failure"), "{none}");
        let loosening = junit(&changes, &personas, Some(FailOn::Loosening));
        assert!(loosening.contains("failures=\"1\""), "{loosening}");
        assert!(loosening.contains("<failure message=\"LOOSER orders: gains &lt;card&gt;\">"), "{loosening}");
        assert!(loosening.contains("<system-out>tighter orders: loses 1 row</system-out>"), "{loosening}");
        assert!(junit(&changes, &personas, Some(FailOn::Change)).contains("failures=\"2\""));
        assert!(junit(&[], &personas, Some(FailOn::Change)).contains("tests=\"4\" failures=\"0\""));
    }
}
