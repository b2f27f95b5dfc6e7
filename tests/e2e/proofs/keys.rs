//! One set of keys for all meshes of a search: making them takes as long as many questions.

use std::path::PathBuf;

use meshgate_tests::mesh::create_keys;
use tempfile::TempDir;

use super::tables::DOMAINS;

pub(crate) struct Keys(TempDir);

impl Keys {
    pub(crate) fn new() -> Self {
        Self::of(&DOMAINS)
    }

    pub(crate) fn of(domains: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let domains: Vec<String> = domains.iter().map(|domain| (*domain).to_owned()).collect();
        create_keys(folder.path(), &domains);
        Self(folder)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("keys")
    }
}
