//! Leaks that are built in on purpose: a search that never found anything proves nothing.
//!
//! The node of each is put together here, from the parts of the real one; nothing that is shipped
//! has a switch for it. It answers in the real node's place, behind the same gateway.

mod node;

use std::path::Path;
use std::sync::Arc;

use meshgate_tests::mesh::Taps;

use self::node::LeakyNode;
use super::differential;
use super::keys::Keys;
use super::settings::Counters;
use super::two_worlds;
use super::world::World;

/// What stands behind the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nodes {
    Shipped,
    Planted(Leak),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leak {
    /// Arrays leave as they are, with what lies under their NULLs.
    NoScrub,
    /// Policy is a plain filter and a plain projection: no barrier above them.
    PlainFilter,
    /// A predicate's column is looked up by its position among all columns, not among the visible ones.
    HiddenColumnInPredicate,
    /// Whoever asks is told how reading failed.
    ErrorsPass,
    /// A limit is kept below the row filter.
    LimitBelowFilter,
}

impl Nodes {
    /// A world that these nodes can serve.
    pub(crate) fn world(self, seed: u64) -> World {
        match self {
            Self::Shipped => World::random(seed),
            Self::Planted(_) => World::plain(seed),
        }
    }

    /// In some worlds the nodes' engine is another version than the gateway's.
    pub(crate) fn taps(self, world: &World) -> Taps {
        match self {
            Self::Shipped if world.has_other_engine() => Taps::OtherEngine,
            Self::Shipped => Taps::Keep,
            Self::Planted(leak) => Taps::StandIn(Box::new(move |root: &Path, domain: &str| {
                Arc::new(LeakyNode::new(root, domain, leak))
            })),
        }
    }
}

/// Worlds that a search may need.
const WORLDS: u64 = 40;
const QUESTIONS: usize = 60;

/// Both searches find the leak; worlds and questions that it took are printed.
async fn assert_found(leak: Leak) {
    let (keys, nodes) = (Keys::new(), Nodes::Planted(leak));
    let mut counters = Counters::default();
    let mut first = None;
    for seed in 1..=WORLDS {
        let world = nodes.world(seed);
        first = differential::judge(&world, QUESTIONS, &keys, nodes, &mut counters).await.into_iter().next();
        if first.is_some() {
            break;
        }
    }
    let found = first.unwrap_or_else(|| panic!("the differential test does not find {leak:?}"));
    println!("{leak:?}, differential test: {}", effort(&counters, "comparisons"));
    println!("{}", found.chars().take(1200).collect::<String>());

    let mut counters = Counters::default();
    let mut first = None;
    for seed in 1..=WORLDS {
        first = two_worlds::compare(seed, QUESTIONS, &keys, nodes, &mut counters).await.into_iter().next();
        if first.is_some() {
            break;
        }
    }
    let found = first.unwrap_or_else(|| panic!("two worlds do not find {leak:?}"));
    println!("{leak:?}, two worlds: {}", effort(&counters, "pairs"));
    println!("{}", found.chars().take(1200).collect::<String>());
}

fn effort(counters: &Counters, what: &str) -> String {
    format!("found in world {} after {} {what}", counters.get("worlds"), counters.get(what))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_scrub_is_found() {
    assert_found(Leak::NoScrub).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_a_plain_filter_for_its_barrier_is_found() {
    assert_found(Leak::PlainFilter).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_lets_a_hidden_column_into_a_predicate_is_found() {
    assert_found(Leak::HiddenColumnInPredicate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_passes_errors_through_is_found() {
    assert_found(Leak::ErrorsPass).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_limits_before_it_filters_is_found() {
    assert_found(Leak::LimitBelowFilter).await;
}
