//! `meshgate audit`: what owners and operators do with audit logs.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use meshgate_engine::audit::{
    Anchor, Report,
    shadow::{Summary, summaries},
    verify,
};
use meshgate_policies::Digest;

use crate::{
    failure::Failure,
    format::{TextOrJson, counted},
    sql,
};

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Find out whether records were changed, removed, added or cut off.
    Verify(VerifyArguments),
    /// Sum up what a candidate for the policies would have decided otherwise.
    Shadow(ShadowArguments),
}

#[derive(Debug, Args)]
pub(crate) struct ShadowArguments {
    /// Audit logs of gateways and nodes.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    format: TextOrJson,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// Audit logs as `audit.file` names them. The files that were put aside are looked at with each.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The files are a part of a log: what is missing at its ends is not looked for.
    #[arg(long)]
    part: bool,
    /// The last record as an earlier verification printed it: finds a log that was written anew. For one FILE.
    #[arg(long, value_name = "NUMBER:DIGEST", value_parser = anchor)]
    seen: Option<Anchor>,
}

fn anchor(text: &str) -> Result<Anchor, String> {
    let parsed = text.split_once(':').and_then(|(number, digest)| {
        Some(Anchor { number: number.parse().ok()?, digest: Digest::from_hex(digest)? })
    });
    parsed.ok_or_else(|| "write NUMBER:DIGEST as it was printed".to_owned())
}

pub(crate) fn run(command: &AuditCommand) -> Result<(), Failure> {
    match command {
        AuditCommand::Verify(arguments) => verify_all(arguments),
        AuditCommand::Shadow(arguments) => sum_up(arguments),
    }
}

type Summaries = BTreeMap<String, Summary>;

fn sum_up(arguments: &ShadowArguments) -> Result<(), Failure> {
    let mut logs: BTreeMap<String, Summaries> = BTreeMap::new();
    for file in &arguments.files {
        if !file.is_file() {
            return Err(Failure::Usage(format!("there is no audit log {}", file.display())));
        }
        let found = summaries(file).map_err(|error| Failure::file("read", file, &error))?;
        logs.insert(file.display().to_string(), found);
    }
    sql::print(&match arguments.format {
        TextOrJson::Text => logs.iter().map(|(log, found)| summary_text(log, found)).collect(),
        TextOrJson::Json => format!("{}\n", serde_json::json!(logs)),
    })
}

fn summary_text(log: &str, found: &Summaries) -> String {
    if found.is_empty() {
        return format!("{log}: no query was compared with a candidate\n");
    }
    let mut text = String::new();
    for (candidate, summary) in found {
        let (domain, digest) = candidate.split_once(' ').unwrap_or((candidate, ""));
        let digest: String = digest.chars().take(12).collect();
        text += &format!(
            "{log}: domain {domain}, candidate {digest}: {}, {} of them the same\n",
            counted(summary.queries, "query"),
            summary.same
        );
        for (table, of_table) in &summary.tables {
            text += &format!(
                "  {table}: {} would be refused, {} allowed, {} changed (of {})\n",
                of_table.refused,
                of_table.allowed,
                of_table.changed,
                listed(&people(&of_table.subjects))
            );
            let columns = [
                ("gained", &of_table.gained),
                ("lost", &of_table.lost),
                ("shown otherwise", &of_table.masked),
            ];
            for (what, columns) in columns.into_iter().filter(|(_, columns)| !columns.is_empty()) {
                text += &format!("    columns {what}: {}\n", listed(columns));
            }
            if of_table.other_rows > 0 {
                let queries = counted(of_table.other_rows, "query");
                text += &format!("    rows would be decided otherwise for {queries}\n");
            }
            for (what, counts) in [("lost", &of_table.rows_lost), ("gained", &of_table.rows_gained)] {
                let counts = counts.iter().filter(|(magnitude, _)| *magnitude != "0");
                let counts: Vec<String> = counts
                    .map(|(magnitude, times)| format!("{magnitude} ({})", counted(*times, "time")))
                    .collect();
                if !counts.is_empty() {
                    text += &format!("    rows {what}: {}\n", counts.join(", "));
                }
            }
        }
    }
    text
}

/// Whoever is named `subject (issuer)`, without the issuer if all are of the same.
fn people(named: &BTreeSet<String>) -> BTreeSet<String> {
    let parts = || named.iter().filter_map(|name| name.rsplit_once(" ("));
    let issuers: BTreeSet<&str> = parts().map(|(_, issuer)| issuer).collect();
    if issuers.len() == 1 { parts().map(|(subject, _)| subject.to_owned()).collect() } else { named.clone() }
}

