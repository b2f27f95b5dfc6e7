//! DataFusion's errors, as errors of the gateway.
//!
//! Their texts quote cells and list columns, so none is handed on: what is
//! recognised becomes a sentence of ours, made of the names that the caller
//! typed; what is not is a mistake of ours, with the text in the log.

use datafusion::{
    arrow::error::ArrowError,
    common::{DataFusionError, SchemaError},
};
use meshgate_engine::{
    EngineFailure, classify,
    failure::{ExpressionFault as EngineFault, Interruption, Limit as EngineLimit, is_failed_pattern},
};

use super::{GatewayError, Limit, PlanningFault, ShownName};

/// How deep errors may be wrapped.
const DEPTH_MAX: usize = 64;

/// What failed with the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Planning,
    Execution,
}

impl GatewayError {
    /// An error of planning or optimizing a statement.
    pub(crate) fn from_planning(error: &DataFusionError) -> Self {
        from_datafusion(error, Phase::Planning, DEPTH_MAX)
    }

    /// An error of executing a plan in the gateway.
    pub(crate) fn from_execution(error: &DataFusionError) -> Self {
        from_datafusion(error, Phase::Execution, DEPTH_MAX)
    }
}

fn from_datafusion(error: &DataFusionError, phase: Phase, depth: usize) -> GatewayError {
    let Some(depth) = depth.checked_sub(1) else {
        return GatewayError::Internal("an error that is wrapped too deeply".to_owned());
    };
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
            from_datafusion(inner, phase, depth)
        }
        DataFusionError::Shared(inner) => from_datafusion(inner, phase, depth),
        DataFusionError::Collection(errors) => match errors.first() {
            Some(first) => from_datafusion(first, phase, depth),
            None => GatewayError::Internal("an empty collection of errors".to_owned()),
        },
        DataFusionError::External(source) => from_external(source.as_ref(), phase, depth),
        DataFusionError::ArrowError(arrow, _) => from_arrow(arrow, phase, depth),
        leaf => from_leaf(leaf, phase),
    }
}

type ExternalError = dyn std::error::Error + Send + Sync + 'static;

fn from_external(source: &ExternalError, phase: Phase, depth: usize) -> GatewayError {
    if let Some(own) = source.downcast_ref::<GatewayError>() {
        own.clone()
    } else if let Some(interruption) = source.downcast_ref::<Interruption>() {
        from_interruption(*interruption)
    } else if let Some(error) = source.downcast_ref::<DataFusionError>() {
        from_datafusion(error, phase, depth)
    } else if let Some(error) = source.downcast_ref::<ArrowError>() {
        from_arrow(error, phase, depth)
    } else if is_failed_pattern(source) {
        GatewayError::Expression(EngineFault::Other.into())
    } else {
        GatewayError::Engine(source.to_string())
    }
}

fn from_interruption(interruption: Interruption) -> GatewayError {
    match interruption {
        Interruption::Deadline => GatewayError::Limit(Limit::QueryTime),
        Interruption::Cancelled => GatewayError::Cancelled,
        Interruption::Panic => GatewayError::Internal(interruption.to_string()),
    }
}

fn from_arrow(error: &ArrowError, phase: Phase, depth: usize) -> GatewayError {
    match (error, depth.checked_sub(1)) {
        (ArrowError::ExternalError(source), Some(depth)) => from_external(source.as_ref(), phase, depth),
        (leaf, _) => from_arrow_leaf(leaf),
    }
}

/// Arrow's errors come from evaluating expressions, at planning too, where
/// constants are folded.
fn from_arrow_leaf(error: &ArrowError) -> GatewayError {
    match error {
        ArrowError::DivideByZero
        | ArrowError::ArithmeticOverflow(_)
        | ArrowError::CastError(_)
        | ArrowError::ParseError(_)
        | ArrowError::ComputeError(_)
        | ArrowError::InvalidArgumentError(_)
        | ArrowError::NotYetImplemented(_)
        | ArrowError::OffsetOverflowError(_) => GatewayError::Expression(EngineFault::of_arrow(error).into()),
        ArrowError::MemoryError(_) => GatewayError::Limit(Limit::QueryMemory),
        other => GatewayError::Engine(other.to_string()),
    }
}

