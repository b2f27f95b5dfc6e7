//! Writing a log.
//!
//! A line that could not be written is kept and written before anything else.
//! Whoever asks [`AuditFile::ensure_writable`] before reading anything, and
//! takes an error for a refusal, does nothing that is not recorded: when the
//! disk is full, the lines of what runs go where the reserve was, and nothing
//! new begins until there is a reserve again.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use meshgate_policies::Digest;
use serde_json::{Value, json};

use super::chain::Link;
use super::head::{Head, HeadFile};
use super::reserve::Reserve;
use super::{AuditError, AuditSettings, LINE_BYTES, files};

/// Most lines that wait for a file that cannot be written. Queries are refused
/// from the first one on, so only those that were running then can add to it.
const WAITING_MAX: usize = 10_000;

/// Most characters of a value in what stands for a record.
const STAND_IN_CHARS: usize = 100;

/// An open audit log. There is one for a path at a time.
#[derive(Debug)]
pub struct AuditFile {
    settings: AuditSettings,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    /// How much of the file is whole lines.
    length: u64,
    /// Number of the file's first line; unknown if it is none of ours.
    first: Option<u64>,
    head: Head,
    head_file: HeadFile,
    /// The head on disk is behind the log.
    head_is_behind: bool,
    reserve: Reserve,
    /// Records that could not be written yet.
    waiting: VecDeque<Vec<u8>>,
    /// The last write may have left a part of a line.
    torn: bool,
}

impl AuditFile {
    /// Opens the log for appending and begins it if it is not there. Its folder must be.
    pub fn open(settings: &AuditSettings) -> Result<Self, AuditError> {
        let state = State::open(settings).map_err(|source| AuditError::new(&settings.file, source))?;
        Ok(Self { settings: settings.clone(), state: Mutex::new(state) })
    }

    /// The path it was opened at.
    pub fn path(&self) -> &Path {
        &self.settings.file
    }

    /// Writes what waits; an error as long as that is impossible, or there is no reserve for more.
    pub fn ensure_writable(&self) -> Result<(), AuditError> {
        let mut state = self.state();
        let ready = self.write_waiting(&mut state);
        ready.and_then(|()| state.reserve.hold()).map_err(|source| self.error(source))
    }

    /// Writes one record: a JSON object without line breaks. After an error it waits,
    /// but for one that is no such object: what it is about is written in its place.
    pub fn append(&self, record: Vec<u8>) -> Result<(), AuditError> {
        if let Err(unusable) = Link::check(&record) {
            self.append(stand_in(&record))?;
            return Err(self.error(unusable));
        }
        let mut state = self.state();
        if state.waiting.len() >= WAITING_MAX {
            self.write_waiting(&mut state).map_err(|source| self.error(source))?;
        }
        state.waiting.push_back(record);
        let written = match self.write_waiting(&mut state) {
            Err(_) if state.reserve.release() => self.write_waiting(&mut state),
            written => written,
        };
        written.map_err(|source| self.error(source))
    }

    fn error(&self, source: io::Error) -> AuditError {
        AuditError::new(self.path(), source)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_waiting(&self, state: &mut State) -> io::Result<()> {
        state.follow_rotation(self.path())?;
        state.write_head_behind()?;
        while let Some(record) = state.waiting.front() {
            let link = Link { number: state.head.last + 1, before: state.head.digest };
            let line = link.seal(record);
            state.rotate_before(line.len() as u64 + 1, &self.settings)?;
            state.write_line(&line)?;
        }
        Ok(())
    }
}

/// Says of a record that cannot be written which query it was of.
fn stand_in(record: &[u8]) -> Vec<u8> {
    let record = serde_json::from_slice::<Value>(record).unwrap_or_default();
    let text =
        |key: &str| record.get(key).and_then(Value::as_str).unwrap_or_default().chars().take(STAND_IN_CHARS);
    let told = |key: &str| text(key).collect::<String>();
    let line = json!({
        "time": told("time"),
        "query_id": told("query_id"),
        "outcome": "error",
        "error": "the record of this query was too long to be written",
    });
    line.to_string().into_bytes()
}

impl State {
    fn open(settings: &AuditSettings) -> io::Result<Self> {
        let log = &settings.file;
        let (head_file, head) = HeadFile::open(log)?;
        let file = files::append_to(log)?;
        let is_new = file.metadata()?.len() == 0 && files::put_aside(log)?.is_empty();
        let head = match head {
            Some(head) => head,
            None if is_new => Head::new(),
            None => {
                let message =
                    "its head is gone: move the log away, and look why with `meshgate audit verify`";
                return Err(io::Error::new(ErrorKind::InvalidData, message));
            }
        };
        let reserve = Reserve::open(log)?;
        let mut state = Self {
            file,
            length: 0,
            first: None,
            head,
            head_file,
            head_is_behind: true,
            reserve,
            waiting: VecDeque::new(),
            torn: false,
        };
        state.take_up(log)?;
        tracing::info!(
            log = %log.display(), last = state.head.last, digest = %state.head.digest,
            "the audit log is open"
        );
        Ok(state)
    }

