//! What the server can do, as `GetSqlInfo` tells it.
//!
//! Every code is answered with exactly the type that drivers cast to: JDBC
//! throws on another class, and older drivers on a missing code.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::RecordBatch;
use arrow_flight::{
    error::FlightError,
    sql::{
        SqlInfo, SqlNullOrdering, SqlOuterJoinsSupportLevel, SqlSupportedCaseSensitivity,
        SqlSupportedGroupBy, SqlSupportedSubqueries, SqlSupportedTransaction, SqlSupportedUnions,
        SqlSupportsConvert, SupportedSqlGrammar,
        metadata::{SqlInfoData, SqlInfoDataBuilder},
    },
};
use datafusion::sql::sqlparser::keywords::ALL_KEYWORDS;

use crate::planner::FunctionNames;

const NAME: &str = "Meshgate";
/// Dotted digits only: ODBC parses it.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Version of the Arrow libraries that encode results.
const ARROW_VERSION: &str = "59.3.2";
/// There are no codes beyond: such numbers are dropped before they cost anything.
const CODES_END: u32 = 1_000;
/// Asks for no code at all; an empty list would ask for every one.
const NO_CODE: u32 = u32::MAX;

/// The answers to `GetSqlInfo`.
pub(crate) struct SqlInfoTable {
    /// What an empty list of codes asks for.
    common: SqlInfoData,
    /// With what is only told to who asks for it by number.
    complete: SqlInfoData,
}

impl std::fmt::Debug for SqlInfoTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SqlInfoTable")
    }
}

impl SqlInfoTable {
    /// The table for a server with these functions.
    pub(crate) fn new(functions: &FunctionNames) -> Result<Self, FlightError> {
        let mut complete = common(functions);
        complete.append(SqlInfo::FlightSqlServerBulkIngestion, false);
        complete.append(SqlInfo::FlightSqlServerIngestTransactionsSupported, false);
        Ok(Self { common: common(functions).build()?, complete: complete.build()? })
    }

    /// The rows of the wanted codes; all common ones if none is named.
    pub(crate) fn rows(&self, wanted: &[u32]) -> Result<RecordBatch, FlightError> {
        if wanted.is_empty() {
            return self.common.record_batch([]);
        }
        let mut codes: BTreeSet<u32> = wanted.iter().copied().filter(|code| *code < CODES_END).collect();
        codes.insert(NO_CODE);
        self.complete.record_batch(codes)
    }
}

fn common(functions: &FunctionNames) -> SqlInfoDataBuilder {
    let mut builder = SqlInfoDataBuilder::new();
    identity(&mut builder);
    flags(&mut builder);
    identifiers(&mut builder);
    lists(&mut builder, functions);
    levels(&mut builder);
    limits(&mut builder);
    builder
}

fn identity(builder: &mut SqlInfoDataBuilder) {
    builder.append(SqlInfo::FlightSqlServerName, NAME);
    builder.append(SqlInfo::FlightSqlServerVersion, VERSION);
    builder.append(SqlInfo::FlightSqlServerArrowVersion, ARROW_VERSION);
    builder.append(SqlInfo::FlightSqlServerReadOnly, true);
    builder.append(SqlInfo::FlightSqlServerSql, true);
    builder.append(SqlInfo::FlightSqlServerSubstrait, false);
    builder.append(SqlInfo::FlightSqlServerSubstraitMinVersion, "");
    builder.append(SqlInfo::FlightSqlServerSubstraitMaxVersion, "");
    builder.append(SqlInfo::FlightSqlServerTransaction, SqlSupportedTransaction::None as i32);
    builder.append(SqlInfo::FlightSqlServerCancel, false);
    builder.append(SqlInfo::FlightSqlServerStatementTimeout, 0_i32);
    builder.append(SqlInfo::FlightSqlServerTransactionTimeout, 0_i32);
}

