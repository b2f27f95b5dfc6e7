//! `meshgate policy diff`: two versions of a domain's policies, compared by what
//! each persona sees of the same rows.

mod change;
mod compare;
mod report;
mod version;

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Args, ValueEnum};

use self::{
    change::{Change, Direction},
    version::Version,
};
use super::{day, offline::Offline, personas, report::unusable, workspace::Workspace};
use crate::{failure::Failure, format::Format, sql};

const COMMAND: &str = "diff";

#[derive(Debug, Args)]
pub(crate) struct DiffArguments {
    /// What there was before: a git revision, a domain's folder, or a policy file that stands for the one of its name.
    before: String,
    /// What there is now: the domain's folder, with node.yaml.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// The day, as YYYY-MM-DD; today if not given.
    #[arg(long, value_name = "DAY")]
    today: Option<NaiveDate>,
    /// End with code 1 if there is a change of this kind.
    #[arg(long, value_enum)]
    fail_on: Option<FailOn>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Somebody sees more.
    Loosening,
    /// Any difference.
    Change,
}

impl FailOn {
    fn means(self, change: &Change) -> bool {
        self == Self::Change || change.direction == Direction::Looser
    }
}

pub(crate) async fn run(arguments: DiffArguments) -> Result<(), Failure> {
    let now = match Workspace::open(&arguments.folder)? {
        Ok(workspace) => workspace,
        Err(problems) => return unusable(COMMAND, &problems, arguments.format),
    };
    let before = match Version::open(&arguments.before, &now)? {
        Ok(version) => version,
        Err(problems) => return unusable(COMMAND, &problems, arguments.format),
    };
    let mut problems = Vec::new();
    let callers = personas::of_repository(&now.folder, now.domain.mesh(), &mut problems);
    if !problems.is_empty() {
        return unusable(COMMAND, &problems, arguments.format);
    }
    if callers.is_empty() {
        let text = "there are no personas: write them into personas.yaml beside node.yaml";
        return Err(Failure::Usage(text.to_owned()));
    }
    let zone = now.domain.mesh().time_zone();
    let today = arguments.today.unwrap_or_else(|| day::today(zone));
    let instant =
        day::noon(today, zone).ok_or_else(|| Failure::Usage(format!("{today} is not a day here")))?;
    let folder = tempfile::tempdir().map_err(|error| Failure::Usage(error.to_string()))?;
    let offline = Offline::new()?;
    let data = now.domain.data();
    // The same rows for both, under each one's contracts.
    let (old_data, new_data) = (version::data(&before.workspace, &data), data);
    let old = offline.open(&before.workspace.domain, &old_data, instant, folder.path())?;
    let new = offline.open(&now.domain, &new_data, instant, folder.path())?;
    let mut changes = change::of_contracts(old.domain, new.domain);
    for caller in &callers {
        changes.extend(compare::caller(&old, &new, caller).await?);
    }
    changes.sort();
    sql::print(&match arguments.format {
        Format::Text => report::text(&changes),
        Format::Json => report::json(&changes, &today.to_string())?,
        Format::Junit => {
            let names: Vec<&str> = callers.iter().map(|caller| caller.persona.name.as_str()).collect();
            report::junit(&changes, &names, arguments.fail_on)
        }
    })?;
    verdict(&changes, arguments.fail_on)
}

fn verdict(changes: &[Change], fail_on: Option<FailOn>) -> Result<(), Failure> {
    let Some(fail_on) = fail_on else { return Ok(()) };
    let noun = if fail_on == FailOn::Loosening { "loosening" } else { "change" };
    match changes.iter().filter(|change| fail_on.means(change)).count() {
        0 => Ok(()),
        1 => Err(Failure::Found(format!("there is 1 {noun}"))),
        count => Err(Failure::Found(format!("there are {count} {noun}s"))),
    }
}
