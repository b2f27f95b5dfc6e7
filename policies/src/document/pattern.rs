//! Names with `*` for any characters.

/// A name or a glob, and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    pub(crate) text: String,
    pub(crate) line: usize,
}

impl Pattern {
    pub(crate) fn is_glob(&self) -> bool {
        self.text.contains('*')
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        matches(&self.text, name)
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let Some(last) = parts.pop() else { return true };
    for part in parts {
        match name.split_once(part) {
            Some((_, behind)) => name = behind,
            None => return false,
        }
    }
    name.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn globs() {
        for (pattern, name, expected) in [
            ("orders", "orders", true),
            ("orders", "orders_v2", false),
            ("orders*", "orders_v2", true),
            ("*", "", true),
            ("*", "x", true),
            ("*_id", "order_id", true),
            ("*_id", "order_idx", false),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("a**b", "ab", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
