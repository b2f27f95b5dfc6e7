//! Times, sizes and counts as people write them in configuration files:
//! `10m`, `2GiB`, `50_000_000`.

use std::time::Duration;

/// A time such as `250ms`, `30s`, `10m`, `2h`, `7d`.
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(milliseconds).map(Duration::from_millis)
}

/// A size such as `64KiB`, `2GiB`, `500MB` or plain bytes.
pub fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let factor = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// A count such as `50000000` or `50_000_000`.
pub fn count(text: &str) -> Option<u64> {
    match split(text)? {
        (number, "") => Some(number),
        _ => None,
    }
}

/// Digits, with `_` between them, and the unit behind them.
fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end)?;
    let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
    Some((digits.parse().ok()?, unit.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("3s"), Some(Duration::from_secs(3)));
        assert_eq!(duration("2d"), Some(Duration::from_secs(172_800)));
        assert_eq!(duration("10m"), Some(Duration::from_secs(600)));
        assert_eq!(duration(" 2 h "), Some(Duration::from_secs(7200)));
        assert_eq!(duration("500 ms"), Some(Duration::from_millis(500)));
        for wrong in
            ["", "10", "m", "-1s", "1.5h", "10 min", "99999999999999999999s", "18446744073709551615d"]
        {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_and_counts() {
        for (unit, factor) in [
            ("", 1),
            ("B", 1),
            ("KiB", 1 << 10),
            ("MiB", 1 << 20),
            ("GiB", 1 << 30),
            ("TiB", 1 << 40),
            ("kB", 1_000),
            ("KB", 1_000),
            ("MB", 1_000_000),
            ("GB", 1_000_000_000),
            ("TB", 1_000_000_000_000),
        ] {
            assert_eq!(bytes(&format!("7{unit}")), Some(7 * factor), "{unit}");
        }
        assert_eq!(count("50_000_000"), Some(50_000_000));
        for wrong in ["", "GiB", "2Gi", "1e9", "-5", "1.5GiB", "18446744073709551615KiB"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
        assert_eq!(count("8 queries"), None);
    }
}
