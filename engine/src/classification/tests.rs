use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::Volatility;

use super::*;

/// Everything that the engine registers by default, with its own word on volatility.
fn registered() -> Vec<(Kind, String, Option<Volatility>)> {
    let mut all = Vec::new();
    for function in SessionStateDefaults::default_scalar_functions() {
        all.push((Kind::Scalar, function.name().to_owned(), Some(function.signature().volatility)));
    }
    for function in SessionStateDefaults::default_higher_order_functions() {
        all.push((Kind::HigherOrder, function.name().to_owned(), None));
    }
    for function in SessionStateDefaults::default_aggregate_functions() {
        all.push((Kind::Aggregate, function.name().to_owned(), Some(function.signature().volatility)));
    }
    for function in SessionStateDefaults::default_window_functions() {
        all.push((Kind::Window, function.name().to_owned(), Some(function.signature().volatility)));
    }
    for function in SessionStateDefaults::default_table_functions() {
        all.push((Kind::Table, function.name().to_owned(), None));
    }
    all
}

#[test]
fn the_table_is_complete_and_has_nothing_stale() {
    let registered: BTreeSet<_> = registered().into_iter().map(|(kind, name, _)| (kind, name)).collect();
    let mut classified = BTreeSet::new();
    for (kind, name, _) in functions::all() {
        assert!(classified.insert((kind, name.to_owned())), "{kind:?} {name} is there twice");
    }
    let missing: Vec<_> = registered.difference(&classified).collect();
    let stale: Vec<_> = classified.difference(&registered).collect();
    assert!(missing.is_empty(), "unclassified: {missing:?}");
    assert!(stale.is_empty(), "no longer there: {stale:?}");
}

#[test]
fn what_the_engine_calls_volatile_is_volatile_here_and_refused() {
    for (kind, name, volatility) in registered() {
        let known = function(kind, &name).unwrap();
        let volatile = volatility == Some(Volatility::Volatile);
        assert_eq!(known.behaviour == Behaviour::Volatile, volatile, "{name}");
        assert!(!volatile || matches!(known.offer, Offer::Refused(_)), "{name}");
    }
}

#[test]
fn unknown_functions_and_other_kinds_are_refused() {
    assert!(is_allowed(Kind::Scalar, "lower"));
    for (kind, name) in [
        (Kind::Scalar, "no_such_function"),
        (Kind::Scalar, "LOWER"),
        (Kind::Aggregate, "lower"),
        (Kind::Scalar, "repeat"),
        (Kind::Scalar, "random"),
        (Kind::Scalar, "version"),
        (Kind::Table, "range"),
        (Kind::HigherOrder, "array_transform"),
    ] {
        assert!(!is_allowed(kind, name), "{name}");
    }
    assert_eq!(function(Kind::Scalar, "lower").unwrap().behaviour, Behaviour::Infallible);
    assert_eq!(function(Kind::Scalar, "abs").unwrap().behaviour, Behaviour::Fallible);
}

#[test]
fn casts_by_name_are_to_plain_types_and_in_statements_only() {
    for name in ["arrow_cast", "arrow_try_cast"] {
        assert!(is_cast(name) && is_allowed(Kind::Scalar, name) && !is_sent(Kind::Scalar, name), "{name}");
    }
    assert!(!is_cast("lower") && is_sent(Kind::Scalar, "lower"));
    for plain in [
        "Utf8View",
        "Int8",
        "Float32",
        "Decimal256(50, 2)",
        "Timestamp(Nanosecond, Some(\"Europe/Berlin\"))",
        "Interval(MonthDayNano)",
        "Dictionary(Int32, Utf8)",
    ] {
        assert!(is_cast_type(plain), "{plain}");
    }
    let long = format!("Int8{}", " ".repeat(TYPE_NAME_MAX));
    for other in [
        "List(Int64)",
        "FixedSizeBinary(1000000)",
        "FixedSizeList(1000000, Int64)",
        "Dictionary(Int32, List(Int64))",
        "Dictionary(Int8, Dictionary(Int8, Utf8))",
        "Null",
        "nonsense",
        "",
        &long,
    ] {
        assert!(!is_cast_type(other), "{other}");
    }
}

#[test]
fn operators() {
    assert_eq!(operator(Operator::Eq).behaviour, Behaviour::Infallible);
    assert_eq!(operator(Operator::Divide).behaviour, Behaviour::Fallible);
    assert_eq!(operator(Operator::Divide).offer, Offer::Allowed);
    assert_eq!(operator(Operator::Arrow).offer, Offer::Refused(Reason::NotImplemented));
}

fn documentation() -> String {
    let mut text = String::from(
        "# SQL functions\n\n\
         Made from the table in `engine/src/classification`; a test compares the two.\n\n\
         *Infallible* functions have a result for all values. *Fallible* ones end a query with an error \
         for some values of visible rows. What is refused is refused everywhere.\n",
    );
    for (kind, title) in [
        (Kind::Scalar, "Scalar functions"),
        (Kind::Aggregate, "Aggregate functions"),
        (Kind::Window, "Window functions"),
        (Kind::HigherOrder, "Functions that take functions"),
        (Kind::Table, "Table functions"),
    ] {
        let _ = write!(text, "\n## {title}\n\n| function | behaviour | offered |\n|---|---|---|\n");
        let mut rows: Vec<_> = functions::all().filter(|(of, _, _)| *of == kind).collect();
        rows.sort_unstable_by_key(|(_, name, _)| *name);
        for (_, name, known) in rows {
            let behaviour = format!("{:?}", known.behaviour).to_lowercase();
            let offer = match known.offer {
                Offer::Allowed => "yes".to_owned(),
                Offer::AsCast => {
                    "yes: to types of one value that clients can read, in single quotes".to_owned()
                }
                Offer::Refused(reason) => format!("no: {}", reason.text()),
            };
            let _ = writeln!(text, "| `{name}` | {behaviour} | {offer} |");
        }
    }
    text
}

fn documentation_file() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/sql-functions.md")
}

#[test]
fn the_documentation_is_made_from_the_table() {
    let written = std::fs::read_to_string(documentation_file()).unwrap_or_default();
    assert!(
        written == documentation(),
        "run `cargo test -p meshgate-engine write_the_documentation -- --ignored`"
    );
}

#[test]
#[ignore = "writes docs/sql-functions.md"]
fn write_the_documentation() {
    std::fs::write(documentation_file(), documentation()).unwrap();
}
