use std::time::Duration;

use super::*;
use crate::{
    mesh::{Described, NodeConnection},
    testing::larkfield::{HR_POLICY, SALES_POLICY, descriptor, document},
    tls::tests::nodes_tls,
};

fn write(folder: &Path, domain: &str) {
    let text =
        format!("domain: {domain}\nnodes: [ \"grpc+tls://127.0.0.1:1\" ]\ncertificate: {domain}.localhost\n");
    std::fs::write(folder.join(format!("{domain}.yaml")), text).unwrap();
}

async fn until(what: &str, wanted: impl Fn() -> bool) {
    let waits = async {
        while !wanted() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), waits).await.expect(what);
}

#[tokio::test]
async fn domains_join_and_leave_with_their_files() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path();
    write(path, "hr");
    write(path, "sales");
    let state = Arc::new(MeshState::new(Some(document())));
    let channel = tonic::transport::Channel::from_static("http://127.0.0.1:1").connect_lazy();
    let connection = Arc::new(NodeConnection::over(channel));
    for (domain, policy) in [("sales", SALES_POLICY), ("hr", HR_POLICY)] {
        let described = Described::read(domain, descriptor(domain, policy)).unwrap();
        state.described(domain, described, Arc::clone(&connection));
    }
    let domains = config::load_folder(path).unwrap();
    let files = Arc::new(DomainFiles::new(path.to_owned(), domains.len()));
    let watching = tokio::spawn(Arc::clone(&files).watch(domains, Arc::new(nodes_tls()), Arc::clone(&state)));
    tokio::time::sleep(Duration::from_millis(50)).await;

    std::fs::write(path.join("sales.yaml"), "domain: [").unwrap();
    until("a broken file", || files.is_broken()).await;
    assert!(files.domains() == 2 && state.snapshot().domain("sales").is_some());

    std::fs::remove_file(path.join("sales.yaml")).unwrap();
    until("a domain that left", || state.snapshot().domain("sales").is_none()).await;
    assert!(files.domains() == 1 && !files.is_broken() && state.snapshot().domain("hr").is_some());

    write(path, "web");
    until("a domain that joined", || files.domains() == 2).await;
    watching.abort();
}
