//! The table of functions: names, arguments, results.

use sqlparser::ast as sql;

use super::{
    DateUnit, Expr, ExpressionError, Function, Parameter, TypedExpr,
    literal::Number,
    refusals::shown,
    typer::{Operand, Typer},
    types::{integer_type, is_comparable, is_numeric},
};
use crate::{data_type::DataType, principal::ClaimType, yaml::nearest_hint};

type Result<T> = std::result::Result<T, ExpressionError>;

/// Every name that can be called, for suggestions and for the documentation's test.
pub(crate) const NAMES: &[&str] = &[
    "abs",
    "char_length",
    "character_length",
    "claim",
    "claim_has",
    "coalesce",
    "concat",
    "contains",
    "date_part",
    "date_trunc",
    "day",
    "ends_with",
    "extract",
    "has_role",
    "in_lookup",
    "is_under",
    "left",
    "length",
    "lower",
    "month",
    "now",
    "nullif",
    "purpose",
    "quarter",
    "replace",
    "right",
    "starts_with",
    "subject",
    "substr",
    "substring",
    "today",
    "trim",
    "upper",
    "year",
];

const AGGREGATES: &[&str] = &[
    "count",
    "sum",
    "min",
    "max",
    "avg",
    "array_agg",
    "string_agg",
    "first_value",
    "last_value",
    "row_number",
    "rank",
    "dense_rank",
    "lag",
    "lead",
    "median",
    "stddev",
    "approx_distinct",
    "bool_and",
    "bool_or",
];

const MAX_COUNT: u16 = 1000;

