//! Fields inside columns, from the contract to the bytes that leave.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, Fields, Schema};

use super::*;
use crate::testing::{CONTRACT, orders_of, schema_message};

fn address(zip_required: bool) -> Fields {
    let field = |name, nullable| Field::new(name, DataType::Utf8, nullable);
    vec![field("street", true), field("zip", !zip_required)].into()
}

/// Two orders with addresses; the contract tags the street.
fn domain(zip_required: bool, rules: &str) -> Domain {
    let domain = Domain::new();
    let field = format!(
        "      - {{ name: address, logicalType: object, properties: [ {{ name: street, logicalType: string, tags: [pii] }}, {{ name: zip, logicalType: string, required: {zip_required} }} ] }}\n"
    );
    domain.write("products/orders.odcs.yaml", &format!("{CONTRACT}{field}"));
    let orders = orders_of(&["EU", "EU"]);
    let texts = |texts: [&str; 2]| Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
    let addresses = StructArray::new(
        address(zip_required),
        vec![texts(["SECRET-1", "SECRET-2"]), texts(["10115", "80331"])],
        None,
    );
    let mut columns: Vec<(&str, ArrayRef)> = ["id", "region", "amount", "card", "note"]
        .into_iter()
        .map(|name| (name, Arc::clone(&orders[name])))
        .collect();
    columns.push(("address", Arc::new(addresses)));
    domain.write_orders(&RecordBatch::try_from_iter(columns).unwrap());
    domain.write("policies/sales.yaml", &format!("domain: sales\n{rules}"));
    domain
}

/// What an analyst gets of `address`, as text and as the bytes of all messages.
async fn asked(rules: &str) -> (String, Vec<u8>) {
    asked_where(false, rules).await
}

async fn asked_where(zip_required: bool, rules: &str) -> (String, Vec<u8>) {
    let node = Running::start(domain(zip_required, rules)).await;
    let mut request = node.request(&["id"]);
    request.scan().columns = vec!["address".to_owned()];
    let schema = Schema::new(vec![Field::new("address", DataType::Struct(address(zip_required)), true)]);
    request.query.schema = schema_message(&schema);
    let ticket = request.ticket(&node.domain.signer);
    let all: Vec<FlightData> =
        messages(&mut node.client().await, ticket).await.unwrap().map(Result::unwrap).collect().await;
    let bytes = all.iter().flat_map(Message::encode_to_vec).collect();
    let batches = batches(futures::stream::iter(all.into_iter().map(Ok))).await.unwrap();
    let rows: Vec<String> = batches
        .iter()
        .flat_map(|batch| {
            let row = |row| arrow::util::display::array_value_to_string(&batch["address"], row).unwrap();
            (0..batch.num_rows()).map(row).collect::<Vec<_>>()
        })
        .collect();
    (rows.join("; "), bytes)
}

fn holds_secret(bytes: &[u8]) -> bool {
    bytes.windows(6).any(|window| window == b"SECRET")
}

#[tokio::test]
async fn a_masked_field_shows_its_mask_and_no_byte_of_what_it_was() {
    let grant = "grants:\n  - { id: g, to: { roles: [analyst] }, tables: [orders], columns: [id, address], masks: { address.zip: first(2) } }\n";
    let (raw, bytes) = asked(&grant.replace(", masks: { address.zip: first(2) }", "")).await;
    assert_eq!(raw, "{street: SECRET-1, zip: 10115}; {street: SECRET-2, zip: 80331}");
    assert!(holds_secret(&bytes));

    let restriction = "restrictions: [ { id: pii, columns: { tags: [pii] }, mask: redact } ]\n";
    let (masked, bytes) = asked(&format!("{grant}{restriction}")).await;
    assert_eq!(masked, "{street: ***, zip: 10***}; {street: ***, zip: 80***}");
    assert!(!holds_secret(&bytes));

    let except = grant.replace("[id, address]", "{ except_tags: [pii] }");
    let (left_out, bytes) = asked(&except).await;
    assert_eq!(left_out, "{street: , zip: 10***}; {street: , zip: 80***}");
    assert!(!holds_secret(&bytes));
}

#[tokio::test]
async fn a_required_field_that_shows_nothing_takes_its_struct_along() {
    let grant = |mask: &str| {
        format!(
            "grants:\n  - {{ id: g, to: {{ roles: [analyst] }}, tables: [orders], columns: [id, address], masks: {{ address.zip: {mask} }} }}\n"
        )
    };
    let (shown, _) = asked_where(true, &grant("first(2)")).await;
    assert_eq!(shown, "{street: SECRET-1, zip: 10***}; {street: SECRET-2, zip: 80***}");
    let (nothing, bytes) = asked_where(true, &grant("nullify")).await;
    assert_eq!(nothing, "; ");
    assert!(!holds_secret(&bytes));
    let (only_the_field, _) = asked_where(false, &grant("nullify")).await;
    assert_eq!(only_the_field, "{street: SECRET-1, zip: }; {street: SECRET-2, zip: }");
}
