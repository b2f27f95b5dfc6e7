//! Who may call a node at all.

use arrow_flight::{Criteria, Empty, FlightDescriptor, HandshakeRequest};
use meshgate_proto::{OPERATOR_DOCUMENT_ACTION, RELOAD_ACTION};
use rcgen::CertificateParams;
use tonic::Code;

use super::*;

/// The code with which each RPC ends for this client.
async fn codes(client: &mut FlightServiceClient<Channel>) -> Vec<Code> {
    let descriptor = || FlightDescriptor::new_path(vec!["sales".into()]);
    let handshake = futures::stream::iter([HandshakeRequest::default()]);
    let data = || futures::stream::iter([FlightData::default()]);
    let results = [
        client.handshake(handshake).await.err(),
        client.list_flights(Criteria::default()).await.err(),
        client.get_flight_info(descriptor()).await.err(),
        client.poll_flight_info(descriptor()).await.err(),
        client.get_schema(descriptor()).await.err(),
        client.do_put(data()).await.err(),
        client.do_exchange(data()).await.err(),
        client.list_actions(Empty::default()).await.err(),
        client.do_action(Action::new("meshgate.other", "")).await.err(),
        client.do_get(Ticket::new("")).await.err(),
        client.do_action(Action::new(DESCRIBE_ACTION, "")).await.err(),
        client.do_action(Action::new(OPERATOR_DOCUMENT_ACTION, "")).await.err(),
        client.do_action(Action::new(RELOAD_ACTION, "")).await.err(),
    ];
    results.iter().map(|error| error.as_ref().map_or(Code::Ok, Status::code)).collect()
}

#[tokio::test]
async fn a118_every_call_is_refused_to_a_certificate_without_the_role_gateway() {
    let node = Running::start(Domain::new()).await;
    for role in ["node", "gateways", "client"] {
        let mut client = node.client_as(&node.domain.authority.issue(role)).await.unwrap();
        assert_eq!(codes(&mut client).await, [Code::PermissionDenied; 13], "{role}");
    }
    let plain = CertificateParams::new(vec!["meshgate.example".to_owned()]).unwrap();
    let mut client = node.client_as(&node.domain.authority.sign(&plain)).await.unwrap();
    assert_eq!(codes(&mut client).await, [Code::PermissionDenied; 13]);
}

#[tokio::test]
async fn a082_a_gateway_gets_four_calls_and_no_other() {
    let node = Running::start(Domain::new()).await;
    let mut expected = vec![Code::Unimplemented; 9];
    // An empty ticket is refused; a description is given, and a receipt for an empty document.
    expected.extend([Code::PermissionDenied, Code::Ok, Code::Ok, Code::Ok]);
    assert_eq!(codes(&mut node.client().await).await, expected);
}

#[tokio::test]
async fn a103_without_a_certificate_of_the_mesh_there_is_no_connection() {
    let node = Running::start(Domain::new()).await;
    let attempts = [
        node.connect(node.tls()).await,
        node.client_as(&Authority::new().issue("gateway")).await,
        node.client_as(&expired(&node.domain.authority)).await,
    ];
    // With TLS 1.3 the client learns of the refusal with its first call.
    for mut client in attempts.into_iter().flatten() {
        let refused = descriptors(&mut client).await.err().expect("an answer came");
        assert_ne!(refused.code(), Code::PermissionDenied, "{refused:?}");
    }
    assert!(descriptors(&mut node.client().await).await.is_ok());
}

fn expired(authority: &Authority) -> Pem {
    let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let role = rcgen::SanType::URI("meshgate:role:gateway".try_into().unwrap());
    parameters.subject_alt_names.push(role);
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2020, 2, 1);
    authority.sign(&parameters)
}

#[tokio::test]
async fn a085_plaintext_gets_no_answer() {
    let node = Running::start(Domain::new()).await;
    let endpoint = Endpoint::from_shared(format!("http://{}", node.flight)).unwrap();
    if let Ok(channel) = endpoint.connect().await {
        let mut client = FlightServiceClient::new(channel);
        assert!(descriptors(&mut client).await.is_err());
    }
}
