//! The personas that a command knows, from the files that are named for it.

use std::path::{Path, PathBuf};

use meshgate_engine::bounded_file::{self, DOCUMENT_BYTES};
use meshgate_policies::{
    Mesh, Persona, Principal,
    yaml::{self, Problem},
};

use super::workspace::Workspace;

/// A persona and who it is in this mesh.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) persona: Persona,
    pub(crate) principal: Principal,
}

/// Files in which personas are looked for where none are named, beside the operator's document.
const PLACES: [&str; 2] = ["personas.yaml", "tests/personas.yaml"];

/// The personas of the repository: those of the operator's document and of its own files.
pub(crate) fn of_repository(workspace: &Workspace, problems: &mut Vec<Problem>) -> Vec<Caller> {
    let mut files = vec![workspace.mesh_file.clone()];
    files.extend(PLACES.map(|place| workspace.folder.join(place)).into_iter().filter(|file| file.is_file()));
    of_files(&files, workspace.domain.mesh(), problems)
}

/// The personas of some files. Each name once, each with a purpose that its token allows.
pub(crate) fn of_files(files: &[PathBuf], mesh: &Mesh, problems: &mut Vec<Problem>) -> Vec<Caller> {
    let mut callers: Vec<Caller> = Vec::new();
    for file in files {
        let personas = match read(file) {
            Ok(personas) => personas,
            Err(found) => {
                problems.extend(found);
                continue;
            }
        };
        for persona in personas {
            if let Some(first) = callers.iter().find(|caller| caller.persona.name == persona.name) {
                let message = format!(
                    "the persona `{}` is there twice, first in {}:{}",
                    persona.name, first.persona.file, first.persona.line
                );
                problems.push(Problem::error(&persona.file, persona.line, message));
                continue;
            }
            match persona.principal(mesh) {
                Ok(principal) => callers.push(Caller { persona, principal }),
                Err(_) => problems.push(impossible_purpose(&persona)),
            }
        }
    }
    callers
}

fn impossible_purpose(persona: &Persona) -> Problem {
    let purpose = persona.purpose.as_deref().unwrap_or_default();
    let message = format!("`{}` cannot work for the purpose `{purpose}`", persona.name);
    Problem::error(&persona.file, persona.line, message).with_hint(
        "its token must name the purpose, by default under `purposes`, and mesh.yaml must declare it",
    )
}

fn read(file: &Path) -> Result<Vec<Persona>, Vec<Problem>> {
    let name = file.display().to_string();
    let text = bounded_file::read_text(file, DOCUMENT_BYTES)
        .map_err(|error| vec![Problem::error(&name, 0, format!("cannot be read: {error}"))])?;
    let root = yaml::parse(&name, &text).map_err(|problem| vec![problem])?;
    if root.get("mesh").is_some() {
        return Mesh::load(&name, &text).map(|(mesh, _)| mesh.personas().to_vec());
    }
    Persona::read_file(&name, &text)
}
