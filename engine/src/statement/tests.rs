use super::*;

fn parse_default(text: &str) -> Result<Asked, StatementError> {
    parse(text, &StatementLimits::default())
}

#[test]
fn queries_are_accepted() {
    for text in [
        "select 1",
        "with a as (select 1) select * from a",
        "with recursive a as (select 1 as n union all select n + 1 from a where n < 9) select * from a",
        "values (1), (2)",
        "(select 1) union all select 2 order by 1 limit 3 offset 1",
        "select * from sales.orders o join hr.people p using (id) where exists (select 1 from t) and a in (1, 2)",
        "select case when a then 1 else 2 end, count(*) filter (where b) over (partition by c) from t",
        "select a, sum(b) from t group by rollup (a) having sum(b) > 1 qualify row_number() over () = 1",
        "select * from unnest([1, 2, 3])",
        "select * exclude (a) from t",
        "select 1;",
        "select 'drop table; -- not', \"for update\" from t /* into x */",
    ] {
        assert!(parse_default(text).is_ok(), "{text}: {:?}", parse_default(text));
    }
}

#[test]
fn a071_a072_other_statements_are_refused_by_name() {
    for (text, expected) in [
        ("create table t as select 1", "CREATE"),
        ("create external table t stored as csv location '/etc/passwd'", "CREATE"),
        ("create view v as select 1", "CREATE"),
        ("create function f() returns int return 1", "CREATE"),
        ("copy (select 1) to '/tmp/x.csv'", "COPY"),
        ("insert into t values (1)", "INSERT"),
        ("update t set a = 1", "UPDATE"),
        ("delete from t", "DELETE"),
        ("merge into t using u on t.a = u.a when matched then delete", "MERGE"),
        ("drop table t", "DROP"),
        ("truncate table t", "TRUNCATE"),
        ("set a = 1", "SET"),
        ("show all", "SHOW"),
        ("show columns", "SHOW"),
        ("show functions", "SHOW"),
        ("show create table t", "SHOW"),
        ("show variables", "SHOW"),
        ("show databases", "SHOW"),
        ("describe select 1", "DESCRIBE"),
        ("reset a", "RESET"),
        ("explain analyze insert into t values (1)", "INSERT"),
        ("explain analyze explain select 1", "EXPLAIN"),
        ("explain policy explain analyze select 1", "EXPLAIN"),
        ("explain copy (select 1) to '/tmp/x.csv'", "COPY"),
        ("explain insert into t values (1)", "INSERT"),
        ("explain show tables", "SHOW"),
        ("explain explain select 1", "EXPLAIN"),
        ("explain policy explain select 1", "EXPLAIN"),
        ("explain policy delete from t", "DELETE"),
        ("explain policy show tables", "SHOW"),
        ("explain policy create external table t stored as csv location '/x'", "CREATE"),
        ("prepare p as select 1", "PREPARE"),
        ("execute p", "EXECUTE"),
        ("deallocate p", "DEALLOCATE"),
        ("begin", "BEGIN"),
        ("start transaction", "START"),
        ("commit", "COMMIT"),
        ("rollback", "ROLLBACK"),
        ("grant select on t to u", "GRANT"),
        ("use x", "USE"),
    ] {
        let error = parse_default(text).unwrap_err();
        assert!(
            matches!(error, StatementError::NotAQuery { kind, .. } if kind == expected),
            "{text}: {error}"
        );
    }
    let error = parse_default("set a = 1").unwrap_err().to_string();
    assert_eq!(
        error,
        "SET is not accepted: the purpose is the one setting, as in `SET meshgate.purpose = 'x'` and `RESET meshgate.purpose`"
    );
}

