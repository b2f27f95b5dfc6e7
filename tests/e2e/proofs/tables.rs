//! Tables of a world: contracts, cells, and the files that hold them.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field as ArrowField, Schema, TimeUnit};
use arrow::ipc::writer::FileWriter;
use meshgate_oracle::{Row, Value};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use serde_json::{Value as Json, json};

use super::random::Random;
use super::rare::{Rare, integers, of, texts};
use super::secrets;

pub(crate) const DOMAINS: [&str; 2] = ["alpha", "beta"];
pub(crate) const TEXTS: [&str; 14] =
    ["north", "south", "x", "x/y", "x/yz", "a", "A", "", "12", "-3", "7", "it's", "say \"a, b\"", "ünï%_"];

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Integer,
    Small,
    Text,
    Decimal(u8, u8),
    Double,
    Boolean,
    Date,
    Timestamp,
    Rare(Rare),
}

/// How a table's files are written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Format {
    Parquet,
    Arrow,
    Csv,
    Json,
}

#[derive(Clone)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    pub(crate) classification: Option<&'static str>,
    pub(crate) tags: Vec<&'static str>,
    /// Of what is inside a column of structs: the classification of `a`, and the tags of `b`.
    pub(crate) inside: (Option<&'static str>, Vec<&'static str>),
}

#[derive(Clone)]
pub(crate) struct Table {
    pub(crate) domain: &'static str,
    pub(crate) name: String,
    pub(crate) fields: Vec<Field>,
    pub(crate) format: Format,
    /// Rows of each file.
    pub(crate) files: Vec<Vec<Vec<Value>>>,
}

impl Kind {
    fn any(random: &mut Random, is_binary: bool) -> Self {
        let decimal = random.pick(&[Self::Decimal(9, 2), Self::Decimal(18, 4), Self::Decimal(5, 0)]);
        let last = if is_binary { Self::Timestamp } else { Self::Text };
        let kinds =
            [Self::Integer, Self::Small, Self::Text, decimal, Self::Double, Self::Boolean, Self::Date, last];
        if random.chance(25) { Self::Rare(Rare::any(random, is_binary)) } else { random.pick(&kinds) }
    }

    /// Can it be compared, sorted and grouped?
    pub(crate) fn is_comparable(self) -> bool {
        !matches!(self, Self::Rare(rare) if rare.is_nested())
    }

    /// Has it fields `a`, an integer, and `b`, a text?
    pub(crate) fn has_fields(self) -> bool {
        matches!(self, Self::Rare(Rare::Object | Rare::Objects))
    }

    fn is_float(self) -> bool {
        matches!(self, Self::Double | Self::Rare(Rare::Float32))
    }

    /// The column for an aggregate that takes the least or the greatest: which of NaN and other numbers that is depends in
    /// the engine on the order of rows (`docs/sql.md`).
    pub(crate) fn ordered(self, column: &str) -> String {
        match self {
            Self::Double => format!("nullif({column}, cast('NaN' as double))"),
            Self::Rare(Rare::Float32) => format!("nullif({column}, cast('NaN' as real))"),
            _ => column.to_owned(),
        }
    }

