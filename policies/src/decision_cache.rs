//! Decisions that were made before. A decision is a function of the policy, the
//! table, the principal and the moment; the cache belongs to one policy, and the
//! key holds the other three as a whole.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{ClaimValue, Decision, Digest, Principal, Statement, digest::DigestBuilder};

/// Columns of all decisions that are kept, in each of two generations.
const MOST_COLUMNS: usize = 50_000;

/// What of a statement's instant decisions depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Moment {
    /// `today()` and `until`: for a day they are the same.
    #[default]
    Day,
    /// Some rule reads `now()`.
    Instant,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    table: String,
    principal: Digest,
    moment: i64,
    zone: &'static str,
}

/// Two generations: when the young one is full it becomes the old one, and
/// what nobody asked for since is gone.
#[derive(Default)]
struct Generations {
    young: HashMap<Key, Arc<Decision>>,
    old: HashMap<Key, Arc<Decision>>,
    /// Weight of the young one.
    columns: usize,
}

/// The decisions of one policy.
#[derive(Clone, Default)]
pub(crate) struct DecisionCache {
    moment: Moment,
    generations: Arc<Mutex<Generations>>,
}

impl DecisionCache {
    pub(crate) fn new(moment: Moment) -> Self {
        Self { moment, generations: Arc::default() }
    }

    /// The decision that was made before, or the one that is made now.
    pub(crate) fn decision(
        &self,
        table: &str,
        principal: &Principal,
        statement: &Statement,
        decide: impl FnOnce() -> Decision,
    ) -> Decision {
        let Some(key) = self.key(table, principal, statement) else { return decide() };
        if let Some(known) = self.generations.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Decision::clone(&known);
        }
        let decision = decide();
        self.generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, Arc::new(decision.clone()));
        decision
    }

    /// `None` for an instant that is in no calendar.
    fn key(&self, table: &str, principal: &Principal, statement: &Statement) -> Option<Key> {
        let moment = match self.moment {
            Moment::Day => i64::from(statement.today()?),
            Moment::Instant => statement.instant,
        };
        Some(Key {
            table: table.to_owned(),
            principal: digest(principal),
            moment,
            zone: statement.zone.name(),
        })
    }
}

impl Generations {
    fn get(&mut self, key: &Key) -> Option<Arc<Decision>> {
        if let Some(known) = self.young.get(key) {
            return Some(Arc::clone(known));
        }
        let (key, known) = self.old.remove_entry(key)?;
        self.insert(key, Arc::clone(&known));
        Some(known)
    }

    fn insert(&mut self, key: Key, decision: Arc<Decision>) {
        let weight = weight(&decision);
        if self.columns + weight > MOST_COLUMNS {
            self.old = std::mem::take(&mut self.young);
            self.columns = 0;
        }
        if self.young.insert(key, decision).is_none() {
            self.columns += weight;
        }
    }
}

fn weight(decision: &Decision) -> usize {
    match decision {
        Decision::Absent { rules } => 1 + rules.len(),
        Decision::Visible(table) => {
            let disclosed: usize = table.columns.iter().map(|column| column.disclosed.len()).sum();
            1 + table.columns.len() + disclosed + table.rules.len() + table.lookups.len()
        }
    }
}

/// All that rules see of a principal: a decision cannot read more.
fn digest(principal: &Principal) -> Digest {
    // Of purposes rules see the chosen one.
    let Principal { issuer, subject, roles, groups, claims, purpose, purposes: _ } = principal;
    let mut builder = DigestBuilder::new("meshgate-principal-v1")
        .part(issuer.as_bytes())
        .part(subject.as_bytes())
        .parts(roles.iter())
        .parts(groups.iter())
        .parts(purpose.iter())
        .part(&(claims.len() as u64).to_be_bytes());
    for (name, value) in claims {
        builder = builder.part(name.as_bytes());
        builder = match value {
            ClaimValue::Text(text) => builder.part(b"text").part(text.as_bytes()),
            ClaimValue::Integer(value) => builder.part(b"integer").part(&value.to_be_bytes()),
            ClaimValue::Boolean(value) => builder.part(b"boolean").part(&[u8::from(*value)]),
            ClaimValue::Date(days) => builder.part(b"date").part(&days.to_be_bytes()),
            ClaimValue::Texts(texts) => builder.part(b"texts").parts(texts.iter()),
            ClaimValue::Integers(values) => {
                builder.part(b"integers").parts(values.iter().map(|value| value.to_be_bytes()))
            }
        };
    }
    builder.finish()
}