#[test]
fn explanations_are_of_one_query() {
    let Ok(Asked::Query(query)) = parse_default("select a from t") else { panic!("a query") };
    assert_eq!(parse_default("explain select a from t"), Ok(Asked::Explain(query.clone())));
    for text in ["explain analyze select a from t", "EXPLAIN (ANALYZE) select a from t"] {
        assert_eq!(parse_default(text), Ok(Asked::ExplainAnalyze(query.clone())), "{text}");
    }
    for text in ["explain policy select a from t", "EXPLAIN /* x */ Policy\n select a from t ;"] {
        assert_eq!(parse_default(text), Ok(Asked::ExplainPolicy(query.clone())), "{text}");
    }
    // The word is no word of its own elsewhere.
    assert!(matches!(parse_default("select policy from policy"), Ok(Asked::Query(_))));
    assert_eq!(parse_default("explain policy"), Err(StatementError::Empty));
    for text in [
        "explain verbose select 1",
        "explain format tree select 1",
        "explain (verbose) select 1",
        "explain analyze verbose select 1",
    ] {
        assert_eq!(
            parse_default(text),
            Err(StatementError::Unsupported { clause: "an option of EXPLAIN" }),
            "{text}"
        );
    }
    assert!(matches!(
        parse_default("explain policy select 1; select 2"),
        Err(StatementError::Several { count: 2 })
    ));
    // The same bounds hold inside.
    assert!(matches!(
        parse_default("explain policy select * from t for update"),
        Err(StatementError::Unsupported { .. })
    ));
}

#[test]
fn questions_about_what_there_is() {
    let like = |pattern: &str, ignore_case| Some(Like { pattern: pattern.to_owned(), ignore_case });
    let schema = |catalog: Option<&str>, schema: &str| {
        Some(SchemaReference { catalog: catalog.map(str::to_owned), schema: schema.to_owned() })
    };
    let table = datafusion::common::TableReference::partial("sales", "orders");
    for (text, expected) in [
        ("show tables", Show::Tables { schema: None, like: None }),
        ("show tables from Sales", Show::Tables { schema: schema(None, "sales"), like: None }),
        (
            "show tables in mesh.\"Sales\" like 'o%'",
            Show::Tables { schema: schema(Some("mesh"), "Sales"), like: like("o%", false) },
        ),
        ("show schemas", Show::Schemas { like: None }),
        ("show schemas ilike 'S%'", Show::Schemas { like: like("S%", true) }),
        ("show columns from sales.orders", Show::Columns { table: table.clone(), like: None }),
        (
            "show columns from Sales.Orders like 'a'",
            Show::Columns { table: table.clone(), like: like("a", false) },
        ),
        ("show columns from orders from sales", Show::Columns { table: table.clone(), like: None }),
        ("describe sales.orders", Show::Describe { table: table.clone() }),
        ("desc sales.orders", Show::Describe { table }),
    ] {
        assert_eq!(parse_default(text), Ok(Asked::Show(expected)), "{text}");
    }
    for text in [
        "show tables where true",
        "show tables limit 1",
        "show tables starts with 'a'",
        "show tables in account",
        "show schemas in sales",
        "show tables from a.b.c",
    ] {
        assert!(matches!(parse_default(text), Err(StatementError::Unsupported { .. })), "{text}");
    }
    for text in
        ["show full tables", "show extended columns from t", "describe formatted t", "show terse tables"]
    {
        assert!(matches!(parse_default(text), Err(StatementError::NotAQuery { .. })), "{text}");
    }
}

#[test]
fn a071_statements_inside_queries_are_refused() {
    for text in [
        "with a as (insert into t values (1) returning *) select * from a",
        "with a as (delete from t returning *) select * from a",
        "with a as (select 1) insert into t select * from a",
        "with a as (update t set x = 1 returning *) select * from a",
        "with a as (merge into t using u on t.a = u.a when matched then delete) select 1",
    ] {
        let error = parse_default(text).unwrap_err();
        assert!(
            matches!(error, StatementError::NotAQuery { .. } | StatementError::Syntax { .. }),
            "{text}: {error:?}"
        );
    }
}

