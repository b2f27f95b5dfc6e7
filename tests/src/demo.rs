//! The demo mesh as real processes, as a user starts it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::client::Client;
use crate::eventually;
use crate::process::{Running, meshgate};

/// A running `meshgate demo`.
pub struct Demo {
    pub process: Running,
    /// demo.json.
    pub state: Value,
    pub directory: PathBuf,
}

impl Demo {
    /// Starts the demo in `directory` and waits until it serves.
    pub fn start(directory: &Path) -> Self {
        let state_home = directory.parent().expect("a parent").join("state");
        let mut process = Running::spawn(
            Command::new(meshgate())
                .args(["demo", "--port", "0", "--keep"])
                .arg(directory)
                .env("XDG_STATE_HOME", state_home)
                .stdin(Stdio::null())
                .stdout(Stdio::null()),
        );
        let file = directory.join("demo.json");
        let text = eventually("demo.json", Duration::from_secs(60), || {
            assert_eq!(process.ended(), None, "the demo ended");
            std::fs::read(&file).ok()
        });
        let state = serde_json::from_slice(&text).expect("JSON");
        Self { process, state, directory: directory.to_owned() }
    }

    /// Address of the gateway, `host:port`.
    pub fn address(&self) -> &str {
        self.state["gateway"]["uri"].as_str().expect("a URI").trim_start_matches("grpc+tls://")
    }

    pub fn ca(&self) -> PathBuf {
        self.state["ca"].as_str().expect("a path").into()
    }

    pub fn token(&self, persona: &str) -> &str {
        self.state["tokens"][persona].as_str().unwrap_or_else(|| panic!("no token of {persona}"))
    }

    pub fn personas(&self) -> Vec<String> {
        self.state["tokens"].as_object().expect("tokens").keys().cloned().collect()
    }

    pub fn domains(&self) -> Vec<String> {
        let nodes = self.state["nodes"].as_array().expect("nodes");
        nodes.iter().map(|node| node["domain"].as_str().expect("a domain").to_owned()).collect()
    }

    /// Process id of a domain's node.
    pub fn node_process(&self, domain: &str) -> u32 {
        let nodes = self.state["nodes"].as_array().expect("nodes");
        let node = nodes.iter().find(|node| node["domain"] == domain).expect("the node");
        u32::try_from(node["process"].as_u64().expect("a process")).expect("a process id")
    }

    pub async fn client(&self, persona: &str) -> Client {
        Client::connect(self.address(), &self.ca(), self.token(persona)).await
    }
}
