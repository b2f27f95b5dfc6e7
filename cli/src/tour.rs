//! `meshgate tour`: walks through the demo and checks each line of the walk.

mod edit;
mod lines;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use arrow_flight::FlightInfo;
use chrono::{NaiveDate, TimeDelta};
use clap::Args;
use futures::TryStreamExt;
use tokio::{net::TcpStream, time::timeout};
use tonic::Code;

use crate::{
    demo::{self, Demo, data, state},
    failure::Failure,
    sql::{
        self,
        client::{Client, QueryError},
        output::{self, Format, Output},
        target::Target,
    },
};
use lines::{Answer, LINES, Line, Refusal};

/// A demo that runs answers at once.
const ALIVE_TIME: Duration = Duration::from_secs(1);
/// A change of policy takes effect within a second; on a busy machine in some more.
const EDIT_TIME: Duration = Duration::from_secs(10);
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(crate) struct TourArguments {
    /// Folder of a running demo, if it is not the last one started. Without any, the tour starts its own.
    #[arg(long, value_name = "DIR")]
    demo: Option<PathBuf>,
}

/// What came back.
enum Outcome {
    Rows(SchemaRef, Vec<RecordBatch>),
    Error(QueryError),
}

pub(crate) async fn run(arguments: TourArguments) -> Result<(), Failure> {
    let running = match &arguments.demo {
        Some(folder) => Some(state::read(folder)?),
        None => last_running().await,
    };
    if let Some(state) = running {
        return interruptible(walk(&state)).await;
    }
    sql::print("No demo runs; the tour starts one for itself.\n")?;
    let demo = interruptible(Demo::start(None, None, 0)).await?;
    let outcome = interruptible(walk(&demo.state)).await;
    demo.stop().await;
    outcome
}

async fn interruptible<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::select! {
        outcome = work => outcome,
        _ = tokio::signal::ctrl_c() => Err(Failure::Cancelled),
    }
}

async fn last_running() -> Option<state::DemoState> {
    let state = state::read_last().ok()?;
    let address: SocketAddr = state.gateway.address.parse().ok()?;
    timeout(ALIVE_TIME, TcpStream::connect(address)).await.ok()?.ok()?;
    Some(state)
}

async fn walk(state: &state::DemoState) -> Result<(), Failure> {
    let quarter = state.made.quarter;
    if data::quarter_start(demo::today()) != quarter {
        return Err(Failure::Usage(format!(
            "this demo was made in the quarter of {quarter}, whose embargo is over; make a new one in another folder"
        )));
    }
    let mut differences = 0;
    let mut answers = 0;
    for (position, line) in LINES.iter().enumerate() {
        sql::print(&format!("\n{}. {}\n", position + 1, line.title))?;
        let edited = match &line.edit {
            Some(edit) => Some((columns(state, line).await?, edit.make(&state.directory)?)),
            None => None,
        };
        for (persona, expected) in line.answers {
            answers += 1;
            if !ask_and_check(state, line, persona, expected).await? {
                differences += 1;
            }
        }
        if let Some((columns_before, edited)) = edited {
            drop(edited);
            wait_for(state, line, &columns_before).await?;
        }
        sql::print(&format!("   {}\n", line.says))?;
    }
    if differences > 0 {
        return Err(Failure::Found(format!(
            "{differences} of {answers} answers are not what they should be"
        )));
    }
    sql::print(&format!("\nAll {answers} answers are what they should be.\n"))
}

/// The columns of a line's answers, for each who asks.
async fn columns(state: &state::DemoState, line: &Line) -> Result<Vec<Vec<u8>>, Failure> {
    let mut columns = Vec::with_capacity(line.answers.len());
    for (persona, _) in line.answers {
        let mut client = Client::connect(&Target::of_demo(state, persona)?).await?;
        columns.push(client.execute(line.ask).await?.schema.to_vec());
    }
    Ok(columns)
}

/// Waits until an edit that was undone is out of force: what is asked next is not to meet it.
async fn wait_for(state: &state::DemoState, line: &Line, columns_before: &[Vec<u8>]) -> Result<(), Failure> {
    let started = Instant::now();
    while columns(state, line).await? != columns_before {
        if started.elapsed() > EDIT_TIME {
            return Err(Failure::Found("an edit that was undone is still in force".to_owned()));
        }
        tokio::time::sleep(BETWEEN_QUESTIONS).await;
    }
    Ok(())
}

/// Prints the answer; `false` if it is not the expected one.
async fn ask_and_check(
    state: &state::DemoState,
    line: &Line,
    persona: &str,
    expected: &Answer,
) -> Result<bool, Failure> {
    let set = line.set.map_or_else(String::new, |set| format!("{set}; "));
    sql::print(&format!("\n   {persona}> {set}{}\n", line.ask))?;
    let mut client = Client::connect(&Target::of_demo(state, persona)?).await?;
    let started = Instant::now();
    let (outcome, difference) = loop {
        let outcome = match set_and_ask(&mut client, line).await {
            Ok((schema, batches)) => Outcome::Rows(schema, batches),
            Err(error) => Outcome::Error(error),
        };
        let difference = difference(&outcome, expected, state.made.quarter)?;
        let is_late = line.edit.is_none() || started.elapsed() > EDIT_TIME;
        if difference.is_none() || is_late {
            break (outcome, difference);
        }
        tokio::time::sleep(BETWEEN_QUESTIONS).await;
    };
    sql::print(&indented(&shown(&outcome)?))?;
    if let Some(difference) = &difference {
        sql::print(&indented(&format!("NOT AS EXPECTED: {difference}\n")))?;
    }
    Ok(difference.is_none())
}

