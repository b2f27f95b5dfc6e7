use std::collections::BTreeMap;

use super::*;
use crate::{ClaimValue, Column, Principal, Statement, data_type::TimeUnit, principal::ClaimType};

fn columns() -> Vec<Column> {
    let zoned = DataType::Timestamp { unit: TimeUnit::Microsecond, zone: Some("Europe/Berlin".into()) };
    let columns = [
        ("region", DataType::Text),
        ("note", DataType::Text),
        ("order_id", DataType::Int64),
        ("store", DataType::Int32),
        ("small", DataType::UInt8),
        ("total", DataType::Decimal { precision: 12, scale: 2 }),
        ("huge", DataType::Decimal { precision: 38, scale: 2 }),
        ("score", DataType::Float64),
        ("order_date", DataType::Date),
        ("created_at", DataType::Timestamp { unit: TimeUnit::Microsecond, zone: None }),
        ("seen_at", zoned),
        ("active", DataType::Boolean),
        ("raw", DataType::Binary),
        (
            "tags",
            DataType::List(Box::new(crate::data_type::Field {
                name: "item".into(),
                data_type: DataType::Text,
                nullable: true,
            })),
        ),
    ];
    columns
        .into_iter()
        .map(|(name, data_type)| Column {
            name: name.into(),
            data_type,
            required: false,
            classification: None,
            tags: vec![],
            nested: vec![],
        })
        .collect()
}

fn claims() -> BTreeMap<String, ClaimDefinition> {
    let staff = vec!["staff".to_owned(), "contractor".to_owned()];
    [
        ("employment", ClaimType::Text, staff),
        ("org_path", ClaimType::Text, vec![]),
        ("level", ClaimType::Integer, vec![]),
        ("external", ClaimType::Boolean, vec![]),
        ("since", ClaimType::Date, vec![]),
        ("regions", ClaimType::Texts, vec![]),
        ("stores", ClaimType::Integers, vec![]),
    ]
    .into_iter()
    .map(|(name, claim_type, values)| (name.to_owned(), ClaimDefinition { claim_type, values }))
    .collect()
}

