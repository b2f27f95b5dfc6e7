//! A server that speaks S3, with a bucket `lake` and one, `vault`, that it refuses to read.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as Key;
use object_store::{ClientOptions, ObjectStoreExt as _};
use serde_json::Value;

use crate::python;

const PACKAGES: &[&str] = &["moto[s3,iam,server]==5.2.5"];

/// The python that has the server.
pub fn interpreter() -> &'static Path {
    static INTERPRETER: OnceLock<PathBuf> = OnceLock::new();
    INTERPRETER.get_or_init(|| python::environment(PACKAGES))
}

/// The running server, and a client that may write. Ends when it is dropped.
pub struct ObjectStore {
    process: Child,
    pub url: String,
    pub key_id: String,
    pub secret: String,
    client: Arc<AmazonS3>,
}

impl ObjectStore {
    /// Without TLS.
    pub fn start() -> Self {
        Self::spawn(&[])
    }

    /// With TLS: certificate and key in PEM.
    pub fn start_tls(certificate: &Path, key: &Path) -> Self {
        Self::spawn(&[certificate, key])
    }

    fn spawn(arguments: &[&Path]) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/object_store.py");
        let mut process = Command::new(interpreter())
            .arg(script)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the object store starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let told: Value = serde_json::from_str(&line).expect("the object store says where it is");
        let text = |key: &str| told[key].as_str().expect("a text").to_owned();
        let (url, key_id, secret) = (text("url"), text("key_id"), text("secret"));
        let client = AmazonS3Builder::new()
            .with_bucket_name("lake")
            .with_endpoint(&url)
            .with_region("us-east-1")
            .with_access_key_id(&key_id)
            .with_secret_access_key(&secret)
            .with_client_options(
                ClientOptions::new().with_allow_http(true).with_allow_invalid_certificates(true),
            );
        let client = Arc::new(client.build().expect("a client"));
        Self { process, url, key_id, secret, client }
    }

    /// Puts an object into the bucket `lake`.
    pub async fn put(&self, key: &str, content: impl Into<bytes::Bytes>) {
        let content = content.into().into();
        self.client.put(&Key::parse(key).expect("a key"), content).await.expect("an object is written");
    }

    pub async fn delete(&self, key: &str) {
        self.client.delete(&Key::parse(key).expect("a key")).await.expect("an object is deleted");
    }

    /// Lines of node.yaml that give the credentials of the server `lake`.
    pub fn credentials(&self) -> String {
        format!(
            "credentials:\n  lake: {{ access_key_id: \"{}\", secret_access_key: \"{}\", allow_http: true }}\n",
            self.key_id, self.secret
        )
    }
}

impl Drop for ObjectStore {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
