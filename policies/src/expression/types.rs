//! Which types go together, and which casts exist. No cast is made that
//! anybody could be surprised by: a common type holds every value of both sides.

use crate::data_type::{DataType, TimeUnit};

/// Number of bits and signedness of an integer type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntegerType {
    pub signed: bool,
    pub bits: u8,
}

/// What kind of integer a type is, if it is one.
pub fn integer_type(data_type: &DataType) -> Option<IntegerType> {
    let (signed, bits) = match data_type {
        DataType::Int8 => (true, 8),
        DataType::Int16 => (true, 16),
        DataType::Int32 => (true, 32),
        DataType::Int64 => (true, 64),
        DataType::UInt8 => (false, 8),
        DataType::UInt16 => (false, 16),
        DataType::UInt32 => (false, 32),
        DataType::UInt64 => (false, 64),
        _ => return None,
    };
    Some(IntegerType { signed, bits })
}

impl IntegerType {
    /// Decimal digits that hold every value.
    pub fn digits(self) -> u8 {
        match (self.bits, self.signed) {
            (8, _) => 3,
            (16, _) => 5,
            (32, _) => 10,
            (_, true) => 19,
            (_, false) => 20,
        }
    }

    /// Is the value one of this type?
    pub(crate) fn holds(self, value: i128) -> bool {
        let (low, high) = if self.signed {
            (-(1i128 << (self.bits - 1)), (1i128 << (self.bits - 1)) - 1)
        } else {
            (0, (1i128 << self.bits) - 1)
        };
        (low..=high).contains(&value)
    }

    /// Brings a value into the range the way two's complement does.
    pub(crate) fn wrap(self, value: i128) -> i128 {
        let span = 1i128 << self.bits;
        let wrapped = value.rem_euclid(span);
        if self.signed && wrapped >= span / 2 { wrapped - span } else { wrapped }
    }

    /// Does `to` hold every value of this type?
    pub fn widens_to(self, to: Self) -> bool {
        match (self.signed, to.signed) {
            (true, false) => false,
            (false, true) => to.bits > self.bits,
            _ => to.bits >= self.bits,
        }
    }
}

/// Numbers of all kinds.
pub(crate) fn is_numeric(data_type: &DataType) -> bool {
    integer_type(data_type).is_some() || is_float(data_type) || matches!(data_type, DataType::Decimal { .. })
}

pub(crate) fn is_float(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Float32 | DataType::Float64)
}

/// Types whose values can be compared.
pub(crate) fn is_comparable(data_type: &DataType) -> bool {
    !matches!(data_type, DataType::List(_) | DataType::Struct(_))
}

/// Types whose values can be keys of a lookup: equal is equal, whoever compares.
pub(crate) fn is_key_type(data_type: &DataType) -> bool {
    is_comparable(data_type) && !is_float(data_type)
}

/// The smallest type that holds every value of both, if there is one.
pub(crate) fn common_type(left: &DataType, right: &DataType) -> Option<DataType> {
    if left == right {
        return Some(left.clone());
    }
    if let (Some(a), Some(b)) = (integer_type(left), integer_type(right)) {
        return common_integer(left, a, right, b);
    }
    match (left, right) {
        (DataType::Float32 | DataType::Float64, DataType::Float32 | DataType::Float64) => {
            Some(DataType::Float64)
        }
        (DataType::Decimal { precision: p1, scale: s1 }, DataType::Decimal { precision: p2, scale: s2 }) => {
            decimal(p1.saturating_sub(*s1).max(p2.saturating_sub(*s2)), *s1.max(s2))
        }
        (DataType::Decimal { precision, scale }, integer)
        | (integer, DataType::Decimal { precision, scale }) => {
            decimal(precision.saturating_sub(*scale).max(integer_type(integer)?.digits()), *scale)
        }
        (float @ (DataType::Float32 | DataType::Float64), integer)
        | (integer, float @ (DataType::Float32 | DataType::Float64)) => {
            common_float(float, integer_type(integer)?)
        }
        // Two instants are comparable whatever zone they are shown in.
        (
            DataType::Timestamp { unit: unit1, zone: Some(_) },
            DataType::Timestamp { unit: unit2, zone: Some(_) },
        ) if unit1 == unit2 => Some(left.clone()),
        _ => None,
    }
}