#[test]
fn a075_several_statements_and_none_are_refused() {
    assert_eq!(parse_default("select 1; select 2").unwrap_err(), StatementError::Several { count: 2 });
    assert_eq!(parse_default("select 1; drop table t").unwrap_err(), StatementError::Several { count: 2 });
    assert_eq!(parse_default(" -- nothing\n ;").unwrap_err(), StatementError::Empty);
    assert_eq!(parse_default("").unwrap_err(), StatementError::Empty);
}

#[test]
fn a076_what_does_not_parse_says_where_and_nothing_of_us() {
    let error = parse_default("select (1").unwrap_err().to_string();
    assert!(error.starts_with("the statement does not parse: ") && !error.contains("ParserError"), "{error}");
    assert!(matches!(parse_default("select 'open"), Err(StatementError::Syntax { .. })));
    let error = parse_default(&format!("select \"{}\" \u{7} from t )", "x".repeat(3000))).unwrap_err();
    assert!(error.to_string().len() < 300 && !error.to_string().contains('\u{7}'), "{error}");
}

#[test]
fn a077_hostile_identifiers_are_identifiers() {
    for text in [
        "select 1 as \"; drop table t --\"",
        "select 1 as \"for update\" from \"a\"\"b\".\"c.d\"",
        "select 1 as \"\u{202e}abc\0def\n\"",
    ] {
        assert!(parse_default(text).is_ok(), "{text:?}: {:?}", parse_default(text));
    }
}

#[test]
fn a078_clauses_that_would_be_ignored_are_refused() {
    for text in [
        "select * from t tablesample (10)",
        "select * from t tablesample bernoulli (10 percent)",
        "select * from (select 1) tablesample (10)",
        "select * from t for system_time as of '2020-01-01'",
        "select * from t pivot (sum(a) for b in (1))",
        "select * from t unpivot (a for b in (c, d))",
        "select * into u from t",
        "select * from t for update",
        "select * from t for share",
        "select * from t where a in (select a from u for update)",
        "select top 3 * from t",
        "select * from t with (nolock)",
        "select * from t prewhere a = 1",
        "select * from t settings max_threads = 1",
        "select * from t format JSON",
        "select * from t sort by a",
        "select * from t cluster by a",
        "select a from t distribute by a",
        "select a, sum(b) from t group by a with rollup",
        "select a from t order by a with fill",
        "select as value a from t",
        "select * from t partition (p0)",
        "select * from t global join u on true",
        "select * from t lateral view explode(a) b as c",
        "from t |> where a = 1",
        "table t",
        "select * from generate_series(1, 10)",
        "select * from read_csv('/etc/passwd')",
        "select * from lateral f(1)",
        "select * from table(f(1))",
    ] {
        let error = parse_default(text).unwrap_err();
        assert!(
            matches!(error, StatementError::Unsupported { .. } | StatementError::Syntax { .. }),
            "{text}: {error:?}"
        );
    }
}

#[test]
fn types_are_named_shortly_where_a_function_casts_to_them() {
    let nested = |levels| {
        format!("select arrow_cast(a, '{}Int8{}') from t", repeat("List(", levels), repeat(")", levels))
    };
    for text in [
        "select arrow_cast(a, 'Int8') from t where arrow_try_cast(b, 'Dictionary(Int32, Utf8)') = 'x'"
            .to_owned(),
        nested(3),
    ] {
        assert!(parse_default(&text).is_ok(), "{text}");
    }
    for text in [
        nested(10_000),
        nested(10_000).replace("arrow_cast", "\"arrow_cast\""),
        nested(10_000).replace("arrow_cast", "Arrow_Try_Cast"),
        "select arrow_cast(a, ?) from t".to_owned(),
        "select arrow_cast(a, 'Int' || '8') from t".to_owned(),
        "select arrow_cast(a, b => 'Int8') from t".to_owned(),
        "select arrow_cast(a) from t".to_owned(),
        "select arrow_cast('Int8') from t".to_owned(),
    ] {
        let error = parse_default(&text).unwrap_err();
        assert!(matches!(error, StatementError::Unsupported { .. }), "{error:?}");
    }
}

