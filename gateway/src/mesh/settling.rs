//! Files are read once nothing has changed for a while: half a written file
//! could be one without its restrictions.

use std::{os::unix::fs::MetadataExt, path::Path, time::Duration};

use meshgate_engine::reload::ReloadRequests;
use tokio::sync::oneshot;

/// Between two looks at files.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What changes when a file is written or replaced; `None`: it is not there.
pub(super) type Stamp = Option<(u64, i64, i64, u64)>;

pub(super) fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.mtime(), metadata.mtime_nsec(), metadata.ino()))
}

/// Waits until it is time to look, or until somebody asks for it: then what is
/// there counts, settled or not.
pub(super) async fn next_look(requests: &mut ReloadRequests) -> Option<oneshot::Sender<bool>> {
    tokio::select! {
        () = tokio::time::sleep(LOOK_EVERY) => None,
        asked = requests.next() => Some(asked),
    }
}

/// How files looked when they were read, and how at the last look.
#[derive(Debug)]
pub(super) struct Settling<S> {
    read: S,
    last: S,
}

impl<S: PartialEq + Clone> Settling<S> {
    /// Files that were read just now.
    pub(super) fn new(present: S) -> Self {
        Self { read: present.clone(), last: present }
    }

    /// Did the files change since they were read, and not since the last look?
    pub(super) fn has_settled(&mut self, present: S) -> bool {
        let still = present == self.last;
        self.last = present;
        still && self.last != self.read
    }

    /// They were read again: does that count, or did they change meanwhile?
    pub(super) fn accept(&mut self, present: S) -> bool {
        let still = present == self.last;
        if still {
            self.read = present;
        }
        still
    }
}
