//! The demo's processes: three domain nodes and the gateway.

use std::{
    fs,
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use futures::future::{join_all, select_all};
use meshgate_policies::yaml::{self, Node};

use super::{
    folder::{self, DOMAINS, DemoFolder},
    part::{Part, PartPlan},
    ready::{self, Readiness},
};
use crate::failure::Failure;

/// A mesh whose files are fine is ready in a fraction of it.
const READY_TIME: Duration = Duration::from_secs(20);
/// Any free port.
const ANY_ADDRESS: &str = "127.0.0.1:0";

/// All servers, running.
pub(crate) struct Servers {
    /// The nodes in the order of [`DOMAINS`].
    pub(crate) nodes: Vec<Part>,
    pub(crate) gateway: Part,
    /// Why the mesh runs but is not ready, if so.
    pub(crate) trouble: Option<String>,
}

/// Whom an end concerns.
pub(crate) enum Ended {
    Gateway(String),
    Node(String),
}

impl Servers {
    /// Starts all servers, or none.
    pub(crate) async fn start(folder: &DemoFolder, port: u16) -> Result<Self, Failure> {
        let program = std::env::current_exe()
            .map_err(|error| Failure::Usage(format!("cannot find this program again: {error}")))?;
        let started = join_all(DOMAINS.map(|domain| Part::start(&program, node_plan(folder, domain)))).await;
        let mut nodes = Vec::new();
        let mut failure = None;
        for node in started {
            match node {
                Ok(node) => nodes.push(node),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        let gateway = match failure {
            Some(failure) => Err(failure),
            None => start_gateway(&program, folder, port, &nodes).await,
        };
        let gateway = match gateway {
            Ok(gateway) => gateway,
            Err(failure) => {
                stop_all(nodes).await;
                return Err(failure);
            }
        };
        let trouble = trouble(&gateway, &nodes).await;
        Ok(Self { nodes, gateway, trouble })
    }

    /// Completes when one of the running servers ends by itself.
    pub(crate) async fn ended(&mut self) -> Ended {
        let mut running: Vec<&mut Part> = self.nodes.iter_mut().filter(|node| !node.was_reported()).collect();
        let gateway = self.gateway.ended();
        if running.is_empty() {
            return Ended::Gateway(gateway.await);
        }
        let nodes = select_all(running.iter_mut().map(|node| Box::pin(node.ended())));
        tokio::select! {
            words = gateway => Ended::Gateway(words),
            (words, ..) = nodes => Ended::Node(words),
        }
    }

    /// The gateway first, so that no query meets a node that is gone.
    pub(crate) async fn stop(self) {
        self.gateway.stop().await;
        stop_all(self.nodes).await;
    }
}

async fn stop_all(parts: Vec<Part>) {
    join_all(parts.into_iter().map(Part::stop)).await;
}

/// To be asked before anything is written or started; should somebody take the
/// port meanwhile, the gateway says so.
pub(crate) fn check_port(port: u16) -> Result<(), Failure> {
    let problem = match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::AddrInUse => "is in use".to_owned(),
        Err(error) => format!("cannot be used ({error})"),
    };
    Err(Failure::Usage(format!(
        "port {port} {problem}; choose another with --port, or any free one with --port 0"
    )))
}

fn node_plan(folder: &DemoFolder, domain: &str) -> PartPlan {
    PartPlan {
        name: format!("the node of {domain}"),
        command: "node",
        configuration: folder.path.join(domain).join("node.yaml"),
        environment: vec![
            ("MESHGATE_FLIGHT_ADDRESS".to_owned(), ANY_ADDRESS.to_owned()),
            ("MESHGATE_HTTP_ADDRESS".to_owned(), ANY_ADDRESS.to_owned()),
        ],
        log: log_file(folder, domain),
    }
}

async fn start_gateway(
    program: &Path,
    folder: &DemoFolder,
    port: u16,
    nodes: &[Part],
) -> Result<Part, Failure> {
    let domains = folder.run().join("domains");
    write_domains(&folder.mesh().join("domains"), &domains, nodes)?;
    let plan = PartPlan {
        name: "the gateway".to_owned(),
        command: "gateway",
        configuration: folder.mesh().join("gateway.yaml"),
        environment: vec![
            ("MESHGATE_FLIGHT_ADDRESS".to_owned(), format!("127.0.0.1:{port}")),
            ("MESHGATE_HTTP_ADDRESS".to_owned(), ANY_ADDRESS.to_owned()),
            ("MESHGATE_DOMAINS".to_owned(), domains.display().to_string()),
        ],
        log: log_file(folder, "gateway"),
    };
    Part::start(program, plan).await
}

fn log_file(folder: &DemoFolder, name: &str) -> PathBuf {
    folder.run().join("logs").join(format!("{name}.log"))
}

/// Copies the operator's files of the domains, with the addresses that the
/// nodes have got. A file that cannot be read is copied as it is: the gateway
/// says what is wrong with it.
fn write_domains(from: &Path, to: &Path, nodes: &[Part]) -> Result<(), Failure> {
    if to.exists() {
        fs::remove_dir_all(to).map_err(|error| Failure::file("replace", to, &error))?;
    }
    let entries = fs::read_dir(from).map_err(|error| Failure::file("read", from, &error))?;
    for entry in entries {
        let path = entry.map_err(|error| Failure::file("read", from, &error))?.path();
        let Some(name) = path.file_name() else { continue };
        let text = fs::read_to_string(&path).map_err(|error| Failure::file("read", &path, &error))?;
        let address = |domain: &str| {
            let position = DOMAINS.iter().position(|name| *name == domain)?;
            nodes.get(position).map(|node| node.flight)
        };
        folder::write(&to.join(name), &with_address(&text, address).unwrap_or(text))?;
    }
    Ok(())
}

/// The file with the node's address in it, if it is a demo domain's.
fn with_address(text: &str, address: impl Fn(&str) -> Option<SocketAddr>) -> Option<String> {
    let root = yaml::parse("domain", text).ok()?;
    let address = address(root.get("domain").and_then(Node::as_scalar)?)?;
    let others = root.as_mapping()?.iter().filter(|entry| entry.key != "nodes");
    let mut lines = vec![format!("nodes: [\"grpc+tls://{address}\"]\n")];
    for entry in others {
        lines.push(format!("{}: {}\n", entry.key, serde_json::Value::from(entry.value.as_scalar()?)));
    }
    Some(lines.concat())
}

/// A broken contract keeps its node from being ready, and not the gateway: all are asked.
async fn trouble(gateway: &Part, nodes: &[Part]) -> Option<String> {
    ready::wait(gateway.http, READY_TIME, reaches_all_domains).await;
    let mut troubles = Vec::new();
    for part in nodes.iter().chain([gateway]) {
        if ready::wait(part.http, Duration::ZERO, |_| true).await != Readiness::Ready {
            troubles.push(part.complaint());
        }
    }
    (!troubles.is_empty()).then(|| troubles.join("\n"))
}

/// What is still wrong when all domains are there will not mend itself.
fn reaches_all_domains(answer: &str) -> bool {
    let answer: serde_json::Value = serde_json::from_str(answer).unwrap_or_default();
    answer.pointer("/domains/ready").is_some_and(|ready| answer.pointer("/domains/total") == Some(ready))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_replaced_and_the_rest_stays() {
        let address: SocketAddr = "127.0.0.1:4711".parse().unwrap();
        let text =
            "domain: sales\nnodes:\n  - grpc+tls://old:1\ncertificate: sales.mesh.localhost\nbad: 'x\"y'\n";
        let copy = with_address(text, |domain| (domain == "sales").then_some(address)).unwrap();
        let root = yaml::parse("x", &copy).unwrap();
        assert!(copy.contains("nodes: [\"grpc+tls://127.0.0.1:4711\"]"), "{copy}");
        assert!(!copy.contains("old"));
        assert_eq!(root.get("certificate").unwrap().as_scalar(), Some("sales.mesh.localhost"));
        assert_eq!(root.get("bad").unwrap().as_scalar(), Some("x\"y"));
        assert_eq!(with_address("domain: other\n", |_| None), None);
        assert_eq!(with_address("- a\n", |_| Some(address)), None);
    }

    #[test]
    fn a_port_in_use_is_told_before_anything_starts() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let error = check_port(taken.local_addr().unwrap().port()).unwrap_err();
        assert!(error.to_string().contains("--port 0"), "{error}");
        check_port(0).unwrap();
    }
}
