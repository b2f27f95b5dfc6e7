//! `meshgate node`: serves a domain.

use meshgate_domain_node::{NodeConfig, NodeServer};

use crate::{
    failure::{Failure, with_reasons},
    serve::{self, Report, ServeArguments},
};

pub(crate) async fn run(arguments: ServeArguments) -> Result<(), Failure> {
    let config = NodeConfig::load(&arguments.configuration, &serve::environment)
        .map_err(|problems| serve::configuration_failure(&problems))?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    if arguments.check {
        return Ok(());
    }
    let end = serve::end(arguments.supervised).await?;
    let server = NodeServer::bind(config).await.map_err(|error| Failure::Usage(with_reasons(&error)))?;
    serve::reload_on_hangup(server.reload())?;
    let report = Report { flight: server.flight_address(), http: server.http_address() };
    tracing::info!(flight = %report.flight, "the node listens");
    serve::announce(arguments.supervised, report)?;
    server.run(end).await.map_err(|error| Failure::Found(with_reasons(&error)))
}
