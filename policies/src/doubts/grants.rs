//! Grants that end, and grants to everyone.

use super::Doubts;
use crate::{statement::day_from_epoch, yaml::Warning};

/// Days before its end that a grant is worth a word.
const SOON_DAYS: i32 = 14;

impl Doubts<'_> {
    pub(super) fn grants(&mut self, today: Option<i32>) {
        for (id, (grant, _)) in self.grants_once() {
            if let (Some(last), Some(today)) = (grant.until, today)
                && last <= today.saturating_add(SOON_DAYS)
            {
                let day = day_from_epoch(last).map(|day| day.to_string()).unwrap_or_default();
                let message = match last - today {
                    ..0 => format!("`{id}` ended on {day} and grants nothing"),
                    0 => format!("`{id}` ends today"),
                    1 => format!("`{id}` ends on {day}, tomorrow"),
                    days => format!("`{id}` ends on {day}, in {days} days"),
                };
                let hint = "move `until`, or remove the grant";
                self.add(Warning::GrantEndsSoon, id, message, hint.to_owned());
            }
        }
        self.empty_tables();
    }

    /// `when` and `purpose` leave the table to some, rows do not: there it is an empty table.
    fn empty_tables(&mut self) {
        let grants =
            self.tables.values().flat_map(|table| table.grants.iter().map(move |grant| (grant, *table)));
        let with_rows = grants.filter(|(grant, _)| {
            grant.to.everyone && grant.rows.is_some() && grant.when.is_none() && grant.purpose.is_none()
        });
        let named: Vec<(String, String)> =
            with_rows.map(|(grant, table)| (grant.rule.id.clone(), table.name.clone())).collect();
        for (id, table) in named {
            let message = format!(
                "`{id}` is for everyone and chooses rows: whoever sees no row of `{table}` still sees that there is such a table, and its columns"
            );
            let hint = "name roles or groups in `to`, or put what is about the caller into `when`";
            self.add(Warning::GrantToEveryoneWithRows, &id, message, hint.to_owned());
        }
    }
}
