//! Results that clients read from a domain's node themselves.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use meshgate_tests::client::{Client, ticket};
use meshgate_tests::mesh::{Mesh, closed_port};
use meshgate_tests::{eventually_async, fixture, java, python};
use serde_json::{Value, json};
use tonic::Code;

const SQL: &str = "select id, amount, card from sales.orders";
const LIMIT: Duration = Duration::from_secs(20);

/// The small mesh, whose domain `sales` is read directly.
struct Direct {
    mesh: Mesh,
    /// Where the node of `sales` listens for clients.
    node: SocketAddr,
}

impl Direct {
    async fn start() -> Self {
        let node = closed_port();
        Self::advertising(node, node).await
    }

    /// Clients are told another address than that of the node.
    async fn advertising(node: SocketAddr, told: SocketAddr) -> Self {
        let plan = fixture::leaks().directly_read("sales", node, told);
        Self { mesh: plan.start().await, node }
    }

    /// A token of alice's that the node may see too.
    fn alice(&self) -> String {
        self.token(&fixture::alice())
    }

    fn token(&self, claims: &Value) -> String {
        let mut claims = claims.clone();
        // No two are the same.
        static TOKENS: AtomicU64 = AtomicU64::new(0);
        claims["jti"] = json!(TOKENS.fetch_add(1, Ordering::Relaxed));
        self.mesh.token_for_node("sales", &claims)
    }

    async fn gateway(&self, token: &str) -> Client {
        self.mesh.client_with(token).await
    }

    async fn node(&self, token: &str) -> Client {
        Client::connect(&self.node.to_string(), &self.mesh.ca(), token).await
    }

    /// The rows that a client in Python reads.
    async fn python(&self, client: &str, tokens: &[&str]) -> Value {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/direct_reads.py");
        let (address, ca) = (self.mesh.gateway.to_string(), self.mesh.ca());
        let mut arguments = vec![client.to_owned(), address, ca.to_str().unwrap().to_owned(), SQL.to_owned()];
        arguments.extend(tokens.iter().map(ToString::to_string));
        let run = move || {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            python::output(&script, &arguments)
        };
        serde_json::from_str(&tokio::task::spawn_blocking(run).await.unwrap()).unwrap()
    }

    /// What JDBC's driver reads, column by column.
    async fn jdbc(&self, token: &str) -> Vec<String> {
        let ca = self.mesh.ca().to_str().unwrap().to_owned();
        let arguments = [self.mesh.gateway.to_string(), ca, token.to_owned(), SQL.to_owned()];
        let run = move || java::output("Query", &arguments.each_ref().map(String::as_str));
        let output = tokio::task::spawn_blocking(run).await.unwrap();
        output.lines().map(str::to_owned).collect()
    }