#[test]
fn parameters_are_numbered_as_they_are_written() {
    let shown = |text: &str| match parse_default(text).unwrap() {
        Asked::Query(query)
        | Asked::Explain(query)
        | Asked::ExplainAnalyze(query)
        | Asked::ExplainPolicy(query) => (query.to_string(), parameter_count(&query)),
        Asked::Show(question) => panic!("{question:?}"),
    };
    for (text, written, count) in [
        (
            "select ? from t where a = ? and b in (?, '?') limit ?",
            "SELECT $1 FROM t WHERE a = $2 AND b IN ($3, '?') LIMIT $4",
            4,
        ),
        ("select $2, $1, $2", "SELECT $2, $1, $2", 2),
        // The text behind the dollar of a quoted string is no parameter.
        ("select $a$ ? $1 $a$, /* ? */ ?", "SELECT $a$ ? $1 $a$, $1", 1),
        ("explain select ? from t", "SELECT $1 FROM t", 1),
        ("explain policy select ? from t where a = ?", "SELECT $1 FROM t WHERE a = $2", 2),
    ] {
        assert_eq!(shown(text), (written.to_owned(), count), "{text}");
    }
    assert!(matches!(parse_default("show tables like ?"), Err(StatementError::Syntax { .. })));
}

#[test]
fn other_ways_to_write_a_parameter_are_refused() {
    use StatementError::{ParameterGap, ParameterMix, ParameterName};
    let error = |text: &str| parse_default(text).unwrap_err();
    for text in ["select ?, $1", "select $1, ?", "select 1 where a = ? or b = $2"] {
        assert_eq!(error(text), ParameterMix, "{text}");
    }
    for name in ["$a", "$0", "$01", "$1a", "$", "?1", ":a", ":1", "$99999999999999999999999"] {
        let error = error(&format!("select {name}"));
        // Some of them are no values to the parser: what matters is that none gets through.
        assert!(matches!(error, ParameterName { .. } | StatementError::Syntax { .. }), "{name}: {error:?}");
    }
    assert_eq!(error("select $2"), ParameterGap { missing: 1 });
    assert_eq!(error("select $1, $3, $4"), ParameterGap { missing: 2 });
    let many = format!("select 1 where a in ({}?)", repeat("?,", 500));
    assert_eq!(error(&many), StatementError::TooMany { what: "parameters", limit: 500 });
    assert!(parse_default(&format!("select 1 where a in ({}?)", repeat("?,", 499))).is_ok());
}

fn repeat(unit: &str, count: usize) -> String {
    unit.repeat(count)
}

#[test]
fn r18_to_r21_size_and_depth_are_bounded() {
    for text in [
        format!("select {}1", repeat("1 + ", 1_001)),
        format!("select {}1", repeat("1 + ", 10_000)),
        format!("select {}'a'", repeat("'a' || ", 5_000)),
        format!("select 1 where {}true", repeat("true and ", 5_000)),
        format!("select 1 where {}true", repeat("true or ", 5_000)),
        format!("select {}1{}", repeat("(", 10_000), repeat(")", 10_000)),
        format!("select {}1{}", repeat("(", 49), repeat(")", 49)),
        format!("select {}1{}", repeat("[", 10_000), repeat("]", 10_000)),
        format!("select {}1{}", repeat("abs(", 10_000), repeat(")", 10_000)),
        format!("select {}1{}", repeat("(select ", 5_000), repeat(")", 5_000)),
        format!("select {}1{}", repeat("case when true then ", 60), repeat(" end", 60)),
        format!("select case {} end", repeat("when a then b ", 501)),
        format!("select 1 {}", repeat("union all select 1 ", 129)),
        format!("select * from t {}", repeat("join t using (a) ", 65)),
        format!("select * from t{}", repeat(", t", 65)),
        format!("with {} b as (select 1) select 1", repeat("a as (select 1), ", 300)),
        format!("select {}1", repeat("- ", 2_000)),
        format!("select {}1", repeat("not ", 2_000)),
        format!("select {}'1'", repeat("interval ", 2_000)),
        format!("select a {}", repeat("at time zone 'UTC' ", 2_000)),
        format!("select a {}", repeat("collate c ", 3_000)),
        format!("select a {}", repeat("is null ", 3_000)),
        format!("select a{}", repeat("::int", 5_000)),
        format!("select a{}", repeat("[1]", 20_000)),
        format!("select 1 in ({}1)", repeat("1,", 5_000)),
        format!("select 1 in ({}1)", repeat("1,", 30_000)),
        format!("select {}1", repeat("1,", 2_000)),
        format!("values {}(1)", repeat("(1),", 15_000)),
        format!("select '{}'", repeat("x", 65 * 1024)),
    ] {
        let error = parse_default(&text).unwrap_err();
        assert!(
            matches!(error, StatementError::TooMany { .. } | StatementError::TooDeep { .. }),
            "{}: {error:?}",
            text.chars().take(40).collect::<String>()
        );
    }
}

