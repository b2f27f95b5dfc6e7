//! `mesh.lock.yaml`: the copy of the operator's document that a repository keeps,
//! and when it should be taken anew.

use std::path::Path;

use chrono::{DateTime, NaiveDate, Utc};
use meshgate_engine::{
    bounded_file::{self, DOCUMENT_BYTES},
    operator,
};
use meshgate_policies::{
    Mesh,
    yaml::{Problem, Warning},
};

/// What `meshgate mesh pull` writes.
pub(crate) const FILE: &str = "mesh.lock.yaml";
/// Days after which a copy should be looked after.
const DAYS: i64 = 30;
pub(super) const REFRESH: &str =
    "take a new copy with `meshgate mesh pull <mesh.yaml> --operator-key <operator.pub>`";

/// What there is to say of the copy `lock` beside the node's own document, if both are there.
pub(crate) fn warnings(lock: &Path, of_node: &Path) -> Vec<Problem> {
    let name = lock.display().to_string();
    let Ok(text) = bounded_file::read_text(lock, DOCUMENT_BYTES) else { return Vec::new() };
    let copy = Mesh::load(&name, &text).ok().map(|(mesh, _)| mesh);
    let other = copy.and_then(|copy| of_another_mesh(&copy, of_node, &name));
    other.into_iter().chain(too_old(lock, &text, Utc::now())).collect()
}

fn of_another_mesh(copy: &Mesh, of_node: &Path, name: &str) -> Option<Problem> {
    let text = bounded_file::read_text(of_node, DOCUMENT_BYTES).ok()?;
    let (mesh, _) = Mesh::load(&of_node.display().to_string(), &text).ok()?;
    (mesh.name() != copy.name()).then(|| {
        let message = format!(
            "this is of the mesh `{}`, and the node here is a part of the mesh `{}`",
            copy.name(),
            mesh.name()
        );
        Problem::warning(Warning::LockOfAnotherMesh, name, 1, message).with_hint(REFRESH)
    })
}

fn too_old(lock: &Path, text: &str, now: DateTime<Utc>) -> Option<Problem> {
    let (day, _) = operator::split_pulled(text);
    let written = || std::fs::metadata(lock).and_then(|metadata| metadata.modified()).ok();
    // One that was not pulled, but copied, says nothing of its age.
    let day = day.and_then(|day| day.parse::<NaiveDate>().ok());
    let day = day.or_else(|| written().map(|time| DateTime::<Utc>::from(time).date_naive()))?;
    let age = now.date_naive().signed_duration_since(day).num_days();
    (age > DAYS).then(|| {
        let message = format!("this copy of the operator's document is {age} days old");
        Problem::warning(Warning::LockTooOld, &lock.display().to_string(), 1, message).with_hint(REFRESH)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_old_after_thirty_days() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join(FILE);
        let text = operator::pulled("mesh: m\ntimezone: UTC\n", "2026-01-01");
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(too_old(&lock, &text, at("2026-01-31T23:00:00Z")), None);
        let problem = too_old(&lock, &text, at("2026-02-01T01:00:00Z")).unwrap();
        assert!(
            problem.to_string().contains("31 days old; take a new copy with `meshgate mesh pull"),
            "{problem}"
        );
        // One that says nothing of its day is as old as its file.
        std::fs::write(&lock, "mesh: m\ntimezone: UTC\n").unwrap();
        assert_eq!(too_old(&lock, "mesh: m\n", Utc::now()), None);
        assert!(too_old(&lock, "mesh: m\n", Utc::now() + chrono::TimeDelta::days(31)).is_some());
    }

    #[test]
    fn a_copy_of_another_mesh_is_told_if_the_node_has_one_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let (lock, own) = (folder.path().join(FILE), folder.path().join("mesh.yaml"));
        std::fs::write(&lock, "mesh: a\ntimezone: UTC\n").unwrap();
        assert_eq!(warnings(&lock, &own), []);
        std::fs::write(&own, "mesh: a\ntimezone: Europe/Berlin\n").unwrap();
        assert_eq!(warnings(&lock, &own), []);
        std::fs::write(&own, "mesh: b\ntimezone: UTC\n").unwrap();
        let told = warnings(&lock, &own);
        assert_eq!(told.len(), 1);
        assert!(told[0].to_string().contains("a part of the mesh `b`; take a new copy"), "{told:?}");
        assert_eq!(warnings(&folder.path().join("none"), &own), []);
    }
}
