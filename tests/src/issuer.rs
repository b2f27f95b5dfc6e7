//! An issuer of tokens that serves its key set over HTTPS, as OIDC providers do.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::process;

/// A running issuer; it ends when it is dropped.
pub struct Issuer {
    address: SocketAddr,
    ca: PathBuf,
    acceptor: TlsAcceptor,
    body: watch::Sender<String>,
    questions: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Issuer {
    /// Serves these keys, with a certificate of a CA of its own whose files lie in `folder`.
    pub async fn start(folder: &Path, keys: &[Value]) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let out = folder.to_str().expect("a path");
        let output = process::run(&["dev", "ca", "--out", out]);
        assert!(output.status.success(), "{output:?}");
        let acceptor = acceptor(&folder.join("gateway"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (body, served) = watch::channel(set(keys));
        let questions = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(serve(listener, acceptor.clone(), served, Arc::clone(&questions)));
        Self { address, ca: folder.join("authority/mesh-ca.crt"), acceptor, body, questions, task }
    }

    /// Nobody listens any more.
    pub async fn stop(&mut self) {
        self.task.abort();
        // Once it is over the port is free.
        let _ = (&mut self.task).await;
    }

    /// Serves these keys at the address where it was.
    pub async fn start_again(&mut self, keys: &[Value]) {
        self.serve_keys(keys);
        let listener = TcpListener::bind(self.address).await.expect("the port");
        let (served, questions) = (self.body.subscribe(), Arc::clone(&self.questions));
        self.task = tokio::spawn(serve(listener, self.acceptor.clone(), served, questions));
    }

    /// What gateway.yaml says of it, behind `jwks:` between braces.
    pub fn jwks(&self) -> String {
        format!("\"https://localhost:{}/certs\", jwks_ca: \"{}\"", self.address.port(), self.ca.display())
    }

    /// Serves other keys from now on.
    pub fn serve_keys(&self, keys: &[Value]) {
        self.serve_text(&set(keys));
    }

    /// Serves this text instead of a key set.
    pub fn serve_text(&self, text: &str) {
        self.body.send_replace(text.to_owned());
    }

    /// How often it was asked.
    pub fn questions(&self) -> usize {
        self.questions.load(Ordering::SeqCst)
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

fn acceptor(files: &Path) -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(files.join("gateway.crt")).expect("a file");
    let chain = chain.collect::<Result<_, _>>().expect("certificates");
    let key = PrivateKeyDer::from_pem_file(files.join("gateway.key")).expect("a key");
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
    TlsAcceptor::from(Arc::new(config.expect("a certificate and its key")))
}

async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    body: watch::Receiver<String>,
    questions: Arc<AtomicUsize>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, text) = (acceptor.clone(), body.borrow().clone());
        questions.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            let mut stream = acceptor.accept(stream).await.ok()?;
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.ok()?);
            }
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
                text.len()
            );
            stream.write_all(answer.as_bytes()).await.ok()?;
            stream.shutdown().await.ok()
        });
    }
}
