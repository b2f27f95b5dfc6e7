//! A domain's files without a server: what they say, rows that are given, and
//! what one principal sees beside what lies behind it.

use std::collections::BTreeMap;
use std::fs;

use arrow::array::{Array, Int64Array, RecordBatch, StringArray};
use meshgate_engine::{Engine, EngineLimits};
use meshgate_policies::yaml::Problem;
use meshgate_policies::{Decision, Mesh, Principal, Statement, TableDecision};
use tempfile::TempDir;

use super::*;
use crate::config::Repository;

const CONTRACT: &str = "\
apiVersion: v3.1.0
kind: DataContract
id: sales
name: sales
version: 1.0.0
status: active
servers: [{ server: files, environment: dev, type: local, path: '../data/{model}.csv', format: csv }]
schema:
  - name: orders
    properties:
      - { name: id, logicalType: integer, required: true, primaryKey: true }
      - { name: region, logicalType: string }
      - { name: card, logicalType: string }
  - name: notes
    properties: [{ name: text, logicalType: string }]
";
const POLICIES: &str = "\
domain: sales
grants:
  - { id: eu, to: { roles: [analyst] }, tables: [orders], columns: all, rows: \"region = 'EU'\", masks: { card: last(2) } }
  - { id: notes, to: { roles: [analyst] }, tables: [notes], columns: all }
";
const STATEMENT: Statement = Statement { instant: 1_795_390_200_000_000, zone: chrono_tz::UTC };

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for made in ["products", "policies", "data", "own"] {
            fs::create_dir(folder.path().join(made)).unwrap();
        }
        let files = Self(folder);
        files.write("products/sales.odcs.yaml", CONTRACT);
        files.write("policies/sales.yaml", POLICIES);
        files.write("data/orders.csv", "id,region,card\n1,EU,4111\n2,US,4222\n3,,4333\n4,EU,\n");
        files
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.0.path().join(file), text).unwrap();
    }

    fn load(&self) -> Result<(OfflineDomain, Vec<Problem>), Vec<Problem>> {
        let folder = self.0.path();
        let repository = Repository {
            folder: folder.to_owned(),
            domain: "sales".to_owned(),
            environment: "dev".to_owned(),
            mesh: folder.join("mesh.yaml"),
            products: folder.join("products"),
            policies: folder.join("policies"),
            data_roots: vec![folder.to_owned()],
            contract_variables: BTreeMap::new(),
        };
        let (mesh, _) =
            Mesh::load("mesh.yaml", "mesh: m\ntimezone: UTC\nroles: { path: $.roles }\n").unwrap();
        OfflineDomain::load(&repository, mesh)
    }

    fn domain(&self) -> OfflineDomain {
        self.load().unwrap_or_else(|problems| panic!("{problems:?}")).0
    }

    fn node(&self, domain: &OfflineDomain, data: &BTreeMap<String, TableData>) -> OfflineNode {
        let setting = Setting {
            engine: Engine::new(EngineLimits { target_partitions: 1, ..EngineLimits::default() }).unwrap(),
            gateway: ("nobody".to_owned(), [0; 32]),
            instant: STATEMENT.instant,
            folder: self.0.path().join("own"),
        };
        OfflineNode::new(domain, data, setting).unwrap()
    }

    async fn given(&self, table: &str, text: &str) -> Result<TableData, Vec<String>> {
        let rows = GivenRows { table: table.to_owned(), text: text.to_owned() };
        let told = |fault: GivenFault| {
            format!("{}{}", fault.message, fault.hint.map(|hint| format!("; {hint}")).unwrap_or_default())
        };
        let given = self.domain().give(&rows, &self.0.path().join("own")).await;
        given.map_err(|faults| faults.into_iter().map(told).collect())
    }
}

fn analyst() -> Principal {
    Principal { subject: "a".to_owned(), roles: ["analyst".to_owned()].into(), ..Principal::default() }
}

fn decision(domain: &OfflineDomain, table: &str) -> TableDecision {
    match domain.policy().decide(table, &analyst(), &STATEMENT) {
        Decision::Visible(decision) => decision,
        Decision::Absent { .. } => panic!("{table} is there"),
    }
}

fn numbers(batches: &[RecordBatch]) -> Vec<i64> {
    let column = |batch: &RecordBatch| {
        batch.column(0).as_any().downcast_ref::<Int64Array>().unwrap().values().to_vec()
    };
    batches.iter().flat_map(column).collect()
}

fn texts(batches: &[RecordBatch], name: &str) -> Vec<Option<String>> {
    let column = |batch: &RecordBatch| -> Vec<Option<String>> {
        let column = batch.column_by_name(name).unwrap();
        let texts = column.as_any().downcast_ref::<StringArray>().unwrap();
        texts.iter().map(|text| text.map(str::to_owned)).collect()
    };
    batches.iter().flat_map(column).collect()
}

