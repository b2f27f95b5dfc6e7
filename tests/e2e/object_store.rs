//! Tables whose files lie in an object store, behind a server that speaks S3
//! and checks signatures.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::execution::SessionStateBuilder;
use datafusion::physical_plan::collect;
use meshgate_domain_node::config::{Secret, StoreCredentials, StoreKeys};
use meshgate_domain_node::contract::{ProductTable, load_folder};
use meshgate_domain_node::source::{Access, Source, SourceError, check_online};
use meshgate_tests::client::Client;
use meshgate_tests::mesh::{Mesh, MeshPlan, http_get};
use meshgate_tests::object_store::ObjectStore;
use meshgate_tests::process::run;
use meshgate_tests::{eventually_async, logs};
use prost::Message;
use serde_json::{Value, json};
use tonic::Code;

const MESH: &str = "
mesh: lake
timezone: UTC
roles: { path: $.roles }
groups: { path: $.groups }
claims: {}
classifications: [internal]
tags: {}
restrictions: []
";

/// A format of contracts and the extension of its files.
const FORMATS: [(&str, &str); 5] =
    [("parquet", "parquet"), ("csv", "csv"), ("json", "jsonl"), ("arrow", "arrow"), ("arrow", "arrows")];

/// The contract of the table `name` at this place.
fn contract(name: &str, location: &str, format: &str, url: &str) -> String {
    format!(
        "apiVersion: v3.2.0\nkind: DataContract\nid: {name}\nname: {name}\nversion: 1.0.0\nservers:\n  \
         - {{ server: lake, environment: test, type: s3, location: '{location}', endpointUrl: '{url}', format: {format} }}\n\
         schema:\n  - name: {name}\n    properties:\n      \
         - {{ name: id, logicalType: integer, required: true, classification: internal }}\n      \
         - {{ name: region, logicalType: string, partitioned: true, classification: internal }}\n      \
         - {{ name: note, logicalType: string, classification: internal }}\n"
    )
}

/// Grants alice the European rows of these tables, and an auditor all.
fn policy(tables: &[String]) -> String {
    let tables = tables.join(", ");
    format!(
        "domain: sales\nowner: sales@larkfield.example\ngrants:\n  - {{ id: eu, why: Works on Europe., \
         to: {{ subjects: [alice] }}, tables: [{tables}], columns: all, rows: \"region = 'EU'\" }}\n  \
         - {{ id: audit, why: Checks everything., to: {{ roles: [auditor] }}, tables: [{tables}], columns: all }}\n"
    )
}