async fn set_and_ask(client: &mut Client, line: &Line) -> Result<(SchemaRef, Vec<RecordBatch>), QueryError> {
    if let Some(set) = line.set {
        client.execute(set).await?;
    }
    ask(client, line.ask).await
}

async fn ask(client: &mut Client, statement: &str) -> Result<(SchemaRef, Vec<RecordBatch>), QueryError> {
    let info = client.execute(statement).await?;
    read(client, &info).await
}

async fn read(client: &mut Client, info: &FlightInfo) -> Result<(SchemaRef, Vec<RecordBatch>), QueryError> {
    let schema = info.clone().try_decode_schema().map_err(|error| QueryError {
        code: None,
        message: format!("the answer has no readable schema: {error}"),
    })?;
    let batches = match client.read(info).await? {
        Some(stream) => stream.try_collect().await?,
        None => Vec::new(),
    };
    Ok((schema.into(), batches))
}

fn shown(outcome: &Outcome) -> Result<String, Failure> {
    let (schema, batches) = match outcome {
        Outcome::Rows(schema, batches) => (schema, batches),
        Outcome::Error(error) => return Ok(format!("{}\n", error.message)),
    };
    let mut text = Vec::new();
    let mut output = Output::begin(Format::Table, &mut text, schema)?;
    for batch in batches {
        output.write(batch)?;
    }
    output.finish()?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// `None` if the outcome is the expected one.
fn difference(outcome: &Outcome, expected: &Answer, quarter: NaiveDate) -> Result<Option<String>, Failure> {
    match (outcome, expected) {
        (Outcome::Rows(schema, batches), Answer::Rows(expected)) => {
            let expected = with_days(expected, quarter);
            let actual = as_csv(schema, batches)?;
            Ok((!is_answer(&actual, &expected)).then(|| format!("it should be\n{expected}")))
        }
        (Outcome::Error(error), Answer::Refused(refusal)) => {
            let fits = error.code.is_some_and(|code| refusal.fits(code, &error.message));
            Ok((!fits).then(|| format!("it should be an error of the class {refusal:?}")))
        }
        (Outcome::Error(_), Answer::Rows(_)) => Ok(Some("it should be rows".to_owned())),
        (Outcome::Rows(..), Answer::Refused(refusal)) => {
            Ok(Some(format!("it should be refused: {refusal:?}")))
        }
    }
}

/// Cell by cell. `{anna}` stands for a pseudonym, which every demo has its own of:
/// equal names for equal ones, different names for different ones.
fn is_answer(actual: &str, expected: &str) -> bool {
    let cells = |text: &str| -> Vec<Vec<String>> {
        text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
    };
    let (actual, expected) = (cells(actual), cells(expected));
    let shapes_fit = actual.iter().map(Vec::len).eq(expected.iter().map(Vec::len));
    let mut pseudonyms = BTreeMap::new();
    let mut cells = actual.iter().flatten().zip(expected.iter().flatten());
    let all_fit = cells.all(|(actual, expected)| match is_pseudonym_name(expected) {
        true => is_pseudonym(actual) && pseudonyms.entry(expected).or_insert(actual) == &actual,
        false => actual == expected,
    });
    let different: BTreeSet<_> = pseudonyms.values().collect();
    shapes_fit && all_fit && different.len() == pseudonyms.len()
}

fn is_pseudonym_name(cell: &str) -> bool {
    cell.starts_with('{') && cell.ends_with('}')
}

/// A number that no row of the demo holds in clear.
fn is_pseudonym(cell: &str) -> bool {
    cell.parse().is_ok_and(|number: u64| number > u64::from(u32::MAX))
}

fn as_csv(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<String, Failure> {
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let mut lines = vec![names.join(",")];
    for batch in batches {
        for row in output::rows(batch)? {
            let cells: Vec<String> =
                row.into_iter().map(|cell| cell.unwrap_or_else(|| "NULL".to_owned())).collect();
            lines.push(cells.join(","));
        }
    }
    Ok(lines.join("\n"))
}

/// Puts dates for `{-40}` and the like. Names in braces stay.
fn with_days(text: &str, quarter: NaiveDate) -> String {
    let mut dated = String::new();
    for (position, piece) in text.split('{').enumerate() {
        match piece.split_once('}') {
            Some((days, rest)) if position > 0 => {
                let day = days
                    .parse()
                    .ok()
                    .and_then(TimeDelta::try_days)
                    .and_then(|days| quarter.checked_add_signed(days));
                // Writing to a String does not fail.
                let _ = write!(
                    dated,
                    "{}{rest}",
                    day.map_or_else(|| format!("{{{days}}}"), |day| day.to_string())
                );
            }
            _ => dated.push_str(piece),
        }
    }
    dated
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("   {line}\n")).collect()
}

impl Refusal {
    fn fits(self, code: Code, message: &str) -> bool {
        match self {
            Self::NoSuchTable => code == Code::NotFound,
            Self::NoSuchColumn => {
                code == Code::InvalidArgument && message.contains("margin") && !message.contains("works for")
            }
            Self::NeedsPurpose => {
                code == Code::InvalidArgument && message.contains("works for `fraud-investigation`")
            }
            Self::PurposeNotGranted => code == Code::PermissionDenied,
            Self::DivisionByZero => code == Code::InvalidArgument && message.contains("zero"),
            Self::NotAQuery => matches!(code, Code::InvalidArgument | Code::Unimplemented),
        }
    }
}
