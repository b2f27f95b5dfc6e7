//! The domain query that a good permit came with.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::logical_expr::Expr;
use meshgate_engine::plan_form::{self, CheckedPlan};
use meshgate_engine::{data_type, permit, predicate};
use meshgate_policies::decision::DecidedLookup;
use meshgate_policies::{Decision, Digest, POLICY_LANGUAGE, Statement, TableDecision};
use meshgate_proto::v1::domain_query::Form;
use meshgate_proto::v1::{DomainQuery, Permit, PermittedTable, Plan, Scan};
use prost::Message;

use super::{Moved, QUERY_BYTES, Refusal, schema};
use crate::state::{ServedTable, State};
use crate::status::QueryError;

/// How far a statement's instant may lie behind now, in microseconds: a plan
/// may ask a domain late in its life, but rules see the instant as `today()`,
/// and a grant that has ended must not be had by an old one.
const OLDEST_INSTANT: i64 = 3600 * 1_000_000;

/// Most tables of one domain query.
const TABLES: usize = 1_000;

/// A domain query that may be executed.
#[derive(Debug)]
pub(crate) struct CheckedQuery {
    /// What it reads, each table once. Never empty.
    pub(crate) tables: Vec<CheckedTable>,
    pub(crate) form: CheckedForm,
    /// What the result must look like.
    pub(crate) schema: SchemaRef,
    pub(crate) statement: Statement,
}

/// A table as one principal gets it.
#[derive(Debug)]
pub(crate) struct CheckedTable {
    pub(crate) table: Arc<ServedTable>,
    pub(crate) decision: TableDecision,
}

/// What is done with the tables.
#[derive(Debug)]
pub(crate) enum CheckedForm {
    Scan(CheckedScan),
    /// Walked over, not decoded.
    Plan(Box<CheckedPlan>),
}

/// A scan of the one table.
#[derive(Debug)]
pub(crate) struct CheckedScan {
    /// Names of visible columns, in the order of the result.
    pub(crate) columns: Vec<String>,
    /// On plain columns only, and unable to fail.
    pub(crate) filters: Vec<Expr>,
    pub(crate) limit: Option<usize>,
}

impl CheckedQuery {
    /// The lookups that decisions of its tables use, each once: for one caller and one
    /// state of the policies a name stands for the same keys in all of them.
    pub(crate) fn lookups(&self) -> Vec<DecidedLookup> {
        let mut found: Vec<DecidedLookup> = Vec::new();
        for lookup in self.tables.iter().flat_map(|table| &table.decision.lookups) {
            if found.iter().all(|known| known.name != lookup.name) {
                found.push(lookup.clone());
            }
        }
        found
    }
}

/// Checks the query against the permit and against what this node itself decides.
pub(crate) fn check_query(
    state: &State,
    permit: &Permit,
    bytes: &[u8],
    now: i64,
) -> Result<CheckedQuery, QueryError> {
    if bytes.len() > QUERY_BYTES {
        return Err(Refusal::QueryTooLong.into());
    }
    // The decoder stops at a nesting of 100.
    let query = DomainQuery::decode(bytes).map_err(|_| Refusal::QueryMalformed)?;
    if Digest::of(bytes).as_bytes() != permit.query_digest {
        return Err(Refusal::Digest.into());
    }
    let form = query.form.ok_or(Refusal::Form)?;
    let tables = check_tables(state, permit, &form)?;
    if permit.policy_language != POLICY_LANGUAGE {
        return Err(Refusal::PolicyLanguage.into());
    }
    let statement = check_statement(state, permit, query.instant, &query.time_zone, now)?;
    let mut checked = Vec::with_capacity(tables.len());
    for (table, permitted) in tables {
        let decision = check_decision(state, permit, permitted, &table, &statement)?;
        checked.push(CheckedTable { table, decision });
    }
    let (form, schema) = match form {
        Form::Scan(scan) => check_scan(&checked, scan, &query.schema)?,
        Form::Plan(plan) => (check_plan(&checked, &plan)?, expected(&query.schema)?),
    };
    Ok(CheckedQuery { tables: checked, form, schema, statement })
}

/// The tables of the permit must be this domain's; those of a scan are exactly
/// the permit's. What a plan reads is known after the walk.
fn check_tables<'p>(
    state: &State,
    permit: &'p Permit,
    form: &Form,
) -> Result<Vec<(Arc<ServedTable>, &'p PermittedTable)>, QueryError> {
    if let Form::Scan(scan) = form {
        if scan.domain != state.domain() {
            return Err(Refusal::Domain.into());
        }
        if !matches!(permit.tables.as_slice(), [only] if only.table == scan.table) {
            return Err(Refusal::Tables.into());
        }
    }
    let names: BTreeSet<&str> = permit.tables.iter().map(|table| table.table.as_str()).collect();
    if names.is_empty() || names.len() != permit.tables.len() || names.len() > TABLES {
        return Err(Refusal::Tables.into());
    }
    let mut tables = Vec::with_capacity(names.len());
    for permitted in &permit.tables {
        tables.push((state.table(&permitted.table).ok_or(Moved::Table)?, permitted));
    }
    Ok(tables)
}

