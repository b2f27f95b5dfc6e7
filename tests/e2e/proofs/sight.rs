//! What the oracle says of a world: who sees what of which table.

use std::path::Path;

use chrono::Utc;
use meshgate_oracle::{Caller, Documents, Row, View, keys_of, read_rows, view, with_lookups};
use serde_json::Value as Json;

use super::scope::Visible;
use super::tables::{DOMAINS, Kind, Table};
use super::world::World;

/// The documents and raw rows of a world, as the oracle reads them from the mesh's files.
pub(crate) struct Oracle {
    pub(crate) domains: Vec<(Documents, Vec<Vec<Row>>)>,
    today: i32,
}

/// What one caller sees.
pub(crate) struct Sight {
    pub(crate) subject: String,
    pub(crate) visible: Vec<Visible>,
    /// Columns and tables that are there and not visible.
    pub(crate) hidden: Vec<(String, String)>,
    /// The cells of the visible tables.
    pub(crate) views: Vec<View>,
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

    /// The caller as each domain knows it.
    pub(crate) fn callers(&self, claims: &Json) -> Vec<Caller> {
        let mut caller = Caller::new(&self.domains[0].0.mesh, claims, self.today);
        if let Some(purpose) = claims["works_for"].as_str() {
            caller = caller.working_for(purpose);
        }
        let of_domain = |(documents, raw): &(Documents, Vec<Vec<Row>>)| {
            let held = |table: &meshgate_oracle::Table| {
                let at = documents.tables.iter().position(|own| own.name == table.name);
                raw[at.expect("a table of the domain")].clone()
            };
            with_lookups(documents, &caller, &held)
        };
        self.domains.iter().map(of_domain).collect()
    }

    pub(crate) fn sight(&self, world: &World, claims: &Json) -> Sight {
        let callers = self.callers(claims);
        let mut sight = Sight {
            subject: callers[0].subject.clone(),
            visible: Vec::new(),
            hidden: Vec::new(),
            views: Vec::new(),
        };
        for ((documents, raw), caller) in self.domains.iter().zip(&callers) {
            for (table, rows) in documents.tables.iter().zip(raw) {
                let full = format!("{}.{}", table.domain, table.name);
                let seen = view(documents, table, caller, rows);
                let shown = seen.as_ref().map(|seen| seen.columns.as_slice()).unwrap_or_default();
                for column in table.columns.iter().filter(|column| !shown.contains(&column.name)) {
                    sight.hidden.push((full.clone(), column.name.clone()));
                }
                let Some(seen) = seen else { continue };
                let kind = |name: &String| (name.clone(), world.kind(&table.domain, &table.name, name));
                let columns: Vec<(String, Kind)> = seen.columns.iter().map(kind).collect();
                sight.visible.push(Visible { name: full, columns });
                sight.views.push(seen);
            }
        }
        sight
    }

    /// What a caller sees of this table if it holds these rows, and what lookups find in them for it;
    /// as text, in which NaN equals itself.
    pub(crate) fn seen(&self, callers: &[Caller], table: &Table, rows: &[Row]) -> String {
        let at = DOMAINS.iter().position(|domain| *domain == table.domain).unwrap();
        let (documents, caller) = (&self.domains[at].0, &callers[at]);
        let described = documents.table(&table.name);
        let keys = keys_of(documents, caller, described, rows);
        format!("{:?} {keys:?}", view(documents, described, caller, rows))
    }

    /// Is there a row that a caller does not see?
    pub(crate) fn hides_rows(&self, callers: &[Caller], table: &Table) -> bool {
        let nothing = self.seen(callers, table, &[]);
        table.rows().into_iter().any(|row| self.seen(callers, table, &[row]) == nothing)
    }
}