fn from_leaf(error: &DataFusionError, phase: Phase) -> GatewayError {
    match error {
        DataFusionError::SchemaError(error, _) => from_schema_error(error),
        DataFusionError::Plan(text) if phase == Phase::Planning => from_plan_text(text),
        DataFusionError::NotImplemented(_) => GatewayError::Planning(PlanningFault::Unsupported),
        DataFusionError::SQL(_, _) => GatewayError::Statement(
            "the statement is not understood: check its spelling and that it is one SQL query".to_owned(),
        ),
        DataFusionError::Execution(text) => GatewayError::Expression(EngineFault::of_text(text).into()),
        DataFusionError::ResourcesExhausted(_) => GatewayError::Limit(exhausted(error)),
        DataFusionError::IoError(_) if is_exhausted(error) => GatewayError::Limit(exhausted(error)),
        DataFusionError::Internal(text) if text.contains("No functions registered") => {
            // What DataFusion says of an unknown function if it has nothing to suggest.
            GatewayError::UnknownFunction(ShownName::new(""))
        }
        other => GatewayError::Engine(other.to_string()),
    }
}

fn from_schema_error(error: &SchemaError) -> GatewayError {
    match error {
        SchemaError::FieldNotFound { field, .. } => {
            GatewayError::UnknownColumn(ShownName::new(&field.flat_name()))
        }
        SchemaError::AmbiguousReference { field } => {
            GatewayError::AmbiguousColumn(ShownName::new(&field.flat_name()))
        }
        SchemaError::DuplicateQualifiedField { name, .. }
        | SchemaError::DuplicateUnqualifiedField { name } => {
            GatewayError::DuplicateColumn(ShownName::new(name))
        }
    }
}

/// Of the texts of planning errors only the kind is used, and the name that
/// the caller typed.
fn from_plan_text(text: &str) -> GatewayError {
    let has = |part: &str| text.contains(part);
    if has("table function '") && has("not found") || has("Table function '") || has("Invalid function '") {
        return GatewayError::UnknownFunction(ShownName::new(quoted(text).unwrap_or_default()));
    }
    if text.starts_with("table '") && has("not found") {
        return GatewayError::UnknownTable(ShownName::new(quoted(text).unwrap_or_default()));
    }
    GatewayError::Planning(if has("GROUP BY") {
        PlanningFault::Grouping
    } else if has("different number of") {
        PlanningFault::ColumnCount
    } else if [
        "oerce",
        "compatible types",
        "expects",
        "expected",
        "convert",
        "requires",
        "does not support type",
        "argument",
    ]
    .iter()
    .any(|part| has(part))
    {
        PlanningFault::Types
    } else if has("not supported") || has("nsupported") {
        PlanningFault::Unsupported
    } else {
        PlanningFault::Other
    })
}

/// What stands in the first single quotes.
fn quoted(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once('\'')?;
    rest.split_once('\'').map(|(name, _)| name)
}

/// Is there no more room on the disk for what does not fit into memory?
fn is_exhausted(error: &DataFusionError) -> bool {
    matches!(classify(error), EngineFailure::ResourcesExhausted { .. })
}

/// Which resource it was, the engine knows.
fn exhausted(error: &DataFusionError) -> Limit {
    match classify(error) {
        EngineFailure::ResourcesExhausted { limit: EngineLimit::QueryMemory } => Limit::QueryMemory,
        EngineFailure::ResourcesExhausted { limit: EngineLimit::Spill } => Limit::Spill,
        _ => Limit::Memory,
    }
}
