//! A small domain for this crate's tests: certificates, files, and requests
//! as a gateway would make them. Only for tests.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::{IpcMessage, SchemaAsIpc};
use aws_lc_rs::rand::{SystemRandom, generate};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use datafusion::parquet::arrow::ArrowWriter;
use meshgate_engine::operator::{self, OperatorKeys, OperatorSigner};
use meshgate_engine::permit::{self, PermitSigner};
use meshgate_policies::{Decision, Digest, POLICY_LANGUAGE, Principal, Statement};
use meshgate_proto::PERMIT_TYPE;
use meshgate_proto::v1::domain_query::Form;
use meshgate_proto::v1::{DomainQuery, DomainRequest, Permit, PermittedTable, Scan};
use prost::Message;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use tempfile::TempDir;

use crate::NodeConfig;
use crate::describe::Identity;
use crate::node;
use crate::operator::OperatorFile;
use crate::reload::Loader;
use crate::state::State;

pub(crate) const DOMAIN: &str = "sales";
pub(crate) const NODE: &str = "sales-1";

pub(crate) const MESH: &str = "\
mesh: test
version: 3
timezone: Europe/Berlin
claims:
  employment: { path: $.employment, type: string }
";

/// Analysts see EU rows without `note`, and cards by their last four characters.
pub(crate) const POLICIES: &str = "\
domain: sales
grants:
  - id: analysts
    why: They analyse.
    to: { roles: [analyst] }
    tables: [orders]
    columns: [id, region, amount, card]
    rows: \"region = 'EU'\"
    masks: { card: last(4) }
";

pub(crate) const CONTRACT: &str = "\
apiVersion: v3.0.2
kind: DataContract
id: orders
name: orders
version: 1.0.0
status: active
servers:
  - { server: disk, type: local, environment: dev, path: ../data/orders.parquet, format: parquet }
schema:
  - name: orders
    physicalType: table
    properties:
      - { name: id, logicalType: integer, physicalType: bigint, required: true, primaryKey: true }
      - { name: region, logicalType: string }
      - { name: amount, logicalType: integer, physicalType: bigint }
      - { name: card, logicalType: string }
      - { name: note, logicalType: string }
";

/// A domain on disk, with the keys of everybody who has some.
#[derive(Debug)]
pub(crate) struct Domain {
    folder: TempDir,
    pub(crate) authority: Authority,
    pub(crate) signer: PermitSigner,
    pub(crate) operator: OperatorSigner,
}

