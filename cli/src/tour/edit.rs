//! A change of a file of the demo that lasts as long as a line of the tour.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::failure::Failure;

/// What is changed, and into what.
pub(super) struct Edit {
    /// In the demo's folder.
    pub(super) file: &'static str,
    /// Its first place in the file is changed.
    pub(super) from: &'static str,
    pub(super) to: &'static str,
}

/// A changed file. It is as it was when this goes away, however the tour ends.
#[derive(Debug)]
pub(super) struct Edited {
    path: PathBuf,
    original: String,
}

impl Edit {
    /// Changes the file. A file in which there is nothing to change is left alone.
    pub(super) fn make(&self, demo: &Path) -> Result<Edited, Failure> {
        let path = demo.join(self.file);
        let failed = |error: io::Error| Failure::Usage(format!("{}: {error}", path.display()));
        let original = fs::read_to_string(&path).map_err(failed)?;
        if !original.contains(self.from) {
            let text = format!("{} was edited: the tour does not find `{}` in it", path.display(), self.from);
            return Err(Failure::Usage(text));
        }
        fs::write(&path, original.replacen(self.from, self.to, 1)).map_err(failed)?;
        Ok(Edited { path, original })
    }
}

impl Drop for Edited {
    fn drop(&mut self) {
        if let Err(error) = fs::write(&self.path, &self.original) {
            tracing::error!(path = %self.path.display(), %error, "the tour could not undo its edit");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_as_it_was_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.yaml");
        fs::write(&path, "a: 1\nb: 1\n").unwrap();
        let edit = Edit { file: "f.yaml", from: ": 1", to: ": 2" };
        let edited = edit.make(folder.path()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a: 2\nb: 1\n");
        drop(edited);
        assert_eq!(fs::read_to_string(&path).unwrap(), "a: 1\nb: 1\n");
        assert!(Edit { from: "c", ..edit }.make(folder.path()).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "a: 1\nb: 1\n");
    }
}
