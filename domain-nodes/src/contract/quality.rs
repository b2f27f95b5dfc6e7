//! Quality rules and service levels as the contract states them: read and
//! kept, not judged. Checking them is a task of its own.

use std::collections::BTreeMap;

use meshgate_policies::yaml::{Node, Reader, Value, Warning};

use super::read::optional_list;

/// A quality rule of a table or of one of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QualityRule {
    pub table: String,
    pub column: Option<String>,
    /// The single values of the rule by key: `type`, `metric`, `mustBe`, `query` and so on.
    pub settings: BTreeMap<String, String>,
}

/// A service level of the product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceLevel {
    /// `latency`, `freshness`, `retention` and so on.
    pub property: String,
    pub value: String,
    pub unit: Option<String>,
    /// `table` or `table.column`.
    pub element: Option<String>,
}

pub(super) fn read_quality(
    reader: &mut Reader<'_, '_>,
    table: &str,
    column: Option<&str>,
) -> Vec<QualityRule> {
    optional_list(reader, "quality")
        .iter()
        .map(|node| QualityRule {
            table: table.to_owned(),
            column: column.map(str::to_owned),
            settings: settings(node),
        })
        .collect()
}

pub(super) fn read_service_levels(reader: &mut Reader<'_, '_>) -> Vec<ServiceLevel> {
    let mut levels = Vec::new();
    for node in optional_list(reader, "slaProperties") {
        let mut settings = settings(node);
        let level = settings.remove("property").zip(settings.remove("value"));
        let Some((property, value)) = level else {
            let message = "a service level without `property` and `value` is ignored";
            reader.warning(Warning::ServiceLevelIgnored, node.line, message);
            continue;
        };
        let unit = settings.remove("unit");
        levels.push(ServiceLevel { property, value, unit, element: settings.remove("element") });
    }
    levels
}

fn settings(node: &Node) -> BTreeMap<String, String> {
    node.as_mapping()
        .unwrap_or_default()
        .iter()
        .filter_map(|entry| Some((entry.key.clone(), text(&entry.value)?)))
        .collect()
}

/// Single values as they are, lists of them joined by commas (`mustBeBetween`).
fn text(node: &Node) -> Option<String> {
    match &node.value {
        Value::Scalar { .. } => node.as_scalar().map(str::to_owned),
        Value::Sequence(items) => {
            let items: Option<Vec<&str>> = items.iter().map(Node::as_scalar).collect();
            items.map(|items| items.join(","))
        }
        Value::Mapping(_) => None,
    }
}
