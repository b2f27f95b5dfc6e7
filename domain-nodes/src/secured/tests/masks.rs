//! Cells that a mask makes, and row predicates with NULLs, against values
//! computed here row by row.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray},
    compute::filter_record_batch,
    datatypes::Int64Type,
};
use datafusion::{catalog::MemTable, prelude::SessionContext};
use meshgate_policies::{
    Cell, DataType, TableDecision,
    expression::{ComparisonOperator, Expr, Function, Literal},
};

use super::fixture::{
    MARKER, Source, column, contract, decision, equals, raw_batch, raw_table, run, run_checked, secured,
    session, text,
};

/// What statements may do with a masked column.
const STATEMENTS: &[&str] = &[
    "SELECT * FROM {t}",
    "SELECT ssn FROM {t} WHERE ssn IS NULL",
    "SELECT id FROM {t} WHERE ssn = '***'",
    "SELECT id FROM {t} WHERE ssn LIKE 'SECRET%' OR ssn > 'A'",
    "SELECT id FROM {t} WHERE ssn IN ('1001', '**01', '***', 'SECRET-7')",
    "SELECT ssn, count(*) AS n FROM {t} GROUP BY ssn",
    "SELECT min(ssn) AS a, max(ssn) AS b, count(ssn) AS c FROM {t}",
    "SELECT id, ssn FROM {t} ORDER BY ssn DESC NULLS LAST, id LIMIT 4",
    "SELECT a.id, b.id FROM {t} a JOIN {t} b ON a.ssn = b.ssn WHERE a.id < 9",
    "SELECT id FROM {t} WHERE ssn = (SELECT max(ssn) FROM {t})",
    "SELECT id, first_value(ssn) OVER (PARTITION BY x ORDER BY ssn, id) AS f FROM {t}",
    "SELECT id FROM {t} WHERE TRY_CAST(ssn AS BIGINT) > 1003",
];

const SOURCES: [Source; 3] = [
    Source::Memory { partitions: 3 },
    Source::Parquet { pushdown: false, reorder: false },
    Source::Parquet { pushdown: true, reorder: true },
];

type RowPredicate = Box<dyn Fn(&RawRow) -> Option<bool>>;
type Mask = Box<dyn Fn(&RawRow) -> Option<String>>;
type MaskValue = fn(&RawRow) -> Option<String>;

/// The raw cells that predicates and masks here read.
struct RawRow {
    region: Option<String>,
    ssn: Option<String>,
    x: Option<i64>,
}

fn raw_rows(batch: &RecordBatch) -> Vec<RawRow> {
    let text = |name: &str, row: usize| {
        let cells = batch[name].as_string::<i32>();
        cells.is_valid(row).then(|| cells.value(row).to_owned())
    };
    let x = batch["x"].as_primitive::<Int64Type>();
    (0..batch.num_rows())
        .map(|row| RawRow {
            region: text("region", row),
            ssn: text("ssn", row),
            x: x.is_valid(row).then(|| x.value(row)),
        })
        .collect()
}

/// What is left of the batch: the rows, and `ssn` as the mask makes it.
fn shown(batch: &RecordBatch, rows: &RowPredicate, mask: Option<&Mask>) -> RecordBatch {
    let raw = raw_rows(batch);
    let keep: BooleanArray = raw.iter().map(|row| Some(rows(row) == Some(true))).collect();
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    if let Some(mask) = mask {
        columns[2] = Arc::new(StringArray::from_iter(raw.iter().map(mask)));
    }
    filter_record_batch(&RecordBatch::try_new(batch.schema(), columns).unwrap(), &keep).unwrap()
}

fn with_mask(rows: Option<Expr>, mask: Expr) -> TableDecision {
    let mut decision = decision(&contract(), rows);
    decision.columns[2].cell = Cell::Computed(mask);
    decision.columns[2].plain = false;
    decision
}

async fn compare(name: &str, batch: &RecordBatch, decision: &TableDecision, shown: &RecordBatch) {
    for source in SOURCES {
        let folder = tempfile::tempdir().unwrap();
        let context: SessionContext = session(64, source);
        let raw = raw_table(batch, source, folder.path());
        context.register_table("t", secured(decision, &contract(), raw)).unwrap();
        let visible = MemTable::try_new(shown.schema(), vec![vec![shown.clone()]]).unwrap();
        context.register_table("visible", Arc::new(visible)).unwrap();
        for sql in STATEMENTS {
            let expected = run(&context, &sql.replace("{t}", "visible")).await.unwrap();
            let found = run_checked(&context, &sql.replace("{t}", "t")).await;
            let found = found.unwrap_or_else(|error| panic!("{name} {source:?} {sql}: {error}"));
            assert_eq!(found, expected, "{name} {source:?} {sql}");
        }
    }
}

fn boxed(expr: Expr) -> Box<Expr> {
    Box::new(expr)
}

/// NULL, last two characters, `'***'`: as expressions and as functions.
fn masks() -> Vec<(&'static str, Expr, MaskValue)> {
    let ssn = column(&contract(), "ssn");
    let last = Expr::Call { function: Function::KeepLast(2), args: vec![ssn], data_type: DataType::Text };
    vec![
        ("null", Expr::Null(DataType::Text), |_| None),
        ("last", last, |row| row.ssn.as_deref().map(keep_last_two)),
        ("redact", Expr::Literal(text("***")), |_| Some("***".to_owned())),
    ]
}

fn keep_last_two(text: &str) -> String {
    let length = text.chars().count();
    let hide = if length <= 2 { length } else { length - 2 };
    text.chars().enumerate().map(|(place, c)| if place < hide { '*' } else { c }).collect()
}

