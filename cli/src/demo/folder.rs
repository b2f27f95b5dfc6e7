//! The demo's folder: made once, whole or not at all, and then left alone but
//! for what changes from start to start (`run/`, `demo.json`, the lock).

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::NaiveDate;
use meshgate_policies::Persona;

use super::{
    data::{self, Extent},
    operator,
    state::Made,
};
use crate::{
    dev::key_files::{self, DomainName, Holder},
    failure::Failure,
};

/// Present in complete folders only: the folder gets its name last.
const MADE_FILE: &str = "made.json";
const LOCK_FILE: &str = "lock";
/// A process that is just being started holds what its parent holds, for a moment.
const LOCK_ATTEMPTS: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// The domains of Larkfield.
pub(crate) const DOMAINS: [&str; 3] = ["sales", "customers", "web"];

macro_rules! larkfield {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../examples/larkfield/", $path)))),*]
    };
}

/// What people write, as the repository holds it.
pub(crate) const FILES: &[(&str, &str)] = larkfield![
    "README.md",
    "mesh/mesh.yaml",
    "mesh/gateway.yaml",
    "mesh/personas.yaml",
    "mesh/domains/sales.yaml",
    "mesh/domains/customers.yaml",
    "mesh/domains/web.yaml",
    "sales/node.yaml",
    "sales/policies/sales.yaml",
    "sales/products/orders.odcs.yaml",
    "sales/products/order_forecast.odcs.yaml",
    "sales/products/stores.odcs.yaml",
    "customers/node.yaml",
    "customers/policies/customers.yaml",
    "customers/products/profiles.odcs.yaml",
    "customers/products/segments.odcs.yaml",
    "customers/products/feedback.odcs.yaml",
    "web/node.yaml",
    "web/policies/web.yaml",
    "web/products/clicks.odcs.yaml",
    "web/products/recommendations.odcs.yaml",
];

/// A complete folder that belongs to this process until it is dropped.
pub(crate) struct DemoFolder {
    pub(crate) path: PathBuf,
    pub(crate) made: Made,
    /// Whether the folder was made just now.
    pub(crate) is_new: bool,
    /// The system gives the lock back when the process ends, however it ends.
    _lock: File,
}

impl DemoFolder {
    /// Makes the folder, or takes over the one that is there.
    pub(crate) fn open(path: &Path, scale: Option<u32>, today: NaiveDate) -> Result<Self, Failure> {
        let is_new = !path.join(MADE_FILE).exists();
        if is_new {
            create(path, scale.unwrap_or(1), today)?;
        }
        let path = fs::canonicalize(path).map_err(|error| Failure::file("open", path, &error))?;
        let lock = lock(&path)?;
        let made = read_made(&path)?;
        if let Some(scale) = scale.filter(|scale| *scale != made.scale) {
            return Err(Failure::Usage(format!(
                "{} was made with --scale {}; choose another folder for --scale {scale}",
                path.display(),
                made.scale
            )));
        }
        Ok(Self { path, made, is_new, _lock: lock })
    }

    /// Folder of what changes from start to start.
    pub(crate) fn run(&self) -> PathBuf {
        self.path.join("run")
    }

    /// The mesh operator's folder.
    pub(crate) fn mesh(&self) -> PathBuf {
        self.path.join("mesh")
    }
}

fn create(path: &Path, scale: u32, today: NaiveDate) -> Result<(), Failure> {
    let is_used = path.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    if is_used || path.is_file() {
        return Err(Failure::Usage(format!(
            "{} is in use and is not a demo's folder; choose a new one",
            path.display()
        )));
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(|error| Failure::file("create", parent, &error))?;
    // Beside its final place, so that giving it its name is one step.
    let unfinished = tempfile::Builder::new()
        .prefix(".meshgate-demo-")
        .tempdir_in(parent)
        .map_err(|error| Failure::file("create a folder in", parent, &error))?;
    let extent = Extent::new(scale, today);
    write_files(unfinished.path())?;
    write_keys(unfinished.path(), today)?;
    operator::sign_first(unfinished.path())?;
    data::write(unfinished.path(), &extent)?;
    write_made(unfinished.path(), &Made { scale, quarter: extent.quarter })?;
    fs::rename(unfinished.path(), path).map_err(|error| Failure::file("create", path, &error))?;
    // It has another name now: there is nothing left to clean up.
    let _ = unfinished.keep();
    Ok(())
}

fn write_files(folder: &Path) -> Result<(), Failure> {
    for (path, text) in FILES {
        write(&folder.join(path), text)?;
    }
    let audits = DOMAINS.iter().chain(&["mesh"]).map(|part| folder.join(part).join("audit"));
    for needed in audits.chain([folder.join("mesh/descriptions")]) {
        fs::create_dir_all(&needed).map_err(|error| Failure::file("create", &needed, &error))?;
    }
    Ok(())
}

fn write_keys(folder: &Path, today: NaiveDate) -> Result<(), Failure> {
    let domains = DOMAINS.map(|domain| DomainName {
        domain: domain.to_owned(),
        certificate: format!("{domain}.mesh.localhost"),
    });
    for file in key_files::create(&domains, today)? {
        let holder = match &file.holder {
            Holder::Gateway => PathBuf::from("mesh/tls"),
            Holder::Node(domain) => PathBuf::from(domain).join("tls"),
            other => PathBuf::from("keys").join(other.folder()),
        };
        key_files::write(&folder.join(holder).join(file.name), &file)?;
    }
    Ok(())
}

fn write_made(folder: &Path, made: &Made) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(made).map_err(|error| Failure::Usage(error.to_string()))?;
    write(&folder.join(MADE_FILE), &format!("{text}\n"))
}

