//! `meshgate reload`: has a gateway and all nodes read their files at once.

use std::collections::BTreeMap;

use clap::Args;
use serde::Deserialize;

use crate::{failure::Failure, sql};

#[derive(Debug, Args)]
pub(crate) struct ReloadArguments {
    #[command(flatten)]
    target: sql::TargetArguments,
}

#[derive(Debug, Deserialize)]
struct Answer {
    gateway: String,
    domains: BTreeMap<String, String>,
}

pub(crate) async fn run(arguments: ReloadArguments) -> Result<(), Failure> {
    let answer = sql::act(&arguments.target, meshgate_proto::RELOAD_ACTION).await?;
    let answer: Answer = serde_json::from_slice(&answer)
        .map_err(|_| Failure::Refused("the gateway's answer is not understood".to_owned()))?;
    let domains = answer.domains.into_iter().map(|(name, outcome)| (format!("domain {name}"), outcome));
    let parts: Vec<(String, String)> =
        [("gateway".to_owned(), answer.gateway)].into_iter().chain(domains).collect();
    let mut text = String::new();
    for (name, outcome) in &parts {
        text += &format!("{name}: {outcome}\n");
    }
    sql::print(&text)?;
    match parts.iter().all(|(_, outcome)| *outcome == meshgate_proto::RELOADED) {
        true => Ok(()),
        false => Err(Failure::Found(
            "not everything was read, or some files cannot be used: see the logs".to_owned(),
        )),
    }
}
