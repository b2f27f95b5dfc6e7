//! Relationships of a contract: which column's values are those of another
//! table. Read for `meshgate check`; whatever cannot be understood is none.

use std::collections::BTreeMap;

use meshgate_policies::doubts::ForeignKey;
use meshgate_policies::yaml::{Node, Value};

/// The foreign keys of a contract, in its order. Tables of other contracts are named as well as its own.
pub(super) fn read(root: &Node) -> Vec<ForeignKey> {
    let tables = items(root, "schema");
    let names = Names::of(tables);
    let mut keys = Vec::new();
    for table in tables {
        let Some(name) = text(table, "name") else { continue };
        for column in items(table, "properties") {
            let Some(column_name) = text(column, "name") else { continue };
            for to in items(column, "relationships").iter().filter_map(|node| node.get("to")) {
                let to = to.as_scalar().and_then(|to| names.column(to));
                keys.extend(to.map(|to| foreign_key((name.to_owned(), column_name.to_owned()), to)));
            }
        }
        for relationship in items(table, "relationships") {
            let side = |key| relationship.get(key).map(texts).unwrap_or_default();
            let pairs = side("from").into_iter().zip(side("to"));
            let resolved = pairs.filter_map(|(from, to)| Some((names.column(from)?, names.column(to)?)));
            keys.extend(resolved.map(|(from, to)| foreign_key(from, to)));
        }
    }
    keys
}

fn foreign_key((table, column): (String, String), (to_table, to_column): (String, String)) -> ForeignKey {
    ForeignKey { table, column, to_table, to_column }
}

fn items<'n>(node: &'n Node, key: &str) -> &'n [Node] {
    node.get(key).and_then(Node::as_sequence).unwrap_or_default()
}

fn text<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    node.get(key).and_then(Node::as_scalar)
}

/// One text or a list of them.
fn texts(node: &Node) -> Vec<&str> {
    match &node.value {
        Value::Sequence(items) => items.iter().filter_map(Node::as_scalar).collect(),
        _ => node.as_scalar().into_iter().collect(),
    }
}

/// The names that stand behind ids.
struct Names<'n> {
    tables: BTreeMap<&'n str, &'n str>,
    /// By the table's name and the column's id.
    columns: BTreeMap<(&'n str, &'n str), &'n str>,
}

impl<'n> Names<'n> {
    fn of(tables: &'n [Node]) -> Self {
        let mut names = Self { tables: BTreeMap::new(), columns: BTreeMap::new() };
        for table in tables {
            let Some(name) = text(table, "name") else { continue };
            names.tables.extend(text(table, "id").map(|id| (id, name)));
            for column in items(table, "properties") {
                let known = text(column, "id").zip(text(column, "name"));
                names.columns.extend(known.map(|(id, column)| ((name, id), column)));
            }
        }
        names
    }

    /// Table and column of a reference: `orders.order_id`, or `schema/<id>/properties/<id>` of this contract.
    fn column(&self, reference: &str) -> Option<(String, String)> {
        let parts: Vec<&str> = reference.trim_start_matches('#').trim_start_matches('/').split('/').collect();
        let (table, column) = match parts.as_slice() {
            ["schema", table, "properties", column] => (*table, *column),
            [short] => short.split_once('.')?,
            _ => return None,
        };
        let table = self.tables.get(table).copied().unwrap_or(table);
        let column = self.columns.get(&(table, column)).copied().unwrap_or(column);
        Some((table.to_owned(), column.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use meshgate_policies::yaml;

    use super::*;

    fn keys(text: &str) -> Vec<String> {
        let told =
            |key: ForeignKey| format!("{}.{} -> {}.{}", key.table, key.column, key.to_table, key.to_column);
        read(&yaml::parse("c.yaml", text).unwrap()).into_iter().map(told).collect()
    }

    #[test]
    fn relationships_of_columns_and_of_tables() {
        let text = "
schema:
  - id: o
    name: orders
    properties: [ { id: no, name: order_id }, { name: region } ]
  - name: order_lines
    properties:
      - { name: order_id, relationships: [ { to: orders.order_id }, { type: foreignKey, to: schema/o/properties/no } ] }
      - { name: region, relationships: [ { to: /schema/o/properties/region }, { to: regions.name } ] }
      - { name: sku }
    relationships:
      - { from: [order_lines.order_id, order_lines.region], to: [orders.order_id, orders.region] }
      - { type: foreignKey, from: order_lines.sku, to: articles.sku }
";
        assert_eq!(
            keys(text),
            [
                "order_lines.order_id -> orders.order_id",
                "order_lines.order_id -> orders.order_id",
                "order_lines.region -> orders.region",
                "order_lines.region -> regions.name",
                "order_lines.order_id -> orders.order_id",
                "order_lines.region -> orders.region",
                "order_lines.sku -> articles.sku",
            ]
        );
    }

    #[test]
    fn what_leads_out_of_the_domain_or_nowhere_is_none() {
        for to in ["https://x.example/c.yaml#/schema/a/properties/b", "orders", "[a.b]", "''", "{ a: b }"] {
            let text = format!(
                "schema: [ {{ name: t, properties: [ {{ name: c, relationships: [ {{ to: {to} }} ] }} ] }} ]\n"
            );
            assert_eq!(keys(&text), [""; 0], "{to}");
        }
        assert_eq!(keys("schema: 1\n"), [""; 0]);
        assert_eq!(
            keys(
                "schema: [ { properties: [ 1 ], relationships: 2 }, { name: t, properties: [ { name: c, relationships: {} } ] } ]\n"
            ),
            [""; 0]
        );
    }
}
