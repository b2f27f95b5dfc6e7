//! Proposals for names that cannot be SQL names. A name that does not fit is
//! never changed silently.

use meshgate_policies::names::MAX_NAME_BYTES;

/// What to write instead of a name that does not fit.
pub(super) fn propose_name(name: &str) -> String {
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
    let proposed: String = format!("{prefix}{proposed}").chars().take(MAX_NAME_BYTES).collect();
    proposed.trim_end_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use meshgate_policies::names::is_name;

    use super::*;

    #[test]
    fn a_proposal_is_a_name() {
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
            assert!(!is_name(name), "{name}");
            assert_eq!(propose_name(name), expected);
            assert!(is_name(&propose_name(name)));
        }
        assert_eq!(propose_name(&"a".repeat(64)).len(), 63);
    }
}