fn check_scan(
    tables: &[CheckedTable],
    scan: Scan,
    schema: &[u8],
) -> Result<(CheckedForm, SchemaRef), QueryError> {
    let [CheckedTable { decision, .. }] = tables else { return Err(Refusal::Tables.into()) };
    let visible = visible_schema(decision);
    let columns = check_columns(&visible, scan.columns)?;
    let filters = check_predicates(&visible, decision, &scan.predicates)?;
    let schema = check_schema(&visible, &columns, schema)?;
    let limit = scan.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    Ok((CheckedForm::Scan(CheckedScan { columns, filters, limit }), schema))
}

/// The walk over the plan, before anything of it is decoded.
fn check_plan(tables: &[CheckedTable], plan: &Plan) -> Result<CheckedForm, Refusal> {
    if plan.format != plan_form::FORMAT {
        return Err(Refusal::Form);
    }
    let checked = plan_form::check(&plan.logical_plan).map_err(|error| {
        tracing::warn!(%error, "a plan is not acceptable");
        Refusal::Plan
    })?;
    let permitted: BTreeSet<&str> = tables.iter().map(|table| table.table.name()).collect();
    if !checked.tables().iter().map(String::as_str).eq(permitted) {
        return Err(Refusal::Tables);
    }
    Ok(CheckedForm::Plan(Box::new(checked)))
}

/// What the gateway says the result looks like. Whether it does is known once there is a plan.
fn expected(schema: &[u8]) -> Result<SchemaRef, Refusal> {
    schema::decode(schema).map(Arc::new).ok_or(Refusal::Schema)
}

fn check_statement(
    state: &State,
    issued: &Permit,
    instant: i64,
    time_zone: &str,
    now: i64,
) -> Result<Statement, QueryError> {
    let nearby = now.saturating_sub(OLDEST_INSTANT)..=now.saturating_add(permit::CLOCK_SKEW);
    if instant != issued.instant || !nearby.contains(&instant) {
        return Err(Refusal::Instant.into());
    }
    match state.zone() {
        Some(zone) if zone.name() == time_zone => Ok(Statement { instant, zone }),
        Some(_) | None => Err(Moved::TimeZone.into()),
    }
}

/// The node decides by the documents that it holds itself.
fn check_decision(
    state: &State,
    permit: &Permit,
    permitted: &PermittedTable,
    table: &ServedTable,
    statement: &Statement,
) -> Result<TableDecision, QueryError> {
    if table.version().as_bytes() != permitted.contract_version {
        return Err(Moved::Contract.into());
    }
    let principal = permit.principal.as_ref().ok_or(Refusal::PermitTexts)?;
    let principal = permit::principal_from_message(principal).map_err(|_| Refusal::PermitTexts)?;
    match state.policy().decide(table.name(), &principal, statement) {
        Decision::Visible(decision) if decision.digest.as_bytes() == permitted.decision_digest => {
            Ok(decision)
        }
        Decision::Visible(_) | Decision::Absent { .. } => Err(Moved::Decision.into()),
    }
}

fn visible_schema(decision: &TableDecision) -> Schema {
    let field = |column: &meshgate_policies::DecidedColumn| {
        data_type::field(&column.name, &column.data_type, column.nullable)
    };
    Schema::new(decision.columns.iter().map(field).collect::<Vec<_>>())
}

fn check_columns(visible: &Schema, columns: Vec<String>) -> Result<Vec<String>, Refusal> {
    let mut seen = std::collections::BTreeSet::new();
    let known = columns.iter().all(|name| visible.field_with_name(name).is_ok() && seen.insert(name));
    if known { Ok(columns) } else { Err(Refusal::Column) }
}

fn check_predicates(
    visible: &Schema,
    decision: &TableDecision,
    predicates: &[meshgate_proto::v1::Predicate],
) -> Result<Vec<Expr>, Refusal> {
    let plain = |name: &str| decision.columns.iter().any(|column| column.name == name && column.plain);
    let check = |message| {
        let filter = predicate::from_message(message, visible).map_err(|_| Refusal::Predicate)?;
        if predicate::is_leak_proof(&filter, visible, &plain) { Ok(filter) } else { Err(Refusal::Predicate) }
    };
    predicates.iter().map(check).collect()
}

fn check_schema(visible: &Schema, columns: &[String], message: &[u8]) -> Result<SchemaRef, Refusal> {
    let fields: Result<Vec<_>, _> =
        columns.iter().map(|name| visible.field_with_name(name).cloned()).collect();
    let schema = Schema::new(fields.map_err(|_| Refusal::Column)?);
    match schema::decode(message) {
        Some(expected) if schema::same_promise(&schema, &expected) => Ok(Arc::new(schema)),
        Some(_) | None => Err(Refusal::Schema),
    }
}
