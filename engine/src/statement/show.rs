//! Questions about what there is: SHOW and DESCRIBE.

use datafusion::common::TableReference;
use datafusion::sql::planner::object_name_to_table_reference;
use datafusion::sql::sqlparser::ast::{
    ObjectName, ShowStatementFilter, ShowStatementFilterPosition, ShowStatementIn, ShowStatementInParentType,
    ShowStatementOptions, Statement,
};

use super::{StatementError, not_a_query, tokens};

/// A question about what there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Show {
    /// SHOW TABLES, of one schema or of all.
    Tables { schema: Option<SchemaReference>, like: Option<Like> },
    /// SHOW SCHEMAS.
    Schemas { like: Option<Like> },
    /// SHOW COLUMNS FROM a table.
    Columns { table: TableReference, like: Option<Like> },
    /// DESCRIBE a table.
    Describe { table: TableReference },
}

/// A schema, with the catalog that it is in if that is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaReference {
    pub catalog: Option<String>,
    pub schema: String,
}

/// A pattern that names must match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Like {
    pub pattern: String,
    pub ignore_case: bool,
}

/// Reads a statement that is no query.
pub(super) fn read(statement: Statement) -> Result<Show, StatementError> {
    match statement {
        Statement::ShowTables {
            terse: false,
            history: false,
            extended: false,
            full: false,
            external: false,
            show_options,
        } => {
            let (parent, like) = options(show_options)?;
            Ok(Show::Tables { schema: parent.map(schema).transpose()?, like })
        }
        Statement::ShowSchemas { terse: false, history: false, show_options } => {
            match options(show_options)? {
                (None, like) => Ok(Show::Schemas { like }),
                (Some(_), _) => Err(FORM),
            }
        }
        Statement::ShowColumns { extended: false, full: false, show_options } => {
            match options(show_options)? {
                (Some(parent), like) => Ok(Show::Columns { table: table(parent)?, like }),
                (None, _) => Err(not_a_query("SHOW")),
            }
        }
        Statement::ExplainTable { hive_format: None, table_name, .. } => {
            Ok(Show::Describe { table: reference(table_name)? })
        }
        other => Err(not_a_query(tokens::first_word(&other.to_string()))),
    }
}

const FORM: StatementError = StatementError::Unsupported { clause: "this form of SHOW" };

fn options(options: ShowStatementOptions) -> Result<(Option<ShowStatementIn>, Option<Like>), StatementError> {
    let ShowStatementOptions { show_in, starts_with, limit, limit_from, filter_position } = options;
    if starts_with.is_some() || limit.is_some() || limit_from.is_some() {
        return Err(FORM);
    }
    let filter = filter_position.map(|position| match position {
        ShowStatementFilterPosition::Infix(filter) | ShowStatementFilterPosition::Suffix(filter) => filter,
    });
    let like = match filter {
        None => None,
        Some(ShowStatementFilter::Like(pattern)) => Some(Like { pattern, ignore_case: false }),
        Some(ShowStatementFilter::ILike(pattern)) => Some(Like { pattern, ignore_case: true }),
        Some(ShowStatementFilter::Where(_) | ShowStatementFilter::NoKeyword(_)) => return Err(FORM),
    };
    Ok((show_in, like))
}

fn table(parent: ShowStatementIn) -> Result<TableReference, StatementError> {
    match parent {
        ShowStatementIn {
            parent_type: None | Some(ShowStatementInParentType::Table | ShowStatementInParentType::View),
            parent_name: Some(name),
            ..
        } => reference(name),
        _ => Err(FORM),
    }
}

fn schema(parent: ShowStatementIn) -> Result<SchemaReference, StatementError> {
    let ShowStatementIn {
        parent_type: None | Some(ShowStatementInParentType::Schema | ShowStatementInParentType::Database),
        parent_name: Some(name),
        ..
    } = parent
    else {
        return Err(FORM);
    };
    // A schema is named like a table: with or without what it is in.
    match reference(name)? {
        TableReference::Bare { table } => Ok(SchemaReference { catalog: None, schema: table.to_string() }),
        TableReference::Partial { schema, table } => {
            Ok(SchemaReference { catalog: Some(schema.to_string()), schema: table.to_string() })
        }
        TableReference::Full { .. } => Err(FORM),
    }
}

fn reference(name: ObjectName) -> Result<TableReference, StatementError> {
    object_name_to_table_reference(name, true)
        .map_err(|_| StatementError::Unsupported { clause: "a name of that form" })
}