impl fmt::Debug for DecisionCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecisionCache").field("moment", &self.moment).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::{
        DataType, DecidedColumn, TableDecision,
        decision::{DecidedLookup, RuleKind, RuleRef},
    };

    fn statement(instant: i64) -> Statement {
        Statement { instant, zone: chrono_tz::Europe::Berlin }
    }

    fn principal() -> Principal {
        Principal { issuer: "i".into(), subject: "anna".into(), ..Principal::default() }
    }

    fn rule(id: &str) -> RuleRef {
        RuleRef { id: id.into(), kind: RuleKind::Deny, operator: false, why: None }
    }

    fn absent(id: &str) -> Decision {
        Decision::Absent { rules: vec![rule(id)] }
    }

    /// Of the weight of a thousand columns.
    fn heavy() -> Decision {
        Decision::Absent { rules: vec![rule("heavy"); 999] }
    }

    /// Does the cache ask for a decision?
    fn asks(cache: &DecisionCache, table: &str, principal: &Principal, at: &Statement) -> bool {
        let asked = Cell::new(false);
        let decision = cache.decision(table, principal, at, || {
            asked.set(true);
            absent(table)
        });
        assert_eq!(decision, absent(table));
        asked.get()
    }

    #[test]
    fn the_same_is_decided_once_and_whatever_differs_anew() {
        let cache = DecisionCache::new(Moment::Day);
        let noon = statement(1_795_345_200_000_000);
        assert!(asks(&cache, "orders", &principal(), &noon));
        assert!(!asks(&cache, "orders", &principal(), &noon));
        assert!(asks(&cache, "lines", &principal(), &noon));
        let claim = |value| Principal { claims: [("c".to_owned(), value)].into(), ..principal() };
        let others = [
            Principal { issuer: "j".into(), ..principal() },
            Principal { subject: "otto".into(), ..principal() },
            Principal { roles: ["r".to_owned()].into(), ..principal() },
            Principal { groups: ["r".to_owned()].into(), ..principal() },
            Principal { purpose: Some("p".into()), ..principal() },
            Principal { purpose: Some(String::new()), ..principal() },
            claim(ClaimValue::Text("1".into())),
            claim(ClaimValue::Text(String::new())),
            claim(ClaimValue::Texts(vec!["1".into()])),
            claim(ClaimValue::Texts(vec![])),
            claim(ClaimValue::Texts(vec!["1".into(), "2".into()])),
            claim(ClaimValue::Texts(vec!["12".into()])),
            claim(ClaimValue::Integer(1)),
            claim(ClaimValue::Integers(vec![1])),
            claim(ClaimValue::Integers(vec![])),
            claim(ClaimValue::Boolean(true)),
            claim(ClaimValue::Date(1)),
        ];
        for other in &others {
            assert!(asks(&cache, "orders", other, &noon), "{other:?}");
            assert!(!asks(&cache, "orders", other, &noon), "{other:?}");
        }
        assert!(!asks(&cache, "orders", &principal(), &noon));
    }

    #[test]
    fn a_decision_holds_for_a_day_or_for_an_instant() {
        let evening = 1_795_388_399_000_000;
        let (cache, exact) = (DecisionCache::new(Moment::Day), DecisionCache::new(Moment::Instant));
        for cache in [&cache, &exact] {
            assert!(asks(cache, "orders", &principal(), &statement(evening)));
            assert!(!asks(cache, "orders", &principal(), &statement(evening)));
        }
        // A microsecond, then a second later: in Berlin the next day.
        assert!(!asks(&cache, "orders", &principal(), &statement(evening + 1)));
        assert!(asks(&exact, "orders", &principal(), &statement(evening + 1)));
        assert!(asks(&cache, "orders", &principal(), &statement(evening + 1_000_000)));
        let tokyo = Statement { instant: evening, zone: chrono_tz::Asia::Tokyo };
        assert!(asks(&cache, "orders", &principal(), &tokyo));
        let never = statement(i64::MAX);
        assert!(asks(&cache, "orders", &principal(), &never) && asks(&cache, "orders", &principal(), &never));
    }

    fn key(table: usize) -> Key {
        Key { table: table.to_string(), principal: Digest::of(b""), moment: 0, zone: "UTC" }
    }

    #[test]
    fn a_generation_is_full_before_it_is_old() {
        let heavy = Arc::new(heavy());
        let mut generations = Generations::default();
        for table in 0..50 {
            generations.insert(key(table), Arc::clone(&heavy));
        }
        assert_eq!((generations.young.len(), generations.old.len()), (50, 0));
        generations.insert(key(50), heavy);
        assert_eq!((generations.young.len(), generations.old.len()), (1, 50));
    }

    #[test]
    fn all_that_a_decision_holds_has_weight() {
        let column = DecidedColumn {
            index: 0,
            name: "c".into(),
            data_type: DataType::Text,
            nullable: true,
            plain: true,
            cell: crate::Cell::Raw,
            disclosed: Default::default(),
        };
        let mut table = TableDecision {
            columns: vec![column.clone(), column.clone()],
            rows: None,
            rules: vec![],
            row_rules: vec![],
            lookups: vec![],
            digest: Digest::of(b""),
        };
        let weigh = |table: &TableDecision| weight(&Decision::Visible(table.clone()));
        assert_eq!(weigh(&table), 3);
        table.rules = vec![rule("a"), rule("b"), rule("c")];
        assert_eq!(weigh(&table), 6);
        let keys = table.clone();
        table.lookups = vec![DecidedLookup { name: "l".into(), table: "t".into(), keys }; 2];
        assert_eq!(weigh(&table), 8);
        table.columns.push(column);
        assert_eq!(weigh(&table), 9);
        table.columns[0].disclosed = [("a".to_owned(), crate::JoinKeys::Bounds)].into();
        assert_eq!(weigh(&table), 10);
        assert_eq!((weight(&Decision::Absent { rules: vec![] }), weight(&absent("a"))), (1, 2));
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_is_asked_for_stays() {
        let cache = DecisionCache::new(Moment::Day);
        let noon = statement(1_795_345_200_000_000);
        asks(&cache, "often", &principal(), &noon);
        for table in 0..5 * MOST_COLUMNS / 1000 {
            let _ = cache.decision(&format!("t{table}"), &principal(), &noon, heavy);
            assert!(!asks(&cache, "often", &principal(), &noon));
        }
        assert!(asks(&cache, "t0", &principal(), &noon));
        let generations = cache.generations.lock().unwrap();
        assert!(generations.young.len() + generations.old.len() <= 2 * MOST_COLUMNS / 1000 + 4);
        assert!(generations.columns <= MOST_COLUMNS);
    }
}
