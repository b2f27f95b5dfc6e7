//! Durations, sizes and counts as people write them: `10m`, `2GiB`, `64`.

use std::time::Duration;

use meshgate_policies::yaml::Reader;

/// A week: longer is a mistake, and still finite.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

pub(super) fn read_duration(reader: &mut Reader<'_, '_>, key: &str, value: &mut Duration) {
    let parsed = |text: &str| duration(text).filter(|time| !time.is_zero() && *time <= LONGEST);
    read(reader, key, value, parsed, "a time: `500ms`, `30s`, `10m`, `1h`, at most `168h`");
}

pub(super) fn read_bytes<T: TryFrom<u64>>(reader: &mut Reader<'_, '_>, key: &str, value: &mut T) {
    let parsed = |text: &str| T::try_from(bytes(text).filter(|bytes| *bytes > 0)?).ok();
    read(reader, key, value, parsed, "a size: `64KiB`, `512MiB`, `2GiB`");
}

pub(super) fn read_count(reader: &mut Reader<'_, '_>, key: &str, value: &mut usize) {
    let parsed = |text: &str| text.parse().ok().filter(|count| (1..=1_000_000).contains(count));
    read(reader, key, value, parsed, "a number from 1 to 1000000");
}

fn read<T>(
    reader: &mut Reader<'_, '_>,
    key: &str,
    value: &mut T,
    parse: impl Fn(&str) -> Option<T>,
    expected: &str,
) {
    if !reader.has(key) {
        return;
    }
    let Some(text) = reader.text(key) else {
        return;
    };
    match parse(text.trim()) {
        Some(parsed) => *value = parsed,
        None => {
            let line = reader.line_of(key);
            reader.error(line, format!("`{key}: {text}` is not accepted"), Some(format!("write {expected}")));
        }
    }
}

fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = number_and_unit(text)?;
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(milliseconds).map(Duration::from_millis)
}

fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let factor: u64 = match unit {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(factor)
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_and_nothing_else_is() {
        assert_eq!(duration("10m"), Some(Duration::from_secs(600)));
        assert_eq!(duration("500 ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("10"), None);
        assert_eq!(duration("-1s"), None);
        assert_eq!(duration("99999999999999999999h"), None);
        assert_eq!(bytes("2GiB"), Some(2 << 30));
        assert_eq!(bytes("1500"), Some(1500));
        assert_eq!(bytes("1.5GiB"), None);
        assert_eq!(bytes("18446744073709551615TiB"), None);
    }
}
