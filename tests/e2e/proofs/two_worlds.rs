//! Two worlds that differ in nothing but what one caller may not see: hidden rows, hidden
//! columns, raw values under masks that show the same. Whatever the caller asks, it is told the
//! same bytes in both, and the same bytes leave the nodes on its behalf.
//!
//! Ids, times and seals aside. Where threads decide the order of rows, the rows must be the same
//! and every buffer of every column must hold the same values, those under NULLs included.

use std::collections::{BTreeMap, BTreeSet};

use meshgate_tests::client::Client;
use meshgate_tests::mesh::Mesh;
use meshgate_tests::tap::Exchange;
use prost::Message;

use super::differential::told_keys;
use super::keys::Keys;
use super::observe::Told;
use super::planted::Nodes;
use super::query::Writer;
use super::random::Random;
use super::request::Request;
use super::settings::{Counters, Settings};
use super::sight::{Oracle, Sight};
use super::tables::DOMAINS;
use super::twin::twin;
use super::world::{World, connect};

const WORLDS: u64 = 25;
const QUESTIONS: usize = 120;
/// Times that both worlds are asked before their answers count as different: under load, batches come in many orders,
/// and with them what the engine leaves under the NULLs of outer joins, which are values of other rows of the answer.
const ATTEMPTS: usize = 12;
/// Reported differences.
const REPORTS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_may_not_see_makes_no_difference() {
    let settings = Settings::read(WORLDS, QUESTIONS);
    let (keys, mut counters, mut differences) = (Keys::new(), Counters::default(), Vec::new());
    for seed in &settings.seeds {
        differences.extend(compare(*seed, settings.questions, &keys, Nodes::Shipped, &mut counters).await);
    }
    counters.print();
    let shown: String = differences.iter().take(REPORTS).map(String::as_str).collect();
    assert!(differences.is_empty(), "{} differences\n{shown}", differences.len());
    if !settings.is_chosen {
        assert_covered(&counters);
    }
}

/// The differences between one pair of worlds; the search of a planted leak is content with one.
pub(crate) async fn compare(
    seed: u64,
    questions: usize,
    keys: &Keys,
    nodes: Nodes,
    counters: &mut Counters,
) -> Vec<String> {
    let world = nodes.world(seed);
    let mut random = Random::new(!seed);
    let first = start(&world, keys, nodes).await;
    let oracle = Oracle::read(first.directory.path(), &world);
    world.damage(first.directory.path());
    let claims = random.pick(&world.callers);
    let sight = oracle.sight(&world, &claims);
    let (other, changes) = twin(&world, &oracle, &oracle.callers(&claims), &mut random);
    let second = start(&other, keys, nodes).await;
    other.damage(second.directory.path());
    counters.hit("worlds");
    counters.add("changed cells", changes.cells);
    counters.add("changed cells of visible rows", changes.masked_cells);
    counters.add("hidden rows gone", changes.rows_gone);
    counters.add("hidden rows more", changes.rows_more);
    // Where all rows are the caller's, a limit reads no more than it needs, and may tell which row cannot be read.
    let of_limits = world
        .damage
        .filter(|damage| !oracle.hides_rows(&oracle.callers(&claims), &world.tables[damage.table]));
    let limited = of_limits.and_then(|_| world.damaged());
    let mut sides = [Side::new(first, &claims).await, Side::new(second, &claims).await];
    let mut differences = Vec::new();
    for _ in 0..questions {
        let request = random_request(&mut random, &sight, counters);
        counters.hit("pairs");
        counters.hit(request.name());
        let Some(difference) = differ(&mut sides, &request, limited.as_deref(), counters).await else {
            continue;
        };
        differences.push(format!("\n=== MESHGATE_SEED={seed} caller: {claims}\n{request:?}\n{difference}"));
        if nodes != Nodes::Shipped || differences.len() >= REPORTS {
            break;
        }
    }
    let [first, second] = sides;
    counters.add("joins that told keys", told_keys(&first.mesh));
    first.mesh.stop().await;
    second.mesh.stop().await;
    differences
}

