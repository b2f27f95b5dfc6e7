//! Queries beyond one SELECT over tables.

use super::query::Writer;
use super::scope::Scope;
use super::tables::Kind;

/// GROUP BY over one table.
pub(crate) fn grouped(writer: &mut Writer<'_>) -> String {
    let scope = writer.table("t0");
    group(writer, &scope)
}

/// GROUP BY over a join of up to three tables.
pub(crate) fn grouped_join(writer: &mut Writer<'_>) -> String {
    let first = writer.table("t0");
    let mut scope = writer.join(first, "t1");
    if writer.random.chance(40) {
        writer.hit("join of three");
        scope = writer.join(scope, "t2");
    }
    group(writer, &scope)
}

fn group(writer: &mut Writer<'_>, scope: &Scope) -> String {
    writer.hit("group by");
    let count = 1 + writer.random.below(2);
    let keys: Vec<String> = (0..count).map(|_| scope.key(writer.random).0).collect();
    let named: Vec<String> = keys.iter().enumerate().map(|(at, key)| format!("{key} as k{at}")).collect();
    let values = aggregate_items(writer, scope);
    let condition = writer.condition(scope);
    let having = if writer.random.chance(40) {
        writer.hit("having");
        let (column, kind) = scope.key(writer.random);
        let literal = writer.literal(kind);
        let choices = [
            format!(" having count(*) > {}", writer.random.below(4)),
            format!(" having max({}) >= {literal}", kind.ordered(&column)),
            format!(" having count({column}) = count(*)"),
        ];
        writer.random.pick(&choices)
    } else {
        String::new()
    };
    let (named, keys) = (named.join(", "), keys.join(", "));
    format!("select {named}, {values} from {}{condition} group by {keys}{having}", scope.from)
}

/// GROUPING SETS, ROLLUP, CUBE.
pub(crate) fn grouping_sets(writer: &mut Writer<'_>) -> String {
    let scope = if writer.random.chance(30) {
        let first = writer.table("t0");
        writer.join(first, "t1")
    } else {
        writer.table("t0")
    };
    let (one, _) = scope.key(writer.random);
    let (other, _) = scope.key(writer.random);
    let (construct, sets) = writer.random.pick(&[
        ("grouping sets", format!("grouping sets (({one}), ({other}), ())")),
        ("grouping sets", format!("grouping sets (({one}, {other}), ({other}))")),
        ("rollup", format!("rollup ({one}, {other})")),
        ("cube", format!("cube ({one}, {other})")),
    ]);
    writer.hit(construct);
    let values = aggregate_items(writer, &scope);
    let condition = writer.condition(&scope);
    format!("select {one} as k0, {other} as k1, {values} from {}{condition} group by {sets}", scope.from)
}

/// A scalar subquery among the items, by itself or in a CASE.
pub(crate) fn subquery_as_value(writer: &mut Writer<'_>) -> String {
    let (scope, inner) = (writer.table("t0"), writer.table("s"));
    let (item, _) = scope.key(writer.random);
    let aggregate = aggregate(writer, &inner);
    let (predicate, limits) = (scope.predicate(writer.random, 1), inner.predicate(writer.random, 1));
    let value = format!("(select {aggregate} from {} where {limits})", inner.from);
    let value = if writer.random.chance(30) {
        writer.hit("subquery in case");
        format!("case when {predicate} then {value} end")
    } else {
        writer.hit("subquery as a value");
        value
    };
    let condition = writer.condition(&scope);
    format!("select {item} as e0, {value} as e1 from {}{condition}", scope.from)
}

pub(crate) fn subquery_in_having(writer: &mut Writer<'_>) -> String {
    writer.hit("subquery in having");
    let (scope, inner) = (writer.table("t0"), writer.table("s"));
    let (key, _) = scope.key(writer.random);
    let limits = inner.predicate(writer.random, 1);
    let divisor = writer.random.between(2, 9);
    let condition = writer.condition(&scope);
    format!(
        "select {key} as k0, count(*) as n from {}{condition} group by {key} \
         having count(*) > (select count(*) / {divisor} from {} where {limits})",
        scope.from, inner.from
    )
}

/// Aggregates of all rows.
pub(crate) fn aggregates(writer: &mut Writer<'_>) -> String {
    writer.hit("aggregates of all rows");
    let scope = if writer.random.chance(30) {
        let first = writer.table("t0");
        writer.join(first, "t1")
    } else {
        writer.table("t0")
    };
    let values = aggregate_items(writer, &scope);
    let condition = writer.condition(&scope);
    format!("select {values} from {}{condition}", scope.from)
}

fn aggregate_items(writer: &mut Writer<'_>, scope: &Scope) -> String {
    let count = 1 + writer.random.below(3);
    let items: Vec<String> = (0..count).map(|at| format!("{} as a{at}", aggregate(writer, scope))).collect();
    items.join(", ")
}

