use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SanType,
};
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt, net::TcpListener};
use tonic::transport::{Certificate, Server};

use super::*;

const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A certificate authority, and a folder for what it issues.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        drop(aws_lc_rs::default_provider().install_default());
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "mesh CA");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("ca.crt"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes `<file>.crt` and `<file>.key` with these DNS names and URIs.
    pub(crate) fn issue(&self, file: &str, names: &[&str], uris: &[&str]) -> (String, String) {
        self.issue_with(file, names, uris, |_| ())
    }

    fn issue_with(
        &self,
        file: &str,
        names: &[&str],
        uris: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> (String, String) {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        for uri in uris {
            params.subject_alt_names.push(SanType::URI((*uri).try_into().unwrap()));
        }
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        std::fs::write(self.file(&format!("{file}.crt")), &certificate).unwrap();
        std::fs::write(self.file(&format!("{file}.key")), key.serialize_pem()).unwrap();
        (certificate, key.serialize_pem())
    }

    fn server_files(&self, file: &str) -> ServerTlsFiles {
        ServerTlsFiles {
            certificate: self.file(&format!("{file}.crt")),
            key: self.file(&format!("{file}.key")),
        }
    }

    pub(crate) fn nodes_tls(&self) -> NodesTls {
        self.issue("client", &[], &["meshgate:role:gateway"]);
        let ServerTlsFiles { certificate, key } = self.server_files("client");
        NodesTls::load(&NodesTlsFiles { ca: self.file("ca.crt"), certificate, key }).unwrap()
    }
}

/// A gateway's own certificate, of a new authority.
pub(crate) fn nodes_tls() -> NodesTls {
    Authority::new().nodes_tls()
}

/// A node with this certificate that demands one of `clients` of its callers.
async fn node(identity: (String, String), clients: &Authority) -> SocketAddr {
    node_at(ANY_PORT, identity, clients).await
}

/// The same at this address.
pub(crate) async fn node_at(
    address: SocketAddr,
    (certificate, key): (String, String),
    clients: &Authority,
) -> SocketAddr {
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(certificate, key))
        .client_ca_root(Certificate::from_pem(clients.issuer.pem()));
    serve(address, tls).await
}

async fn serve(address: SocketAddr, tls: ServerTlsConfig) -> SocketAddr {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = tonic::service::Routes::default();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let server = Server::builder().tls_config(tls).unwrap().add_routes(service).serve_with_incoming(incoming);
    tokio::spawn(server);
    address
}

async fn connects(tls: &NodesTls, address: SocketAddr, name: &str) -> bool {
    let uri: Uri = format!("grpc+tls://{address}").parse().unwrap();
    tls.endpoint(&uri, name).unwrap().connect().await.is_ok()
}

#[tokio::test]
async fn a106_only_a_node_of_the_domain_is_believed() {
    let mesh = Authority::new();
    let tls = mesh.nodes_tls();
    let sales = "sales.mesh.example";
    let good = node(mesh.issue("sales", &[sales], &["meshgate:role:node"]), &mesh).await;
    assert!(connects(&tls, good, sales).await);
    assert!(!connects(&tls, good, "customers.mesh.example").await);
    assert!(!connects(&tls, good, "127.0.0.1.example").await);

    let more_uris = ["https://sales.example", "meshgate:role:node"];
    let with_more = node(mesh.issue("more", &[sales], &more_uris), &mesh).await;
    assert!(connects(&tls, with_more, sales).await);
    for (position, roles) in [
        &[][..],
        &["meshgate:role:gateway"],
        &["meshgate:role:node2"],
        &["meshgate:role:NODE"],
        &["x-meshgate:role:node"],
        &["meshgate:role:node", "meshgate:role:gateway"],
        &["meshgate:role:gateway", "meshgate:role:node"],
    ]
    .into_iter()
    .enumerate()
    {
        let address = node(mesh.issue(&format!("role{position}"), &[sales], roles), &mesh).await;
        assert!(!connects(&tls, address, sales).await, "{roles:?}");
    }
    // The role as a DNS name is no role.
    let address = node(mesh.issue("dns", &[sales, "meshgate.role.node"], &[]), &mesh).await;
    assert!(!connects(&tls, address, sales).await);
}