async fn start(world: &World, keys: &Keys, nodes: Nodes) -> Mesh {
    let mut plan = world.plan();
    plan.keys = Some(keys.path());
    plan.taps = nodes.taps(world);
    plan.start().await
}

/// A mesh and the caller's connection to it.
struct Side {
    mesh: Mesh,
    client: Client,
}

/// What came of one request: for the caller, and from the nodes.
struct Came {
    told: Told,
    /// By what the nodes were asked.
    left: BTreeMap<Vec<u8>, Vec<Told>>,
}

impl Side {
    async fn new(mesh: Mesh, claims: &serde_json::Value) -> Self {
        let client = connect(&mesh, claims).await;
        Self { mesh, client }
    }

    async fn ask(&mut self, request: &Request) -> Came {
        // What an earlier request left behind: the gateway does not wait for what it gave up.
        self.mesh.exchanges();
        let told = request.ask(&mut self.client).await;
        let mut left: BTreeMap<_, Vec<Told>> = BTreeMap::new();
        for exchange in self.mesh.exchanges() {
            left.entry(asked(&exchange)).or_default().push(answered(&exchange));
        }
        for answers in left.values_mut() {
            answers.sort();
        }
        Came { told, left }
    }
}

/// How the worlds differ on a request, if they do: all that came of it in one world and never in
/// the other. `limited` is a table of which a limit may or may not reach the row that cannot be read.
async fn differ(
    sides: &mut [Side; 2],
    request: &Request,
    limited: Option<&str>,
    counters: &mut Counters,
) -> Option<String> {
    let mut seen = [Seen::default(), Seen::default()];
    for attempt in 0..ATTEMPTS {
        for (side, seen) in sides.iter_mut().zip(&mut seen) {
            let came = side.ask(request).await;
            if attempt == 0 {
                counters.hit(if came.told.is_error() { "answer: error" } else { "answer: result" });
                counters.add("answers of nodes", came.left.len());
            }
            seen.add(came);
        }
        if seen[0].difference(&seen[1]).is_none() {
            counters.add("asked again", usize::from(attempt > 0));
            let [first, second] = &seen;
            let are_equal = !first.told.is_disjoint(&second.told);
            counters.hit(if are_equal { "the same bytes" } else { "the same rows in another order" });
            return None;
        }
    }
    let [first, second] = seen;
    // Which rows LIMIT without ORDER BY gives is open, and follows from how fast the files are read; only
    // how many there are is not. That they are rows of the right answer, the other search asserts.
    if request.is_open() && (first.is_open() || second.is_open() || first.has_as_many_rows(&second)) {
        counters.hit("any rows are right");
        return None;
    }
    let is_limited = request.is_open() && limited.is_some_and(|table| request.reads(table));
    if is_limited && first.is_error() != second.is_error() {
        counters.hit("a limit did or did not reach a row that cannot be read");
        return None;
    }
    first.difference(&second)
}

/// What came of a request each time that it was asked.
#[derive(Default)]
struct Seen {
    told: BTreeSet<Told>,
    left: BTreeMap<Vec<u8>, BTreeSet<Vec<Told>>>,
}

impl Seen {
    fn add(&mut self, came: Came) {
        self.told.insert(came.told);
        for (asked, answers) in came.left {
            self.left.entry(asked).or_default().insert(answers);
        }
    }

    fn difference(&self, other: &Self) -> Option<String> {
        let shown = |one: &Told, other: &Told| {
            format!("  one world:\n{}  the other:\n{}", one.shown(), other.shown())
        };
        for (asked, answers) in &self.left {
            // The gateway may have had enough before it asked.
            let Some(others) = other.left.get(asked) else { continue };
            let alike = |one: &Vec<Told>| others.iter().any(|other| all_alike(one, other));
            if !answers.iter().any(alike) {
                let (one, other) = (answers.first()?.first()?, others.first()?.first()?);
                return Some(format!("  a node, asked {}\n{}", asked.escape_ascii(), shown(one, other)));
            }
        }
        let alike = |one: &Told| other.told.iter().any(|other| one.is_alike(other));
        let (one, two) = (self.told.first()?, other.told.first()?);
        (!self.told.iter().any(alike)).then(|| shown(one, two))
    }

