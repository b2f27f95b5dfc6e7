//! `meshgate schema`: the form of each of our YAML files, as JSON Schema, for editors.

#[cfg(test)]
mod tests;

use clap::{Args, ValueEnum};

use crate::{failure::Failure, sql};

#[derive(Debug, Args)]
pub(crate) struct SchemaArguments {
    /// Which file.
    kind: FileKind,
}

/// Our YAML files. Contracts are of the Open Data Contract Standard, which has a schema of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FileKind {
    /// node.yaml.
    Node,
    /// gateway.yaml.
    Gateway,
    /// mesh.yaml, the operator's document.
    Mesh,
    /// A file in the gateway's folder of domains.
    Domain,
    /// Policies of a domain.
    Policies,
    /// personas.yaml.
    Personas,
    /// Tests of policies, tests/*.test.yaml.
    Tests,
}

impl FileKind {
    fn schema(self) -> &'static str {
        match self {
            Self::Node => include_str!("../../docs/schemas/node.schema.json"),
            Self::Gateway => include_str!("../../docs/schemas/gateway.schema.json"),
            Self::Mesh => include_str!("../../docs/schemas/mesh.schema.json"),
            Self::Domain => include_str!("../../docs/schemas/domain.schema.json"),
            Self::Policies => include_str!("../../docs/schemas/policies.schema.json"),
            Self::Personas => include_str!("../../docs/schemas/personas.schema.json"),
            Self::Tests => include_str!("../../docs/schemas/tests.schema.json"),
        }
    }
}

pub(crate) fn run(arguments: &SchemaArguments) -> Result<(), Failure> {
    sql::print(arguments.kind.schema())
}
