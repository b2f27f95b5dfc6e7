//! Wrong answers that are built in on purpose: a search that never found anything proves nothing.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow_flight::FlightData;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::encode::FlightDataEncoderBuilder;
use futures::stream::iter;
use futures::{FutureExt, TryStreamExt};
use meshgate_tests::mesh::Taps;
use meshgate_tests::tap::Answer;

use crate::proofs::keys::Keys;
use crate::proofs::settings::Counters;

use super::another_engine;
use super::court::Court;
use super::world::{DOMAINS, World};

/// Worlds that the search may need.
const WORLDS: u64 = 10;
const QUESTIONS: usize = 60;

/// What comes from the second domain, changed.
fn taps(change: fn(&RecordBatch) -> RecordBatch) -> Taps {
    let alter = move |domain: &str, answer: Answer| {
        if domain == DOMAINS[1] { altered(answer, change) } else { answer }
    };
    Taps::Altered(Arc::new(alter))
}

async fn assert_found(what: &str, change: fn(&RecordBatch) -> RecordBatch) {
    let keys = Keys::of(&DOMAINS);
    let mut counters = Counters::default();
    for seed in 1..=WORLDS {
        let world = World::random(seed);
        let court = Court::open(&world, &keys, taps(change)).await;
        let found = court.judge(QUESTIONS, &mut counters).await;
        court.close().await;
        if let Some(first) = found.first() {
            println!("{what}: found within {} comparisons", counters.get("comparisons"));
            println!("{}", first.chars().take(1200).collect::<String>());
            return;
        }
    }
    panic!("{what} is not found in {} comparisons", counters.get("comparisons"));
}

/// The same schema, and each batch of rows changed.
fn altered(answer: Answer, change: fn(&RecordBatch) -> RecordBatch) -> Answer {
    if answer.end.is_err() || answer.messages.is_empty() {
        return answer;
    }
    let schema = answer.messages[0].clone();
    // Nothing in these streams waits.
    let messages = iter(answer.messages.into_iter().map(Ok));
    let batches: Vec<RecordBatch> = FlightRecordBatchStream::new_from_flight_data(messages)
        .try_collect()
        .now_or_never()
        .expect("all messages are there")
        .expect("a right answer");
    let changed = iter(batches.iter().map(|batch| Ok(change(batch))).collect::<Vec<_>>());
    let encoded: Vec<FlightData> = FlightDataEncoderBuilder::new()
        .build(changed)
        .try_collect()
        .now_or_never()
        .expect("all batches are there")
        .expect("batches can be encoded");
    let rows = encoded.into_iter().filter(|message| {
        arrow::ipc::root_as_message(&message.data_header)
            .is_ok_and(|message| message.header_as_record_batch().is_some())
    });
    Answer { messages: std::iter::once(schema).chain(rows).collect(), end: Ok(()) }
}

fn without_last_row(batch: &RecordBatch) -> RecordBatch {
    batch.slice(0, batch.num_rows().saturating_sub(1))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_that_loses_a_row_is_found() {
    assert_found("a lost row", without_last_row).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_that_loses_a_row_is_found_by_another_engine() {
    let (world, keys) = (World::ordinary(1), Keys::of(&DOMAINS));
    let mut counters = Counters::default();
    let found =
        another_engine::compare(&world, QUESTIONS, &keys, taps(without_last_row), &mut counters).await;
    assert!(!found.is_empty(), "not in {} comparisons", counters.get("compared"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_that_gives_a_row_twice_is_found() {
    assert_found("a row that comes twice", |batch| {
        let rows: UInt32Array = (0..u32::try_from(batch.num_rows()).unwrap()).chain(0..1).collect();
        if batch.num_rows() == 0 { batch.clone() } else { picked(batch, batch.num_columns(), &rows) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_that_gives_a_cell_of_another_row_is_found() {
    assert_found("a cell of another row", |batch| {
        let count = u32::try_from(batch.num_rows()).unwrap();
        let rows: UInt32Array = (0..count).map(|row| (row + 1) % count).collect();
        picked(batch, 1, &rows)
    })
    .await;
}

/// The first columns with these rows; the others as they are.
fn picked(batch: &RecordBatch, columns: usize, rows: &UInt32Array) -> RecordBatch {
    let change = |(at, column): (usize, &ArrayRef)| {
        if at < columns { take(column, rows, None).unwrap() } else { Arc::clone(column) }
    };
    let columns: Vec<ArrayRef> = batch.columns().iter().enumerate().map(change).collect();
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(batch.schema(), columns, &options).unwrap()
}
