use std::fs;

use meshgate_policies::Digest;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

struct Log {
    folder: TempDir,
    settings: AuditSettings,
}

impl Log {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = AuditSettings::at(&folder.path().join("a.jsonl"));
        Self { folder, settings }
    }

    /// With small files: three or four records each.
    fn small(keep_files: Option<usize>) -> Self {
        let mut log = Self::new();
        log.settings.rotate_bytes = 500;
        log.settings.keep_files = keep_files;
        log
    }

    fn path(&self) -> &Path {
        &self.settings.file
    }

    /// Writes records until `to`.
    fn write(&self, to: u64) {
        let file = AuditFile::open(&self.settings).unwrap();
        while file_last(&self.settings.file) < to {
            append(&file, &format!("q{}", file_last(&self.settings.file) + 1));
        }
    }

    fn lines(&self) -> Vec<String> {
        fs::read_to_string(self.path()).unwrap().lines().map(str::to_owned).collect()
    }

    fn set_lines(&self, lines: &[String]) {
        fs::write(self.path(), lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn verify(&self) -> Report {
        verify(self.path(), false, None).unwrap()
    }

    fn found(&self) -> Vec<(u64, Found)> {
        self.verify().findings.into_iter().map(|finding| (finding.line, finding.found)).collect()
    }
}

fn file_last(log: &Path) -> u64 {
    head::Head::read(log).unwrap().map_or(0, |head| head.last)
}

fn append(file: &AuditFile, id: &str) {
    file.append(json!({ "query_id": id }).to_string().into_bytes()).unwrap();
}

fn ids(log: &Path, bounds: Bounds) -> Vec<String> {
    let mut ids = Vec::new();
    newest(log, bounds, |line| {
        let value: Value = serde_json::from_slice(line).unwrap();
        ids.push(value["query_id"].as_str().unwrap().to_owned());
        true
    })
    .unwrap();
    ids
}

const ALL: Bounds = Bounds { lines: 1_000, bytes: 1 << 20 };

#[test]
fn a_log_that_was_written_and_left_alone_is_whole() {
    let log = Log::new();
    log.write(3);
    // Another server goes on with it.
    log.write(5);
    let report = log.verify();
    assert_eq!(report.findings, []);
    assert_eq!((report.files, report.lines, report.first), (1, 5, Some(1)));
    let line: Value = serde_json::from_str(&log.lines()[4]).unwrap();
    assert_eq!(line["n"], 5);
    assert_eq!(line["query_id"], "q5");
    assert_eq!(line["before"], Digest::of(log.lines()[3].as_bytes()).to_string());
    let last = report.last.unwrap();
    assert_eq!((last.number, last.digest), (5, Digest::of(log.lines()[4].as_bytes())));
}

#[test]
fn a_changed_line_is_found() {
    let log = Log::new();
    log.write(4);
    let mut lines = log.lines();
    lines[1] = lines[1].replace("q2", "q9");
    log.set_lines(&lines);
    assert_eq!(log.found(), [(3, Found::Changed { changed: 2, number: 3 })]);
    // The last one, which nothing stands behind.
    log.set_lines(&{
        let mut lines = log.lines();
        lines[1] = lines[1].replace("q9", "q2");
        lines[3] = lines[3].replace("q4", "q5");
        lines
    });
    assert_eq!(log.found(), [(4, Found::LastChanged { number: 4 })]);
}

#[test]
fn a_removed_an_added_and_a_moved_line_are_found() {
    let log = Log::new();
    log.write(5);
    let whole = log.lines();
    let mut lines = whole.clone();
    lines.remove(2);
    log.set_lines(&lines);
    assert_eq!(log.found(), [(3, Found::Missing { from: 3, to: 3 })]);
    let mut lines = whole.clone();
    lines.insert(3, lines[2].clone());
    log.set_lines(&lines);
    assert_eq!(log.found(), [(4, Found::Order { number: 3, last: 3 })]);
    let mut lines = whole.clone();
    lines.swap(1, 2);
    log.set_lines(&lines);
    assert_eq!(log.found().len(), 3);
    let mut lines = whole.clone();
    lines.insert(2, "something else".to_owned());
    log.set_lines(&lines);
    assert_eq!(log.found(), [(3, Found::NoLine)]);
    log.set_lines(&whole);
    assert_eq!(log.found(), []);
}

#[test]
fn what_was_cut_at_an_end_is_found() {
    let log = Log::new();
    log.write(5);
    let whole = log.lines();
    log.set_lines(&whole[..3]);
    assert_eq!(log.found(), [(0, Found::End { expected: 5, last: 3 })]);
    log.set_lines(&whole[2..]);
    assert_eq!(log.found(), [(0, Found::Beginning { expected: 1, before: 2 })]);
    fs::write(log.path(), "").unwrap();
    assert_eq!(log.found(), [(0, Found::End { expected: 5, last: 0 })]);
    fs::remove_file(log.path()).unwrap();
    assert_eq!(log.found(), [(0, Found::End { expected: 5, last: 0 })]);
    let text = whole.iter().map(|line| format!("{line}\n")).collect::<String>();
    fs::write(log.path(), &text.as_bytes()[..text.len() - 9]).unwrap();
    assert_eq!(log.found(), [(5, Found::Incomplete), (0, Found::End { expected: 5, last: 4 })]);
    log.set_lines(&whole);
    fs::remove_file(files::head(log.path())).unwrap();
    assert_eq!(log.found(), [(0, Found::NoHead)]);
    assert_eq!(verify(log.path(), true, None).unwrap().findings, []);
}

#[test]
fn a_server_goes_on_behind_a_gap_and_the_gap_stays_visible() {
    let log = Log::new();
    log.write(5);
    log.set_lines(&log.lines()[..3]);
    log.write(6);
    assert_eq!(log.found(), [(4, Found::Missing { from: 4, to: 5 })]);
}

#[test]
fn a_log_without_its_head_is_not_gone_on_with() {
    let log = Log::new();
    log.write(2);
    let head = files::head(log.path());
    fs::remove_file(&head).unwrap();
    assert!(AuditFile::open(&log.settings).is_err());
    fs::write(&head, "no head").unwrap();
    assert!(AuditFile::open(&log.settings).is_err());
    assert_eq!(log.found(), [(0, Found::BadHead)]);
}

#[test]
fn a_chain_that_was_made_up_is_found_by_what_was_seen_before() {
    let log = Log::new();
    log.write(4);
    let seen = log.verify().last.unwrap();
    let made_up = Log::new();
    made_up.write(3);
    {
        let file = AuditFile::open(&made_up.settings).unwrap();
        append(&file, "another");
        append(&file, "q5");
    }
    assert_eq!(made_up.found(), []);
    let report = verify(made_up.path(), false, Some(seen)).unwrap();
    assert_eq!(report.findings[0].found, Found::OtherThanSeen { number: 4 });
    log.write(6);
    assert_eq!(verify(log.path(), false, Some(seen)).unwrap().findings, []);
    let later = Anchor { number: 9, ..seen };
    let report = verify(log.path(), false, Some(later)).unwrap();
    assert_eq!(report.findings[0].found, Found::SeenNotThere { number: 9 });
}

#[test]
fn a_line_that_its_head_does_not_know_yet_and_a_part_of_a_line_are_taken_up() {
    let log = Log::new();
    log.write(3);
    let head = fs::read(files::head(log.path())).unwrap();
    log.write(4);
    // Killed between the line and its head, and then in the middle of a line.
    fs::write(files::head(log.path()), head).unwrap();
    let mut text = fs::read_to_string(log.path()).unwrap();
    text.push_str("{\"n\":5,\"bef");
    fs::write(log.path(), text).unwrap();
    {
        let file = AuditFile::open(&log.settings).unwrap();
        append(&file, "q5");
    }
    let report = log.verify();
    assert_eq!((report.findings, report.lines), (Vec::new(), 5));
}

#[test]
fn full_files_are_put_aside_and_the_chain_goes_through_them() {
    let log = Log::small(None);
    log.write(10);
    let names = log.names();
    assert!(names.len() > 4 && names.contains(&"a.jsonl.000000000001".to_owned()), "{names:?}");
    let report = log.verify();
    assert_eq!((report.findings, report.lines, report.files), (Vec::new(), 10, names.len() - 2));
    let newest = ids(log.path(), ALL);
    let all: Vec<String> = (1..=10).rev().map(|number| format!("q{number}")).collect();
    assert_eq!(newest, all);
    assert_eq!(ids(log.path(), Bounds { lines: 3, ..ALL }), all[..3]);
    assert!(ids(log.path(), Bounds { bytes: 300, ..ALL }).len() < 4);
    // One that is taken away in the middle.
    fs::remove_file(log.folder.path().join(&names[2])).unwrap();
    assert!(matches!(log.found().as_slice(), [(1, Found::Missing { .. })]));
}

#[test]
fn numbers_that_no_server_writes_are_no_lines() {
    let log = Log::new();
    log.write(3);
    let whole = log.lines();
    for number in ["0", "18446744073709551615", "9007199254740993", "-1", "\"2\""] {
        let mut lines = whole.clone();
        lines[1] = lines[1].replace("{\"n\":2,", &format!("{{\"n\":{number},"));
        log.set_lines(&lines);
        assert_eq!(log.found(), [(2, Found::NoLine), (3, Found::Missing { from: 2, to: 2 })], "{number}");
    }
    log.set_lines(&whole);
    let head = fs::read_to_string(files::head(log.path())).unwrap();
    for (from, to) in [("\"first\":1,", "\"first\":0,"), ("\"last\":3,", "\"last\":18446744073709551615,")] {
        fs::write(files::head(log.path()), head.replace(from, to).trim_end()).unwrap();
        assert_eq!(log.found(), [(0, Found::BadHead)], "{to}");
        assert!(AuditFile::open(&log.settings).is_err());
    }
}

#[test]
fn what_is_no_record_is_refused_and_another_stands_for_it() {
    let log = Log::new();
    let file = AuditFile::open(&log.settings).unwrap();
    let long = format!("{{\"query_id\":\"q0\",\"a\":\"{}\"}}", "x".repeat(LINE_BYTES as usize));
    for record in ["", "{}", "[1]", "{\"a\":1,\n\"b\":2}", &long] {
        file.append(record.as_bytes().to_vec()).unwrap_err();
    }
    append(&file, "q1");
    file.ensure_writable().unwrap();
    assert_eq!((log.verify().lines, log.found()), (6, Vec::new()));
    let text = fs::read_to_string(log.path()).unwrap();
    let of_long = text.lines().nth(4).unwrap();
    assert!(of_long.contains("\"query_id\":\"q0\"") && of_long.contains("too long"), "{of_long}");
}

#[test]
fn a_log_that_ends_with_something_else_is_left_as_it_is() {
    let log = Log::new();
    log.write(2);
    let mut text = fs::read(log.path()).unwrap();
    text.resize(text.len() + LINE_BYTES as usize, b'x');
    fs::write(log.path(), &text).unwrap();
    assert!(AuditFile::open(&log.settings).is_err());
    assert_eq!(fs::metadata(log.path()).unwrap().len(), text.len() as u64);
    assert!(matches!(log.found().as_slice(), [(3, Found::NoLine)]), "{:?}", log.found());
}

#[test]
fn others_may_rotate_too() {
    let log = Log::new();
    let file = AuditFile::open(&log.settings).unwrap();
    append(&file, "q1");
    append(&file, "q2");
    fs::rename(log.path(), log.folder.path().join("a.jsonl.1")).unwrap();
    append(&file, "q3");
    assert_eq!(log.lines().len(), 1);
    let report = log.verify();
    assert_eq!((report.findings, report.lines, report.files), (Vec::new(), 3, 2));
}

#[test]
fn only_as_many_files_stay_as_are_to_be_kept() {
    let log = Log::small(Some(2));
    log.write(20);
    assert_eq!(log.names().len(), 2 + 3, "{:?}", log.names());
    let report = log.verify();
    assert_eq!(report.findings, []);
    assert!(report.first.unwrap() > 8 && report.last.unwrap().number == 20);
    // What goes beyond that was not the server.
    let oldest = log.names()[1].clone();
    fs::remove_file(log.folder.path().join(oldest)).unwrap();
    assert!(matches!(log.found().as_slice(), [(0, Found::Beginning { .. })]));
}

#[test]
fn a_log_has_one_writer() {
    let log = Log::new();
    let file = AuditFile::open(&log.settings).unwrap();
    let error = AuditFile::open(&log.settings).unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("another server"));
    drop(file);
    AuditFile::open(&log.settings).unwrap();
}

