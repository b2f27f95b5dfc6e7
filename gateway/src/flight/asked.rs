//! What a ticket or a handle holds: a statement, and the values that are bound to it.

use arrow::{datatypes::Schema, error::ArrowError};
use arrow_flight::IpcMessage;
use bytes::Bytes;
use prost::Message;

use crate::{parameters::ParameterValues, planner::Parameters, status::GatewayError};

/// A statement with a value for each of its parameters.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Asked {
    pub(super) sql: String,
    pub(super) values: ParameterValues,
}

impl Asked {
    /// A statement without parameters.
    pub(super) fn plain(sql: String) -> Self {
        Self { sql, values: ParameterValues::default() }
    }

    pub(super) fn parameters(&self) -> Parameters {
        Parameters::Given(self.values.clone())
    }

    /// As the content of a ticket.
    pub(super) fn encode(&self) -> Result<Vec<u8>, GatewayError> {
        let values = self.values.encode().map_err(unencodable)?;
        Ok(Content { sql: self.sql.clone(), values: Some(values), types: Vec::new() }.encode_to_vec())
    }

    /// From the content of a ticket.
    pub(super) fn decode(content: &[u8]) -> Result<Self, GatewayError> {
        let content = Content::decode(content).map_err(|_| GatewayError::InvalidTicket)?;
        Ok(Self { sql: content.sql, values: values(content.values.unwrap_or_default())? })
    }
}

/// A prepared statement.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Prepared {
    pub(super) sql: String,
    /// Of its parameters, when it was prepared: what the client was told to bind.
    pub(super) types: Schema,
    pub(super) values: Option<ParameterValues>,
}

impl Prepared {
    /// As the content of a handle. `types` is the encapsulated schema of the parameters.
    pub(super) fn encode(
        sql: &str,
        types: &[u8],
        values: Option<&ParameterValues>,
    ) -> Result<Vec<u8>, GatewayError> {
        let values = values.map(ParameterValues::encode).transpose().map_err(unencodable)?;
        Ok(Content { sql: sql.to_owned(), values, types: types.to_vec() }.encode_to_vec())
    }

    /// From the content of a handle.
    pub(super) fn decode(content: &[u8]) -> Result<Self, GatewayError> {
        let content = Content::decode(content).map_err(|_| GatewayError::InvalidTicket)?;
        let types = IpcMessage(Bytes::from(content.types));
        Ok(Self {
            sql: content.sql,
            types: Schema::try_from(types).map_err(|_| GatewayError::InvalidTicket)?,
            values: content.values.map(values).transpose()?,
        })
    }

    /// What stands for the parameters when the statement is described.
    pub(super) fn parameters(&self) -> Parameters {
        self.values.clone().map_or(Parameters::Open, Parameters::Given)
    }

    /// The statement as it is to run: with what is bound.
    pub(super) fn into_asked(self) -> Asked {
        Asked { sql: self.sql, values: self.values.unwrap_or_default() }
    }
}

/// Of both. Sealed: nobody but a gateway of the mesh wrote it.
#[derive(Clone, PartialEq, Message)]
struct Content {
    #[prost(string, tag = "1")]
    sql: String,
    /// Absent if nothing is bound.
    #[prost(bytes = "vec", optional, tag = "2")]
    values: Option<Vec<u8>>,
    /// Of the parameters; in handles only.
    #[prost(bytes = "vec", tag = "3")]
    types: Vec<u8>,
}

fn values(bytes: Vec<u8>) -> Result<ParameterValues, GatewayError> {
    ParameterValues::decode(&bytes).map_err(|_| GatewayError::InvalidTicket)
}

fn unencodable(error: ArrowError) -> GatewayError {
    GatewayError::Internal(format!("values of parameters cannot be encoded: {error}"))
}
