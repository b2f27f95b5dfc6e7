//! ListFlights: one FlightInfo for each table that the caller sees.

use std::sync::Arc;

use arrow_flight::{FlightDescriptor, FlightInfo};

use super::{asked::Asked, authenticate::Caller, statement};
use crate::{
    app::Gateway,
    catalog::{CATALOG, PrincipalCatalog, VisibleTable},
    edge,
    status::GatewayError,
};

/// All tables of the caller, by domain and name.
pub(super) fn flights(gateway: &Gateway, caller: &Caller) -> Result<Vec<FlightInfo>, GatewayError> {
    let snapshot = Arc::clone(&caller.snapshot);
    let catalog = PrincipalCatalog::new(snapshot, Arc::clone(&caller.principal), gateway.clock.now());
    catalog.all().iter().map(|table| flight(gateway, caller, table)).collect()
}

fn flight(gateway: &Gateway, caller: &Caller, table: &VisibleTable) -> Result<FlightInfo, GatewayError> {
    // Names of domains and tables are plain words.
    let sql = format!("select * from {CATALOG}.\"{}\".\"{}\"", table.domain, table.name);
    let schema = edge::schema(&table.schema);
    let ticket = statement::ticket(gateway, caller, &Asked::plain(sql), &schema)?;
    let descriptor = FlightDescriptor::new_path(vec![table.domain.clone(), table.name.clone()]);
    statement::info(&schema, descriptor, ticket)
}
