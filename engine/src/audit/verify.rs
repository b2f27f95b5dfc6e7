//! Does a log hold what was written to it?

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use meshgate_policies::Digest;

use super::chain::Link;
use super::head::Head;
use super::{LINE_BYTES, files};

/// Most findings that are told.
const FINDINGS: usize = 100;

/// A line as an earlier verification saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    pub number: u64,
    pub digest: Digest,
}

/// What a verification saw.
#[derive(Debug, Default)]
pub struct Report {
    pub files: usize,
    pub lines: u64,
    /// The oldest line's number.
    pub first: Option<u64>,
    /// The newest line.
    pub last: Option<Anchor>,
    /// What is wrong; not more than a hundred of it.
    pub findings: Vec<Finding>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub file: PathBuf,
    /// Counted from 1; 0 stands for the file, or for the log as a whole.
    pub line: u64,
    pub found: Found,
}

/// What is wrong with a line, or with the end of a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Found {
    #[error("this is no line of an audit log")]
    NoLine,
    #[error("this line is not complete")]
    Incomplete,
    #[error("records {from} to {to} are missing before this line")]
    Missing { from: u64, to: u64 },
    #[error("record {number} stands behind record {last}: a line was added or moved")]
    Order { number: u64, last: u64 },
    #[error("record {changed} is not what it was when record {number} was written behind it")]
    Changed { changed: u64, number: u64 },
    #[error("the log must begin with record {expected}: records {expected} to {before} are missing")]
    Beginning { expected: u64, before: u64 },
    #[error("the log must end with record {expected}: what was behind record {last} was cut off")]
    End { expected: u64, last: u64 },
    #[error("the last record, {number}, is not what it was when it was written")]
    LastChanged { number: u64 },
    #[error("record {last} is there, but the head knows of none behind {expected}: the head was changed")]
    HeadBehind { last: u64, expected: u64 },
    #[error("the head of the log is missing: whether lines are missing at its ends cannot be told")]
    NoHead,
    #[error("the head of the log cannot be read")]
    BadHead,
    #[error("record {number} is not the one that was seen before: the log was written anew")]
    OtherThanSeen { number: u64 },
    #[error("record {number}, which was seen before, is not there")]
    SeenNotThere { number: u64 },
}

/// Reads the log at `path` with all its files. `is_part`: lines may be missing at both ends.
pub fn verify(path: &Path, is_part: bool, seen: Option<Anchor>) -> io::Result<Report> {
    loop {
        let files = files::put_aside(path)?;
        let report = look(path, is_part, seen)?;
        // Unless its server put a file aside meanwhile, which was perhaps not read.
        if files == files::put_aside(path)? {
            return Ok(report);
        }
    }
}

fn look(path: &Path, is_part: bool, seen: Option<Anchor>) -> io::Result<Report> {
    let head_before = Head::read(path);
    let mut walk = Walk::new(seen, head_before.as_ref().ok().copied().flatten());
    for file in in_order(path, &mut walk)? {
        walk.file(&file)?;
    }
    if let Some(anchor) = walk.seen {
        walk.found(path, 0, Found::SeenNotThere { number: anchor.number });
    }
    if !is_part {
        match head_before {
            Ok(Some(before)) => walk.ends(path, before),
            Ok(None) => walk.found(path, 0, Found::NoHead),
            Err(_) => walk.found(path, 0, Found::BadHead),
        }
    }
    Ok(walk.report)
}

/// Every line of the log's files, in order; what is no line of a log is passed over.
pub(super) fn each_line(path: &Path, take: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    let mut walk = Walk::new(None, None);
    for file in in_order(path, &mut walk)? {
        let mut reader = BufReader::new(File::open(file)?);
        let mut line = Vec::new();
        while (&mut reader).take(LINE_BYTES).read_until(b'\n', &mut line)? > 0 {
            take(line.strip_suffix(b"\n").unwrap_or(&line));
            line.clear();
        }
    }
    Ok(())
}

