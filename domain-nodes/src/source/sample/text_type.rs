//! The narrowest type that all texts of a column are values of, asked of
//! the reader that will read them.

use meshgate_policies::DataType;
use meshgate_policies::data_type::TimeUnit;

use crate::source::cell;

/// Most digits of a proposed decimal.
const DIGITS_MAX: usize = 18;

/// What the texts so far can be.
#[derive(Debug)]
pub(super) struct TextType {
    /// In the order in which they are preferred.
    possible: Vec<DataType>,
    /// Digits before and behind the point, while all texts are plain numbers.
    digits: Option<(usize, usize)>,
    seen: bool,
}

impl Default for TextType {
    fn default() -> Self {
        let timestamp = |zone: Option<&str>| DataType::Timestamp {
            unit: TimeUnit::Microsecond,
            zone: zone.map(str::to_owned),
        };
        let possible = vec![
            DataType::Int64,
            DataType::Float64,
            DataType::Boolean,
            DataType::Date,
            timestamp(None),
            timestamp(Some("UTC")),
            DataType::Time,
        ];
        Self { possible, digits: Some((0, 0)), seen: false }
    }
}

impl TextType {
    pub(super) fn look(&mut self, text: &str) {
        self.seen = true;
        // `007` is a code, not the number 7.
        let is_code = text.len() > 1 && text.starts_with('0') && !text.starts_with("0.");
        self.possible.retain(|data_type| {
            let is_number = matches!(data_type, DataType::Int64 | DataType::Float64);
            !(is_code && is_number) && cell::parse_scalar(data_type, Some(text)).is_some()
        });
        self.digits =
            self.digits.zip(digits(text)).map(|(most, these)| (most.0.max(these.0), most.1.max(these.1)));
    }

    pub(super) fn data_type(&self) -> DataType {
        match (self.possible.first().filter(|_| self.seen), self.digits) {
            // Amounts are written with their digits: a decimal keeps them.
            (Some(DataType::Float64), Some((whole, scale))) if whole + scale <= DIGITS_MAX => {
                let scale = u8::try_from(scale).unwrap_or(0);
                DataType::Decimal { precision: u8::try_from(DIGITS_MAX).unwrap_or(18), scale }
            }
            (Some(data_type), _) => data_type.clone(),
            (None, _) => DataType::Text,
        }
    }
}

/// Of a plain number, `-12.50`: digits before and behind the point.
fn digits(text: &str) -> Option<(usize, usize)> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    (!whole.is_empty() && plain(whole) && plain(fraction)).then_some((whole.len(), fraction.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: &[&str]) -> String {
        let mut text_type = TextType::default();
        texts.iter().for_each(|text| text_type.look(text));
        text_type.data_type().to_string()
    }

    #[test]
    fn texts_have_the_narrowest_type_that_holds_them() {
        for (texts, expected) in [
            (&["1", "-20"][..], "int64"),
            (&["1", "2.50", "-3.125"], "decimal(18,3)"),
            (&["1", "2.5e10"], "float64"),
            (&["12345678901234567.89"], "float64"),
            (&["true", "false"], "boolean"),
            (&["2026-01-31"], "date"),
            (&["2026-01-31T10:00:00", "2026-01-31T10:00:00.123456"], "timestamp(us)"),
            (&["2026-01-31T10:00:00Z"], "timestamp(us,UTC)"),
            (&["10:00:00"], "time"),
            (&["01067", "80331"], "text"),
            (&["0", "0.5"], "decimal(18,1)"),
            (&["1", "x"], "text"),
            (&["2026-01-31", "soon"], "text"),
            (&[""], "text"),
            (&[], "text"),
        ] {
            assert_eq!(of(texts), expected, "{texts:?}");
        }
    }
}
