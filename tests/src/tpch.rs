//! The tables and queries of TPC-H: eight tables over three domains, written by the `tpchgen` crates,
//! and the 22 queries with the specification's validation parameters.

use std::fs::File;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use parquet::arrow::ArrowWriter;
use tpchgen::generators as rows;
use tpchgen::q_and_a::queries;
use tpchgen_arrow as tables;

use crate::mesh::MeshPlan;

/// Where each table lives.
const DOMAINS: &[(&str, &[&str])] = &[
    ("sales", &["customer", "orders"]),
    ("supply", &["part", "partsupp", "supplier"]),
    ("logistics", &["lineitem", "nation", "region"]),
];

const PRIMARY_KEYS: &[&[&str]] = &[
    &["c_custkey"],
    &["l_orderkey", "l_linenumber"],
    &["n_nationkey"],
    &["o_orderkey"],
    &["p_partkey"],
    &["ps_partkey", "ps_suppkey"],
    &["r_regionkey"],
    &["s_suppkey"],
];

/// 0.0001 / scale.
const FRACTION: &str = "fraction";

/// The validation parameters of the TPC-H specification, section 2.4, by query.
const PARAMETERS: [&[&str]; 22] = [
    &["90"],
    &["15", "BRASS", "EUROPE"],
    &["BUILDING", "1995-03-15"],
    &["1993-07-01"],
    &["ASIA", "1994-01-01"],
    &["1994-01-01", "0.06", "24"],
    &["FRANCE", "GERMANY"],
    &["BRAZIL", "AMERICA", "ECONOMY ANODIZED STEEL"],
    &["green"],
    &["1993-10-01"],
    &["GERMANY", FRACTION],
    &["MAIL", "SHIP", "1994-01-01"],
    &["special", "requests"],
    &["1995-09-01"],
    &["1996-01-01"],
    &["Brand#45", "MEDIUM POLISHED", "49", "14", "23", "45", "19", "3", "36", "9"],
    &["Brand#23", "MED BOX"],
    &["300"],
    &["Brand#12", "Brand#23", "Brand#34", "1", "10", "20"],
    &["forest", "1994-01-01", "CANADA"],
    &["SAUDI ARABIA"],
    &["13", "31", "23", "29", "30", "18", "17"],
];

fn policy(domain: &str) -> String {
    format!(
        "domain: {domain}\nowner: {domain}@larkfield.example\ngrants:\n  - {{ id: all, why: A benchmark., \
         to: {{ everyone: true }}, tables: [\"*\"], columns: all }}\n"
    )
}

/// The mesh of the three domains over the files in `data`; everybody sees everything.
pub fn plan(data: &Path) -> MeshPlan {
    plan_of("tpch", DOMAINS, data, contract)
}

/// The same mesh, in which each domain tells the others the keys of joins.
pub fn disclosing(data: &Path) -> MeshPlan {
    DOMAINS.iter().fold(plan(data), |plan, (domain, _)| {
        let others: Vec<&str> = DOMAINS.iter().map(|(name, _)| *name).filter(|name| name != domain).collect();
        let policy = format!(
            "domain: {domain}\ndisclosures:\n  - {{ tables: [\"*\"], columns: [\"*\"], join_keys: values, \
             to_domains: [{}], why: A benchmark. }}\n",
            others.join(", ")
        );
        plan.file(&format!("{domain}/policies/joins.yaml"), policy)
    })
}

/// A mesh of domains and their tables over the files in `data`; everybody sees everything.
pub(crate) fn plan_of(
    mesh: &str,
    domains: &[(&str, &[&str])],
    data: &Path,
    contract: impl Fn(&str, &[&str], &Path) -> String,
) -> MeshPlan {
    let names: Vec<&str> = domains.iter().map(|(domain, _)| *domain).collect();
    let document = format!(
        "mesh: {mesh}\ntimezone: UTC\nroles: {{ path: $.roles }}\ngroups: {{ path: $.groups }}\n\
         classifications: [internal]\n"
    );
    let mut plan = MeshPlan::new(&document, &names);
    plan.node_lines = format!("data_roots: [\"{}\"]\n", data.display());
    for (domain, names) in domains {
        plan = plan
            .file(&format!("{domain}/products/{domain}.odcs.yaml"), contract(domain, names, data))
            .file(&format!("{domain}/policies/{domain}.yaml"), policy(domain));
    }
    plan
}

/// A contract of the tables, with the types that the generator writes.
pub fn contract(domain: &str, names: &[&str], data: &Path) -> String {
    let mut text = head(domain, data);
    for name in names {
        text += &format!("  - name: {name}\n    properties:\n");
        for field in schema(name).fields() {
            let types = types(field.data_type());
            let key =
                PRIMARY_KEYS.iter().find_map(|key| key.iter().position(|column| column == field.name()));
            let key =
                key.map_or(String::new(), |at| format!(", primaryKey: true, primaryKeyPosition: {}", at + 1));
            text += &format!(
                "      - {{ name: {}, {types}, required: true{key}, classification: internal }}\n",
                field.name()
            );
        }
    }
    text
}

