//! mesh.yaml, the operator's document.

use chrono_tz::Tz;
use serde_json::{Map, Value};

use crate::{
    Digest, Principal,
    digest::DigestBuilder,
    yaml::{self, Problem, Reader},
};

/// The operator's document: vocabulary, claims, restrictions for all domains.
#[derive(Debug, Clone)]
pub struct Mesh {
    name: String,
    time_zone: Tz,
    version: Digest,
}

impl Mesh {
    /// Reads mesh.yaml. Warnings beside the mesh, or all problems.
    pub fn load(file: &str, text: &str) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let root = yaml::parse(file, text).map_err(|problem| vec![problem])?;
        let mut problems = Vec::new();
        let mut reader = Reader::new(file, &root, &mut problems);
        let name = reader.required_text("mesh").unwrap_or_default();
        let time_zone =
            reader.required_text("timezone").and_then(|zone| zone.parse().ok()).unwrap_or(Tz::UTC);
        if problems.iter().any(Problem::is_error) {
            return Err(problems);
        }
        let version = DigestBuilder::new("meshgate-operator-v1").part(text.as_bytes()).finish();
        Ok((Self { name, time_zone, version }, problems))
    }

    /// The mesh's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The time zone of `today()`, `now()` and `until`.
    pub fn time_zone(&self) -> Tz {
        self.time_zone
    }

    /// Digest of the document as it was read.
    pub fn version(&self) -> Digest {
        self.version
    }

    /// Who a verified token is, as this mesh maps its claims.
    pub fn principal(&self, issuer: &str, subject: &str, _token: &Map<String, Value>) -> Principal {
        Principal { issuer: issuer.to_owned(), subject: subject.to_owned(), ..Principal::default() }
    }
}
