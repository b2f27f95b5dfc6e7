//! What a node tells a gateway about its domain.

use meshgate_policies::POLICY_LANGUAGE;

use super::*;
use crate::testing::{NODE, POLICIES};

#[tokio::test]
async fn the_description_has_contracts_and_policies_and_no_place_of_data() {
    let node = Running::start(Domain::new()).await;
    let mut stream = descriptors(&mut node.client().await).await.unwrap();
    let descriptor = next(&mut stream).await.unwrap().unwrap();
    assert_eq!((descriptor.domain.as_str(), descriptor.node.as_str()), ("sales", NODE));
    assert_eq!(descriptor.policy_language, POLICY_LANGUAGE);
    assert_eq!(descriptor.engine_version, datafusion::DATAFUSION_VERSION);
    let table = &descriptor.products[0].tables[0];
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["id", "region", "amount", "card", "note"]);
    assert_eq!((table.columns[0].data_type.as_str(), table.columns[0].required), ("int64", true));
    assert_eq!(table.primary_key, ["id"]);
    assert_eq!(table.contract_version, node.state().table("orders").unwrap().version().as_bytes());
    let policies = descriptor.owner_policies.as_ref().unwrap();
    assert_eq!(policies.documents[0].text, POLICIES);
    assert!(!policies.unreadable);
    let bytes = descriptor.encode_to_vec();
    let text = String::from_utf8_lossy(&bytes);
    assert!(!text.contains("parquet") && !text.contains("disk"), "{text}");
}

#[tokio::test]
async fn estimates_follow_in_the_background() {
    let node = Running::start(Domain::new()).await;
    let mut stream = descriptors(&mut node.client().await).await.unwrap();
    let mut last_revision = 0;
    loop {
        let descriptor = next(&mut stream).await.unwrap().unwrap();
        assert!(descriptor.revision > last_revision);
        last_revision = descriptor.revision;
        let table = &descriptor.products[0].tables[0];
        if table.estimated_rows.is_some() {
            assert_eq!(table.estimated_rows, Some(6));
            assert!(table.estimated_bytes.unwrap() > 0);
            break;
        }
    }
}
