//! Pseudonyms: keyed hashes in place of values that say who it is. Equal
//! values have equal pseudonyms, so that they can be joined and counted; back
//! from one leads nothing but the key and a list of all values.
//!
//! An expression is lowered before its keys are there: only a node has them.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType, Int64Type, UInt64Type};
use aws_lc_rs::hmac;
use datafusion::common::error::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{exec_err, internal_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use meshgate_policies::{PseudonymScope, PseudonymSpace};

use super::fields;

/// Shortest key: as long as the hash, so that it cannot be guessed.
const KEY_BYTES_MIN: usize = 32;
/// Longest key that HMAC does not hash first.
const KEY_BYTES_MAX: usize = 64;
/// Bytes of the hash that a text shows.
const TEXT_BYTES: usize = 16;
/// All but the sign.
const INTEGER_BITS: u64 = (1 << 63) - 1;

/// A key that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key of pseudonyms has {KEY_BYTES_MIN} to {KEY_BYTES_MAX} bytes")]
pub struct PseudonymKeyError;

/// The key of one space as one domain uses it.
#[derive(Clone)]
pub struct PseudonymKey(hmac::Key);

impl PseudonymKey {
    /// Derives the key of `space` in `domain` from the one that was configured.
    pub fn new(secret: &[u8], space: &PseudonymSpace, domain: &str) -> Result<Self, PseudonymKeyError> {
        if !(KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&secret.len()) {
            return Err(PseudonymKeyError);
        }
        let reach = match space.scope {
            PseudonymScope::Mesh => "mesh".to_owned(),
            PseudonymScope::Domain => format!("domain\0{domain}"),
        };
        // None of the parts holds a NUL.
        let label = format!("meshgate-pseudonym-v1\0{}\0{reach}", space.name);
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), label.as_bytes());
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref())))
    }

    fn text(&self, value: &str) -> String {
        let hash = self.hash(b"text", value.as_bytes());
        hash.as_ref().iter().take(TEXT_BYTES).fold(String::with_capacity(2 * TEXT_BYTES), |mut text, byte| {
            for digit in [byte >> 4, byte & 15] {
                text.extend(char::from_digit(u32::from(digit), 16));
            }
            text
        })
    }

    /// The same for a number, whatever integer type it has.
    fn integer(&self, value: i128) -> u64 {
        let hash = self.hash(b"integer", &value.to_be_bytes());
        let first =
            hash.as_ref().iter().take(8).fold(0, |number: u64, byte| (number << 8) | u64::from(*byte));
        first & INTEGER_BITS
    }

    fn hash(&self, kind: &[u8], value: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(kind);
        context.update(&[0]);
        context.update(value);
        context.sign()
    }

    fn apply(&self, values: &ArrayRef) -> Result<ArrayRef> {
        Ok(match values.data_type() {
            DataType::Utf8 => Arc::new(
                values
                    .as_string::<i32>()
                    .iter()
                    .map(|value| value.map(|value| self.text(value)))
                    .collect::<StringArray>(),
            ),
            DataType::Int64 => {
                let hashed = |value: i64| self.integer(i128::from(value)).cast_signed();
                Arc::new(values.as_primitive::<Int64Type>().unary::<_, Int64Type>(hashed))
            }
            DataType::UInt64 => {
                let hashed = |value: u64| self.integer(i128::from(value));
                Arc::new(values.as_primitive::<UInt64Type>().unary::<_, UInt64Type>(hashed))
            }
            other => return internal_err!("{other} has no pseudonyms"),
        })
    }
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PseudonymKey")
    }
}

/// The pseudonym of `value` in a space whose key is not there yet; computing it fails.
pub(super) fn without_key(space: &PseudonymSpace, value: Expr) -> Expr {
    invoke(Pseudonym::new(space.clone(), None), value)
}

/// A lowered expression with the keys of all its spaces; `None` if one is missing.
pub fn with_pseudonyms(
    expr: Expr,
    key: &dyn Fn(&PseudonymSpace) -> Option<Arc<PseudonymKey>>,
) -> Result<Option<Expr>> {
    let mut is_complete = true;
    let keyed = keyed(expr, &mut |space| {
        let key = key(space);
        is_complete &= key.is_some();
        key
    })?;
    Ok(is_complete.then_some(keyed))
}

fn keyed(expr: Expr, key: &mut dyn FnMut(&PseudonymSpace) -> Option<Arc<PseudonymKey>>) -> Result<Expr> {
    expr.transform_up(|expr| {
        if let Some((function, value)) = pseudonym(&expr) {
            let function = Pseudonym::new(function.space.clone(), key(&function.space));
            return Ok(Transformed::yes(invoke(function, value.clone())));
        }
        match fields::with_masks(&expr, &mut |mask| keyed(mask, key))? {
            Some(changed) => Ok(Transformed::yes(changed)),
            None => Ok(Transformed::no(expr)),
        }
    })
    .data()
}

fn pseudonym(expr: &Expr) -> Option<(&Pseudonym, &Expr)> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = expr else { return None };
    let (function, [value]) = (func.inner().downcast_ref::<Pseudonym>()?, args.as_slice()) else {
        return None;
    };
    Some((function, value))
}