fn aggregate(writer: &mut Writer<'_>, scope: &Scope) -> String {
    let (column, kind) = scope.key(writer.random);
    let ordered = kind.ordered(&column);
    let exact = scope.exact_numbers();
    let mut summable = exact.clone();
    summable.extend(scope.of_kind(Kind::Integer));
    summable.extend(scope.of_kind(Kind::Double));
    let call = match writer.random.below(7) {
        0 => "count(*)".to_owned(),
        1 => format!("count({column})"),
        2 => format!("count(distinct {column})"),
        3 => format!("min({ordered})"),
        4 if !exact.is_empty() => format!("avg({})", writer.random.pick(&exact)),
        5 if !summable.is_empty() => format!("sum({})", writer.random.pick(&summable)),
        _ => format!("max({ordered})"),
    };
    if writer.random.chance(20) {
        writer.hit("aggregate filter");
        return format!("{call} filter (where {})", scope.predicate(writer.random, 1));
    }
    call
}

/// Window functions: the order is that of all columns, so rows that tie are the same.
pub(crate) fn windows(writer: &mut Writer<'_>) -> String {
    writer.hit("window");
    let scope = writer.table("t0");
    let is_key = |column: &&(String, Kind)| column.1.is_comparable();
    let all: Vec<String> = scope.columns.iter().filter(is_key).map(|(name, _)| name.clone()).collect();
    if all.is_empty() {
        return format!("select count(*) over () as w from {}", scope.from);
    }
    let (column, kind) = scope.key(writer.random);
    let (partition, _) = scope.key(writer.random);
    let by = if writer.random.chance(60) { format!("partition by {partition} ") } else { String::new() };
    let order = all.join(", ");
    let choices = [
        format!("row_number() over ({by}order by {order})"),
        format!("rank() over ({by}order by {column})"),
        format!("dense_rank() over ({by}order by {column} desc nulls last)"),
        format!("lag({column}) over ({by}order by {order})"),
        format!("first_value({column}) over ({by}order by {order})"),
        format!("count(*) over (partition by {partition})"),
        format!("max({}) over (partition by {partition})", kind.ordered(&column)),
        format!("count({column}) over (order by {order} rows between 2 preceding and current row)"),
    ];
    let call = writer.random.pick(&choices);
    let condition = writer.condition(&scope);
    format!("select {order}, {call} as w from {}{condition}", scope.from)
}

/// UNION, INTERSECT, EXCEPT.
pub(crate) fn set_operation(writer: &mut Writer<'_>) -> String {
    writer.keys_only = true;
    let left = writer.core(None);
    let right = writer.core(Some(&left.kinds));
    let operator =
        writer.random.pick(&["union", "union all", "intersect", "except", "intersect all", "except all"]);
    writer.hit(operator);
    format!("{} {operator} {}", left.sql, right.sql)
}

/// WITH, used once or twice; or a table in FROM.
pub(crate) fn common_table(writer: &mut Writer<'_>) -> String {
    writer.keys_only = true;
    let inner = writer.core(None);
    let columns = |alias: &str| {
        inner.kinds.iter().enumerate().map(|(at, kind)| (format!("{alias}.e{at}"), *kind)).collect()
    };
    if writer.random.chance(30) {
        writer.hit("derived table");
        let scope = Scope { from: format!("({}) as q", inner.sql), columns: columns("q") };
        return group(writer, &scope);
    }
    writer.hit("with");
    let scope = Scope { from: "c".to_owned(), columns: columns("c") };
    let body = if writer.random.chance(50) {
        writer.hit("with, used twice");
        "select c.e0 as x, count(*) as n from c join c as d on c.e0 = d.e0 group by c.e0".to_owned()
    } else {
        group(writer, &scope)
    };
    format!("with c as ({}) {body}", inner.sql)
}

/// Expressions that fail on some values. Only where every row is evaluated: otherwise it is
/// open whether a query fails.
pub(crate) fn failing(writer: &mut Writer<'_>) -> String {
    let scope = writer.table("t0");
    let from = &scope.from;
    let texts = scope.of_kind(Kind::Text);
    let numbers = [scope.of_kind(Kind::Integer), scope.of_kind(Kind::Small)].concat();
    let limit = writer.random.between(-2, 9);
    match (writer.random.below(5), numbers.first(), texts.first()) {
        (0, Some(number), _) => {
            writer.hit("division that may fail");
            format!("select 10 / ({number} - {limit}) as e0 from {from}")
        }
        (1, Some(number), _) => {
            writer.hit("division that may fail");
            format!("select count(*) as n from {from} where 10 / ({number} - {limit}) > 1")
        }
        (2, Some(number), _) => {
            writer.hit("division that is guarded");
            format!(
                "select case when {number} <> {limit} then 10 / ({number} - {limit}) end as e0 from {from}"
            )
        }
        (_, _, Some(text)) if writer.random.chance(50) => {
            writer.hit("cast that may fail");
            format!("select cast({text} as int) as e0 from {from}")
        }
        (_, _, Some(text)) => {
            writer.hit("try_cast");
            format!("select max(try_cast({text} as bigint)) as e0, count({text}) as n from {from}")
        }
        _ => {
            writer.hit("division by zero always");
            format!("select 1 / 0 as e0 from {from}")
        }
    }
}
