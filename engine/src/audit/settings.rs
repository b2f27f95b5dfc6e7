//! The section `audit` of a server's configuration.

use std::path::{Path, PathBuf};

use meshgate_policies::yaml::{Reader, units};

/// Smaller files would be put aside at every few records.
const ROTATE_BYTES_MIN: u64 = 64 << 10;
const KEEP_FILES_MAX: u64 = 1_000_000;

/// Where a log is and how much of it stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSettings {
    pub file: PathBuf,
    /// A file that would become longer is put aside and a new one begun.
    pub rotate_bytes: u64,
    /// How many files stay that were put aside; without it, all.
    pub keep_files: Option<usize>,
}

impl AuditSettings {
    /// A log at this path, with the defaults.
    pub fn at(file: &Path) -> Self {
        Self { file: file.to_owned(), rotate_bytes: 64 << 20, keep_files: None }
    }

    /// Reads `file`, `rotate` and `keep_files`. `resolve` makes a path of what is written.
    pub fn read(audit: &mut Reader<'_, '_>, resolve: impl Fn(&str) -> PathBuf) -> Option<Self> {
        let file = audit.required_text("file");
        let rotate = |text: &str| units::bytes(text).filter(|bytes| *bytes >= ROTATE_BYTES_MIN);
        let rotate_bytes = amount(audit, "rotate", rotate, "a size from `64KiB` on: `64MiB`, `1GiB`");
        let keep = |text: &str| units::count(text).filter(|count| *count <= KEEP_FILES_MAX);
        let keep_files = amount(audit, "keep_files", keep, "a number up to 1000000");
        let defaults = Self::at(&resolve(&file?));
        Some(Self {
            rotate_bytes: rotate_bytes.unwrap_or(defaults.rotate_bytes),
            keep_files: keep_files.and_then(|count| usize::try_from(count).ok()),
            ..defaults
        })
    }
}

fn amount(
    audit: &mut Reader<'_, '_>,
    key: &str,
    parse: impl Fn(&str) -> Option<u64>,
    expected: &str,
) -> Option<u64> {
    if !audit.has(key) {
        return None;
    }
    let text = audit.text(key)?;
    let amount = parse(text.trim());
    if amount.is_none() {
        let line = audit.line_of(key);
        audit.error(line, format!("`{key}: {text}` is not accepted"), Some(format!("write {expected}")));
    }
    amount
}
