//! Keys of tokens that the issuer itself serves, over TLS with a CA of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use meshgate_tests::issuer::Issuer;
use meshgate_tests::mesh::{Mesh, http_get};
use meshgate_tests::token::Forge;
use meshgate_tests::{eventually_async, fixture};
use tokio::sync::watch;

const LIMIT: Duration = Duration::from_secs(30);

async fn mesh_of(issuer: &Issuer) -> Mesh {
    let mut plan = fixture::leaks();
    plan.jwks = issuer.jwks();
    plan.start_unready().await
}

async fn until_accepted(mesh: &Mesh, forge: &Forge) {
    eventually_async("the token is accepted", LIMIT, async || {
        mesh.client_with(&forge.token(&fixture::auditor())).await.plan("select 1").await.ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a098_a_change_of_keys_under_load_refuses_no_valid_token() {
    const CLIENTS: usize = 8;
    const CHANGES: usize = 3;
    let folder = tempfile::tempdir().unwrap();
    let first = Forge::generate("key-0");
    let issuer = Issuer::start(&folder.path().join("issuer"), &[first.jwk()]).await;
    let mesh = mesh_of(&issuer).await;
    until_accepted(&mesh, &first).await;
    let (forge, current) = watch::channel(first.clone());
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let client = mesh.client_with("").await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let (client, current) = (client.clone(), current.clone());
        let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
        tasks.spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                let token = current.borrow().token(&fixture::auditor());
                let planned = client.with_token(&token).plan("select 1").await;
                planned.unwrap_or_else(|status| panic!("a valid token was refused: {status:?}"));
                answered.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    let mut old = first;
    for change in 1..=CHANGES {
        let new = Forge::generate(&format!("key-{change}"));
        // Tokens of the old key are valid for a while after the change.
        issuer.serve_keys(&[old.jwk(), new.jwk()]);
        forge.send_replace(new.clone());
        let before = answered.load(Ordering::SeqCst);
        eventually_async("callers go on with the new key", LIMIT, async || {
            assert!(!tasks.is_empty());
            (answered.load(Ordering::SeqCst) >= before + 10 * CLIENTS).then_some(())
        })
        .await;
        old = new;
    }
    stop.store(true, Ordering::SeqCst);
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    eprintln!("{} calls, {} questions to the issuer", answered.load(Ordering::SeqCst), issuer.questions());
    assert!(issuer.questions() <= 2 + 2 * CHANGES, "{} questions", issuer.questions());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_answers_garbage_is_told_to_the_operator_and_stops_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let forge = Forge::generate("key-0");
    let issuer = Issuer::start(&folder.path().join("issuer"), &[]).await;
    let mesh = mesh_of(&issuer).await;
    // Without a key nobody gets in, and the gateway runs.
    let token = forge.token(&fixture::auditor());
    let refused = mesh.client_with(&token).await.plan("select 1").await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);
    let (status, body) = http_get(mesh.gateway_http, "/readyz").await;
    assert!(status == 503 && body.contains("key_set_broken"), "{body}");

    issuer.serve_keys(&[forge.jwk()]);
    until_accepted(&mesh, &forge).await;
    for text in ["<html>Log in</html>", &" ".repeat(10 << 20)] {
        let before = issuer.questions();
        issuer.serve_text(text);
        // A key that nobody has makes the gateway ask.
        let unknown = Forge::generate("unknown").token(&fixture::auditor());
        let refused = mesh.client_with(&unknown).await.plan("select 1").await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::Unauthenticated);
        assert!(issuer.questions() > before);
        until_accepted(&mesh, &forge).await;
        let (status, body) = http_get(mesh.gateway_http, "/readyz").await;
        assert!(status == 503 && body.contains("key_set_broken") && !body.contains("localhost:"), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_goes_down_leaves_its_tokens_valid_and_may_come_back_with_a_new_key() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (Forge::generate("key-0"), Forge::generate("key-1"));
    let mut issuer = Issuer::start(&folder.path().join("issuer"), &[old.jwk()]).await;
    let mesh = mesh_of(&issuer).await;
    until_accepted(&mesh, &old).await;
    let broken = async || http_get(mesh.gateway_http, "/readyz").await.1.contains("key_set_broken");
    assert!(!broken().await);

    issuer.stop().await;
    let token = new.token(&fixture::auditor());
    // A key that is not known makes the gateway ask: there is no answer, and nobody is let in for that.
    let refused = mesh.client_with(&token).await.plan("select 1").await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);
    assert!(broken().await);
    mesh.client_with(&old.token(&fixture::auditor())).await.plan("select 1").await.unwrap();

    issuer.start_again(&[new.jwk()]).await;
    until_accepted(&mesh, &new).await;
    assert!(!broken().await);
    let gone = mesh.client_with(&old.token(&fixture::auditor())).await.plan("select 1").await.unwrap_err();
    assert_eq!(gone.code(), tonic::Code::Unauthenticated);
}
