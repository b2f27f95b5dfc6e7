use meshgate_policies::Principal;

use super::*;
use crate::{
    mesh::{Described, DomainView},
    testing::larkfield::{self, HR_POLICY, SALES_POLICY},
};

fn snapshot() -> Arc<Snapshot> {
    let snapshot = Snapshot::new(Some(larkfield::document()));
    let domain = |name: &str, policy: &str| {
        let described = Described::read(name, larkfield::descriptor(name, policy)).unwrap();
        DomainView::new(name, Arc::new(described), &snapshot.mesh, None, 1)
    };
    Arc::new(snapshot.with_domain(domain("sales", SALES_POLICY)).with_domain(domain("hr", HR_POLICY)))
}

fn catalog(role: &str, regions: &[&str]) -> PrincipalCatalog {
    let mut principal = Principal { issuer: "i".to_owned(), subject: "s".to_owned(), ..Principal::default() };
    principal.roles.insert(role.to_owned());
    let regions = regions.iter().map(ToString::to_string).collect();
    principal.claims.insert("regions".to_owned(), meshgate_policies::ClaimValue::Texts(regions));
    PrincipalCatalog::new(snapshot(), Arc::new(principal), 1_795_000_000_000_000)
}

fn names(catalog: &PrincipalCatalog) -> Vec<String> {
    catalog.all().iter().map(VisibleTable::qualified_name).collect()
}

#[test]
fn only_what_is_granted_exists() {
    assert_eq!(names(&catalog("analyst", &["DE"])), ["sales.orders"]);
    assert_eq!(names(&catalog("auditor", &[])), ["hr.people", "sales.order_lines", "sales.orders"]);
    assert_eq!(names(&catalog("nobody", &["DE"])), Vec::<String>::new());
}

#[test]
fn hidden_columns_do_not_exist_and_masked_ones_can_be_null() {
    let table = catalog("analyst", &["DE"]).table("sales", "orders").unwrap();
    let columns: Vec<_> =
        table.schema.fields().iter().map(|field| (field.name().as_str(), field.is_nullable())).collect();
    assert_eq!(columns, [("order_id", false), ("region", false), ("total", true), ("card", true)]);
    assert!(table.is_plain("order_id") && !table.is_plain("card") && !table.is_plain("margin"));
    assert_eq!((0..4).filter(|position| table.is_masked(*position)).collect::<Vec<_>>(), [3]);
}

#[test]
fn metadata_of_columns_is_for_visible_columns() {
    let table = catalog("analyst", &["DE"]).table("sales", "orders").unwrap();
    let schema = table.schema_with_metadata();
    let remarks =
        |name: &str| schema.field_with_name(name).unwrap().metadata()["ARROW:FLIGHT:SQL:REMARKS"].clone();
    assert_eq!(remarks("card"), "What card is.");
    assert!(!format!("{schema:?}").contains("margin"));
    assert_eq!(table.primary_key, ["order_id"]);
}

#[test]
fn what_was_named_is_remembered() {
    let catalog = catalog("analyst", &["DE"]);
    assert!(catalog.table("hr", "people").is_none());
    assert!(catalog.table("sales", "nothing").is_none());
    catalog.table("sales", "orders").unwrap();
    assert_eq!(catalog.named().len(), 1);
}

#[test]
fn a065_documents_that_cannot_be_read_deny_everything() {
    let snapshot = Snapshot::new(Some(larkfield::document()));
    let described = Described::read("sales", larkfield::descriptor("sales", "grants: 7")).unwrap();
    let view = DomainView::new("sales", Arc::new(described), &snapshot.mesh, None, 1);
    assert!(view.policy_unreadable);
    let snapshot = snapshot.with_domain(view);
    let mut auditor = Principal::default();
    auditor.roles.insert("auditor".to_owned());
    assert!(PrincipalCatalog::new(Arc::new(snapshot), Arc::new(auditor), 0).all().is_empty());
}
