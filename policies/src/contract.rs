//! What policy knows of a contract: tables with columns, types, tags and
//! classification. Where the data lies is none of policy's business.

use crate::{DataType, Digest, compile::nested, data_type::Field};

/// One table of a data product, as its contract publishes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// SQL schema.
    pub domain: String,
    /// The contract's name; grants may select by it.
    pub product: String,
    /// SQL name within the domain.
    pub name: String,
    /// In contract order.
    pub columns: Vec<Column>,
    /// Names of the primary key's columns in key order; empty if there is none.
    pub primary_key: Vec<String>,
}

/// One column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub data_type: DataType,
    /// The contract promises that there is no NULL.
    pub required: bool,
    pub classification: Option<String>,
    pub tags: Vec<String>,
    /// Fields inside the column that have a classification or tags of their own.
    pub nested: Vec<NestedField>,
}

/// A field inside a column, at any depth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NestedField {
    /// Names of the fields on the way, from outside in. Elements of lists have none.
    pub path: Vec<String>,
    /// Without one, that of what is around it.
    pub classification: Option<String>,
    /// Beside those of what is around it.
    pub tags: Vec<String>,
}

impl Table {
    /// Digest over everything that a decision can depend on.
    pub fn version(&self) -> Digest {
        crate::digest::DigestBuilder::new("meshgate-contract-v1")
            .part(self.domain.as_bytes())
            .part(self.product.as_bytes())
            .part(self.name.as_bytes())
            .parts(self.primary_key.iter())
            .parts(self.columns.iter().map(|column| column.version().as_bytes().to_vec()))
            .finish()
    }
}

impl Column {
    /// The field at a path inside the column.
    pub fn field(&self, path: &[String]) -> Option<&Field> {
        nested::field(&self.data_type, path)
    }

    /// Puts a tag on a field inside the column.
    pub(crate) fn tag_field(&mut self, path: Vec<String>, tag: &str) {
        if let Some(field) = self.nested.iter_mut().find(|field| field.path == path) {
            if !field.tags.iter().any(|known| known == tag) {
                field.tags.push(tag.to_owned());
            }
            return;
        }
        self.nested.push(NestedField { path, classification: None, tags: vec![tag.to_owned()] });
    }

    fn version(&self) -> Digest {
        crate::digest::DigestBuilder::new("meshgate-column-v1")
            .part(self.name.as_bytes())
            .part(self.data_type.to_string().as_bytes())
            .part(&[u8::from(self.required)])
            .parts(self.classification.iter())
            .parts(self.tags.iter())
            .parts(self.nested.iter().map(|field| field.version().as_bytes().to_vec()))
            .finish()
    }
}

impl NestedField {
    fn version(&self) -> Digest {
        crate::digest::DigestBuilder::new("meshgate-field-v1")
            .parts(self.path.iter())
            .parts(self.classification.iter())
            .parts(self.tags.iter())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_has_each_of_its_tags_once() {
        let mut column = Column {
            name: "address".into(),
            data_type: DataType::Text,
            required: false,
            classification: None,
            tags: vec![],
            nested: vec![],
        };
        for tag in ["pii", "pci", "pii"] {
            column.tag_field(vec!["street".into()], tag);
        }
        column.tag_field(vec!["zip".into()], "pii");
        let tags: Vec<_> =
            column.nested.iter().map(|field| (field.path.join("."), field.tags.clone())).collect();
        let expected = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>();
        assert_eq!(tags, [("street".into(), expected(&["pii", "pci"])), ("zip".into(), expected(&["pii"]))]);
    }
}
