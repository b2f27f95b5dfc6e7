//! The syntax tree. It is complete and typed: the engine lowers it without
//! looking anything up and without a cast of its own making.

use crate::{DataType, PseudonymSpace};

/// An expression with its type.
#[derive(Debug, Clone, PartialEq)]
pub struct TypedExpr {
    pub expr: Expr,
    pub data_type: DataType,
}

/// One node of an expression. Types are exact: both sides of a comparison
/// have the same type, inserted casts are [`Expr::Cast`] nodes that cannot fail.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// A raw column of the same row, by its position in the contract.
    Column {
        index: usize,
        name: String,
        data_type: DataType,
    },
    Literal(Literal),
    /// Typed NULL.
    Null(DataType),
    /// Something of the caller or the statement; `bind`
    /// replaces it by a literal. Never reaches the engine.
    Parameter {
        parameter: Parameter,
        data_type: DataType,
    },
    Not(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Compare {
        operator: ComparisonOperator,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// IS NULL; `negated`: IS NOT NULL.
    IsNull {
        expr: Box<Expr>,
        negated: bool,
    },
    /// IS TRUE: never NULL.
    IsTrue(Box<Expr>),
    /// Three-valued as in SQL. An empty list is FALSE (also for NULL).
    InList {
        expr: Box<Expr>,
        list: Vec<Literal>,
        negated: bool,
    },
    /// Membership in a list claim (`claim_has`); `bind` turns it into an
    /// `InList`. Never reaches the engine.
    InClaim {
        claim: String,
        expr: Box<Expr>,
    },
    /// Membership in the keys of a lookup of the domain (`in_lookup`). NULL for
    /// NULL, and where no key matches but one is NULL. The node has the keys.
    InLookup {
        lookup: String,
        expr: Box<Expr>,
    },
    /// LIKE with `%`, `_` and escape `\`; the pattern is a literal.
    Like {
        expr: Box<Expr>,
        pattern: String,
        negated: bool,
        ignore_case: bool,
    },
    /// CASE WHEN. All results have one type; no `otherwise` means NULL.
    Case {
        branches: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
        data_type: DataType,
    },
    /// On two operands of the same numeric type. Integers wrap, decimals only
    /// where the result type holds every result; see the function table.
    Arithmetic {
        operator: ArithmeticOperator,
        left: Box<Expr>,
        right: Box<Expr>,
        data_type: DataType,
    },
    /// Arithmetic negation of a float, a decimal or a signed integer (wraps).
    Negate(Box<Expr>),
    /// A cast for which `cast_cannot_fail`. Between dates and timestamps, what
    /// lies beyond the calendar becomes NULL.
    Cast {
        expr: Box<Expr>,
        to: DataType,
    },
    /// A cast for which `try_cast_exists`: NULL where it fails.
    TryCast {
        expr: Box<Expr>,
        to: DataType,
    },
    Call {
        function: Function,
        args: Vec<Expr>,
        data_type: DataType,
    },
    /// A column of structs, or of lists of them, with some of its fields
    /// replaced. The expression of a field reads the field alone, as the
    /// column [`FIELD_VALUE`]; no path leads into another one.
    MaskFields {
        column: Box<Expr>,
        fields: Vec<(Vec<String>, Expr)>,
    },
}

/// What the cell of a field is called in the expression of its mask.
pub const FIELD_VALUE: &str = "value";

impl Expr {
    /// The expressions directly below this one.
    pub fn children(&self) -> Vec<&Self> {
        match self {
            Self::Column { .. } | Self::Literal(_) | Self::Null(_) | Self::Parameter { .. } => Vec::new(),
            Self::Not(expr)
            | Self::IsTrue(expr)
            | Self::Negate(expr)
            | Self::IsNull { expr, .. }
            | Self::InList { expr, .. }
            | Self::InClaim { expr, .. }
            | Self::InLookup { expr, .. }
            | Self::Like { expr, .. }
            | Self::Cast { expr, .. }
            | Self::TryCast { expr, .. } => vec![expr],
            Self::And(exprs) | Self::Or(exprs) | Self::Call { args: exprs, .. } => exprs.iter().collect(),
            Self::Compare { left, right, .. } | Self::Arithmetic { left, right, .. } => vec![left, right],
            Self::MaskFields { column, fields } => {
                [column.as_ref()].into_iter().chain(fields.iter().map(|(_, expr)| expr)).collect()
            }
            Self::Case { branches, otherwise, .. } => branches
                .iter()
                .flat_map(|(condition, result)| [condition, result])
                .chain(otherwise.as_deref())
                .collect(),
        }
    }

    /// The same node over other children.
    pub(crate) fn map_children(&self, map: &dyn Fn(&Self) -> Self) -> Self {
        let boxed = |expr: &Self| Box::new(map(expr));
        let all = |exprs: &[Self]| exprs.iter().map(map).collect();
        match self {
            Self::Column { .. } | Self::Literal(_) | Self::Null(_) | Self::Parameter { .. } => self.clone(),
            Self::InClaim { claim, expr } => Self::InClaim { claim: claim.clone(), expr: boxed(expr) },
            Self::InLookup { lookup, expr } => Self::InLookup { lookup: lookup.clone(), expr: boxed(expr) },
            Self::Not(inner) => Self::Not(boxed(inner)),
            Self::And(terms) => Self::And(all(terms)),
            Self::Or(terms) => Self::Or(all(terms)),
            Self::Compare { operator, left, right } => {
                Self::Compare { operator: *operator, left: boxed(left), right: boxed(right) }
            }
            Self::IsNull { expr, negated } => Self::IsNull { expr: boxed(expr), negated: *negated },
            Self::IsTrue(inner) => Self::IsTrue(boxed(inner)),
            Self::InList { expr, list, negated } => {
                Self::InList { expr: boxed(expr), list: list.clone(), negated: *negated }
            }
            Self::Like { expr, pattern, negated, ignore_case } => Self::Like {
                expr: boxed(expr),
                pattern: pattern.clone(),
                negated: *negated,
                ignore_case: *ignore_case,
            },
            Self::Case { branches, otherwise, data_type } => Self::Case {
                branches: branches.iter().map(|(when, then)| (map(when), map(then))).collect(),
                otherwise: otherwise.as_deref().map(boxed),
                data_type: data_type.clone(),
            },
            Self::Arithmetic { operator, left, right, data_type } => Self::Arithmetic {
                operator: *operator,
                left: boxed(left),
                right: boxed(right),
                data_type: data_type.clone(),
            },
            Self::Negate(inner) => Self::Negate(boxed(inner)),
            Self::MaskFields { column, fields } => Self::MaskFields {
                column: boxed(column),
                fields: fields.iter().map(|(path, expr)| (path.clone(), map(expr))).collect(),
            },
            Self::Cast { expr, to } => Self::Cast { expr: boxed(expr), to: to.clone() },
            Self::TryCast { expr, to } => Self::TryCast { expr: boxed(expr), to: to.clone() },
            Self::Call { function, args, data_type } => {
                Self::Call { function: function.clone(), args: all(args), data_type: data_type.clone() }
            }
        }
    }

    /// Some node for which `test` holds, this one included?
    pub fn any(&self, test: &mut dyn FnMut(&Self) -> bool) -> bool {
        test(self) || self.children().into_iter().any(|child| child.any(test))
    }

    pub fn data_type(&self) -> DataType {
        match self {
            Self::Column { data_type, .. }
            | Self::Null(data_type)
            | Self::Parameter { data_type, .. }
            | Self::Case { data_type, .. }
            | Self::Arithmetic { data_type, .. }
            | Self::Call { data_type, .. }
            | Self::Cast { to: data_type, .. }
            | Self::TryCast { to: data_type, .. } => data_type.clone(),
            Self::Negate(expr) | Self::MaskFields { column: expr, .. } => expr.data_type(),
            Self::Literal(literal) => literal.data_type(),
            Self::Not(_)
            | Self::And(_)
            | Self::Or(_)
            | Self::Compare { .. }
            | Self::IsNull { .. }
            | Self::IsTrue(_)
            | Self::InList { .. }
            | Self::InClaim { .. }
            | Self::InLookup { .. }
            | Self::Like { .. } => DataType::Boolean,
        }
    }
}

impl Literal {
    pub fn data_type(&self) -> DataType {
        match self {
            Self::Boolean(_) => DataType::Boolean,
            Self::Integer { data_type, .. }
            | Self::Float { data_type, .. }
            | Self::Timestamp { data_type, .. } => data_type.clone(),
            Self::Decimal { precision, scale, .. } => {
                DataType::Decimal { precision: *precision, scale: *scale }
            }
            Self::Text(_) => DataType::Text,
            Self::Date(_) => DataType::Date,
        }
    }
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    Boolean(bool),
    /// Of the signed or unsigned integer type named.
    Integer {
        value: i128,
        data_type: DataType,
    },
    Float {
        value: f64,
        data_type: DataType,
    },
    /// `value * 10^-scale`.
    Decimal {
        value: i128,
        precision: u8,
        scale: u8,
    },
    Text(String),
    /// Days since the epoch.
    Date(i32),
    /// Count of the type's unit since the epoch.
    Timestamp {
        value: i64,
        data_type: DataType,
    },
}

/// What an expression can know of the caller and the statement.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Parameter {
    /// `claim('x')`.
    Claim(String),
    /// `subject()`.
    Subject,
    /// `purpose()`.
    Purpose,
    /// `has_role('x')`.
    HasRole(String),
    /// `today()`: the statement's day in the mesh's time zone.
    Today,
    /// `now()`: the statement's instant, a microsecond timestamp in the mesh's time zone.
    Now,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ComparisonOperator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// IS DISTINCT FROM: never NULL.
    DistinctFrom,
    /// IS NOT DISTINCT FROM: never NULL.
    NotDistinctFrom,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArithmeticOperator {
    Add,
    Subtract,
    Multiply,
    /// By a non-zero literal only.
    Divide,
    /// By a non-zero literal only.
    Modulo,
}

/// The closed set of functions. All are immutable and cannot fail for any
/// value of their argument types; where SQL's own could (a negative length, a
/// too long result), the rule stands at the variant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Function {
    Lower,
    Upper,
    /// Number of characters, int64.
    Length,
    /// Both sides, spaces.
    Trim,
    /// All arguments text; NULL counts as empty, as in `concat`.
    Concat,
    /// First non-NULL argument; all of one type.
    Coalesce,
    /// NULL if both arguments are equal.
    NullIf,
    /// First `0` characters. The number is a literal from 0 to 1000.
    Left(u16),
    /// Last `0` characters. The number is a literal from 0 to 1000.
    Right(u16),
    /// Characters from position `start` (1-based, at least 1), at most `length`.
    Substring {
        start: u32,
        length: Option<u32>,
    },
    StartsWith,
    EndsWith,
    Contains,
    /// Text, literal search text (not empty), literal replacement.
    Replace {
        from: String,
        to: String,
    },
    /// Date or timestamp cut to the unit; keeps its type.
    DateTrunc(DateUnit),
    /// Part of a date or timestamp, int64.
    DatePart(DateUnit),
    /// Date moved by a literal number of days; NULL outside the range of dates.
    AddDays(i32),
    Abs,
    /// Text: is `path` equal to `root` or below it (`root` + "/")?
    /// A root of "/" holds every path that starts with "/"; an empty root holds nothing but the empty path.
    IsUnder,
    /// `last(n)`: all but the last n characters become `*`; the length stays.
    /// A text of at most n characters becomes all `*`: a mask that shows
    /// short values whole would be none.
    KeepLast(u16),
    /// `first(n)`: as `KeepLast`, from the front.
    KeepFirst(u16),
    /// `email_domain`: `***@` and what follows the last `@`; `***` if nothing does.
    EmailDomain,
    /// `bucket(n)`: the largest multiple of n that is not above the number;
    /// NULL where the type has none.
    Bucket(u64),
    /// `round(n)`: to n decimal places, halves away from zero; NULL where the
    /// type does not hold the result.
    Round(i8),
    /// `pseudonym(space)` of a text or a 64-bit integer; keeps the type.
    /// Computed by nodes, which have the keys.
    Pseudonym(PseudonymSpace),
}

/// Calendar units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DateUnit {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
}

impl DateUnit {
    /// As SQL writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Quarter => "quarter",
            Self::Month => "month",
            Self::Week => "week",
            Self::Day => "day",
            Self::Hour => "hour",
            Self::Minute => "minute",
            Self::Second => "second",
        }
    }
}
