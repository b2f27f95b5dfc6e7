//! `mesh.system.products`: the data products of which the caller sees a table.

use std::sync::{Arc, LazyLock};

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
    error::ArrowError,
};

use super::{given, text_list, texts};
use crate::{
    catalog::{PrincipalCatalog, VisibleTable},
    mesh::DescribedProduct,
};

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("domain", DataType::Utf8, false),
        Field::new("product", DataType::Utf8, false),
        Field::new("id", DataType::Utf8, true),
        Field::new("version", DataType::Utf8, true),
        Field::new("status", DataType::Utf8, true),
        Field::new("owner", DataType::Utf8, true),
        Field::new("description", DataType::Utf8, true),
        Field::new("tags", text_list(), false),
        Field::new("tables", text_list(), false),
    ]))
});

pub(super) fn schema() -> SchemaRef {
    Arc::clone(&SCHEMA)
}

/// A product and its tables that the caller sees.
struct VisibleProduct<'a> {
    domain: &'a str,
    product: &'a Arc<DescribedProduct>,
    tables: Vec<&'a String>,
}

/// One row for each product, by domain and name.
pub(super) fn rows(catalog: &PrincipalCatalog) -> Result<RecordBatch, ArrowError> {
    let tables = catalog.all();
    let products = products(&tables);
    let text = |of: fn(&DescribedProduct) -> &str| -> ArrayRef {
        Arc::new(products.iter().map(|visible| given(of(visible.product))).collect::<StringArray>())
    };
    let columns = vec![
        Arc::new(products.iter().map(|visible| Some(visible.domain)).collect::<StringArray>()) as ArrayRef,
        Arc::new(products.iter().map(|visible| Some(visible.product.name.as_str())).collect::<StringArray>()),
        text(|product| &product.id),
        text(|product| &product.version),
        text(|product| &product.status),
        text(|product| &product.owner),
        text(|product| &product.description),
        texts(products.iter().map(|visible| &visible.product.tags)),
        texts(products.iter().map(|visible| visible.tables.iter().copied())),
    ];
    RecordBatch::try_new(schema(), columns)
}

fn products(tables: &[VisibleTable]) -> Vec<VisibleProduct<'_>> {
    let mut products: Vec<VisibleProduct<'_>> = Vec::new();
    let mut by_product: Vec<&VisibleTable> = tables.iter().collect();
    by_product.sort_by_key(|table| (&table.domain, &table.described().product.name, &table.name));
    for table in by_product {
        let product = &table.described().product;
        match products.last_mut() {
            Some(last) if Arc::ptr_eq(last.product, product) => last.tables.push(&table.name),
            _ => products.push(VisibleProduct { domain: &table.domain, product, tables: vec![&table.name] }),
        }
    }
    products
}
