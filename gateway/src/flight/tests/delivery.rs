//! A result that cannot be completed ends with an error, never short.

use std::time::Duration;

use meshgate_proto::v1::domain_error::Class;
use tonic::{Code, Status};

use crate::{
    config::Limits,
    testing::{
        bench::{Bench, anna, auditor, statement, with_token},
        fake_node::{Mood, domain_error},
        larkfield::SALES_POLICY,
    },
};

const SQL: &str = "select order_id from sales.orders";

#[tokio::test]
async fn r32_what_a_node_says_is_not_handed_on() {
    let bench = Bench::start().await;
    let cases = [
        (domain_error(Class::TableUnavailable, Code::Unavailable), Code::Unavailable),
        (domain_error(Class::Refused, Code::PermissionDenied), Code::Unavailable),
        (domain_error(Class::Internal, Code::Internal), Code::Unavailable),
        (domain_error(Class::Limit, Code::ResourceExhausted), Code::InvalidArgument),
        (Status::unavailable("the node's own text"), Code::Unavailable),
        (Status::unknown("the node's own text"), Code::Unavailable),
    ];
    for (status, code) in cases {
        bench.sales.set_mood(Mood::Fails(status.clone()));
        let (found, text) = bench.refusal(&anna(), SQL).await;
        assert_eq!(found, code, "{status}");
        assert!(!text.contains("own text"), "{text}");
    }
}

#[tokio::test]
async fn r28_r33_r34_a_broken_answer_is_an_error() {
    let bench = Bench::start().await;
    for mood in [
        Mood::BreaksOff(Status::internal("x")),
        Mood::BreaksOff(domain_error(Class::TableUnavailable, Code::Unavailable)),
        Mood::OtherSchema,
        Mood::SaysNothing,
    ] {
        bench.sales.set_mood(mood.clone());
        assert!(bench.query(&anna(), SQL).await.is_err(), "{mood:?}");
        assert!(
            bench.query(&anna(), "select count(*) from sales.orders").await.is_err()
                || matches!(mood, Mood::OtherSchema)
        );
    }
    let outcomes: Vec<_> = bench.records().iter().map(|record| record["outcome"].clone()).collect();
    assert!(outcomes.iter().filter(|outcome| *outcome == "failed").count() >= 7, "{outcomes:?}");
}

#[tokio::test]
async fn r35_r48_what_a_node_claims_of_sizes_is_not_believed() {
    let bench = Bench::start().await;
    for (mood, sql) in [
        (Mood::Compressed, SQL),
        (Mood::EndlessRows, "select count(*) from sales.orders"),
        (Mood::EndlessRows, "select 1 from sales.orders where 1 = (select count(*) from sales.orders)"),
    ] {
        bench.sales.set_mood(mood.clone());
        let (code, text) = bench.refusal(&auditor(), sql).await;
        assert_eq!(code, Code::Unavailable, "{mood:?}: {text}");
    }
    bench.sales.set_mood(Mood::Serves);
    assert!(bench.query(&auditor(), SQL).await.is_ok());
}

#[tokio::test]
async fn r37_one_of_two_domains_fails() {
    let bench = Bench::start().await;
    bench.hr.set_mood(Mood::Fails(Status::unavailable("gone")));
    for sql in [
        "select order_id from sales.orders union all select id from hr.people",
        "select * from sales.orders join hr.people on id = order_id",
        "select * from sales.orders where total > (select max(salary) from hr.people)",
    ] {
        let (code, text) = bench.refusal(&auditor(), sql).await;
        assert_eq!(code, Code::Unavailable, "{sql}: {text}");
        assert!(text.contains("`hr`"), "{sql}: {text}");
    }
}

#[tokio::test]
async fn all_domains_of_a_statement_are_asked_at_once() {
    let bench = Bench::start().await;
    let sql = "select count(*) from sales.orders join hr.people on id = order_id";
    // Whichever of the two a join reads first: the other one works meanwhile.
    for silent in [&bench.sales, &bench.hr] {
        silent.set_mood(Mood::Silent);
        let (sales, hr) = (bench.sales.scans().len(), bench.hr.scans().len());
        let both_are_asked = async {
            while bench.sales.scans().len() == sales || bench.hr.scans().len() == hr {
                tokio::task::yield_now().await;
            }
        };
        let auditor = auditor();
        tokio::select! {
            answer = bench.query(&auditor, sql) => panic!("{answer:?}"),
            asked = tokio::time::timeout(Duration::from_secs(20), both_are_asked) => asked.unwrap(),
        }
        silent.set_mood(Mood::Serves);
    }
    assert!(bench.query(&auditor(), sql).await.is_ok());
}

