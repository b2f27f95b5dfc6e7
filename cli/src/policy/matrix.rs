//! `meshgate policy matrix`: who sees what, as Markdown that can be committed,
//! compared and signed.

use std::{fmt::Write as _, fs, path::PathBuf};

use chrono::NaiveDate;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{
    day,
    offline::{Offline, Session},
    personas::{self, Caller},
    report::unusable,
    view::{Shown, View},
    workspace::Workspace,
};
use crate::{check::report::pretty, failure::Failure, format, mesh, sql};

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
    #[arg(long, value_name = "FILE", conflicts_with = "format")]
    check: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    /// A page with a table a table.
    #[default]
    Markdown,
    /// One JSON object.
    Json,
}

impl From<Format> for format::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Markdown => Self::Text,
            Format::Json => Self::Json,
        }
    }
}

/// Who sees what of one table.
struct Sheet<'d> {
    table: &'d str,
    columns: Vec<&'d str>,
    lines: Vec<Line<'d>>,
}

/// What one persona sees of it.
struct Line<'d> {
    persona: &'d str,
    rows: String,
    /// One a column.
    cells: Vec<String>,
}

pub(crate) async fn run(arguments: MatrixArguments) -> Result<(), Failure> {
    let workspace = match Workspace::open(&arguments.folder)? {
        Ok(workspace) => workspace,
        Err(problems) => return unusable("matrix", &problems, arguments.format.into()),
    };
    let mut problems = Vec::new();
    let callers = personas::of_repository(&workspace.folder, workspace.domain.mesh(), &mut problems);
    if !problems.is_empty() {
        return unusable("matrix", &problems, arguments.format.into());
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
    let sheets = sheets(&session, &callers).await;
    let matrix = match arguments.format {
        Format::Markdown => markdown(session.domain.name(), &sheets, today),
        Format::Json => pretty(&json!({
            "domain": session.domain.name(),
            "today": today.to_string(),
            "tables": sheets.iter().map(Sheet::json).collect::<Vec<_>>(),
        }))?,
    };
    match (&arguments.out, &arguments.check, committed) {
        (Some(file), _, _) => mesh::replace(file, &matrix),
        (_, Some(file), Some(committed)) => compare(file.display().to_string(), &committed, &matrix),
        _ => sql::print(&matrix),
    }
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

async fn sheets<'d>(session: &Session<'d>, callers: &'d [Caller]) -> Vec<Sheet<'d>> {
    let mut tables: Vec<_> = session.domain.tables().collect();
    tables.sort_unstable_by_key(|table| &table.name);
    let mut sheets = Vec::with_capacity(tables.len());
    for table in tables {
        let mut lines = Vec::with_capacity(callers.len());
        for caller in callers {
            lines.push(line(session, &table.name, caller).await);
        }
        let columns = table.columns.iter().map(|column| column.name.as_str()).collect();
        sheets.push(Sheet { table: &table.name, columns, lines });
    }
    sheets
}

async fn line<'d>(session: &Session<'_>, table: &str, caller: &'d Caller) -> Line<'d> {
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
    let cells = view.columns.iter().map(|(_, shown)| cell(shown)).collect();
    Line { persona: &caller.persona.name, rows, cells }
}

fn markdown(domain: &str, sheets: &[Sheet<'_>], today: NaiveDate) -> String {
    let mut text = format!("# Who sees what of `{domain}`\n\n{DAY}{today}, over the data of development. ");
    text.push_str(
        "Made by `meshgate policy matrix`; a change of policy changes this page.\n\n\
         `clear`: raw values. `masked`: no raw value, by the mask behind it. `partly`: raw in some rows. `-`: no such column or table.\n",
    );
    for Sheet { table, columns, lines } in sheets {
        let _ = write!(text, "\n## {table}\n\n");
        let _ = writeln!(text, "| persona | rows | {} |", columns.join(" | "));
        let _ = writeln!(text, "|---|---|{}", "---|".repeat(columns.len()));
        for Line { persona, rows, cells } in lines {
            let escaped: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
            let _ = writeln!(text, "| {persona} | {rows} | {} |", escaped.join(" | "));
        }
    }
    text
}

impl Sheet<'_> {
    fn json(&self) -> Value {
        let cells = |line: &Line<'_>| -> serde_json::Map<String, Value> {
            let cells = self.columns.iter().zip(&line.cells);
            cells.map(|(column, cell)| ((*column).to_owned(), cell.as_str().into())).collect()
        };
        let line =
            |line: &Line<'_>| json!({ "persona": line.persona, "rows": line.rows, "columns": cells(line) });
        json!({ "table": self.table, "personas": self.lines.iter().map(line).collect::<Vec<_>>() })
    }
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
