use std::{os::unix::fs::PermissionsExt, path::Path};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

fn record(query_id: &str) -> AuditRecord {
    AuditRecord {
        time: DateTime::from_timestamp_micros(1_795_000_000_000_001).unwrap(),
        query_id: query_id.to_owned(),
        principal: AuditPrincipal { issuer: "staff".to_owned(), subject: "anna".to_owned() },
        purpose: Some("audit".to_owned()),
        statement: "select 'a\nb' from sales.orders".to_owned(),
        parameters: Vec::new(),
        tables: vec!["sales.orders".to_owned()],
        masked: vec!["sales.orders.card".to_owned()],
        denied: Vec::new(),
        rules: vec!["sales.orders: analysts".to_owned()],
        policy_versions: vec![PolicyVersion {
            domain: "sales".to_owned(),
            owner: "aa".to_owned(),
            operator: "bb".to_owned(),
        }],
        disclosed: Vec::new(),
        shadow: None,
        direct: None,
        rows: 2,
        bytes: 512,
        outcome: Outcome::Ok,
        error: None,
        duration: Duration::from_millis(17),
    }
}

fn open(path: &Path) -> Result<AuditLog, AuditError> {
    AuditLog::open(&AuditSettings::at(path))
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_line_per_record_with_all_fields() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("gateway.jsonl");
    let log = open(&path).unwrap();
    log.ready().unwrap();
    log.record(&record("q1")).unwrap();
    let refused = AuditRecord {
        denied: vec!["sales.orders.margin".to_owned()],
        disclosed: vec![DisclosedKeys {
            column: "sales.orders.id".to_owned(),
            to_domain: "hr".to_owned(),
            values: 3,
        }],
        outcome: Outcome::Refused,
        error: Some("unknown_column"),
        ..record("q2")
    };
    log.record(&refused).unwrap();
    let written = lines(&path);
    assert_eq!(
        written[0],
        json!({"n": 1, "before": written[0]["before"], "time": "2026-11-18T11:06:40.000001Z", "query_id": "q1",
            "principal": {"issuer": "staff", "subject": "anna"}, "purpose": "audit", "statement": "select 'a\nb' from sales.orders",
            "tables": ["sales.orders"], "masked": ["sales.orders.card"], "rules": ["sales.orders: analysts"],
            "policy_versions": [{"domain": "sales", "owner": "aa", "operator": "bb"}],
            "rows": 2, "bytes": 512, "outcome": "ok", "duration_ms": 17})
    );
    assert_eq!(
        (&written[1]["outcome"], &written[1]["error"], &written[1]["denied"]),
        (&json!("refused"), &json!("unknown_column"), &json!(["sales.orders.margin"]))
    );
    assert_eq!(
        written[1]["disclosed"],
        json!([{"column": "sales.orders.id", "to_domain": "hr", "values": 3}])
    );
    // Appends, and only the owner may read it.
    drop(log);
    open(&path).unwrap().record(&record("q3")).unwrap();
    assert_eq!(lines(&path).len(), 3);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_moved_log_is_made_anew() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("gateway.jsonl");
    let log = open(&path).unwrap();
    log.record(&record("q1")).unwrap();
    let moved = folder.path().join("gateway.jsonl.1");
    std::fs::rename(&path, &moved).unwrap();
    log.record(&record("q2")).unwrap();
    assert_eq!((lines(&moved).len(), lines(&path).len()), (1, 1));
}

#[test]
fn a_log_that_cannot_be_written_refuses_and_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let inside = folder.path().join("audit");
    std::fs::create_dir(&inside).unwrap();
    let path = inside.join("gateway.jsonl");
    let log = open(&path).unwrap();
    std::fs::remove_dir_all(&inside).unwrap();
    assert!(log.ready().is_err());
    let error = log.record(&record("q1")).unwrap_err();
    assert!(error.to_string().contains("cannot be written"));
    assert!(log.ready().is_err());
    std::fs::create_dir(&inside).unwrap();
    log.ready().unwrap();
    log.record(&record("q2")).unwrap();
    let ids: Vec<_> = lines(&path).into_iter().map(|line| line["query_id"].clone()).collect();
    assert_eq!(ids, ["q1", "q2"]);
}

#[test]
fn a_full_disk_refuses() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("gateway.jsonl");
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let log = open(&path).unwrap();
    assert!(log.record(&record("q1")).is_err());
    assert!(log.ready().is_err());
    assert!(open(Path::new("/nowhere/audit.jsonl")).is_err());
}