/// All of one domain's rows may be here long before another domain's first.
#[tokio::test]
async fn access_that_is_lost_before_the_first_row_ends_a_result() {
    let limits = Limits { revocation_time: Duration::from_millis(50), ..Limits::default() };
    let bench = Bench::with_limits(limits).await;
    bench.hr.set_mood(Mood::Silent);
    let change = async {
        while bench.hr.scans().is_empty() {
            tokio::task::yield_now().await;
        }
        bench.sales_policy(&SALES_POLICY.replace("roles: [auditor]", "roles: [nobody]"));
    };
    let auditor = auditor();
    let sql = "select count(*) from sales.orders join hr.people on id = order_id";
    let both = async { tokio::join!(bench.refusal(&auditor, sql), change).0 };
    let (code, text) = tokio::time::timeout(Duration::from_secs(20), both).await.expect("it ends");
    assert_eq!(code, Code::PermissionDenied, "{text}");
}

#[tokio::test]
async fn moved_is_planned_again_once() {
    let bench = Bench::start().await;
    bench.sales.set_mood(Mood::Moved(1));
    let info = bench.flight_info(&anna(), statement(SQL)).await.unwrap();
    assert!(bench.do_get(&anna(), info.endpoint[0].ticket.clone().unwrap()).await.is_ok());
    bench.sales.set_mood(Mood::Moved(2));
    let status = bench.do_get(&anna(), info.endpoint[0].ticket.clone().unwrap()).await.unwrap_err();
    assert!(status.message().contains("run it again"), "{status}");
}

#[tokio::test]
async fn r25_results_are_bounded() {
    let rows = Bench::with_limits(Limits { result_rows: 3, ..Limits::default() }).await;
    let (_, text) = rows.refusal(&anna(), SQL).await;
    assert!(text.contains("more rows"), "{text}");
    assert!(rows.query(&anna(), "select order_id from sales.orders limit 3").await.is_ok());
    let bytes = Bench::with_limits(Limits { result_bytes: 10, ..Limits::default() }).await;
    let (_, text) = bytes.refusal(&anna(), SQL).await;
    assert!(text.contains("larger"), "{text}");
}

/// Waits until the caller's one place is free.
async fn place_is_free(bench: &Bench) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while bench.query(&anna(), SQL).await.is_err() {
        assert!(std::time::Instant::now() < deadline, "the place stays taken");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn r08_who_does_not_read_is_not_served_for_ever() {
    let limits = Limits { idle_time: Duration::from_secs(1), per_principal: 1, ..Limits::default() };
    let bench = Bench::with_limits(limits).await;
    let sql = "select a.*, b.card, c.card from sales.orders a, sales.orders b, sales.orders c, sales.orders d, sales.orders e,
               sales.orders f, sales.orders g, sales.orders h, sales.orders i, sales.orders j, sales.orders k";
    let info = bench.flight_info(&anna(), statement(sql)).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let mut stalled = bench.client().do_get(with_token(ticket, &anna())).await.unwrap().into_inner();
    stalled.message().await.unwrap();
    // The place becomes free again, and the stalled stream does not end well.
    place_is_free(&bench).await;
    let ended = loop {
        match stalled.message().await {
            Ok(Some(_)) => {}
            Ok(None) => break Ok(()),
            Err(status) => break Err(status),
        }
    };
    assert!(ended.unwrap_err().message().contains("not read"));
}

#[tokio::test]
async fn r09_a_client_that_goes_away_ends_its_query() {
    let limits = Limits { per_principal: 1, ..Limits::default() };
    let bench = Bench::with_limits(limits).await;
    let sql = "select a.order_id from sales.orders a, sales.orders b, sales.orders c, sales.orders d, sales.orders e,
               sales.orders f, sales.orders g, sales.orders h, sales.orders i, sales.orders j, sales.orders k";
    let info = bench.flight_info(&anna(), statement(sql)).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let mut stream = bench.client().do_get(with_token(ticket, &anna())).await.unwrap().into_inner();
    stream.message().await.unwrap();
    let (code, _) = bench.refusal(&anna(), SQL).await;
    assert_eq!(code, Code::Unavailable);
    drop(stream);
    place_is_free(&bench).await;
    assert!(bench.records().iter().any(|record| record["outcome"] == "cancelled"));
}

#[tokio::test]
async fn a_domain_that_went_away_is_told_to_who_may_see_it() {
    let bench = Bench::start().await;
    bench.gateway.mesh.unavailable("hr");
    let (code, text) = bench.refusal(&auditor(), "select * from hr.people").await;
    assert_eq!(code, Code::Unavailable);
    assert!(text.contains("`hr` is not available"), "{text}");
    let (code, _) = bench.refusal(&anna(), "select * from hr.people").await;
    assert_eq!(code, Code::NotFound);
}

#[tokio::test]
async fn stopping_ends_streams_with_an_error() {
    let bench = Bench::start().await;
    let sql = "select a.order_id from sales.orders a, sales.orders b, sales.orders c, sales.orders d, sales.orders e,
               sales.orders f, sales.orders g, sales.orders h, sales.orders i, sales.orders j, sales.orders k";
    let info = bench.flight_info(&anna(), statement(sql)).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let mut stream = bench.client().do_get(with_token(ticket, &anna())).await.unwrap().into_inner();
    stream.message().await.unwrap();
    bench.gateway.stopping.send_replace(true);
    let ended = loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            Ok(None) => break Ok(()),
            Err(status) => break Err(status),
        }
    };
    assert!(ended.unwrap_err().message().contains("stopping"));
}