    fn records(&self, file: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.mesh.path(file)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// How the gateway's records ended, and of the node's which were direct and how they ended.
    fn outcomes(&self) -> (Vec<String>, Vec<(bool, String)>) {
        let outcome = |record: &Value| record["outcome"].as_str().unwrap().to_owned();
        let gateway = self.records("audit.jsonl").iter().map(outcome).collect();
        let node = self.records("sales/audit.jsonl");
        let node = node.iter().map(|record| (record["direct"].as_bool().unwrap(), outcome(record))).collect();
        (gateway, node)
    }
}

fn ends(outcome: &str) -> String {
    outcome.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn adbc_and_pyarrow_read_from_the_node_and_the_gateway_runs_nothing() {
    for client in ["adbc", "pyarrow"] {
        let direct = Direct::start().await;
        let rows = direct.python(client, &[&direct.alice()]).await;
        let (gateway, node) = direct.outcomes();
        assert_eq!(gateway, ["offered"], "{client}");
        assert_eq!(node, [(true, ends("ok"))], "{client}");
        let (offer, read) = (&direct.records("audit.jsonl")[0], &direct.records("sales/audit.jsonl")[0]);
        assert_eq!(offer["query_id"], read["query_id"], "{client}");
        assert_eq!((&offer["direct"], &read["principal"]["subject"]), (&json!("sales"), &json!("alice")));

        let plain = direct.mesh.forge.token(&fixture::alice());
        assert_eq!(direct.python("adbc", &[&plain]).await, rows, "{client}: the gateway gives the same");
        assert_eq!(rows.as_array().unwrap().len(), 3, "{rows}");
        assert_eq!(direct.outcomes().0, ["offered", "ok"], "a token that the node must not see");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_reach_the_node_reads_through_the_gateway() {
    let direct = Direct::advertising(closed_port(), closed_port()).await;
    let rows = direct.python("adbc", &[&direct.alice()]).await;
    assert_eq!(rows.as_array().unwrap().len(), 3, "{rows}");
    let (gateway, node) = direct.outcomes();
    assert_eq!((gateway, node), (vec![ends("offered"), ends("ok")], vec![(false, ends("ok"))]));
}

/// Its driver gets nothing from nodes, and comes back to the gateway by itself.
#[tokio::test(flavor = "multi_thread")]
async fn jdbc_reads_through_the_gateway_what_is_offered() {
    let direct = Direct::start().await;
    let columns = direct.jdbc(&direct.alice()).await;
    assert_eq!(direct.outcomes(), (vec![ends("offered"), ends("ok")], vec![(false, ends("ok"))]));
    let plain = direct.mesh.forge.token(&fixture::alice());
    assert_eq!(direct.jdbc(&plain).await, columns);
    assert!(columns.len() == 3 && columns.iter().all(|column| column.split('|').count() == 5), "{columns:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_with_a_new_token_reads_through_the_gateway() {
    let direct = Direct::start().await;
    let (first, second) = (direct.alice(), direct.alice());
    let rows = direct.python("adbc-again", &[&first, &second]).await;
    assert_eq!(rows.as_array().unwrap().len(), 3, "{rows}");
    let (gateway, node) = direct.outcomes();
    assert_eq!((gateway, node), (vec![ends("offered"), ends("ok")], vec![(false, ends("ok"))]));

    assert_eq!(direct.python("adbc-again", &[&first, &first]).await, rows);
    assert_eq!(direct.outcomes().1.last().unwrap(), &(true, ends("ok")), "with the same one from the node");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_ticket_opens_nothing_to_somebody_else() {
    let direct = Direct::start().await;
    let info = direct.gateway(&direct.alice()).await.plan(SQL).await.unwrap();
    let stranger = direct.token(&fixture::auditor());
    let at_node = direct.node(&stranger).await.messages(ticket(&info)).await.unwrap_err();
    assert_eq!(at_node.code(), Code::Unauthenticated);
    let at_gateway = direct.gateway(&stranger).await.messages(ticket(&info)).await.unwrap_err();
    assert_eq!(at_gateway.code(), Code::InvalidArgument);
    let nobody = direct.node("").await.messages(ticket(&info)).await.unwrap_err();
    assert_eq!((nobody.code(), nobody.message()), (at_node.code(), at_node.message()));
    assert_eq!(direct.outcomes(), (vec![ends("offered")], vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_used_once_at_the_node_and_again_at_the_gateway() {
    let direct = Direct::start().await;
    let token = direct.alice();
    let info = direct.gateway(&token).await.plan(SQL).await.unwrap();
    assert!(direct.node(&token).await.messages(ticket(&info)).await.is_ok());
    let again = direct.node(&token).await.messages(ticket(&info)).await.unwrap_err();
    assert_eq!(again.code(), Code::Unavailable, "{again}");
    assert!(direct.gateway(&token).await.messages(ticket(&info)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_decides_when_it_is_read() {
    let direct = Direct::start().await;
    let token = direct.alice();
    let info = direct.gateway(&token).await.plan(SQL).await.unwrap();
    let file = direct.mesh.path("sales/policies/sales.yaml");
    let policies = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, policies.replace("subjects: [alice]", "subjects: [nobody]")).unwrap();
    let mut client = direct.gateway(&token).await;
    eventually_async("the change", LIMIT, async || client.query(SQL).await.is_err().then_some(())).await;

    let at_node = direct.node(&token).await.messages(ticket(&info)).await.unwrap_err();
    assert_eq!(at_node.code(), Code::Unavailable);
    assert!(!at_node.message().contains("orders") && at_node.details().is_empty(), "{at_node}");
    let (is_direct, outcome) = direct.outcomes().1.pop().unwrap();
    assert!(is_direct && outcome != "ok", "{outcome}");
    let at_gateway = direct.gateway(&token).await.messages(ticket(&info)).await.unwrap_err();
    assert_eq!(at_gateway.code(), Code::NotFound);
}
