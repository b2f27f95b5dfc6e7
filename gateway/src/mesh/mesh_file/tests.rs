use std::time::Duration;

use super::*;
use crate::testing::larkfield::MESH;

#[tokio::test]
async fn a064_a_broken_file_leaves_the_last_good_one_in_use() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("mesh.yaml");
    std::fs::write(&path, MESH).unwrap();
    let file = Arc::new(MeshFile::new(path.clone()));
    let state = Arc::new(MeshState::new(file.read().unwrap()));
    let watching = tokio::spawn(Arc::clone(&file).watch(Arc::clone(&state)));
    tokio::time::sleep(Duration::from_millis(50)).await;

    let first = state.snapshot();
    std::fs::write(&path, "mesh: [").unwrap();
    let broken = state.changed_since(&first, Duration::from_millis(1500)).await;
    assert!(file.is_broken() && Arc::ptr_eq(&first, &broken));

    std::fs::write(&path, MESH.replace("Europe/Berlin", "Europe/Lisbon")).unwrap();
    let second = state.changed_since(&first, Duration::from_secs(5)).await;
    assert_eq!(second.mesh.time_zone().name(), "Europe/Lisbon");
    assert!(!file.is_broken());
    watching.abort();
}

#[test]
fn what_cannot_be_read_names_the_file() {
    let missing = MeshFile::new("/nowhere/mesh.yaml".into());
    assert!(missing.read().unwrap_err().to_string().starts_with("/nowhere/mesh.yaml: "));
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("mesh.yaml");
    std::fs::write(&path, " ".repeat((DOCUMENT_BYTES + 1) as usize)).unwrap();
    assert!(MeshFile::new(path).read().unwrap_err().to_string().contains("longer than 1048576 bytes"));
}
