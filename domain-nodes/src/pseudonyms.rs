//! The keys with which this node makes pseudonyms, for the spaces that its
//! policy uses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use meshgate_engine::lower::PseudonymKey;
use meshgate_policies::expression::{Expr, Function};
use meshgate_policies::{Cell, PseudonymSpace, TableDecision};

use crate::config::PseudonymSecret;

/// The current key of each space. A space without one has no pseudonyms, and
/// tables that need them cannot be read.
#[derive(Debug, Default)]
pub(crate) struct Pseudonyms {
    keys: BTreeMap<PseudonymSpace, Key>,
}

#[derive(Debug)]
struct Key {
    id: String,
    key: Arc<PseudonymKey>,
}

impl Pseudonyms {
    /// The keys for `spaces` as `domain` uses them, and the spaces that have none.
    pub(crate) fn new(
        domain: &str,
        spaces: BTreeSet<PseudonymSpace>,
        secrets: &BTreeMap<String, PseudonymSecret>,
    ) -> (Self, Vec<String>) {
        let (mut keys, mut missing) = (BTreeMap::new(), Vec::new());
        for space in spaces {
            let secret = secrets.get(&space.name);
            match secret
                .and_then(|secret| Some((secret, PseudonymKey::new(&secret.bytes, &space, domain).ok()?)))
            {
                Some((secret, key)) => {
                    keys.insert(space, Key { id: secret.id.clone(), key: Arc::new(key) });
                }
                None => missing.push(space.name),
            }
        }
        (Self { keys }, missing)
    }

    /// The key of a space.
    pub(crate) fn key(&self, space: &PseudonymSpace) -> Option<Arc<PseudonymKey>> {
        self.keys.get(space).map(|key| Arc::clone(&key.key))
    }

    /// Which keys a decision uses, as `space: key`.
    pub(crate) fn used_by(&self, decision: &TableDecision) -> Vec<String> {
        let mut used = BTreeSet::new();
        for column in &decision.columns {
            let Cell::Computed(expr) = &column.cell else { continue };
            expr.any(&mut |expr| {
                if let Expr::Call { function: Function::Pseudonym(space), .. } = expr {
                    used.extend(self.keys.get(space).map(|key| format!("{}: {}", space.name, key.id)));
                }
                false
            });
        }
        used.into_iter().collect()
    }
}
