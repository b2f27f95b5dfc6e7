//! A function that returns its argument and promises nothing about NULL. The
//! planner puts it around scalar subqueries; no session knows it, so that
//! statements cannot name it.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::common::plan_err;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// What messages call it.
pub(crate) const NAME: &str = "scalar_or_null";

/// The function.
pub fn function() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> =
        LazyLock::new(|| Arc::new(ScalarUDF::new_from_impl(ScalarOrNull)));
    Arc::clone(&FUNCTION)
}

/// The same field, in which NULL is possible.
pub fn nullable(field: &FieldRef) -> FieldRef {
    Arc::new(field.as_ref().clone().with_nullable(true))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ScalarOrNull;

impl ScalarUDFImpl for ScalarOrNull {
    fn name(&self) -> &'static str {
        NAME
    }

    fn signature(&self) -> &Signature {
        static ANY_ONE: LazyLock<Signature> = LazyLock::new(|| Signature::any(1, Volatility::Immutable));
        &ANY_ONE
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [data_type] => Ok(data_type.clone()),
            _ => plan_err!("{} takes one argument", self.name()),
        }
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        match arguments.arg_fields {
            [field] => Ok(nullable(field)),
            _ => plan_err!("{} takes one argument", self.name()),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match arguments.args.into_iter().next() {
            Some(value) => Ok(value),
            None => plan_err!("{} takes one argument", self.name()),
        }
    }
}
