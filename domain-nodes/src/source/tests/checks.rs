//! What the check of a contract against its data finds.

use meshgate_policies::yaml::Severity;

use super::*;
use crate::source::{Finding, check_online};

async fn check(fixture: &Fixture, path: &str, format: &str, columns: &[&str]) -> Vec<String> {
    let findings = check_online(&fixture.table(path, format, columns), &fixture.access()).await;
    let mut shown: Vec<String> = findings.iter().map(shown).collect();
    shown.sort();
    shown
        .iter()
        .map(|text| {
            text.replace(&format!("{}/", fixture.path("").display()), "")
                .replace(fixture.path("").to_str().unwrap(), "")
        })
        .collect()
}

fn shown(finding: &Finding) -> String {
    let severity = if finding.severity == Severity::Error { "error" } else { "warning" };
    format!("{severity}: {finding}")
}

const COLUMNS: [&str; 2] = ["name: id, logicalType: integer, required: true", "name: day, logicalType: date"];

#[tokio::test]
async fn what_fits_its_contract_has_no_findings() {
    for (format, extension) in FORMATS {
        let fixture = Fixture::new();
        let ids: ArrayRef = Arc::new(arrow::array::Int64Array::from(vec![1, 2]));
        let days: ArrayRef = Arc::new(arrow::array::Date32Array::from(vec![Some(1), None]));
        fixture.write_as(&format!("t.{extension}"), extension, vec![("id", ids), ("day", days)]);
        assert_eq!(
            check(&fixture, &format!("t.{extension}"), format, &COLUMNS).await,
            [""; 0],
            "{extension}"
        );
    }
}

#[tokio::test]
async fn all_bad_cells_are_found_with_row_column_and_text() {
    let fixture = Fixture::new();
    fixture.write("t/1.csv", "id,day\nx,2026-11-23\n2,yesterday\n3,\n");
    fixture.write("t/2.csv", "id,day\n,2026-11-23\n");
    assert_eq!(
        check(&fixture, "t", "csv", &COLUMNS).await,
        [
            "error: `t.day`: /t/1.csv: row 3 (line 3), column `day`: \"yesterday\" is no date",
            "error: `t.id`: /t/1.csv: row 2 (line 2), column `id`: \"x\" is no int64",
            "error: `t.id`: the contract requires it, and it is NULL in 2 rows",
        ]
        .map(|text| text.replace("/t/", "t/"))
    );
    fixture.write("t.jsonl", "{\"id\": 1, \"day\": 7}\n\n{\"id\": \"x\", \"day\": null}\n");
    let found = check(&fixture, "t.jsonl", "json", &COLUMNS).await;
    assert!(found[0].contains("t.jsonl: row 1 (line 1), column `day`: \"7\" is no date"), "{found:#?}");
    assert!(
        found[1].contains("t.jsonl: row 2 (line 3), column `id`: \"\\\"x\\\"\" is no int64"),
        "{found:#?}"
    );
}

#[tokio::test]
async fn differences_of_columns_are_found_and_the_others_still_checked() {
    let fixture = Fixture::new();
    fixture.write("t.csv", "id,extra\nx,1\n");
    assert_eq!(
        check(&fixture, "t.csv", "csv", &COLUMNS).await[..2],
        [
            "error: `t.day`: the files do not have it",
            "error: `t.id`: t.csv: row 2 (line 2), column `id`: \"x\" is no int64",
        ]
    );
    assert!(
        check(&fixture, "t.csv", "csv", &COLUMNS)
            .await
            .contains(&"warning: `t.extra`: the contract does not name it, so it is not served".to_owned())
    );
}

#[tokio::test]
async fn what_cannot_be_opened_or_read_to_its_end_is_found() {
    let fixture = Fixture::new();
    assert_eq!(check(&fixture, "../elsewhere", "csv", &COLUMNS).await.len(), 1);
    let found = check(&fixture, "missing", "csv", &COLUMNS).await;
    assert!(found[0].starts_with("error: `t`: the files of `t` cannot be found: No such file"), "{found:?}");
    fixture.write("t.csv", "id,day\n1,\n1,2,3\n");
    let found = check(&fixture, "t.csv", "csv", &COLUMNS).await;
    assert_eq!(found, ["error: `t`: row 3 of a file of `t` is not well-formed"]);
    let many = format!("id,day\n{}", "x,\n".repeat(1000));
    fixture.write("t.csv", many);
    let found = check(&fixture, "t.csv", "csv", &COLUMNS).await;
    assert!(found.len() < 110, "{}", found.len());
    assert!(found.iter().any(|finding| finding.contains("more than 100 bad cells")), "{}", found[0]);
    let s3 = fixture.table_at("server: lake, type: s3, location: 's3://lake/t/'", "csv", &COLUMNS);
    let findings = check_online(&s3, &fixture.access()).await;
    assert!(findings[0].message.contains("no `credentials` for the server `lake`"), "{findings:?}");
}
