//! The right answer: one plain engine over exactly the cells that the oracle leaves.

use std::path::Path;

use chrono::Utc;
use meshgate_oracle::{Caller, Documents, Row, read_rows, view};
use serde_json::Value as Json;

use super::answer::Answer;
use super::scope::Visible;
use super::tables::{DOMAINS, Kind, batch};
use super::world::World;
use crate::plain_engine::PlainEngine;

/// The documents and raw rows of a world, as the oracle reads them from the mesh's files.
pub(crate) struct Oracle {
    domains: Vec<(Documents, Vec<Vec<Row>>)>,
    today: i32,
}

/// What one caller sees.
pub(crate) struct Reference {
    pub(crate) visible: Vec<Visible>,
    /// Columns and tables that are there and not visible.
    pub(crate) hidden: Vec<(String, String)>,
    engine: PlainEngine,
}

impl Oracle {
    pub(crate) fn read(root: &Path, world: &World) -> Self {
        let domains = DOMAINS.map(|domain| {
            let folder = root.join(domain);
            let (products, policies) = (folder.join("products"), folder.join("policies"));
            let documents = Documents::read(domain, &root.join("mesh.yaml"), &products, &policies);
            let rows = documents.tables.iter().map(read_rows).collect();
            (documents, rows)
        });
        let zone: chrono_tz::Tz = world.zone.parse().unwrap();
        let day = Utc::now().with_timezone(&zone).date_naive();
        let today = day.signed_duration_since(chrono::NaiveDate::default()).num_days();
        Self { domains: domains.into(), today: i32::try_from(today).unwrap() }
    }

    pub(crate) fn reference(&self, world: &World, claims: &Json) -> Reference {
        let mut reference = Reference {
            visible: Vec::new(),
            hidden: Vec::new(),
            engine: PlainEngine::new(world.zone, Vec::new()),
        };
        for (documents, raw) in &self.domains {
            let caller = Caller::new(&documents.mesh, claims, self.today);
            let domain = &documents.tables[0].domain;
            for (table, rows) in documents.tables.iter().zip(raw) {
                let full = format!("{domain}.{}", table.name);
                let seen = view(documents, table, &caller, rows);
                let shown = seen.as_ref().map(|seen| seen.columns.as_slice()).unwrap_or_default();
                for column in table.columns.iter().filter(|column| !shown.contains(&column.name)) {
                    reference.hidden.push((full.clone(), column.name.clone()));
                }
                let Some(seen) = seen else { continue };
                let columns: Vec<(String, Kind)> = seen
                    .columns
                    .iter()
                    .map(|name| (name.clone(), world.kind(domain, &table.name, name)))
                    .collect();
                let batch = batch(&columns, &seen.rows);
                reference.engine.add(domain, &table.name, batch);
                reference.visible.push(Visible { name: full, columns });
            }
        }
        reference
    }
}

impl Reference {
    pub(crate) async fn answer(&self, sql: &str) -> Answer {
        self.engine.answer(sql).await
    }
}