    fn letter(self) -> &'static str {
        match self {
            Self::Integer => "i",
            Self::Small => "s",
            Self::Text => "t",
            Self::Decimal(..) => "d",
            Self::Double => "f",
            Self::Boolean => "b",
            Self::Date => "day",
            Self::Timestamp => "at",
            Self::Rare(_) => "r",
        }
    }

    /// What a contract says of a column, beside its name.
    fn contract(self) -> Json {
        let (logical, physical) = match self {
            Self::Integer => ("integer", "bigint".to_owned()),
            Self::Small => ("integer", "int".to_owned()),
            Self::Text => ("string", "text".to_owned()),
            Self::Decimal(precision, scale) => ("number", format!("decimal({precision},{scale})")),
            Self::Double => ("number", "double".to_owned()),
            Self::Boolean => ("boolean", "boolean".to_owned()),
            Self::Date => ("date", "date".to_owned()),
            Self::Timestamp => ("timestamp", "timestamp".to_owned()),
            Self::Rare(rare) => return rare.contract(),
        };
        json!({ "logicalType": logical, "physicalType": physical })
    }

    pub(crate) fn arrow(self) -> DataType {
        match self {
            Self::Integer => DataType::Int64,
            Self::Small => DataType::Int32,
            Self::Text => DataType::Utf8,
            Self::Decimal(precision, scale) => DataType::Decimal128(precision, i8::try_from(scale).unwrap()),
            Self::Double => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Rare(rare) => rare.arrow(),
        }
    }

    /// A value that is not NULL.
    fn value(self, random: &mut Random) -> Value {
        let is_extreme = random.chance(5);
        match self {
            Self::Integer if is_extreme => Value::Integer(random.pick(&[i64::MIN, i64::MAX, -1]).into()),
            Self::Small if is_extreme => Value::Integer(random.pick(&[i32::MIN, i32::MAX, -1]).into()),
            Self::Integer | Self::Small => Value::Integer(random.between(-2, 9).into()),
            Self::Text if random.chance(25) => Value::Text(secrets::word(random)),
            Self::Text => Value::text(random.pick(&TEXTS)),
            Self::Decimal(precision, scale) => Value::Decimal {
                value: match (is_extreme, random.chance(50)) {
                    (true, true) => 10_i128.pow(precision.into()) - 1,
                    (true, false) => 1 - 10_i128.pow(precision.into()),
                    (false, _) => i128::from(random.between(-20, 90)) * 10_i128.pow(scale.into()) / 10,
                },
                scale: scale.into(),
            },
            Self::Double if is_extreme => {
                Value::Float(random.pick(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 2_f64.powi(900)]))
            }
            // Quarters: sums are exact in any order. No negative zero: which of two zeros a group shows is open.
            Self::Double => Value::Float(f64::from(i32::try_from(random.between(-8, 36)).unwrap()) * 0.25),
            Self::Boolean => Value::Boolean(random.chance(50)),
            Self::Date if is_extreme => Value::Date(random.pick(&[-25_567, 0, 40_000])),
            Self::Date => Value::Date(i32::try_from(random.between(19_700, 19_760)).unwrap()),
            Self::Timestamp => {
                Value::Timestamp(random.between(19_700, 19_730) * 86_400_000_000 + random.between(-2, 2))
            }
            Self::Rare(rare) => rare.value(random),
        }
    }
}

impl Format {
    /// Every format for about as many tables. JSON has no NaN and no infinity.
    fn of(is_binary: bool, fields: &[Field]) -> Self {
        let is_even = fields.len().is_multiple_of(2);
        match (is_binary, is_even) {
            (true, true) => Self::Arrow,
            (true, false) => Self::Parquet,
            (false, true) if fields.iter().all(|field| !field.kind.is_float()) => Self::Json,
            (false, _) => Self::Csv,
        }
    }

    /// For the counters.
    pub(crate) fn source(self) -> &'static str {
        match self {
            Self::Parquet => "source: Parquet",
            Self::Arrow => "source: Arrow",
            Self::Csv => "source: CSV",
            Self::Json => "source: JSON",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }
}

impl Table {
    pub(crate) fn random(random: &mut Random, domain: &'static str, name: &str) -> Self {
        let is_binary = random.chance(50);
        let mut fields =
            vec![field(random, "id".to_owned(), Kind::Integer), field(random, "area".to_owned(), Kind::Text)];
        for position in 1..=1 + random.below(5) {
            let kind = Kind::any(random, is_binary);
            fields.push(field(random, format!("{}{position}", kind.letter()), kind));
        }
        let rows = if random.chance(10) { 0 } else { random.below(60) };
        let mut rows: Vec<Vec<Value>> =
            (0..rows).map(|_| fields.iter().map(|field| field.cell(random)).collect()).collect();
        for _ in 0..rows.len() / 8 {
            let again = random.pick(&rows);
            rows.push(again);
        }
        let second = if random.chance(30) { rows.split_off(rows.len() / 2) } else { Vec::new() };
        let files = if second.is_empty() { vec![rows] } else { vec![rows, second] };
        let format = Format::of(is_binary, &fields);
        Self { domain, name: name.to_owned(), fields, format, files }
    }

