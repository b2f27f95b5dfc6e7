//! What has no form in a message is neither written nor read, and a table must
//! have exactly the columns of its scan.

use std::fmt;
use std::sync::LazyLock;

use datafusion::common::{DFSchema, DFSchemaRef, TableReference};
use datafusion::logical_expr::{Extension, UserDefinedLogicalNodeCore};
use datafusion_proto::logical_plan::LogicalExtensionCodec;

use super::*;
use crate::scalar_or_null;

/// An operator that is not the engine's.
#[derive(Debug, PartialEq, Eq, PartialOrd, Hash)]
struct Foreign;

impl UserDefinedLogicalNodeCore for Foreign {
    fn name(&self) -> &'static str {
        "Foreign"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        Vec::new()
    }

    fn schema(&self) -> &DFSchemaRef {
        static EMPTY: LazyLock<DFSchemaRef> = LazyLock::new(|| Arc::new(DFSchema::empty()));
        &EMPTY
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Foreign")
    }

    fn with_exprs_and_inputs(
        &self,
        _: Vec<Expr>,
        _: Vec<LogicalPlan>,
    ) -> datafusion::common::error::Result<Self> {
        Ok(Self)
    }
}

#[test]
fn a114_what_has_no_form_is_not_written() {
    let writer = || Writer::new(name);
    let reader = || Reader::new(tables());
    let foreign = || Extension { node: Arc::new(Foreign) };
    assert!(encode(&LogicalPlan::Extension(foreign()), name).is_err());
    assert!(writer().try_encode(&foreign(), &mut Vec::new()).is_err());
    assert!(reader().try_encode(&foreign(), &mut Vec::new()).is_err());

    let reference = TableReference::bare("orders");
    let mut written = Vec::new();
    writer().try_encode_table_provider(&reference, orders(), &mut written).unwrap();
    assert_eq!(written, b"orders");
    let unknown = table(vec![Field::new("id", DataType::Int64, false)]);
    assert!(writer().try_encode_table_provider(&reference, unknown, &mut Vec::new()).is_err());
    assert!(reader().try_encode_table_provider(&reference, orders(), &mut Vec::new()).is_err());
}

#[test]
fn a114_the_planners_function_is_the_only_one_that_is_read() {
    let reader = Reader::new(BTreeMap::new());
    let read = |name: &str, definition: &[u8]| {
        reader.try_decode_udf(name, definition).map(|function| function.name().to_owned())
    };
    assert_eq!(read(scalar_or_null::NAME, &[]).unwrap(), scalar_or_null::NAME);
    assert!(read(scalar_or_null::NAME, &[1]).is_err());
    assert!(read("upper", &[]).is_err());
    assert!(read("upper", &[1]).is_err());
}

#[test]
fn tables_have_the_columns_of_their_scans() {
    let id = || Field::new("id", DataType::Int64, false);
    let sku = || Field::new("sku", DataType::Utf8, true);
    let schema = |fields: Vec<Field>| Schema::new(fields);
    let expected = schema(vec![id(), sku()]);
    let noted = id().with_metadata([("a".to_owned(), "b".to_owned())].into());
    for same in [vec![id(), sku()], vec![noted, sku()]] {
        assert!(same_columns(&expected, &schema(same)));
    }
    for other in [
        vec![],
        vec![id()],
        vec![sku(), id()],
        vec![id(), sku(), sku()],
        vec![id(), sku().with_name("code")],
        vec![id(), sku().with_data_type(DataType::LargeUtf8)],
        vec![id(), sku().with_nullable(false)],
        vec![id().with_nullable(true), sku()],
    ] {
        let other = schema(other);
        assert!(!same_columns(&expected, &other) && !same_columns(&other, &expected), "{other:?}");
    }
}
