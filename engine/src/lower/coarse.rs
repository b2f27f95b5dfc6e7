//! Numbers made coarse: buckets and rounding, exact for every value of every
//! type of numbers. What does not fit the type is NULL.

use std::sync::{Arc, LazyLock};

use arrow::array::types::{
    ArrowPrimitiveType, Decimal128Type, DecimalType, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// How numbers are made coarse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Coarse {
    /// The largest multiple that is not above the number.
    Bucket(u64),
    /// So many decimal places, halves away from zero.
    Round(i8),
}

pub(super) fn function(coarse: Coarse) -> Arc<ScalarUDF> {
    let name = match coarse {
        Coarse::Bucket(width) => format!("bucket_{width}"),
        Coarse::Round(places) => format!("round_{places}"),
    };
    Arc::new(ScalarUDF::new_from_impl(Coarsen { coarse, name }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Coarsen {
    coarse: Coarse,
    name: String,
}

impl ScalarUDFImpl for Coarsen {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        static ANY_ONE: LazyLock<Signature> = LazyLock::new(|| Signature::any(1, Volatility::Immutable));
        &ANY_ONE
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [data_type] if data_type.is_numeric() => Ok(data_type.clone()),
            _ => exec_err!("{} takes one number", self.name),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        match arrays.as_slice() {
            [array] => Ok(ColumnarValue::Array(coarsened(array, self.coarse)?)),
            _ => exec_err!("{} takes one number", self.name),
        }
    }
}

fn coarsened(array: &ArrayRef, coarse: Coarse) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Int8 => integers::<Int8Type>(array, coarse),
        DataType::Int16 => integers::<Int16Type>(array, coarse),
        DataType::Int32 => integers::<Int32Type>(array, coarse),
        DataType::Int64 => integers::<Int64Type>(array, coarse),
        DataType::UInt8 => integers::<UInt8Type>(array, coarse),
        DataType::UInt16 => integers::<UInt16Type>(array, coarse),
        DataType::UInt32 => integers::<UInt32Type>(array, coarse),
        DataType::UInt64 => integers::<UInt64Type>(array, coarse),
        DataType::Float64 => Arc::new(
            array.as_primitive::<Float64Type>().unary::<_, Float64Type>(|value| float(value, coarse)),
        ),
        DataType::Float32 => {
            let coarsen = |value| float(f64::from(value), coarse) as f32;
            Arc::new(array.as_primitive::<Float32Type>().unary::<_, Float32Type>(coarsen))
        }
        DataType::Decimal128(precision, scale) => decimals(array, *precision, *scale, coarse)?,
        other => return exec_err!("{other} is no type of numbers"),
    })
}

fn integers<T>(array: &ArrayRef, coarse: Coarse) -> ArrayRef
where
    T: ArrowPrimitiveType,
    T::Native: Into<i128> + TryFrom<i128>,
{
    let step = step(coarse, 0);
    let coarsen = |value: T::Native| T::Native::try_from(exact(value.into(), step, coarse)?).ok();
    let coarse: PrimitiveArray<T> = array.as_primitive::<T>().unary_opt(coarsen);
    Arc::new(coarse)
}

fn decimals(array: &ArrayRef, precision: u8, scale: i8, coarse: Coarse) -> Result<ArrayRef> {
    let step = step(coarse, scale);
    let fits = |value: &i128| Decimal128Type::is_valid_decimal_precision(*value, precision);
    let coarsen = |value: i128| exact(value, step, coarse).filter(fits);
    let coarse: PrimitiveArray<Decimal128Type> = array.as_primitive::<Decimal128Type>().unary_opt(coarsen);
    Ok(Arc::new(coarse.with_precision_and_scale(precision, scale)?))
}

/// The distance of coarse values, in units of the last place. `None`: more than any number.
fn step(coarse: Coarse, scale: i8) -> Option<i128> {
    let power = |places: i16| 10_i128.checked_pow(u32::try_from(places).unwrap_or_default());
    match coarse {
        Coarse::Bucket(width) => power(i16::from(scale))?.checked_mul(i128::from(width)),
        Coarse::Round(places) => power(i16::from(scale) - i16::from(places)),
    }
}

