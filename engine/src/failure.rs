//! What went wrong, in a closed set that never holds text: messages of the
//! engine can quote cells, file names and conditions of policies.

use std::error::Error;

use arrow::error::ArrowError;
use datafusion::common::DataFusionError;

use crate::memory;

/// A bound that a query ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The query's own memory.
    QueryMemory,
    /// The memory of all queries.
    Memory,
    /// Spill space, or another resource of the engine.
    Spill,
}

impl Limit {
    /// The name under which callers and operators know it.
    pub fn name(self) -> &'static str {
        match self {
            Self::QueryMemory => "query_memory",
            Self::Memory => "memory",
            Self::Spill => "spill",
        }
    }
}

/// The class of an engine error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineFailure {
    ResourcesExhausted {
        limit: Limit,
    },
    /// The query took longer than it may.
    Deadline,
    /// Nobody waits for the result any more, or the server is stopping.
    Cancelled,
    /// An expression has no value for some row: division by zero, a failing cast, an overflow.
    Expression,
    /// The query cannot be planned.
    Plan,
    /// An error from outside of the engine, such as a source or a barrier: [`external`] finds it.
    External,
    /// A broken promise inside the engine, a panic included.
    Internal,
}

/// How an expression failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpressionFault {
    DivisionByZero,
    Overflow,
    Conversion,
    /// A scalar subquery gave more than one row.
    ManyRows,
    /// Anything else.
    Other,
}

/// What its author is told.
impl std::fmt::Display for ExpressionFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::DivisionByZero => "division by zero: write `x / nullif(y, 0)`",
            Self::Overflow => "a number is too large for its type: convert it to a larger one first",
            Self::Conversion => "a value cannot be converted to the wanted type: write `try_cast(.. as ..)`",
            Self::ManyRows => {
                "a subquery used as a value gave more than one row: add `limit 1` or an aggregate"
            }
            Self::Other => "an expression failed on a value: check the arguments of its functions",
        })
    }
}

impl ExpressionFault {
    /// How the expression failed that `error` is about; [`classify`] tells whether it is about one.
    pub fn of(error: &DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::ArrowError(error, _) => Self::of_arrow(error),
            DataFusionError::Execution(text) => Self::of_text(text),
            DataFusionError::Collection(errors) => errors.first().map_or(Self::Other, Self::of),
            _ => Self::Other,
        }
    }

    /// The same for an error of a computation.
    pub fn of_arrow(error: &ArrowError) -> Self {
        match error {
            ArrowError::DivideByZero => Self::DivisionByZero,
            ArrowError::ArithmeticOverflow(_) => Self::Overflow,
            ArrowError::CastError(_) | ArrowError::ParseError(_) => Self::Conversion,
            ArrowError::ExternalError(inner) => inner.downcast_ref().map_or(Self::Other, Self::of),
            _ => Self::Other,
        }
    }

    /// The same for the text of an error of the engine's, of which nothing but the kind is used.
    pub fn of_text(text: &str) -> Self {
        if text.contains("ivide by zero") {
            Self::DivisionByZero
        } else if text.contains("more than one row") {
            Self::ManyRows
        } else if text.contains("verflow") {
            Self::Overflow
        } else if ["parsing", "parse", "cast", "convert"].iter().any(|part| text.contains(part)) {
            Self::Conversion
        } else {
            Self::Other
        }
    }
}

/// Why the engine ended a query. Travels as an external error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Interruption {
    #[error("the query took longer than it may")]
    Deadline,
    #[error("the query was cancelled")]
    Cancelled,
    #[error("the query ended in a panic")]
    Panic,
}

impl From<Interruption> for DataFusionError {
    fn from(interruption: Interruption) -> Self {
        Self::External(Box::new(interruption))
    }
}

/// Classifies an error without looking at more of its text than this crate wrote itself.
pub fn classify(error: &DataFusionError) -> EngineFailure {
    if let Some(interruption) = external::<Interruption>(error) {
        return match interruption {
            Interruption::Deadline => EngineFailure::Deadline,
            Interruption::Cancelled => EngineFailure::Cancelled,
            Interruption::Panic => EngineFailure::Internal,
        };
    }
    if external::<regex::Error>(error).is_some() {
        return EngineFailure::Expression;
    }
    match error.find_root() {
        DataFusionError::ResourcesExhausted(text) => EngineFailure::ResourcesExhausted { limit: limit(text) },
        DataFusionError::ArrowError(error, _) => arrow(error),
        DataFusionError::IoError(error) => of_spilling(error),
        DataFusionError::Execution(_) => EngineFailure::Expression,
        DataFusionError::Plan(_)
        | DataFusionError::SQL(_, _)
        | DataFusionError::SchemaError(_, _)
        | DataFusionError::NotImplemented(_)
        | DataFusionError::Configuration(_)
        | DataFusionError::Diagnostic(_, _) => EngineFailure::Plan,
        DataFusionError::Collection(errors) => errors.first().map_or(EngineFailure::Internal, classify),
        DataFusionError::Internal(_) | DataFusionError::ExecutionJoin(_) => EngineFailure::Internal,
        _ => EngineFailure::External,
    }
}

/// Is it about a regular expression that is none? A pattern can be a value: that is an expression's failure.
pub fn is_failed_pattern(error: &(dyn Error + 'static)) -> bool {
    error.is::<regex::Error>()
}

/// The first error of type `T` among an error and its causes.
pub fn external<T: Error + 'static>(error: &DataFusionError) -> Option<&T> {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => external(inner),
        DataFusionError::Shared(inner) => external(inner),
        DataFusionError::Collection(errors) => errors.iter().find_map(external),
        DataFusionError::External(inner) => in_chain(inner.as_ref()),
        DataFusionError::ArrowError(inner, _) => match inner.as_ref() {
            ArrowError::ExternalError(inner) => in_chain(inner.as_ref()),
            _ => None,
        },
        other => other.source().and_then(in_chain),
    }
}