/// A certificate and its key, in PEM form.
#[derive(Debug, Clone)]
pub(crate) struct Pem {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// A certificate authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn issue(&self, role: &str) -> Pem {
        let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let role = format!("meshgate:role:{role}");
        parameters.subject_alt_names.push(SanType::URI(role.as_str().try_into().unwrap()));
        self.sign(&parameters)
    }

    pub(crate) fn sign(&self, parameters: &CertificateParams) -> Pem {
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.0).unwrap();
        Pem { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

impl Domain {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        let (signer, permit_keys) = signer("test-key");
        let domain = Self { folder, authority, signer, operator: operator_signer() };
        let node = domain.authority.issue("node");
        domain.write("tls/node.crt", &node.certificate);
        domain.write("tls/node.key", &node.key);
        domain.write("tls/ca.crt", &domain.authority.pem());
        domain.write("tls/permit-keys.json", &permit_keys);
        domain.write("tls/operator.pub", &STANDARD.encode(domain.operator.public_key()));
        domain.write("mesh.yaml", &domain.signed(MESH));
        domain.write("policies/sales.yaml", POLICIES);
        domain.write("products/orders.odcs.yaml", CONTRACT);
        domain.write_orders(&orders());
        domain.write(
            "node.yaml",
            "version: 1\n\
             domain: sales\n\
             environment: dev\n\
             listen: { flight: 127.0.0.1:0, http: 127.0.0.1:0 }\n\
             tls: { cert: tls/node.crt, key: tls/node.key, client_ca: tls/ca.crt }\n\
             gateway: { permit_keys: tls/permit-keys.json, operator_key: tls/operator.pub }\n\
             mesh: mesh.yaml\n\
             products: products\n\
             policies: policies\n\
             audit: { file: audit/node.jsonl }\n\
             limits: { shutdown_grace: 300ms, memory: 256MiB, query_memory: 128MiB }\n",
        );
        domain
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file as a careful editor does: under another name, then renamed.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let draft = path.with_extension("draft");
        std::fs::write(&draft, text).unwrap();
        std::fs::rename(draft, path).unwrap();
    }

    pub(crate) fn write_orders(&self, batch: &RecordBatch) {
        write_parquet(&self.path("data/orders.parquet"), batch);
    }

    pub(crate) fn config(&self) -> NodeConfig {
        NodeConfig::load(&self.path("node.yaml"), &|_| None).unwrap()
    }

    pub(crate) fn loader(&self) -> Loader {
        let identity = Identity {
            domain: DOMAIN.into(),
            node: NODE.into(),
            started_at: node::now(),
            direct_addresses: Vec::new(),
        };
        Loader::new(Arc::new(self.config()), identity, Arc::new(self.operator_file()))
    }

    pub(crate) fn operator_file(&self) -> OperatorFile {
        let config = self.config();
        OperatorFile::new(config.mesh, OperatorKeys::load(&config.operator_keys).unwrap())
    }

    /// The operator's document with its signature.
    pub(crate) fn signed(&self, text: &str) -> String {
        operator::sign("mesh.yaml", text, &self.operator, None).unwrap()
    }

    pub(crate) fn state(&self) -> Arc<State> {
        let loaded = self.loader().load();
        assert!(loaded.problems.is_empty(), "{:#?}", loaded.problems);
        loaded.state
    }

    pub(crate) fn audit_records(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.path("audit/node.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A key of an operator.
pub(crate) fn operator_signer() -> OperatorSigner {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    OperatorSigner::from_pem(&key.serialize_pem()).unwrap()
}

/// A signer and the file of public keys that knows it.
pub(crate) fn signer(id: &str) -> (PermitSigner, String) {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let signer = PermitSigner::from_pem(id, &key.serialize_pem()).unwrap();
    let public = STANDARD.encode(key.public_key_raw());
    (signer, format!("{{\"keys\":[{{\"id\":\"{id}\",\"public_key\":\"{public}\"}}]}}"))
}

/// Six rows, four of them in the EU.
pub(crate) fn orders() -> RecordBatch {
    orders_of(&["EU", "US", "EU", "EU", "US", "EU"])
}

pub(crate) fn orders_of(regions: &[&str]) -> RecordBatch {
    let count = i64::try_from(regions.len()).unwrap();
    let texts = |make: &dyn Fn(i64) -> String| -> ArrayRef {
        Arc::new((1..=count).map(|id| Some(make(id))).collect::<StringArray>())
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from_iter_values(1..=count))),
        ("region", Arc::new(StringArray::from(regions.to_vec()))),
        ("amount", Arc::new(Int64Array::from_iter_values((1..=count).map(|id| id * 10)))),
        ("card", texts(&|id| format!("411111111111000{id}"))),
        ("note", texts(&|id| format!("SECRET-{id}"))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

pub(crate) fn write_parquet(path: &Path, batch: &RecordBatch) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let draft = path.with_extension("draft");
    let file = std::fs::File::create(&draft).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    std::fs::rename(draft, path).unwrap();
}

pub(crate) fn analyst() -> Principal {
    Principal {
        issuer: "https://login.example".into(),
        subject: "anna".into(),
        roles: ["analyst".to_owned()].into(),
        ..Principal::default()
    }
}

/// A permit and its query, both still open to changes.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) permit: Permit,
    pub(crate) query: DomainQuery,
}

impl Request {
    /// What a gateway asks for an analyst under `state`, here `select <columns> from orders`.
    pub(crate) fn new(state: &State, columns: &[&str]) -> Self {
        let principal = analyst();
        let instant = node::now();
        let zone = state.zone().unwrap_or(chrono_tz::Tz::UTC);
        let statement = Statement { instant, zone };
        let decision = match state.policy().decide("orders", &principal, &statement) {
            Decision::Visible(decision) => decision.digest,
            Decision::Absent { .. } => Digest::of(b"absent"),
        };
        let contract = state.table("orders").map_or(Digest::of(b"none"), |table| table.version());
        let permit = Permit {
            r#type: PERMIT_TYPE.into(),
            gateway: "gateway-1".into(),
            audience: NODE.into(),
            query_id: uuid::Uuid::now_v7().to_string(),
            principal: Some(permit::principal_to_message(&principal)),
            policy_language: POLICY_LANGUAGE,
            owner_policy_version: state.policy().owner_version().as_bytes().to_vec(),
            operator_policy_version: state.policy().operator_version().as_bytes().to_vec(),
            tables: vec![PermittedTable {
                table: "orders".into(),
                contract_version: contract.as_bytes().to_vec(),
                decision_digest: decision.as_bytes().to_vec(),
            }],
            query_digest: Vec::new(),
            instant,
            issued_at: instant,
            expires_at: instant + 60_000_000,
            id: random_id(),
        };
        let scan = Scan {
            domain: DOMAIN.into(),
            table: "orders".into(),
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
            predicates: Vec::new(),
            limit: None,
        };
        let query = DomainQuery {
            instant,
            time_zone: zone.name().to_owned(),
            schema: schema_message(&expected_schema(columns)),
            form: Some(Form::Scan(scan)),
        };
        Self { permit, query }
    }

    /// Asks for another table, whose decision is that of `state`.
    pub(crate) fn aim_at(&mut self, state: &State, table: &str) {
        let statement =
            Statement { instant: self.query.instant, zone: state.zone().unwrap_or(chrono_tz::Tz::UTC) };
        let decision = match state.policy().decide(table, &analyst(), &statement) {
            Decision::Visible(decision) => decision.digest,
            Decision::Absent { .. } => Digest::of(b"absent"),
        };
        let contract = state.table(table).map_or(Digest::of(b"none"), |table| table.version());
        self.permit.tables = vec![PermittedTable {
            table: table.into(),
            contract_version: contract.as_bytes().to_vec(),
            decision_digest: decision.as_bytes().to_vec(),
        }];
        self.scan().table = table.into();
    }

    pub(crate) fn scan(&mut self) -> &mut Scan {
        match &mut self.query.form {
            Some(Form::Scan(scan)) => scan,
            other => panic!("{other:?}"),
        }
    }

    /// The query's bytes; the permit is for exactly them afterwards.
    pub(crate) fn seal(&mut self) -> Vec<u8> {
        let bytes = self.query.encode_to_vec();
        self.permit.query_digest = Digest::of(&bytes).as_bytes().to_vec();
        bytes
    }

    pub(crate) fn ticket(mut self, signer: &PermitSigner) -> Vec<u8> {
        let query = self.seal();
        DomainRequest { permit: Some(permit::sign(signer, &self.permit)), query, wire: None }.encode_to_vec()
    }
}

pub(crate) fn random_id() -> Vec<u8> {
    generate::<[u8; 16]>(&SystemRandom::new()).unwrap().expose().to_vec()
}

/// The columns of `orders` as an analyst sees them.
pub(crate) fn expected_schema(columns: &[&str]) -> Schema {
    let field = |name: &&str| match *name {
        "id" => Field::new("id", DataType::Int64, false),
        "amount" => Field::new("amount", DataType::Int64, true),
        text => Field::new(text, DataType::Utf8, true),
    };
    Schema::new(columns.iter().map(field).collect::<Vec<_>>())
}

pub(crate) fn schema_message(schema: &Schema) -> Vec<u8> {
    let IpcMessage(bytes) = SchemaAsIpc::new(schema, &IpcWriteOptions::default()).try_into().unwrap();
    bytes.to_vec()
}
