//! `meshgate policy matrix`: who sees what, as Markdown that can be committed,
//! compared and signed.

use std::{fmt::Write as _, fs, path::PathBuf};

use chrono::NaiveDate;
use clap::Args;
use meshgate_policies::yaml::Problem;

use super::{
    day,
    offline::{Offline, Session},
    personas::{self, Caller},
    view::{Shown, View},
    workspace::Workspace,
};
use crate::{failure::Failure, mesh, problems::ProblemWriter, sql};

/// How the line with the day begins.
const DAY: &str = "As of ";

#[derive(Debug, Args)]
pub(crate) struct MatrixArguments {
    /// The domain's folder, with node.yaml.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// The day, as YYYY-MM-DD; today if not given, or that of the file to check.
    #[arg(long, value_name = "DAY")]
    today: Option<NaiveDate>,
    /// Write to this file.
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    out: Option<PathBuf>,
    /// Fail if this file does not say what is so on its day.
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
}

pub(crate) async fn run(arguments: MatrixArguments) -> Result<(), Failure> {
    let workspace = match Workspace::open(&arguments.folder)? {
        Ok(workspace) => workspace,
        Err(problems) => return unusable(&problems),
    };
    let mut problems = Vec::new();
    let callers = personas::of_repository(&workspace, &mut problems);
    if !problems.is_empty() {
        return unusable(&problems);
    }
    if callers.is_empty() {
        let text = "there are no personas: write them into personas.yaml beside node.yaml";
        return Err(Failure::Usage(text.to_owned()));
    }
    let committed = match &arguments.check {
        Some(file) => Some(fs::read_to_string(file).map_err(|error| Failure::file("read", file, &error))?),
        None => None,
    };
    let zone = workspace.domain.mesh().time_zone();
    let written = committed.as_deref().and_then(day_of);
    let today = arguments.today.or(written).unwrap_or_else(|| day::today(zone));
    let instant =
        day::noon(today, zone).ok_or_else(|| Failure::Usage(format!("{today} is not a day here")))?;
    let folder = tempfile::tempdir().map_err(|error| Failure::Usage(error.to_string()))?;
    let offline = Offline::new()?;
    let session = offline.open(&workspace.domain, &workspace.domain.data(), instant, folder.path())?;
    let matrix = markdown(&session, &callers, today).await;
    match (&arguments.out, &arguments.check, committed) {
        (Some(file), _, _) => mesh::replace(file, &matrix),
        (_, Some(file), Some(committed)) => compare(file.display().to_string(), &committed, &matrix),
        _ => sql::print(&matrix),
    }
}

pub(super) fn unusable(problems: &[Problem]) -> Result<(), Failure> {
    sql::print(&ProblemWriter::default().all(problems))?;
    Err(Failure::Usage("the files cannot be used".to_owned()))
}

fn day_of(matrix: &str) -> Option<NaiveDate> {
    let line = matrix.lines().find_map(|line| line.strip_prefix(DAY))?;
    line.split([' ', ',', '.']).next()?.parse().ok()
}

fn compare(file: String, committed: &str, matrix: &str) -> Result<(), Failure> {
    if committed == matrix {
        return Ok(());
    }
    let differing = (1..).zip(committed.lines().zip(matrix.lines())).find(|(_, (left, right))| left != right);
    let (line, said) = match differing {
        Some((line, (_, now))) => (line, now),
        None => (committed.lines().count().min(matrix.lines().count()) + 1, "another number of lines"),
    };
    Err(Failure::Found(format!(
        "{file}:{line}: this is not what the policies say any more; it is now\n{said}\nlook at the difference, and write it with `meshgate policy matrix --out {file}`"
    )))
}

async fn markdown(session: &Session<'_>, callers: &[Caller], today: NaiveDate) -> String {
    let domain = session.domain;
    let mut text =
        format!("# Who sees what of `{}`\n\n{DAY}{today}, over the data of development. ", domain.name());
    text.push_str(
        "Made by `meshgate policy matrix`; a change of policy changes this page.\n\n\
         `clear`: raw values. `masked`: no raw value, by the mask behind it. `partly`: raw in some rows. `-`: no such column or table.\n",
    );
    let mut tables: Vec<&str> = domain.tables().map(|table| table.name.as_str()).collect();
    tables.sort_unstable();
    for table in tables {
        let _ = write!(text, "\n## {table}\n\n");
        let mut lines = Vec::with_capacity(callers.len());
        for caller in callers {
            lines.push(line(session, table, caller).await);
        }
        let columns = domain.table(table).map(|table| table.columns.as_slice()).unwrap_or_default();
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let _ = writeln!(text, "| persona | rows | {} |", names.join(" | "));
        let _ = writeln!(text, "|---|---|{}", "---|".repeat(names.len()));
        for line in lines {
            let _ = writeln!(text, "| {} |", line.join(" | "));
        }
    }
    text
}

async fn line(session: &Session<'_>, table: &str, caller: &Caller) -> Vec<String> {
    let view = View::new(session, table, caller);
    let rows = match (&view.decision, view.rows(session, table).await) {
        (None, _) => "-".to_owned(),
        (Some(_), Some(rows)) => format!("{} of {}", rows.visible, rows.total),
        (Some(decision), None) if decision.rows.is_none() => "all".to_owned(),
        (Some(_), None) => "by rules".to_owned(),
    };
    let cell = |shown: &Shown| match shown {
        Shown::Absent => "-".to_owned(),
        Shown::Partly(mask) => Shown::Masked(mask.clone()).words().replacen("masked", "partly", 1),
        shown => shown.words(),
    };
    let cells = view.columns.iter().map(|(_, shown)| cell(shown).replace('|', "\\|"));
    [caller.persona.name.clone(), rows].into_iter().chain(cells).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_of_a_matrix_is_read_again() {
        let day = |text: &str| day_of(text).map(|day| day.to_string());
        assert_eq!(day("# x\n\nAs of 2026-11-23, over the data.\n").as_deref(), Some("2026-11-23"));
        assert_eq!(day("# x\n"), None);
    }
}
