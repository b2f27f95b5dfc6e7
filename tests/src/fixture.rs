//! The small mesh of the leak tests: three domains; alice, bob, an auditor, and otto who has no grant.
//!
//! Hidden cells hold the word SECRET, so that a leak is a word to search for.

use serde_json::{Value, json};

use crate::mesh::MeshPlan;

/// What no message to alice or bob may hold.
pub const MARKER: &str = "SECRET";

const MESH: &str = "
mesh: leaks
timezone: UTC
roles: { path: $.roles }
groups: { path: $.groups }
claims:
  tenant: { path: $.tenant, type: string }
classifications: [public, internal, restricted]
tags: { pii: Identifies a person directly. }
restrictions: []
";

const ORDERS: &str = "
apiVersion: v3.1.0
kind: DataContract
id: sales-orders
name: orders
version: 1.0.0
status: active
servers: [ { server: files, environment: test, type: local, path: '../data/{model}.csv', format: csv } ]
schema:
  - name: orders
    properties:
      - { name: id, logicalType: integer, required: true, primaryKey: true, classification: internal }
      - { name: customer_id, logicalType: integer, classification: internal }
      - { name: region, logicalType: string, classification: internal }
      - { name: amount, logicalType: integer, classification: internal }
      - { name: card, logicalType: string, classification: restricted }
      - { name: note, logicalType: string, classification: restricted }
";

const PEOPLE: &str = "
apiVersion: v3.1.0
kind: DataContract
id: hr-people
name: people
version: 1.0.0
status: active
servers: [ { server: files, environment: test, type: local, path: '../data/{model}.csv', format: csv } ]
schema:
  - name: people
    properties:
      - { name: id, logicalType: integer, required: true, classification: internal }
      - { name: name, logicalType: string, classification: internal }
      - { name: ssn, logicalType: string, classification: restricted, tags: [pii] }
      - { name: salary, logicalType: integer, classification: restricted }
      - { name: tenant, logicalType: string, classification: internal }
";

const LEDGER: &str = "
apiVersion: v3.1.0
kind: DataContract
id: fin-ledger
name: ledger
version: 1.0.0
status: active
servers: [ { server: files, environment: test, type: local, path: '../data/{model}.csv', format: csv } ]
schema:
  - name: ledger
    properties:
      - { name: id, logicalType: integer, required: true, classification: internal }
      - { name: amount, logicalType: integer, classification: internal }
";

/// Order 6 is hidden from alice and bob: its amount is 5, its texts are marked.
const ORDERS_CSV: &str = "id,customer_id,region,amount,card,note
1,10,EU,100,SECRETSECRET1111,SECRET-note-1
2,11,EU,200,SECRETSECRET2222,SECRET-note-2
3,10,US,300,SECRETSECRET3333,SECRET-note-3
4,12,US,400,SECRETSECRET4444,SECRET-note-4
5,12,EU,,,
6,13,SECRET-land,5,SECRETSECRET6666,SECRET-note-6
";

const PEOPLE_CSV: &str = "id,name,ssn,salary,tenant
10,Ada,SECRET-10,1000,acme
11,Ben,SECRET-11,2000,acme
12,Cid,SECRET-12,3000,other
13,SECRET-name,SECRET-13,4000,SECRET-tenant
";

const SALES_POLICY: &str = "
domain: sales
owner: sales@larkfield.example
policy_readers: { roles: [sales-owner] }
grants:
  - { id: eu, why: Works on Europe., to: { subjects: [alice] }, tables: [orders], columns: [id, customer_id, region, amount, card], rows: \"region = 'EU'\", masks: { card: last(4) } }
  - { id: us, why: Works on America., to: { subjects: [bob] }, tables: [orders], columns: [id, customer_id, region, amount], rows: \"region = 'US'\" }
  - { id: audit, why: Checks everything., to: { roles: [auditor] }, tables: [orders], columns: all }
";

const HR_POLICY: &str = "
domain: hr
owner: hr@larkfield.example
grants:
  - { id: own-tenant, why: Works for the tenant., to: { subjects: [alice] }, tables: [people], columns: [id, name, ssn, tenant], rows: \"tenant = claim('tenant')\", masks: { ssn: nullify } }
  - { id: audit, why: Checks everything., to: { roles: [auditor] }, tables: [people], columns: all }
";

const FIN_POLICY: &str = "
domain: fin
owner: fin@larkfield.example
grants:
  - { id: audit, why: Checks everything., to: { roles: [auditor] }, tables: [ledger], columns: all }
";

/// The plan of the mesh.
pub fn leaks() -> MeshPlan {
    MeshPlan::new(MESH, &["sales", "hr", "fin"])
        .file("sales/products/orders.odcs.yaml", ORDERS)
        .file("sales/data/orders.csv", ORDERS_CSV)
        .file("sales/policies/sales.yaml", SALES_POLICY)
        .file("hr/products/people.odcs.yaml", PEOPLE)
        .file("hr/data/people.csv", PEOPLE_CSV)
        .file("hr/policies/hr.yaml", HR_POLICY)
        .file("fin/products/ledger.odcs.yaml", LEDGER)
        .file("fin/data/ledger.csv", "id,amount\n1,10\n2,20\n")
        .file("fin/policies/fin.yaml", FIN_POLICY)
}

pub fn alice() -> Value {
    json!({ "sub": "alice", "tenant": "acme" })
}

pub fn bob() -> Value {
    json!({ "sub": "bob" })
}

pub fn auditor() -> Value {
    json!({ "sub": "ivy", "roles": ["auditor"] })
}

/// A valid token and no grant.
pub fn otto() -> Value {
    json!({ "sub": "otto" })
}
