//! What a message may not hold is found wherever it stands, and what it may hold passes there.

use datafusion_proto::protobuf::table_reference::TableReferenceEnum;
use datafusion_proto::protobuf::window_expr_node::WindowFunction;
use datafusion_proto::protobuf::window_frame::EndBound;

use super::*;
use crate::scalar_or_null;

fn one() -> LogicalExprNode {
    literal(Value::Int64Value(1))
}

fn parameter() -> LogicalExprNode {
    expression(ExprType::Placeholder(protobuf::PlaceholderNode::default()))
}

fn relation(kind: LogicalPlanType) -> LogicalPlanNode {
    LogicalPlanNode { logical_plan_type: Some(kind) }
}

fn no_rows() -> LogicalPlanNode {
    relation(LogicalPlanType::EmptyRelation(protobuf::EmptyRelationNode::default()))
}

fn cross_join() -> LogicalPlanNode {
    relation(LogicalPlanType::CrossJoin(Box::default()))
}

fn alias(name: TableReferenceEnum) -> Option<protobuf::TableReference> {
    Some(protobuf::TableReference { table_reference_enum: Some(name) })
}

fn bare(table: &str) -> Option<protobuf::TableReference> {
    alias(TableReferenceEnum::Bare(protobuf::BareTableReference { table: table.to_owned() }))
}

/// A node of the given kind; `..` stands for fields that are left empty.
macro_rules! node {
    ($of:ident::$kind:ident: $node:ident { $($field:ident $(: $value:expr)?),+ $(,)? }) => {
        $of::$kind(protobuf::$node { $($field $(: $value)?),+ }.into())
    };
    ($of:ident::$kind:ident: $node:ident { $($field:ident $(: $value:expr)?,)+ .. }) => {
        $of::$kind(protobuf::$node { $($field $(: $value)?,)+ ..Default::default() }.into())
    };
}

/// Tests of one expression.
fn tests_of(inner: &LogicalExprNode) -> Vec<ExprType> {
    let here = || Some(Box::new(inner.clone()));
    vec![
        node!(ExprType::IsNullExpr: IsNull { expr: here() }),
        node!(ExprType::IsNotNullExpr: IsNotNull { expr: here() }),
        node!(ExprType::IsTrue: IsTrue { expr: here() }),
        node!(ExprType::IsFalse: IsFalse { expr: here() }),
        node!(ExprType::IsUnknown: IsUnknown { expr: here() }),
        node!(ExprType::IsNotTrue: IsNotTrue { expr: here() }),
        node!(ExprType::IsNotFalse: IsNotFalse { expr: here() }),
        node!(ExprType::IsNotUnknown: IsNotUnknown { expr: here() }),
        node!(ExprType::NotExpr: Not { expr: here() }),
    ]
}

fn sorted_by(inner: &LogicalExprNode) -> Vec<protobuf::SortExprNode> {
    vec![protobuf::SortExprNode { expr: Some(inner.clone()), ..Default::default() }]
}

/// `inner` in each place that an expression has for others.
fn around(inner: &LogicalExprNode) -> Vec<ExprType> {
    let here = || Some(Box::new(inner.clone()));
    let other = || Some(Box::new(one()));
    let last = || vec![one(), inner.clone()];
    let first = || vec![inner.clone(), one()];
    let branch = |when: &LogicalExprNode, then: &LogicalExprNode| {
        vec![protobuf::WhenThen { when_expr: Some(when.clone()), then_expr: Some(then.clone()) }]
    };
    let (and, good) = (|| "And".to_owned(), one());
    let set = protobuf::LogicalExprList { expr: last() };
    vec![
        node!(ExprType::Alias: AliasNode { expr: here(), alias: and(), .. }),
        node!(ExprType::BinaryExpr: BinaryExprNode { operands: first(), op: and() }),
        node!(ExprType::BinaryExpr: BinaryExprNode { operands: last(), op: and() }),
        node!(ExprType::Negative: NegativeNode { expr: here() }),
        node!(ExprType::Between: BetweenNode { expr: here(), low: other(), high: other(), .. }),
        node!(ExprType::Between: BetweenNode { expr: other(), low: here(), high: other(), .. }),
        node!(ExprType::Between: BetweenNode { expr: other(), low: other(), high: here(), .. }),
        node!(ExprType::Case: CaseNode { expr: here(), .. }),
        node!(ExprType::Case: CaseNode { when_then_expr: branch(inner, &good), .. }),
        node!(ExprType::Case: CaseNode { when_then_expr: branch(&good, inner), .. }),
        node!(ExprType::Case: CaseNode { else_expr: here(), .. }),
        node!(ExprType::Cast: CastNode { expr: here(), .. }),
        node!(ExprType::TryCast: TryCastNode { expr: here(), .. }),
        node!(ExprType::InList: InListNode { expr: here(), .. }),
        node!(ExprType::InList: InListNode { expr: other(), list: last(), .. }),
        node!(ExprType::Like: LikeNode { expr: here(), pattern: other(), .. }),
        node!(ExprType::Like: LikeNode { expr: other(), pattern: here(), .. }),
        node!(ExprType::Ilike: ILikeNode { expr: here(), pattern: other(), .. }),
        node!(ExprType::Ilike: ILikeNode { expr: other(), pattern: here(), .. }),
        node!(ExprType::SimilarTo: SimilarToNode { expr: here(), pattern: other(), .. }),
        node!(ExprType::SimilarTo: SimilarToNode { expr: other(), pattern: here(), .. }),
        node!(ExprType::GroupingSet: GroupingSetNode { expr: vec![set] }),
        node!(ExprType::Cube: CubeNode { expr: last() }),
        node!(ExprType::Rollup: RollupNode { expr: last() }),
    ]
}

