//! The personas that a command knows, from the files that are named for it.

use std::path::{Path, PathBuf};

use meshgate_engine::bounded_file::{self, DOCUMENT_BYTES};
use meshgate_policies::{
    Mesh, Persona, Principal,
    yaml::{self, Problem},
};

/// A persona and who it is in this mesh.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) persona: Persona,
    pub(crate) principal: Principal,
}

/// Files in which personas are looked for where none are named, beside the operator's document.
const PLACES: [&str; 2] = ["personas.yaml", "tests/personas.yaml"];

/// The personas of the repository in `folder`: those of the operator's document and of its own files.
pub(crate) fn of_repository(folder: &Path, mesh: &Mesh, problems: &mut Vec<Problem>) -> Vec<Caller> {
    let files = PLACES.map(|place| folder.join(place)).into_iter().filter(|file| file.is_file());
    let mut personas = mesh.personas().to_vec();
    files.for_each(|file| personas.extend(read(&file, problems)));
    callers(personas, mesh, problems)
}

/// The personas of some files.
pub(crate) fn of_files(files: &[PathBuf], mesh: &Mesh, problems: &mut Vec<Problem>) -> Vec<Caller> {
    let personas = files.iter().flat_map(|file| read(file, problems)).collect();
    callers(personas, mesh, problems)
}

/// Who the personas are. Each name once, each with a purpose that its token allows.
fn callers(personas: Vec<Persona>, mesh: &Mesh, problems: &mut Vec<Problem>) -> Vec<Caller> {
    let mut callers: Vec<Caller> = Vec::new();
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
    callers
}

fn impossible_purpose(persona: &Persona) -> Problem {
    let purpose = persona.purpose.as_deref().unwrap_or_default();
    let message = format!("`{}` cannot work for the purpose `{purpose}`", persona.name);
    Problem::error(&persona.file, persona.line, message).with_hint(
        "its token must name the purpose, by default under `purposes`, and mesh.yaml must declare it",
    )
}

/// The personas of a file, which may also be an operator's document.
fn read(file: &Path, problems: &mut Vec<Problem>) -> Vec<Persona> {
    try_read(file).unwrap_or_else(|found| {
        problems.extend(found);
        Vec::new()
    })
}

fn try_read(file: &Path) -> Result<Vec<Persona>, Vec<Problem>> {
    let name = file.display().to_string();
    let text = bounded_file::read_text(file, DOCUMENT_BYTES)
        .map_err(|error| vec![Problem::error(&name, 0, format!("cannot be read: {error}"))])?;
    let root = yaml::parse(&name, &text).map_err(|problem| vec![problem])?;
    if root.get("mesh").is_some() {
        return Mesh::load(&name, &text).map(|(mesh, _)| mesh.personas().to_vec());
    }
    Persona::read_file(&name, &text)
}