    fn has_as_many_rows(&self, other: &Self) -> bool {
        let pairs = self.left.iter().filter_map(|(asked, answers)| Some((answers, other.left.get(asked)?)));
        let nodes = pairs.flat_map(|(answers, others)| answers.iter().flatten().zip(others.iter().flatten()));
        nodes.chain(self.told.iter().zip(&other.told)).all(|(one, two)| one.has_as_many_rows(two))
    }

    /// Did it end in an error, each time?
    fn is_error(&self) -> bool {
        self.told.iter().all(Told::is_error)
    }

    /// Is it open what comes of the request?
    fn is_open(&self) -> bool {
        self.told.len() > 1
    }
}

/// Answers to one question. How many there are is open: the gateway takes back what it has no need of any more.
fn all_alike(answers: &[Told], others: &[Told]) -> bool {
    let has_each =
        |some: &[Told], all: &[Told]| some.iter().all(|one| all.iter().any(|own| own.is_alike(one)));
    has_each(answers, others) && has_each(others, answers)
}

/// A domain and the query that its node was asked, without its instant.
fn asked(exchange: &Exchange) -> Vec<u8> {
    let mut query = exchange.query();
    query.instant = 0;
    [exchange.domain.as_bytes(), b" ", &query.encode_to_vec()].concat()
}

fn answered(exchange: &Exchange) -> Told {
    let mut told = Told::default();
    for message in &exchange.answer.messages {
        told.message(message);
    }
    match &exchange.answer.end {
        Ok(()) => super::observe::end(&mut told),
        Err(status) => told.status(status),
    }
    told
}

fn random_request(random: &mut Random, sight: &Sight, counters: &mut Counters) -> Request {
    let names =
        [sight.hidden.clone(), sight.visible.iter().map(|t| (t.name.clone(), String::new())).collect()];
    let (table, _) = random.pick(&names.concat());
    let (domain, table) = table.split_once('.').expect("domain and table");
    match random.below(20) {
        0 => Request::Flights,
        1 => random.pick(&[Request::Catalogs, Request::Schemas, Request::TableTypes]),
        2 => {
            let pattern = random.pick(&[None, Some("%".to_owned()), Some(table.to_owned())]);
            Request::Tables { include_schema: random.chance(70), pattern }
        }
        3 => Request::PrimaryKeys { domain: domain.to_owned(), table: table.to_owned() },
        4 => Request::Path(vec![random.pick(&DOMAINS).to_owned(), table.to_owned()]),
        other => {
            let query = Writer::new(random, sight).query();
            for construct in &query.constructs {
                counters.hit(construct);
            }
            match other {
                5 | 6 if query.some_of.is_none() => Request::Prepared(query.sql),
                7 => Request::Schema(query.sql),
                _ => Request::Statement { sql: query.sql, is_open: query.some_of.is_some() },
            }
        }
    }
}

/// A comparison shows something only if there is something that could make a difference.
fn assert_covered(counters: &Counters) {
    for (what, least) in [
        ("pairs", 3000),
        ("answer: result", 1500),
        ("answer: error", 100),
        ("answers of nodes", 1500),
        ("the same bytes", 2400),
        ("changed cells", 5000),
        ("changed cells of visible rows", 500),
        ("hidden rows gone", 100),
        ("hidden rows more", 50),
        ("catalogs", 10),
        ("tables", 50),
        ("primary keys", 50),
        ("ListFlights", 50),
        ("GetSchema", 50),
        ("prepared statement", 100),
        ("joins that told keys", 5),
        ("path", 50),
    ] {
        let count = counters.get(what);
        assert!(count >= least, "{what}: {count}, at least {least} are expected");
    }
}