fn with_scope<T>(run: impl FnOnce(Scope<'_>) -> T) -> T {
    let (columns, claims) = (columns(), claims());
    run(Scope {
        columns: &columns,
        claims: &claims,
        lookups: None,
        zone: chrono_tz::Europe::Berlin,
        cell: None,
    })
}

fn read(text: &str) -> Result<Expr, ExpressionError> {
    with_scope(|scope| condition(text, scope))
}

#[track_caller]
fn reads(text: &str, canonical: &str) {
    match read(text) {
        Ok(expr) => assert_eq!(expr.to_string(), canonical, "{text}"),
        Err(error) => panic!("{text}: {error}; {:?}", error.hint),
    }
}

/// The message and the hint hold these parts.
#[track_caller]
fn refuses(text: &str, message: &str, hint: &str) {
    let error = match read(text) {
        Ok(expr) => panic!("{text:.200} reads as {expr:.200}"),
        Err(error) => error,
    };
    assert!(error.message.contains(message), "{text:.200}: {error}");
    let given = error.hint.clone().unwrap_or_default();
    assert!(given.contains(hint), "{text:.200}: {error}; {given}");
    assert_eq!(hint.is_empty(), error.hint.is_none(), "{text:.200}: {error}; {given}");
}

/// The truth of a condition over nothing but a caller.
fn truth_of(text: &str) -> Option<bool> {
    let regions = vec!["DE".to_owned(), "AT".to_owned()];
    let principal = Principal {
        issuer: "https://login.example".into(),
        subject: "anna".into(),
        roles: ["analyst".to_owned()].into(),
        groups: Default::default(),
        claims: [
            ("employment".to_owned(), ClaimValue::Text("staff".into())),
            ("org_path".to_owned(), ClaimValue::Text("/emea/dach".into())),
            ("level".to_owned(), ClaimValue::Integer(3)),
            ("external".to_owned(), ClaimValue::Boolean(false)),
            ("since".to_owned(), ClaimValue::Date(20_000)),
            ("regions".to_owned(), ClaimValue::Texts(regions)),
            ("stores".to_owned(), ClaimValue::Integers(vec![1, 300])),
        ]
        .into(),
        purpose: Some("support".into()),
        purposes: Default::default(),
    };
    // 2026-11-22T23:30:00Z: the 23rd in Berlin.
    let statement = Statement { instant: 1_795_390_200_000_000, zone: chrono_tz::Europe::Berlin };
    let claims = claims();
    let scope =
        Scope { columns: &[], claims: &claims, lookups: None, zone: chrono_tz::Europe::Berlin, cell: None };
    let expr = condition(text, scope).unwrap_or_else(|error| panic!("{text:.200}: {error}"));
    assert!(can_be_computed(&expr), "{text}");
    let bound = Caller { principal: &principal, statement: &statement }.bind(&expr);
    truth(&bound).unwrap_or_else(|| panic!("{text} is left as {bound}"))
}

#[test]
fn conditions_read() {
    reads("region = 'DE'", "(\"region\" = 'DE')");
    reads("Region = 'DE' AND NOT active", "and((\"region\" = 'DE'), not(\"active\"))");
    reads("\"region\" <> 'it''s'", "(\"region\" <> 'it''s')");
    reads("region = 'a' or region = 'b' or active", "or((\"region\" = 'a'), (\"region\" = 'b'), \"active\")");
    reads("active", "\"active\"");
    reads("true", "true");
    reads("null", "null:boolean");
    reads("active is not true", "not(is_true(\"active\"))");
    reads("active is false", "is_true(not(\"active\"))");
    reads("active is unknown", "is_null(\"active\")");
    reads("note is not null", "is_not_null(\"note\")");
    reads("region is distinct from 'DE'", "(\"region\" is distinct from 'DE')");
    reads("region is not distinct from note", "(\"region\" is not distinct from \"note\")");
    reads("region in ('DE', 'AT')", "in(\"region\", ['DE', 'AT'])");
    reads("region not in ('DE')", "not_in(\"region\", ['DE'])");
    reads("region in (note, 'DE')", "or((\"region\" = \"note\"), in(\"region\", ['DE']))");
    reads("region not in (note)", "not(or((\"region\" = \"note\")))");
    reads(
        "total between 1 and 2.5",
        "and((\"total\" >= 100:decimal(12,2)), (\"total\" <= 250:decimal(12,2)))",
    );
    reads("note like 'a\\%%'", "like(\"note\", 'a\\%%')");
    reads("note not ilike '%x_'", "not_ilike(\"note\", '%x_')");
    reads(
        "case when active then region = 'DE' else false end",
        "case(\"active\" -> (\"region\" = 'DE'), else false):boolean",
    );
    reads("case region when 'DE' then active end", "case((\"region\" = 'DE') -> \"active\", ):boolean");
}

#[test]
fn literals_take_the_type_of_the_other_side() {
    reads("order_id = 5", "(\"order_id\" = 5:int64)");
    reads("5 = store", "(5:int32 = \"store\")");
    reads("small < -1", "(cast(\"small\", int64) < -1:int64)");
    reads("store > 3000000000", "(cast(\"store\", int64) > 3000000000:int64)");
    reads("store = 1.5", "(cast(\"store\", decimal(11,1)) = 15:decimal(11,1))");
    reads("total >= 10", "(\"total\" >= 1000:decimal(12,2))");
    reads("total >= 99.995", "(cast(\"total\", decimal(13,3)) >= 99995:decimal(13,3))");
    reads("score < 0.5", "(\"score\" < 3fe0000000000000:float64)");
    reads("score < 1e3", "(\"score\" < 408f400000000000:float64)");
    reads("total < 9999999999.99", "(\"total\" < 999999999999:decimal(12,2))");
    reads("total < 10000000000.00", "(cast(\"total\", decimal(13,2)) < 1000000000000:decimal(13,2))");
    reads("created_at < '1970-01-01 00:00:01.5'", "(\"created_at\" < 1500000:timestamp(us))");
    reads("order_date >= '2026-01-31'", "(\"order_date\" >= 20484:date)");
    reads("order_date >= date '1970-01-02'", "(\"order_date\" >= 1:date)");
    reads("created_at < '1970-01-01 00:00:01'", "(\"created_at\" < 1000000:timestamp(us))");
    reads("created_at < '1970-01-02'", "(\"created_at\" < 86400000000:timestamp(us))");
    reads("seen_at < '1970-01-01 01:00:00'", "(\"seen_at\" < 0:timestamp(us,Europe/Berlin))");
    reads("seen_at < '1970-01-01T00:00:00Z'", "(\"seen_at\" < 0:timestamp(us,Europe/Berlin))");
    reads("order_id = store", "(\"order_id\" = cast(\"store\", int64))");
    reads("store = total", "(cast(\"store\", decimal(12,2)) = \"total\")");
    reads("now() > created_at", "(now():timestamp(us) > \"created_at\")");
    reads("now() > seen_at", "(now():timestamp(us,Europe/Berlin) > \"seen_at\")");
}

#[test]
fn where_is_distinct_from_ends_is_never_guessed() {
    reads(
        "active is distinct from (active and total > 1)",
        "(\"active\" is distinct from and(\"active\", (\"total\" > 100:decimal(12,2))))",
    );
    reads(
        "(region is distinct from note) and active",
        "and((\"region\" is distinct from \"note\"), \"active\")",
    );
    reads(
        "active and region is distinct from upper(note)",
        "and(\"active\", (\"region\" is distinct from upper(\"note\")))",
    );
    assert!(read("region is not distinct from note || 'x'").is_ok());
    reads("store is distinct from -5", "(\"store\" is distinct from -5:int32)");
    for text in [
        "active is distinct from active and total > 1",
        "active is distinct from active or active",
        "active is not distinct from active = active",
        "active is distinct from not active",
        "active is distinct from active is null",
        "active is distinct from region in ('DE')",
    ] {
        refuses(text, "where IS DISTINCT FROM ends is not clear", "parentheses");
    }
}

#[test]
fn a019_types_are_not_coerced() {
    refuses("region = 5", "does not go together", "single quotes");
    refuses("order_id = '5'", "does not go together", "");
    refuses("order_date = '31.01.2026'", "does not go together", "YYYY-MM-DD");
    refuses("order_date = '2026-02-30'", "does not go together", "YYYY-MM-DD");
    refuses("seen_at = '2026-03-29 02:30:00'", "does not go together", "+00:00");
    refuses("order_date = created_at", "have no common type", "CAST(created_at AS DATE)");
    refuses("created_at > today()", "have no common type", "CAST(created_at AS DATE)");
    refuses("order_date < now()", "does not go together", "today()");
    refuses("created_at = seen_at", "have no common type", "");
    refuses("region = order_id", "have no common type", "CAST(order_id AS TEXT)");
    refuses("order_id = score", "have no common type", "");
    refuses("tags = tags", "cannot be compared", "");
    refuses("order_id = region", "have no common type", "CAST(order_id AS TEXT)");
    refuses("created_at = 'x'", "does not go together", "'YYYY-MM-DD HH:MM:SS'");
    refuses("nullif(tags, tags) is null", "cannot be compared", "");
    refuses("region", "`region` is text, not a condition", "compare");
    refuses(&format!("lower('{}') = 5", "x".repeat(99)), "xx...` (text) does", "single quotes");
    refuses("'true'", "not a condition", "compare");
    refuses("1", "not a condition", "compare");
    refuses("not region", "not a condition", "compare");
    refuses("active and 1", "not a condition", "compare");
    refuses("lower(order_id) = 'x'", "not a text", "CAST(order_id AS TEXT)");
    refuses("null = null", "nothing but NULL", "IS NULL");
}

#[test]
fn a019_unknown_names() {
    refuses("regoin = 'DE'", "no column `regoin`", "`region`");
    refuses("region = \"DE\"", "no column `DE`", "single quotes");
    refuses("orders.region = 'DE'", "not a column", "bare");
    refuses("region = DE", "no column `de`", "known:");
    refuses("order_date < current_date", "current_date", "today()");
    refuses("created_at < current_timestamp", "current_timestamp", "now()");
    refuses("note = current_user", "current_user", "subject()");
    refuses("note = session_user", "session_user", "subject()");
    refuses("lowr(region) = 'x'", "no function `lowr`", "`lower`");
    refuses("frobnicate(region) = 'x'", "no function `frobnicate`", "");
    refuses("claim('regoins') = 'x'", "no claim `regoins`", "`regions`");
    refuses("value = 'x'", "no column `value`", "known:");
}

#[test]
fn a019_a111_what_looks_elsewhere_is_refused() {
    refuses("region in (select region from entitlements)", "subqueries", "declare a lookup");
    refuses("region not in (select region from e)", "subqueries", "declare a lookup");
    refuses("exists (select 1)", "subqueries", "declare a lookup");
    refuses("region = (select 'x')", "subqueries", "declare a lookup");
    refuses("region = any (select 'x')", "subqueries", "declare a lookup");
    refuses("max(total) > 1", "looks at other rows", "");
    refuses("count(*) > 1", "looks at other rows", "");
    refuses("sum(total) over () > 1", "looks at other rows", "");
    refuses("length(region) over () > 1", "looks at other rows", "");
    refuses("length(region) filter (where active) > 1", "looks at other rows", "");
    refuses("length(region) within group (order by note) > 1", "looks at other rows", "");
    refuses("random() < 0.5", "something else each time", "");
    refuses("region in ('DE', null)", "NULL in an IN list", "leave it out");
    refuses("in_lookup('x', region)", "computed where the data is", "in `rows` or in a mask");
    refuses("region ~ 'x'", "not supported", "LIKE");
    refuses("region rlike 'x'", "regular expressions", "LIKE");
    refuses("region <=> note", "not supported", "IS NOT DISTINCT FROM");
    refuses("$1 = region", "placeholders", "claim(");
    refuses("region = 'a'; drop table x", "not expected", "");
    refuses("region = 'a' b", "not expected", "");
    refuses("region =", "not an expression", "");
    refuses("", "empty", "");
    refuses("  ", "empty", "");
    refuses("region = 'a", "not an expression", "");
    refuses("(region, note) = ('a', 'b')", "not supported", "");
    refuses("note like region", "must be a text literal", "starts_with");
    refuses("note like 'a\\'", "ends in an escape", "backslash");
    refuses("note like 'a' escape '!'", "escape character", "");
}

#[test]
fn a_function_is_called_with_its_arguments_and_nothing_else() {
    for call in [
        "{fn lower(region)}",
        "lower(1)(region)",
        "lower(region) ignore nulls",
        "lower(distinct region)",
        "concat(region, note order by region)",
        "lower(*)",
        "lower(text => region)",
    ] {
        refuses(&format!("{call} = 'x'"), "is called in a way that is not supported", "");
    }
}

#[test]
fn what_can_fail_is_refused() {
    refuses("active + active = 1", "values of type boolean cannot be computed with", "");
    refuses("cast(region as int) = 1", "can fail", "TRY_CAST(region AS INT)");
    refuses("cast(order_id as int) = 1", "can fail", "TRY_CAST");
    refuses("total::decimal(10,2) = 1", "can fail", "TRY_CAST");
    refuses("cast(active as date) = today()", "no cast", "");
    refuses("cast(order_date as text) = 'x'", "no cast", "");
    refuses("cast(region as json) = 'x'", "not a type", "known:");
    refuses("order_id / store = 1", "can fail", "literal other than 0");
    refuses("order_id / 0 = 1", "can fail", "literal other than 0");
    refuses("order_id % 0 = 1", "can fail", "literal other than 0");
    refuses("score / 0.0 = 1", "can fail", "literal other than 0");
    refuses("total / nullif(total, 0) = 1", "can fail", "literal other than 0");
    refuses("huge * 2 = 1", "more than 38 digits", "DOUBLE");
    refuses("huge + huge = 1", "more than 38 digits", "DOUBLE");
    refuses("region + 'x' = 'y'", "cannot be computed", "||");
    refuses("order_date - order_date = 1", "not a number of days", "literal");
    refuses("created_at - interval '1 day' < now()", "not a date", "CAST");
    refuses("order_date + interval '1 month' < today()", "not a number of days", "7 days");
    refuses("left(region, -1) = 'x'", "from 0 to 1000", "");
    refuses("left(region, store) = 'x'", "whole number", "");
    refuses("substring(region, 0) = 'x'", "counts from 1", "");
    refuses("replace(region, '', 'x') = 'x'", "empty", "");
    refuses("date_trunc('decade', order_date) = today()", "not a unit", "known:");
    refuses("extract(hour from order_date) = 1", "no hours", "");
    refuses("round(score) = 1", "not part of the policy language", "");
    refuses("abs(region) = 1", "not a number", "");
    refuses("-small = 1", "no negative", "");
    refuses("lower(region, note) = 'x'", "wrong number", "");
}

#[test]
fn what_cannot_fail_reads() {
    reads("cast(store as bigint) = 1", "(cast(\"store\", int64) = 1:int64)");
    reads("try_cast(region as int) = 1", "(try_cast(\"region\", int32) = 1:int32)");
    reads("cast(created_at as date) <= today()", "(cast(\"created_at\", date) <= today():date)");
    reads("store::text = '5'", "(cast(\"store\", text) = '5')");
    reads("order_id / 10 = 1", "((\"order_id\" / 10:int64):int64 = 1:int64)");
    reads("score / 2.0 = 1.0", "((\"score\" / 4000000000000000:float64):float64 = 3ff0000000000000:float64)");
    reads("coalesce(tags, tags) is null", "is_null(coalesce(\"tags\", \"tags\"))");
    reads("total * total > 1", "((\"total\" * \"total\"):decimal(25,4) > 10000:decimal(25,4))");
    reads("total / 4 > 1", "((\"total\" / 400:decimal(12,2)):decimal(18,6) > 1000000:decimal(18,6))");
    reads("order_date + 7 > today()", "(add_days(\"order_date\", 7) > today():date)");
    reads("order_date - interval '30 days' > today()", "(add_days(\"order_date\", -30) > today():date)");
    reads("order_date > today() - interval '30' day", "(\"order_date\" > add_days(today():date, -30))");
    reads("-store = 1", "(-(\"store\") = 1:int32)");
    reads("abs(total) = 1", "(abs(\"total\") = 100:decimal(12,2))");
    reads(
        "region || '-' || note = 'x'",
        "(case(or(is_null(\"region\"), is_null(\"note\")) -> null:text, else concat(\"region\", '-', \"note\")):text = 'x')",
    );
    reads("concat(region, note) = 'x'", "(concat(\"region\", \"note\") = 'x')");
    reads("left(region, 2) = right(region, 2)", "(left(\"region\", 2) = right(\"region\", 2))");
    reads("substring(region from 2 for 3) = 'x'", "(substring(\"region\", 2, 3) = 'x')");
    reads("substr(region, 2) = 'x'", "(substring(\"region\", 2) = 'x')");
    reads("trim(region) = 'x'", "(trim(\"region\") = 'x')");
    reads("length(region) = 2", "(length(\"region\") = 2:int64)");
    reads("replace(region, 'a', '') = 'x'", "(replace(\"region\", 'a', '') = 'x')");
    reads(
        "starts_with(region, 'D') and ends_with(region, note) and contains(region, 'E')",
        "and(starts_with(\"region\", 'D'), ends_with(\"region\", \"note\"), contains(\"region\", 'E'))",
    );
    reads("coalesce(note, region, 'x') = 'x'", "(coalesce(\"note\", \"region\", 'x') = 'x')");
    reads("nullif(store, 0) = 1", "(nullif(\"store\", 0:int32) = 1:int32)");
    reads(
        "order_date < date_trunc('quarter', today())",
        "(\"order_date\" < date_trunc(today():date, quarter))",
    );
    reads("extract(year from order_date) = 2026", "(date_part(\"order_date\", year) = 2026:int64)");
    reads(
        "year(seen_at) = 2026 and month(order_date) = 1 and day(order_date) = 1",
        "and((date_part(\"seen_at\", year) = 2026:int64), (date_part(\"order_date\", month) = 1:int64), (date_part(\"order_date\", day) = 1:int64))",
    );
    reads(
        "upper(region) = 'DE' and lower(note) = 'x'",
        "and((upper(\"region\") = 'DE'), (lower(\"note\") = 'x'))",
    );
}

#[test]
fn callers_are_seen_through_functions() {
    reads("claim_has('regions', region)", "claim_has('regions', \"region\")");
    reads("claim_has('stores', store)", "claim_has('stores', \"store\")");
    reads("store <= claim('level')", "(cast(\"store\", int64) <= claim('level'):int64)");
    reads("is_under(note, claim('org_path'))", "is_under(\"note\", claim('org_path'):text)");
    reads("note = subject() or has_role('x')", "or((\"note\" = subject():text), has_role('x'):boolean)");
    reads("purpose() = 'support'", "(purpose():text = 'support')");
    refuses("claim('regions') = 'DE'", "is a list", "claim_has('regions', column)");
    refuses("claim_has('employment', region)", "is not a list", "claim('employment') = region");
    refuses("claim_has('regions', store)", "is a list<text>", "");
    refuses("claim_has('stores', region)", "is a list<integer>", "");
    refuses("claim(region) = 'x'", "text literal", "");
    refuses("claim('employment') = 'stff'", "never is 'stff'", "`staff`");
    refuses("claim('employment') in ('staff', 'boss')", "never is 'boss'", "known:");
    refuses("claim('level') = 'x'", "does not go together", "");
}

#[test]
fn without_a_row_there_are_no_columns() {
    let claims = claims();
    let scope = Scope { columns: &[], claims: &claims, lookups: None, zone: chrono_tz::UTC, cell: None };
    let error = condition("region = 'DE'", scope).unwrap_err();
    assert!(error.message.contains("there is no row"), "{error}");
}

#[test]
fn r19_r20_sizes_are_bounded() {
    let long_or = vec!["region = 'DE'"; 700].join(" or ");
    assert!(read(&long_or).is_ok());
    assert!(read(&format!("active{}", " ".repeat(16 * 1024 - 6))).is_ok());
    refuses(&format!("active{}", " ".repeat(16 * 1024 - 5)), "longer than 16384 bytes", "");
    // Four words and signs each, less one.
    let terms = vec!["1=1"; 1_000].join(" or ");
    assert!(read(&format!("not {terms}")).is_ok());
    refuses(&format!("not not {terms}"), "more than 4000", "");
    // The comparison is one level, the column another.
    let sums = |count: usize| format!("order_id{} = 1", " + 1".repeat(count));
    assert!(read(&sums(62)).is_ok());
    refuses(&sums(63), "more than 64 levels", "");
    refuses(&vec!["a"; 4_100].join("+"), "more than 4000", "");
    refuses(&vec!["1"; 1_900].join("+"), "levels inside", "");
    refuses(&format!("{}active{}", "(".repeat(3000), ")".repeat(3000)), "more than 4000", "");
    refuses(&format!("{}active{}", "(".repeat(1500), ")".repeat(1500)), "levels inside", "");
    assert!(read(&format!("{}active", "not ".repeat(1500))).is_err());
    // Operands that the tree repeats must not let it grow with the depth of the text.
    let nested = (0..15).fold("region".to_owned(), |inner, _| format!("(({inner}) || 'x')"));
    refuses(&format!("{nested} = 'x'"), "too complex", "simpler");
    let nested = (0..15).fold("active".to_owned(), |inner, _| format!("(({inner}) between true and active)"));
    refuses(&nested, "too complex", "simpler");
    let nested = (0..20).fold("order_id".to_owned(), |inner, _| format!("abs({inner})"));
    refuses(&format!("{nested} = 1"), "too complex", "simpler");
    let nested = (0..30).fold("order_date".to_owned(), |inner, _| format!("({inner} + 1)"));
    assert!(read(&format!("{nested} = today()")).is_ok());
}

#[test]
fn constants_are_computed() {
    let cases = [
        ("claim('employment') = 'staff'", Some(true)),
        ("claim('employment') <> 'staff'", Some(false)),
        ("claim('level') >= 3 and claim('level') between 1 and 3", Some(true)),
        ("claim('level') + 1 = 4 and claim('level') * 2 = 6 and claim('level') / 2 = 1", Some(true)),
        ("claim('level') % 2 = 1 and -claim('level') = -3 and abs(-claim('level')) = 3", Some(true)),
        ("not claim('external')", Some(true)),
        ("claim('since') < '2026-01-01'", Some(true)),
        ("claim('since') + 10 = date '2024-10-14'", Some(true)),
        ("today() = '2026-11-23'", Some(true)),
        ("date_trunc('month', today()) = '2026-11-01'", Some(true)),
        ("date_trunc('quarter', today()) = '2026-10-01'", Some(true)),
        ("date_trunc('week', today()) = '2026-11-23'", Some(true)),
        ("year(today()) = 2026 and extract(week from today()) = 48", Some(true)),
        ("extract(hour from now()) = 0 and extract(minute from now()) = 30", Some(true)),
        ("now() < '2026-11-23 00:30:01' and now() >= '2026-11-22T23:30:00Z'", Some(true)),
        ("claim_has('regions', 'DE')", Some(true)),
        ("claim_has('regions', 'FR')", Some(false)),
        ("claim_has('stores', 300)", Some(true)),
        ("has_role('analyst') and not has_role('boss')", Some(true)),
        ("subject() in ('anna', 'rita')", Some(true)),
        ("subject() not in ('anna', 'rita')", Some(false)),
        ("purpose() = 'support'", Some(true)),
        ("is_under(claim('org_path'), '/emea')", Some(true)),
        ("is_under(claim('org_path'), '/em')", Some(false)),
        ("is_under(claim('org_path'), '/')", Some(true)),
        ("is_under(claim('org_path'), '')", Some(false)),
        ("is_under('', '')", Some(true)),
        ("subject() like 'a%' and subject() ilike 'ANN_' and subject() not like 'n%'", Some(true)),
        ("'a%b' like 'a\\%b' and 'axb' not like 'a\\%b' and 'aXbXc' like 'a%b%c'", Some(true)),
        ("upper(subject()) = 'ANNA' and length('größe') = 5 and trim('  a ') = 'a'", Some(true)),
        ("left(subject(), 2) = 'an' and right(subject(), 3) = 'nna'", Some(true)),
        ("substring(subject(), 2, 2) = 'nn' and replace(subject(), 'n', 'm') = 'amma'", Some(true)),
        ("subject() || '!' = 'anna!' and concat(subject(), nullif('a', 'a'), 'x') = 'annax'", Some(true)),
        ("coalesce(nullif(subject(), 'anna'), 'x') = 'x'", Some(true)),
        ("case when claim('level') > 5 then false when true then true end", Some(true)),
        ("case claim('level') when 1 then true end", None),
        ("cast(claim('level') as text) = '3' and cast(claim('external') as text) = 'false'", Some(true)),
        ("null", None),
        ("null or true", Some(true)),
        ("null and false", Some(false)),
        ("null or false", None),
        ("not (null = 1)", None),
        ("cast(null as text) is null and (null = 1) is not true and (null = 1) is unknown", Some(true)),
        ("subject() is distinct from null", Some(true)),
        ("cast(null as text) is not distinct from null", Some(true)),
        ("cast(null as text) in ('a')", None),
        ("1.50 = 1.5 and 2 > 1.99", Some(true)),
        ("1.25 + 1.5 = 2.75 and 2.75 - 1.5 = 1.25 and 1.5 * 1.5 = 2.25 and 2.5 % 1.0 = 0.5", Some(true)),
        ("abs(-1.5) = 1.5 and abs(1.5) = 1.5 and -(1.5) = -1.5", Some(true)),
        ("claim('external') = false and claim('external') < true and claim('external') <> true", Some(true)),
        ("cast(claim('external') as int) = 0 and cast(not claim('external') as bigint) = 1", Some(true)),
        ("cast(cast(claim('external') as int) as bigint) = 0", Some(true)),
        ("cast(claim('level') as decimal(38, 2)) = 3.00", Some(true)),
        (
            "starts_with(subject(), 'an') and ends_with(subject(), 'na') and contains(subject(), 'nn')",
            Some(true),
        ),
        (
            "starts_with(subject(), 'nn') or ends_with(subject(), 'an') or contains(subject(), 'x')",
            Some(false),
        ),
        ("lower('ANNA') = 'anna' and lower('ANNA') <> 'ANNA'", Some(true)),
        ("date_trunc('week', date '2026-11-26') = '2026-11-23'", Some(true)),
        (
            "extract(quarter from date '2026-11-26') = 4 and extract(quarter from date '2026-03-31') = 1",
            Some(true),
        ),
        ("extract(day from today()) = 23 and date_trunc('day', today()) = today()", Some(true)),
        ("now() between '2026-11-23 00:30:00' and '2026-11-23 00:30:00'", Some(true)),
        (
            "'aXbXc' like 'a%Xc' and 'abab' like '%ab' and 'aab' like '%ab' and 'ab' not like 'a_b'",
            Some(true),
        ),
        ("null or claim('level') = 4 or null", None),
        ("nullif(subject(), 'otto') = 'anna' and nullif('a', cast(null as text)) = 'a'", Some(true)),
        ("nullif(subject(), 'anna') is null and nullif(cast(null as text), 'a') is null", Some(true)),
        ("extract(second from now()) = 0 and extract(week from now()) = 48", Some(true)),
        ("cast(cast(claim('level') as decimal(20, 1)) as decimal(22, 3)) = 3.000", Some(true)),
        ("9223372036854775808 > 9223372036854775807", Some(true)),
    ];
    for (text, expected) in cases {
        assert_eq!(truth_of(text), expected, "{text}");
    }
}

/// Of floats, of quotients of decimals, of casts that a decision does not know.
#[test]
fn what_the_engine_computes_is_left_to_it() {
    let (principal, zone) = (Principal::default(), chrono_tz::Europe::Berlin);
    let statement = Statement { instant: 0, zone };
    let caller = Caller { principal: &principal, statement: &statement };
    for text in [
        "total > 3.0 / 2.0",
        "score > 1e0 + 1e0",
        "1e0 in (1e0, 2e0)",
        "1e0 = 1e0",
        "score > abs(-1e0)",
        "cast(1.5 as text) = 'x'",
        "try_cast('5' as int) = 5",
    ] {
        let expr = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(caller.bind(&expr), expr, "{text}");
    }
    let decimal = Expr::Literal(Literal::Decimal { value: 150, precision: 3, scale: 0 });
    for to in [DataType::Int64, DataType::Text, DataType::Float64] {
        let cast = Expr::Cast { expr: Box::new(decimal.clone()), to };
        assert_eq!(fold::fold(cast.clone()), cast);
    }
}

#[test]
fn junctions_inside_their_like_are_one() {
    for (text, canonical) in [
        ("active and (active and region = 'x')", "and(\"active\", \"active\", (\"region\" = 'x'))"),
        ("active or (active or region = 'x')", "or(\"active\", \"active\", (\"region\" = 'x'))"),
        ("active and (active or region = 'x')", "and(\"active\", or(\"active\", (\"region\" = 'x')))"),
    ] {
        assert_eq!(fold::fold(read(text).unwrap()).to_string(), canonical);
    }
}

#[test]
fn whole_numbers_and_fractions_keep_to_their_types() {
    reads("order_id = -5", "(\"order_id\" = -5:int64)");
    reads("total = -1.500", "(\"total\" = -150:decimal(12,2))");
    // Three places do not fit the column, so the column is widened.
    reads("total = 1.505", "(cast(\"total\", decimal(13,3)) = 1505:decimal(13,3))");
    reads("score = 0.1", "(\"score\" = 3fb999999999999a:float64)");
    reads("score = -9007199254740992", "(\"score\" = c340000000000000:float64)");
    refuses("score = 9007199254740993", "9007199254740993", "");
    reads("score = -1e0", "(\"score\" = bff0000000000000:float64)");
    refuses("cast(order_id as decimal(2, 3)) = 1", "at most 38 digits", "");
    let digits = "9".repeat(38);
    assert_eq!(Number::parse(&digits), digits.parse().ok().map(|value| Number::Exact { value, scale: 0 }));
    let long = format!("1{}", "0".repeat(38));
    for wrong in ["", ".", "-5", "+5", "1_0", "0x1", "٣", "1.-5", &long] {
        assert_eq!(Number::parse(wrong), None, "{wrong}");
    }
    let real = |text| Number::parse(text).unwrap().to_literal(&DataType::Float32);
    assert!(real("16777216").is_some() && real("16777217").is_none() && real("0.1").is_some());
    reads("cast(active as int) = 1", "(cast(\"active\", int32) = 1:int32)");
}

#[test]
fn what_a_when_cannot_decide_is_known() {
    let space = crate::PseudonymSpace { name: "person".into(), scope: crate::PseudonymScope::Mesh };
    assert!(!fold_call::can_call(&Function::Pseudonym(space), &[Expr::Null(DataType::Text)]));
    assert!(fold_call::can_call(&Function::Lower, &[Expr::Null(DataType::Text)]));
    let claims = claims();
    let scope = Scope { columns: &[], claims: &claims, lookups: None, zone: chrono_tz::UTC, cell: None };
    for text in [
        "cast(claim('level') as double) is null",
        "cast(today() as timestamp) is not null",
        "cast(now() as date) = today()",
        "cast(cast(claim('level') as decimal(20, 0)) as text) = '3'",
        "-(case when has_role('x') then 1e0 end) is null",
        "(case when has_role('x') then 1e0 end) in (1e0)",
        "abs(case when has_role('x') then 1e0 end) is null",
        "date_trunc('hour', now()) < now()",
        "cast(claim('level') as double) < 1.5",
        "cast(claim('level') as decimal(20, 0)) / 2 = 1.5",
        "-cast(claim('level') as double) = -3e0",
        "cast(claim('level') as double) in (3e0)",
        "abs(cast(claim('level') as double)) = 3e0",
        "try_cast(subject() as int) = 1",
        "1e0 = 1e0",
    ] {
        assert!(!can_be_computed(&condition(text, scope).unwrap()), "{text}");
    }
}