/// Is the word SECRET in any byte of the result?
async fn holds_secret(client: &mut Client, sql: &str) -> bool {
    let info = client.plan(sql).await.unwrap();
    let messages = client.messages(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    let mut bytes = messages.iter().map(Message::encode_to_vec);
    bytes.any(|bytes| bytes.windows(6).any(|window| window == b"SECRET"))
}

/// Credentials stand neither in logs nor in audits, nor in what is told about the node's health.
async fn assert_credentials_are_nowhere(mesh: &Mesh, store: &ObjectStore) {
    let (_, health) = http_get(mesh.node_http("sales"), "/readyz").await;
    let audits = ["audit.jsonl", "sales/audit.jsonl"].map(|file| mesh.path(file));
    let audits = audits.map(|file| std::fs::read_to_string(file).unwrap());
    for text in [logs::captured(), health].iter().chain(&audits) {
        assert!(!text.is_empty());
        let line = text.lines().find(|line| line.contains(&store.key_id) || line.contains(&store.secret));
        assert!(line.is_none(), "{line:?}");
    }
}

fn alice() -> Value {
    json!({ "sub": "alice" })
}

/// A Parquet file of these columns.
fn parquet_of(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

/// Rows with these numbers, as a file.
fn file(extension: &str, ids: &[i64], note: &str) -> Vec<u8> {
    let notes: ArrayRef = Arc::new(StringArray::from(vec![note; ids.len()]));
    let ids: ArrayRef = Arc::new(Int64Array::from(ids.to_vec()));
    let batch = RecordBatch::try_from_iter([("id", ids), ("note", notes)]).unwrap();
    let (mut bytes, schema) = (Vec::new(), batch.schema());
    match extension {
        "parquet" => {
            let mut writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, schema, None).unwrap();
            writer.write(&batch).unwrap();
            writer.close().unwrap();
        }
        "csv" => arrow::csv::Writer::new(&mut bytes).write(&batch).unwrap(),
        "jsonl" => {
            let mut writer = arrow::json::LineDelimitedWriter::new(&mut bytes);
            writer.write(&batch).unwrap();
            writer.finish().unwrap();
        }
        "arrow" => {
            let mut writer = arrow::ipc::writer::FileWriter::try_new(&mut bytes, &schema).unwrap();
            writer.write(&batch).unwrap();
            writer.finish().unwrap();
        }
        _ => {
            let mut writer = arrow::ipc::writer::StreamWriter::try_new(&mut bytes, &schema).unwrap();
            writer.write(&batch).unwrap();
            writer.finish().unwrap();
        }
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_is_served_from_a_bucket_under_policy() {
    let store = ObjectStore::start();
    let mut plan = MeshPlan::new(MESH, &["sales"]);
    plan.node_lines = store.credentials();
    let mut tables = Vec::new();
    for (format, extension) in FORMATS {
        let name = format!("orders_{extension}");
        for (region, ids, note) in [("EU", [1, 2, 3], "seen"), ("US", [4, 5, 6], "SECRET")] {
            store
                .put(&format!("curated/{name}/region={region}/1.{extension}"), file(extension, &ids, note))
                .await;
        }
        plan = plan.file(
            &format!("sales/products/{name}.odcs.yaml"),
            contract(&name, "s3://lake/curated/{model}/", format, &store.url),
        );
        tables.push(name);
    }
    let mesh = plan.file("sales/policies/sales.yaml", policy(&tables)).start().await;
    let mut client = mesh.client(&alice()).await;
    let mut auditor = mesh.client(&json!({ "sub": "ivy", "roles": ["auditor"] })).await;
    for table in &tables {
        let all = format!("select * from sales.{table}");
        assert!(!holds_secret(&mut client, &all).await, "{table}");
        assert!(holds_secret(&mut auditor, &all).await, "{table}");
        let answer = client.rows(&format!("select id, region, note from sales.{table} order by id")).await;
        let shown = format!("{:?}", answer.rows);
        assert_eq!(answer.rows.len(), 3, "{table}: {shown}");
        assert!(!shown.contains("SECRET") && !shown.contains("US"), "{table}: {shown}");
        let joined = format!("select count(*) from sales.{table} a join sales.{} b using (id)", tables[0]);
        assert_eq!(client.rows(&joined).await.rows, [[Some("3".to_owned())]], "{table}");
    }
    let mut other = mesh.client(&json!({ "sub": "otto" })).await;
    assert_eq!(other.refused("select id from sales.orders_csv").await.code(), Code::NotFound);

    // An object that is new is there for the next statement, one that is broken ends it.
    store.put("curated/orders_csv/region=EU/2.csv", "id,note\n7,seen\n").await;
    assert_eq!(client.rows("select id from sales.orders_csv").await.rows.len(), 4);
    store.put("curated/orders_csv/region=EU/2.csv", "id,note\nSECRET,seen\n").await;
    let status = client.refused("select id from sales.orders_csv").await;
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(!format!("{status:?}").contains("SECRET"), "{status:?}");
    store.delete("curated/orders_csv/region=EU/2.csv").await;
    assert_eq!(client.rows("select id from sales.orders_csv").await.rows.len(), 3);
    assert_credentials_are_nowhere(&mesh, &store).await;
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_refuses_concerns_its_own_table_and_tells_callers_nothing() {
    let store = ObjectStore::start();
    store.put("open/1.csv", "id,region,note\n1,EU,x\n").await;
    let mut plan = MeshPlan::new(MESH, &["sales"]);
    plan.node_lines = store.credentials();
    let places = [
        ("open", "s3://lake/open/", store.url.as_str()),
        ("refused", "s3://vault/t/", store.url.as_str()),
        ("absent", "s3://nowhere/t/", store.url.as_str()),
        ("closed", "s3://lake/open/", "http://127.0.0.1:1"),
    ];
    for (name, location, url) in places {
        plan = plan.file(&format!("sales/products/{name}.odcs.yaml"), contract(name, location, "csv", url));
    }
    let foreign =
        contract("foreign", "s3://lake/open/", "csv", &store.url).replace("server: lake", "server: pond");
    plan = plan.file("sales/products/foreign.odcs.yaml", foreign);
    let tables: Vec<String> = ["open", "refused", "absent", "closed", "foreign"].map(str::to_owned).into();
    let mesh = plan.file("sales/policies/sales.yaml", policy(&tables)).start().await;
    let mut client = mesh.client(&alice()).await;
    assert_eq!(client.rows("select id from sales.open").await.rows.len(), 1);
    for table in &tables[1..] {
        let status = client.refused(&format!("select id from sales.{table}")).await;
        assert_eq!(status.code(), Code::Unavailable, "{table}: {status:?}");
        let said = format!("{status:?}");
        for hidden in [&store.key_id, &store.secret, "vault", "nowhere", "127.0.0.1:1", "pond", "s3:"] {
            assert!(!said.contains(hidden), "{table}: {said}");
        }
    }
    assert_eq!(client.rows("select id from sales.open").await.rows.len(), 1);

    let (status, health) = http_get(mesh.node_http("sales"), "/readyz").await;
    assert!(status == 503 && health.contains("\"sources\""), "{health}");
    assert!(!health.contains("refused") && !health.contains("vault"), "{health}");
    let logged = logs::captured();
    for (table, remedy) in [
        ("refused", "must be allowed `s3:ListBucket` and `s3:GetObject`"),
        ("foreign", "node.yaml has no `credentials` for the server `pond`"),
    ] {
        let told = |line: &&str| {
            (line.contains("ERROR") || line.contains("WARN")) && line.contains(&format!("`{table}`"))
        };
        let told: Vec<&str> = logged.lines().filter(told).collect();
        assert!(told.iter().any(|line| line.contains(remedy)), "{table}: {told:#?}");
    }
    assert!(!logged.lines().any(|line| line.contains("ERROR") && line.contains("`open`")));
    assert_credentials_are_nowhere(&mesh, &store).await;
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_a_bucket_no_longer_has_or_has_with_another_type_ends_what_asks_for_it() {
    const KEY: &str = "drifting/region=EU/1.parquet";
    let numbers = || -> ArrayRef { Arc::new(Int64Array::from(vec![1, 2])) };
    let texts = || -> ArrayRef { Arc::new(StringArray::from(vec!["a", "b"])) };
    let store = ObjectStore::start();
    store.put(KEY, parquet_of(vec![("id", numbers()), ("note", texts())])).await;
    let mut plan = MeshPlan::new(MESH, &["sales"]);
    plan.node_lines = store.credentials();
    let contract = contract("drifting", "s3://lake/drifting/", "parquet", &store.url);
    let mut mesh = plan
        .file("sales/products/drifting.odcs.yaml", contract)
        .file("sales/policies/sales.yaml", policy(&["drifting".to_owned()]))
        .start()
        .await;
    let mut client = mesh.client(&alice()).await;
    for column in ["id", "note"] {
        assert_eq!(client.rows(&format!("select {column} from sales.drifting")).await.rows.len(), 2);
    }
    for (file, lost, kept, drift) in [
        (vec![("id", numbers())], "note", "id", "the files do not have it"),
        (vec![("id", texts()), ("note", texts())], "id", "note", "the contract says Int64"),
    ] {
        store.put(KEY, parquet_of(file)).await;
        let status = client.refused(&format!("select {lost} from sales.drifting")).await;
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        let said = format!("{status:?}");
        assert!(!said.contains("lake") && !said.contains("parquet") && !said.contains("Int64"), "{said}");
        assert_eq!(client.rows(&format!("select {kept} from sales.drifting")).await.rows.len(), 2);
        let logged = logs::captured();
        let column = format!("column=\"{lost}\"");
        let is_told = |line: &str| ["\"drifting\"", &column, drift].iter().all(|text| line.contains(text));
        assert!(logged.lines().any(is_told), "{lost}: {drift}");
    }
    mesh.start_node_again("sales").await;
    eventually_async("the node says so", Duration::from_secs(20), async || {
        let (status, health) = http_get(mesh.node_http("sales"), "/readyz").await;
        (status == 503 && health.contains("\"sources\"") && !health.contains("drifting")).then_some(())
    })
    .await;
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn check_online_finds_what_is_wrong_in_a_bucket_and_what_is_refused() {
    let store = ObjectStore::start();
    store.put("good/1.csv", "id,region,note\n1,EU,x\n").await;
    store.put("spoilt/1.csv", "id,region,note\n1,EU,x\nBAD-CELL,EU,x\n").await;
    let mut plan = MeshPlan::new(MESH, &["sales"]);
    plan.node_lines = store.credentials();
    let places = [("good", "s3://lake/good/"), ("spoilt", "s3://lake/spoilt/"), ("locked", "s3://vault/t/")];
    for (name, location) in places {
        let contract = contract(name, location, "csv", &store.url);
        plan = plan.file(&format!("sales/products/{name}.odcs.yaml"), contract);
    }
    let tables: Vec<String> = places.map(|(name, _)| name.to_owned()).into();
    let mesh = plan.file("sales/policies/sales.yaml", policy(&tables)).start().await;
    let folder = mesh.path("sales");
    let check = |more: &[&str]| {
        let output = run(&[&["check", folder.to_str().unwrap()], more].concat());
        let told = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        (output.status.code(), told.concat())
    };
    let (code, told) = check(&["--online"]);
    assert_eq!(code, Some(1), "{told}");
    for expected in [
        "sales.spoilt.id: ",
        "row 3 (line 3), column `id`: \"BAD-CELL\" is no int64",
        "sales.locked: the object store refuses access",
        "must be allowed `s3:ListBucket` and `s3:GetObject`",
        "`secret_access_key` stands in this file itself; write `secret_access_key: \"${file:path}\"`",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    assert!(!told.contains("sales.good"), "{told}");
    // Without the data there is nothing to find.
    let (code, offline) = check(&[]);
    assert_eq!(code, Some(0), "{offline}");
    for told in [told, offline] {
        assert!(!told.contains(&store.key_id) && !told.contains(&store.secret), "{told}");
    }
    mesh.stop().await;
}

fn product_table(folder: &Path, location: &str, format: &str, url: &str) -> ProductTable {
    std::fs::write(folder.join("t.odcs.yaml"), contract("t", location, format, url)).unwrap();
    let mut contracts = load_folder(folder, "sales", "test", &BTreeMap::new());
    assert!(contracts.problems.is_empty(), "{:?}", contracts.problems);
    contracts.products.remove(0).tables.remove(0)
}

fn access(key_id: &str, secret: &str, authority: Option<String>) -> Access {
    let keys = StoreKeys {
        access_key_id: Secret::new(key_id),
        secret_access_key: Secret::new(secret),
        session_token: None,
    };
    let allow_http = authority.is_none();
    let credentials = StoreCredentials { keys: Some(keys), region: None, allow_http, authority };
    Access::new(Vec::new(), BTreeMap::from([("lake".to_owned(), credentials)]))
}

/// Opens the table, lets something happen, and reads it.
async fn read_after(
    table: &ProductTable,
    access: &Access,
    change: impl AsyncFnOnce(),
) -> Result<usize, String> {
    let state = SessionStateBuilder::new().build();
    let source = Source::new(table, access).map_err(|error| format!("{error:?}"))?;
    let raw = source.open(&state).await.map_err(|error| format!("{error:?}"))?;
    change().await;
    let plan = raw.provider.scan(&state, None, &[], None).await.unwrap();
    let batches = collect(plan, state.task_ctx()).await.map_err(|error| format!("{error:?}"))?;
    Ok(batches.iter().map(RecordBatch::num_rows).sum())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_changes_between_planning_and_reading_ends_the_query() {
    let store = ObjectStore::start();
    let folder = tempfile::tempdir().unwrap();
    let access = access(&store.key_id, &store.secret, None);
    for (format, extension) in FORMATS {
        let key = format!("t/region=EU/1.{extension}");
        let table = product_table(folder.path(), "s3://lake/t/", format, &store.url);
        store.put(&key, file(extension, &[1, 2], "a")).await;
        assert_eq!(read_after(&table, &access, async || {}).await, Ok(2), "{extension}");
        let changed =
            read_after(&table, &access, async || store.put(&key, file(extension, &[3, 4], "b")).await);
        let error = changed.await.unwrap_err();
        assert!(error.contains("Changed"), "{extension}: {error}");
        let error = read_after(&table, &access, async || store.delete(&key).await).await.unwrap_err();
        assert!(error.contains("Changed"), "{extension}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_wrong_are_refused_and_told_to_nobody() {
    let store = ObjectStore::start();
    store.put("t/1.csv", "id,region,note\n1,EU,x\n").await;
    let folder = tempfile::tempdir().unwrap();
    let table = product_table(folder.path(), "s3://lake/t/", "csv", &store.url);
    for (key_id, secret) in [(store.key_id.as_str(), "WRONGSECRET"), ("WRONGKEYID", store.secret.as_str())] {
        let access = access(key_id, secret, None);
        let source = Source::new(&table, &access).unwrap();
        let error = source.open(&SessionStateBuilder::new().build()).await.unwrap_err();
        assert!(matches!(error, SourceError::Refused { .. }), "{error:?}");
        let findings = format!("{:?}", check_online(&table, &access).await);
        assert!(findings.contains("refuses access"), "{findings}");
        for told in [findings, format!("{error:?}"), format!("{source:?}"), format!("{access:?}")] {
            assert!(!told.contains(secret) && !told.contains(key_id), "{told}");
        }
    }
    let findings = check_online(&table, &access(&store.key_id, &store.secret, None)).await;
    assert!(findings.is_empty(), "{findings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_with_a_certificate_of_ones_own_authority_is_read_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let made =
        meshgate_tests::process::run(&["dev", "ca", "--out", keys.to_str().unwrap(), "--domain", "sales"]);
    assert!(made.status.success(), "{made:?}");
    // A node's certificate is good for this machine; that it is a node's does not matter here.
    let store =
        ObjectStore::start_tls(&keys.join("nodes/sales/node.crt"), &keys.join("nodes/sales/node.key"));
    store.put("t/1.csv", "id,region,note\n1,EU,x\n").await;
    let table = product_table(folder.path(), "s3://lake/t/", "csv", &store.url);
    let authority = std::fs::read_to_string(keys.join("authority/mesh-ca.crt")).unwrap();
    let trusting = access(&store.key_id, &store.secret, Some(authority));
    assert_eq!(read_after(&table, &trusting, async || {}).await, Ok(1));
    let other = folder.path().join("other");
    let made =
        meshgate_tests::process::run(&["dev", "ca", "--out", other.to_str().unwrap(), "--domain", "sales"]);
    assert!(made.status.success(), "{made:?}");
    let authority = std::fs::read_to_string(other.join("authority/mesh-ca.crt")).unwrap();
    let error = read_after(&table, &access(&store.key_id, &store.secret, Some(authority)), async || {}).await;
    assert!(error.unwrap_err().contains("Store"), "another authority is not trusted");
}
