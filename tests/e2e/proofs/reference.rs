//! The right answer: one plain engine over exactly the cells that the oracle leaves.

use super::answer::Answer;
use super::sight::Sight;
use super::tables::batch;
use crate::plain_engine::PlainEngine;

/// An engine over what one caller sees.
pub(crate) struct Reference {
    engine: PlainEngine,
}

impl Reference {
    pub(crate) fn new(zone: &str, sight: &Sight) -> Self {
        let engine = PlainEngine::new(zone, Vec::new());
        for (table, seen) in sight.visible.iter().zip(&sight.views) {
            let (domain, name) = table.name.split_once('.').unwrap();
            engine.add(domain, name, batch(&table.columns, &seen.rows));
        }
        Self { engine }
    }

    pub(crate) async fn answer(&self, sql: &str) -> Answer {
        self.engine.answer(sql).await
    }
}
