//! The known word that somebody probably meant.

/// The candidate nearest to `word`, if one is near enough to be a typing mistake.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Long words are no typing mistakes of keys, and the distance is quadratic.
    if word.len() > 100 {
        return None;
    }
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= 100)
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A hint made of the nearest candidate, or of all of them if they are few.
pub fn nearest_hint<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    if let Some(candidate) = nearest(word, candidates.iter().copied()) {
        return Some(format!("did you mean `{candidate}`?"));
    }
    (1..=20).contains(&candidates.len()).then(|| format!("known: {}", candidates.join(", ")))
}

/// Edit distance in which swapping two neighbours counts once.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut before_previous: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=right.len()).collect();
    let mut last = None;
    for (row, left_char) in left.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, right_char) in right.iter().enumerate() {
            let at = |line: &[usize], position: usize| line.get(position).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&previous, column) + usize::from(left_char != *right_char);
            let mut best = replaced.min(at(&previous, column + 1) + 1).min(at(&current, column) + 1);
            let swapped = last == Some(*right_char)
                && column.checked_sub(1).and_then(|before| right.get(before)) == Some(&left_char);
            if let (true, Some(before)) = (swapped, column.checked_sub(1)) {
                best = best.min(at(&before_previous, before) + 1);
            }
            current.push(best);
        }
        before_previous = std::mem::replace(&mut previous, current);
        last = Some(left_char);
    }
    previous.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_between_words() {
        for (left, right, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("abc", "abc", 0),
            ("abc", "bc", 1),
            ("bc", "abc", 1),
            ("tables", "tabels", 1),
            ("ab", "ba", 1),
            ("ab", "ca", 2),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(left, right), expected, "{left} {right}");
        }
    }
}
