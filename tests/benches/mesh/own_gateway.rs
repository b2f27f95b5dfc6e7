//! A second gateway of a mesh, in a process of its own, so that what it takes can be told from what all others take.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use meshgate_tests::client::Client;
use meshgate_tests::mesh::{Mesh, closed_port};
use meshgate_tests::process::{Running, meshgate};
use meshgate_tests::{eventually, eventually_async};
use serde_json::json;

const WITHIN: Duration = Duration::from_secs(60);
/// Of the times in `/proc`, on every Linux.
const TICKS_A_SECOND: f64 = 100.0;

pub(crate) struct OwnGateway {
    process: Running,
    address: SocketAddr,
}

impl OwnGateway {
    /// With the files of the mesh's own one.
    pub(crate) async fn start(mesh: &Mesh) -> Self {
        let address = closed_port();
        let text = std::fs::read_to_string(mesh.path("gateway.yaml")).expect("gateway.yaml");
        let text = text
            .replacen("127.0.0.1:0", &address.to_string(), 1)
            .replace("file: audit.jsonl", "file: audit-of-another.jsonl");
        std::fs::write(mesh.path("another.yaml"), text).expect("a file");
        let mut command = Command::new(meshgate());
        command.arg("gateway").arg("-c").arg(mesh.path("another.yaml"));
        let process = Running::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()));
        eventually("the gateway listens", WITHIN, || std::net::TcpStream::connect(address).ok());
        Self { process, address }
    }

    /// A caller, once the gateway knows what `sql` reads.
    pub(crate) async fn client(&self, mesh: &Mesh, sql: &str) -> Client {
        let token = mesh.forge.token(&json!({ "sub": "bench" }));
        let client = Client::connect(&self.address.to_string(), &mesh.ca(), &token).await;
        eventually_async("the gateway knows its domains", WITHIN, async || {
            client.clone().plan(sql).await.ok()
        })
        .await;
        client
    }

    /// Bytes of its memory, as `/proc` calls them.
    pub(crate) fn resident(&self, what: &str) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find(|line| line.starts_with(what)).expect("a line");
        line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).expect("a number") << 10
    }

    /// What all its threads have computed so far, in seconds.
    pub(crate) fn computed(&self) -> f64 {
        let stat = self.proc("stat");
        // Behind the name, which may hold anything: fields 14 and 15.
        let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
        let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
        (ticks(11) + ticks(12)) / TICKS_A_SECOND
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.process.id())).expect("a process")
    }
}