/// A contract as far as its tables.
pub(crate) fn head(domain: &str, data: &Path) -> String {
    format!(
        "apiVersion: v3.1.0\nkind: DataContract\nid: {domain}\nname: {domain}\nversion: 1.0.0\nstatus: active\n\
         servers: [ {{ server: files, environment: test, type: local, path: \"{}/{{model}}.parquet\", format: parquet }} ]\n\
         schema:\n",
        data.display()
    )
}

/// What a contract says of the type of a column.
pub(crate) fn types(data_type: &DataType) -> String {
    match data_type {
        DataType::Int64 => "logicalType: integer, physicalType: bigint".to_owned(),
        DataType::Int32 => "logicalType: integer, physicalType: int".to_owned(),
        DataType::Date32 => "logicalType: date".to_owned(),
        DataType::Decimal128(precision, scale) => {
            format!("logicalType: number, physicalType: \"decimal({precision},{scale})\"")
        }
        DataType::Utf8 | DataType::Utf8View => "logicalType: string".to_owned(),
        other => panic!("{other} is a type of no benchmark"),
    }
}

fn schema(table: &str) -> SchemaRef {
    match table {
        "customer" => tables::CustomerArrow::schema_ref(),
        "lineitem" => tables::LineItemArrow::schema_ref(),
        "nation" => tables::NationArrow::schema_ref(),
        "orders" => tables::OrderArrow::schema_ref(),
        "part" => tables::PartArrow::schema_ref(),
        "partsupp" => tables::PartSuppArrow::schema_ref(),
        "region" => tables::RegionArrow::schema_ref(),
        "supplier" => tables::SupplierArrow::schema_ref(),
        other => panic!("{other} is no table of TPC-H"),
    }
}

/// Writes all tables as Parquet, in the row groups of the writer's default size.
pub fn write_data(folder: &Path, scale: f64) {
    macro_rules! write {
        ($name:literal, $arrow:ident, $generator:ident) => {
            let batches =
                tables::$arrow::new(rows::$generator::new(scale, 1, 1)).map(|batch| batch.expect("rows"));
            write_table(&folder.join(concat!($name, ".parquet")), schema($name), batches);
        };
    }
    write!("customer", CustomerArrow, CustomerGenerator);
    write!("lineitem", LineItemArrow, LineItemGenerator);
    write!("nation", NationArrow, NationGenerator);
    write!("orders", OrderArrow, OrderGenerator);
    write!("part", PartArrow, PartGenerator);
    write!("partsupp", PartSuppArrow, PartSuppGenerator);
    write!("region", RegionArrow, RegionGenerator);
    write!("supplier", SupplierArrow, SupplierGenerator);
}

fn write_table(path: &Path, schema: SchemaRef, batches: impl Iterator<Item = RecordBatch>) {
    let mut writer =
        ArrowWriter::try_new(File::create(path).expect("a file"), schema, None).expect("a writer");
    batches.for_each(|batch| writer.write(&batch).expect("rows"));
    writer.close().expect("a file");
}

/// Text of a query (1 to 22) with its parameters, as one statement that the engine parses. `scale`: of the
/// data, on which a parameter of query 11 depends.
pub fn query(number: usize, scale: f64) -> String {
    let mut text = queries::query(i32::try_from(number).expect("a number")).expect("a query").to_owned();
    let fraction = (0.0001 / scale).to_string();
    // The longest first: `:10` holds `:1`.
    for (position, value) in PARAMETERS[number - 1].iter().enumerate().rev() {
        let value = if *value == FRACTION { &fraction } else { *value };
        text = text.replace(&format!(":{}", position + 1), value);
    }
    // The view of query 15 as a common table expression; precisions of intervals are not SQL's business here.
    text = text
        .replace(":s", "0")
        .replace(
            "create view revenue0 (supplier_no, total_revenue) as",
            "with revenue0 (supplier_no, total_revenue) as (",
        )
        .replace(" day (3)", " day");
    let mut parts: Vec<&str> = text.split(';').map(str::trim).filter(|part| !part.is_empty()).collect();
    parts.retain(|part| !part.starts_with("drop view"));
    parts.join(")\n")
}

/// The same query, with the tables' names bound to those of the mesh.
pub fn over_the_mesh(query: &str) -> String {
    let names: Vec<String> = DOMAINS
        .iter()
        .flat_map(|(domain, names)| {
            names.iter().map(move |name| format!("{name} as (select * from {domain}.{name})"))
        })
        .filter(|part| query.contains(part.split(' ').next().unwrap_or_default()))
        .collect();
    let rest = query.strip_prefix("with ").map_or_else(|| format!("\n{query}"), |rest| format!(", {rest}"));
    format!("with {}{rest}", names.join(", "))
}

/// One engine over the same files.
#[expect(clippy::disallowed_methods, reason = "what the mesh is compared with")]
pub async fn single_engine(data: &Path) -> SessionContext {
    let config = SessionConfig::new().set_bool("datafusion.execution.parquet.schema_force_view_types", false);
    let context = SessionContext::new_with_config(config);
    for name in DOMAINS.iter().flat_map(|(_, names)| *names) {
        let path = data.join(format!("{name}.parquet"));
        let options = ParquetReadOptions::default();
        context.register_parquet(*name, path.to_str().expect("a path"), options).await.expect("a table");
    }
    context
}
