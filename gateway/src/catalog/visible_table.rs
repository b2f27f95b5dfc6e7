//! One table as one principal gets it.

use std::{collections::HashMap, sync::Arc};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use meshgate_engine::data_type;
use meshgate_policies::{Cell, Column, DecidedColumn, Digest, TableDecision};

use super::{CATALOG, type_name};
use crate::{
    edge,
    mesh::{DescribedTable, DomainView},
};

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
    described: Arc<DescribedTable>,
}

impl VisibleTable {
    pub(super) fn new(view: Arc<DomainView>, table: &Arc<DescribedTable>, decision: TableDecision) -> Self {
        let contract = &table.table;
        let fields: Vec<Field> = decision
            .columns
            .iter()
            .map(|column| data_type::field(&column.name, &column.data_type, column.nullable))
            .collect();
        let visible = |name: &String| decision.columns.iter().any(|column| &column.name == name);
        let primary_key =
            if contract.primary_key.iter().all(visible) { contract.primary_key.clone() } else { Vec::new() };
        Self {
            domain: contract.domain.clone(),
            name: contract.name.clone(),
            view,
            contract_version: table.contract_version,
            schema: Arc::new(Schema::new(fields)),
            primary_key,
            described: Arc::clone(table),
            decision,
        }
    }

    /// What its contract says of the product and of the table as a whole.
    pub(crate) fn described(&self) -> &DescribedTable {
        &self.described
    }

    /// The visible columns: what is decided of each, and what the contract says of it.
    pub(crate) fn columns(&self) -> impl Iterator<Item = (&DecidedColumn, &Column)> {
        let contract = &self.described.table.columns;
        self.decision.columns.iter().filter_map(|decided| Some((decided, contract.get(decided.index)?)))
    }

    /// What the contract says of a visible column in words; empty if nothing.
    pub(crate) fn remarks(&self, column: &DecidedColumn) -> &str {
        self.described.column_descriptions.get(column.index).map_or("", String::as_str)
    }

    /// `domain.table`.
    pub(crate) fn qualified_name(&self) -> String {
        format!("{}.{}", self.domain, self.name)
    }

    /// How many rows it may have, if the principal sees all of it. The node's figure is of all rows and, for files of text,
    /// of all their bytes: the order of a join, and with it of its rows, must not depend on what is hidden.
    pub(crate) fn estimated_rows(&self) -> Option<u64> {
        let is_raw = |column: &DecidedColumn| matches!(column.cell, Cell::Raw);
        let is_whole = self.decision.rows.is_none()
            && self.decision.columns.len() == self.described.table.columns.len()
            && self.decision.columns.iter().all(is_raw);
        self.described.estimated_rows.filter(|_| is_whole)
    }

    /// May predicates on this column be evaluated by the domain's node?
    pub(crate) fn is_plain(&self, column: &str) -> bool {
        self.decision.columns.iter().any(|decided| decided.name == column && decided.plain)
    }

    /// Does this column show something else than the raw value?
    pub(crate) fn is_masked(&self, position: usize) -> bool {
        self.decision.columns.get(position).is_some_and(|column| matches!(column.cell, Cell::Computed(_)))
    }

    /// Is this a column of the contract that the principal does not see?
    pub(crate) fn hides(&self, column: &str) -> bool {
        let is_there = self.described.table.columns.iter().any(|there| there.name == column);
        is_there && self.decision.columns.iter().all(|visible| visible.name != column)
    }

    /// The schema of a result, with what clients show beside a column.
    pub(crate) fn schema_with_metadata(&self) -> Schema {
        let fields: Vec<Field> = self
            .schema
            .fields()
            .iter()
            .zip(&self.decision.columns)
            .map(|(field, column)| {
                let field = edge::field(field);
                let metadata = self.field_metadata(&field, self.remarks(column));
                field.as_ref().clone().with_metadata(metadata)
            })
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
        .map(|(key, value)| (edge::metadata_key(key), value.to_owned()))
        .collect();
        metadata.extend(edge::decimal_size(field.data_type()));
        if !remarks.is_empty() {
            metadata.insert(edge::metadata_key("REMARKS"), remarks.to_owned());
        }
        metadata
    }
}