fn flags(builder: &mut SqlInfoDataBuilder) {
    let yes = [
        SqlInfo::SqlAllTablesAreSelectable,
        SqlInfo::SqlSupportsColumnAliasing,
        SqlInfo::SqlNullPlusNullIsNull,
        SqlInfo::SqlSupportsTableCorrelationNames,
        SqlInfo::SqlSupportsExpressionsInOrderBy,
        SqlInfo::SqlSupportsOrderByUnrelated,
        SqlInfo::SqlSupportsLikeEscapeClause,
        SqlInfo::SqlSupportsNonNullableColumns,
        SqlInfo::SqlCatalogAtStart,
        SqlInfo::SqlCorrelatedSubqueriesSupported,
    ];
    let no = [
        SqlInfo::SqlDdlCatalog,
        SqlInfo::SqlDdlSchema,
        SqlInfo::SqlDdlTable,
        SqlInfo::SqlSupportsDifferentTableCorrelationNames,
        SqlInfo::SqlSupportsIntegrityEnhancementFacility,
        SqlInfo::SqlSelectForUpdateSupported,
        SqlInfo::SqlStoredProceduresSupported,
        SqlInfo::SqlMaxRowSizeIncludesBlobs,
        SqlInfo::SqlTransactionsSupported,
        SqlInfo::SqlDataDefinitionCausesTransactionCommit,
        SqlInfo::SqlDataDefinitionsInTransactionsIgnored,
        SqlInfo::SqlBatchUpdatesSupported,
        SqlInfo::SqlSavepointsSupported,
        SqlInfo::SqlNamedParametersSupported,
        SqlInfo::SqlLocatorsUpdateCopy,
        SqlInfo::SqlStoredFunctionsUsingCallSyntaxSupported,
    ];
    yes.into_iter().for_each(|code| builder.append(code, true));
    no.into_iter().for_each(|code| builder.append(code, false));
}

fn identifiers(builder: &mut SqlInfoDataBuilder) {
    let lowercase = SqlSupportedCaseSensitivity::SqlCaseSensitivityLowercase as i32;
    // The standard has no value for "kept as written"; unknown makes drivers quote and compare exactly.
    let quoted = SqlSupportedCaseSensitivity::SqlCaseSensitivityUnknown as i32;
    builder.append(SqlInfo::SqlIdentifierCase, lowercase);
    builder.append(SqlInfo::SqlQuotedIdentifierCase, quoted);
    builder.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    builder.append(SqlInfo::SqlSearchStringEscape, "\\");
    builder.append(SqlInfo::SqlExtraNameCharacters, "");
    builder.append(SqlInfo::SqlNullOrdering, SqlNullOrdering::SqlNullsSortedHigh as i32);
    builder.append(SqlInfo::SqlSchemaTerm, "schema");
    builder.append(SqlInfo::SqlProcedureTerm, "procedure");
    builder.append(SqlInfo::SqlCatalogTerm, "catalog");
}

fn lists(builder: &mut SqlInfoDataBuilder, functions: &FunctionNames) {
    builder.append(SqlInfo::SqlKeywords, ALL_KEYWORDS);
    builder.append(SqlInfo::SqlNumericFunctions, functions.numeric.clone());
    builder.append(SqlInfo::SqlStringFunctions, functions.string.clone());
    builder.append(SqlInfo::SqlSystemFunctions, functions.system.clone());
    builder.append(SqlInfo::SqlDatetimeFunctions, functions.date_time.clone());
    builder.append(SqlInfo::SqlSupportsConvert, conversions());
}

/// Which types `CAST` converts to which, in the standard's numbers.
fn conversions() -> BTreeMap<i32, Vec<i32>> {
    use SqlSupportsConvert as To;
    let numbers: &[To] = &[
        To::SqlConvertTinyint,
        To::SqlConvertSmallint,
        To::SqlConvertInteger,
        To::SqlConvertBigint,
        To::SqlConvertReal,
        To::SqlConvertFloat,
        To::SqlConvertDecimal,
        To::SqlConvertNumeric,
    ];
    let texts: &[To] = &[To::SqlConvertChar, To::SqlConvertVarchar, To::SqlConvertLongvarchar];
    let binaries: &[To] = &[To::SqlConvertBinary, To::SqlConvertVarbinary, To::SqlConvertLongvarbinary];
    let days: &[To] = &[To::SqlConvertDate, To::SqlConvertTimestamp];
    let bit: &[To] = &[To::SqlConvertBit];
    let time: &[To] = &[To::SqlConvertTime];
    let matrix: [(&[To], Vec<&[To]>); 6] = [
        (numbers, vec![numbers, texts, bit]),
        (bit, vec![bit, numbers, texts]),
        (texts, vec![texts, numbers, binaries, days, time, bit]),
        (binaries, vec![binaries, texts]),
        (days, vec![days, texts]),
        (time, vec![time, texts]),
    ];
    let codes = |groups: &[&[To]]| groups.iter().copied().flatten().map(|to| *to as i32).collect::<Vec<_>>();
    matrix.iter().flat_map(|(from, to)| from.iter().map(move |from| (*from as i32, codes(to)))).collect()
}

