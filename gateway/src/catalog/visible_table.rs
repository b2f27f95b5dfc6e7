//! One table as one principal gets it.

use std::{collections::HashMap, sync::Arc};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use meshgate_engine::data_type;
use meshgate_policies::{Cell, Digest, TableDecision};

use super::CATALOG;
use crate::mesh::{DescribedTable, DomainView};

/// A table that exists for a principal, with the decision that says so.
#[derive(Debug)]
pub(crate) struct VisibleTable {
    pub domain: String,
    pub name: String,
    /// The domain at the moment of the decision.
    pub view: Arc<DomainView>,
    pub decision: TableDecision,
    pub contract_version: Digest,
    /// The visible columns, without metadata: what a domain query promises.
    pub schema: SchemaRef,
    /// Names of the primary key's columns; empty if one of them is hidden.
    pub primary_key: Vec<String>,
    /// One for each visible column.
    column_remarks: Vec<String>,
}

impl VisibleTable {
    pub(super) fn new(view: Arc<DomainView>, table: &DescribedTable, decision: TableDecision) -> Self {
        let contract = &table.table;
        let fields: Vec<Field> = decision
            .columns
            .iter()
            .map(|column| data_type::field(&column.name, &column.data_type, column.nullable))
            .collect();
        let visible = |name: &String| decision.columns.iter().any(|column| &column.name == name);
        let primary_key =
            if contract.primary_key.iter().all(visible) { contract.primary_key.clone() } else { Vec::new() };
        let column_remarks = decision
            .columns
            .iter()
            .map(|column| table.column_descriptions.get(column.index).cloned().unwrap_or_default())
            .collect();
        Self {
            domain: contract.domain.clone(),
            name: contract.name.clone(),
            view,
            contract_version: table.contract_version,
            schema: Arc::new(Schema::new(fields)),
            primary_key,
            column_remarks,
            decision,
        }
    }

    /// `domain.table`.
    pub(crate) fn qualified_name(&self) -> String {
        format!("{}.{}", self.domain, self.name)
    }

    /// May predicates on this column be evaluated by the domain's node?
    pub(crate) fn is_plain(&self, column: &str) -> bool {
        self.decision.columns.iter().any(|decided| decided.name == column && decided.plain)
    }

    /// Does this column show something else than the raw value?
    pub(crate) fn is_masked(&self, position: usize) -> bool {
        self.decision.columns.get(position).is_some_and(|column| matches!(column.cell, Cell::Computed(_)))
    }

    /// The schema with what clients show beside a column.
    pub(crate) fn schema_with_metadata(&self) -> Schema {
        let fields: Vec<Field> = self
            .schema
            .fields()
            .iter()
            .zip(&self.column_remarks)
            .map(|(field, remarks)| field.as_ref().clone().with_metadata(self.field_metadata(field, remarks)))
            .collect();
        Schema::new(fields)
    }

    fn field_metadata(&self, field: &Field, remarks: &str) -> HashMap<String, String> {
        let mut metadata: HashMap<String, String> = [
            ("CATALOG_NAME", CATALOG),
            ("SCHEMA_NAME", &self.domain),
            ("TABLE_NAME", &self.name),
            ("TYPE_NAME", type_name(field.data_type())),
            ("IS_AUTO_INCREMENT", "0"),
            ("IS_CASE_SENSITIVE", if field.data_type() == &DataType::Utf8 { "1" } else { "0" }),
            ("IS_READ_ONLY", "1"),
            ("IS_SEARCHABLE", "1"),
        ]
        .into_iter()
        .map(|(key, value)| (flight_sql_key(key), value.to_owned()))
        .collect();
        if let DataType::Decimal128(precision, scale) = field.data_type() {
            metadata.insert(flight_sql_key("PRECISION"), precision.to_string());
            metadata.insert(flight_sql_key("SCALE"), scale.to_string());
        }
        if !remarks.is_empty() {
            metadata.insert(flight_sql_key("REMARKS"), remarks.to_owned());
        }
        metadata
    }
}

fn flight_sql_key(key: &str) -> String {
    format!("ARROW:FLIGHT:SQL:{key}")
}

/// SQL name of a type, without its parameters.
pub(crate) fn type_name(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Boolean => "BOOLEAN",
        DataType::Int8 | DataType::UInt8 => "TINYINT",
        DataType::Int16 | DataType::UInt16 => "SMALLINT",
        DataType::Int32 | DataType::UInt32 => "INTEGER",
        DataType::Int64 | DataType::UInt64 => "BIGINT",
        DataType::Float16 | DataType::Float32 => "REAL",
        DataType::Float64 => "DOUBLE",
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => "DECIMAL",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "VARCHAR",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            "VARBINARY"
        }
        DataType::Date32 | DataType::Date64 => "DATE",
        DataType::Time32(_) | DataType::Time64(_) => "TIME",
        DataType::Timestamp(_, None) => "TIMESTAMP",
        DataType::Timestamp(_, Some(_)) => "TIMESTAMP WITH TIME ZONE",
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => "ARRAY",
        DataType::Struct(_) => "STRUCT",
        _ => "OTHER",
    }
}
