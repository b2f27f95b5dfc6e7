//! Policies that change while the mesh runs.

use std::time::Duration;

use meshgate_tests::client::Client;
use meshgate_tests::{eventually_async, fixture};

const LIMIT: Duration = Duration::from_secs(5);

async fn sees(client: &mut Client, sql: &str) -> Option<usize> {
    client.query(sql).await.ok().map(|result| result.rows.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a059_a_change_takes_effect_and_a_broken_file_changes_nothing() {
    let mesh = fixture::leaks().start().await;
    let file = mesh.path("sales/policies/sales.yaml");
    let original = std::fs::read_to_string(&file).unwrap();
    let sql = "select id, note from sales.orders";
    let mut alice = mesh.client(&fixture::alice()).await;
    assert_eq!(sees(&mut alice, sql).await, None);

    // A ticket from before the change.
    let before = alice.plan("select id from sales.orders").await.unwrap();

    std::fs::write(&file, original.replace("amount, card], rows", "amount, card, note], rows")).unwrap();
    eventually_async("the grant", LIMIT, async || (sees(&mut alice, sql).await == Some(3)).then_some(()))
        .await;

    std::fs::write(&file, "domain: sales\ngrants: [ { nonsense").unwrap();
    for _ in 0..20 {
        assert_eq!(sees(&mut alice, sql).await, Some(3), "a064: the last good policy stays");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    std::fs::write(&file, original.replace("subjects: [alice]", "subjects: [nobody]")).unwrap();
    eventually_async("the refusal", LIMIT, async || sees(&mut alice, sql).await.is_none().then_some(()))
        .await;
    let ticket = before.endpoint[0].ticket.clone().unwrap();
    assert!(alice.messages(ticket).await.is_err(), "a067: an old ticket gets the policy of now");

    std::fs::write(&file, &original).unwrap();
    let sql = "select id from sales.orders";
    eventually_async("the grant again", LIMIT, async || {
        (sees(&mut alice, sql).await == Some(3)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a065_a_policy_that_cannot_be_read_at_start_denies_its_domain_only() {
    let mut plan = fixture::leaks();
    let broken = plan.files.iter_mut().find(|(path, _)| path == "sales/policies/sales.yaml").unwrap();
    broken.1 = b"domain: sales\ngrants: [ { id: x".to_vec();
    let mesh = plan.start_unready().await;
    let mut auditor = mesh.client(&fixture::auditor()).await;
    eventually_async("the other domains", LIMIT, async || {
        (sees(&mut auditor, "select id from fin.ledger").await == Some(2)).then_some(())
    })
    .await;
    assert_eq!(sees(&mut auditor, "select id from sales.orders").await, None);
}
