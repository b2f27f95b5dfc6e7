use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, ListArray, RecordBatch, StringArray, TimestampMillisecondArray,
};
use arrow::datatypes::Int64Type;
use datafusion::parquet::arrow::ArrowWriter;
use meshgate_policies::DataType;
use meshgate_policies::data_type::{Field, TimeUnit};
use meshgate_policies::yaml::{self, Reader, UnknownKeys};

use super::*;
use crate::contract::load_folder;
use crate::contract::table::{Inside, read_type};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("products")).unwrap();
        Self(folder)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, content: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn draft(&self, product: &str, from: &str) -> Result<Draft, DraftError> {
        draft_contract(&DraftOrder {
            product,
            domain: "sales",
            environment: "dev",
            products: &self.path("products"),
            data_roots: &[self.0.path().to_owned()],
            from: &self.path(from),
        })
    }

    /// The one table of the folder's contracts, which must be read without a word.
    fn table(&self, draft: &Draft) -> Arc<meshgate_policies::Table> {
        self.write("products/x.odcs.yaml", draft.text.as_bytes());
        let contracts = load_folder(&self.path("products"), "sales", "dev", &BTreeMap::new());
        assert!(contracts.problems.is_empty(), "{:?}\n{}", contracts.problems, draft.text);
        Arc::clone(&contracts.products[0].tables[0].table)
    }
}

fn parquet(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn described(table: &meshgate_policies::Table) -> Vec<String> {
    let columns = table.columns.iter();
    columns
        .map(|column| {
            format!("{} {}{}", column.name, column.data_type, if column.required { "!" } else { "" })
        })
        .collect()
}

#[test]
fn a_draft_from_parquet_files_is_a_contract_of_them() {
    let folder = Folder::new();
    let file = |first: i64| {
        parquet(vec![
            ("Order-ID", Arc::new(Int64Array::from(vec![first, first + 1]))),
            ("customer", Arc::new(StringArray::from(vec!["a", "a"]))),
            ("total", Arc::new(Float64Array::from(vec![Some(1.5), None]))),
            ("at", Arc::new(TimestampMillisecondArray::from(vec![1, 2]).with_timezone("+02:00"))),
            ("lines", Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1)]), None]))),
        ])
    };
    folder.write("data/orders/region=DE/1.parquet", &file(1));
    folder.write("data/orders/region=FR/2.parquet", &file(3));
    let draft = folder.draft("orders", "data/orders").unwrap();
    let table = folder.table(&draft);
    assert_eq!(
        described(&table),
        [
            "order_id int64!",
            "customer text",
            "total float64",
            "at timestamp(ms,UTC)",
            "lines list<int64>",
            "region text"
        ]
    );
    assert_eq!(table.primary_key, ["order_id"]);
    assert!(
        draft.text.contains("path: ../data/orders\n") && draft.text.contains("physicalName: Order-ID\n"),
        "{}",
        draft.text
    );
    assert!(draft.text.contains("partitioned: true"), "{}", draft.text);
    assert_eq!(draft.notes, Vec::<String>::new());
}

#[test]
fn a_draft_from_csv_files_guesses_types_keys_and_classes() {
    let folder = Folder::new();
    folder.write(
        "data/customers.csv",
        b"customer_id,email,full_name,zip,since,revenue,card\n1,a@x.de,Ada,01067,2020-01-01,12.50,4111\n2,b@x.de,Ben,80331,2021-05-31,7,4222\n",
    );
    let draft = folder.draft("customers", "data/customers.csv").unwrap();
    let table = folder.table(&draft);
    assert_eq!(
        described(&table),
        [
            "customer_id int64!",
            "email text",
            "full_name text",
            "zip text",
            "since date",
            "revenue decimal(18,2)",
            "card int64"
        ]
    );
    for guess in [
        "# classification: confidential   # a guess: identifies a person\n        # tags: [pii]",
        "# classification: restricted   # a guess: payment cards\n        # tags: [pci]",
        "# classification: internal   # a guess\n",
    ] {
        assert!(draft.text.contains(guess), "{guess}\n{}", draft.text);
    }
    // Proposals are comments: nothing is classified before the owner says so.
    assert!(table.columns.iter().all(|column| column.classification.is_none() && column.tags.is_empty()));
}

#[test]
fn a_draft_from_json_lines_takes_values_as_the_reader_does() {
    let folder = Folder::new();
    folder.write(
        "data/visits/day=2026-01-31/1.jsonl",
        b"{\"visit_id\":1,\"url\":\"/a\",\"seconds\":1.25,\"agent\":{\"name\":\"curl\",\"tags\":[\"x\"]},\"mixed\":1}\n\n",
    );
    folder.write(
        "data/visits/day=2026-02-01/2.ndjson",
        b"{\"visit_id\":2,\"url\":\"/b\",\"seconds\":7,\"at\":\"2026-02-01T10:00:00Z\",\"mixed\":\"1\"}\n",
    );
    let draft = folder.draft("visits", "data/visits").unwrap();
    let table = folder.table(&draft);
    let mut columns = described(&table);
    columns.sort();
    assert_eq!(columns.len(), 6, "{columns:?}");
    for expected in
        ["visit_id int64!", "url text", "seconds decimal(18,2)", "day date", "at timestamp(us,UTC)"]
    {
        assert!(columns.iter().any(|column| column == expected), "{expected}: {columns:?}");
    }
    assert_eq!(table.primary_key, ["visit_id"]);
    assert!(draft.text.contains("format: json\n"), "{}", draft.text);
    assert_eq!(
        draft.notes,
        ["the column `mixed` is left out: a mixture of kinds of values cannot be served"]
    );

    folder.write("data/broken.jsonl", b"{\"a\":1}\n[1]\n");
    let error = folder.draft("t", "data/broken.jsonl").unwrap_err().to_string();
    assert!(error.contains("cannot be read"), "{error}");
}