fn levels(builder: &mut SqlInfoDataBuilder) {
    let group_by =
        [SqlSupportedGroupBy::SqlGroupByUnrelated as i32, SqlSupportedGroupBy::SqlGroupByBeyondSelect as i32];
    let grammar = [
        SupportedSqlGrammar::SqlMinimumGrammar as i32,
        SupportedSqlGrammar::SqlCoreGrammar as i32,
        SupportedSqlGrammar::SqlExtendedGrammar as i32,
    ];
    let joins = [
        SqlOuterJoinsSupportLevel::SqlLimitedOuterJoins as i32,
        SqlOuterJoinsSupportLevel::SqlFullOuterJoins as i32,
    ];
    let subqueries = [
        SqlSupportedSubqueries::SqlSubqueriesInComparisons as i32,
        SqlSupportedSubqueries::SqlSubqueriesInExists as i32,
        SqlSupportedSubqueries::SqlSubqueriesInIns as i32,
        SqlSupportedSubqueries::SqlSubqueriesInQuantifieds as i32,
    ];
    let unions = [SqlSupportedUnions::SqlUnion as i32, SqlSupportedUnions::SqlUnionAll as i32];
    builder.append(SqlInfo::SqlSupportedGroupBy, bits(&group_by));
    builder.append(SqlInfo::SqlSupportedGrammar, bits(&grammar));
    // Entry level of SQL-92 is bit 0.
    builder.append(SqlInfo::SqlAnsi92SupportedLevel, bits(&[0]));
    builder.append(SqlInfo::SqlOuterJoinsSupportLevel, bits(&joins));
    builder.append(SqlInfo::SqlSupportedSubqueries, bits(&subqueries));
    builder.append(SqlInfo::SqlSupportedUnions, bits(&unions));
    // No procedure calls, index or privilege definitions; nothing is positioned, updatable or scrollable.
    for code in [
        SqlInfo::SqlSchemasSupportedActions,
        SqlInfo::SqlCatalogsSupportedActions,
        SqlInfo::SqlSupportedPositionedCommands,
        SqlInfo::SqlSupportedTransactionsIsolationLevels,
        SqlInfo::SqlSupportedResultSetTypes,
        SqlInfo::SqlSupportedConcurrenciesForResultSetUnspecified,
        SqlInfo::SqlSupportedConcurrenciesForResultSetForwardOnly,
        SqlInfo::SqlSupportedConcurrenciesForResultSetScrollSensitive,
        SqlInfo::SqlSupportedConcurrenciesForResultSetScrollInsensitive,
    ] {
        builder.append(code, 0_i32);
    }
}

/// Bit n is set for each enumeration number n.
fn bits(numbers: &[i32]) -> i32 {
    numbers.iter().fold(0, |mask, number| mask | (1 << number))
}

/// Zero: no bound, or not known.
fn limits(builder: &mut SqlInfoDataBuilder) {
    for code in [
        SqlInfo::SqlMaxBinaryLiteralLength,
        SqlInfo::SqlMaxCharLiteralLength,
        SqlInfo::SqlMaxColumnNameLength,
        SqlInfo::SqlMaxColumnsInGroupBy,
        SqlInfo::SqlMaxColumnsInIndex,
        SqlInfo::SqlMaxColumnsInOrderBy,
        SqlInfo::SqlMaxColumnsInSelect,
        SqlInfo::SqlMaxColumnsInTable,
        SqlInfo::SqlMaxConnections,
        SqlInfo::SqlMaxCursorNameLength,
        SqlInfo::SqlMaxIndexLength,
        SqlInfo::SqlDbSchemaNameLength,
        SqlInfo::SqlMaxProcedureNameLength,
        SqlInfo::SqlMaxCatalogNameLength,
        SqlInfo::SqlMaxRowSize,
        SqlInfo::SqlMaxStatementLength,
        SqlInfo::SqlMaxStatements,
        SqlInfo::SqlMaxTableNameLength,
        SqlInfo::SqlMaxTablesInSelect,
        SqlInfo::SqlMaxUsernameLength,
        SqlInfo::SqlDefaultTransactionIsolation,
    ] {
        builder.append(code, 0_i64);
    }
}

#[cfg(test)]
mod tests;
