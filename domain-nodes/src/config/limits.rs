//! Limits of node.yaml: each is a default that a key may replace.

use std::time::Duration;

use meshgate_policies::yaml::{Reader, units};

/// A week: longer is a mistake, and still finite.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

pub(super) fn read_duration(reader: &mut Reader<'_, '_>, key: &str, value: &mut Duration) {
    let parsed = |text: &str| units::duration(text).filter(|time| !time.is_zero() && *time <= LONGEST);
    read(reader, key, value, parsed, "a time: `500ms`, `30s`, `10m`, `1h`, at most `168h`");
}

pub(super) fn read_bytes<T: TryFrom<u64>>(reader: &mut Reader<'_, '_>, key: &str, value: &mut T) {
    let parsed = |text: &str| T::try_from(units::bytes(text).filter(|bytes| *bytes > 0)?).ok();
    read(reader, key, value, parsed, "a size: `64KiB`, `512MiB`, `2GiB`");
}

pub(super) fn read_count(reader: &mut Reader<'_, '_>, key: &str, value: &mut usize) {
    read_count_up_to(reader, key, value, 1_000_000);
}

pub(super) fn read_count_up_to(reader: &mut Reader<'_, '_>, key: &str, value: &mut usize, most: u64) {
    let parsed = |text: &str| {
        units::count(text).filter(|count| (1..=most).contains(count)).and_then(|count| count.try_into().ok())
    };
    read(reader, key, value, parsed, &format!("a number from 1 to {most}"));
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