#[test]
fn a_head_that_is_taken_away_from_a_running_server_comes_back() {
    let log = Log::new();
    let file = AuditFile::open(&log.settings).unwrap();
    append(&file, "q1");
    fs::remove_file(files::head(log.path())).unwrap();
    append(&file, "q2");
    assert_eq!(log.found(), []);
}

/// A file system of its own, where whoever runs the tests may make one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(folder: &Path) -> Option<Self> {
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
            .arg(folder)
            .stderr(std::process::Stdio::null())
            .status();
        mount.is_ok_and(|status| status.success()).then(|| Self(folder.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn on_a_full_disk_what_runs_is_recorded_and_nothing_new_begins() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(folder.path()) else {
        // Without the right to mount there is only the device that is always full.
        std::os::unix::fs::symlink("/dev/full", folder.path().join("a.jsonl")).unwrap();
        let file = AuditFile::open(&AuditSettings::at(&folder.path().join("a.jsonl"))).unwrap();
        file.append(b"{\"query_id\":\"q1\"}".to_vec()).unwrap_err();
        file.ensure_writable().unwrap_err();
        return;
    };
    let path = disk.0.join("a.jsonl");
    let file = AuditFile::open(&AuditSettings::at(&path)).unwrap();
    file.ensure_writable().unwrap();
    append(&file, "q1");
    let filler = disk.0.join("filler");
    fs::write(&filler, vec![b'x'; 4 << 20]).unwrap_err();
    // It began before: its record still finds a place.
    let long = "x".repeat(200_000);
    append(&file, &long);
    assert!(file.ensure_writable().is_err(), "nothing new begins");
    append(&file, "q3");
    assert_eq!(verify(&path, false, None).unwrap().lines, 3);
    // When even that is full, records wait.
    let waiting =
        (4..10).filter(|_| file.append(json!({ "query_id": long }).to_string().into_bytes()).is_err());
    assert!(waiting.count() > 0);
    fs::remove_file(&filler).unwrap();
    file.ensure_writable().unwrap();
    let report = verify(&path, false, None).unwrap();
    assert_eq!((report.findings, report.lines), (Vec::new(), 9));
    drop(file);
    drop(disk);
}