fn is_eu(row: &RawRow) -> Option<bool> {
    row.region.as_deref().map(|region| region == "EU")
}

/// Two grants with different masks for different rows: each row gets its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a112_two_masks_by_row_in_nine_combinations() {
    let batch = raw_batch(true);
    let contract = contract();
    let all: RowPredicate = Box::new(|_| Some(true));
    for (first_name, first, first_value) in masks() {
        for (second_name, second, second_value) in masks() {
            let cell = Expr::Case {
                branches: vec![(equals(column(&contract, "region"), text("EU")), first.clone())],
                otherwise: Some(boxed(second)),
                data_type: DataType::Text,
            };
            let value: Mask =
                Box::new(
                    move |row| {
                        if is_eu(row) == Some(true) { first_value(row) } else { second_value(row) }
                    },
                );
            let decision = with_mask(None, cell);
            let shown = shown(&batch, &all, Some(&value));
            compare(&format!("{first_name}/{second_name}"), &batch, &decision, &shown).await;
        }
    }
}

/// A grant shows the raw value of some rows and nothing of the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a112_raw_values_of_some_rows_only() {
    let batch = raw_batch(true);
    let contract = contract();
    let cell = Expr::Case {
        branches: vec![(equals(column(&contract, "region"), text("EU")), column(&contract, "ssn"))],
        otherwise: None,
        data_type: DataType::Text,
    };
    let value: Mask = Box::new(|row| if is_eu(row) == Some(true) { row.ssn.clone() } else { None });
    let all: RowPredicate = Box::new(|_| Some(true));
    let shown = shown(&batch, &all, Some(&value));
    assert!(!super::fixture::rows(std::slice::from_ref(&shown)).concat().contains(&format!("|{MARKER}-")));
    compare("some rows", &batch, &with_mask(None, cell), &shown).await;
}

/// NULL is not TRUE, negated or not, alone or in AND and OR.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a111_row_predicates_with_nulls() {
    let batch = raw_batch(true);
    let contract = contract();
    let region = || boxed(column(&contract, "region"));
    let x = || boxed(column(&contract, "x"));
    let in_regions = |negated| Expr::InList { expr: region(), list: vec![text("US")], negated };
    let big_x = || Expr::Compare {
        operator: ComparisonOperator::Greater,
        left: x(),
        right: boxed(Expr::Literal(Literal::Integer { value: 1, data_type: DataType::Int64 })),
    };
    let us = |row: &RawRow| row.region.as_deref().map(|region| region == "US");
    let large = |row: &RawRow| row.x.map(|x| x > 1);
    let or = |a: Option<bool>, b: Option<bool>| match (a, b) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    };
    let not = |a: Option<bool>| a.map(|a| !a);
    let cases: Vec<(&str, Expr, RowPredicate)> = vec![
        ("in", in_regions(false), Box::new(us)),
        ("not in", in_regions(true), Box::new(move |row| not(us(row)))),
        ("not (in)", Expr::Not(boxed(in_regions(false))), Box::new(move |row| not(us(row)))),
        (
            "two grants",
            Expr::Or(vec![in_regions(true), big_x()]),
            Box::new(move |row| or(not(us(row)), large(row))),
        ),
        (
            "grant and restriction",
            Expr::And(vec![
                Expr::Or(vec![in_regions(true), big_x()]),
                Expr::Not(boxed(Expr::And(vec![in_regions(false), big_x()]))),
            ]),
            Box::new(move |row| {
                let granted = or(not(us(row)), large(row)) == Some(true);
                let barred = or(not(us(row)), not(large(row))) == Some(true);
                Some(granted && barred)
            }),
        ),
        (
            "empty list",
            Expr::InList { expr: region(), list: Vec::new(), negated: false },
            Box::new(|_| Some(false)),
        ),
        (
            "is true",
            Expr::Not(boxed(Expr::IsTrue(boxed(in_regions(false))))),
            Box::new(move |row| Some(us(row) != Some(true))),
        ),
    ];
    for (name, rows, formula) in cases {
        let shown = shown(&batch, &formula, None);
        compare(name, &batch, &decision(&contract, Some(rows)), &shown).await;
    }
}

/// The policy's own expressions meet values that they cannot convert.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a113_policy_expressions_do_not_fail() {
    let batch = raw_batch(true);
    let contract = contract();
    let number = Expr::TryCast { expr: boxed(column(&contract, "ssn")), to: DataType::Int64 };
    let rows = Expr::Compare {
        operator: ComparisonOperator::GreaterOrEqual,
        left: boxed(number.clone()),
        right: boxed(Expr::Literal(Literal::Integer { value: 1020, data_type: DataType::Int64 })),
    };
    let parsed = |row: &RawRow| row.ssn.as_deref().and_then(|ssn| ssn.parse::<i64>().ok());
    let formula: RowPredicate = Box::new(move |row| parsed(row).map(|number| number >= 1020));
    let mask = Expr::Call {
        function: Function::Concat,
        args: vec![Expr::Literal(text("#")), Expr::Cast { expr: boxed(number), to: DataType::Text }],
        data_type: DataType::Text,
    };
    let value: Mask = Box::new(move |row| {
        Some(format!("#{}", parsed(row).map(|number| number.to_string()).unwrap_or_default()))
    });
    let all: RowPredicate = Box::new(|_| Some(true));
    let visible = shown(&batch, &formula, Some(&value));
    compare("rows", &batch, &with_mask(Some(rows), mask.clone()), &visible).await;
    compare("mask", &batch, &with_mask(None, mask), &shown(&batch, &all, Some(&value))).await;
}
