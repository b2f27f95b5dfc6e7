//! The files of one log: the one that is written, and those that were put aside.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::LINE_BYTES;
use super::chain::Link;

const HEAD: &str = "head";
const RESERVE: &str = "reserve";
/// Names sort like numbers.
const DIGITS: usize = 12;

pub(super) fn head(log: &Path) -> PathBuf {
    beside(log, HEAD)
}

pub(super) fn reserve(log: &Path) -> PathBuf {
    beside(log, RESERVE)
}

/// The name of a file that was put aside.
pub(super) fn aside(log: &Path, first: u64) -> PathBuf {
    beside(log, &format!("{first:0DIGITS$}"))
}

fn beside(log: &Path, ending: &str) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

/// What was put aside by us, oldest first, with the number of its first line.
pub(super) fn put_aside(log: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let number = |ending: &str| ending.parse().ok().filter(|_| ending.len() >= DIGITS);
    let mut files: Vec<(u64, PathBuf)> =
        siblings(log)?.into_iter().filter_map(|(ending, path)| Some((number(&ending)?, path))).collect();
    files.sort();
    Ok(files)
}

/// Every file of the log's name with an ending that is not one of ours, and the log
/// itself: others rotate too, and call files what they like. In no order.
pub(super) fn all(log: &Path) -> io::Result<Vec<PathBuf>> {
    let files = siblings(log)?.into_iter().filter(|(ending, _)| ending != HEAD && ending != RESERVE);
    let mut files: Vec<PathBuf> = files.map(|(_, path)| path).collect();
    if log.try_exists()? {
        files.push(log.to_owned());
    }
    Ok(files)
}

fn siblings(log: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let folder = log.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = log.file_name().unwrap_or_default().to_string_lossy().into_owned() + ".";
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let entry_name = entry.file_name();
        if let Some(ending) = entry_name.to_string_lossy().strip_prefix(&name) {
            found.push((ending.to_owned(), entry.path()));
        }
    }
    Ok(found)
}

/// Nobody but the server's own user reads who asked for what.
pub(super) fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// Is the open file still the one of this name?
pub(super) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(named) => Ok(named.dev() == open.dev() && named.ino() == open.ino()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The first line of a file, if it is a line of a log.
pub(super) fn first_link(path: &Path) -> io::Result<Option<Link>> {
    let mut line = Vec::new();
    BufReader::new(File::open(path)?).take(LINE_BYTES).read_until(b'\n', &mut line)?;
    Ok(line.strip_suffix(b"\n").and_then(Link::of))
}
