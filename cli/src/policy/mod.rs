//! `meshgate policy`: what policies do, told and tested in the domain's own
//! repository, by the code of the servers and without any of them.

mod case;
mod coverage;
mod day;
mod diff;
mod expectation;
mod explain;
pub(crate) mod lock;
mod matrix;
mod offline;
pub(crate) mod personas;
mod report;
mod suite;
mod test;
mod view;
mod workspace;

use clap::Subcommand;

use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Run the tests of a domain's policies.
    Test(test::TestArguments),
    /// Tell which rules decide what a persona sees of a table, and why.
    Explain(explain::ExplainArguments),
    /// Compare two versions by what each persona sees.
    Diff(diff::DiffArguments),
    /// Write down who sees what, as Markdown.
    Matrix(matrix::MatrixArguments),
}

/// What is wrong with a test file of a domain with one table, `orders`, and one persona, `anna`.
#[cfg(test)]
pub(crate) fn problems_of_a_test(text: &str) -> Vec<meshgate_policies::yaml::Problem> {
    let folder = suite::tests::repository();
    let path = folder.path().join("tests/a.test.yaml");
    std::fs::write(&path, text).unwrap();
    let workspace = workspace::Workspace::open(folder.path()).unwrap().unwrap();
    let mut problems = Vec::new();
    suite::read(&path, &workspace, &mut problems);
    problems
}

pub(crate) async fn run(command: PolicyCommand) -> Result<(), Failure> {
    match command {
        PolicyCommand::Test(arguments) => Box::pin(test::run(arguments)).await,
        PolicyCommand::Explain(arguments) => Box::pin(explain::run(arguments)).await,
        PolicyCommand::Diff(arguments) => Box::pin(diff::run(arguments)).await,
        PolicyCommand::Matrix(arguments) => Box::pin(matrix::run(arguments)).await,
    }
}
