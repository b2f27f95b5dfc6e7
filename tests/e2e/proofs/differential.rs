//! Random worlds: whatever a caller asks the mesh, the answer is that of one plain engine over
//! exactly the cells that the oracle leaves to this caller. And no message of the mesh, neither to
//! the caller nor from a node to the gateway, holds a text that the caller may not see.

use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use futures::future::join_all;
use meshgate_tests::client::Client;
use meshgate_tests::mesh::Mesh;

use super::answer::Answer;
use super::features::features;
use super::keys::Keys;
use super::planted::Nodes;
use super::query::{Query, Writer};
use super::random::Random;
use super::reference::Reference;
use super::secrets::Secrets;
use super::settings::{Counters, Settings};
use super::shrink::{Case, shrink};
use super::sight::{Oracle, Sight};
use super::world::{World, connect};

const WORLDS: u64 = 18;
const QUESTIONS: usize = 42;
/// Smaller cases that are tried.
const TRIES: usize = 600;
/// Reported differences.
const REPORTS: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn random_queries_equal_one_engine_over_what_the_oracle_leaves() {
    let settings = Settings::read(WORLDS, QUESTIONS);
    let (keys, mut counters, mut differences) = (Keys::new(), Counters::default(), Vec::new());
    for seed in &settings.seeds {
        let world = World::random(*seed);
        differences.extend(judge(&world, settings.questions, &keys, Nodes::Shipped, &mut counters).await);
    }
    counters.print();
    let shown: String = differences.iter().take(REPORTS).map(String::as_str).collect();
    assert!(differences.is_empty(), "{} differences\n{shown}", differences.len());
    if !settings.is_chosen {
        assert_covered(&counters);
    }
}

/// Not a test by itself: `MESHGATE_SEED` and `MESHGATE_SQL` name a failure, which is made small.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a tool: see docs/proofs.md"]
async fn shrink_a_difference() {
    let settings = Settings::read(1, QUESTIONS);
    let sql = std::env::var("MESHGATE_SQL").expect("MESHGATE_SQL: a statement that shows a difference");
    let is_ordered = sql.contains(" order by 1");
    let keys = Keys::new();
    let case = Case { world: World::random(settings.seeds[0]), sql, is_ordered };
    let small = shrink(case, TRIES, async |case: &Case| !differences(case, &keys).await.is_empty()).await;
    let found = differences(&small, &keys).await;
    assert!(!found.is_empty(), "MESHGATE_SQL shows no difference in the world of MESHGATE_SEED");
    println!("{}", found[0]);
    for table in &small.world.tables {
        println!("{}.{}\n{:?}", table.domain, table.name, table.rows());
    }
}

/// Differences of one statement in one world; a world that is none has none.
async fn differences(case: &Case, keys: &Keys) -> Vec<String> {
    if !case.world.loads() {
        return Vec::new();
    }
    let judged = async {
        let mut court = Court::open(&case.world, keys, Nodes::Shipped).await;
        let query = Query {
            sql: case.sql.clone(),
            is_ordered: case.is_ordered,
            some_of: None,
            constructs: Vec::new(),
        };
        let mut found = court.judge(&query, &mut Counters::default()).await;
        court.mesh.stop().await;
        if let Some(first) = found.first_mut() {
            *first += &case.world.documents();
        }
        found
    };
    AssertUnwindSafe(judged).catch_unwind().await.unwrap_or_default()
}

/// The differences that queries show in one world; the search of a planted leak is content with one.
pub(crate) async fn judge(
    world: &World,
    questions: usize,
    keys: &Keys,
    nodes: Nodes,
    counters: &mut Counters,
) -> Vec<String> {
    let mut random = Random::new(!world.seed);
    let mut court = Court::open(world, keys, nodes).await;
    let chosen = std::env::var("MESHGATE_SQL").ok();
    let mut differences = Vec::new();
    counters.hit("worlds");
    let before = counters.get("comparisons");
    for _ in 0..if chosen.is_some() { 1 } else { questions } {
        let query = match &chosen {
            Some(sql) => Query { sql: sql.clone(), is_ordered: false, some_of: None, constructs: Vec::new() },
            None => court.query(&mut random),
        };
        for construct in &query.constructs {
            counters.hit(construct);
        }
        let found = court.judge(&query, counters).await;
        differences.extend(found);
        if differences.len() >= REPORTS || (nodes != Nodes::Shipped && !differences.is_empty()) {
            break;
        }
    }
    for feature in features(world) {
        counters.add(feature, counters.get("comparisons") - before);
    }
    counters.add("joins that told keys", told_keys(&court.mesh));
    court.mesh.stop().await;
    if let Some(first) = differences.first_mut() {
        *first += &world.documents();
    }
    differences
}

/// How many statements told a domain keys of another one.
pub(super) fn told_keys(mesh: &Mesh) -> usize {
    let audit = std::fs::read_to_string(mesh.path("audit.jsonl")).unwrap_or_default();
    audit.lines().filter(|record| record.contains("\"disclosed\":[")).count()
}

