//! Random statements over random placements of tables: wherever the tables of a statement lie, its answer is that of
//! one engine over the same files.
//!
//! Every domain has a copy of each table, so a statement is placed by the names of its tables; each is asked with
//! several placements. Everybody may see everything: `proofs` is about policy. `docs/proofs.md` says how to ask more.

mod aggregates;
mod another_engine;
mod author;
mod court;
mod placed;
mod planted;
mod statement;
mod world;

use crate::proofs::keys::Keys;
use crate::proofs::settings::{Counters, Settings};

use self::court::{Court, REPORTS};
use self::world::{DOMAINS, World};

const WORLDS: u64 = 8;
/// For each world; each is placed several times.
const QUESTIONS: usize = 56;

#[tokio::test(flavor = "multi_thread")]
async fn statements_equal_one_engine_wherever_their_tables_lie() {
    let settings = Settings::read(WORLDS, QUESTIONS);
    let (keys, mut counters, mut differences) = (Keys::of(&DOMAINS), Counters::default(), Vec::new());
    for seed in &settings.seeds {
        let world = World::random(*seed);
        let court = Court::open(&world, &keys, world.taps()).await;
        differences.extend(court.judge(settings.questions, &mut counters).await);
        court.close().await;
    }
    counters.print();
    let shown: String = differences.iter().take(REPORTS).map(String::as_str).collect();
    assert!(differences.is_empty(), "{} differences\n{shown}", differences.len());
    if !settings.is_chosen {
        assert_covered(&counters);
    }
}

/// A comparison shows something only if it reaches everything.
fn assert_covered(counters: &Counters) {
    let percent = |what: &str, of: &str| 100 * counters.get(what) / counters.get(of).max(1);
    assert!(counters.get("comparisons") >= 2000, "{} comparisons", counters.get("comparisons"));
    for (what, of, least) in [
        ("answer: rows", "statements", 40),
        ("asked: several domains", "comparisons", 30),
        ("asked: one domain", "comparisons", 10),
        ("asked: parts", "comparisons", 30),
        ("asked: rows of tables", "comparisons", 15),
        ("asked: parts and rows of tables", "comparisons", 3),
        ("asked: a part over several tables", "comparisons", 8),
        ("asked: a part over several tables, and another domain", "comparisons", 3),
    ] {
        assert!(percent(what, of) >= least, "{what}: {} % of {of}", percent(what, of));
    }
    for what in ["only the mesh can plan it", "the engine cannot plan it with required columns"] {
        assert!(percent(what, "comparisons") == 0, "{what}: {}", counters.get(what));
    }
    for construct in CONSTRUCTS {
        assert!(percent(construct, "statements") >= 1, "{construct}: {}", counters.get(construct));
    }
}

/// Each in at least one of a hundred statements.
const CONSTRUCTS: [&str; 53] = [
    "aggregate filter",
    "aggregates of all rows",
    "anti join",
    "correlated aggregate",
    "correlated subquery as a value",
    "cross join",
    "cube",
    "distinct",
    "except",
    "except all",
    "exists",
    "first rows of an inner query",
    "full join",
    "group by",
    "grouping sets",
    "having",
    "in subquery",
    "inner join",
    "intersect",
    "intersect all",
    "join on the right of a join",
    "join: a condition on one side",
    "join: is not distinct from",
    "join: no equality",
    "join: other types",
    "lateral",
    "left join",
    "limit",
    "limit without order",
    "not exists",
    "not in subquery",
    "offset",
    "order by",
    "ordered aggregate",
    "qualify",
    "query in from",
    "recursive",
    "right join",
    "rollup",
    "scalar subquery",
    "semi join",
    "subquery as a value",
    "subquery in case",
    "subquery in having",
    "subquery in on",
    "subquery over a join or a query",
    "union",
    "union all",
    "what WITH named",
    "what WITH named, again",
    "where",
    "window",
    "with",
];
