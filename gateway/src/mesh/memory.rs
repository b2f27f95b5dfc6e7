//! What domains said last, on disk.
//!
//! A gateway that starts while a domain is away would not know what there is:
//! whoever reads its tables every day would be told that they do not exist.
//! With the last description they are told that the domain is unavailable, if
//! they could see the table then. Nothing else depends on these files: no
//! query is run by them, and what cannot be read is as good as missing.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::PathBuf,
};

use meshgate_engine::bounded_file;
use meshgate_proto::v1;
use prost::Message;

use super::{Described, node_connection::DESCRIPTION_BYTES_MAX};

/// The folder of the descriptions, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Memory(Option<PathBuf>);

impl Memory {
    /// Remembers in `folder`, or nothing.
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self(folder)
    }

    /// Remembers how a domain described itself.
    pub(super) fn keep(&self, domain: &str, description: &[u8]) {
        let Some(file) = self.file(domain) else { return };
        if let Err(error) = write(&file, description) {
            tracing::warn!(domain, file = %file.display(), %error, "the domain's description cannot be kept");
        }
    }

    /// How a domain described itself last.
    pub(super) fn last(&self, domain: &str) -> Option<Described> {
        let file = self.file(domain)?;
        let described = bounded_file::read(&file, DESCRIPTION_BYTES_MAX as u64)
            .map_err(|error| error.to_string())
            .and_then(|bytes| {
                let descriptor =
                    v1::Descriptor::decode(bytes.as_slice()).map_err(|error| error.to_string())?;
                Described::read(domain, descriptor).map_err(|error| error.to_string())
            });
        let unusable = |error: &String| {
            tracing::info!(domain, file = %file.display(), error, "nothing is known of the domain yet");
        };
        described.inspect_err(unusable).ok()
    }

    /// The domain does not take part in the mesh any more.
    pub(super) fn forget(&self, domain: &str) {
        if let Some(file) = self.file(domain) {
            // One that is not there is as good, and one that stays is not read without the domain.
            let _ = fs::remove_file(file);
        }
    }

    fn file(&self, domain: &str) -> Option<PathBuf> {
        self.0.as_ref().map(|folder| folder.join(format!("{domain}.description")))
    }
}

/// Whoever reads it finds the old description or the new one.
fn write(file: &PathBuf, bytes: &[u8]) -> io::Result<()> {
    let unfinished = file.with_extension("new");
    File::create(&unfinished)?.write_all(bytes)?;
    fs::rename(unfinished, file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::larkfield::{SALES_POLICY, descriptor};

    #[test]
    fn what_was_kept_is_known_and_what_cannot_be_read_is_not() {
        let folder = tempfile::TempDir::new().unwrap();
        let memory = Memory::new(Some(folder.path().to_owned()));
        assert!(memory.last("sales").is_none());
        let bytes = descriptor("sales", SALES_POLICY).encode_to_vec();
        memory.keep("sales", &bytes);
        assert_eq!(memory.last("sales").unwrap().tables.len(), 2);
        // Of another domain, and broken.
        memory.keep("hr", &bytes);
        memory.keep("web", &bytes[..bytes.len() / 2]);
        assert!(memory.last("hr").is_none() && memory.last("web").is_none());
        memory.forget("sales");
        assert!(memory.last("sales").is_none());
        assert!(fs::read_dir(folder.path()).unwrap().count() == 2);
    }

    #[test]
    fn without_a_folder_nothing_is_kept() {
        let memory = Memory::default();
        memory.keep("sales", b"x");
        memory.forget("sales");
        assert!(memory.last("sales").is_none());
    }
}