fn aggregate(call: protobuf::AggregateUdfExprNode) -> ExprType {
    ExprType::AggregateUdfExpr(Box::new(protobuf::AggregateUdfExprNode {
        fun_name: "max".to_owned(),
        ..call
    }))
}

fn window(call: protobuf::WindowExprNode) -> ExprType {
    let window_function = Some(WindowFunction::Udwf("rank".to_owned()));
    ExprType::WindowExpr(Box::new(protobuf::WindowExprNode { window_function, ..call }))
}

/// `inner` in each place that a function has for others.
fn calls_with(inner: &LogicalExprNode) -> Vec<ExprType> {
    use protobuf::{AggregateUdfExprNode as Aggregate, WindowExprNode as Window};
    let here = || Some(Box::new(inner.clone()));
    let last = || vec![one(), inner.clone()];
    let order_by = || sorted_by(inner);
    let framed = || Window { window_frame: Some(protobuf::WindowFrame::default()), ..Default::default() };
    vec![
        node!(ExprType::ScalarUdfExpr: ScalarUdfExprNode { fun_name: "upper".to_owned(), args: last(), .. }),
        aggregate(Aggregate { args: last(), ..Default::default() }),
        aggregate(Aggregate { filter: here(), ..Default::default() }),
        aggregate(Aggregate { order_by: order_by(), ..Default::default() }),
        window(Window { exprs: last(), ..framed() }),
        window(Window { partition_by: last(), ..framed() }),
        window(Window { order_by: order_by(), ..framed() }),
        window(Window { filter: here(), ..framed() }),
    ]
}

fn subquery(of: LogicalPlanNode) -> ExprType {
    let subquery = protobuf::SubqueryNode { subquery: Some(Box::new(of)), outer_ref_columns: Vec::new() };
    ExprType::ScalarSubqueryExpr(Box::new(protobuf::ScalarSubqueryExprNode {
        subquery: Some(Box::new(subquery)),
    }))
}

/// Relations with an expression in each of their places.
fn relations_with(inner: &LogicalExprNode) -> Vec<LogicalPlanType> {
    let input = || Some(Box::new(no_rows()));
    let here = || Some(Box::new(inner.clone()));
    let last = || vec![one(), inner.clone()];
    let two = || vec![one(), one()];
    vec![
        node!(LogicalPlanType::Projection: ProjectionNode { input: input(), expr: last(), .. }),
        node!(LogicalPlanType::Selection: SelectionNode { input: input(), expr: here() }),
        node!(LogicalPlanType::Aggregate: AggregateNode { input: input(), group_expr: last(), .. }),
        node!(LogicalPlanType::Aggregate: AggregateNode { input: input(), aggr_expr: last(), .. }),
        node!(LogicalPlanType::Window: WindowNode { input: input(), window_expr: last() }),
        node!(LogicalPlanType::Sort: SortNode { input: input(), expr: sorted_by(inner), .. }),
        node!(LogicalPlanType::Values: ValuesNode { n_cols: 1, values_list: last() }),
        node!(LogicalPlanType::Join: JoinNode {
            left: input(),
            right: input(),
            left_join_key: last(),
            right_join_key: two(),
            ..
        }),
        node!(LogicalPlanType::Join: JoinNode {
            left: input(),
            right: input(),
            left_join_key: two(),
            right_join_key: last(),
            ..
        }),
        node!(LogicalPlanType::Join: JoinNode {
            left: input(),
            right: input(),
            left_join_key: two(),
            right_join_key: two(),
            filter: here(),
            ..
        }),
    ]
}

