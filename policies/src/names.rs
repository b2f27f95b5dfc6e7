//! What may be the name of a domain, product, table, column or nested field:
//! one rule, because each becomes an SQL name that needs no quotes. And what
//! may be an id, which stands in headers, cookies and logs.

/// Longest name, as in PostgreSQL.
pub const MAX_NAME_BYTES: usize = 63;

/// Schemas that belong to the gateway or to SQL.
const RESERVED_DOMAINS: [&str; 3] = ["information_schema", "public", "system"];

/// Is `name` one that SQL needs no quotes for: `[a-z][a-z0-9_]{0,62}`?
pub fn is_name(name: &str) -> bool {
    name.len() <= MAX_NAME_BYTES
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Is `name` one that no domain may have?
pub fn is_reserved_domain(name: &str) -> bool {
    RESERVED_DOMAINS.contains(&name)
}

/// Longest id.
const MAX_ID_BYTES: usize = 100;
/// What to write where `is_id` does not hold.
pub(crate) const ID_HINT: &str = "use at most 100 letters, digits, `-`, `_`, `.`";

/// Could this be the id of a rule, or the name of a purpose?
pub(crate) fn is_id(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.len() <= MAX_ID_BYTES
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_need_no_quotes() {
        for name in ["a", "orders", "orders_v2", &"a".repeat(63)] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "_a", "2a", "Orders", "a-b", "a.b", "größe", &"a".repeat(64)] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn reserved_domains_are_known() {
        for name in ["system", "information_schema", "public"] {
            assert!(is_reserved_domain(name), "{name}");
        }
        assert!(!is_reserved_domain("sales"));
    }
}
