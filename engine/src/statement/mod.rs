//! User SQL, from text to one bounded and parsed query.
//!
//! Bounds come first, on the text and its tokens, because parsing and planning
//! recurse and cannot be interrupted: a long chain or a deep nest must be an
//! error and never a stack that overflows. Then exactly one statement is
//! accepted: a query without clauses that the engine would silently ignore, an
//! explanation of one, or a question about what there is. What it may read is
//! the catalog's business, not this module's.

mod parameters;
mod setting;
mod shape;
mod show;
#[cfg(test)]
mod tests;
mod tokens;

use datafusion::common::error::Result as EngineResult;
use datafusion::sql::parser::{DFParser, DFParserBuilder, ExplainStatement, Statement};
use datafusion::sql::sqlparser::ast::{Query, Statement as SqlStatement};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;

pub use show::{Like, SchemaReference, Show};

pub use setting::{Setting, setting};

/// Characters of the parser's message that an error shows.
const DETAIL_CHARACTERS: usize = 200;

/// What a statement may be made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementLimits {
    /// Bytes of the text.
    pub bytes: usize,
    /// Tokens, white space and comments not counted.
    pub tokens: usize,
    /// Nested parentheses, brackets, braces and CASEs.
    pub nesting: usize,
    /// Operators of all kinds: a chain of them is as deep a tree.
    pub operators: usize,
    /// WHENs.
    pub branches: usize,
    /// Tables that are joined, by JOIN or by a comma.
    pub joins: usize,
    /// UNION, INTERSECT, EXCEPT.
    pub set_operations: usize,
    /// SELECTs, VALUES and common table expressions included.
    pub selects: usize,
    /// Columns of one SELECT.
    pub projections: usize,
    /// Values of one IN list.
    pub list_values: usize,
    /// Different parameters.
    pub parameters: usize,
}

impl Default for StatementLimits {
    fn default() -> Self {
        Self {
            bytes: 64 * 1024,
            tokens: 20_000,
            nesting: 48,
            operators: 1_000,
            branches: 500,
            joins: 64,
            set_operations: 128,
            selects: 256,
            projections: 2_000,
            list_values: 5_000,
            parameters: 500,
        }
    }
}

/// What a statement asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// The rows of a query.
    Query(Statement),
    /// Which domain would do what for a query.
    Explain(Statement),
    /// The same, after the query has run, with what it took.
    ExplainAnalyze(Statement),
    /// Which rules decide what a query reads.
    ExplainPolicy(Statement),
    /// What there is.
    Show(Show),
}

type AskedAbout = fn(Statement) -> Asked;

