//! Makes a failure small: parts of it are left out as long as it stays a failure.

mod statement;

use serde_json::Value as Json;

use super::world::World;

/// A world, and a statement that one of its callers asks.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) world: World,
    pub(crate) sql: String,
    pub(crate) is_ordered: bool,
}

/// Parts of a case that can be left out.
#[derive(Debug, Clone)]
enum Part {
    /// All callers but this one.
    OtherCallers(usize),
    Statement(String),
    Damage,
    Table(usize),
    /// Rows `from..to` of a table's file.
    Rows {
        table: usize,
        file: usize,
        from: usize,
        to: usize,
    },
    /// What lies at this place of a document; document 0 is mesh.yaml.
    Document {
        document: usize,
        pointer: String,
    },
}

/// What is left of `case` when nothing more can be left out, or after `tries` attempts.
/// `fails`: is it still a failure?
pub(crate) async fn shrink(mut case: Case, tries: usize, fails: impl AsyncFn(&Case) -> bool) -> Case {
    let mut left = tries;
    loop {
        let before = left;
        let mut parts = parts(&case).into_iter();
        let mut smaller = None;
        while let (Some(part), true) = (parts.next(), left > 0) {
            let Some(candidate) = without(&case, &part) else { continue };
            left -= 1;
            if fails(&candidate).await {
                println!("{left:4} tries left; without {part:?}");
                smaller = Some(candidate);
                break;
            }
        }
        match smaller {
            Some(smaller) => case = smaller,
            None => {
                println!("nothing more can be left out; {} tries in the last round", before - left);
                return case;
            }
        }
    }
}

/// Large parts first.
fn parts(case: &Case) -> Vec<Part> {
    let world = &case.world;
    let mut parts: Vec<Part> = Vec::new();
    if world.callers.len() > 1 {
        parts.extend((0..world.callers.len()).map(Part::OtherCallers));
    }
    parts.extend(statement::smaller(&case.sql).into_iter().map(Part::Statement));
    parts.extend((0..world.tables.len()).map(Part::Table));
    if world.damage.is_some() {
        parts.push(Part::Damage);
    }
    for (document, json) in documents(world).into_iter().enumerate() {
        for list in ["/restrictions", "/grants", "/lookups"] {
            let items = json.pointer(list).and_then(Json::as_array).map_or(0, Vec::len);
            let pointers = (0..items).map(|at| format!("{list}/{at}"));
            parts.extend(pointers.map(|pointer| Part::Document { document, pointer }));
        }
    }
    let chunks = [2, 4, 8, usize::MAX];
    for share in chunks {
        for (table, data) in world.tables.iter().enumerate() {
            for (file, rows) in data.files.iter().enumerate() {
                let step = (rows.len() / share).max(1);
                for from in (0..rows.len()).step_by(step) {
                    parts.push(Part::Rows { table, file, from, to: (from + step).min(rows.len()) });
                }
            }
        }
    }
    for (document, json) in documents(world).into_iter().enumerate() {
        for list in ["/restrictions", "/grants"] {
            let rules = json.pointer(list).and_then(Json::as_array).cloned().unwrap_or_default();
            for (at, rule) in rules.iter().enumerate() {
                for key in rule.as_object().into_iter().flatten().map(|(key, _)| key) {
                    if !["id", "why", "to", "tables", "columns"].contains(&key.as_str()) {
                        parts.push(Part::Document { document, pointer: format!("{list}/{at}/{key}") });
                    }
                }
            }
        }
    }
    parts
}

fn documents(world: &World) -> Vec<&Json> {
    std::iter::once(&world.mesh).chain(&world.policies).collect()
}

/// `None` if a world cannot be without it.
fn without(case: &Case, part: &Part) -> Option<Case> {
    let mut case = case.clone();
    let world = &mut case.world;
    match part {
        Part::OtherCallers(only) => world.callers = vec![world.callers[*only].clone()],
        Part::Statement(sql) => case.sql.clone_from(sql),
        Part::Damage => world.damage = None,
        Part::Table(at) => {
            let domain = world.tables[*at].domain;
            // The oracle wants a table in each domain; a damage names its table by position.
            if world.damage.is_some()
                || world.tables.iter().filter(|table| table.domain == domain).count() < 2
            {
                return None;
            }
            world.tables.remove(*at);
        }
        Part::Rows { table, file, from, to } => {
            world.tables[*table].files[*file].drain(*from..*to);
        }
        Part::Document { document, pointer } => {
            let document = match document {
                0 => &mut world.mesh,
                owner => &mut world.policies[owner - 1],
            };
            let (parent, key) = pointer.rsplit_once('/')?;
            match document.pointer_mut(parent)? {
                Json::Array(items) => {
                    items.remove(key.parse().ok()?);
                }
                Json::Object(entries) => {
                    entries.remove(key)?;
                }
                _ => return None,
            }
        }
    }
    Some(case)
}