impl Typer<'_> {
    pub(super) fn function(&mut self, call: &sql::Function) -> Result<Operand> {
        let name = call.name.to_string().to_lowercase();
        if call.over.is_some() || call.filter.is_some() || !call.within_group.is_empty() {
            return Err(aggregate(&name));
        }
        let plain = call.parameters == sql::FunctionArguments::None
            && call.null_treatment.is_none()
            && !call.uses_odbc_syntax;
        let args = if plain { arguments(&call.args) } else { None };
        let Some(args) = args else {
            return Err(if NAMES.contains(&name.as_str()) { called_oddly(&name) } else { refused(&name) });
        };
        self.call(&name, &args)
    }

    fn call(&mut self, name: &str, args: &[&sql::Expr]) -> Result<Operand> {
        match (name, args) {
            ("claim", [claim]) => self.claim(claim),
            ("claim_has", [claim, value]) => self.claim_has(claim, value),
            ("in_lookup", [lookup, value]) => self.in_lookup(lookup, value),
            ("subject", []) => Ok(parameter(Parameter::Subject, DataType::Text)),
            ("purpose", []) => Ok(parameter(Parameter::Purpose, DataType::Text)),
            ("today", []) => Ok(parameter(Parameter::Today, DataType::Date)),
            ("now", []) => Ok(Operand::Now),
            ("has_role", [role]) => {
                let role = self.literal_text(role, "the role")?;
                Ok(parameter(Parameter::HasRole(role), DataType::Boolean))
            }
            ("lower", [text]) => self.texts(Function::Lower, &[text], DataType::Text),
            ("upper", [text]) => self.texts(Function::Upper, &[text], DataType::Text),
            ("length" | "char_length" | "character_length", [text]) => {
                self.texts(Function::Length, &[text], DataType::Int64)
            }
            ("concat", [_, ..]) => self.texts(Function::Concat, args, DataType::Text),
            ("starts_with", [_, _]) => self.texts(Function::StartsWith, args, DataType::Boolean),
            ("ends_with", [_, _]) => self.texts(Function::EndsWith, args, DataType::Boolean),
            ("contains", [_, _]) => self.texts(Function::Contains, args, DataType::Boolean),
            ("is_under", [_, _]) => self.texts(Function::IsUnder, args, DataType::Boolean),
            ("left", [text, count]) => {
                let count = self.literal_count(count)?;
                self.texts(Function::Left(count), &[text], DataType::Text)
            }
            ("right", [text, count]) => {
                let count = self.literal_count(count)?;
                self.texts(Function::Right(count), &[text], DataType::Text)
            }
            ("replace", [text, from, to]) => self.replace(text, from, to),
            ("coalesce", [_, ..]) => self.of_common_type(Function::Coalesce, args),
            ("nullif", [_, _]) => self.of_common_type(Function::NullIf, args),
            ("abs", [number]) => self.abs(number),
            ("date_trunc", [unit, moment]) => self.date_trunc(unit, moment),
            ("date_part", [unit, moment]) => {
                let unit = self.date_unit(unit)?;
                self.date_part(unit, moment)
            }
            ("year", [moment]) => self.date_part(DateUnit::Year, moment),
            ("quarter", [moment]) => self.date_part(DateUnit::Quarter, moment),
            ("month", [moment]) => self.date_part(DateUnit::Month, moment),
            ("day", [moment]) => self.date_part(DateUnit::Day, moment),
            _ => Err(refused(name)),
        }
    }

    fn texts(&mut self, function: Function, args: &[&sql::Expr], data_type: DataType) -> Result<Operand> {
        let mut typed = Vec::with_capacity(args.len());
        for arg in args {
            typed.push(self.text(arg)?);
        }
        Ok(call(function, typed, data_type))
    }

    fn of_common_type(&mut self, function: Function, args: &[&sql::Expr]) -> Result<Operand> {
        let (args, data_type) = self.unify(args)?;
        if function == Function::NullIf && !is_comparable(&data_type) {
            return Err(ExpressionError::new(format!("values of type {data_type} cannot be compared")));
        }
        Ok(call(function, args, data_type))
    }

    fn claim(&mut self, name: &sql::Expr) -> Result<Operand> {
        let name = self.literal_text(name, "the claim")?;
        let data_type = match self.claim_type(&name)? {
            ClaimType::Text => DataType::Text,
            ClaimType::Integer => DataType::Int64,
            ClaimType::Boolean => DataType::Boolean,
            ClaimType::Date => DataType::Date,
            ClaimType::Texts | ClaimType::Integers => {
                return Err(ExpressionError::new(format!("the claim `{name}` is a list"))
                    .hint(format!("write claim_has('{name}', column)")));
            }
        };
        Ok(parameter(Parameter::Claim(name), data_type))
    }

    fn claim_has(&mut self, name: &sql::Expr, value: &sql::Expr) -> Result<Operand> {
        let claim = self.literal_text(name, "the claim")?;
        let claim_type = self.claim_type(&claim)?;
        let TypedExpr { expr, data_type } = self.any(value)?;
        let fits = match claim_type {
            ClaimType::Texts => data_type == DataType::Text,
            ClaimType::Integers => integer_type(&data_type).is_some(),
            _ => {
                return Err(ExpressionError::new(format!("the claim `{claim}` is not a list"))
                    .hint(format!("write claim('{claim}') = {}", shown(value))));
            }
        };
        if !fits {
            return Err(ExpressionError::new(format!(
                "the claim `{claim}` is a {claim_type}, `{}` is {data_type}",
                shown(value)
            )));
        }
        Ok(Operand::typed(Expr::InClaim { claim, expr: Box::new(expr) }, DataType::Boolean))
    }

    fn in_lookup(&mut self, name: &sql::Expr, value: &sql::Expr) -> Result<Operand> {
        let lookup = self.literal_text(name, "the lookup")?;
        let Some(lookups) = self.scope.lookups else {
            return Err(ExpressionError::new("lookups are computed where the data is, not here")
                .hint("test membership in `rows` or in a mask"));
        };
        let Some(key_type) = lookups.get(&lookup) else {
            return Err(ExpressionError::new(format!("there is no lookup `{lookup}`"))
                .maybe_hint(nearest_hint(&lookup, lookups.keys().map(String::as_str))));
        };
        let operand = self.operand(value)?;
        let expr = self.adapt(operand, key_type, value).map_err(|_| {
            ExpressionError::new(format!(
                "the keys of the lookup `{lookup}` are {key_type}, `{}` is not",
                shown(value)
            ))
            .hint(format!("write TRY_CAST({} AS ..) if the types differ", shown(value)))
        })?;
        Ok(Operand::boolean(Expr::InLookup { lookup, expr: Box::new(expr) }))
    }

    fn replace(&mut self, text: &sql::Expr, from: &sql::Expr, to: &sql::Expr) -> Result<Operand> {
        let from = self.literal_text(from, "the text to replace")?;
        let to = self.literal_text(to, "the replacement")?;
        if from.is_empty() {
            return Err(ExpressionError::new("the text to replace is empty"));
        }
        self.texts(Function::Replace { from, to }, &[text], DataType::Text)
    }

    pub(super) fn substring(
        &mut self,
        text: &sql::Expr,
        from: Option<&sql::Expr>,
        length: Option<&sql::Expr>,
    ) -> Result<Operand> {
        let start = from.map_or(Ok(1), |from| self.literal_integer(from))?;
        let length = length.map(|length| self.literal_integer(length)).transpose()?;
        let start = u32::try_from(start).ok().filter(|start| *start >= 1);
        let length = length.map(|length| u32::try_from(length).map_err(|_| ())).transpose();
        let (Some(start), Ok(length)) = (start, length) else {
            return Err(ExpressionError::new("SUBSTRING counts from 1 and takes no negative length"));
        };
        self.texts(Function::Substring { start, length }, &[text], DataType::Text)
    }

    pub(super) fn trim(&mut self, side: Option<&sql::TrimWhereField>, text: &sql::Expr) -> Result<Operand> {
        if !matches!(side, None | Some(sql::TrimWhereField::Both)) {
            return Err(ExpressionError::new("TRIM works on both sides only"));
        }
        self.texts(Function::Trim, &[text], DataType::Text)
    }

    fn abs(&mut self, number: &sql::Expr) -> Result<Operand> {
        let TypedExpr { expr, data_type } = self.any(number)?;
        if !is_numeric(&data_type) {
            return Err(ExpressionError::new(format!("`{}` is {data_type}, not a number", shown(number))));
        }
        Ok(call(Function::Abs, vec![expr], data_type))
    }

    fn date_trunc(&mut self, unit: &sql::Expr, moment: &sql::Expr) -> Result<Operand> {
        let unit = self.date_unit(unit)?;
        let TypedExpr { expr, data_type } = self.moment(unit, moment)?;
        Ok(call(Function::DateTrunc(unit), vec![expr], data_type))
    }

    pub(super) fn extract(&mut self, field: &sql::DateTimeField, moment: &sql::Expr) -> Result<Operand> {
        let name = field.to_string();
        let unit = unit_by_name(&name).ok_or_else(|| unknown_unit(&name))?;
        self.date_part(unit, moment)
    }

    fn date_part(&mut self, unit: DateUnit, moment: &sql::Expr) -> Result<Operand> {
        let TypedExpr { expr, .. } = self.moment(unit, moment)?;
        Ok(call(Function::DatePart(unit), vec![expr], DataType::Int64))
    }

    /// A date or a timestamp that has the unit.
    fn moment(&mut self, unit: DateUnit, moment: &sql::Expr) -> Result<TypedExpr> {
        let typed = self.any(moment)?;
        let of_day = matches!(unit, DateUnit::Hour | DateUnit::Minute | DateUnit::Second);
        match &typed.data_type {
            DataType::Timestamp { .. } => Ok(typed),
            DataType::Date if !of_day => Ok(typed),
            DataType::Date => Err(ExpressionError::new(format!("the date `{}` has no hours", shown(moment)))),
            other => Err(ExpressionError::new(format!(
                "`{}` is {other}, neither a date nor a timestamp",
                shown(moment)
            ))
            .hint("write a date literal as DATE 'YYYY-MM-DD'")),
        }
    }

    fn date_unit(&mut self, unit: &sql::Expr) -> Result<DateUnit> {
        let name = self.literal_text(unit, "the unit")?;
        unit_by_name(&name).ok_or_else(|| unknown_unit(&name))
    }

    fn literal_text(&mut self, expr: &sql::Expr, what: &str) -> Result<String> {
        match self.operand(expr)? {
            Operand::Text(text) => Ok(text),
            _ => Err(ExpressionError::new(format!("{what} must be a text literal, not `{}`", shown(expr)))),
        }
    }

    fn literal_integer(&mut self, expr: &sql::Expr) -> Result<i128> {
        match self.operand(expr)? {
            Operand::Number(Number::Exact { value, scale: 0 }) => Ok(value),
            _ => Err(ExpressionError::new(format!("`{}` must be a whole number", shown(expr)))),
        }
    }

    fn literal_count(&mut self, expr: &sql::Expr) -> Result<u16> {
        let count = self.literal_integer(expr)?;
        u16::try_from(count).ok().filter(|count| *count <= MAX_COUNT).ok_or_else(|| {
            ExpressionError::new(format!("the number of characters is from 0 to {MAX_COUNT}, not {count}"))
        })
    }
}

