//! What is refused, and that it tells nothing.

use arrow_flight::{Action, Criteria, Empty, FlightDescriptor, HandshakeRequest, Ticket};
use bytes::Bytes;
use meshgate_tests::client::{Client, answer, statement};
use meshgate_tests::fixture;
use meshgate_tests::mesh::Mesh;
use meshgate_tests::token::with_terms;
use serde_json::{Value, json};
use tonic::{Code, Status};

/// The answer as it would be had the caller asked for `x` everywhere.
fn named_x(status: &Status, name: &str) -> String {
    answer(status).replace(name, "x")
}

#[tokio::test(flavor = "multi_thread")]
async fn a041_refused_and_missing_give_identical_answers() {
    let mesh = fixture::leaks().start().await;
    let mut otto = mesh.client(&fixture::otto()).await;
    for (refused, missing) in [("fin.ledger", "fin.absent"), ("sales.orders", "nowhere.orders")] {
        let sql = |name: &str| format!("select 1 from {name}");
        let first = named_x(&otto.refused(&sql(refused)).await, refused);
        assert_eq!(first, named_x(&otto.refused(&sql(missing)).await, missing));
    }
    // The twin: to whom it is granted it is there.
    let rows = mesh.client(&fixture::auditor()).await.rows("select 1 from fin.ledger").await;
    assert_eq!(rows.rows.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a039_a_hidden_column_is_one_that_does_not_exist() {
    let mesh = fixture::leaks().start().await;
    let mut alice = mesh.client(&fixture::alice()).await;
    for place in [
        "select {} from sales.orders",
        "select id from sales.orders where {} = 'x'",
        "select id from sales.orders order by {}",
        "select count(*) from sales.orders group by {}",
        "select o.id from sales.orders o join hr.people p on o.{} = p.name",
        "select upper({}) from sales.orders",
        "select o.{} from sales.orders o",
    ] {
        let hidden = alice.refused(&place.replace("{}", "note")).await;
        let missing = alice.refused(&place.replace("{}", "nope")).await;
        assert_eq!(named_x(&hidden, "note"), named_x(&missing, "nope"), "{place}");
        assert!(!answer(&missing).contains("note"), "{place}: a typo must not list hidden names");
    }
    let mut auditor = mesh.client(&fixture::auditor()).await;
    assert_eq!(auditor.rows("select note from sales.orders where id = 1").await.column(), ["SECRET-note-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a071_only_queries_are_accepted_on_every_path() {
    let mesh = fixture::leaks().start().await;
    let file = mesh.path("written.csv");
    let mut auditor = mesh.client(&fixture::auditor()).await;
    for sql in [
        format!("copy (select 1) to '{}'", file.display()),
        format!("create external table t stored as csv location '{}'", mesh.path("mesh.yaml").display()),
        "create table t as select 1".to_owned(),
        "create view v as select 1".to_owned(),
        "insert into sales.orders values (1)".to_owned(),
        "update sales.orders set id = 1".to_owned(),
        "delete from sales.orders".to_owned(),
        "drop table sales.orders".to_owned(),
        "set datafusion.execution.batch_size = 1".to_owned(),
        "explain insert into sales.orders values (1)".to_owned(),
        "select 1; select 2".to_owned(),
        "selec 1".to_owned(),
        "select * from information_schema.df_settings".to_owned(),
        format!("select * from '{}'", mesh.path("mesh.yaml").display()),
    ] {
        let refused = |status: &Status| matches!(status.code(), Code::InvalidArgument | Code::NotFound);
        let planned = auditor.plan(&sql).await.unwrap_err();
        assert!(refused(&planned), "{sql}: {planned:?}");
        assert!(
            !planned.message().contains(mesh.directory.path().to_str().unwrap()) || sql.contains("/"),
            "{sql}"
        );
        let schema = auditor.flight().get_schema(statement(&sql)).await.unwrap_err();
        assert!(refused(&schema), "{sql}: {schema:?}");
        let raw = FlightDescriptor::new_cmd(sql.clone().into_bytes());
        assert!(refused(&auditor.flight().get_flight_info(raw).await.unwrap_err()), "{sql}");
        let ticket = Ticket { ticket: Bytes::from(sql.clone().into_bytes()) };
        assert!(auditor.messages(ticket).await.is_err(), "{sql} as a ticket");
    }
    assert!(!file.exists());
    assert_eq!(auditor.rows("select count(*) from sales.orders").await.column(), ["6"]);
}

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
async fn a066_a_ticket_is_its_principals_own() {
    let mesh = fixture::leaks().start().await;
    let mut alice = mesh.client(&fixture::alice()).await;
    let info = alice.plan("select id, region from sales.orders").await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    assert!(alice.messages(ticket.clone()).await.is_ok());

    let unknown = Ticket { ticket: Bytes::from_static(b"no such ticket") };
    let mut bob = mesh.client(&fixture::bob()).await;
    let expected = answer(&bob.messages(unknown).await.unwrap_err());
    assert_eq!(answer(&bob.messages(ticket.clone()).await.unwrap_err()), expected, "another's ticket");
    for position in [0, ticket.ticket.len() / 2, ticket.ticket.len() - 1] {
        let mut bytes = ticket.ticket.to_vec();
        bytes[position] ^= 1;
        let changed = Ticket { ticket: bytes.into() };
        assert_eq!(answer(&alice.messages(changed).await.unwrap_err()), expected, "changed at {position}");
    }
    // A new token of the same principal is as good.
    let mut again = mesh.client(&fixture::alice()).await;
    assert!(again.messages(ticket).await.is_ok());
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
