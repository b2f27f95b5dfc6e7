//! Numbers that look random and are the same on every machine and forever.

/// SplitMix64 (Steele, Lea, Flood 2014): small, fast, good enough for a demo.
/// Not for anything secret.
pub(super) struct Random {
    state: u64,
}

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From `low` to `high`, both included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        let choices = high.abs_diff(low).saturating_add(1);
        let offset = self.next().checked_rem(choices).unwrap_or_default();
        low.wrapping_add_unsigned(offset)
    }

    /// Yes in `percent` of a hundred cases.
    pub(super) fn happens(&mut self, percent: i64) -> bool {
        self.between(0, 99) < percent
    }

    /// One of `choices`.
    pub(super) fn pick<'a, T>(&mut self, first: &'a T, others: &'a [T]) -> &'a T {
        let last = i64::try_from(others.len()).unwrap_or(i64::MAX);
        let index = usize::try_from(self.between(0, last)).unwrap_or_default();
        index.checked_sub(1).and_then(|index| others.get(index)).unwrap_or(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_that_of_the_paper() {
        let mut random = Random::new(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn bounds_hold() {
        let mut random = Random::new(1);
        for _ in 0..1000 {
            assert!((-3..=3).contains(&random.between(-3, 3)));
            assert!([1, 2, 3].contains(random.pick(&1, &[2, 3])));
        }
        assert_eq!(random.between(7, 7), 7);
    }
}
