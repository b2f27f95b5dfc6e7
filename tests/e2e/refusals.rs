//! What is refused, and that it tells nothing.

use arrow_flight::{Action, Criteria, Empty, FlightDescriptor, HandshakeRequest, Ticket};
use meshgate_tests::client::Client;
use meshgate_tests::fixture;
use meshgate_tests::mesh::Mesh;
use meshgate_tests::token::with_terms;
use serde_json::{Value, json};
use tonic::{Code, Status};

/// Tokens that must open nothing.
fn bad_tokens(mesh: &Mesh) -> Vec<(&'static str, String)> {
    let good = with_terms(&fixture::auditor());
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        mesh.forge.raw(&claims)
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        mesh.forge.raw(&claims)
    };
    let whole = mesh.forge.raw(&good);
    let unsigned = {
        use base64::Engine;
        let part = |value: &Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.", part(&json!({ "alg": "none", "typ": "JWT" })), part(&good))
    };
    vec![
        ("garbage", "abc".to_owned()),
        ("no algorithm", unsigned),
        ("a cut signature", whole[..whole.len() - 6].to_owned()),
        ("expired", with("exp", json!(chrono::Utc::now().timestamp() - 3600))),
        ("not yet valid", with("nbf", json!(chrono::Utc::now().timestamp() + 3600))),
        ("another audience", with("aud", json!("somebody-else"))),
        ("another issuer", with("iss", json!("https://evil.example"))),
        ("no expiry", without("exp")),
        ("no audience", without("aud")),
        ("no subject", without("sub")),
        ("a blank subject", with("sub", json!(" "))),
        ("oversize", with("filler", json!("x".repeat(40_000)))),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a081_every_call_with_bad_credentials_is_unauthenticated() {
    let mesh = fixture::leaks().start().await;
    let mut tokens = bad_tokens(&mesh);
    tokens.push(("none", String::new()));
    for (name, token) in tokens {
        let mut client = mesh.client_with(&token).await;
        for (call, status) in every_call(&mut client).await {
            // Header lists have a bound of their own, below HTTP.
            let expected = [Code::Unauthenticated].contains(&status.code())
                || (name == "oversize" && status.code() != Code::Ok);
            assert!(expected, "{call} with {name}: {status:?}");
        }
    }
    let mut client = mesh.client(&fixture::auditor()).await;
    let unknown = client.flight().do_action(Action::new("no-such-action", "")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::Unimplemented, "a082: known to be missing only after authentication");
    assert_eq!(client.rows("select count(*) from fin.ledger").await.column(), ["2"]);
}

async fn every_call(client: &mut Client) -> Vec<(&'static str, Status)> {
    let path = || FlightDescriptor::new_path(vec!["fin".into(), "ledger".into()]);
    let data = || futures::stream::iter([arrow_flight::FlightData::default()]);
    let flight = client.flight();
    let hello = futures::stream::iter([HandshakeRequest::default()]);
    vec![
        ("Handshake", outcome(flight.handshake(hello).await)),
        ("ListFlights", outcome(flight.list_flights(Criteria::default()).await)),
        ("GetFlightInfo", outcome(flight.get_flight_info(path()).await)),
        ("PollFlightInfo", outcome(flight.poll_flight_info(path()).await)),
        ("GetSchema", outcome(flight.get_schema(path()).await)),
        ("DoGet", outcome(flight.do_get(Ticket::default()).await)),
        ("DoPut", outcome(flight.do_put(data()).await)),
        ("DoExchange", outcome(flight.do_exchange(data()).await)),
        ("DoAction", outcome(flight.do_action(Action::new("no-such-action", "")).await)),
        ("ListActions", outcome(flight.list_actions(Empty {}).await)),
    ]
}

fn outcome<T>(result: Result<tonic::Response<T>, Status>) -> Status {
    result.err().unwrap_or_else(|| Status::ok("it answered"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a102_nobody_but_the_gateway_talks_to_a_node() {
    let mesh = fixture::leaks().start().await;
    let text = std::fs::read_to_string(mesh.path("domains/sales.yaml")).unwrap();
    let address = text.split("grpc+tls://").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let token = mesh.forge.token(&fixture::auditor());
    let ca = tonic::transport::Certificate::from_pem(std::fs::read(mesh.ca()).unwrap());
    let tls = tonic::transport::ClientTlsConfig::new().ca_certificate(ca).domain_name("localhost");
    let channel = tonic::transport::Endpoint::from_shared(format!("https://{address}"))
        .unwrap()
        .tls_config(tls)
        .unwrap()
        .connect()
        .await;
    // With TLS 1.3 the refusal of a missing client certificate may reach us with the first call.
    if let Ok(channel) = channel {
        let mut client = arrow_flight::flight_service_client::FlightServiceClient::new(channel);
        let mut request = tonic::Request::new(Action::new("meshgate.describe", ""));
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        assert!(client.do_action(request).await.is_err());
    }
    assert!(mesh.client(&fixture::auditor()).await.rows("select * from sales.orders").await.rows.len() == 6);
}