/// `inner` in each place that a relation has for others.
fn over(inner: &LogicalPlanNode) -> Vec<LogicalPlanType> {
    let here = || Some(Box::new(inner.clone()));
    let other = || Some(Box::new(no_rows()));
    let key = || vec![one()];
    vec![
        node!(LogicalPlanType::Projection: ProjectionNode { input: here(), .. }),
        node!(LogicalPlanType::Selection: SelectionNode { input: here(), expr: Some(Box::new(one())) }),
        node!(LogicalPlanType::Limit: LimitNode { input: here(), .. }),
        node!(LogicalPlanType::Aggregate: AggregateNode { input: here(), .. }),
        node!(LogicalPlanType::Window: WindowNode { input: here(), .. }),
        node!(LogicalPlanType::Sort: SortNode { input: here(), .. }),
        node!(LogicalPlanType::Distinct: DistinctNode { input: here() }),
        node!(LogicalPlanType::SubqueryAlias: SubqueryAliasNode { input: here(), alias: bare("a") }),
        node!(LogicalPlanType::Union: UnionNode { inputs: vec![no_rows(), inner.clone()] }),
        node!(LogicalPlanType::Join: JoinNode {
            left: here(),
            right: other(),
            left_join_key: key(),
            right_join_key: key(),
            ..
        }),
        node!(LogicalPlanType::Join: JoinNode {
            left: other(),
            right: here(),
            left_join_key: key(),
            right_join_key: key(),
            ..
        }),
    ]
}

fn projected(expr: LogicalExprNode) -> LogicalPlanNode {
    let projection =
        protobuf::ProjectionNode { input: Some(Box::new(no_rows())), expr: vec![expr], optional_alias: None };
    relation(LogicalPlanType::Projection(Box::new(projection)))
}

fn judge_kind(kind: ExprType) -> Result<(), PlanFormError> {
    judge(&projected(expression(kind)))
}

#[test]
fn a114_every_place_for_an_expression_is_walked() {
    for (inner, expected) in [
        (one(), Ok(())),
        (parameter(), Err(PlanFormError::Expression("a parameter"))),
        (LogicalExprNode { expr_type: None }, Err(PlanFormError::Missing)),
    ] {
        for kind in [around(&inner), tests_of(&inner), calls_with(&inner)].concat() {
            let shown = format!("{kind:?}");
            assert_eq!(judge_kind(kind), expected, "{shown}");
        }
        for kind in relations_with(&inner) {
            let shown = format!("{kind:?}");
            assert_eq!(judge(&relation(kind)), expected, "{shown}");
        }
    }
}

#[test]
fn a114_every_place_for_a_relation_is_walked() {
    for (inner, expected) in [
        (no_rows(), Ok(())),
        (cross_join(), Err(PlanFormError::Relation("a cross join"))),
        (LogicalPlanNode { logical_plan_type: None }, Err(PlanFormError::Missing)),
    ] {
        for kind in over(&inner) {
            let shown = format!("{kind:?}");
            assert_eq!(judge(&relation(kind)), expected, "{shown}");
        }
        assert_eq!(judge_kind(subquery(inner)), expected);
    }
    for kind in [
        LogicalPlanType::Projection(Box::default()),
        LogicalPlanType::Limit(Box::default()),
        LogicalPlanType::Aggregate(Box::default()),
        LogicalPlanType::Window(Box::default()),
        LogicalPlanType::Sort(Box::default()),
        LogicalPlanType::Distinct(Box::default()),
    ] {
        let shown = format!("{kind:?}");
        assert_eq!(judge(&relation(kind)), Err(PlanFormError::Missing), "{shown}");
    }
}

#[test]
fn a114_a_projection_gives_its_relation_no_name() {
    use protobuf::projection_node::OptionalAlias;
    let named = |name: Option<&str>| {
        let optional_alias = name.map(|name| OptionalAlias::Alias(name.to_owned()));
        let input = Some(Box::new(no_rows()));
        let projection = protobuf::ProjectionNode { input, expr: vec![one()], optional_alias };
        judge(&relation(LogicalPlanType::Projection(Box::new(projection))))
    };
    assert_eq!(named(None), Ok(()));
    assert!(matches!(named(Some("a")), Err(PlanFormError::Relation(_))));
}

