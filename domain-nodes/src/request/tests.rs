//! Each test takes a request that is accepted and spoils one thing about it.

use arrow::datatypes::{DataType, Field, Schema};
use meshgate_engine::permit::{self, PermitError};
use meshgate_engine::plan_form;
use meshgate_proto::v1::domain_query::Form;
use meshgate_proto::v1::literal::Value;
use meshgate_proto::v1::predicate::Kind;
use meshgate_proto::v1::{
    Comparison, ComparisonOperator, Literal, NullTest, Permit, PermittedTable, Plan, Predicate,
};

use super::permit::TEXT_BYTES;
use super::*;
use crate::keys;
use crate::node;
use crate::status::QueryError;
use crate::testing::{Domain, NODE, Request, expected_schema, random_id, schema_message, signer};
use crate::tests::plans::{plan_bytes, scan_of};

const MINUTE: i64 = 60_000_000;

/// What came of a request, reduced to what tests compare.
#[derive(Debug, PartialEq)]
enum Came {
    Accepted,
    Refused(Refusal),
    Moved(Moved),
    Other(String),
}

fn came<T>(result: Result<T, QueryError>) -> Came {
    match result {
        Ok(_) => Came::Accepted,
        Err(QueryError::Refused(refusal)) => Came::Refused(refusal),
        Err(QueryError::Moved(moved)) => Came::Moved(moved),
        Err(other) => Came::Other(other.to_string()),
    }
}

/// Judges a permit after `spoil`, by a node that started half a minute before now.
fn judge_permit(spoil: impl FnOnce(&mut Request)) -> Came {
    let domain = Domain::new();
    let mut request = Request::new(&domain.state(), &["id"]);
    request.seal();
    spoil(&mut request);
    let keys = keys::load(&domain.path("tls/permit-keys.json")).unwrap();
    let check = PermitCheck::new(keys, NODE.into(), node::now() - MINUTE / 2);
    came(check.check(&permit::sign(&domain.signer, &request.permit), node::now()))
}

fn judge_query(columns: &[&str], spoil: impl FnOnce(&mut Request)) -> Came {
    let domain = Domain::new();
    let state = domain.state();
    let mut request = Request::new(&state, columns);
    spoil(&mut request);
    let bytes = request.seal();
    came(check_query(&state, &request.permit, &bytes, node::now()))
}

fn spoil_permit(spoil: impl FnOnce(&mut meshgate_proto::v1::Permit)) -> Came {
    judge_permit(|request| spoil(&mut request.permit))
}

#[test]
fn a_good_request_is_accepted() {
    assert_eq!(judge_permit(|_| ()), Came::Accepted);
    assert_eq!(judge_query(&["id", "card"], |_| ()), Came::Accepted);
    assert_eq!(judge_query(&[], |_| ()), Came::Accepted);
}

#[test]
fn a104_a_permit_that_nobody_known_signed_is_refused() {
    let domain = Domain::new();
    let mut request = Request::new(&domain.state(), &["id"]);
    request.seal();
    let keys = || keys::load(&domain.path("tls/permit-keys.json")).unwrap();
    let check = PermitCheck::new(keys(), NODE.into(), node::now() - MINUTE);
    let refused = |error| Came::Refused(Refusal::Permit(error));

    let (same_id, _) = signer("test-key");
    assert_eq!(
        came(check.check(&permit::sign(&same_id, &request.permit), node::now())),
        refused(PermitError::Signature)
    );
    let (other_id, _) = signer("other-key");
    assert_eq!(
        came(check.check(&permit::sign(&other_id, &request.permit), node::now())),
        refused(PermitError::UnknownKey)
    );

    let mut altered = permit::sign(&domain.signer, &request.permit);
    altered.permit.push(0);
    assert_eq!(came(check.check(&altered, node::now())), refused(PermitError::Signature));
    let mut cut = permit::sign(&domain.signer, &request.permit);
    cut.signature.pop();
    assert_eq!(came(check.check(&cut, node::now())), refused(PermitError::Signature));
}

