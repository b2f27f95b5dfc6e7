//! A copy of the operator's document beside a domain's files: the document behind
//! a line that says when it was taken.

/// How that line begins; for YAML it is a comment.
const PULLED_LINE: &str = "# meshgate-pulled: ";

/// The copy of `document`, taken on `day`.
pub fn pulled(document: &str, day: &str) -> String {
    format!("{PULLED_LINE}{day}\n{document}")
}

/// When a copy was taken, if it says so, and the document in it.
pub fn split_pulled(copy: &str) -> (Option<&str>, &str) {
    let first = copy.strip_prefix(PULLED_LINE).and_then(|rest| rest.split_once('\n'));
    first.map_or((None, copy), |(day, document)| (Some(day.trim_end()), document))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_gives_the_document_back() {
        let copy = pulled("mesh: m\n# meshgate-signature: x y\n", "2026-11-26");
        assert_eq!(split_pulled(&copy), (Some("2026-11-26"), "mesh: m\n# meshgate-signature: x y\n"));
        for document in ["mesh: m\n", "", "# meshgate-pulled: 2026-11-26"] {
            assert_eq!(split_pulled(document), (None, document));
        }
    }
}
