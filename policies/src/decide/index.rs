//! Which tables may be open to whom: the first thing that is asked when all
//! tables of a domain are listed.

use std::collections::{BTreeSet, HashMap};

use crate::{Principal, compile::TablePolicy};

/// Tables by the roles, groups and subjects of their grants.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenTables {
    /// Sorted.
    names: Vec<String>,
    everyone: BTreeSet<usize>,
    roles: HashMap<String, BTreeSet<usize>>,
    groups: HashMap<String, BTreeSet<usize>>,
    subjects: HashMap<String, BTreeSet<usize>>,
}

impl OpenTables {
    pub(crate) fn new<'p>(policies: impl Iterator<Item = &'p TablePolicy>) -> Self {
        let mut policies: Vec<&TablePolicy> = policies.collect();
        policies.sort_by(|left, right| left.name.cmp(&right.name));
        let mut index = Self::default();
        for (position, policy) in policies.into_iter().enumerate() {
            index.names.push(policy.name.clone());
            for to in policy.grants.iter().map(|grant| &grant.to) {
                if to.everyone {
                    index.everyone.insert(position);
                }
                for (names, tables) in [
                    (&to.roles, &mut index.roles),
                    (&to.groups, &mut index.groups),
                    (&to.subjects, &mut index.subjects),
                ] {
                    for name in names {
                        tables.entry(name.clone()).or_default().insert(position);
                    }
                }
            }
        }
        index
    }

    /// The tables with a grant that names something of the principal, sorted.
    /// All others do not exist for it.
    pub(crate) fn of(&self, principal: &Principal) -> Vec<&str> {
        let mut open = self.everyone.clone();
        let roles = principal.roles.iter().filter_map(|role| self.roles.get(role));
        let groups = principal.groups.iter().filter_map(|group| self.groups.get(group));
        for tables in roles.chain(groups).chain(self.subjects.get(&principal.subject)) {
            open.extend(tables);
        }
        open.iter().filter_map(|position| self.names.get(*position)).map(String::as_str).collect()
    }
}
