use std::sync::Mutex;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
};

use super::*;

async fn get(address: std::net::SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn alive_and_ready() {
    let state =
        Arc::new(Mutex::new(Readiness { domains_total: 3, domains_ready: 3, problems: BTreeMap::new() }));
    let probe: ReadinessProbe = {
        let state = Arc::clone(&state);
        Arc::new(move || state.lock().unwrap().clone())
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, probe, async move { drop(stopped.await) }));

    assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200"));
    let ready = get(address, "/readyz").await;
    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    assert!(ready.ends_with(r#"{"ready":true,"domains":{"ready":3,"total":3},"problems":{}}"#), "{ready}");

    *state.lock().unwrap() = Readiness {
        domains_total: 3,
        domains_ready: 2,
        problems: [(ReadinessProblem::DomainUnavailable, 1), (ReadinessProblem::PolicyUnreadable, 2)].into(),
    };
    let red = get(address, "/readyz").await;
    assert!(red.starts_with("HTTP/1.1 503"), "{red}");
    let body = r#"{"ready":false,"domains":{"ready":2,"total":3},"problems":{"domain_unavailable":1,"policy_unreadable":2}}"#;
    assert!(red.ends_with(body), "{red}");
    assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200"));
    assert!(get(address, "/metrics").await.starts_with("HTTP/1.1 404"));

    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}
