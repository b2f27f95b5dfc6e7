//! Random worlds: whatever a caller asks the mesh, the answer is that of one plain engine over
//! exactly the cells that the oracle leaves to this caller.
//!
//! `MESHGATE_DIFFERENTIAL_SEED` and `MESHGATE_DIFFERENTIAL_WORLDS` choose other worlds; a
//! difference is reported with the seed of its world, which alone shows it again.
//! `MESHGATE_DIFFERENTIAL_SQL` asks one statement instead of the random ones.

pub(crate) mod answer;
mod policy;
mod predicate;
mod query;
mod random;
mod reference;
mod scope;
mod shapes;
mod tables;
mod world;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use self::answer::Answer;
use self::query::{Query, Writer};
use self::random::Random;
use self::reference::{Oracle, Reference};
use self::world::World;

/// Worlds with these seeds are always tried, and one with a seed of the clock.
const FIRST_SEED: u64 = 1;
const WORLDS: u64 = 10;
const QUERIES: usize = 40;
/// Reported differences, each with its world.
const REPORTS: usize = 6;

type Counters = BTreeMap<&'static str, usize>;

#[tokio::test(flavor = "multi_thread")]
async fn random_queries_equal_one_engine_over_what_the_oracle_leaves() {
    let chosen = number("MESHGATE_DIFFERENTIAL_SEED");
    let worlds = number("MESHGATE_DIFFERENTIAL_WORLDS");
    let first = chosen.unwrap_or(FIRST_SEED);
    let count = worlds.unwrap_or(if chosen.is_some() { 1 } else { WORLDS });
    let mut seeds: Vec<u64> = (first..first.saturating_add(count)).collect();
    if chosen.is_none() {
        let fresh = u64::try_from(chrono::Utc::now().timestamp_millis()).unwrap();
        println!("fresh seed: MESHGATE_DIFFERENTIAL_SEED={fresh}");
        seeds.push(fresh);
    }
    let (mut counters, mut differences) = (Counters::new(), Vec::new());
    for seed in seeds {
        run_world(seed, &mut counters, &mut differences).await;
    }
    for (name, count) in &counters {
        println!("{count:6} {name}");
    }
    let shown: String = differences.iter().take(REPORTS).map(String::as_str).collect();
    assert!(differences.is_empty(), "{} differences\n{shown}", differences.len());
    if chosen.is_none() {
        assert_covered(&counters);
    }
}

async fn run_world(seed: u64, counters: &mut Counters, differences: &mut Vec<String>) {
    println!("world {seed}");
    let world = World::random(seed);
    let mesh = world.plan().start().await;
    let oracle = Oracle::read(mesh.directory.path(), &world);
    let references: Vec<Reference> =
        world.callers.iter().map(|claims| oracle.reference(&world, claims)).collect();
    let mut clients = Vec::new();
    for claims in &world.callers {
        clients.push(mesh.client(claims).await);
    }
    let mut random = Random::new(!seed);
    let chosen = std::env::var("MESHGATE_DIFFERENTIAL_SQL").ok();
    for _ in 0..if chosen.is_some() { 1 } else { QUERIES } {
        let query = match &chosen {
            Some(sql) => Query { sql: sql.clone(), is_ordered: false, constructs: Vec::new() },
            None => write_query(&mut random, &references),
        };
        for construct in &query.constructs {
            *counters.entry(construct).or_default() += 1;
        }
        for (at, reference) in references.iter().enumerate() {
            let expected = reference.answer(&query.sql).await;
            let actual = Answer::of_mesh(&mut clients[at], &query.sql).await;
            *counters.entry(expected.class()).or_default() += 1;
            if !expected.equals(&actual, query.is_ordered) {
                let first = differences.iter().all(|earlier| !earlier.contains(&header(seed)));
                differences.push(report(&world, at, &query, (&expected, &actual), first));
            }
        }
    }
    mesh.stop().await;
}

/// A query that is meant for one of the callers; the others ask it too.
fn write_query(random: &mut Random, references: &[Reference]) -> Query {
    let target = &references[random.below(references.len())];
    let writer = Writer { random, tables: &target.visible, hidden: &target.hidden, constructs: Vec::new() };
    writer.query()
}

fn header(seed: u64) -> String {
    format!("MESHGATE_DIFFERENTIAL_SEED={seed}\n")
}

fn report(world: &World, caller: usize, query: &Query, answers: (&Answer, &Answer), first: bool) -> String {
    let mut text = format!("\n=== {}caller: {}\n{}\n", header(world.seed), world.callers[caller], query.sql);
    let _ = write!(text, "  expected: {}  mesh: {}", answers.0.shown(), answers.1.shown());
    if first {
        text += &world.documents();
    }
    text
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// A comparison shows something only if it reaches everything.
fn assert_covered(counters: &Counters) {
    for (construct, least) in [
        ("answer: rows", 500),
        ("answer: no rows", 100),
        ("answer: refused", 100),
        ("answer: failed", 5),
        ("aggregate filter", 1),
        ("aggregates of all rows", 1),
        ("case", 1),
        ("cast that may fail", 1),
        ("correlated aggregate", 1),
        ("derived table", 1),
        ("distinct", 1),
        ("division that is guarded", 1),
        ("division that may fail", 1),
        ("except", 1),
        ("except all", 1),
        ("exists", 1),
        ("full join", 1),
        ("group by", 1),
        ("having", 1),
        ("hidden column", 1),
        ("in subquery", 1),
        ("inner join", 1),
        ("intersect", 1),
        ("intersect all", 1),
        ("join across domains", 1),
        ("join of three", 1),
        ("left join", 1),
        ("limit", 1),
        ("missing column", 1),
        ("missing table", 1),
        ("not exists", 1),
        ("not in subquery", 1),
        ("offset", 1),
        ("order by", 1),
        ("right join", 1),
        ("scalar subquery", 1),
        ("select *", 1),
        ("self join", 1),
        ("try_cast", 1),
        ("union", 1),
        ("union all", 1),
        ("where", 1),
        ("window", 1),
        ("with", 1),
        ("with, used twice", 1),
    ] {
        let count = counters.get(construct).copied().unwrap_or_default();
        assert!(count >= least, "{construct}: {count}, at least {least} are expected");
    }
}