/// A mesh, and for each of its callers what is right.
struct Court<'a> {
    world: &'a World,
    mesh: Mesh,
    parties: Vec<Party>,
}

/// One caller.
struct Party {
    sight: Sight,
    reference: Reference,
    secrets: Secrets,
    client: Client,
}

impl<'a> Court<'a> {
    async fn open(world: &'a World, keys: &Keys, nodes: Nodes) -> Self {
        let mut plan = world.plan();
        plan.keys = Some(keys.path());
        plan.taps = nodes.taps(world);
        let mesh = plan.start().await;
        let oracle = Oracle::read(mesh.directory.path(), world);
        world.damage(mesh.directory.path());
        let mut parties = Vec::new();
        for claims in &world.callers {
            let sight = oracle.sight(world, claims);
            let reference = Reference::new(world.zone, &sight);
            let secrets = Secrets::new(world, &sight);
            parties.push(Party { sight, reference, secrets, client: connect(&mesh, claims).await });
        }
        Self { world, mesh, parties }
    }

    /// A query that is meant for one of the callers; the others ask it too.
    fn query(&self, random: &mut Random) -> Query {
        let target = &self.parties[random.below(self.parties.len())].sight;
        Writer::new(random, target).query()
    }

    async fn judge(&mut self, query: &Query, counters: &mut Counters) -> Vec<String> {
        let asked = self.parties.iter_mut().map(async |party| {
            let sql = query.some_of.as_ref().map_or(&query.sql, |(all, _)| all);
            let expected = party.reference.answer(sql).await;
            (expected, Answer::of_mesh(&mut party.client, &query.sql).await)
        });
        let answers = join_all(asked).await;
        let exchanges = self.mesh.exchanges();
        let mut differences = Vec::new();
        for (at, (expected, (actual, messages))) in answers.iter().enumerate() {
            counters.hit("comparisons");
            counters.hit(expected.class());
            let secrets = &self.parties[at].secrets;
            let leak = secrets.find(messages).or_else(|| secrets.find_in(&exchanges, counters));
            let is_right = match &query.some_of {
                Some((_, count)) => expected.holds(actual, *count),
                None => expected.equals(actual, query.is_ordered),
            };
            let is_right = is_right || self.may_be_damaged(query, actual);
            if let Some(leak) = leak {
                differences.push(self.report(at, query, &leak));
            } else if !is_right {
                let both = format!("expected: {}  mesh: {}", expected.shown(), actual.shown());
                differences.push(self.report(at, query, &both));
            }
        }
        differences
    }

    /// A table with a cell that cannot be read is unavailable to whoever needs the cell.
    fn may_be_damaged(&self, query: &Query, actual: &Answer) -> bool {
        self.world.damaged().is_some_and(|table| {
            let sentence = format!("Unavailable: table `{table}` cannot be read now: ask the domain's owner");
            query.sql.contains(&table)
                && matches!(actual, Answer::Broken(text) if text.starts_with(&sentence))
        })
    }

    fn report(&self, at: usize, query: &Query, found: &str) -> String {
        let World { seed, callers, .. } = self.world;
        let mut text = String::new();
        let _ = write!(text, "\n=== MESHGATE_SEED={seed} caller: {}\n{}\n  {found}", callers[at], query.sql);
        text
    }
}

/// A comparison shows something only if it reaches everything.
fn assert_covered(counters: &Counters) {
    for (construct, least) in [
        ("answer: rows", 500),
        ("answer: no rows", 100),
        ("answer: refused", 100),
        ("answer: failed", 5),
        ("aggregate filter", 1),
        ("anti join", 1),
        ("cross join", 1),
        ("cube", 1),
        ("grouping sets", 1),
        ("limit without order", 1),
        ("rollup", 1),
        ("semi join", 1),
        ("subquery as a value", 1),
        ("subquery in case", 1),
        ("subquery in having", 1),
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
        ("disclosure", 1),
        ("exists", 1),
        ("joins that told keys", 20),
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
        ("caller: a purpose", 1),
        ("grant with purpose", 1),
        ("unless with purpose", 1),
        ("in_lookup", 1),
        ("not in_lookup", 1),
        ("lookup as policy", 1),
        ("lookup as caller", 1),
        ("mask: pseudonym", 1),
        ("mask: bucket", 1),
        ("mask: round", 1),
        ("mask: email_domain", 1),
        ("now()", 1),
        ("tag pinned to a column", 1),
        ("type struct", 1),
        ("type list of structs", 1),
        ("a field with a tag of its own", 1),
        ("a field with a classification of its own", 1),
        ("grant with a mask inside a column", 1),
        ("restriction: mask inside a column", 1),
    ] {
        let count = counters.get(construct);
        assert!(count >= least, "{construct}: {count}, at least {least} are expected");
    }
}
