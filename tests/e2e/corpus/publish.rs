//! Tables of the corpus as products of two domains.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use meshgate_tests::mesh::MeshPlan;
use parquet::arrow::ArrowWriter;
use serde_json::{Value as Json, json};

pub(super) const DOMAINS: [&str; 2] = ["one", "two"];
const MESH: &str = "mesh: corpus\ntimezone: UTC\nroles: { path: $.roles }\ngroups: { path: $.groups }\n\
                    classifications: [internal]\n";

/// A table with the rows that it had when a query read it.
pub(super) struct Product {
    /// As the query names it.
    pub(super) table: String,
    pub(super) domain: &'static str,
    pub(super) name: String,
    contract: Json,
    pub(super) rows: RecordBatch,
}

impl Product {
    /// Or why it cannot be one.
    pub(super) fn new(number: usize, table: &str, rows: &RecordBatch) -> Result<Self, String> {
        let mut columns = Vec::new();
        for field in rows.schema().fields() {
            let name = field.name();
            let is_first = |letter: &u8| letter.is_ascii_lowercase();
            let fits = name.bytes().next().as_ref().is_some_and(is_first)
                && name
                    .bytes()
                    .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'_');
            if !fits {
                return Err("a column's name is none of a contract".to_owned());
            }
            let mut column = contract(field.data_type())
                .ok_or_else(|| format!("tables with {} are not published here", field.data_type()))?;
            column["name"] = json!(name);
            column["classification"] = json!("internal");
            columns.push(column);
        }
        if columns.is_empty() {
            return Err("a table without columns".to_owned());
        }
        let name = format!("p{number}");
        let contract = json!({ "name": name, "properties": columns });
        let domain = DOMAINS[number % 2];
        Ok(Self { table: table.to_owned(), domain, name, contract, rows: plain(rows) })
    }
}

/// Text in its plain form, and every column with NULL.
fn plain(rows: &RecordBatch) -> RecordBatch {
    let columns = rows.columns().iter().map(|column| match column.data_type() {
        DataType::LargeUtf8 | DataType::Utf8View => cast(column, &DataType::Utf8).unwrap(),
        DataType::LargeBinary | DataType::BinaryView => cast(column, &DataType::Binary).unwrap(),
        _ => Arc::clone(column),
    });
    let columns: Vec<_> = columns.collect();
    let fields = rows.schema();
    let fields = fields.fields().iter().zip(&columns);
    let fields: Vec<Field> =
        fields.map(|(field, column)| Field::new(field.name(), column.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn contract(data_type: &DataType) -> Option<Json> {
    let simple = |logical: &str, physical: &str| json!({ "logicalType": logical, "physicalType": physical });
    Some(match data_type {
        DataType::Boolean => simple("boolean", "boolean"),
        DataType::Int8 => simple("integer", "tinyint"),
        DataType::Int16 => simple("integer", "smallint"),
        DataType::Int32 => simple("integer", "int"),
        DataType::Int64 => simple("integer", "bigint"),
        DataType::UInt8 => simple("integer", "uint8"),
        DataType::UInt16 => simple("integer", "uint16"),
        DataType::UInt32 => simple("integer", "uint32"),
        DataType::UInt64 => simple("integer", "uint64"),
        DataType::Float32 => simple("number", "real"),
        DataType::Float64 => simple("number", "double"),
        DataType::Decimal128(precision, scale) if *scale >= 0 => {
            simple("number", &format!("decimal({precision},{scale})"))
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => simple("string", "text"),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => simple("string", "binary"),
        DataType::Date32 => simple("date", "date"),
        DataType::Time64(TimeUnit::Microsecond) => simple("time", "time"),
        DataType::Timestamp(TimeUnit::Second, None) => simple("timestamp", "timestamp_s"),
        DataType::Timestamp(TimeUnit::Millisecond, None) => simple("timestamp", "timestamp_ms"),
        DataType::Timestamp(TimeUnit::Microsecond, None) => simple("timestamp", "timestamp"),
        DataType::Timestamp(TimeUnit::Nanosecond, None) => simple("timestamp", "timestamp_ns"),
        _ => return None,
    })
}

/// The mesh of both domains; everybody sees everything.
pub(super) fn plan(products: &[Product]) -> MeshPlan {
    let mut plan = MeshPlan::new(MESH, &DOMAINS);
    for domain in DOMAINS {
        let own: Vec<&Product> = products.iter().filter(|product| product.domain == domain).collect();
        let tables: Vec<&Json> = own.iter().map(|product| &product.contract).collect();
        let contract = json!({
            "apiVersion": "v3.1.0", "kind": "DataContract", "id": domain, "name": domain, "version": "1.0.0",
            "status": "active", "schema": tables,
            "servers": [{ "server": "files", "environment": "test", "type": "local",
                "path": "../data/{model}.parquet", "format": "parquet" }],
        });
        let policy = format!(
            "domain: {domain}\nowner: o@x\ngrants:\n  - {{ id: all, why: A test., to: {{ everyone: true }}, \
             tables: [\"*\"], columns: all }}\n"
        );
        plan = plan
            .file(&format!("{domain}/products/{domain}.odcs.yaml"), contract.to_string())
            .file(&format!("{domain}/policies/{domain}.yaml"), policy);
        for product in own {
            plan = plan.file(&format!("{domain}/data/{}.parquet", product.name), parquet(&product.rows));
        }
    }
    plan
}

fn parquet(rows: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), None).unwrap();
    writer.write(rows).unwrap();
    writer.close().unwrap();
    bytes
}