fn in_chain<'e, T: Error + 'static>(mut error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    loop {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        if let Some(inner) = error.downcast_ref::<DataFusionError>() {
            return external(inner);
        }
        error = error.source()?;
    }
}

fn limit(text: &str) -> Limit {
    if text.contains(memory::QUERY_MEMORY_REACHED) {
        Limit::QueryMemory
    } else if text.contains(memory::MEMORY_REACHED) {
        Limit::Memory
    } else {
        Limit::Spill
    }
}

/// Sources put their own errors behind the barrier; what is left is of spilling. That there is no more room is an error
/// with a text and nothing else (`DiskManager` in datafusion-execution 55.2); a disk that fails has a kind of its own.
fn of_spilling(error: &std::io::Error) -> EngineFailure {
    let is_of_engine =
        error.get_ref().is_none_or(|inner| inner.is::<DataFusionError>() || inner.is::<ArrowError>());
    if error.kind() == std::io::ErrorKind::Other && !is_of_engine {
        EngineFailure::ResourcesExhausted { limit: Limit::Spill }
    } else {
        EngineFailure::External
    }
}

fn arrow(error: &ArrowError) -> EngineFailure {
    match error {
        ArrowError::DivideByZero
        | ArrowError::ArithmeticOverflow(_)
        | ArrowError::CastError(_)
        | ArrowError::ComputeError(_)
        | ArrowError::InvalidArgumentError(_)
        | ArrowError::ParseError(_)
        | ArrowError::OffsetOverflowError(_) => EngineFailure::Expression,
        ArrowError::ExternalError(inner) => match inner.downcast_ref::<DataFusionError>() {
            Some(inner) => classify(inner),
            None => EngineFailure::External,
        },
        ArrowError::NotYetImplemented(_) => EngineFailure::Plan,
        ArrowError::IoError(_, error) => of_spilling(error),
        ArrowError::MemoryError(_) => EngineFailure::ResourcesExhausted { limit: Limit::Memory },
        _ => EngineFailure::Internal,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Debug, PartialEq, thiserror::Error)]
    #[error("orders is unavailable")]
    struct Unavailable;

    #[test]
    fn classes_survive_wrapping() {
        let deadline = || DataFusionError::from(Interruption::Deadline);
        for error in [
            deadline(),
            deadline().context("while sorting"),
            DataFusionError::Shared(Arc::new(deadline())),
            DataFusionError::ArrowError(Box::new(ArrowError::ExternalError(Box::new(deadline()))), None),
            DataFusionError::Collection(vec![deadline()]),
        ] {
            assert_eq!(classify(&error), EngineFailure::Deadline, "{error}");
        }
        assert_eq!(classify(&Interruption::Panic.into()), EngineFailure::Internal);
        assert_eq!(classify(&Interruption::Cancelled.into()), EngineFailure::Cancelled);
    }

    #[test]
    fn errors_from_outside_are_found_by_type() {
        let error = DataFusionError::External(Box::new(Unavailable)).context("scan");
        assert_eq!(external::<Unavailable>(&error), Some(&Unavailable));
        assert_eq!(external::<Interruption>(&error), None);
        assert_eq!(classify(&error), EngineFailure::External);
    }

    #[test]
    fn expressions_plans_and_limits() {
        let arrow = |error| DataFusionError::ArrowError(Box::new(error), None);
        for (error, expected) in [
            (arrow(ArrowError::DivideByZero), EngineFailure::Expression),
            (arrow(ArrowError::CastError("'SECRET'".into())), EngineFailure::Expression),
            (DataFusionError::Execution("x".into()), EngineFailure::Expression),
            (DataFusionError::Plan("x".into()), EngineFailure::Plan),
            (DataFusionError::NotImplemented("x".into()), EngineFailure::Plan),
            (DataFusionError::Internal("x".into()), EngineFailure::Internal),
            (
                DataFusionError::ResourcesExhausted(memory::QUERY_MEMORY_REACHED.into()),
                EngineFailure::ResourcesExhausted { limit: Limit::QueryMemory },
            ),
            (
                DataFusionError::ResourcesExhausted(memory::MEMORY_REACHED.into()).context("sort"),
                EngineFailure::ResourcesExhausted { limit: Limit::Memory },
            ),
            (
                DataFusionError::ResourcesExhausted("disk".into()),
                EngineFailure::ResourcesExhausted { limit: Limit::Spill },
            ),
        ] {
            assert_eq!(classify(&error), expected, "{error}");
            assert!(!format!("{:?}", classify(&error)).contains("SECRET"));
        }
    }

    #[test]
    fn faults_of_expressions_survive_wrapping() {
        let arrow = |error| DataFusionError::ArrowError(Box::new(error), None);
        let text = |text: &str| DataFusionError::Execution(text.to_owned());
        let wrapped = |error| arrow(ArrowError::ExternalError(Box::new(error)));
        for (error, expected) in [
            (arrow(ArrowError::DivideByZero).context("filter"), ExpressionFault::DivisionByZero),
            (wrapped(text("Divide by zero")), ExpressionFault::DivisionByZero),
            (arrow(ArrowError::ArithmeticOverflow("1".into())), ExpressionFault::Overflow),
            (arrow(ArrowError::CastError("'SECRET'".into())), ExpressionFault::Conversion),
            (text("Scalar subquery returned more than one row"), ExpressionFault::ManyRows),
            (text("x"), ExpressionFault::Other),
        ] {
            assert_eq!(ExpressionFault::of(&error), expected, "{error}");
        }
    }
}