fn common_integer(left: &DataType, a: IntegerType, right: &DataType, b: IntegerType) -> Option<DataType> {
    if a.widens_to(b) {
        return Some(right.clone());
    }
    if b.widens_to(a) {
        return Some(left.clone());
    }
    match a.bits.max(b.bits) {
        8 => Some(DataType::Int16),
        16 => Some(DataType::Int32),
        32 => Some(DataType::Int64),
        // An unsigned and a signed one of which one has 64 bits.
        _ => decimal(20, 0),
    }
}

fn common_float(float: &DataType, integer: IntegerType) -> Option<DataType> {
    match (float, integer.bits) {
        (DataType::Float32, 8 | 16) => Some(DataType::Float32),
        (_, 8 | 16 | 32) => Some(DataType::Float64),
        _ => None,
    }
}

fn decimal(before: u8, scale: u8) -> Option<DataType> {
    let precision = before.checked_add(scale)?;
    (precision <= 38).then_some(DataType::Decimal { precision, scale })
}

/// Casts that give a value for every value. Casts between dates and
/// timestamps count: what lies beyond the calendar becomes NULL.
pub fn cast_cannot_fail(from: &DataType, to: &DataType) -> bool {
    if from == to {
        return true;
    }
    if let Some(integer) = integer_type(from) {
        return match to {
            DataType::Text | DataType::Float32 | DataType::Float64 => true,
            DataType::Decimal { precision, scale } => integer.digits() <= precision.saturating_sub(*scale),
            _ => integer_type(to).is_some_and(|to| integer.widens_to(to)),
        };
    }
    match (from, to) {
        (DataType::Boolean, DataType::Text) | (DataType::Float32, DataType::Float64) => true,
        (DataType::Boolean, to) => integer_type(to).is_some(),
        (DataType::Decimal { .. }, DataType::Text | DataType::Float32 | DataType::Float64) => true,
        (DataType::Decimal { precision: p1, scale: s1 }, DataType::Decimal { precision: p2, scale: s2 }) => {
            s2 >= s1 && p2.saturating_sub(*s2) >= p1.saturating_sub(*s1)
        }
        (DataType::Date, DataType::Timestamp { .. }) | (DataType::Timestamp { .. }, DataType::Date) => true,
        // From the reading of a clock to an instant and back is no cast but a
        // question of zones; only the resolution may change.
        (DataType::Timestamp { zone: zone1, .. }, DataType::Timestamp { zone: zone2, .. }) => {
            zone1.is_some() == zone2.is_some()
        }
        _ => false,
    }
}

/// Casts that give NULL where they fail.
pub fn try_cast_exists(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        _ if cast_cannot_fail(from, to) || (is_numeric(from) && is_numeric(to)) => true,
        (DataType::Text, DataType::Boolean | DataType::Date) => true,
        (DataType::Text, DataType::Timestamp { zone, .. }) => zone.is_none(),
        (DataType::Text, to) => is_numeric(to),
        _ => false,
    }
}

/// The type of what `operator` makes of two operands of `data_type`, if every result fits it.
pub(crate) fn arithmetic_type(operator: super::ArithmeticOperator, data_type: &DataType) -> Option<DataType> {
    use super::ArithmeticOperator::{Add, Divide, Modulo, Multiply, Subtract};
    let DataType::Decimal { precision, scale } = data_type else {
        return is_numeric(data_type).then(|| data_type.clone());
    };
    let (precision, scale) = (u16::from(*precision), u16::from(*scale));
    let (precision, scale) = match operator {
        Add | Subtract => (precision + 1, scale),
        Multiply => (2 * precision + 1, 2 * scale),
        // Four more decimals than the dividend has.
        Divide => (precision + scale + 4, scale + 4),
        Modulo => (precision, scale),
    };
    let (precision, scale) = (u8::try_from(precision).ok()?, u8::try_from(scale).ok()?);
    (precision <= 38).then_some(DataType::Decimal { precision, scale })
}

