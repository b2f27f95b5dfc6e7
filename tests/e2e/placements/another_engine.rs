//! The same kind of statements, held against DuckDB: what the engine in the mesh and the same engine beside it
//! share in error, another engine does not.
//!
//! Tables have types, and numbers of a size, that both engines compute with in the same way. What either does not
//! answer says nothing, and is counted: they differ in what they can plan, and in which errors they find.

use std::path::Path;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use meshgate_tests::client::Client;
use meshgate_tests::duckdb::{Reply, difference, replies_to};
use meshgate_tests::mesh::Taps;
use serde_json::json;

use crate::proofs::answer::Answer;
use crate::proofs::keys::Keys;
use crate::proofs::query::Query;
use crate::proofs::random::Random;
use crate::proofs::settings::{Counters, Settings};

use super::author::Author;
use super::court::REPORTS;
use super::placed::placed;
use super::world::{DOMAINS, UNPLACED, World};

const WORLDS: u64 = 5;
const QUESTIONS: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn statements_equal_another_engine() {
    let settings = Settings::read(WORLDS, QUESTIONS);
    let (keys, mut counters, mut differences) = (Keys::of(&DOMAINS), Counters::default(), Vec::new());
    for seed in &settings.seeds {
        let world = World::ordinary(*seed);
        differences.extend(compare(&world, settings.questions, &keys, world.taps(), &mut counters).await);
    }
    counters.print();
    let shown: String = differences.iter().take(REPORTS).map(String::as_str).collect();
    assert!(differences.is_empty(), "{} differences\n{shown}", differences.len());
    if !settings.is_chosen {
        let (statements, compared) = (counters.get("statements"), counters.get("compared"));
        assert!(
            100 * compared >= 90 * statements,
            "{compared} of {statements} statements are answered by both"
        );
        assert!(100 * counters.get("compared: rows") >= 40 * statements, "few statements have rows");
    }
}

/// The differences that `questions` random statements show.
pub(super) async fn compare(
    world: &World,
    questions: usize,
    keys: &Keys,
    taps: Taps,
    counters: &mut Counters,
) -> Vec<String> {
    let mut random = Random::new(!world.seed);
    let queries = statements(world, questions, &mut random);
    let mut plan = world.plan();
    plan.keys = Some(keys.path());
    plan.taps = taps;
    let mesh = plan.start().await;
    let mut client = mesh.client(&json!({ "sub": "ada" })).await;
    let replies = replies_of_duckdb(&queries, &world.copy(mesh.directory.path()));
    let mut differences = Vec::new();
    for (query, reply) in queries.iter().zip(&replies) {
        let placed = placed(&mut random, world.domains, &[&query.sql]).swap_remove(0);
        if let Some(difference) = judge(&mut client, &placed, query.is_ordered, reply, counters).await {
            let report = format!(
                "\n=== MESHGATE_SEED={} MESHGATE_SQL=\"{}\"\n  placed: {placed}\n{difference}",
                world.seed, query.sql
            );
            println!("{report}");
            differences.push(report);
        }
        drop(mesh.exchanges());
    }
    mesh.stop().await;
    differences
}

fn statements(world: &World, count: usize, random: &mut Random) -> Vec<Query> {
    if let Ok(chosen) = std::env::var("MESHGATE_SQL") {
        let query = |sql: &str| Query {
            sql: sql.trim().to_owned(),
            is_ordered: false,
            some_of: None,
            constructs: Vec::new(),
        };
        return chosen.split(';').map(query).collect();
    }
    let tables = world.visible();
    let statement = |_| {
        let query = Author::new(random, &tables).statement();
        // Any rows of a statement are right under a limit without an order: all of them are asked for.
        match query.some_of {
            Some((sql, _)) => Query { sql, some_of: None, ..query },
            None => query,
        }
    };
    (0..count).map(statement).collect()
}

fn replies_of_duckdb(queries: &[Query], folder: &Path) -> Vec<Reply> {
    let texts: Vec<String> = queries.iter().map(|query| in_words_of_duckdb(&query.sql)).collect();
    replies_to(&texts.iter().map(String::as_str).collect::<Vec<_>>(), folder)
}

fn in_words_of_duckdb(sql: &str) -> String {
    let words = [(" left semi join ", " semi join "), (" left anti join ", " anti join ")];
    let sql = sql.replace(&format!("{UNPLACED}."), "");
    words.iter().fold(sql, |sql, (own, other)| sql.replace(own, other))
}

/// How the answer of the mesh differs from that of DuckDB, if both have one.
async fn judge(
    client: &mut Client,
    sql: &str,
    is_ordered: bool,
    reply: &Reply,
    counters: &mut Counters,
) -> Option<String> {
    counters.hit("statements");
    let answer = Answer::of_mesh(client, sql).await.0;
    let (Answer::Rows { result, .. }, Ok(expected)) = (&answer, reply) else {
        let is_answered = reply.is_ok();
        counters.hit(match &answer {
            Answer::Broken(_) => return Some(format!("  mesh: {}", answer.shown())),
            Answer::Rows { .. } => "only the mesh answers",
            Answer::Refused(_) if is_answered => "the mesh refuses",
            Answer::Failed(_) if is_answered => "it fails in the mesh",
            Answer::Refused(_) | Answer::Failed(_) => "neither answers",
        });
        if std::env::var("MESHGATE_SHOW").is_ok() {
            println!("--- {sql}\n  mesh: {}  duckdb: {reply:?}", answer.shown());
        }
        return None;
    };
    counters.hit("compared");
    counters.hit(if expected.is_empty() { "compared: no rows" } else { "compared: rows" });
    let (mut own, mut other) = (plain(&result.rows), plain(expected));
    if !is_ordered {
        own.sort();
        other.sort();
    }
    // Averages of decimals are cut off where DuckDB's go on; rows with one have no order.
    if own == other || !is_ordered && difference(&other, &own).is_none() {
        return None;
    }
    let shown = |rows: &[Vec<Option<String>>], others: &[Vec<Option<String>>]| {
        let only = rows.iter().filter(|row| !others.contains(row)).take(8);
        only.map(|row| format!("    {row:?}\n")).collect::<String>()
    };
    Some(format!(
        "  mesh: {} rows, only here:\n{}  DuckDB: {} rows, only here:\n{}",
        own.len(),
        shown(&own, &other),
        other.len(),
        shown(&other, &own)
    ))
}

fn plain(rows: &[Vec<Option<String>>]) -> Vec<Vec<Option<String>>> {
    rows.iter().map(|row| row.iter().map(|cell| cell.as_deref().map(plain_cell)).collect()).collect()
}

/// The same text for what is the same: a date and its midnight, numbers of different scales.
fn plain_cell(text: &str) -> String {
    let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN);
    let moment = text.parse().map(midnight).or_else(|_| text.replacen(' ', "T", 1).parse::<NaiveDateTime>());
    let text =
        moment.map_or_else(|_| text.to_owned(), |moment| moment.and_utc().timestamp_micros().to_string());
    match (text.parse::<f64>(), text.as_str()) {
        (Ok(number), _) if number.abs() < 0.000_000_5 => "0.000000".to_owned(),
        (Ok(number), _) => format!("{number:.6}"),
        (_, "True") => "true".to_owned(),
        (_, "False") => "false".to_owned(),
        _ => text,
    }
}
