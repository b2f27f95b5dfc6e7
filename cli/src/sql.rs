//! `meshgate sql`: statements against a gateway, from the command line, a
//! file or standard input.

pub(crate) mod client;
pub(crate) mod output;
pub(crate) mod python;
mod session;
mod split;
mod table;
pub(crate) mod target;

use std::{
    fs,
    io::{self, IsTerminal, Read, Write},
    path::PathBuf,
};

use arrow_flight::FlightInfo;
use clap::Args;
use futures::TryStreamExt;

use crate::{failure::Failure, format::counted};
use client::{Client, Notice, PolicyCounts, QueryError};
use output::{Format, Output};
use target::Target;

pub(crate) use target::TargetArguments;

/// What `--python` asks for when no statement is given.
pub(crate) const SAMPLE_STATEMENT: &str = "select * from sales.orders where order_id <= 1008";
/// A script that is larger is more likely the wrong file.
const SCRIPT_BYTES: u64 = 4 << 20;

#[derive(Debug, Args)]
pub(crate) struct SqlArguments {
    /// Statements, separated by `;`.
    #[arg(short = 'c', long = "command", value_name = "SQL", conflicts_with = "file")]
    command: Option<String>,
    /// File with statements, separated by `;`. Without -c and -f they are read from standard input.
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    target: TargetArguments,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Print a Python script that asks the same, instead of asking.
    #[arg(long)]
    python: bool,
}

pub(crate) async fn run(arguments: SqlArguments) -> Result<(), Failure> {
    let target = Target::from_arguments(&arguments.target)?;
    if arguments.python {
        let statement = arguments.command.as_deref().unwrap_or(SAMPLE_STATEMENT);
        return print(&python::script(&target, statement));
    }
    let statements = split::statements(&read_statements(&arguments)?);
    if statements.is_empty() {
        return Err(Failure::Usage(
            "there is no statement; write one behind -c, or a file behind -f".to_owned(),
        ));
    }
    tokio::select! {
        // From before the first byte is sent.
        biased;
        // Dropping the client's stream cancels the query in the gateway and in every domain.
        _ = tokio::signal::ctrl_c() => Err(Failure::Cancelled),
        result = ask(&target, &statements, arguments.format) => result,
    }
}

/// The answer of an action.
pub(crate) async fn act(arguments: &TargetArguments, action: &str) -> Result<Vec<u8>, Failure> {
    let mut client = Client::connect(&Target::from_arguments(arguments)?).await?;
    Ok(client.act(action).await?)
}

async fn ask(target: &Target, statements: &[String], format: Format) -> Result<(), Failure> {
    let mut client = Client::connect(target).await?;
    for statement in statements {
        let info = client.execute(statement).await?;
        if info.endpoint.is_empty() {
            // A setting: there is nothing to read.
            eprintln!("Done.");
            continue;
        }
        let rows = print_result(&mut client, &info, format).await?;
        eprintln!("{}", footer(rows, Notice::of(&info).policies));
    }
    Ok(())
}

async fn print_result(client: &mut Client, info: &FlightInfo, format: Format) -> Result<u64, Failure> {
    let schema = info
        .clone()
        .try_decode_schema()
        .map_err(|error| Failure::Found(format!("the answer has no readable schema: {error}")))?;
    let mut output = Output::begin(format, io::stdout().lock(), &schema.into())?;
    let mut count = 0;
    if let Some(mut stream) = client.read(info).await? {
        while let Some(batch) = stream.try_next().await.map_err(QueryError::from)? {
            count += batch.num_rows() as u64;
            output.write(&batch)?;
        }
    }
    output.finish()?;
    Ok(count)
}

/// "8 rows. Policies applied: rows (2 rules), 2 columns masked. Why: EXPLAIN POLICY" Without it
/// people would think that the product loses data.
fn footer(rows: u64, policies: PolicyCounts) -> String {
    let mut applied = Vec::new();
    if policies.row_rules > 0 {
        applied.push(format!("rows ({})", counted(policies.row_rules, "rule")));
    }
    if policies.masked_columns > 0 {
        applied.push(format!("{} masked", counted(policies.masked_columns, "column")));
    }
    let rows = counted(rows, "row");
    if applied.is_empty() {
        return format!("{rows}.");
    }
    format!("{rows}. Policies applied: {}. Why: EXPLAIN POLICY", applied.join(", "))
}

fn read_statements(arguments: &SqlArguments) -> Result<String, Failure> {
    if let Some(text) = &arguments.command {
        return Ok(text.clone());
    }
    if let Some(path) = &arguments.file {
        let file = fs::File::open(path).map_err(|error| Failure::file("read", path, &error))?;
        return read_bounded(file, &path.display().to_string());
    }
    if io::stdin().is_terminal() {
        eprintln!("Write statements, each ended by `;`, then press Ctrl-D.");
    }
    read_bounded(io::stdin().lock(), "standard input")
}

fn read_bounded(source: impl Read, name: &str) -> Result<String, Failure> {
    let mut text = String::new();
    source
        .take(SCRIPT_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| Failure::Usage(format!("cannot read {name}: {error}")))?;
    if text.len() as u64 > SCRIPT_BYTES {
        return Err(Failure::Usage(format!("{name} is longer than 4 MiB; cut it into several files")));
    }
    Ok(text)
}

pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut target = io::stdout().lock();
    target.write_all(text.as_bytes()).and_then(|()| target.flush()).map_err(|error| Failure::output(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_footer_counts_rules() {
        let policies = |row_rules, masked_columns| PolicyCounts { row_rules, masked_columns };
        assert_eq!(
            footer(8, policies(2, 2)),
            "8 rows. Policies applied: rows (2 rules), 2 columns masked. Why: EXPLAIN POLICY"
        );
        assert_eq!(footer(1, policies(1, 0)), "1 row. Policies applied: rows (1 rule). Why: EXPLAIN POLICY");
        assert_eq!(
            footer(0, policies(0, 1)),
            "0 rows. Policies applied: 1 column masked. Why: EXPLAIN POLICY"
        );
        assert_eq!(footer(3, PolicyCounts::default()), "3 rows.");
    }

    #[test]
    fn a_script_that_is_too_long_is_refused() {
        let long = io::repeat(b' ').take(SCRIPT_BYTES + 10);
        assert!(matches!(read_bounded(long, "x"), Err(Failure::Usage(_))));
        assert_eq!(read_bounded("select 1".as_bytes(), "x").unwrap(), "select 1");
    }
}