    /// Looks where the file ends. A server that was killed may have left a part of a
    /// line, or one line that the head does not know.
    fn take_up(&mut self, log: &Path) -> io::Result<()> {
        let tail = Tail::read(log)?;
        self.length = tail.length;
        self.torn = tail.length != self.file.metadata()?.len();
        self.first = if tail.length == 0 { None } else { files::first_link(log)?.map(|link| link.number) };
        if let Some((link, digest)) = tail.last {
            if link.number == self.head.last + 1 && link.before == self.head.digest {
                tracing::warn!(
                    log = %log.display(), number = link.number,
                    "the audit log ends with a line that its head did not know: a server was killed, or somebody added it"
                );
                self.head.last = link.number;
                self.head.digest = digest;
            } else if digest != self.head.digest {
                // Goes on from the head: what is missing stays visible.
                tracing::error!(
                    log = %log.display(), must_end_with = self.head.last, ends_with = link.number,
                    "the audit log does not end with the line that was written last: look with `meshgate audit verify`"
                );
            }
        } else if self.head.last > 0 && !self.was_put_aside(log)? {
            tracing::error!(
                log = %log.display(), must_end_with = self.head.last,
                "lines of the audit log are gone: look with `meshgate audit verify`"
            );
        }
        Ok(())
    }

    /// Is the line that was written last the end of the newest file that was put aside?
    fn was_put_aside(&self, log: &Path) -> io::Result<bool> {
        let Some((_, newest)) = files::put_aside(log)?.pop() else { return Ok(false) };
        Ok(Tail::read(&newest)?.last.is_some_and(|(_, digest)| digest == self.head.digest))
    }

    /// Opens the file anew if it was moved away or removed: otherwise lines
    /// would go where nobody looks.
    fn follow_rotation(&mut self, log: &Path) -> io::Result<()> {
        let open = self.file.metadata()?;
        if !files::is_at(&self.file, log)? {
            self.begin_file(log)?;
        } else if open.is_file() && open.len() != self.length && !self.torn {
            tracing::error!(
                log = %log.display(), length = open.len(), expected = self.length,
                "somebody else changed the audit log: look with `meshgate audit verify`"
            );
            self.length = open.len();
        }
        Ok(())
    }

    fn begin_file(&mut self, log: &Path) -> io::Result<()> {
        self.file = files::append_to(log)?;
        self.length = self.file.metadata()?.len();
        self.first = None;
        self.torn = false;
        Ok(())
    }

    /// Puts the file aside if the next line is too much for it.
    fn rotate_before(&mut self, line: u64, settings: &AuditSettings) -> io::Result<()> {
        if self.length == 0 || self.length + line <= settings.rotate_bytes {
            return Ok(());
        }
        self.cut_torn()?;
        let aside = files::aside(&settings.file, self.first.unwrap_or(self.head.last));
        if aside.try_exists()? {
            // Nothing that was recorded is ever written over.
            return Err(ErrorKind::AlreadyExists.into());
        }
        std::fs::rename(&settings.file, aside)?;
        self.begin_file(&settings.file)?;
        tracing::info!(
            log = %settings.file.display(), last = self.head.last, digest = %self.head.digest,
            "a file of the audit log is full, and another one is begun"
        );
        if let Some(keep) = settings.keep_files {
            self.remove_oldest(&settings.file, keep)?;
        }
        Ok(())
    }

    /// The head says first that older lines are not there any more.
    fn remove_oldest(&mut self, log: &Path, keep: usize) -> io::Result<()> {
        let aside = files::put_aside(log)?;
        let Some(surplus) = aside.len().checked_sub(keep).filter(|surplus| *surplus > 0) else {
            return Ok(());
        };
        let (oldest, kept) = aside.split_at_checked(surplus).unwrap_or_default();
        let next = Link { number: self.head.last + 1, before: self.head.digest };
        let first = match kept.first() {
            Some((_, path)) => files::first_link(path)?.unwrap_or(next),
            None => next,
        };
        self.head.first = first.number;
        self.head.before = first.before;
        self.head_file.write(self.head)?;
        oldest.iter().try_for_each(|(_, path)| std::fs::remove_file(path))
    }

    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        self.cut_torn()?;
        self.torn = true;
        let whole = [line, b"\n"].concat();
        self.file.write_all(&whole)?;
        self.torn = false;
        self.length += whole.len() as u64;
        self.head.last += 1;
        self.head.digest = Digest::of(line);
        self.first = self.first.or(Some(self.head.last));
        self.waiting.pop_front();
        self.head_is_behind = true;
        self.write_head_behind()
    }

    fn write_head_behind(&mut self) -> io::Result<()> {
        if self.head_is_behind {
            self.head_file.write(self.head)?;
            self.head_is_behind = false;
        }
        Ok(())
    }

    /// Takes the part of a line away that a failed write left.
    fn cut_torn(&mut self) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.length)?;
            self.torn = false;
        }
        Ok(())
    }
}

/// The end of a file.
struct Tail {
    /// Up to the end of the last whole line.
    length: u64,
    /// The last whole line, if it is one of a log, and its digest.
    last: Option<(Link, Digest)>,
}

impl Tail {
    fn read(log: &Path) -> io::Result<Self> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        let from = length.saturating_sub(LINE_BYTES);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(LINE_BYTES).read_to_end(&mut bytes)?;
        let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else {
            if from > 0 {
                // No part of a line is as long: it is not for us to cut it off.
                let message = "it ends with what is no record: move the log away, and look why";
                return Err(io::Error::new(ErrorKind::InvalidData, message));
            }
            return Ok(Self { length: 0, last: None });
        };
        bytes.truncate(end);
        let line = bytes.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let last = Link::of(line).map(|link| (link, Digest::of(line)));
        Ok(Self { length: from + end as u64 + 1, last })
    }
}