/// Names, and how many more there are.
fn listed(names: &BTreeSet<String>) -> String {
    const SHOWN: usize = 20;
    // Subjects are what tokens say.
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| name.escape_debug().to_string()).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn verify_all(arguments: &VerifyArguments) -> Result<(), Failure> {
    if arguments.seen.is_some() && arguments.files.len() > 1 {
        return Err(Failure::Usage("--seen is of one log: name one file".to_owned()));
    }
    let mut broken = 0;
    for file in &arguments.files {
        let report = verify(file, arguments.part, arguments.seen)
            .map_err(|error| Failure::file("read", file, &error))?;
        if report.files == 0 && report.findings.is_empty() {
            return Err(Failure::Usage(format!("there is no audit log {}", file.display())));
        }
        sql::print(&told(file, &report))?;
        broken += usize::from(!report.findings.is_empty());
    }
    match broken {
        0 => Ok(()),
        _ => Err(Failure::Found(format!("{broken} of {} audit logs are not whole", arguments.files.len()))),
    }
}

fn told(file: &Path, report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        let line = if finding.line > 0 { format!(":{}", finding.line) } else { String::new() };
        text += &format!("{}{line}: {}\n", finding.file.display(), finding.found);
    }
    let whole = if report.findings.is_empty() { "whole" } else { "not whole" };
    let (first, last) = (report.first.unwrap_or_default(), report.last);
    text += &format!("{}: {} records in {} files, {whole}", file.display(), report.lines, report.files);
    if let Some(last) = last {
        text += &format!("; from {first} to {}:{}", last.number, last.digest);
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use meshgate_engine::audit::{AuditFile, AuditSettings};

    use super::*;

    fn arguments(file: &Path) -> VerifyArguments {
        VerifyArguments { files: vec![file.to_owned()], part: false, seen: None }
    }

    #[test]
    fn issuers_are_named_where_there_are_several() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(people(&set(&["anna (a) (i)", "bob (i)"])), set(&["anna (a)", "bob"]));
        assert_eq!(people(&set(&["anna (i)", "anna (j)"])), set(&["anna (i)", "anna (j)"]));
        assert_eq!(people(&set(&[])), set(&[]));
        assert_eq!(listed(&set(&["a\u{1b}[2J"])), "a\\u{1b}[2J");
    }

    #[test]
    fn a_log_is_whole_until_somebody_changes_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        {
            let log = AuditFile::open(&AuditSettings::at(&path)).unwrap();
            for _ in 0..3 {
                log.append(b"{\"rows\":1}".to_vec()).unwrap();
            }
        }
        verify_all(&arguments(&path)).unwrap();
        let report = verify(&path, false, None).unwrap();
        let said = told(&path, &report);
        let last = said.trim_end().rsplit(" to ").next().unwrap().to_owned();
        assert_eq!(anchor(&last), Ok(report.last.unwrap()));
        verify_all(&VerifyArguments { seen: report.last, ..arguments(&path) }).unwrap();

        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("\"rows\":1", "\"rows\":0", 1)).unwrap();
        assert!(matches!(verify_all(&arguments(&path)), Err(Failure::Found(_))));
        let said = told(&path, &verify(&path, false, None).unwrap());
        assert!(said.contains("a.jsonl:2: record 1 is not what it was when record 2 was written"), "{said}");
        assert!(said.ends_with(&format!("in 1 files, not whole; from 1 to {last}\n")), "{said}");
    }

    #[test]
    fn what_cannot_be_looked_at_is_wrong_usage() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("none/a.jsonl");
        assert!(matches!(verify_all(&arguments(&missing)), Err(Failure::Usage(_))));
        let part = VerifyArguments { part: true, ..arguments(&folder.path().join("a.jsonl")) };
        assert!(matches!(verify_all(&part), Err(Failure::Usage(_))));
        assert!(anchor("7").is_err() && anchor("x:00").is_err());
        let seen = anchor(&format!("7:{}", Digest::of(b"x"))).unwrap();
        let two = VerifyArguments { files: vec![missing.clone(), missing], part: false, seen: Some(seen) };
        assert!(matches!(verify_all(&two), Err(Failure::Usage(_))));
    }
}