#[test]
fn all_problems_of_the_files_come_at_once() {
    let files = Files::new();
    let (domain, warnings) = files.load().unwrap();
    assert_eq!((domain.name(), warnings), ("sales", vec![]));
    assert_eq!(domain.tables().map(|table| table.name.as_str()).collect::<Vec<_>>(), ["orders", "notes"]);
    assert!(domain.table("orders").is_some() && domain.table("order").is_none());
    files.write("products/other.odcs.yaml", &CONTRACT.replace("kind: DataContract", "kind: Other"));
    files.write("policies/sales.yaml", &POLICIES.replace("region = 'EU'", "regoin = 'EU'"));
    let problems = files.load().unwrap_err();
    assert!(problems.iter().any(|problem| problem.message.contains("kind: Other")), "{problems:?}");
    assert!(problems.iter().any(|problem| problem.message.contains("regoin")), "{problems:?}");
}

#[tokio::test]
async fn given_rows_are_read_as_strictly_as_any() {
    let files = Files::new();
    for good in ["id,region\n1,EU\n", "card,id\n,7\n", "{\"id\": 1}\n{\"id\": 2, \"region\": \"EU\"}\n"] {
        assert!(files.given("orders", good).await.is_ok(), "{good}");
    }
    for (table, text, told) in [
        ("order", "id\n1\n", "the domain has no table `order`; did you mean `orders`?"),
        ("orders", "id,regoin\n1,EU\n", "`orders` has no column `regoin`; did you mean `region`?"),
        (
            "orders",
            "region\nEU\n",
            "the column `id` of `orders` is missing; the contract requires it: give it a value in every row",
        ),
    ] {
        assert_eq!(files.given(table, text).await.unwrap_err(), [told]);
    }
    let bad_cell = files.given("orders", "id,region\n1,EU\nx,EU\n").await.unwrap_err();
    assert!(bad_cell[0].contains("the rows: row 3 (line 3), column `id`: \"x\" is no int64"), "{bad_cell:?}");
    let without_key = files.given("orders", "id,region\n,EU\n").await.unwrap_err();
    assert!(without_key[0].contains("the contract requires it, and it is NULL in 1 rows"), "{without_key:?}");
    let bad_row = files.given("orders", "{\"id\": 1}\n{\"id\": }\n").await.unwrap_err();
    assert!(bad_row[0].starts_with("row 2 is no JSON object"), "{bad_row:?}");
}

#[tokio::test]
async fn a_sight_is_what_the_decision_shows_and_no_row_more() {
    let files = Files::new();
    let domain = files.domain();
    let node = files.node(&domain, &domain.data());
    let decision = decision(&domain, "orders");
    let sight = node.sight("orders", &decision, &STATEMENT).await.unwrap();
    let text = |text: &str| Some(text.to_owned());
    // Neither that of another region nor that of none.
    assert_eq!(numbers(&sight.keys), [1, 4]);
    assert_eq!(texts(&sight.shown, "card"), [text("**11"), None]);
    assert_eq!(texts(&sight.raw, "card"), [text("4111"), None]);
    assert_eq!(numbers(&node.keys("orders", &decision, &STATEMENT).await.unwrap()), [1, 4]);
    assert_eq!(node.count("orders", &decision, &STATEMENT).await.unwrap(), 2);
    assert_eq!(node.total("orders", &STATEMENT).await.unwrap(), 4);
}

#[tokio::test]
async fn what_cannot_be_looked_at_says_why() {
    let files = Files::new();
    let domain = files.domain();
    let node = files.node(&domain, &domain.data());
    let notes = decision(&domain, "notes");
    let error = node.keys("notes", &notes, &STATEMENT).await.unwrap_err();
    assert!(matches!(&error, SightError::NoKey(table) if table == "notes"), "{error}");
    // The file of its contract is not there.
    assert!(node.count("notes", &notes, &STATEMENT).await.is_err());
    let orders = decision(&domain, "orders");
    drop(node);
    let without = files.node(&domain, &BTreeMap::new());
    let error = without.keys("orders", &orders, &STATEMENT).await.unwrap_err();
    assert!(matches!(&error, SightError::NoSource(table) if table == "orders"), "{error}");
}

/// Rows that are given stand in the place of the contract's, and of none but that table's.
#[tokio::test]
async fn given_rows_take_the_place_of_the_contracts() {
    let files = Files::new();
    let domain = files.domain();
    let mut data = domain.data();
    let given = files.given("orders", "id,region\n8,EU\n9,US\n").await.unwrap();
    data.insert("orders".to_owned(), given);
    let node = files.node(&domain, &data);
    let keys = node.keys("orders", &decision(&domain, "orders"), &STATEMENT).await.unwrap();
    assert_eq!(numbers(&keys), [8]);
}

/// Nobody but the gateway of this process is answered.
#[tokio::test]
async fn a_request_without_a_permit_is_refused() {
    let files = Files::new();
    let domain = files.domain();
    let node = files.node(&domain, &domain.data());
    for ticket in [b"".as_slice(), b"orders", &[0xff; 64]] {
        assert!(node.answer(ticket).await.is_err(), "{ticket:?}");
    }
}