fn parameter(parameter: Parameter, data_type: DataType) -> Operand {
    Operand::typed(Expr::Parameter { parameter, data_type: data_type.clone() }, data_type)
}

fn call(function: Function, args: Vec<Expr>, data_type: DataType) -> Operand {
    Operand::typed(Expr::Call { function, args, data_type: data_type.clone() }, data_type)
}

fn arguments(args: &sql::FunctionArguments) -> Option<Vec<&sql::Expr>> {
    let sql::FunctionArguments::List(list) = args else { return None };
    if list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
        return None;
    }
    let plain = |arg| match arg {
        &sql::FunctionArg::Unnamed(sql::FunctionArgExpr::Expr(ref expr)) => Some(expr),
        _ => None,
    };
    list.args.iter().map(plain).collect()
}

fn unit_by_name(name: &str) -> Option<DateUnit> {
    Some(match name.to_lowercase().as_str() {
        "year" => DateUnit::Year,
        "quarter" => DateUnit::Quarter,
        "month" => DateUnit::Month,
        "week" => DateUnit::Week,
        "day" => DateUnit::Day,
        "hour" => DateUnit::Hour,
        "minute" => DateUnit::Minute,
        "second" => DateUnit::Second,
        _ => return None,
    })
}

fn unknown_unit(name: &str) -> ExpressionError {
    let units = ["year", "quarter", "month", "week", "day", "hour", "minute", "second"];
    ExpressionError::new(format!("`{name}` is not a unit of time")).maybe_hint(nearest_hint(name, units))
}

