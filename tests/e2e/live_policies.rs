//! Policies that change while the mesh runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use meshgate_tests::client::Client;
use meshgate_tests::mesh::{Mesh, Taps};
use meshgate_tests::{eventually_async, fixture};

const LIMIT: Duration = Duration::from_secs(5);

async fn sees(client: &mut Client, sql: &str) -> Option<usize> {
    client.query(sql).await.ok().map(|result| result.rows.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a064_a_change_takes_effect_and_a_broken_file_changes_nothing() {
    let mesh = fixture::leaks().start().await;
    let file = mesh.path("sales/policies/sales.yaml");
    let original = std::fs::read_to_string(&file).unwrap();
    let sql = "select id, note from sales.orders";
    let mut alice = mesh.client(&fixture::alice()).await;
    assert_eq!(sees(&mut alice, sql).await, None);

    // A ticket from before the change.
    let before = alice.plan("select id from sales.orders").await.unwrap();

    std::fs::write(&file, original.replace("amount, card], rows", "amount, card, note], rows")).unwrap();
    eventually_async("the grant", LIMIT, async || (sees(&mut alice, sql).await == Some(3)).then_some(()))
        .await;

    std::fs::write(&file, "domain: sales\ngrants: [ { nonsense").unwrap();
    for _ in 0..20 {
        assert_eq!(sees(&mut alice, sql).await, Some(3), "a064: the last good policy stays");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    std::fs::write(&file, original.replace("subjects: [alice]", "subjects: [nobody]")).unwrap();
    eventually_async("the refusal", LIMIT, async || sees(&mut alice, sql).await.is_none().then_some(()))
        .await;
    let ticket = before.endpoint[0].ticket.clone().unwrap();
    assert!(alice.messages(ticket).await.is_err(), "a067: an old ticket gets the policy of now");

    std::fs::write(&file, &original).unwrap();
    let sql = "select id from sales.orders";
    eventually_async("the grant again", LIMIT, async || {
        (sees(&mut alice, sql).await == Some(3)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a065_a_policy_that_cannot_be_read_at_start_denies_its_domain_only() {
    let mut plan = fixture::leaks();
    let broken = plan.files.iter_mut().find(|(path, _)| path == "sales/policies/sales.yaml").unwrap();
    broken.1 = b"domain: sales\ngrants: [ { id: x".to_vec();
    let mesh = plan.start_unready().await;
    let mut auditor = mesh.client(&fixture::auditor()).await;
    eventually_async("the other domains", LIMIT, async || {
        (sees(&mut auditor, "select id from fin.ledger").await == Some(2)).then_some(())
    })
    .await;
    assert_eq!(sees(&mut auditor, "select id from sales.orders").await, None);
}

/// Both servers learn of a change at moments of their own: the node first of
/// its owner's, the gateway first of the operator's. While they differ, a
/// query waits, is planned again, or says so. It never mixes versions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a063_while_policies_flip_every_result_is_of_one_version() {
    const QUERIES: usize = 10_000;
    const CLIENTS: usize = 16;
    let mut plan = fixture::leaks();
    plan.gateway_lines = "limits: { per_principal: 64 }\n".to_owned();
    // Nodes of another engine are asked for each occurrence of a table: two queries with a permit each.
    plan.taps = Taps::OtherEngine;
    let mesh = Arc::new(plan.start().await);
    let flipping = Flipping::start(Arc::clone(&mesh));
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let client = mesh.client(&fixture::alice()).await;
        tasks.spawn(ask(client, QUERIES / CLIENTS));
    }
    let (mut seen, mut again) = ([0; 3], 0);
    while let Some(asked) = tasks.join_next().await {
        let (of, to_be_run_again) = asked.unwrap();
        seen.iter_mut().zip(of).for_each(|(sum, count)| *sum += count);
        again += to_be_run_again;
    }
    let flips = flipping.stop();
    eprintln!(
        "of {QUERIES} queries in {:?} and {flips} changes, {seen:?} gave a version and {again} were to be run again",
        started.elapsed()
    );
    let answered = seen.iter().sum::<usize>();
    assert_eq!(answered + again, QUERIES);
    assert!(mesh.exchanges().len() >= 2 * answered, "each side is a query of its own");
    assert!(flips >= 8 && seen.iter().all(|count| *count > 0), "{seen:?}, {again} to be run again");
    assert!(again < QUERIES / 20, "{seen:?}, {again} to be run again");
}

/// How often each version was seen, and how often a query was to be run again.
async fn ask(mut client: Client, queries: usize) -> ([usize; 3], usize) {
    let sql =
        "select 'l' as side, id, card from sales.orders union all select 'r', id, card from sales.orders";
    let (mut seen, mut again) = ([0; 3], 0);
    for _ in 0..queries {
        match client.query(sql).await {
            Ok(result) => {
                let rows = result.sorted().rows;
                let version = VERSIONS.iter().position(|version| rows == both_sides(version));
                let version = version.unwrap_or_else(|| panic!("of no version: {rows:?}"));
                seen[version] += 1;
            }
            Err(status) => {
                assert!(status.message().contains("run it again"), "{status:?}");
                again += 1;
            }
        }
    }
    (seen, again)
}

type Version = &'static [(&'static str, Option<&'static str>)];

/// What alice sees: the owner's first policy, the same under the operator's
/// restriction, the owner's second policy.
const VERSIONS: [Version; 3] = [
    &[("1", Some("************1111")), ("2", Some("************2222")), ("5", None)],
    &[("1", Some("***")), ("2", Some("***")), ("5", Some("***"))],
    &[("3", Some("***")), ("4", Some("***"))],
];

fn both_sides(version: Version) -> Vec<Vec<Option<String>>> {
    let row = |side: &str, (id, card): &(&str, Option<&str>)| {
        vec![Some(side.to_owned()), Some((*id).to_owned()), card.map(str::to_owned)]
    };
    ["l", "r"].iter().flat_map(|side| version.iter().map(|cells| row(side, cells))).collect()
}

/// Changes policies until it is stopped.
struct Flipping {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<usize>,
}

impl Flipping {
    fn start(mesh: Arc<Mesh>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        Self { stop, thread: std::thread::spawn(move || flip(&mesh, &stopped)) }
    }

    /// How many changes there were.
    fn stop(self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

/// Bursts of changes that are never settled, and between them a version that
/// stays until it is read.
fn flip(mesh: &Mesh, stopped: &AtomicBool) -> usize {
    let owner = mesh.path("sales/policies/sales.yaml");
    let policy = std::fs::read_to_string(&owner).unwrap();
    let other_policy = policy.replace("region = 'EU'", "region = 'US'").replace("last(4)", "redact");
    let other_mesh = fixture::MESH.replace(
        "restrictions: []",
        "restrictions: [ { id: cards, why: A test., columns: { classification: [restricted] }, mask: redact } ]",
    );
    assert!(policy != other_policy && fixture::MESH != other_mesh);
    let changes: [&dyn Fn(); 4] = [
        &|| mesh.publish(&other_mesh),
        &|| std::fs::write(&owner, &other_policy).unwrap(),
        &|| mesh.publish(fixture::MESH),
        &|| std::fs::write(&owner, &policy).unwrap(),
    ];
    let mut flips = 0;
    for change in changes.iter().cycle() {
        for pause in [30, 30, 30, 900] {
            if stopped.load(Ordering::SeqCst) {
                return flips;
            }
            change();
            std::thread::sleep(Duration::from_millis(pause));
        }
        flips += 1;
    }
    flips
}