#[test]
fn a114_names_are_bounded_wherever_they_stand() {
    let column = |name: &str| {
        let column = common::Column { name: name.to_owned(), relation: None };
        judge_kind(ExprType::Column(column))
    };
    let named = |name: &str| {
        let alias = name.to_owned();
        judge_kind(node!(ExprType::Alias: AliasNode { expr: Some(Box::new(one())), alias, .. }))
    };
    let aliased = |name: TableReferenceEnum| {
        let input = Some(Box::new(no_rows()));
        let node = protobuf::SubqueryAliasNode { input, alias: alias(name) };
        judge(&relation(LogicalPlanType::SubqueryAlias(Box::new(node))))
    };
    let partial = |schema: &str, table: &str| {
        let (schema, table) = (schema.to_owned(), table.to_owned());
        aliased(TableReferenceEnum::Partial(protobuf::PartialTableReference { schema, table }))
    };
    let full = |catalog: &str, schema: &str, table: &str| {
        let [catalog, schema, table] = [catalog, schema, table].map(str::to_owned);
        aliased(TableReferenceEnum::Full(protobuf::FullTableReference { catalog, schema, table }))
    };
    let bare = |table: &str| {
        aliased(TableReferenceEnum::Bare(protobuf::BareTableReference { table: table.to_owned() }))
    };
    for (length, expected) in [(MAXIMUM_NAME, Ok(())), (MAXIMUM_NAME + 1, Err(PlanFormError::Name))] {
        let name = "x".repeat(length);
        for found in [
            column(&name),
            named(&name),
            bare(&name),
            partial(&name, "a"),
            partial("a", &name),
            full(&name, "a", "a"),
            full("a", &name, "a"),
            full("a", "a", &name),
        ] {
            assert_eq!(found, expected, "{length}");
        }
    }
    let nameless = protobuf::SubqueryAliasNode { input: Some(Box::new(no_rows())), alias: None };
    let nameless = relation(LogicalPlanType::SubqueryAlias(Box::new(nameless)));
    assert_eq!(judge(&nameless), Err(PlanFormError::Missing));
}

#[test]
fn a114_metadata_is_refused_wherever_it_stands() {
    let with = |metadata: &[(&str, &str)]| {
        let metadata: std::collections::HashMap<String, String> =
            metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let one = || Some(Box::new(one()));
        [
            node!(ExprType::Alias: AliasNode { expr: one(), metadata: metadata.clone(), .. }),
            node!(ExprType::Cast: CastNode { expr: one(), metadata: metadata.clone(), .. }),
            node!(ExprType::TryCast: TryCastNode { expr: one(), metadata, .. }),
        ]
        .map(judge_kind)
    };
    assert_eq!(with(&[]), [Ok(()), Ok(()), Ok(())]);
    assert_eq!(with(&[("a", "b")]), [(); 3].map(|()| Err(PlanFormError::Metadata)));
}

#[test]
fn a114_both_ends_of_a_frame_are_looked_at() {
    let framed = |start: Option<Value>, end: Option<Value>| {
        let bound = |value| protobuf::WindowFrameBound {
            bound_value: Some(common::ScalarValue { value: Some(value) }),
            ..Default::default()
        };
        let frame = protobuf::WindowFrame {
            start_bound: start.map(bound),
            end_bound: end.map(|value| EndBound::Bound(bound(value))),
            ..Default::default()
        };
        judge_kind(window(protobuf::WindowExprNode { window_frame: Some(frame), ..Default::default() }))
    };
    let number = || Some(Value::Int64Value(2));
    let list = || Some(Value::ListValue(common::ScalarNestedValue::default()));
    for (start, end) in [(None, None), (number(), None), (None, number()), (number(), number())] {
        assert_eq!(framed(start, end), Ok(()));
    }
    for (start, end) in [(list(), None), (None, list()), (list(), number()), (number(), list())] {
        assert!(matches!(framed(start, end), Err(PlanFormError::Literal(_))));
    }
    let frameless = window(protobuf::WindowExprNode::default());
    assert_eq!(judge_kind(frameless), Err(PlanFormError::Missing));
}

#[test]
fn a114_an_operator_has_two_operands_or_more() {
    let operands = |count: usize| {
        let operands = vec![one(); count];
        judge_kind(ExprType::BinaryExpr(protobuf::BinaryExprNode { operands, op: "Plus".to_owned() }))
    };
    assert_eq!([0, 1].map(operands), [Err(PlanFormError::Missing), Err(PlanFormError::Missing)]);
    assert_eq!([2, 3].map(operands), [Ok(()), Ok(())]);
}