#[test]
fn a_draft_from_arrow_files_and_streams_has_their_types() {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("order_id", Arc::new(Int64Array::from(vec![1, 2]))),
        ("total", Arc::new(Float64Array::from(vec![Some(1.5), None]))),
        ("pause", Arc::new(arrow::array::DurationSecondArray::from(vec![1, 2]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let (mut file, mut stream) = (Vec::new(), Vec::new());
    let mut writer = arrow::ipc::writer::FileWriter::try_new(&mut file, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    let mut writer = arrow::ipc::writer::StreamWriter::try_new(&mut stream, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    for (name, bytes) in [("orders.arrow", &file), ("orders.arrows", &stream)] {
        let folder = Folder::new();
        folder.write(&format!("data/{name}"), bytes);
        let draft = folder.draft("orders", &format!("data/{name}")).unwrap();
        let table = folder.table(&draft);
        assert_eq!(described(&table), ["order_id int64!", "total float64"], "{name}");
        assert!(draft.text.contains("format: arrow\n"), "{}", draft.text);
        assert!(draft.notes[0].contains("`pause` is left out"), "{:?}", draft.notes);
        folder.write("data/cut.arrow", &bytes[..bytes.len() / 2]);
        let error = folder.draft("orders", "data/cut.arrow").unwrap_err().to_string();
        assert!(error.contains("cannot be read"), "{error}");
    }
}

#[test]
fn what_needs_a_decision_is_told() {
    let folder = Folder::new();
    folder.write("data/t.csv", b"a,b\n1,x\n1,x\n");
    let draft = folder.draft("t", "data/*.csv").unwrap();
    assert!(draft.notes[0].contains("no column looks like a key"), "{:?}", draft.notes);
    assert_eq!(folder.table(&draft).primary_key, Vec::<String>::new());
    let elsewhere = Folder::new();
    elsewhere.write("t.csv", b"id\n1\n");
    let from = elsewhere.path("t.csv");
    let draft = folder.draft("t", from.to_str().unwrap()).unwrap();
    let note = format!("add `data_roots: [{}]` to node.yaml", elsewhere.0.path().display());
    assert!(draft.notes[0].contains(&note), "{:?}", draft.notes);
    assert!(draft.text.contains(&format!("path: {}", from.display())), "{}", draft.text);
    for (product, from, expected) in [
        ("Big-Orders", "data/t.csv", "write `big_orders`"),
        ("t", "data/nothing.csv", "cannot be read"),
        ("t", "products", "cannot be read"),
    ] {
        let error = folder.draft(product, from).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn every_type_is_spelled_so_that_it_is_read_as_itself() {
    let timestamp = |unit, zone: Option<&str>| DataType::Timestamp { unit, zone: zone.map(str::to_owned) };
    let nested = |name: &str, data_type| Field { name: name.to_owned(), data_type, nullable: true };
    let mut types = vec![
        DataType::Boolean,
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt8,
        DataType::UInt16,
        DataType::UInt32,
        DataType::UInt64,
        DataType::Float32,
        DataType::Float64,
        DataType::Decimal { precision: 12, scale: 2 },
        DataType::Decimal { precision: 38, scale: 0 },
        DataType::Text,
        DataType::Binary,
        DataType::Date,
        DataType::Time,
    ];
    for unit in [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond] {
        types.extend([
            timestamp(unit, None),
            timestamp(unit, Some("UTC")),
            timestamp(unit, Some("Europe/Berlin")),
        ]);
    }
    let inner = DataType::Struct(vec![
        nested("a", DataType::Int32),
        nested("b", DataType::List(Box::new(nested("item", DataType::Date)))),
    ]);
    types.extend([DataType::List(Box::new(nested("item", inner.clone()))), inner]);
    for data_type in types {
        let text = format!("name: c\n{}", spelling::type_lines(&data_type, 0));
        let root = yaml::parse("c", &text).unwrap_or_else(|problem| panic!("{problem}\n{text}"));
        let mut problems = Vec::new();
        let mut reader = Reader::new("c", &root, &mut problems);
        reader.has("name");
        let read = read_type(&mut reader, &mut Inside::default());
        reader.finish(UnknownKeys::Error);
        assert!(problems.is_empty() && read.as_ref() == Some(&data_type), "{problems:?} {read:?}\n{text}");
    }
}

#[test]
fn texts_are_yaml_values() {
    for text in [
        "a", "a b", "1", "true", "~", "it's", "a: b", "- x", "# no", "", "\u{7}\n", "ä", "*", "null", ".5",
        "a#b",
    ] {
        let root = yaml::parse("c", &format!("key: {}\n", spelling::scalar(text))).unwrap();
        assert_eq!(root.get("key").and_then(yaml::Node::as_scalar), Some(text), "{text:?}");
    }
}