/// The files by the numbers of their first lines. What has no first line of a log is looked at last.
fn in_order(path: &Path, walk: &mut Walk) -> io::Result<Vec<PathBuf>> {
    let mut numbered = Vec::new();
    for file in files::all(path)? {
        if std::fs::metadata(&file)?.len() == 0 {
            continue;
        }
        match files::first_link(&file)? {
            Some(link) => numbered.push((link.number, file)),
            None if file == path => numbered.push((u64::MAX, file)),
            None => walk.found(&file, 1, Found::NoLine),
        }
    }
    numbered.sort();
    Ok(numbered.into_iter().map(|(_, file)| file).collect())
}

struct Walk {
    report: Report,
    /// The line before.
    last: Option<Anchor>,
    oldest: Option<Link>,
    /// Still to be found.
    seen: Option<Anchor>,
    /// As it was before anything was read.
    head: Option<Head>,
}

impl Walk {
    fn new(seen: Option<Anchor>, head: Option<Head>) -> Self {
        Self { report: Report::default(), last: None, oldest: None, seen, head }
    }

    fn found(&mut self, file: &Path, line: u64, found: Found) {
        if self.report.findings.len() < FINDINGS {
            self.report.findings.push(Finding { file: file.to_owned(), line, found });
        }
    }

    fn file(&mut self, path: &Path) -> io::Result<()> {
        self.report.files += 1;
        let mut reader = BufReader::new(File::open(path)?);
        let mut bytes = Vec::new();
        for line in 1.. {
            bytes.clear();
            let read = (&mut reader).take(LINE_BYTES).read_until(b'\n', &mut bytes)?;
            if read == 0 {
                break;
            }
            match bytes.strip_suffix(b"\n") {
                Some(whole) => self.line(path, line, whole),
                None if read as u64 == LINE_BYTES => {
                    self.found(path, line, Found::NoLine);
                    break;
                }
                None => self.found(path, line, Found::Incomplete),
            }
        }
        Ok(())
    }

    fn line(&mut self, path: &Path, line: u64, bytes: &[u8]) {
        let Some(link) = Link::of(bytes) else {
            self.found(path, line, Found::NoLine);
            return;
        };
        let this = Anchor { number: link.number, digest: Digest::of(bytes) };
        if let Some(last) = self.last {
            self.follows(path, line, link, last);
        }
        self.compare(path, line, this);
        self.report.lines += 1;
        self.oldest = self.oldest.or(Some(link));
        self.last = Some(this);
        (self.report.first, self.report.last) = (self.oldest.map(|link| link.number), self.last);
    }

    fn follows(&mut self, path: &Path, line: u64, link: Link, last: Anchor) {
        let number = link.number;
        if number <= last.number {
            self.found(path, line, Found::Order { number, last: last.number });
        } else if number > last.number + 1 {
            self.found(path, line, Found::Missing { from: last.number + 1, to: number - 1 });
        } else if link.before != last.digest {
            self.found(path, line, Found::Changed { changed: last.number, number });
        }
    }

    /// With what was seen before, and with the head.
    fn compare(&mut self, path: &Path, line: u64, this: Anchor) {
        if let Some(anchor) = self.seen.take_if(|anchor| anchor.number == this.number)
            && anchor != this
        {
            self.found(path, line, Found::OtherThanSeen { number: this.number });
        }
        if let Some(head) = self.head.take_if(|head| head.last == this.number)
            && head.digest != this.digest
        {
            self.found(path, line, Found::LastChanged { number: this.number });
        }
    }

    /// The log may be written meanwhile: it ends not before the head from before, and
    /// at most one line behind the head of now.
    fn ends(&mut self, path: &Path, before: Head) {
        let last = self.last.map_or(before.first.saturating_sub(1), |last| last.number);
        match self.oldest {
            Some(oldest) if oldest.number > before.first => {
                let found = Found::Beginning { expected: before.first, before: oldest.number - 1 };
                self.found(path, 0, found);
            }
            Some(oldest) if oldest.number == before.first && oldest.before != before.before => {
                self.found(path, 0, Found::Changed { changed: before.first - 1, number: before.first });
            }
            Some(_) | None => {}
        }
        if last < before.last {
            self.found(path, 0, Found::End { expected: before.last, last });
            return;
        }
        match Head::read(path) {
            Ok(Some(now)) if last <= now.last + 1 => {}
            Ok(Some(now)) => self.found(path, 0, Found::HeadBehind { last, expected: now.last }),
            Ok(None) | Err(_) => self.found(path, 0, Found::BadHead),
        }
    }
}
