//! What a descriptor or a ticket asks for. Nothing here knows the caller or
//! does any of it.

use arrow_flight::{
    FlightDescriptor,
    flight_descriptor::DescriptorType,
    sql::{
        Any, Command, CommandGetCatalogs, CommandGetCrossReference, CommandGetDbSchemas,
        CommandGetExportedKeys, CommandGetImportedKeys, CommandGetPrimaryKeys, CommandGetSqlInfo,
        CommandGetTableTypes, CommandGetTables, CommandGetXdbcTypeInfo,
    },
};
use bytes::Bytes;
use prost::Message;

use crate::status::GatewayError;

/// Packed commands of Flight SQL carry this in front of their name.
const TYPE_URL_PREFIX: &str = "type.googleapis.com/arrow.flight.protocol.sql.";

/// What a client wants to know or to have.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wanted {
    /// The result of a SQL text.
    Statement(String),
    /// The result of a prepared statement, by its handle.
    Prepared(Bytes),
    Metadata(MetadataCommand),
}

/// A question about what there is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum MetadataCommand {
    Catalogs(CommandGetCatalogs),
    Schemas(CommandGetDbSchemas),
    Tables(CommandGetTables),
    TableTypes(CommandGetTableTypes),
    PrimaryKeys(CommandGetPrimaryKeys),
    ExportedKeys(CommandGetExportedKeys),
    ImportedKeys(CommandGetImportedKeys),
    CrossReference(CommandGetCrossReference),
    SqlInfo(CommandGetSqlInfo),
    XdbcTypeInfo(CommandGetXdbcTypeInfo),
}

const NOT_UNDERSTOOD: GatewayError =
    GatewayError::InvalidRequest("send a Flight SQL command, SQL text, or a path of domain and table");

/// What a descriptor asks for.
pub(super) fn of_descriptor(descriptor: &FlightDescriptor) -> Result<Wanted, GatewayError> {
    match descriptor.r#type() {
        DescriptorType::Path => of_path(&descriptor.path).map(Wanted::Statement),
        DescriptorType::Cmd => match packed(&descriptor.cmd) {
            Some(any) => of_packed(any),
            None => of_text(&descriptor.cmd),
        },
        DescriptorType::Unknown => Err(NOT_UNDERSTOOD),
    }
}

/// A packed Flight SQL command, if the bytes are one.
pub(super) fn packed(bytes: &[u8]) -> Option<Any> {
    Any::decode(bytes).ok().filter(|any| any.type_url.starts_with(TYPE_URL_PREFIX))
}

/// What a packed command asks for.
pub(super) fn of_packed(any: Any) -> Result<Wanted, GatewayError> {
    let command = Command::try_from(any).map_err(|_| NOT_UNDERSTOOD)?;
    Ok(match command {
        Command::CommandStatementQuery(statement) => {
            without_transaction(statement.transaction_id.as_deref())?;
            Wanted::Statement(statement.query)
        }
        Command::CommandPreparedStatementQuery(prepared) => {
            Wanted::Prepared(prepared.prepared_statement_handle)
        }
        Command::CommandGetCatalogs(command) => Wanted::Metadata(MetadataCommand::Catalogs(command)),
        Command::CommandGetDbSchemas(command) => Wanted::Metadata(MetadataCommand::Schemas(command)),
        Command::CommandGetTables(command) => Wanted::Metadata(MetadataCommand::Tables(command)),
        Command::CommandGetTableTypes(command) => Wanted::Metadata(MetadataCommand::TableTypes(command)),
        Command::CommandGetPrimaryKeys(command) => Wanted::Metadata(MetadataCommand::PrimaryKeys(command)),
        Command::CommandGetExportedKeys(command) => Wanted::Metadata(MetadataCommand::ExportedKeys(command)),
        Command::CommandGetImportedKeys(command) => Wanted::Metadata(MetadataCommand::ImportedKeys(command)),
        Command::CommandGetCrossReference(command) => {
            Wanted::Metadata(MetadataCommand::CrossReference(command))
        }
        Command::CommandGetSqlInfo(command) => Wanted::Metadata(MetadataCommand::SqlInfo(command)),
        Command::CommandGetXdbcTypeInfo(command) => Wanted::Metadata(MetadataCommand::XdbcTypeInfo(command)),
        Command::CommandStatementSubstraitPlan(_) => return Err(GatewayError::Unsupported("Substrait")),
        Command::CommandStatementUpdate(_)
        | Command::CommandPreparedStatementUpdate(_)
        | Command::CommandStatementIngest(_) => return Err(WRITING),
        _ => return Err(GatewayError::Unsupported("the command")),
    })
}

/// What a client wants to be done, without rows in answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Update {
    Statement(String),
    /// A prepared statement, by its handle.
    Prepared(Bytes),
}

/// The update that a packed command asks for, if it is one.
pub(super) fn update(any: Any) -> Result<Option<Update>, GatewayError> {
    Ok(match Command::try_from(any).map_err(|_| NOT_UNDERSTOOD)? {
        Command::CommandStatementUpdate(statement) => {
            without_transaction(statement.transaction_id.as_deref())?;
            Some(Update::Statement(statement.query))
        }
        Command::CommandPreparedStatementUpdate(prepared) => {
            Some(Update::Prepared(prepared.prepared_statement_handle))
        }
        _ => None,
    })
}

/// The mesh is read, never written.
pub(super) const WRITING: GatewayError = GatewayError::Unsupported("writing");

/// A transaction is none of ours: there are none.
pub(super) fn without_transaction(transaction: Option<&[u8]>) -> Result<(), GatewayError> {
    match transaction {
        None | Some([]) => Ok(()),
        Some(_) => Err(GatewayError::Unsupported("a transaction")),
    }
}

fn of_text(bytes: &Bytes) -> Result<Wanted, GatewayError> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.trim().is_empty() => Ok(Wanted::Statement(text.to_owned())),
        _ => Err(NOT_UNDERSTOOD),
    }
}

/// `[domain, table]`, `["domain/table"]`, and the same with the catalog in front.
fn of_path(path: &[String]) -> Result<String, GatewayError> {
    let parts: Vec<&str> = match path {
        [whole] => whole.split('/').collect(),
        parts => parts.iter().map(String::as_str).collect(),
    };
    match parts.as_slice() {
        [domain, table] | ["mesh", domain, table] if !domain.is_empty() && !table.is_empty() => {
            Ok(format!("select * from mesh.{}.{}", quoted(domain), quoted(table)))
        }
        _ => Err(GatewayError::InvalidRequest("a path is a domain and a table")),
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests;