fn read_made(folder: &Path) -> Result<Made, Failure> {
    let path = folder.join(MADE_FILE);
    let text = fs::read(&path).map_err(|error| Failure::file("read", &path, &error))?;
    serde_json::from_slice(&text)
        .map_err(|error| Failure::Usage(format!("{} cannot be read: {error}", path.display())))
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| Failure::file("create", folder, &error))?;
    }
    fs::write(path, text).map_err(|error| Failure::file("write", path, &error))
}

fn lock(folder: &Path) -> Result<File, Failure> {
    let path = folder.join(LOCK_FILE);
    let file = File::create(&path).map_err(|error| Failure::file("write", &path, &error))?;
    for attempt in 0..LOCK_ATTEMPTS {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if attempt + 1 < LOCK_ATTEMPTS => std::thread::sleep(LOCK_PAUSE),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(Failure::file("lock", &path, &error)),
        }
    }
    Err(Failure::Usage(format!(
        "a demo is running in {0}; use it with `meshgate sql --as anna --demo {0}`, or choose another folder",
        folder.display()
    )))
}

/// What a token of each persona claims, from `mesh/personas.yaml`.
pub(crate) fn personas(
    mesh: &Path,
) -> Result<BTreeMap<String, serde_json::Map<String, serde_json::Value>>, Failure> {
    let path = mesh.join("personas.yaml");
    let text = fs::read_to_string(&path).map_err(|error| Failure::file("read", &path, &error))?;
    let personas = Persona::read_file(&path.display().to_string(), &text).map_err(|problems| {
        Failure::Usage(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })?;
    Ok(personas.into_iter().map(|persona| (persona.name, persona.claims)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn today() -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, 23).unwrap()
    }

    #[test]
    fn a_folder_is_made_once_and_kept() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("new/demo");
        let first = DemoFolder::open(&path, None, today()).unwrap();
        assert!(first.is_new);
        let policies = path.join("sales/policies/sales.yaml");
        fs::write(&policies, "edited").unwrap();
        drop(first);

        let later = today() + chrono::Days::new(200);
        let again = DemoFolder::open(&path, None, later).unwrap();
        assert!(!again.is_new);
        assert_eq!(again.made.quarter, NaiveDate::from_ymd_opt(2026, 10, 1).unwrap());
        assert_eq!(fs::read_to_string(policies).unwrap(), "edited");
        // Nothing is left beside it.
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_in_use_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("demo");
        let _first = DemoFolder::open(&path, None, today()).unwrap();
        let error = DemoFolder::open(&path, None, today()).err().unwrap();
        assert!(error.to_string().contains("a demo is running in"), "{error}");
    }

    #[test]
    fn other_peoples_files_are_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        fs::write(parent.path().join("letter.txt"), "dear").unwrap();
        assert!(matches!(DemoFolder::open(parent.path(), None, today()), Err(Failure::Usage(_))));
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
    }

    #[test]
    fn another_scale_needs_another_folder() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("demo");
        drop(DemoFolder::open(&path, Some(2), today()).unwrap());
        assert!(DemoFolder::open(&path, Some(1), today()).is_err());
        assert_eq!(DemoFolder::open(&path, None, today()).unwrap().made.scale, 2);
    }

    #[test]
    fn an_empty_folder_is_taken() {
        let parent = tempfile::tempdir().unwrap();
        assert!(DemoFolder::open(parent.path(), None, today()).unwrap().is_new);
    }
}