/// Why a statement is refused: one sentence for its author, made of the
/// statement's own words and ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    #[error("the statement has too many {what}: at most {limit} are accepted")]
    TooMany { what: &'static str, limit: usize },
    #[error("the statement is nested deeper than {limit} levels: name parts of it in a WITH clause")]
    TooDeep { limit: usize },
    #[error("there is no statement")]
    Empty,
    #[error("there are {count} statements: send one at a time")]
    Several { count: usize },
    #[error("the statement does not parse: {detail}")]
    Syntax { detail: String },
    #[error("{kind} is not accepted: {remedy}")]
    NotAQuery { kind: &'static str, remedy: &'static str },
    #[error("a setting takes one text: write its value in single quotes")]
    SettingValue,
    #[error("a parameter is written `?`, or `$1`, `$2` and so on: not {written}")]
    ParameterName { written: String },
    #[error("parameters are written `?`, or `$1`, `$2` and so on: not both in one statement")]
    ParameterMix,
    #[error("there is no parameter ${missing}: they are numbered from $1 without a gap")]
    ParameterGap { missing: usize },
    #[error("{clause} is not supported: leave it out")]
    Unsupported { clause: &'static str },
}

/// Parses `text` if it is one statement of [`Asked`] within `limits`. Its parameters are
/// numbered `$1` to `$n` without a gap, also where they were written `?`.
pub fn parse(text: &str, limits: &StatementLimits) -> Result<Asked, StatementError> {
    let (statement, explain_policy) = read(text, limits)?;
    let (asked, query): (AskedAbout, _) = match statement {
        Statement::Explain(explain) if !explain_policy => explained(explain)?,
        Statement::Statement(sql) if !explain_policy && !matches!(*sql, SqlStatement::Query(_)) => {
            return show::read(*sql).map(Asked::Show);
        }
        statement if explain_policy => (Asked::ExplainPolicy, statement),
        statement => (Asked::Query, statement),
    };
    shape::check(only_query(&query)?, limits)?;
    Ok(asked(query))
}

/// The one statement of `text`, whatever it does, and whether EXPLAIN POLICY stands before it.
fn read(text: &str, limits: &StatementLimits) -> Result<(Statement, bool), StatementError> {
    let tokens = tokens::read(text, limits)?;
    #[expect(clippy::disallowed_methods, reason = "the one place that parses SQL of callers, within bounds")]
    let parser = DFParserBuilder::new(tokens)
        .with_dialect(&GenericDialect {})
        // Each level of parentheses takes two levels of the parser.
        .with_recursion_limit(limits.nesting.saturating_mul(2).saturating_add(4))
        .build();
    parser.and_then(one_statement).map_err(|error| syntax(&error.to_string()))?
}

/// The statement of a text, and whether EXPLAIN POLICY stands before it: the
/// parser knows the words, but not together.
fn one_statement(mut parser: DFParser<'_>) -> EngineResult<Result<(Statement, bool), StatementError>> {
    let explain_policy = parser.parser.parse_keywords(&[Keyword::EXPLAIN, Keyword::POLICY]);
    let mut statements = parser.parse_statements()?;
    let count = statements.len();
    Ok(match (statements.pop_front(), count) {
        (None, _) => Err(StatementError::Empty),
        (Some(_), 2..) => Err(StatementError::Several { count }),
        (Some(statement), _) => Ok((statement, explain_policy)),
    })
}

/// The statement that is to be explained, and what is asked about it.
fn explained(mut explain: ExplainStatement) -> Result<(AskedAbout, Statement), StatementError> {
    let asked: AskedAbout = if explain.options.analyze { Asked::ExplainAnalyze } else { Asked::Explain };
    explain.options.analyze = false;
    if explain.options != Default::default() {
        return Err(StatementError::Unsupported { clause: "an option of EXPLAIN" });
    }
    Ok((asked, *explain.statement))
}

/// What callers are told who may not run a query for its explanation.
pub fn analyze_is_refused() -> StatementError {
    not_a_query("EXPLAIN ANALYZE")
}

/// How many different parameters a parsed query has.
pub fn parameter_count(query: &Statement) -> usize {
    match query {
        Statement::Statement(sql) => parameters::count(sql.as_ref()),
        _ => 0,
    }
}

fn only_query(statement: &Statement) -> Result<&Query, StatementError> {
    let kind = match statement {
        Statement::Statement(sql) => match sql.as_ref() {
            SqlStatement::Query(query) => return Ok(query),
            other => tokens::first_word(&other.to_string()),
        },
        Statement::CreateExternalTable(_) => "CREATE",
        Statement::CopyTo(_) => "COPY",
        Statement::Explain(_) => "EXPLAIN",
        Statement::Reset(_) => "RESET",
    };
    Err(not_a_query(kind))
}

fn not_a_query(kind: &'static str) -> StatementError {
    let remedy = match kind {
        "SET" | "RESET" => {
            "the purpose is the one setting, as in `SET meshgate.purpose = 'x'` and `RESET meshgate.purpose`"
        }
        "SHOW" => "there are SHOW TABLES, SHOW SCHEMAS and SHOW COLUMNS FROM <table>",
        "DESCRIBE" => "write DESCRIBE and the name of a table",
        "EXPLAIN" => "write EXPLAIN or EXPLAIN POLICY, once, and a query",
        "EXPLAIN ANALYZE" => "EXPLAIN says which domain does what, without running the query",
        "PREPARE" | "EXECUTE" | "DEALLOCATE" => "prepare statements through your client's driver",
        "BEGIN" | "START" | "COMMIT" | "ROLLBACK" => "each query stands alone",
        _ => "data is changed where it lies; here it is queried with SELECT, WITH or VALUES",
    };
    StatementError::NotAQuery { kind, remedy }
}

/// The parser's words on one line, not too long, without the names of its types.
fn syntax(message: &str) -> StatementError {
    let detail = message.rsplit("ParserError(\"").next().unwrap_or(message);
    let detail = detail.rsplit("parser error: ").next().unwrap_or(detail);
    let shown = detail.trim_end_matches("\")").chars().filter(|character| !character.is_control());
    StatementError::Syntax { detail: shown.take(DETAIL_CHARACTERS).collect() }
}
