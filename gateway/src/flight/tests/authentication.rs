//! Every call is authenticated before anything else of it is looked at.

use arrow_flight::{Action, Criteria, Empty, FlightData, FlightDescriptor, HandshakeRequest, Ticket};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use tonic::{Code, Request, Status};

use crate::testing::bench::{Bench, anna};

fn request<T>(message: T, authorization: Option<&str>) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(value) = authorization {
        request.metadata_mut().insert("authorization", value.parse().unwrap());
    }
    request
}

/// Calls every method with this header.
async fn call_all(bench: &Bench, authorization: Option<&str>) -> Vec<(&'static str, Result<(), Status>)> {
    let mut client = bench.client();
    let with = authorization;
    let nonsense = || FlightDescriptor::new_cmd("selekt");
    let unknown = Action { r#type: "Unknown".to_owned(), body: bytes::Bytes::from_static(b"\xff") };
    let handshake = futures::stream::iter([HandshakeRequest::default()]);
    let data = || futures::stream::iter([FlightData::default()]);
    vec![
        ("Handshake", client.handshake(request(handshake, with)).await.map(drop)),
        ("ListFlights", client.list_flights(request(Criteria::default(), with)).await.map(drop)),
        ("GetFlightInfo", client.get_flight_info(request(nonsense(), with)).await.map(drop)),
        ("PollFlightInfo", client.poll_flight_info(request(nonsense(), with)).await.map(drop)),
        ("GetSchema", client.get_schema(request(nonsense(), with)).await.map(drop)),
        ("DoGet", client.do_get(request(Ticket::default(), with)).await.map(drop)),
        ("DoPut", client.do_put(request(data(), with)).await.map(drop)),
        ("DoExchange", client.do_exchange(request(data(), with)).await.map(drop)),
        ("DoAction", client.do_action(request(unknown, with)).await.map(drop)),
        ("ListActions", client.list_actions(request(Empty {}, with)).await.map(drop)),
    ]
}

#[tokio::test]
async fn a081_every_method_refuses_every_bad_credential_alike() {
    let bench = Bench::start().await;
    let cut = anna().rsplit_once('.').unwrap().0.to_owned();
    let large = format!("Bearer {}", "x".repeat(20 << 10));
    let bad = [
        None,
        Some("".to_owned()),
        Some("Bearer".to_owned()),
        Some(format!("Token {}", anna())),
        Some("Bearer x.y.z".to_owned()),
        Some(format!("Bearer {cut}.")),
        Some(large),
    ];
    for authorization in bad {
        for (method, result) in call_all(&bench, authorization.as_deref()).await {
            assert_eq!(result.unwrap_err().code(), Code::Unauthenticated, "{method}");
        }
    }
}

#[tokio::test]
async fn a082_what_is_not_offered_is_said_after_authentication_only() {
    let bench = Bench::start().await;
    let bearer = format!("Bearer {}", anna());
    for (method, result) in call_all(&bench, Some(&bearer)).await {
        match method {
            "DoPut" | "DoExchange" | "DoAction" => {
                assert_eq!(result.unwrap_err().code(), Code::Unimplemented);
            }
            "Handshake" | "ListFlights" | "ListActions" => assert!(result.is_ok(), "{method}"),
            _ => assert_eq!(result.unwrap_err().code(), Code::InvalidArgument, "{method}"),
        }
    }
}

#[tokio::test]
async fn a_handshake_gives_the_token_back() {
    let bench = Bench::start().await;
    let basic = format!("Basic {}", STANDARD_NO_PAD.encode(format!("anybody:{}", anna())));
    for authorization in [basic.clone(), format!("Bearer {}", anna())] {
        let message = futures::stream::iter([HandshakeRequest::default()]);
        let response = bench.client().handshake(request(message, Some(&authorization))).await.unwrap();
        let token = response.metadata().get("authorization").unwrap().to_str().unwrap().to_owned();
        assert_eq!(token, format!("Bearer {}", anna()));
        assert_eq!(response.into_inner().message().await.unwrap().unwrap().payload, anna());
    }
    // Everywhere else a password is no credential.
    let info =
        bench.client().get_flight_info(request(FlightDescriptor::new_cmd("select 1"), Some(&basic))).await;
    assert_eq!(info.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn every_answer_names_its_query() {
    let bench = Bench::start().await;
    let refused = bench.client().list_actions(Request::new(Empty {})).await.unwrap_err();
    assert!(refused.metadata().get("x-query-id").is_some());
    let listed =
        bench.client().list_actions(request(Empty {}, Some(&format!("Bearer {}", anna())))).await.unwrap();
    assert!(listed.metadata().get("x-query-id").is_some());
}
