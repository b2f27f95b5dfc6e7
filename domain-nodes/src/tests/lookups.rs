//! Rules that test membership in keys of other tables of the domain.

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use tonic::Code;

use super::*;

const HELPERS: &str = "\
apiVersion: v3.0.2
kind: DataContract
id: helpers
name: helpers
version: 1.0.0
status: active
servers:
  - { server: disk, type: local, environment: dev, path: '../data/{model}.csv', format: csv }
schema:
  - name: entitlements
    physicalType: table
    properties:
      - { name: person, logicalType: string }
      - { name: region, logicalType: string }
      - { name: valid_until, logicalType: date }
  - name: numbers
    physicalType: table
    properties:
      - { name: number, logicalType: integer, physicalType: bigint }
      - { name: kind, logicalType: string }
";

const LOOKUPS: &str = "\
lookups:
  entitled: { of: entitlements, key: region, where: \"person = subject() and valid_until >= today()\" }
  evens:    { of: numbers, key: number, where: \"kind = 'even'\" }
  numbers:  { of: numbers, key: number }
  seen:     { of: numbers, key: number, as: caller }
";

/// Orders 1 to 6 of EU, US, EU, EU, US, EU; `rules` are grants and restrictions.
fn domain(rules: &str) -> Domain {
    let domain = Domain::new();
    domain.write("products/helpers.odcs.yaml", HELPERS);
    domain.write(
        "data/entitlements.csv",
        "person,region,valid_until\nanna,EU,2999-12-31\nanna,US,2020-01-01\notto,US,2999-12-31\n",
    );
    domain.write("data/numbers.csv", "number,kind\n2,even\n4,even\n6,even\n3,odd\n");
    domain.write("policies/sales.yaml", &format!("domain: sales\n{LOOKUPS}{rules}"));
    domain
}

fn granted(rows: &str) -> String {
    format!(
        "grants:\n  - {{ id: g, to: {{ roles: [analyst] }}, tables: [orders], columns: all, rows: \"{rows}\" }}\n"
    )
}

fn ids(batches: &[RecordBatch]) -> Vec<i64> {
    let ids = |batch: &RecordBatch| batch["id"].as_primitive::<Int64Type>().values().to_vec();
    batches.iter().flat_map(ids).collect()
}

async fn seen(domain: Domain) -> Vec<i64> {
    let node = Running::start(domain).await;
    ids(&node.query(node.request(&["id"])).await.unwrap())
}

async fn seen_by(rows: &str) -> Vec<i64> {
    seen(domain(&granted(rows))).await
}

#[tokio::test]
async fn a_dated_entitlement_opens_its_region_and_no_other() {
    assert_eq!(seen_by("in_lookup('entitled', region)").await, [1, 3, 4, 6]);
    assert_eq!(seen_by("not in_lookup('entitled', region)").await, [2, 5]);
    assert_eq!(seen_by("in_lookup('evens', id)").await, [2, 4, 6]);
    assert_eq!(seen_by("in_lookup('numbers', id) and not in_lookup('evens', id)").await, [3]);
}

#[tokio::test]
async fn null_among_the_keys_opens_nothing_that_is_no_key() {
    let with_null = |rows| {
        let domain = domain(&granted(rows));
        domain.write("data/numbers.csv", "number,kind\n2,even\n,even\n3,odd\n");
        domain
    };
    assert_eq!(seen(with_null("in_lookup('evens', id)")).await, [2]);
    assert_eq!(seen(with_null("not in_lookup('evens', id)")).await, [0; 0]);
    assert_eq!(seen(with_null("in_lookup('evens', id) is null")).await, [1, 3, 4, 5, 6]);
}

#[tokio::test]
async fn null_is_in_no_lookup_and_in_no_complement() {
    for rows in ["in_lookup('entitled', note)", "not in_lookup('entitled', nullif(region, 'EU'))"] {
        let domain = domain(&granted(rows));
        assert_eq!(seen(domain).await, if rows.starts_with("not") { vec![2, 5] } else { vec![] }, "{rows}");
    }
    // An empty set: what is there is in its complement, NULL is not.
    let empty = domain(&granted("not in_lookup('numbers', nullif(id, 3))"));
    empty.write("data/numbers.csv", "number,kind\n");
    assert_eq!(seen(empty).await, [1, 2, 4, 5, 6]);
}

#[tokio::test]
async fn many_keys() {
    let keys = |domain: &Domain| {
        let lines: String = (3..5000).map(|number| format!("{number},even\n")).collect();
        domain.write("data/numbers.csv", &format!("number,kind\n{lines}"));
    };
    for (rows, expected) in [
        ("in_lookup('evens', id)", vec![3, 4, 5, 6]),
        ("not in_lookup('evens', id)", vec![1, 2]),
        ("in_lookup('evens', id) and in_lookup('entitled', region)", vec![3, 4, 6]),
    ] {
        let domain = domain(&granted(rows));
        keys(&domain);
        assert_eq!(seen(domain).await, expected, "{rows}");
    }
}

#[tokio::test]
async fn a_mask_and_a_restriction_use_the_same_membership() {
    let rules = "\
grants:
  - { id: g, to: { roles: [analyst] }, tables: [orders], columns: all }
restrictions:
  - { id: r, tables: [orders], rows: \"in_lookup('numbers', id)\" }
  - id: m
    tables: [orders]
    columns: [card]
    mask: { sql: \"case when in_lookup('evens', id) then value else 'no' end\" }
";
    let node = Running::start(domain(rules)).await;
    let answer = node.query(node.request(&["id", "card"])).await.unwrap();
    let text = arrow::util::pretty::pretty_format_batches(&answer).unwrap().to_string();
    assert_eq!(
        text,
        "\
+----+------------------+
| id | card             |
+----+------------------+
| 2  | 4111111111110002 |
| 3  | no               |
| 4  | 4111111111110004 |
| 6  | 4111111111110006 |
+----+------------------+"
    );
}

#[tokio::test]
async fn as_caller_counts_the_rows_that_the_caller_may_see() {
    let rows = granted("in_lookup('seen', id)");
    assert_eq!(seen(domain(&rows)).await, [0; 0]);
    let odd = "  - { id: odd, to: { roles: [analyst] }, tables: [numbers], columns: [kind], rows: \"kind = 'odd'\" }\n";
    assert_eq!(seen(domain(&format!("{rows}{odd}"))).await, [3]);
    let others = odd.replace("analyst", "manager");
    assert_eq!(seen(domain(&format!("{rows}{others}"))).await, [0; 0]);
    let chained = odd.replace("kind = 'odd'", "in_lookup('evens', number)");
    assert_eq!(seen(domain(&format!("{rows}{chained}"))).await, [2, 4, 6]);
}

#[tokio::test]
async fn a_helper_table_is_not_there_for_those_whose_rules_look_it_up() {
    let node = Running::start(domain(&granted("in_lookup('numbers', id)"))).await;
    let mut request = node.request(&["id"]);
    request.scan().table = "numbers".into();
    request.permit.tables[0].table = "numbers".into();
    let status = node.query(request).await.unwrap_err();
    assert_eq!(status.code(), Code::Aborted);
}

fn limited(domain: &Domain, keys: usize) {
    let config = std::fs::read_to_string(domain.path("node.yaml")).unwrap();
    let config = config.replace("limits: {", &format!("limits: {{ lookup_keys: {keys},"));
    domain.write("node.yaml", &config);
}

/// The error of a query whose lookup cannot be computed.
async fn failed(domain: Domain) -> (tonic::Status, DomainError) {
    let node = Running::start(domain).await;
    let status = node.query(node.request(&["id"])).await.unwrap_err();
    let error = DomainError::decode(status.details()).unwrap();
    (status, error)
}

#[tokio::test]
async fn too_many_keys_end_the_query_and_the_caller_does_not_learn_why() {
    let bounded = |keys| {
        let domain = domain(&granted("in_lookup('evens', id)"));
        // Twice the same key is one.
        domain.write("data/numbers.csv", "number,kind\n2,even\n2,even\n4,even\n6,even\n3,odd\n");
        limited(&domain, keys);
        domain
    };
    assert_eq!(seen(bounded(3)).await, [2, 4, 6]);
    logs::start();
    let (status, error) = failed(bounded(2)).await;
    assert_eq!(status.code(), Code::FailedPrecondition);
    let told = ["class=\"lookup\"", "\"evens\"", "more than 2 different keys"];
    assert!(!logs::lines_with(&told).is_empty(), "the log says why");
    assert_eq!((error.table.as_str(), error.column.as_str(), error.limit.as_str()), ("orders", "", ""));
    for hidden in ["evens", "numbers", "lookup"] {
        assert!(!format!("{status:?}").contains(hidden), "{status:?}");
    }
}

#[tokio::test]
async fn a_helper_that_cannot_be_read_closes_what_looks_it_up_and_nothing_else() {
    let without = |rules: &str| {
        let domain = domain(rules);
        std::fs::remove_file(domain.path("data/numbers.csv")).unwrap();
        domain
    };
    let (status, error) = failed(without(&granted("in_lookup('evens', id)"))).await;
    assert_eq!((status.code(), error.table.as_str()), (Code::FailedPrecondition, "orders"));
    let (status, _) = failed(without(&granted("not in_lookup('evens', id)"))).await;
    assert_eq!(status.code(), Code::FailedPrecondition);
    // A lookup that no requested cell needs is not computed.
    let masked = "\
grants:
  - { id: g, to: { roles: [analyst] }, tables: [orders], columns: all }
restrictions:
  - { id: m, tables: [orders], columns: [card], mask: { sql: \"case when in_lookup('evens', id) then value end\" } }
";
    let node = Running::start(without(masked)).await;
    assert_eq!(ids(&node.query(node.request(&["id"])).await.unwrap()), [1, 2, 3, 4, 5, 6]);
    let status = node.query(node.request(&["card"])).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    // Nor is one of which the caller may see no row.
    assert_eq!(seen(without(&granted("in_lookup('seen', id)"))).await, [0; 0]);
}

#[tokio::test]
async fn bytes_of_keys_and_helpers_do_not_leave() {
    let domain = domain(&granted("in_lookup('entitled', region)"));
    domain.write(
        "data/entitlements.csv",
        "person,region,valid_until\nanna,EU,2999-12-31\nanna,SECRET,2999-12-31\n",
    );
    let node = Running::start(domain).await;
    let ticket = node.request(&["id", "region"]).ticket(&node.domain.signer);
    let all: Vec<_> = messages(&mut node.client().await, ticket).await.unwrap().collect().await;
    for message in all {
        let bytes = message.unwrap().encode_to_vec();
        assert!(!bytes.windows(6).any(|window| window == b"SECRET"));
    }
}
