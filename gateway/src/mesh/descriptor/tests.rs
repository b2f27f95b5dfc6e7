use super::*;
use crate::testing::larkfield::{HR_POLICY, SALES_POLICY, descriptor};

fn change(change: impl FnOnce(&mut v1::Descriptor)) -> Result<Described, DescriptorError> {
    let mut descriptor = descriptor("sales", SALES_POLICY);
    change(&mut descriptor);
    Described::read("sales", descriptor)
}

#[test]
fn a_good_description_is_read() {
    let described = change(|_| ()).unwrap();
    assert_eq!(described.node, "sales-1");
    assert_eq!(described.documents.as_ref().unwrap()[0].name, "sales.yaml");
    let names: Vec<_> = described.contracts().into_iter().map(|table| table.name).collect();
    assert_eq!(names, ["orders", "order_lines"]);
}

#[test]
fn a106_another_domains_description_is_refused() {
    let error = Described::read("sales", descriptor("hr", HR_POLICY)).unwrap_err();
    assert_eq!(error, DescriptorError::OtherDomain("hr".to_owned()));
}

fn mark(descriptor: &mut v1::Descriptor, path: &[&str]) {
    let path = path.iter().map(|name| (*name).to_owned()).collect();
    let field = v1::NestedField { path, classification: None, tags: vec!["pii".to_owned()] };
    descriptor.products[0].tables[0].columns[1].nested.push(field);
}

#[test]
fn marks_of_fields_are_read_and_are_in_the_contracts_version() {
    let contract = Table {
        columns: vec![Column {
            data_type: "struct<street:text,zip:text>".parse().unwrap(),
            nested: vec![NestedField {
                path: vec!["street".to_owned()],
                classification: Some("restricted".to_owned()),
                tags: vec!["pii".to_owned()],
            }],
            ..change(|_| ()).unwrap().contracts()[0].columns[1].clone()
        }],
        ..change(|_| ()).unwrap().contracts()[0].clone()
    };
    let described = |marked: bool| {
        change(|descriptor| {
            let table = &mut descriptor.products[0].tables[0];
            table.primary_key = contract.primary_key.clone();
            table.contract_version = contract.version().as_bytes().to_vec();
            table.columns.truncate(2);
            table.columns.remove(0);
            table.columns[0].data_type = contract.columns[0].data_type.to_string();
            table.columns[0].nested = vec![v1::NestedField {
                path: vec!["street".to_owned()],
                classification: marked.then(|| "restricted".to_owned()),
                tags: vec!["pii".to_owned()],
            }];
        })
    };
    assert_eq!(described(true).unwrap().contracts()[0], contract);
    assert!(matches!(described(false), Err(DescriptorError::ContractVersion(_))));
}

#[test]
fn names_types_and_versions_must_hold() {
    type Change = fn(&mut v1::Descriptor);
    let changes: [(Change, &str); 9] = [
        (|descriptor| descriptor.node.clear(), "no name"),
        (|descriptor| descriptor.products[0].tables[0].name = "Or\"ders".to_owned(), "is not a name"),
        (|descriptor| descriptor.products[1].tables[0].name = "orders".to_owned(), "twice"),
        (|descriptor| descriptor.products[0].tables[0].columns[1].name = "order_id".to_owned(), "twice"),
        (|descriptor| descriptor.products[0].tables[0].columns[1].data_type = "varchar".to_owned(), "type"),
        (|descriptor| descriptor.products[0].tables[0].columns[1].required = false, "contract version"),
        (|descriptor| mark(descriptor, &["street"]), "no such field"),
        (|descriptor| mark(descriptor, &[]), "no such field"),
        (|descriptor| descriptor.products[0].tables[0].contract_version.clear(), "contract version"),
    ];
    for (change_one, text) in changes {
        let error = change(change_one).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
}

#[test]
fn policies_that_the_node_cannot_read_are_none() {
    let unreadable = change(|descriptor| descriptor.owner_policies.as_mut().unwrap().unreadable = true);
    assert_eq!(unreadable.unwrap().documents, None);
    assert_eq!(change(|descriptor| descriptor.owner_policies = None).unwrap().documents, None);
    assert_eq!(change(|descriptor| descriptor.policy_language += 1).unwrap().documents, None);
}
