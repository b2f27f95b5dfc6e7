//! How long and from which seed a search goes: by environment variables, else as in CI.

use std::collections::BTreeMap;

/// What a search went through.
#[derive(Debug, Default)]
pub(crate) struct Counters(BTreeMap<&'static str, usize>);

/// The worlds of a search.
pub(crate) struct Settings {
    pub(crate) seeds: Vec<u64>,
    /// Questions for each world.
    pub(crate) questions: usize,
    /// Seeds that somebody chose show something again: what they do not reach says nothing.
    pub(crate) is_chosen: bool,
}

impl Settings {
    /// `worlds` with fixed seeds, and one with a fresh one that is printed.
    pub(crate) fn read(worlds: u64, questions: usize) -> Self {
        let (seed, count) = (number::<u64>("MESHGATE_SEED"), number("MESHGATE_WORLDS"));
        let first = seed.unwrap_or(1);
        let count = count.unwrap_or(if seed.is_some() { 1 } else { worlds });
        let mut seeds: Vec<u64> = (first..first.saturating_add(count)).collect();
        if seed.is_none() {
            let fresh = u64::try_from(chrono::Utc::now().timestamp_millis()).unwrap();
            println!("fresh seed: MESHGATE_SEED={fresh}");
            seeds.push(fresh);
        }
        let questions = number("MESHGATE_QUESTIONS").unwrap_or(questions);
        Self { seeds, questions, is_chosen: seed.is_some() }
    }
}

/// The number in a variable of the environment, if it is set.
pub(crate) fn number<T: std::str::FromStr>(name: &str) -> Option<T> {
    let parse = |text: String| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}"));
    std::env::var(name).ok().map(parse)
}

impl Counters {
    pub(crate) fn hit(&mut self, what: &'static str) {
        self.add(what, 1);
    }

    pub(crate) fn add(&mut self, what: &'static str, count: usize) {
        *self.0.entry(what).or_default() += count;
    }

    pub(crate) fn get(&self, what: &str) -> usize {
        self.0.get(what).copied().unwrap_or_default()
    }

    pub(crate) fn print(&self) {
        for (name, count) in &self.0 {
            println!("{count:8} {name}");
        }
    }
}
