//! A world: random tables, a copy of each in every domain, so that a statement can have any of them anywhere.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::{Field as ArrowField, Schema};
use bytes::Bytes;
use meshgate_oracle::Value;
use meshgate_tests::mesh::{MeshPlan, Taps};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::plain_engine::PlainEngine;
use crate::proofs::random::Random;
use crate::proofs::scope::Visible;
use crate::proofs::tables::{Field, Format, Kind, Table};

pub(super) const DOMAINS: [&str; 4] = ["alpha", "beta", "gamma", "delta"];
/// Most rows of a file: joins of several tables multiply them.
const ROWS: usize = 16;
/// Largest number of an ordinary world.
const SMALL: i128 = 99;

pub(super) struct World {
    pub(super) seed: u64,
    zone: &'static str,
    /// The first two, three or four.
    pub(super) domains: &'static [&'static str],
    tables: Vec<Table>,
}

impl World {
    pub(super) fn random(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let domains = &DOMAINS[..2 + random.below(3)];
        let zone = random.pick(&["UTC", "Europe/Berlin", "America/New_York"]);
        let table = |number: usize| {
            let mut table = Table::random(&mut random, domains[0], &format!("t{number}"));
            // Parquet has every type, and statistics that rows are left out by.
            table.format = Format::Parquet;
            for rows in &mut table.files {
                rows.truncate(ROWS);
            }
            table
        };
        Self { seed, zone, domains, tables: (1..=4).map(table).collect() }
    }

    /// One that other engines see in the same way: without types that only some have, and without numbers that
    /// some do not add up.
    pub(super) fn ordinary(seed: u64) -> Self {
        let world = Self::random(seed);
        let tables = world.tables.into_iter().map(ordinary).collect();
        Self { zone: "UTC", tables, ..world }
    }

    /// The tables as statements name them before they are placed.
    pub(super) fn visible(&self) -> Vec<Visible> {
        let visible = |table: &Table| Visible {
            name: format!("{UNPLACED}.{}", table.name),
            columns: table.fields.iter().map(|field| (field.name.clone(), field.kind)).collect(),
        };
        self.tables.iter().map(visible).collect()
    }

    /// Which form of domain queries the nodes take: parts of plans, rows of tables, or some this and some that.
    pub(super) fn taps(&self) -> Taps {
        match self.seed % 4 {
            0 | 1 => Taps::Keep,
            2 => Taps::OtherEngine,
            _ => Taps::OtherEngineOf(vec![self.domains[0].to_owned()]),
        }
    }

    pub(super) fn plan(&self) -> MeshPlan {
        let mesh = format!(
            "mesh: placements\ntimezone: {}\nroles: {{ path: $.roles }}\ngroups: {{ path: $.groups }}\n\
             classifications: [public, internal, restricted]\ntags: {{ pii: A test., pci: A test. }}\n",
            self.zone
        );
        let mut plan = MeshPlan::new(&mesh, self.domains);
        for domain in self.domains {
            let policy = format!(
                "domain: {domain}\nowner: o@x\ngrants:\n  - {{ id: all, why: A test., to: {{ everyone: true }}, \
                 tables: [\"*\"], columns: all }}\n"
            );
            plan = plan.file(&format!("{domain}/policies/{domain}.yaml"), policy);
            for table in &self.tables {
                let table = Table { domain, ..table.clone() };
                let contract = format!("{domain}/products/{}.odcs.yaml", table.name);
                plan = plan.file(&contract, table.contract().to_string());
                for (path, bytes) in table.contents() {
                    plan = plan.file(&path, bytes);
                }
            }
        }
        plan
    }

    /// One file for each table, in a folder of their own.
    pub(super) fn copy(&self, root: &Path) -> PathBuf {
        let folder = root.join("tables");
        std::fs::create_dir(&folder).unwrap();
        for table in &self.tables {
            let rows = read(table, root);
            let file = File::create(folder.join(format!("{}.parquet", table.name))).unwrap();
            let mut writer = ArrowWriter::try_new(file, rows.schema(), None).unwrap();
            writer.write(&rows).unwrap();
            writer.close().unwrap();
        }
        folder
    }

    /// One engine over the files of the mesh in `root`; it knows a table by each of its places. Like the engines of the
    /// mesh, it knows that columns which contracts require are never NULL, and works in two parts, if it `believes`.
    pub(super) fn engine(&self, root: &Path, believes: bool) -> PlainEngine {
        let partitions = if believes { 2 } else { 1 };
        let engine = PlainEngine::with_partitions(partitions, self.zone, Vec::new());
        for table in &self.tables {
            let rows = if believes { promised(table, &read(table, root)) } else { read(table, root) };
            for domain in self.domains {
                engine.add(domain, &table.name, rows.clone());
            }
        }
        engine
    }
}

/// The table without columns of rare types, and with small numbers.
fn ordinary(table: Table) -> Table {
    let is_kept = |field: &Field| !matches!(field.kind, Kind::Rare(_));
    let kept: Vec<bool> = table.fields.iter().map(is_kept).collect();
    let row = |row: Vec<Value>| {
        let cells = row.into_iter().zip(&kept).filter(|(_, is_kept)| **is_kept);
        cells.map(|(cell, _)| small(cell)).collect()
    };
    let files = table.files.into_iter().map(|rows| rows.into_iter().map(row).collect()).collect();
    let fields = table.fields.into_iter().filter(is_kept).collect();
    Table { fields, files, ..table }
}

fn small(cell: Value) -> Value {
    match cell {
        Value::Integer(value) if value.abs() > SMALL => Value::Integer(SMALL),
        Value::Decimal { value, scale } if value.abs() > SMALL * 10_i128.pow(scale) => {
            Value::Decimal { value: SMALL * 10_i128.pow(scale), scale }
        }
        Value::Float(value) if !value.is_finite() || value.abs() > 1000.0 => Value::Float(0.25),
        other => other,
    }
}

/// The domain of a table that has no place yet.
pub(super) const UNPLACED: &str = "nowhere";

/// The same rows under the schema of the contract.
fn promised(table: &Table, rows: &RecordBatch) -> RecordBatch {
    let schema = rows.schema();
    let fields = schema.fields().iter().zip(&table.fields).map(|(field, own)| {
        let field = ArrowField::clone(field);
        field.with_nullable(!own.required)
    });
    let schema = Schema::new(fields.collect::<Vec<_>>());
    RecordBatch::try_new(Arc::new(schema), rows.columns().to_vec()).unwrap()
}

fn read(table: &Table, root: &Path) -> RecordBatch {
    let batches = table.contents().into_iter().flat_map(|(path, _)| {
        let bytes = Bytes::from(std::fs::read(root.join(path)).unwrap());
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        let empty = RecordBatch::new_empty(reader.schema().clone());
        let rows: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
        std::iter::once(empty).chain(rows)
    });
    let batches: Vec<RecordBatch> = batches.collect();
    concat_batches(&batches[0].schema(), &batches).unwrap()
}
