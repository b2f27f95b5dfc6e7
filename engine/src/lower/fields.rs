//! Columns of structs, and of lists of structs, with some of their fields masked.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{DFSchema, Result, internal_err};
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use meshgate_policies::expression::{Expr as PolicyExpr, FIELD_VALUE};

use super::{LowerError, lower, type_of};
use crate::data_type::to_arrow;

/// The column with these fields masked.
pub(super) fn mask_fields(
    column: &PolicyExpr,
    fields: &[(Vec<String>, PolicyExpr)],
) -> Result<Expr, LowerError> {
    let mut masks = Vec::with_capacity(fields.len());
    for (path, mask) in fields {
        let data_type = to_arrow(&type_of(mask));
        let schema = Arc::new(Schema::new(vec![Field::new(FIELD_VALUE, data_type, true)]));
        let mask = FieldMask::new(path.clone(), schema, lower(mask)?).map_err(|_| LowerError::FieldMask)?;
        masks.push(mask);
    }
    // All that it does: texts of plans tell one from another.
    let text =
        PolicyExpr::MaskFields { column: Box::new(column.clone()), fields: fields.to_vec() }.to_string();
    Ok(invoke(MaskFields { name: name(&text), text, masks }, vec![lower(column)?]))
}

/// `expr` with the masks of its fields changed; `None` if it masks no fields.
pub(super) fn with_masks(expr: &Expr, change: &mut dyn FnMut(Expr) -> Result<Expr>) -> Result<Option<Expr>> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = expr else { return Ok(None) };
    let Some(function) = func.inner().downcast_ref::<MaskFields>() else { return Ok(None) };
    let mut masks = Vec::with_capacity(function.masks.len());
    for mask in &function.masks {
        let changed = change(mask.lowered.clone())?;
        masks.push(FieldMask::new(mask.path.clone(), Arc::clone(&mask.schema), changed)?);
    }
    let changed = MaskFields { name: function.name.clone(), text: function.text.clone(), masks };
    Ok(Some(invoke(changed, args.clone())))
}

fn invoke(function: MaskFields, arguments: Vec<Expr>) -> Expr {
    let function = ScalarUDF::new_from_impl(function);
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(function), arguments))
}

fn name(text: &str) -> String {
    let mut hasher = std::hash::DefaultHasher::new();
    text.hash(&mut hasher);
    format!("mask_fields_{:016x}", hasher.finish())
}

#[derive(Debug)]
struct FieldMask {
    path: Vec<String>,
    /// The field alone.
    schema: SchemaRef,
    lowered: Expr,
    mask: Arc<dyn PhysicalExpr>,
}

impl FieldMask {
    fn new(path: Vec<String>, schema: SchemaRef, lowered: Expr) -> Result<Self> {
        let named = DFSchema::try_from(Arc::clone(&schema))?;
        let (props, context) = (ExecutionProps::new(), PhysicalPlanningContext::default());
        let mask = create_physical_expr(&lowered, &named, &props, &context)?;
        Ok(Self { path, schema, lowered, mask })
    }

    fn apply(&self, values: &ArrayRef) -> Result<ArrayRef> {
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), vec![Arc::clone(values)])?;
        self.mask.evaluate(&batch)?.into_array(batch.num_rows())
    }
}

#[derive(Debug)]
struct MaskFields {
    name: String,
    text: String,
    masks: Vec<FieldMask>,
}

impl MaskFields {
    /// What is computed; with the keys of pseudonyms, which no text tells.
    fn lowered(&self) -> impl Iterator<Item = (&Vec<String>, &Expr)> {
        self.masks.iter().map(|mask| (&mask.path, &mask.lowered))
    }
}

impl PartialEq for MaskFields {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.lowered().eq(other.lowered())
    }
}

impl Eq for MaskFields {}