#[test]
fn a104_a_permit_is_for_its_node_and_its_minute() {
    let refused = |error| Came::Refused(Refusal::Permit(error));
    assert_eq!(spoil_permit(|p| p.r#type = "another".into()), refused(PermitError::Type));
    assert_eq!(spoil_permit(|p| p.audience = "sales-2".into()), refused(PermitError::Audience));
    assert_eq!(spoil_permit(|p| p.expires_at = p.issued_at + MINUTE + 1), refused(PermitError::Lifetime));
    assert_eq!(spoil_permit(|p| p.expires_at = p.issued_at), refused(PermitError::Lifetime));
    assert_eq!(spoil_permit(|p| p.issued_at = i64::MIN), refused(PermitError::Lifetime));
    assert_eq!(spoil_permit(|p| shift(p, -40_000_000)), refused(PermitError::BeforeStart));
    assert_eq!(spoil_permit(|p| shift(p, MINUTE)), refused(PermitError::NotYetValid));
    assert_eq!(
        spoil_permit(|p| (p.issued_at, p.expires_at) = (p.issued_at - 2_000_000, p.issued_at - 1_000_000)),
        refused(PermitError::Expired)
    );
    // A gateway's clock may be a little ahead.
    assert_eq!(spoil_permit(|p| shift(p, 3_000_000)), Came::Accepted);
}

fn shift(permit: &mut meshgate_proto::v1::Permit, by: i64) {
    permit.issued_at += by;
    permit.expires_at += by;
}

#[test]
fn a104_a_permit_is_good_once() {
    let domain = Domain::new();
    let mut request = Request::new(&domain.state(), &["id"]);
    request.seal();
    let keys = keys::load(&domain.path("tls/permit-keys.json")).unwrap();
    let check = PermitCheck::new(keys, NODE.into(), node::now() - MINUTE);
    let signed = permit::sign(&domain.signer, &request.permit);
    assert_eq!(came(check.check(&signed, node::now())), Came::Accepted);
    assert_eq!(came(check.check(&signed, node::now())), Came::Refused(Refusal::Replayed));
    request.permit.id = random_id();
    let again = permit::sign(&domain.signer, &request.permit);
    assert_eq!(came(check.check(&again, node::now())), Came::Accepted);
}

#[test]
fn a_permit_without_id_or_principal_is_refused() {
    let malformed = Came::Refused(Refusal::Permit(PermitError::Malformed));
    assert_eq!(spoil_permit(|p| p.id = vec![1, 2, 3]), malformed);
    assert_eq!(spoil_permit(|p| p.principal = None), malformed);
    assert_eq!(spoil_permit(|p| p.query_id.clear()), malformed);
    assert_eq!(spoil_permit(|p| p.query_id = "x".repeat(TEXT_BYTES)), Came::Accepted);
    for spoil in [
        |p: &mut Permit| p.query_id = "x".repeat(TEXT_BYTES + 1),
        |p: &mut Permit| p.gateway = "x".repeat(TEXT_BYTES + 1),
        |p: &mut Permit| p.principal.as_mut().unwrap().subject = "x".repeat(TEXT_BYTES + 1),
        |p: &mut Permit| p.principal.as_mut().unwrap().purpose = Some("x".repeat(TEXT_BYTES + 1)),
    ] {
        assert_eq!(spoil_permit(spoil), Came::Refused(Refusal::PermitTexts));
    }
}

#[test]
fn the_message_is_bounded_before_it_is_looked_at() {
    let domain = Domain::new();
    let state = domain.state();
    let mut request = Request::new(&state, &["id"]);
    let mut judge = |bytes: &[u8]| {
        request.permit.query_digest = meshgate_policies::Digest::of(bytes).as_bytes().to_vec();
        came(check_query(&state, &request.permit, bytes, node::now()))
    };
    assert_eq!(judge(&vec![0; QUERY_BYTES + 1]), Came::Refused(Refusal::QueryTooLong));
    assert_eq!(judge(&vec![0; QUERY_BYTES]), Came::Refused(Refusal::QueryMalformed));
    assert_eq!(judge(&[0xff; 100]), Came::Refused(Refusal::QueryMalformed));
}

#[test]
fn a114_nesting_is_bounded() {
    let nested = |depth: usize| {
        let mut predicate = id_is(1);
        for _ in 0..depth {
            predicate = Predicate { kind: Some(Kind::Not(Box::new(predicate))) };
        }
        predicate
    };
    let judge = |depth| judge_query(&["id"], |request| request.scan().predicates = vec![nested(depth)]);
    assert_eq!(judge(10), Came::Accepted);
    assert_eq!(judge(40), Came::Refused(Refusal::Predicate));
    assert_eq!(judge(101), Came::Refused(Refusal::QueryMalformed));
}

#[test]
fn a104_the_permit_is_for_exactly_these_bytes() {
    let domain = Domain::new();
    let state = domain.state();
    let mut request = Request::new(&state, &["id"]);
    request.seal();
    let permit = request.permit.clone();
    request.scan().limit = Some(1);
    let other = request.seal();
    assert_eq!(came(check_query(&state, &permit, &other, node::now())), Came::Refused(Refusal::Digest));
}

#[test]
fn a114_tables_are_the_nodes_own_and_exactly_the_permits() {
    let refused = Came::Refused;
    assert_eq!(judge_query(&["id"], |r| r.scan().domain = "hr".into()), refused(Refusal::Domain));
    assert_eq!(judge_query(&["id"], |r| r.scan().table = "people".into()), refused(Refusal::Tables));
    assert_eq!(judge_query(&["id"], |r| r.permit.tables.clear()), refused(Refusal::Tables));
    let more = |r: &mut Request| {
        let other = PermittedTable { table: "people".into(), ..r.permit.tables[0].clone() };
        r.permit.tables.push(other);
    };
    assert_eq!(judge_query(&["id"], more), refused(Refusal::Tables));
    let elsewhere = |r: &mut Request| {
        r.scan().table = "people".into();
        r.permit.tables[0].table = "people".into();
    };
    assert_eq!(judge_query(&["id"], elsewhere), Came::Moved(Moved::Table));
}

#[test]
fn another_policy_language_is_refused() {
    let came = judge_query(&["id"], |r| r.permit.policy_language += 1);
    assert_eq!(came, Came::Refused(Refusal::PolicyLanguage));
}

#[test]
fn a115_other_versions_are_moved() {
    let contract = judge_query(&["id"], |r| r.permit.tables[0].contract_version[0] ^= 1);
    assert_eq!(contract, Came::Moved(Moved::Contract));
    let decision = judge_query(&["id"], |r| r.permit.tables[0].decision_digest[0] ^= 1);
    assert_eq!(decision, Came::Moved(Moved::Decision));
    let zone = judge_query(&["id"], |r| r.query.time_zone = "Asia/Tokyo".into());
    assert_eq!(zone, Came::Moved(Moved::TimeZone));
}

#[test]
fn a115_the_node_decides_for_the_principal_itself() {
    let unknown_role = |r: &mut Request| {
        r.permit.principal.as_mut().unwrap().roles = vec!["intern".into()];
    };
    assert_eq!(judge_query(&["id"], unknown_role), Came::Moved(Moved::Decision));
}

#[test]
fn a_form_that_is_not_known_is_refused() {
    let plan = Plan { format: 99, logical_plan: vec![1, 2, 3] };
    let refused = Came::Refused(Refusal::Form);
    assert_eq!(judge_query(&["id"], |r| r.query.form = Some(Form::Plan(plan))), refused);
    assert_eq!(judge_query(&["id"], |r| r.query.form = None), refused);
}

/// Judges a plan over `orders`, as far as the walk looks.
fn judge_plan(spoil: impl FnOnce(&mut Plan, &mut Request)) -> Came {
    judge_query(&["id"], |request| {
        let visible = expected_schema(&["id", "region", "amount", "card"]);
        let plan = scan_of("orders", visible).build().unwrap();
        let mut form = Plan { format: plan_form::FORMAT, logical_plan: plan_bytes(&plan) };
        spoil(&mut form, request);
        request.query.form = Some(Form::Plan(form));
    })
}

#[test]
fn a114_a_plan_is_walked_over_and_reads_exactly_the_permits_tables() {
    let refused = Came::Refused;
    assert_eq!(judge_plan(|_, _| ()), Came::Accepted);
    assert_eq!(judge_plan(|plan, _| plan.format += 1), refused(Refusal::Form));
    assert_eq!(judge_plan(|plan, _| plan.logical_plan = vec![0xff; 64]), refused(Refusal::Plan));
    let elsewhere = |plan: &mut Plan, _: &mut Request| {
        let other = scan_of("people", expected_schema(&["id"])).build().unwrap();
        plan.logical_plan = plan_bytes(&other);
    };
    assert_eq!(judge_plan(elsewhere), refused(Refusal::Tables));
    let twice = |_: &mut Plan, request: &mut Request| {
        let again = request.permit.tables[0].clone();
        request.permit.tables.push(again);
    };
    assert_eq!(judge_plan(twice), refused(Refusal::Tables));
    assert_eq!(judge_plan(|_, request| request.permit.tables.clear()), refused(Refusal::Tables));
    // Nobody looks for the first of more tables than a query may read.
    let many = |count: usize| {
        judge_plan(move |_, request| {
            let table = request.permit.tables[0].clone();
            let named = |number| PermittedTable { table: format!("t{number}"), ..table.clone() };
            request.permit.tables = (0..count).map(named).collect();
        })
    };
    assert_eq!(many(1_000), Came::Moved(Moved::Table));
    assert_eq!(many(1_001), refused(Refusal::Tables));
    let moved = |_: &mut Plan, request: &mut Request| request.permit.tables[0].decision_digest[0] ^= 1;
    assert_eq!(judge_plan(moved), Came::Moved(Moved::Decision));
    assert_eq!(judge_plan(|_, request| request.query.schema = vec![0xff; 64]), refused(Refusal::Schema));
}

#[test]
fn a105_a_column_that_is_not_visible_is_refused() {
    let refused = Came::Refused(Refusal::Column);
    assert_eq!(judge_query(&["id", "note"], |_| ()), refused);
    assert_eq!(judge_query(&["id", "nothing"], |_| ()), refused);
    assert_eq!(judge_query(&["id", "id"], |_| ()), refused);
}

fn id_is(value: i64) -> Predicate {
    comparison("id", Value::Integer(value))
}

fn comparison(column: &str, value: Value) -> Predicate {
    let comparison = Comparison {
        column: column.into(),
        operator: ComparisonOperator::Equal.into(),
        literal: Some(Literal { value: Some(value) }),
    };
    Predicate { kind: Some(Kind::Comparison(comparison)) }
}

#[test]
fn a105_predicates_are_on_plain_columns_and_literals_of_their_types() {
    let judge = |predicate: Predicate| judge_query(&["id"], |r| r.scan().predicates = vec![predicate]);
    let refused = Came::Refused(Refusal::Predicate);
    assert_eq!(judge(id_is(3)), Came::Accepted);
    assert_eq!(judge(comparison("region", Value::Text("EU".into()))), Came::Accepted);

    assert_eq!(judge(comparison("card", Value::Text("4111111111110001".into()))), refused);
    assert_eq!(judge(comparison("note", Value::Text("SECRET-1".into()))), refused);
    assert_eq!(judge(comparison("id", Value::Text("1".into()))), refused);
    assert_eq!(judge(Predicate { kind: None }), refused);
    let null_test = NullTest { column: "card".into(), negated: true };
    assert_eq!(judge(Predicate { kind: Some(Kind::NullTest(null_test)) }), refused);
}

#[test]
fn a117_the_instant_is_the_permits_and_near_now() {
    let refused = Came::Refused(Refusal::Instant);
    assert_eq!(judge_query(&["id"], |r| r.query.instant += 1), refused);
    let shifted = |by: i64| {
        judge_query(&["id"], |r| {
            r.query.instant += by;
            r.permit.instant += by;
        })
    };
    assert_eq!(shifted(3_000_000), Came::Accepted);
    assert_eq!(shifted(-10 * MINUTE), Came::Accepted);
    assert_eq!(shifted(2 * MINUTE), refused);
    assert_eq!(shifted(-25 * 60 * MINUTE), refused);
}

#[test]
fn a114_the_expected_schema_is_that_of_the_columns() {
    let judge = |schema: Schema| judge_query(&["id", "region"], |r| r.query.schema = schema_message(&schema));
    let id = Field::new("id", DataType::Int64, false);
    let region = Field::new("region", DataType::Utf8, true);
    let refused = Came::Refused(Refusal::Schema);
    assert_eq!(judge(Schema::new(vec![id.clone(), region.clone()])), Came::Accepted);
    assert_eq!(judge(Schema::new(vec![region.clone(), id.clone()])), refused);
    assert_eq!(judge(Schema::new(vec![id.clone()])), refused);
    assert_eq!(judge(Schema::new(vec![id.clone().with_nullable(true), region.clone()])), refused);
    assert_eq!(judge(Schema::new(vec![id, region.with_data_type(DataType::Binary)])), refused);
    for bytes in [vec![], vec![0xff; 64], vec![1; 7]] {
        assert_eq!(judge_query(&["id"], |r| r.query.schema = bytes), refused);
    }
}
