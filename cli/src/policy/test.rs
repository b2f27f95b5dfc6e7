//! `meshgate policy test`.

use std::{collections::BTreeSet, path::PathBuf};

use clap::Args;
use meshgate_domain_node::offline::GivenFault;
use meshgate_policies::yaml::Problem;

use super::{
    case,
    coverage::Coverage,
    offline::Offline,
    report::{self, Tested},
    suite::{self, Suite},
    workspace::Workspace,
};
use crate::{failure::Failure, format::Format, problems::ProblemWriter, sql};

#[derive(Debug, Args)]
pub(crate) struct TestArguments {
    /// The domain's folder, with node.yaml and tests/.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// A test file, in place of all of tests/; may be repeated.
    #[arg(long = "test", value_name = "FILE")]
    tests: Vec<PathBuf>,
    /// Fail if fewer of the owner's rules are exercised, in percent.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    min_coverage: Option<u8>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) async fn run(arguments: TestArguments) -> Result<(), Failure> {
    let workspace = match Workspace::open(&arguments.folder)? {
        Ok(workspace) => workspace,
        Err(problems) => return unusable(&problems, arguments.format),
    };
    let mut problems = workspace.warnings.clone();
    let mut suites = Vec::new();
    for file in suite::files(&arguments.folder, &arguments.tests)? {
        suites.extend(suite::read(&file, &workspace, &mut problems));
    }
    if problems.iter().any(Problem::is_error) {
        return unusable(&problems, arguments.format);
    }
    let offline = Offline::new()?;
    let (mut tested, mut exercised) = (Vec::new(), BTreeSet::new());
    for suite in &suites {
        match run_suite(&offline, &workspace, suite, &mut exercised).await? {
            Ok(cases) => tested.push((suite.file.clone(), cases)),
            Err(found) => problems.extend(found),
        }
    }
    if problems.iter().any(Problem::is_error) {
        return unusable(&problems, arguments.format);
    }
    let coverage = Coverage::new(workspace.domain.policy().written_rules(), &exercised);
    sql::print(&match arguments.format {
        Format::Text => report::text(&tested, &coverage, &problems),
        Format::Json => report::json(&tested, &coverage, &problems)?,
        Format::Junit => report::junit(&tested, &coverage, arguments.min_coverage),
    })?;
    verdict(&tested, &coverage, arguments.min_coverage)
}

/// Files that cannot be used: nothing was tested.
fn unusable(problems: &[Problem], format: Format) -> Result<(), Failure> {
    sql::print(&match format {
        Format::Text => ProblemWriter::default().all(problems),
        Format::Json => report::json(&[], &Coverage::new(&[], &BTreeSet::new()), problems)?,
        Format::Junit => report::unusable_junit("test", problems),
    })?;
    Err(Failure::Usage(match problems.iter().filter(|problem| problem.is_error()).count() {
        1 => "nothing was tested: there is 1 error".to_owned(),
        errors => format!("nothing was tested: there are {errors} errors"),
    }))
}

async fn run_suite(
    offline: &Offline,
    workspace: &Workspace,
    suite: &Suite,
    exercised: &mut BTreeSet<String>,
) -> Result<Result<Vec<Tested>, Vec<Problem>>, Failure> {
    let folder = tempfile::tempdir()
        .map_err(|error| Failure::Usage(format!("there is no place for rows that are given: {error}")))?;
    let (mut data, mut problems) = (workspace.domain.data(), Vec::new());
    for (line, rows) in &suite.given {
        match workspace.domain.give(rows, folder.path()).await {
            Ok(given) => {
                data.insert(rows.table.clone(), given);
            }
            Err(faults) => {
                problems.extend(faults.into_iter().map(|fault| problem(&suite.file, *line, fault)));
            }
        }
    }
    if !problems.is_empty() {
        return Ok(Err(problems));
    }
    let session = offline.open(&workspace.domain, &data, suite.instant, folder.path())?;
    let mut tested = Vec::new();
    for case in &suite.cases {
        for caller in case.callers.iter().filter_map(|position| suite.callers.get(*position)) {
            let outcome = case::run(&session, case, caller).await?;
            if !case.is_invariant {
                exercised.extend(outcome.rules);
            }
            tested.push(Tested::new(case, &caller.persona.name, outcome.failures));
        }
    }
    Ok(Ok(tested))
}

fn problem(file: &str, line: usize, fault: GivenFault) -> Problem {
    let problem = Problem::error(file, line, fault.message);
    match fault.hint {
        Some(hint) => problem.with_hint(hint),
        None => problem,
    }
}

fn verdict(
    tested: &[(String, Vec<Tested>)],
    coverage: &Coverage<'_>,
    min_coverage: Option<u8>,
) -> Result<(), Failure> {
    let all = tested.iter().flat_map(|(_, cases)| cases);
    let failed = all.filter(|case| !case.failures.is_empty()).count();
    let too_few = min_coverage.filter(|min| coverage.percent() < *min);
    let few = |min: u8| format!("{} % of the rules are exercised, {min} % are asked for", coverage.percent());
    match (failed, too_few) {
        (0, None) => Ok(()),
        (0, Some(min)) => Err(Failure::Found(few(min))),
        (1, None) => Err(Failure::Found("1 case fails".to_owned())),
        (failed, None) => Err(Failure::Found(format!("{failed} cases fail"))),
        (failed, Some(min)) => Err(Failure::Found(format!("{failed} cases fail, and {}", few(min)))),
    }
}
