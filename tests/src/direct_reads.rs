//! A mesh in which clients read a domain's results from its node.

use std::net::SocketAddr;

use meshgate_engine::seal::SealKeys;
use serde_json::{Value, json};

use crate::mesh::{Mesh, MeshPlan, OwnLines};

const KEY_ID: &str = "a";
const KEY: [u8; 32] = [7; 32];

/// The keys under which tickets are sealed for the node.
pub fn keys() -> SealKeys {
    SealKeys::new([(KEY_ID, &KEY)]).expect("a key")
}

impl MeshPlan {
    /// The same mesh, in which the node of `domain` listens for clients on `node`, and clients are told of `told`.
    #[must_use]
    pub fn directly_read(mut self, domain: &str, node: SocketAddr, told: SocketAddr) -> Self {
        let key = KEY.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let lines = OwnLines {
            node: format!(
                "direct:\n  listen: '{node}'\n  \
                 tls: {{ cert: ../keys/gateway/gateway.crt, key: ../keys/gateway/gateway.key }}\n  \
                 keys: [ {{ id: {KEY_ID}, key: '${{file:../keys/direct.key}}' }} ]\n  \
                 addresses: {{ near: 'grpc+tls://{told}' }}\n"
            ),
            domain: format!(
                "sees_tokens: true\ndirect: {{ key: {{ id: {KEY_ID}, key: '${{file:../keys/direct.key}}' }} }}\n"
            ),
        };
        self.own_lines.insert(domain.to_owned(), lines);
        self.gateway_lines.push_str("networks: { near: [127.0.0.0/8] }\n");
        self.file("keys/direct.key", format!("{key}\n"))
    }
}

impl Mesh {
    /// A token with these claims that the node of `domain` may see too.
    pub fn token_for_node(&self, domain: &str, claims: &Value) -> String {
        let mut claims = claims.clone();
        claims["aud"] = json!(["meshgate", format!("{domain}-1")]);
        self.forge.token(&claims)
    }
}
