//! A world: tables, policies and callers, all from one seed.

use std::path::Path;

use meshgate_tests::client::Client;
use meshgate_tests::documents::load;
use meshgate_tests::mesh::{Mesh, MeshPlan};
use serde_json::{Value as Json, json};

use super::extras::{self, PURPOSES};
use super::policy;
use super::random::Random;
use super::tables::{DOMAINS, Format, Kind, Table};

/// Tells the numbers of disclosures from those of the rest of a world.
const DISCLOSURES: u64 = 0x6b65_7973;

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) zone: &'static str,
    pub(crate) tables: Vec<Table>,
    pub(crate) mesh: Json,
    /// The owner's document of each domain.
    pub(crate) policies: Vec<Json>,
    /// Claims of the callers' tokens.
    pub(crate) callers: Vec<Json>,
    /// A cell that cannot be read.
    pub(crate) damage: Option<Damage>,
}

#[derive(Clone, Copy)]
pub(crate) struct Damage {
    pub(crate) table: usize,
    column: usize,
    pub(crate) row: usize,
    /// What stands in the cell.
    pub(crate) text: usize,
}

impl Damage {
    fn random(random: &mut Random, tables: &[Table]) -> Option<Self> {
        let table = random.below(tables.len());
        let Table { fields, format, files, .. } = &tables[table];
        let column = random.below(fields.len());
        let salt = random.below(1000);
        // Of a file among several it would be open whether it is read at all.
        let fits = *format == Format::Csv
            && files.len() == 1
            && !files[0].is_empty()
            && fields[column].kind != Kind::Text;
        fits.then_some(Self { table, column, row: salt, text: salt })
    }
}

impl World {
    pub(crate) fn random(seed: u64) -> Self {
        Self::with(seed, true)
    }

    /// Without what only a whole node can do.
    pub(crate) fn plain(seed: u64) -> Self {
        Self::with(seed, false)
    }

    fn with(seed: u64, has_extras: bool) -> Self {
        let mut random = Random::new(seed);
        let mut tables = Vec::new();
        for domain in DOMAINS {
            for number in 1..=1 + random.below(3) {
                let name = format!("{}{number}", &domain[..1]);
                tables.push(Table::random(&mut random, domain, &name));
            }
        }
        let mut policies: Vec<Json> = DOMAINS
            .iter()
            .map(|domain| {
                let own: Vec<&Table> = tables.iter().filter(|table| table.domain == *domain).collect();
                policy::owner(&mut random, domain, &own)
            })
            .collect();
        let all: Vec<&Table> = tables.iter().collect();
        let restrictions = policy::operator(&mut random, &all);
        let pinned = policy::pinned(&mut random, &all);
        let zone = random.pick(&["UTC", "Europe/Berlin", "America/New_York"]);
        let callers = ["ada", "ben", "cid", "dee"].map(|name| caller(&mut random, name)).to_vec();
        let mut damage = Damage::random(&mut random, &tables);
        if has_extras {
            for (domain, policy) in DOMAINS.iter().zip(&mut policies) {
                let own: Vec<&Table> = tables.iter().filter(|table| table.domain == *domain).collect();
                extras::add(&mut random, policy, &own);
            }
            // Which queries need a lookup's table is the planner's business.
            let is_looked_up = |table: &Table| {
                let domain = DOMAINS.iter().position(|domain| *domain == table.domain).unwrap();
                let lookups = policies[domain]["lookups"].as_object().unwrap();
                lookups.values().any(|lookup| lookup["of"] == table.name.as_str())
            };
            damage = damage.filter(|damage| !is_looked_up(&tables[damage.table]));
        }
        // With numbers of their own, so that a seed's world is otherwise what it was.
        let mut random = Random::new(seed ^ DISCLOSURES);
        for (domain, policy) in DOMAINS.iter().zip(&mut policies) {
            let own: Vec<&Table> = tables.iter().filter(|table| table.domain == *domain).collect();
            let others: Vec<&str> = DOMAINS.iter().filter(|other| *other != domain).copied().collect();
            policy["disclosures"] = policy::disclosures(&mut random, &own, &others);
        }
        Self { seed, zone, tables, mesh: mesh(zone, restrictions, pinned), policies, callers, damage }
    }

    /// Damages the files of the world's mesh in `root`, if the world has a damage: the oracle reads them before.
    pub(crate) fn damage(&self, root: &Path) {
        if let Some(Damage { table, column, row, text }) = self.damage {
            let (path, bytes) = self.tables[table].damaged(column, row, text);
            std::fs::write(root.join(path), bytes).unwrap();
        }
    }

    /// Do its nodes say that their engine is another version than the gateway's?
    pub(crate) fn has_other_engine(&self) -> bool {
        self.seed.is_multiple_of(3)
    }

    /// The table with a damage.
    pub(crate) fn damaged(&self) -> Option<String> {
        let table = &self.tables[self.damage?.table];
        Some(format!("{}.{}", table.domain, table.name))
    }