fn exact(value: i128, step: Option<i128>, coarse: Coarse) -> Option<i128> {
    let Some(step) = step.filter(|step| *step > 0) else {
        return match coarse {
            Coarse::Bucket(_) => (value >= 0).then_some(0),
            Coarse::Round(_) => Some(0),
        };
    };
    match coarse {
        Coarse::Bucket(_) => value.checked_sub(value.rem_euclid(step)),
        Coarse::Round(_) => {
            let rest = value % step;
            let toward_zero = value - rest;
            if rest.unsigned_abs() < step.unsigned_abs() - rest.unsigned_abs() {
                return Some(toward_zero);
            }
            toward_zero.checked_add(step * rest.signum())
        }
    }
}

fn float(value: f64, coarse: Coarse) -> f64 {
    let coarsened = match coarse {
        Coarse::Bucket(width) => (value / width as f64).floor() * width as f64,
        Coarse::Round(places) if places <= 0 => {
            let step = 10_f64.powi(-i32::from(places));
            (value / step).round() * step
        }
        Coarse::Round(places) => {
            let parts = 10_f64.powi(i32::from(places));
            (value * parts).round() / parts
        }
    };
    // Numbers that are too large for the way there have no such places anyway.
    if coarsened.is_finite() { coarsened } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_go_down_and_halves_go_away_from_zero() {
        let bucket = |value, width| exact(value, step(Coarse::Bucket(width), 0), Coarse::Bucket(width));
        assert_eq!(
            [17, 10, 9, 0, -1, -10, -11].map(|value| bucket(value, 10)),
            [10, 10, 0, 0, -10, -10, -20].map(Some)
        );
        let round =
            |value, places, scale| exact(value, step(Coarse::Round(places), scale), Coarse::Round(places));
        assert_eq!(
            [1499, 1500, -1499, -1500, 0].map(|value| round(value, -3, 0)),
            [1000, 2000, -1000, -2000, 0].map(Some)
        );
        // 12.345 to one place, in thousandths.
        assert_eq!(round(12_345, 1, 3), Some(12_300));
        assert_eq!(round(12_350, 1, 3), Some(12_400));
    }

    #[test]
    fn what_does_not_fit_is_null() {
        let tiny: ArrayRef = Arc::new(PrimitiveArray::<Int8Type>::from(vec![127, -128, 100, -100]));
        let of = |array: &ArrayRef, coarse| -> Vec<Option<i8>> {
            coarsened(array, coarse).unwrap().as_primitive::<Int8Type>().iter().collect()
        };
        assert_eq!(of(&tiny, Coarse::Bucket(10)), [Some(120), None, Some(100), Some(-100)]);
        assert_eq!(of(&tiny, Coarse::Bucket(1_000)), [Some(0), None, Some(0), None]);
        assert_eq!(of(&tiny, Coarse::Round(-1)), [None, None, Some(100), Some(-100)]);
        assert_eq!(of(&tiny, Coarse::Round(-18)), [Some(0); 4]);
        let large = PrimitiveArray::<Decimal128Type>::from(vec![9_999, -9_999, i128::from(i64::MAX)]);
        let large: ArrayRef = Arc::new(large.with_precision_and_scale(38, 38).unwrap());
        let rounded = coarsened(&large, Coarse::Round(-18)).unwrap();
        assert_eq!(rounded.as_primitive::<Decimal128Type>().values(), &[0, 0, 0]);
        let narrow = PrimitiveArray::<Decimal128Type>::from(vec![999, -999, 949]);
        let narrow: ArrayRef = Arc::new(narrow.with_precision_and_scale(3, 1).unwrap());
        let rounded = coarsened(&narrow, Coarse::Round(-1)).unwrap();
        let rounded: Vec<Option<i128>> = rounded.as_primitive::<Decimal128Type>().iter().collect();
        assert_eq!(rounded, [None, None, Some(900)]);
    }

    #[test]
    fn floats_stay_what_they_are_where_they_have_no_places() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, -f64::MAX, 1e300] {
            for coarse in [Coarse::Round(18), Coarse::Round(2)] {
                assert_eq!(float(value, coarse).to_bits(), value.to_bits(), "{value}");
            }
        }
        assert_eq!(float(f64::INFINITY, Coarse::Bucket(10)), f64::INFINITY);
        assert_eq!(float(-0.5, Coarse::Bucket(10)), -10.0);
        assert_eq!(float(2.345, Coarse::Round(1)), 2.3);
        assert_eq!(float(1_500.0, Coarse::Round(-3)), 2_000.0);
    }
}
