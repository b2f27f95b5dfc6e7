//! Measuring in pairs: each round runs every contender once, and ratios are taken within a round.

use std::time::{Duration, Instant};

/// Times of one contender, by round.
pub(crate) struct Times {
    pub(crate) name: String,
    pub(crate) rounds: Vec<Duration>,
}

impl Times {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), rounds: Vec::new() }
    }

    /// Runs `work` and notes how long it took.
    pub(crate) async fn time<T>(&mut self, work: impl Future<Output = T>) -> T {
        let begin = Instant::now();
        let result = work.await;
        self.rounds.push(begin.elapsed());
        result
    }

    pub(crate) fn median(&self) -> f64 {
        median(self.seconds())
    }

    fn seconds(&self) -> Vec<f64> {
        self.rounds.iter().map(Duration::as_secs_f64).collect()
    }

    /// The ratios to the times of `base` in the same rounds.
    pub(crate) fn ratio(&self, base: &Self) -> Spread {
        Spread::of(self.seconds().iter().zip(base.seconds()).map(|(own, base)| own / base).collect())
    }

    /// A line of a table: the times, and the ratio to those of `base`.
    pub(crate) fn line(&self, base: &Self) -> String {
        let seconds = Spread::of(self.seconds()).shown(3);
        format!("| {} | {seconds} s | {} of {} |", self.name, self.ratio(base).shown(2), base.name)
    }
}

/// Median, least and most.
pub(crate) struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    pub(crate) fn of(values: Vec<f64>) -> Self {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(0.0, f64::max);
        Self { median: median(values), least, most }
    }

    pub(crate) fn shown(&self, digits: usize) -> String {
        let Self { median, least, most } = self;
        format!("{median:.digits$} [{least:.digits$}..{most:.digits$}]")
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