fn invoke(function: Pseudonym, value: Expr) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(ScalarUDF::new_from_impl(function)), vec![value]))
}

#[derive(Debug)]
struct Pseudonym {
    space: PseudonymSpace,
    /// Names the space: texts of plans tell one from another.
    name: String,
    key: Option<Arc<PseudonymKey>>,
}

impl Pseudonym {
    fn new(space: PseudonymSpace, key: Option<Arc<PseudonymKey>>) -> Self {
        let name = format!("pseudonym_{}", space.name);
        Self { space, name, key }
    }

    fn identity(&self) -> (&PseudonymSpace, Option<*const PseudonymKey>) {
        (&self.space, self.key.as_ref().map(Arc::as_ptr))
    }
}

/// Two keys are the same only if they are one: what is equal may be computed once.
impl PartialEq for Pseudonym {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Pseudonym {}

impl Hash for Pseudonym {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl ScalarUDFImpl for Pseudonym {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        static ANY_ONE: LazyLock<Signature> = LazyLock::new(|| Signature::any(1, Volatility::Immutable));
        &ANY_ONE
    }

    fn return_type(&self, values: &[DataType]) -> Result<DataType> {
        match values {
            [value @ (DataType::Utf8 | DataType::Int64 | DataType::UInt64)] => Ok(value.clone()),
            _ => internal_err!("a value of this type has no pseudonym"),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(key) = &self.key else { return exec_err!("the key of a space of pseudonyms is missing") };
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        match arrays.as_slice() {
            [values] => Ok(ColumnarValue::Array(key.apply(values)?)),
            _ => internal_err!("a pseudonym is of one value"),
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, RecordBatch, StructArray, UInt64Array};
    use arrow::datatypes::{Field, Schema};
    use datafusion::common::DFSchema;
    use datafusion::execution::context::ExecutionProps;
    use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
    use datafusion::physical_expr::create_physical_expr;
    use meshgate_policies::DataType as PolicyType;
    use meshgate_policies::data_type::Field as PolicyField;
    use meshgate_policies::expression::{Expr as PolicyExpr, Function};

    use super::*;
    use crate::data_type::to_arrow;
    use crate::lower::{LowerError, lower};

    const SECRET: [u8; 32] = [7; 32];

    fn space(scope: PseudonymScope) -> PseudonymSpace {
        PseudonymSpace { name: "person".to_owned(), scope }
    }

    fn key(space: &PseudonymSpace, domain: &str) -> Arc<PseudonymKey> {
        Arc::new(PseudonymKey::new(&SECRET, space, domain).unwrap())
    }

    fn policy(space: &PseudonymSpace, data_type: PolicyType) -> PolicyExpr {
        let column = PolicyExpr::Column { index: 0, name: "id".into(), data_type: data_type.clone() };
        PolicyExpr::Call { function: Function::Pseudonym(space.clone()), args: vec![column], data_type }
    }

    fn evaluate(expr: &Expr, values: &ArrayRef) -> Result<ArrayRef> {
        let schema = Arc::new(Schema::new(vec![Field::new("id", values.data_type().clone(), true)]));
        let named = DFSchema::try_from(Arc::clone(&schema)).unwrap();
        let context = PhysicalPlanningContext::default();
        let physical = create_physical_expr(expr, &named, &ExecutionProps::new(), &context).unwrap();
        let batch = RecordBatch::try_new(schema, vec![Arc::clone(values)]).unwrap();
        physical.evaluate(&batch)?.into_array(batch.num_rows())
    }

    fn shown(space: &PseudonymSpace, domain: &str, data_type: PolicyType, values: &ArrayRef) -> ArrayRef {
        let lowered = lower(&policy(space, data_type)).unwrap();
        let found = key(space, domain);
        let keyed = with_pseudonyms(lowered, &|asked| (asked == space).then(|| Arc::clone(&found)));
        evaluate(&keyed.unwrap().unwrap(), values).unwrap()
    }

    fn texts(domain: &str, scope: PseudonymScope) -> Vec<Option<String>> {
        let values: ArrayRef =
            Arc::new(StringArray::from(vec![Some("anna"), None, Some("bob"), Some("anna")]));
        let shown = shown(&space(scope), domain, PolicyType::Text, &values);
        shown.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
    }

    #[test]
    fn equal_values_have_equal_pseudonyms_and_null_has_none() {
        let shown = texts("sales", PseudonymScope::Mesh);
        assert_eq!((&shown[0], &shown[1]), (&shown[3], &None));
        assert_ne!(shown[0], shown[2]);
        let text = shown[0].as_deref().unwrap();
        assert!(text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()), "{text}");
    }

    #[test]
    fn a_space_reaches_as_far_as_its_scope() {
        assert_eq!(texts("sales", PseudonymScope::Mesh), texts("web", PseudonymScope::Mesh));
        assert_ne!(texts("sales", PseudonymScope::Domain), texts("web", PseudonymScope::Domain));
        assert_ne!(texts("sales", PseudonymScope::Domain), texts("sales", PseudonymScope::Mesh));
        let other = PseudonymSpace { name: "order".to_owned(), scope: PseudonymScope::Mesh };
        assert_ne!(
            key(&other, "sales").text("anna"),
            key(&space(PseudonymScope::Mesh), "sales").text("anna")
        );
    }

    #[test]
    fn integers_have_63_bits_and_are_the_same_in_both_types() {
        let mesh = space(PseudonymScope::Mesh);
        let signed: ArrayRef =
            Arc::new(Int64Array::from(vec![Some(1), None, Some(i64::MIN), Some(i64::MAX), Some(-1)]));
        let unsigned: ArrayRef = Arc::new(UInt64Array::from(vec![Some(1), None, Some(u64::MAX)]));
        let of_signed = shown(&mesh, "sales", PolicyType::Int64, &signed);
        let of_signed = of_signed.as_primitive::<Int64Type>();
        let of_unsigned = shown(&mesh, "web", PolicyType::UInt64, &unsigned);
        let of_unsigned = of_unsigned.as_primitive::<UInt64Type>();
        assert!(of_signed.iter().flatten().all(|number| number > 0));
        assert!(of_unsigned.iter().flatten().all(|number| number <= INTEGER_BITS));
        assert_eq!(of_signed.value(0).cast_unsigned(), of_unsigned.value(0));
        assert!(of_signed.is_null(1) && of_unsigned.is_null(1));
        let different: std::collections::BTreeSet<_> = of_signed.iter().collect();
        assert_eq!(different.len(), 5);
    }

    /// Computed apart from this, with Python's `hmac`: pseudonyms that are
    /// stored somewhere must not change with a new version.
    #[test]
    fn pseudonyms_stay_what_they_are() {
        let mesh = key(&space(PseudonymScope::Mesh), "sales");
        let domain = key(&space(PseudonymScope::Domain), "sales");
        assert_eq!(mesh.text("anna"), "18aa59d1c2dc131a6c40e85823e3d6e2");
        assert_eq!(mesh.integer(1), 5_437_254_163_699_583_150);
        assert_eq!(domain.text("anna"), "6d3f63c182defe6cc3197b1a478e7b31");
    }

    #[test]
    fn without_a_key_nothing_is_computed() {
        let mesh = space(PseudonymScope::Mesh);
        let lowered = lower(&policy(&mesh, PolicyType::Text)).unwrap();
        assert_eq!(with_pseudonyms(lowered.clone(), &|_| None).unwrap(), None);
        let values: ArrayRef = Arc::new(StringArray::from(vec!["anna"]));
        let error = evaluate(&lowered, &values).unwrap_err().to_string();
        assert!(error.contains("missing") && !error.contains("anna"), "{error}");
        for length in [0, 1, 31, 65] {
            assert!(PseudonymKey::new(&vec![1; length], &mesh, "sales").is_err(), "{length}");
        }
        assert_eq!(format!("{:?}", key(&mesh, "sales")), "PseudonymKey");
    }

    #[test]
    fn fields_inside_columns_get_the_keys_too() {
        let mesh = space(PseudonymScope::Mesh);
        let text = || PolicyType::Text;
        let value = PolicyExpr::Column { index: 0, name: "value".into(), data_type: text() };
        let function = Function::Pseudonym(mesh.clone());
        let mask = PolicyExpr::Call { function, args: vec![value], data_type: text() };
        let inside = PolicyField { name: "name".into(), data_type: text(), nullable: true };
        let data_type = PolicyType::Struct(vec![inside]);
        let column = PolicyExpr::Column { index: 0, name: "id".into(), data_type: data_type.clone() };
        let fields = vec![(vec!["name".to_owned()], mask)];
        let lowered = lower(&PolicyExpr::MaskFields { column: Box::new(column), fields }).unwrap();

        let DataType::Struct(fields) = to_arrow(&data_type) else { panic!("a struct") };
        let names: ArrayRef = Arc::new(StringArray::from(vec!["anna"]));
        let people: ArrayRef = Arc::new(StructArray::new(fields, vec![names], None));
        assert_eq!(with_pseudonyms(lowered.clone(), &|_| None).unwrap(), None);
        let error = evaluate(&lowered, &people).unwrap_err().to_string();
        assert!(error.contains("missing") && !error.contains("anna"), "{error}");

        let found = key(&mesh, "sales");
        let keyed = with_pseudonyms(lowered.clone(), &|_| Some(Arc::clone(&found))).unwrap().unwrap();
        assert_ne!(keyed, lowered);
        let shown = evaluate(&keyed, &people).unwrap();
        assert_eq!(shown.as_struct().column(0).as_string::<i32>().value(0), found.text("anna"));
    }

    #[test]
    fn other_types_have_none() {
        let mesh = space(PseudonymScope::Mesh);
        for data_type in [PolicyType::Int32, PolicyType::Date, PolicyType::Boolean] {
            let lowered = lower(&policy(&mesh, data_type.clone()));
            assert!(matches!(lowered, Err(LowerError::Arguments { .. })), "{data_type}");
        }
    }
}
