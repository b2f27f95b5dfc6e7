//! Names of files against the patterns of contracts: `*` and `?` within a
//! name, `**` for any folders, and what is no data whatever the pattern says.

/// Deepest nesting of folders that is followed.
pub(super) const MAX_DEPTH: usize = 32;

/// `_year=2026` is a partition; `_SUCCESS`, `_temporary` and `.hidden` are not data.
pub(super) fn is_data_name(name: &str) -> bool {
    !name.starts_with('.') && (!name.starts_with('_') || name.contains('='))
}

pub(super) fn is_wild(segment: &str) -> bool {
    segment.contains(['*', '?'])
}

/// Does the name end like a file of the format?
pub(super) fn has_extension(name: &str, extensions: &[&str]) -> bool {
    let found = name.rsplit_once('.').map(|(_, extension)| extension);
    found.is_some_and(|found| extensions.iter().any(|known| found.eq_ignore_ascii_case(known)))
}

/// Does a name match a segment with `*` and `?`? Linear in both by going back
/// to the last `*` only.
pub(super) fn matches(segment: &str, name: &str) -> bool {
    let (segment, name): (Vec<char>, Vec<char>) = (segment.chars().collect(), name.chars().collect());
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = name.get(from) {
        match segment.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(expected) if *expected == '?' || expected == c => {
                at += 1;
                from += 1;
            }
            _ => {
                let Some((star_at, star_from)) = star else { return false };
                star = Some((star_at, star_from + 1));
                at = star_at + 1;
                from = star_from + 1;
            }
        }
    }
    segment.iter().skip(at).all(|left| *left == '*')
}

/// Does a path, given by its segments, match a pattern? As on disk: a pattern
/// that ends at a folder means all files of the format in it and below it.
pub(super) fn matches_path(pattern: &[String], path: &[&str], extensions: &[&str]) -> bool {
    let Some((file, folders)) = path.split_last() else { return false };
    // Positions in the pattern that the folders so far can have led to; its
    // length stands for a folder that the pattern names as a whole.
    let mut positions = vec![0];
    for folder in folders {
        let mut next = Vec::new();
        for position in with_empty_folders(pattern, &positions) {
            match pattern.get(position).map(String::as_str) {
                None => next.push(position),
                Some("**") => next.push(position),
                Some(segment) if matches(segment, folder) => next.push(position + 1),
                Some(_) => {}
            }
        }
        next.sort_unstable();
        next.dedup();
        positions = next;
    }
    with_empty_folders(pattern, &positions).into_iter().any(|position| {
        let left = pattern.get(position..).unwrap_or_default();
        match left {
            [] => has_extension(file, extensions),
            [last] if last == "**" => has_extension(file, extensions),
            [last] => matches(last, file),
            _ => false,
        }
    })
}

/// `**` also stands for no folder at all.
fn with_empty_folders(pattern: &[String], positions: &[usize]) -> Vec<usize> {
    let mut reached = Vec::new();
    for position in positions {
        let mut position = *position;
        reached.push(position);
        while pattern.get(position).is_some_and(|segment| segment == "**") && position + 1 < pattern.len() {
            position += 1;
            reached.push(position);
        }
    }
    reached.sort_unstable();
    reached.dedup();
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_match_names() {
        for (segment, name) in [
            ("*", "a"),
            ("*.csv", "a.csv"),
            ("a*b*c", "aXbYbc"),
            ("?", "ä"),
            ("region=*", "region=DE"),
            ("a", "a"),
        ] {
            assert!(matches(segment, name), "{segment} {name}");
        }
        for (segment, name) in
            [("*.csv", "a.csv.gz"), ("?", ""), ("?", "ab"), ("a", "b"), ("a*b", "ac"), ("", "a")]
        {
            assert!(!matches(segment, name), "{segment} {name}");
        }
    }

    #[test]
    fn paths_match_patterns_as_folders_on_disk_do() {
        let fits = |pattern: &str, path: &str| {
            let pattern: Vec<String> =
                pattern.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
            matches_path(&pattern, &path.split('/').collect::<Vec<_>>(), &["csv"])
        };
        for (pattern, path) in [
            ("", "a.csv"),
            ("", "x/y/a.CSV"),
            ("*.csv", "a.csv"),
            ("*", "a.txt"),
            ("*", "x/a.csv"),
            ("**", "x/y/a.csv"),
            ("**/*.csv", "a.csv"),
            ("**/*.csv", "x/y/a.csv"),
            ("x/**/y/*.csv", "x/y/a.csv"),
            ("x/**/y/*.csv", "x/1/2/y/a.csv"),
            ("region=*/*.csv", "region=DE/a.csv"),
        ] {
            assert!(fits(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("", "a.txt"),
            ("*.csv", "x/a.csv"),
            ("*.csv", "a.csv.gz"),
            ("*", "x/a.txt"),
            ("**", "x/a.txt"),
            ("**/*.csv", "x/a.txt"),
            ("x/**/y/*.csv", "x/1/a.csv"),
            ("region=*/*.csv", "a.csv"),
        ] {
            assert!(!fits(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn many_wildcards_cost_no_more_than_their_number() {
        let pattern: Vec<String> = vec!["**".to_owned(); 1000];
        assert!(!matches_path(&pattern, &["x"; 32], &["csv"]));
    }

    #[test]
    fn hidden_names_are_no_data() {
        assert!(is_data_name("a") && is_data_name("_x=1"));
        assert!(!is_data_name("_SUCCESS") && !is_data_name(".a"));
    }
}