    pub(crate) fn contract(&self) -> Json {
        let properties: Vec<Json> = self.fields.iter().map(Field::contract).collect();
        json!({
            "apiVersion": "v3.1.0", "kind": "DataContract", "id": format!("{}-{}", self.domain, self.name),
            "name": self.name, "version": "1.0.0", "status": "active",
            "servers": [{ "server": "files", "environment": "test", "type": "local",
                "path": "../data/{model}", "format": self.format.name() }],
            "schema": [{ "name": self.name, "properties": properties }],
        })
    }

    /// Names and contents of its files.
    pub(crate) fn contents(&self) -> Vec<(String, Vec<u8>)> {
        let kinds: Vec<(String, Kind)> =
            self.fields.iter().map(|field| (field.name.clone(), field.kind)).collect();
        let file = |(number, rows): (usize, &Vec<Vec<Value>>)| {
            let path = format!("{}/data/{}/{number}.{}", self.domain, self.name, self.format.name());
            let content = match self.format {
                Format::Parquet => parquet(&batch(&kinds, rows)),
                Format::Arrow => arrow_ipc(&batch(&kinds, rows)),
                Format::Csv => self.csv(rows).into_bytes(),
                Format::Json => self.json(rows).into_bytes(),
            };
            (path, content)
        };
        self.files.iter().enumerate().map(file).collect()
    }

    fn json(&self, rows: &[Vec<Value>]) -> String {
        let row = |row: &Vec<Value>| {
            let cells =
                self.fields.iter().zip(row).map(|(field, value)| (field.name.clone(), json_cell(value)));
            Json::Object(cells.collect()).to_string() + "\n"
        };
        rows.iter().map(row).collect()
    }

    /// A row as the oracle has it.
    pub(crate) fn row(&self, cells: &[Value]) -> Row {
        self.fields.iter().map(|field| field.name.clone()).zip(cells.iter().cloned()).collect()
    }

    /// All rows, in the order in which the files are read.
    pub(crate) fn rows(&self) -> Vec<Row> {
        self.files.iter().flatten().map(|cells| self.row(cells)).collect()
    }

    /// Name and content of the table's only file, with a cell that is not of its type.
    pub(crate) fn damaged(&self, column: usize, row: usize, text: usize) -> (String, Vec<u8>) {
        let (path, _) = self.contents().swap_remove(0);
        let rows = &self.files[0];
        let bad = Value::Text(format!("not a value {text}"));
        let mut rows = rows.clone();
        let row = row % rows.len();
        rows[row][column] = bad;
        (path, self.csv(&rows).into_bytes())
    }

    fn csv(&self, rows: &[Vec<Value>]) -> String {
        let header: Vec<&str> = self.fields.iter().map(|field| field.name.as_str()).collect();
        let mut text = header.join(",") + "\n";
        for row in rows {
            let cells: Vec<String> = row.iter().map(csv_cell).collect();
            text += &(cells.join(",") + "\n");
        }
        text
    }
}

fn json_cell(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(value) => Json::Bool(*value),
        Value::Integer(value) => {
            i64::try_from(*value).map_or_else(|_| Json::from(u64::try_from(*value).unwrap()), Json::from)
        }
        // Decimals in quotes: a number would lose digits on its way through serde_json.
        other => Json::from(other.render().unwrap()),
    }
}