#[test]
fn what_is_within_the_bounds_works_to_the_last_one() {
    for text in [
        format!("select {}1", repeat("1 + ", 1_000)),
        format!("select {}1{}", repeat("(", 48), repeat(")", 48)),
        format!("select {}1{}", repeat("abs(", 48), repeat(")", 48)),
        format!("select case {} end", repeat("when a then b ", 500)),
        format!("select 1 {}", repeat("union all select 1 ", 128)),
        format!("select * from t {}", repeat("join t using (a) ", 64)),
        format!("select {}1", repeat("1,", 1_999)),
        format!("select 1 in ({}1)", repeat("1,", 4_999)),
    ] {
        let result = parse_default(&text);
        assert!(result.is_ok(), "{}: {result:?}", text.chars().take(40).collect::<String>());
    }
}

#[test]
fn a_small_stack_is_enough() {
    let texts = [
        format!("select {}1", repeat("1 + ", 1_000)),
        format!("select {}1{}", repeat("(", 48), repeat(")", 48)),
        format!("select {}1{}", repeat("(", 30_000), repeat(")", 30_000)),
    ];
    let parsing = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
    let results = parsing
        .spawn(move || texts.iter().map(|text| parse_default(text).is_ok()).collect::<Vec<_>>())
        .unwrap()
        .join()
        .unwrap();
    assert_eq!(results, [true, true, false]);
}

#[test]
fn settings_are_read_and_nothing_else_is_taken_for_one() {
    let read = |text: &str| setting(text, &StatementLimits::default());
    let is = |value: Option<&str>| {
        let (name, value) = ("meshgate.purpose".to_owned(), value.map(str::to_owned));
        Ok(Some(Setting { name, value }))
    };
    for text in [
        "SET meshgate.purpose = 'a b'",
        "set meshgate.purpose to 'a b';",
        " -- why\n/* and */ Set MESHGATE.Purpose='a b'",
    ] {
        assert_eq!(read(text), is(Some("a b")), "{text}");
    }
    assert_eq!(read("RESET meshgate.purpose"), is(None));
    for text in ["select 1", "", "settle", "with set as (select 1) select * from set", "-- set a = '1'"] {
        assert_eq!(read(text), Ok(None), "{text}");
    }
    for text in [
        "set meshgate.purpose = a",
        "set meshgate.purpose = 1",
        "set meshgate.purpose = null",
        "set meshgate.purpose = 'a', 'b'",
        "set local meshgate.purpose = 'a'",
        "set (a, b) = ('1', '2')",
        "set role admin",
        "set time zone 'UTC'",
        "set meshgate.purpose = 'a'; select 1",
        "set meshgate.purpose",
    ] {
        assert!(read(text).is_err(), "{text}: {:?}", read(text));
    }
    // A name that no session has: who keeps the settings refuses it.
    assert!(matches!(read("reset all things"), Ok(Some(Setting { value: None, .. }))));
    // Whatever is one is no query.
    assert!(parse("set meshgate.purpose = 'a'", &StatementLimits::default()).is_err());
}