#[tokio::test]
async fn a106_the_log_says_what_is_wrong_with_a_certificate() {
    let mesh = Authority::new();
    let tls = mesh.nodes_tls();
    let sales = node(mesh.issue("sales", &["sales.mesh.example"], &["meshgate:role:node"]), &mesh).await;
    let no_role = node(mesh.issue("no-role", &["hr.mesh.example"], &[]), &mesh).await;
    let refusal = async |address: SocketAddr| {
        let uri: Uri = format!("grpc+tls://{address}").parse().unwrap();
        let channel = tls.endpoint(&uri, "hr.mesh.example").unwrap().connect_lazy();
        let mut client = arrow_flight::flight_service_client::FlightServiceClient::new(channel);
        why(&client.list_actions(arrow_flight::Empty {}).await.unwrap_err())
    };
    for address in [sales, no_role] {
        let text = refusal(address).await;
        assert!(text.contains("the name that the domain's file has as `certificate`"), "{text}");
    }
    assert!(refusal(sales).await.contains("sales.mesh.example"), "the name that it carries");
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let text = refusal(nobody).await;
    assert!(text.contains("refused") && !text.contains("`certificate`"), "{text}");
}

#[tokio::test]
async fn a103_another_ca_or_an_expired_certificate() {
    let (mesh, strangers) = (Authority::new(), Authority::new());
    let tls = mesh.nodes_tls();
    let (sales, role) = ("sales.mesh.example", ["meshgate:role:node"]);
    let stranger = node(strangers.issue("sales", &[sales], &role), &mesh).await;
    assert!(!connects(&tls, stranger, sales).await);
    let expired = mesh.issue_with("expired", &[sales], &role, |params| {
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    });
    assert!(!connects(&tls, node(expired, &mesh).await, sales).await);
}

#[tokio::test]
async fn a085_plain_text_is_refused() {
    let mesh = Authority::new();
    mesh.issue("gateway", &["localhost"], &[]);
    let address = serve(ANY_PORT, server(&mesh.server_files("gateway")).unwrap()).await;
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    drop(tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer).await);
    // At most a TLS alert (record type 21), never a frame of HTTP/2.
    assert!(answer.is_empty() || answer[0] == 21, "{answer:?}");
}

#[test]
fn files_that_cannot_be_used() {
    let mesh = Authority::new();
    mesh.issue("one", &["localhost"], &[]);
    mesh.issue("two", &["localhost"], &[]);
    assert!(server(&mesh.server_files("one")).is_ok());
    let mixed = ServerTlsFiles { certificate: mesh.file("one.crt"), key: mesh.file("two.key") };
    assert!(server(&mixed).unwrap_err().to_string().contains("is not the key of"));
    let swapped = ServerTlsFiles { certificate: mesh.file("one.key"), key: mesh.file("one.crt") };
    assert!(server(&swapped).unwrap_err().to_string().contains("no PEM certificate"));
    let no_key = ServerTlsFiles { certificate: mesh.file("one.crt"), key: mesh.file("one.crt") };
    assert!(server(&no_key).unwrap_err().to_string().contains("no PEM private key"));
    assert!(server(&mesh.server_files("none")).unwrap_err().to_string().contains("cannot be read"));
    std::fs::write(mesh.file("empty.crt"), "").unwrap();
    let ServerTlsFiles { certificate, key } = mesh.server_files("one");
    let no_ca = NodesTlsFiles { ca: mesh.file("empty.crt"), certificate, key };
    assert!(NodesTls::load(&no_ca).unwrap_err().to_string().contains("no PEM certificate"));
}
