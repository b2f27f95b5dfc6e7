//! Statements that change a session and nothing else: `SET` and `RESET`.

use datafusion::sql::parser::{ResetStatement, Statement};
use datafusion::sql::sqlparser::ast::{Expr, ObjectName, Set, Statement as SqlStatement, Value};

use super::{StatementError, StatementLimits, not_a_query, read};

/// What a statement changes of its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// As it is written, lower case but for names in quotes.
    pub name: String,
    /// `None`: back to what it is without a session.
    pub value: Option<String>,
}

/// The setting that `text` changes; `None` if it is no such statement. Queries
/// are not parsed for this.
pub fn setting(text: &str, limits: &StatementLimits) -> Result<Option<Setting>, StatementError> {
    if !begins_as_setting(text) {
        return Ok(None);
    }
    match read(text, limits)?.0 {
        Statement::Reset(ResetStatement::Variable(name)) => {
            Ok(Some(Setting { name: written(&name), value: None }))
        }
        Statement::Statement(sql) => match *sql {
            SqlStatement::Set(set) => assignment(set).map(Some),
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

/// Behind white space and comments, the first word is SET or RESET.
fn begins_as_setting(text: &str) -> bool {
    let mut rest = text.trim_start();
    while let Some(behind) = behind_comment(rest) {
        rest = behind.trim_start();
    }
    let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    rest.get(..end).is_some_and(|word| word.eq_ignore_ascii_case("set") || word.eq_ignore_ascii_case("reset"))
}

/// What follows the comment that `text` begins with. Comments in comments are
/// not looked for: then the statement is none of these, and refused as no query.
fn behind_comment(text: &str) -> Option<&str> {
    match text.strip_prefix("--") {
        Some(comment) => comment.split_once('\n').map(|(_, behind)| behind),
        None => text.strip_prefix("/*")?.split_once("*/").map(|(_, behind)| behind),
    }
}

fn assignment(set: Set) -> Result<Setting, StatementError> {
    let Set::SingleAssignment { scope: None, hivevar: false, variable, values } = set else {
        return Err(not_a_query("SET"));
    };
    let value = match values.as_slice() {
        [Expr::Value(value)] => match &value.value {
            Value::SingleQuotedString(text) => text.clone(),
            _ => return Err(StatementError::SettingValue),
        },
        _ => return Err(StatementError::SettingValue),
    };
    Ok(Setting { name: written(&variable), value: Some(value) })
}

fn written(name: &ObjectName) -> String {
    let part = |part: &datafusion::sql::sqlparser::ast::ObjectNamePart| match part.as_ident() {
        Some(ident) if ident.quote_style.is_none() => ident.value.to_lowercase(),
        Some(ident) => ident.value.clone(),
        None => part.to_string(),
    };
    name.0.iter().map(part).collect::<Vec<_>>().join(".")
}