/// Counts of the unit in a second.
pub(crate) fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_widen_to_what_holds_all_of_them() {
        let signed = |bits| IntegerType { signed: true, bits };
        let unsigned = |bits| IntegerType { signed: false, bits };
        let integers = [
            DataType::Int8,
            DataType::Int16,
            DataType::Int32,
            DataType::Int64,
            DataType::UInt8,
            DataType::UInt16,
            DataType::UInt32,
            DataType::UInt64,
        ];
        for (at, integer) in integers.iter().enumerate() {
            let expected = IntegerType { signed: at < 4, bits: 8 << (at % 4) };
            assert_eq!(integer_type(integer), Some(expected), "{integer}");
            for (to, other) in integers.iter().enumerate() {
                // The same sign and as many bits, or an unsigned one in a signed one with more.
                let widens = (at / 4 == to / 4 && to >= at) || (at >= 4 && to < 4 && to > at - 4);
                assert_eq!(cast_cannot_fail(integer, other), widens, "{integer} to {other}");
            }
        }
        for (left, right, common) in [(4, 0, 1), (5, 1, 2), (6, 2, 3), (4, 1, 1), (0, 6, 3)] {
            let common = Some(integers[common].clone());
            assert_eq!(common_type(&integers[left], &integers[right]), common, "{left} {right}");
        }
        let wide = DataType::Decimal { precision: 20, scale: 0 };
        assert_eq!(common_type(&DataType::UInt64, &DataType::Int8), Some(wide));
        let both = common_type(&DataType::Float32, &DataType::Float64);
        assert_eq!(both, Some(DataType::Float64));
        for (of, low, high) in [
            (signed(8), -128, 127),
            (signed(32), -2_147_483_648, 2_147_483_647),
            (unsigned(8), 0, 255),
            (unsigned(64), 0, i128::from(u64::MAX)),
        ] {
            assert!(of.holds(low) && of.holds(high) && !of.holds(low - 1) && !of.holds(high + 1), "{of:?}");
            assert_eq!((of.wrap(high + 1), of.wrap(low - 1), of.wrap(high)), (low, high, high), "{of:?}");
        }
    }

    #[test]
    fn instants_of_two_units_have_no_common_type() {
        let at = |unit, zone: &str| DataType::Timestamp { unit, zone: Some(zone.to_owned()) };
        let (berlin, utc) = (at(TimeUnit::Microsecond, "Europe/Berlin"), at(TimeUnit::Microsecond, "UTC"));
        assert_eq!(common_type(&berlin, &utc), Some(berlin.clone()));
        assert_eq!(common_type(&berlin, &at(TimeUnit::Nanosecond, "UTC")), None);
    }

    #[test]
    fn casts_keep_every_value_and_clocks_stay_apart_from_instants() {
        let at = |unit, zone: Option<&str>| DataType::Timestamp { unit, zone: zone.map(str::to_owned) };
        let float = |integer| common_type(&DataType::Float32, &integer);
        assert_eq!(float(DataType::Int16), Some(DataType::Float32));
        assert_eq!(float(DataType::UInt32), Some(DataType::Float64));
        assert_eq!(float(DataType::Int64), None);
        let decimal = DataType::Decimal { precision: 12, scale: 2 };
        for to in [DataType::Text, DataType::Float32, DataType::Float64] {
            assert!(cast_cannot_fail(&decimal, &to), "{to}");
        }
        for to in [DataType::Boolean, DataType::Date, DataType::Int64, at(TimeUnit::Second, None)] {
            assert!(try_cast_exists(&DataType::Text, &to), "{to}");
        }
        assert!(!try_cast_exists(&DataType::Text, &at(TimeUnit::Second, Some("UTC"))));
        assert!(!try_cast_exists(&DataType::Text, &DataType::Binary));
        assert!(!try_cast_exists(&DataType::Date, &DataType::Int64));
        let (clock, instant) = (at(TimeUnit::Second, None), at(TimeUnit::Second, Some("UTC")));
        let finer = at(TimeUnit::Nanosecond, Some("Europe/Berlin"));
        assert!(cast_cannot_fail(&instant, &finer) && cast_cannot_fail(&clock, &clock));
        assert!(!cast_cannot_fail(&instant, &clock) && !cast_cannot_fail(&clock, &instant));
    }
}
