//! Tables, callers and shorthands for the tests of decisions.

use crate::{
    Cell, ClaimValue, Column, DataType, Decision, Document, DomainPolicy, Mesh, Principal, Statement, Table,
    TableDecision, yaml::Problem,
};

pub(crate) const MESH: &str = r#"
mesh: larkfield
timezone: Europe/Berlin
claims:
  regions:    { path: $.regions, type: list<string> }
  stores:     { path: $.stores, type: list<integer> }
  tenant:     { path: $.tenant, type: string }
  level:      { path: $.level, type: integer }
  employment: { path: $.employment, type: string, values: [staff, contractor] }
classifications: [public, internal, confidential, restricted]
tags: { pii: Identifies a person., pci: Payment cards. }
purposes: { fraud: { title: Investigation of fraud } }
pseudonyms: { person: { scope: mesh }, order: {} }
"#;

/// 2026-11-22T23:30:00Z: the 23rd in Berlin.
pub(crate) const STATEMENT: Statement =
    Statement { instant: 1_795_390_200_000_000, zone: chrono_tz::Europe::Berlin };

fn column(name: &str, data_type: DataType, required: bool, classification: &str, tags: &[&str]) -> Column {
    Column {
        name: name.into(),
        data_type,
        required,
        classification: (!classification.is_empty()).then(|| classification.to_owned()),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        nested: vec![],
    }
}

pub(crate) fn orders() -> Table {
    let decimal = DataType::Decimal { precision: 12, scale: 2 };
    Table {
        domain: "sales".into(),
        product: "orders".into(),
        name: "orders".into(),
        columns: vec![
            column("id", DataType::Int64, true, "internal", &[]),
            column("region", DataType::Text, true, "internal", &[]),
            column("card", DataType::Text, true, "restricted", &["pci", "pii"]),
            column("note", DataType::Text, false, "confidential", &["pii"]),
            column("total", decimal, false, "internal", &[]),
            column("day", DataType::Date, false, "internal", &["pii"]),
            column("fresh", DataType::Int32, false, "", &[]),
        ],
        primary_key: vec!["id".into()],
    }
}

pub(crate) fn lines() -> Table {
    Table {
        domain: "sales".into(),
        product: "orders".into(),
        name: "order_lines".into(),
        columns: vec![
            column("id", DataType::Int64, true, "internal", &[]),
            column("sku", DataType::Text, true, "public", &[]),
        ],
        primary_key: vec![],
    }
}

/// A policy and a caller, to be changed step by step.
pub(crate) struct Fixture {
    pub(crate) mesh: String,
    pub(crate) documents: Vec<Document>,
    pub(crate) tables: Vec<Table>,
    pub(crate) principal: Principal,
}

impl Fixture {
    /// A domain `sales` with these rules, and a caller `alice` with the role `analyst`.
    pub(crate) fn new(rules: &str) -> Self {
        Self {
            mesh: MESH.to_owned(),
            documents: vec![document("sales.yaml", rules)],
            tables: vec![orders(), lines()],
            principal: Principal {
                issuer: "https://login.example".into(),
                subject: "alice".into(),
                roles: ["analyst".to_owned()].into(),
                ..Principal::default()
            },
        }
    }

    pub(crate) fn claim(mut self, name: &str, value: ClaimValue) -> Self {
        self.principal.claims.insert(name.into(), value);
        self
    }

    pub(crate) fn texts(self, name: &str, values: &[&str]) -> Self {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        self.claim(name, ClaimValue::Texts(values))
    }

    pub(crate) fn role(mut self, role: &str) -> Self {
        self.principal.roles.insert(role.into());
        self
    }

    pub(crate) fn purpose(mut self, purpose: &str) -> Self {
        self.principal.purpose = Some(purpose.into());
        self
    }

    pub(crate) fn operator(mut self, restrictions: &str) -> Self {
        self.mesh = format!("{MESH}\nrestrictions:\n{restrictions}\n");
        self
    }

    pub(crate) fn load(&self) -> Result<(DomainPolicy, Vec<Problem>), Vec<Problem>> {
        let (mesh, _) = Mesh::load("mesh.yaml", &self.mesh)?;
        DomainPolicy::load("sales", &self.documents, &mesh, &self.tables)
    }

    pub(crate) fn policy(&self) -> DomainPolicy {
        match self.load() {
            Ok((policy, _)) => policy,
            Err(problems) => panic!("{:#?}", problems.iter().map(ToString::to_string).collect::<Vec<_>>()),
        }
    }

    pub(crate) fn problems(&self) -> Vec<String> {
        match self.load() {
            Ok((_, problems)) => panic!("this loads, with {problems:?}"),
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        }
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        match self.load() {
            Ok((_, problems)) => problems.iter().map(ToString::to_string).collect(),
            Err(problems) => panic!("{problems:#?}"),
        }
    }

    pub(crate) fn decide(&self) -> Decision {
        self.policy().decide("orders", &self.principal, &STATEMENT)
    }
}

pub(crate) fn document(name: &str, rules: &str) -> Document {
    Document { name: name.into(), text: format!("domain: sales\n{rules}\n") }
}

#[track_caller]
pub(crate) fn visible(decision: Decision) -> TableDecision {
    match decision {
        Decision::Visible(table) => table,
        Decision::Absent { rules } => panic!("absent by {rules:?}"),
    }
}

/// `name=cell` of each column; a `?` behind the name of a nullable one, a `*`
/// behind that of one that is not plain.
pub(crate) fn cells(decision: &TableDecision) -> Vec<String> {
    decision
        .columns
        .iter()
        .map(|column| {
            let nullable = if column.nullable { "?" } else { "" };
            let plain = if column.plain { "" } else { "*" };
            let cell = match &column.cell {
                Cell::Raw => "raw".to_owned(),
                Cell::Computed(expr) => expr.to_string(),
            };
            format!("{}{nullable}{plain}={cell}", column.name)
        })
        .collect()
}
