use std::{path::Path, time::Duration};

use super::*;
use crate::testing::larkfield::{self, MESH, operator_keys, signed};

const LISBON: (&str, &str) = ("Europe/Berlin", "Europe/Lisbon");

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

fn open(path: &Path) -> (Arc<MeshFile>, Arc<MeshState>) {
    let (file, document) = MeshFile::open(path.to_owned(), operator_keys());
    (Arc::new(file), Arc::new(MeshState::new(document)))
}

async fn until(what: &str, wanted: impl Fn() -> bool) {
    let waits = async {
        while !wanted() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waits).await.expect(what);
}

#[tokio::test]
async fn a064_what_cannot_be_used_leaves_the_last_good_one_in_use() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("mesh.yaml");
    let first = signed(MESH);
    write(&path, &first);
    let (file, state) = open(&path);
    assert!(!file.is_broken());
    let watching = tokio::spawn(Arc::clone(&file).watch(Arc::clone(&state)));
    let in_use = state.snapshot();
    let second = signed(&first.replace(LISBON.0, LISBON.1));
    let stranger = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_pem();
    let stranger = meshgate_engine::operator::OperatorSigner::from_pem(&stranger).unwrap();
    for broken in [
        "mesh: [".to_owned(),
        MESH.to_owned(),
        first.replace(LISBON.0, LISBON.1),
        signed(&second.replace("mesh: larkfield", "mesh: beefield")),
        meshgate_engine::operator::sign("mesh.yaml", &second, &stranger, None).unwrap(),
    ] {
        write(&path, &broken);
        until("what cannot be used is noticed", || file.is_broken()).await;
        assert!(Arc::ptr_eq(&in_use, &state.snapshot()), "{broken}");
        write(&path, &first);
        until("the file is good again", || !file.is_broken()).await;
    }
    write(&path, &second);
    let changed = state.changed_since(&in_use, Duration::from_secs(10)).await;
    assert_eq!(changed.mesh.time_zone().name(), LISBON.1);
    assert_eq!(changed.document.as_deref(), Some(second.as_str()));

    // Back to an older version, and another text with the same one.
    for older in [
        first,
        signed(&MESH.replace(LISBON.0, "UTC").replace("mesh: larkfield", "mesh: larkfield\nversion: 2")),
    ] {
        write(&path, &older);
        until("a version that does not grow is noticed", || file.is_broken()).await;
        assert!(Arc::ptr_eq(&changed, &state.snapshot()), "{older}");
        write(&path, &second);
        until("the file is good again", || !file.is_broken()).await;
    }
    watching.abort();
}

#[tokio::test]
async fn d15_without_a_document_at_the_start_everything_is_denied_until_there_is_one() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("mesh.yaml");
    for unusable in ["mesh: [".to_owned(), MESH.to_owned(), " ".repeat(2 << 20)] {
        write(&path, &unusable);
        let (file, state) = open(&path);
        assert!(file.is_broken() && state.snapshot().document.is_none());
        let snapshot = with_sales(&state);
        assert!(!is_visible(&snapshot), "everything is denied");
        let watching = tokio::spawn(Arc::clone(&file).watch(Arc::clone(&state)));
        write(&path, &signed(MESH));
        until("the document is there", || !file.is_broken()).await;
        assert!(is_visible(&state.snapshot()));
        watching.abort();
    }
    let (file, state) = open(&folder.path().join("none.yaml"));
    assert!(file.is_broken() && state.snapshot().mesh.is_missing());
}

fn with_sales(state: &MeshState) -> Arc<crate::mesh::Snapshot> {
    let descriptor = larkfield::descriptor("sales", larkfield::SALES_POLICY);
    let described = crate::mesh::Described::read("sales", descriptor).unwrap();
    let channel = tonic::transport::Channel::from_static("http://127.0.0.1:1").connect_lazy();
    state.described("sales", described, Arc::new(crate::mesh::NodeConnection::over(channel)));
    state.snapshot()
}

fn is_visible(snapshot: &crate::mesh::Snapshot) -> bool {
    let dora = meshgate_policies::Principal { roles: ["auditor".to_owned()].into(), ..Default::default() };
    snapshot.domain("sales").unwrap().decide("orders", &dora, &snapshot.statement(0)).is_some()
}
