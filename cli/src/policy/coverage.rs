//! Which of the owner's rules the cases exercise.

use std::collections::BTreeSet;

use meshgate_policies::WrittenRule;

/// The owner's rules, and those that no case exercises.
#[derive(Debug)]
pub(crate) struct Coverage<'r> {
    pub(crate) rules: usize,
    pub(crate) missed: Vec<&'r WrittenRule>,
}

impl<'r> Coverage<'r> {
    /// A rule is exercised if it took part in a case that is about somebody in particular.
    pub(crate) fn new(rules: &'r [WrittenRule], exercised: &BTreeSet<String>) -> Self {
        let missed = rules.iter().filter(|rule| !exercised.contains(&rule.id)).collect();
        Self { rules: rules.len(), missed }
    }

    pub(crate) fn exercised(&self) -> usize {
        self.rules - self.missed.len()
    }

    /// In percent, rounded down; all of no rules is all.
    pub(crate) fn percent(&self) -> u8 {
        let percent = (self.exercised() * 100).checked_div(self.rules).unwrap_or(100);
        u8::try_from(percent).unwrap_or(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_took_part_are_covered() {
        let rule =
            |id: &str| WrittenRule { id: id.to_owned(), is_grant: true, file: "p".to_owned(), line: 1 };
        let rules = ["a", "b", "c"].map(rule);
        let coverage = Coverage::new(&rules, &["a".to_owned(), "b".to_owned(), "operator".to_owned()].into());
        assert_eq!((coverage.exercised(), coverage.percent()), (2, 66));
        assert_eq!(coverage.missed, [&rules[2]]);
        assert_eq!(Coverage::new(&[], &BTreeSet::new()).percent(), 100);
    }
}
