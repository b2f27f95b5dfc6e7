//! A mesh, the engine beside it, and what is asked of both.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use futures::future::join_all;
use meshgate_proto::v1::Permit;
use meshgate_tests::client::Client;
use meshgate_tests::mesh::{Mesh, Taps};
use meshgate_tests::tap::Exchange;
use prost::Message;
use serde_json::json;

use crate::plain_engine::PlainEngine;
use crate::proofs::answer::Answer;
use crate::proofs::keys::Keys;
use crate::proofs::query::Query;
use crate::proofs::random::Random;
use crate::proofs::settings::Counters;

use super::author::Author;
use super::placed::placed;
use super::world::World;

/// How often each statement is placed.
pub(super) const PLACEMENTS: usize = 4;
/// Reported differences.
pub(super) const REPORTS: usize = 6;

pub(super) struct Court<'a> {
    world: &'a World,
    mesh: Mesh,
    engine: PlainEngine,
    /// One that believes that required columns are never NULL, and works in parts, as the mesh does.
    believer: PlainEngine,
    client: Client,
}

impl<'a> Court<'a> {
    pub(super) async fn open(world: &'a World, keys: &Keys, taps: Taps) -> Self {
        let mut plan = world.plan();
        plan.keys = Some(keys.path());
        plan.taps = taps;
        let mesh = plan.start().await;
        let root = mesh.directory.path();
        let (engine, believer) = (world.engine(root, false), world.engine(root, true));
        let client = mesh.client(&json!({ "sub": "ada" })).await;
        Self { world, mesh, engine, believer, client }
    }

    /// The differences that `questions` random statements show.
    pub(super) async fn judge(&self, questions: usize, counters: &mut Counters) -> Vec<String> {
        let mut random = Random::new(!self.world.seed);
        let tables = self.world.visible();
        let mut differences = Vec::new();
        counters.hit("worlds");
        if let Ok(sql) = std::env::var("MESHGATE_SQL") {
            let query = Query { sql, is_ordered: false, some_of: None, constructs: Vec::new() };
            return self.compare(&query, &mut random, counters).await;
        }
        for _ in 0..questions {
            let query = Author::new(&mut random, &tables).statement();
            counters.hit("statements");
            for construct in query.constructs.iter().collect::<BTreeSet<_>>() {
                counters.hit(construct);
            }
            differences.extend(self.compare(&query, &mut random, counters).await);
            if differences.len() >= REPORTS {
                break;
            }
        }
        differences
    }

    /// One statement, its tables placed here and there: the answer is that of one engine.
    async fn compare(&self, query: &Query, random: &mut Random, counters: &mut Counters) -> Vec<String> {
        let all = query.some_of.as_ref().map_or(&query.sql, |(all, _)| all);
        let placements: Vec<Vec<String>> =
            (0..PLACEMENTS).map(|_| placed(random, self.world.domains, &[&query.sql, all])).collect();
        let expected = self.engine.answer(&placements[0][1]).await;
        counters.hit(expected.class());
        let answers = join_all(placements.iter().map(|placement| self.answer(&placement[0]))).await;
        self.count(counters);
        let mut differences = Vec::new();
        for (placement, actual) in placements.iter().zip(&answers) {
            counters.hit("comparisons");
            let is_right = match &query.some_of {
                Some((_, count)) => expected.holds(actual, *count),
                None => expected.equals(actual, query.is_ordered),
            };
            if is_right {
                continue;
            }
            // What the engine cannot plan differs with what it knows of NULL, and from plan to plan.
            if let Some(which) = self.is_beyond_the_engine(placement, &expected, actual).await {
                counters.hit(which);
                continue;
            }
            let report = self.report(&placement[0], &expected, actual);
            println!("{report}");
            differences.push(report);
            // The other placements say the same, most of the time.
            break;
        }
        differences
    }

    /// What the mesh answers; who is told to try again later does so, once.
    async fn answer(&self, sql: &str) -> Answer {
        let answer = Answer::of_mesh(&mut self.client.clone(), sql).await.0;
        match answer {
            Answer::Broken(text) if text.starts_with("Unavailable") => {
                Answer::of_mesh(&mut self.client.clone(), sql).await.0
            }
            answer => answer,
        }
    }

    async fn is_beyond_the_engine(
        &self,
        placement: &[String],
        expected: &Answer,
        actual: &Answer,
    ) -> Option<&'static str> {
        match (expected, actual) {
            (Answer::Refused(_) | Answer::Broken(_), Answer::Rows { .. }) => {
                Some("only the mesh can plan it")
            }
            (Answer::Rows { .. }, Answer::Refused(_)) => {
                let refused = matches!(self.believer.answer(&placement[1]).await, Answer::Refused(_));
                refused.then_some("the engine cannot plan it with required columns")
            }
            _ => None,
        }
    }

    /// What the domains were asked for since this was last called.
    fn count(&self, counters: &mut Counters) {
        let mut by_statement: BTreeMap<String, Vec<(Exchange, usize)>> = BTreeMap::new();
        for exchange in self.mesh.exchanges() {
            let permit = exchange.request().permit.expect("a permit").permit;
            let permit = Permit::decode(permit.as_slice()).expect("a permit");
            by_statement.entry(permit.query_id).or_default().push((exchange, permit.tables.len()));
        }
        for exchanges in by_statement.values() {
            let domains: BTreeSet<&str> =
                exchanges.iter().map(|(exchange, _)| exchange.domain.as_str()).collect();
            let parts = exchanges.iter().filter(|(exchange, _)| exchange.is_part());
            let (parts, tables): (Vec<&Exchange>, Vec<usize>) =
                parts.map(|(exchange, tables)| (exchange, *tables)).unzip();
            for (what, is_so) in [
                ("asked: several domains", domains.len() > 1),
                ("asked: one domain", domains.len() == 1),
                ("asked: parts", !parts.is_empty()),
                ("asked: rows of tables", parts.len() < exchanges.len()),
                ("asked: parts and rows of tables", !parts.is_empty() && parts.len() < exchanges.len()),
                ("asked: a part over several tables", tables.iter().any(|tables| *tables > 1)),
                (
                    "asked: a part over several tables, and another domain",
                    domains.len() > 1 && tables.iter().any(|tables| *tables > 1),
                ),
            ] {
                if is_so {
                    counters.hit(what);
                }
            }
        }
    }

    fn report(&self, placed: &str, expected: &Answer, actual: &Answer) -> String {
        let mut text = String::new();
        let _ = write!(
            text,
            "\n=== MESHGATE_SEED={} MESHGATE_SQL=\"{placed}\"\n  expected: {}  mesh: {}",
            self.world.seed,
            expected.shown(),
            actual.shown()
        );
        text
    }

    pub(super) async fn close(self) {
        self.mesh.stop().await;
    }
}