impl Hash for MaskFields {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl ScalarUDFImpl for MaskFields {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        static ANY_ONE: LazyLock<Signature> = LazyLock::new(|| Signature::any(1, Volatility::Immutable));
        &ANY_ONE
    }

    fn return_type(&self, columns: &[DataType]) -> Result<DataType> {
        match columns {
            [data_type @ (DataType::Struct(_) | DataType::List(_))] => Ok(data_type.clone()),
            _ => internal_err!("fields of a column that has none"),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let masks: Vec<(&[String], &FieldMask)> =
            self.masks.iter().map(|mask| (mask.path.as_slice(), mask)).collect();
        match arrays.as_slice() {
            [column] => Ok(ColumnarValue::Array(masked(column, &masks)?)),
            _ => internal_err!("mask_fields takes one column"),
        }
    }
}

/// `masks` with the rest of their paths from here on.
fn masked(array: &ArrayRef, masks: &[(&[String], &FieldMask)]) -> Result<ArrayRef> {
    if masks.is_empty() {
        return Ok(Arc::clone(array));
    }
    if let [([], mask)] = masks {
        return mask.apply(array);
    }
    match array.data_type() {
        DataType::List(element) => {
            let list = array.as_list::<i32>();
            // Elements that no list has are masked like the others.
            let values = masked(list.values(), masks)?;
            let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
            Ok(Arc::new(ListArray::try_new(Arc::clone(element), offsets, values, nulls)?))
        }
        DataType::Struct(fields) => {
            let parent = array.as_struct();
            let mut columns = Vec::with_capacity(fields.len());
            let mut used = 0;
            for (field, column) in fields.iter().zip(parent.columns()) {
                let inside: Vec<(&[String], &FieldMask)> = masks
                    .iter()
                    .filter_map(|(path, mask)| {
                        let (name, rest) = path.split_first()?;
                        (name == field.name()).then_some((rest, *mask))
                    })
                    .collect();
                used += inside.len();
                columns.push(masked(column, &inside)?);
            }
            if used != masks.len() {
                return internal_err!("a field to be masked is not there");
            }
            Ok(Arc::new(StructArray::try_new_with_length(
                fields.clone(),
                columns,
                parent.nulls().cloned(),
                parent.len(),
            )?))
        }
        _ => internal_err!("a field to be masked is in no struct"),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};
    use arrow::buffer::{NullBuffer, OffsetBuffer};
    use meshgate_policies::DataType as PolicyType;
    use meshgate_policies::data_type::Field as PolicyField;
    use meshgate_policies::expression::{Function, Literal};

    use super::*;

    /// `struct<name, lines: list<struct<sku, price!>>>`
    fn data_type() -> PolicyType {
        let field = |name: &str, data_type, nullable| PolicyField { name: name.into(), data_type, nullable };
        let line = PolicyType::Struct(vec![
            field("sku", PolicyType::Text, true),
            field("price", PolicyType::Int64, false),
        ]);
        PolicyType::Struct(vec![
            field("name", PolicyType::Text, true),
            field("lines", PolicyType::List(Box::new(field("item", line, true))), true),
        ])
    }

    fn array() -> ArrayRef {
        let DataType::Struct(fields) = to_arrow(&data_type()) else { panic!("a struct") };
        let DataType::List(element) = fields[1].data_type() else { panic!("a list") };
        let DataType::Struct(line) = element.data_type() else { panic!("a struct") };
        let lines = StructArray::new(
            line.clone(),
            vec![
                Arc::new(StringArray::from(vec![Some("a-1"), None, Some("b-2")])),
                Arc::new(Int64Array::from(vec![17, 0, -3])),
            ],
            Some(NullBuffer::from(vec![true, false, true])),
        );
        let lists =
            ListArray::new(Arc::clone(element), OffsetBuffer::from_lengths([2, 0, 1]), Arc::new(lines), None);
        let names = StringArray::from(vec![Some("Greta"), None, Some("Paul")]);
        let nulls = Some(NullBuffer::from(vec![true, true, false]));
        Arc::new(StructArray::new(fields.clone(), vec![Arc::new(names), Arc::new(lists)], nulls))
    }

    fn evaluated(fields: &[(&[&str], PolicyExpr)], array: &ArrayRef) -> Vec<String> {
        let column = PolicyExpr::Column { index: 0, name: "x".into(), data_type: data_type() };
        let fields: Vec<(Vec<String>, PolicyExpr)> = fields
            .iter()
            .map(|(path, mask)| (path.iter().map(|name| (*name).to_owned()).collect(), mask.clone()))
            .collect();
        let lowered = mask_fields(&column, &fields).unwrap();
        let schema = Arc::new(Schema::new(vec![Field::new("x", array.data_type().clone(), true)]));
        let named = DFSchema::try_from(Arc::clone(&schema)).unwrap();
        let context = PhysicalPlanningContext::default();
        let physical = create_physical_expr(&lowered, &named, &ExecutionProps::new(), &context).unwrap();
        let batch = RecordBatch::try_new(schema, vec![Arc::clone(array)]).unwrap();
        let result = physical.evaluate(&batch).unwrap().into_array(batch.num_rows()).unwrap();
        assert_eq!(result.data_type(), array.data_type());
        (0..result.len())
            .map(|row| arrow::util::display::array_value_to_string(&result, row).unwrap())
            .collect()
    }

    fn value(data_type: PolicyType) -> PolicyExpr {
        PolicyExpr::Column { index: 0, name: FIELD_VALUE.into(), data_type }
    }

    fn stars() -> PolicyExpr {
        PolicyExpr::Literal(Literal::Text("***".into()))
    }

    #[test]
    fn fields_are_masked_where_they_are_and_nothing_else_changes() {
        let call = |function, data_type: PolicyType| PolicyExpr::Call {
            function,
            args: vec![value(data_type.clone())],
            data_type,
        };
        assert_eq!(
            evaluated(&[(&["name"], stars())], &array()),
            ["{name: ***, lines: [{sku: a-1, price: 17}, ]}", "{name: ***, lines: []}", ""]
        );
        let masks: [(&[&str], PolicyExpr); 3] = [
            (&["lines", "sku"], call(Function::KeepLast(1), PolicyType::Text)),
            (&["lines", "price"], call(Function::Bucket(10), PolicyType::Int64)),
            (&["name"], PolicyExpr::Null(PolicyType::Text)),
        ];
        assert_eq!(
            evaluated(&masks, &array()),
            ["{name: , lines: [{sku: **1, price: 10}, ]}", "{name: , lines: []}", ""]
        );
        assert_eq!(evaluated(&masks, &array().slice(1, 2)), ["{name: , lines: []}", ""]);
        let PolicyType::Struct(fields) = data_type() else { panic!("a struct") };
        let lines = PolicyExpr::Null(fields[1].data_type.clone());
        assert_eq!(
            evaluated(&[(&["lines"], lines)], &array()),
            ["{name: Greta, lines: }", "{name: , lines: }", ""]
        );
    }

    #[test]
    fn a_field_that_is_not_there_is_an_error_and_not_a_raw_column() {
        let column = PolicyExpr::Column { index: 0, name: "x".into(), data_type: data_type() };
        for path in [vec!["nam"], vec!["name", "x"], vec!["lines", "item", "sku"]] {
            let path: Vec<String> = path.into_iter().map(str::to_owned).collect();
            let Ok(Expr::ScalarFunction(function)) = mask_fields(&column, &[(path, stars())]) else {
                panic!("it lowers")
            };
            let function = function.func.inner().downcast_ref::<MaskFields>().unwrap();
            let masks: Vec<_> = function.masks.iter().map(|mask| (mask.path.as_slice(), mask)).collect();
            masked(&array(), &masks).unwrap_err();
        }
    }
}