#[test]
fn a114_a_join_has_as_many_keys_on_both_sides() {
    let keys = |left: usize, right: usize| {
        let side = || Some(Box::new(no_rows()));
        judge(&relation(node!(LogicalPlanType::Join: JoinNode {
            left: side(),
            right: side(),
            left_join_key: vec![one(); left],
            right_join_key: vec![one(); right],
            ..
        })))
    };
    for (left, right) in [(1, 1), (2, 2)] {
        assert_eq!(keys(left, right), Ok(()));
    }
    for (left, right) in [(0, 0), (0, 1), (1, 0), (1, 2), (2, 1)] {
        assert_eq!(keys(left, right), Err(PlanFormError::Join), "{left}, {right}");
    }
}

#[test]
fn a114_decimals_have_their_size_precision_and_scale() {
    let value = |value| judge_kind(ExprType::Literal(common::ScalarValue { value: Some(value) }));
    let short =
        |bytes, p, s| value(Value::Decimal128Value(common::Decimal128 { value: vec![0; bytes], p, s }));
    let long =
        |bytes, p, s| value(Value::Decimal256Value(common::Decimal256 { value: vec![0; bytes], p, s }));
    for good in [short(16, 10, 2), short(16, 38, -2), long(32, 60, 2), long(32, 76, 76)] {
        assert_eq!(good, Ok(()));
    }
    for bad in [
        short(15, 10, 2),
        short(32, 10, 2),
        short(16, 0, 0),
        short(16, 39, 2),
        short(16, 10, 11),
        short(16, 10, 300),
        long(31, 10, 2),
        long(16, 10, 2),
        long(32, 77, 2),
        long(32, 10, 11),
        long(32, -1, 0),
    ] {
        assert!(matches!(bad, Err(PlanFormError::Literal(_))), "{bad:?}");
    }
    assert_eq!(
        judge_kind(ExprType::Literal(common::ScalarValue { value: None })),
        Err(PlanFormError::Missing)
    );
}

/// The planner's own function is known in messages, and has no other name and no definition.
#[test]
fn a114_the_planners_function_is_known_without_a_definition() {
    let call = |name: &str, fun_definition: Option<Vec<u8>>| {
        let fun_name = name.to_owned();
        let args = vec![one()];
        judge_kind(ExprType::ScalarUdfExpr(protobuf::ScalarUdfExprNode { fun_name, args, fun_definition }))
    };
    assert_eq!(call(scalar_or_null::NAME, None), Ok(()));
    assert!(matches!(call(scalar_or_null::NAME, Some(Vec::new())), Err(PlanFormError::Definition(_))));
    assert!(matches!(call("scalar_or_nothing", None), Err(PlanFormError::Function(_))));
}

#[test]
fn a114_relations_and_expressions_are_counted_together() {
    // The relation itself is one.
    let values = |count: usize| {
        let values_list = vec![literal(Value::BoolValue(true)); count];
        judge(&relation(LogicalPlanType::Values(protobuf::ValuesNode { n_cols: 1, values_list })))
    };
    assert_eq!(values(MAXIMUM_NODES - 1), Ok(()));
    assert_eq!(values(MAXIMUM_NODES), Err(PlanFormError::TooMany));
    let unions = |count: usize| {
        let inputs = vec![no_rows(); count];
        judge(&relation(LogicalPlanType::Union(protobuf::UnionNode { inputs })))
    };
    assert_eq!(unions(MAXIMUM_NODES - 1), Ok(()));
    assert_eq!(unions(MAXIMUM_NODES), Err(PlanFormError::TooMany));
}

#[test]
fn a114_a_message_of_the_longest_size_is_read() {
    // A name of as many bytes as it takes, behind the keys and lengths of the messages around it.
    let padded = |length: usize| {
        let mut message = projected(one());
        if let Some(LogicalPlanType::Projection(projection)) = &mut message.logical_plan_type {
            projection.expr.push(literal(Value::Utf8Value("x".repeat(length))));
        }
        message.encode_to_vec()
    };
    let beside = padded(MAXIMUM_BYTES / 2).len() - MAXIMUM_BYTES / 2;
    let longest = padded(MAXIMUM_BYTES - beside);
    assert_eq!(longest.len(), MAXIMUM_BYTES);
    assert!(check(&longest).is_ok());
    let longer = padded(MAXIMUM_BYTES - beside + 1);
    assert_eq!(check(&longer).map(drop), Err(PlanFormError::TooLong));
}
