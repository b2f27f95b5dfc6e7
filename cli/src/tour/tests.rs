use arrow::{
    array::StringArray,
    datatypes::{DataType, Field, Schema},
};

use super::*;

fn quarter() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 10, 1).unwrap()
}

fn rows(csv_names: &[&str]) -> Outcome {
    let schema: SchemaRef = Schema::new(vec![Field::new("table", DataType::Utf8, false)]).into();
    let names = StringArray::from_iter_values(csv_names);
    let batch = RecordBatch::try_new(schema.clone(), vec![std::sync::Arc::new(names)]).unwrap();
    Outcome::Rows(schema, vec![batch])
}

fn error(code: Code, message: &str) -> Outcome {
    Outcome::Error(QueryError { code: Some(code), message: message.to_owned() })
}

#[test]
fn days_are_put_in() {
    assert_eq!(with_days("1,{-40},x\n2,{0}", quarter()), "1,2026-08-22,x\n2,2026-10-01");
    assert_eq!(with_days("plain", quarter()), "plain");
    assert_eq!(with_days("{greta},{0}", quarter()), "{greta},2026-10-01");
}

#[test]
fn rows_are_compared_exactly() {
    let check = |outcome: &Outcome, answer| difference(outcome, answer, quarter()).unwrap();
    assert!(check(&rows(&["a", "b"]), &Answer::Rows("table\na\nb")).is_none());
    assert!(check(&rows(&[]), &Answer::Rows("table")).is_none());
    assert!(check(&rows(&["a"]), &Answer::Rows("table\na\nb")).is_some());
    assert!(check(&rows(&["b", "a"]), &Answer::Rows("table\na\nb")).is_some());
    assert!(check(&rows(&[]), &Answer::Refused(Refusal::NoSuchTable)).is_some());
}

#[test]
fn pseudonyms_are_equal_or_different_as_they_should_be() {
    let (one, two) = ("5437254163699583150", "6437254163699583150");
    let actual = |cells: [&str; 3]| format!("id\n{}\n{}\n{}", cells[0], cells[1], cells[2]);
    let expected = "id\n{a}\n{b}\n{a}";
    assert!(is_answer(&actual([one, two, one]), expected));
    for wrong in [[one, one, one], [one, two, two], ["1", two, "1"], ["NULL", two, "NULL"], ["-5", two, "-5"]]
    {
        assert!(!is_answer(&actual(wrong), expected), "{wrong:?}");
    }
    assert!(!is_answer(&format!("id\n{one}\n{two}"), expected));
    assert!(!is_answer(&actual([one, two, one]), "id,x\n{a}\n{b}\n{a}"));
}

#[test]
fn errors_are_compared_by_class() {
    let check =
        |outcome: &Outcome, refusal| difference(outcome, &Answer::Refused(refusal), quarter()).unwrap();
    assert!(check(&error(Code::NotFound, "no table"), Refusal::NoSuchTable).is_none());
    assert!(check(&error(Code::Internal, "broken"), Refusal::NoSuchTable).is_some());
    assert!(check(&error(Code::InvalidArgument, "column margin"), Refusal::NoSuchColumn).is_none());
    let hint =
        error(Code::InvalidArgument, "no column margin. It is there for who works for `fraud-investigation`");
    assert!(check(&hint, Refusal::NeedsPurpose).is_none());
    assert!(check(&hint, Refusal::NoSuchColumn).is_some());
    assert!(check(&error(Code::InvalidArgument, "no column margin"), Refusal::NeedsPurpose).is_some());
    assert!(check(&error(Code::PermissionDenied, "purpose"), Refusal::PurposeNotGranted).is_none());
    assert!(check(&error(Code::InvalidArgument, "division by zero"), Refusal::DivisionByZero).is_none());
    assert!(check(&error(Code::Unavailable, "down"), Refusal::NotAQuery).is_some());
}

#[test]
fn every_line_has_somebody_who_asks() {
    for line in LINES {
        assert!(!line.answers.is_empty(), "{}", line.title);
        assert!(line.says.ends_with('.'), "{}", line.title);
    }
}

#[test]
fn the_documentation_shows_the_steps_of_the_tour() {
    let documentation = include_str!("../../../docs/sql.md");
    let line = LINES.iter().find(|line| line.ask.starts_with("explain select")).unwrap();
    let [(_, Answer::Rows(rows))] = line.answers else { panic!("one answer with rows") };
    for row in rows.lines().skip(1) {
        let what = row.splitn(3, ',').nth(2).unwrap();
        assert!(documentation.contains(&format!("| {what}\n")), "{what}");
    }
}
