//! Names that become SQL names: one rule for domains, products, tables,
//! columns and nested fields. A name that does not fit is never changed
//! silently; the error proposes one that does.

/// Longest name, as in PostgreSQL.
const MAX_LENGTH: usize = 63;

/// Schemas that belong to the gateway or to SQL.
const RESERVED_DOMAINS: [&str; 3] = ["information_schema", "public", "system"];

/// Is `name` one that SQL needs no quotes for: `[a-z][a-z0-9_]{0,62}`?
pub(super) fn fits(name: &str) -> bool {
    name.len() <= MAX_LENGTH
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// May a domain have this name?
pub(super) fn is_reserved_domain(name: &str) -> bool {
    RESERVED_DOMAINS.contains(&name)
}

/// What to write instead of a name that does not fit.
pub(super) fn proposal(name: &str) -> String {
    let mut proposed = String::new();
    let mut after_lower_case = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && after_lower_case {
            proposed.push('_');
        }
        after_lower_case = c.is_ascii_lowercase() || c.is_ascii_digit();
        match c.to_ascii_lowercase() {
            kept @ ('a'..='z' | '0'..='9') => proposed.push(kept),
            _ if proposed.ends_with('_') => {}
            _ => proposed.push('_'),
        }
    }
    let proposed = proposed.trim_matches('_');
    let first_fits = proposed.starts_with(|first: char| first.is_ascii_lowercase());
    let prefix = if first_fits { "" } else { "n_" };
    let proposed: String = format!("{prefix}{proposed}").chars().take(MAX_LENGTH).collect();
    proposed.trim_end_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_or_a_fitting_one_is_proposed() {
        for name in ["a", "orders", "orders_v2", &"a".repeat(63)] {
            assert!(fits(name), "{name}");
        }
        for (name, expected) in [
            ("customer-profiles", "customer_profiles"),
            ("Orders", "orders"),
            ("orderLines", "order_lines"),
            ("2024 sales", "n_2024_sales"),
            ("_hidden", "hidden"),
            ("a..b", "a_b"),
            ("Größe", "gr_e"),
            ("", "n"),
        ] {
            assert!(!fits(name), "{name}");
            assert_eq!(proposal(name), expected);
            assert!(fits(&proposal(name)));
        }
        assert!(!fits(&"a".repeat(64)));
        assert_eq!(proposal(&"a".repeat(64)).len(), 63);
    }

    #[test]
    fn reserved_domains_are_known() {
        assert!(is_reserved_domain("system"));
        assert!(!is_reserved_domain("sales"));
    }
}
