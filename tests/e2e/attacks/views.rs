//! What each caller of the small mesh may see, as tables of an engine without
//! policies: the same SQL must give the same rows here and through the mesh.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::catalog::MemorySchemaProvider;
use datafusion::common::TableReference;
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use meshgate_tests::client::Client;
use meshgate_tests::fixture::{self, MARKER};
use meshgate_tests::mesh::Mesh;
use meshgate_tests::render::Rendered;

/// A caller, and the views that policy leaves to it.
pub(super) struct Seen {
    pub(super) name: &'static str,
    pub(super) client: Client,
    views: SessionContext,
}

impl Seen {
    /// The same rows through the mesh and from the views, or an error from both.
    /// True if there were rows to compare.
    pub(super) async fn compare(&mut self, sql: &str) -> bool {
        let expected = from_views(&self.views, sql).await;
        let name = self.name;
        match (expected, self.client.query(sql).await) {
            (Ok(expected), Ok(rows)) => {
                assert_eq!(rows.sorted(), expected.sorted(), "{name}: {sql}");
                true
            }
            (Err(_), Err(status)) => {
                let text = format!("{status:?}");
                assert!(!text.contains(MARKER) || sql.contains(MARKER), "{name}: {sql}: {text}");
                false
            }
            (expected, rows) => panic!("{name}: {sql}: expected {expected:?}, got {rows:?}"),
        }
    }
}

async fn from_views(views: &SessionContext, sql: &str) -> Result<Rendered, String> {
    let frame = views.sql(sql).await.map_err(|error| error.to_string())?;
    let columns = frame.schema().fields().iter().map(|field| field.name().clone()).collect();
    let batches = frame.collect().await.map_err(|error| error.to_string())?;
    Ok(Rendered::of(columns, &batches))
}

/// Sees European orders, masked, and the people of one tenant.
pub(super) async fn alice(mesh: &Mesh) -> Seen {
    let orders = [
        order(1, 10, "EU", Some(100), Some("************1111")),
        order(2, 11, "EU", Some(200), Some("************2222")),
        order(5, 12, "EU", None, None),
    ];
    let people: [Person; 2] = [(10, "Ada", None, None, "acme"), (11, "Ben", None, None, "acme")];
    let views = views(vec![
        ("sales", "orders", orders_batch(&orders, &["id", "customer_id", "region", "amount", "card"])),
        ("hr", "people", people_batch(&people, &["id", "name", "ssn", "tenant"])),
    ]);
    Seen { name: "alice", client: mesh.client(&fixture::alice()).await, views }
}

/// Sees American orders without cards.
pub(super) async fn bob(mesh: &Mesh) -> Seen {
    let orders = [order(3, 10, "US", Some(300), None), order(4, 12, "US", Some(400), None)];
    let orders = orders_batch(&orders, &["id", "customer_id", "region", "amount"]);
    let views = views(vec![("sales", "orders", orders)]);
    Seen { name: "bob", client: mesh.client(&fixture::bob()).await, views }
}

/// Sees everything.
pub(super) async fn auditor(mesh: &Mesh) -> Seen {
    let cards: Vec<String> = [1, 2, 3, 4, 6].map(|n| format!("SECRETSECRET{}", n * 1111)).to_vec();
    let card = |at: usize| Some(cards[at].as_str());
    let orders = [
        order(1, 10, "EU", Some(100), card(0)),
        order(2, 11, "EU", Some(200), card(1)),
        order(3, 10, "US", Some(300), card(2)),
        order(4, 12, "US", Some(400), card(3)),
        order(5, 12, "EU", None, None),
        order(6, 13, "SECRET-land", Some(5), card(4)),
    ];
    let people: [Person; 4] = [
        (10, "Ada", Some("SECRET-10"), Some(1000), "acme"),
        (11, "Ben", Some("SECRET-11"), Some(2000), "acme"),
        (12, "Cid", Some("SECRET-12"), Some(3000), "other"),
        (13, "SECRET-name", Some("SECRET-13"), Some(4000), "SECRET-tenant"),
    ];
    let views = views(vec![
        (
            "sales",
            "orders",
            orders_batch(&orders, &["id", "customer_id", "region", "amount", "card", "note"]),
        ),
        ("hr", "people", people_batch(&people, &["id", "name", "ssn", "salary", "tenant"])),
    ]);
    Seen { name: "auditor", client: mesh.client(&fixture::auditor()).await, views }
}

type Order<'a> = (i64, i64, &'a str, Option<i64>, Option<&'a str>);
type Person<'a> = (i64, &'a str, Option<&'a str>, Option<i64>, &'a str);

fn order<'a>(
    id: i64,
    customer: i64,
    region: &'a str,
    amount: Option<i64>,
    card: Option<&'a str>,
) -> Order<'a> {
    (id, customer, region, amount, card)
}

fn orders_batch(orders: &[Order<'_>], columns: &[&str]) -> RecordBatch {
    let notes = orders.iter().map(|order| order.3.map(|_| format!("SECRET-note-{}", order.0)));
    let all: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(orders.iter().map(|order| order.0).collect::<Int64Array>())),
        ("customer_id", Arc::new(orders.iter().map(|order| order.1).collect::<Int64Array>())),
        ("region", Arc::new(orders.iter().map(|order| Some(order.2)).collect::<StringArray>())),
        ("amount", Arc::new(orders.iter().map(|order| order.3).collect::<Int64Array>())),
        ("card", Arc::new(orders.iter().map(|order| order.4).collect::<StringArray>())),
        ("note", Arc::new(notes.collect::<StringArray>())),
    ];
    visible(all, columns)
}

fn people_batch(people: &[Person<'_>], columns: &[&str]) -> RecordBatch {
    let all: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(people.iter().map(|person| person.0).collect::<Int64Array>())),
        ("name", Arc::new(people.iter().map(|person| Some(person.1)).collect::<StringArray>())),
        ("ssn", Arc::new(people.iter().map(|person| person.2).collect::<StringArray>())),
        ("salary", Arc::new(people.iter().map(|person| person.3).collect::<Int64Array>())),
        ("tenant", Arc::new(people.iter().map(|person| Some(person.4)).collect::<StringArray>())),
    ];
    visible(all, columns)
}

fn visible(all: Vec<(&str, ArrayRef)>, columns: &[&str]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(
        all.into_iter().filter(|(name, _)| columns.contains(name)).map(|(name, array)| (name, array, true)),
    )
    .unwrap()
}

fn views(tables: Vec<(&str, &str, RecordBatch)>) -> SessionContext {
    let config = SessionConfig::new().with_default_catalog_and_schema("mesh", "public");
    let context = SessionContext::new_with_config(config);
    let catalog = context.catalog("mesh").unwrap();
    for (domain, table, batch) in tables {
        catalog.register_schema(domain, Arc::new(MemorySchemaProvider::new())).unwrap();
        let provider = MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap();
        context.register_table(TableReference::partial(domain, table), Arc::new(provider)).unwrap();
    }
    context
}