    pub(crate) fn plan(&self) -> MeshPlan {
        let mut plan = MeshPlan::new(&lines(&self.mesh), &DOMAINS);
        NODE_LINES.clone_into(&mut plan.node_lines);
        for domain in DOMAINS {
            plan = plan.file(&format!("{domain}/pseudonym.key"), PSEUDONYM_KEY);
        }
        for (domain, policy) in DOMAINS.iter().zip(&self.policies) {
            plan = plan.file(&format!("{domain}/policies/{domain}.yaml"), text(policy));
        }
        for table in &self.tables {
            let contract = format!("{}/products/{}.odcs.yaml", table.domain, table.name);
            plan = plan.file(&contract, text(&table.contract()));
            for (path, bytes) in table.contents() {
                plan = plan.file(&path, bytes);
            }
        }
        plan
    }

    /// Can its documents be loaded?
    pub(crate) fn loads(&self) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let plan = self.plan();
        let mesh = [("mesh.yaml".to_owned(), plan.mesh_yaml.into_bytes())];
        for (path, content) in mesh.into_iter().chain(plan.files) {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        DOMAINS.iter().all(|domain| load(folder.path(), domain).is_ok())
    }

    pub(crate) fn kind(&self, domain: &str, table: &str, column: &str) -> Kind {
        let table = self.tables.iter().find(|own| own.domain == domain && own.name == table).unwrap();
        table.fields.iter().find(|field| field.name == column).unwrap().kind
    }

    /// All that decides what callers see.
    pub(crate) fn documents(&self) -> String {
        let all = std::iter::once(&self.mesh).chain(&self.policies).cloned();
        all.chain(self.tables.iter().map(|table| table.contract()["schema"].clone()))
            .map(|document| format!("{document}\n"))
            .collect()
    }
}

/// One key for both domains, so that pseudonyms of the mesh's scope can be joined.
const PSEUDONYM_KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n";
const NODE_LINES: &str = "pseudonyms:\n  person: { keys: [ { id: one, key: \"${file:pseudonym.key}\" } ] }\n  \
                          local: { keys: [ { id: one, key: \"${file:pseudonym.key}\" } ] }\n";

/// The connection of a caller, which works for the purpose that it has chosen.
pub(crate) async fn connect(mesh: &Mesh, claims: &Json) -> Client {
    let client = mesh.client(claims).await;
    match claims["works_for"].as_str() {
        Some(purpose) => client.with_purpose(purpose),
        None => client,
    }
}

/// JSON is YAML.
fn text(document: &Json) -> String {
    serde_json::to_string_pretty(document).unwrap()
}

/// The same with one key a line: whoever signs it writes the line of its version.
fn lines(document: &Json) -> String {
    let keys = document.as_object().unwrap();
    keys.iter().map(|(key, value)| format!("{key}: {value}\n")).collect()
}

fn mesh(zone: &str, restrictions: Vec<Json>, pinned: Json) -> Json {
    json!({
        "mesh": "random", "timezone": zone,
        "roles": { "path": "$.roles" }, "groups": { "path": "$.groups" },
        "claims": {
            "area": { "path": "$.area", "type": "string" },
            "path": { "path": "$.inner.path", "type": "string" },
            "level": { "path": "$.level", "type": "integer" },
            "staff": { "path": "$.staff", "type": "boolean" },
            "until": { "path": "$.until", "type": "date" },
            "areas": { "path": "$.areas", "type": "list<string>" },
            "numbers": { "path": "$.numbers", "type": "list<integer>" },
        },
        "pseudonyms": { "person": { "scope": "mesh" }, "local": {} },
        "purposes": { "audit": { "title": "Audit." }, "fraud": { "title": "Fraud." } },
        "classifications": ["public", "internal", "restricted"],
        "tags": { "pii": "Identifies a person.", "pci": "Payment data." },
        "pinned_tags": pinned,
        "restrictions": restrictions,
    })
}

/// Each claim may be missing, or of another type than declared, which is the same.
fn caller(random: &mut Random, name: &str) -> Json {
    let mut claims = json!({ "sub": name });
    let roles = random.below(3);
    claims["roles"] = json!(random.some(&["reader", "writer", "auditor"], roles));
    if random.chance(40) {
        claims["groups"] = json!(["staff"]);
    }
    let count = random.below(3);
    let purposes = random.some(&PURPOSES, count);
    if !purposes.is_empty() {
        claims["purposes"] = json!(purposes);
        // No claim that mesh.yaml knows: what the caller sends beside its token.
        if random.chance(70) {
            claims["works_for"] = json!(random.pick(&purposes));
        }
    }
    let choices = [
        ("area", [json!("north"), json!("x"), json!("")]),
        ("inner", [json!({ "path": "x" }), json!({ "path": "x/" }), json!({ "path": 7 })]),
        ("level", [json!(2), json!(4), json!("4")]),
        ("staff", [json!(true), json!(false), json!("true")]),
        ("until", [json!("2024-01-25"), json!("2024-02-05"), json!(20_240_125)]),
        ("areas", [json!(["north", "x/y", "A"]), json!([]), json!("north")]),
        ("numbers", [json!([1, 2, 3, 5, 8]), json!([]), json!([1, 2.5])]),
    ];
    for (claim, values) in choices {
        if random.chance(70) {
            let which = if random.chance(70) { 0 } else { random.below(3) };
            claims[claim] = values[which].clone();
        }
    }
    claims
}