fn field(random: &mut Random, name: String, kind: Kind) -> Field {
    let tags = random.pick(&[&[][..], &[], &["pii"], &["pci"], &["pii", "pci"]]).to_vec();
    let classification =
        random.pick(&[None, Some("public"), Some("public"), Some("internal"), Some("restricted")]);
    let inside = if kind.has_fields() {
        let class = random.pick(&[None, None, Some("public"), Some("restricted"), Some("unheard-of")]);
        (class, random.pick(&[&[][..], &[], &["pii"], &["pci"]]).to_vec())
    } else {
        (None, Vec::new())
    };
    Field { name, kind, required: random.chance(20), classification, tags, inside }
}

impl Field {
    pub(crate) fn cell(&self, random: &mut Random) -> Value {
        if !self.required && random.chance(15) { Value::Null } else { self.kind.value(random) }
    }

    fn contract(&self) -> Json {
        let mut property = self.kind.contract();
        property["name"] = Json::from(self.name.as_str());
        if self.required {
            property["required"] = Json::Bool(true);
        }
        if let Some(classification) = self.classification {
            property["classification"] = Json::from(classification);
        }
        if !self.tags.is_empty() {
            property["tags"] = Json::from(self.tags.clone());
        }
        let inside = match self.kind {
            Kind::Rare(Rare::Object) => &mut property,
            Kind::Rare(Rare::Objects) => &mut property["items"],
            _ => return property,
        };
        let (class, tags) = &self.inside;
        if let Some(class) = class {
            inside["properties"][0]["classification"] = Json::from(*class);
        }
        inside["properties"][1]["tags"] = Json::from(tags.clone());
        property
    }
}

fn csv_cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Text(text) if text.is_empty() || text.contains([',', '"']) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        Value::Float(value) if value.is_infinite() => {
            if *value > 0.0 {
                "Infinity".to_owned()
            } else {
                "-Infinity".to_owned()
            }
        }
        other => other.render().unwrap(),
    }
}

fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Small row groups, so that statistics skip some.
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(8)).build();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn arrow_ipc(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = FileWriter::try_new(&mut bytes, &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    bytes
}

/// Rows as Arrow; every column can be NULL.
pub(crate) fn batch(columns: &[(String, Kind)], rows: &[Vec<Value>]) -> RecordBatch {
    let fields: Vec<ArrowField> =
        columns.iter().map(|(name, kind)| ArrowField::new(name, kind.arrow(), true)).collect();
    let arrays = columns
        .iter()
        .enumerate()
        .map(|(at, (_, kind))| array(*kind, &rows.iter().map(|row| &row[at]).collect::<Vec<_>>()))
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

fn array(kind: Kind, cells: &[&Value]) -> ArrayRef {
    match kind {
        Kind::Integer => Arc::new(Int64Array::from(integers::<i64>(cells))),
        Kind::Small => Arc::new(Int32Array::from(integers::<i32>(cells))),
        Kind::Text => Arc::new(StringArray::from(texts(cells))),
        Kind::Decimal(precision, to) => {
            let values = of(cells, |cell| match cell {
                Value::Decimal { value, scale } if *scale <= to.into() => {
                    Some(value * 10_i128.pow(u32::from(to) - scale))
                }
                Value::Integer(value) => Some(value * 10_i128.pow(to.into())),
                _ => None,
            });
            let array = Decimal128Array::from(values);
            Arc::new(array.with_precision_and_scale(precision, i8::try_from(to).unwrap()).unwrap())
        }
        Kind::Double => Arc::new(Float64Array::from(of(cells, |cell| {
            if let Value::Float(value) = cell { Some(*value) } else { None }
        }))),
        Kind::Boolean => Arc::new(BooleanArray::from(of(cells, |cell| {
            if let Value::Boolean(value) = cell { Some(*value) } else { None }
        }))),
        Kind::Date => Arc::new(Date32Array::from(of(cells, |cell| {
            if let Value::Date(value) = cell { Some(*value) } else { None }
        }))),
        Kind::Timestamp => Arc::new(TimestampMicrosecondArray::from(of(cells, |cell| {
            if let Value::Timestamp(value) = cell { Some(*value) } else { None }
        }))),
        Kind::Rare(rare) => rare.array(cells),
    }
}