fn called_oddly(name: &str) -> ExpressionError {
    ExpressionError::new(format!("`{name}` is called in a way that is not supported"))
}

fn aggregate(name: &str) -> ExpressionError {
    ExpressionError::new(format!("`{name}` looks at other rows; a policy sees one row at a time"))
}

fn refused(name: &str) -> ExpressionError {
    if AGGREGATES.contains(&name) {
        return aggregate(name);
    }
    match name {
        "pseudonym" => ExpressionError::new("pseudonyms are masks, not functions")
            .hint("write `pseudonym(space)` as the mask itself"),
        "random" | "uuid" | "gen_random_uuid" => {
            ExpressionError::new(format!("`{name}` gives something else each time: not in a policy"))
        }
        "current_date" => ExpressionError::new("`current_date` is not a function here").hint("use today()"),
        "current_timestamp" => {
            ExpressionError::new("`current_timestamp` is not a function here").hint("use now()")
        }
        "current_user" | "session_user" => {
            ExpressionError::new(format!("`{name}` is not a function here")).hint("use subject()")
        }
        _ if NAMES.contains(&name) => {
            ExpressionError::new(format!("`{name}` is called with the wrong number of arguments"))
        }
        "round" | "floor" | "ceil" | "sqrt" | "power" | "ln" | "log" | "regexp_match" | "regexp_replace"
        | "regexp_like" | "to_date" | "to_timestamp" | "md5" | "sha256" | "digest" => {
            ExpressionError::new(format!("the function `{name}` is not part of the policy language"))
        }
        _ => ExpressionError::new(format!("there is no function `{name}`")).maybe_hint(
            crate::yaml::nearest(name, NAMES.iter().copied()).map(|near| format!("did you mean `{near}`?")),
        ),
    }
}
