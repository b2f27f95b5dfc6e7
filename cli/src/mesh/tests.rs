use tempfile::TempDir;

use super::*;
use crate::dev::signing_key::SigningKey;

const MESH: &str = "mesh: larkfield\ntimezone: UTC\nrestrictions: []\n";

struct Folder(TempDir);

impl Folder {
    /// With mesh.yaml, and two keys of operators.
    fn new() -> Self {
        let folder = Self(TempDir::new().unwrap());
        folder.write("mesh.yaml", MESH);
        for name in ["operator", "other"] {
            let key = SigningKey::generate().unwrap();
            folder.write(&format!("{name}.key"), &key.to_pem().unwrap());
            let public = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, key.public_key());
            folder.write(&format!("{name}.pub"), &public);
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn sign(&self, key: &str, version: Option<u64>) -> Result<(), Failure> {
        let (file, key) = (self.path("mesh.yaml"), self.path(key));
        run(&MeshCommand::Sign(SignArguments { file, key, version }))
    }

    fn check(&self, keys: &[&str]) -> Result<(), Failure> {
        let operator_keys = keys.iter().map(|key| self.path(key)).collect();
        run(&MeshCommand::Check(CheckArguments { file: self.path("mesh.yaml"), operator_keys }))
    }

    fn pull(&self, key: &str) -> Result<(), Failure> {
        let (from, out) = (self.path("mesh.yaml"), self.path("mesh.lock.yaml"));
        run(&MeshCommand::Pull(PullArguments { from, operator_keys: vec![self.path(key)], out }))
    }
}

#[test]
fn what_is_signed_passes_the_check_and_is_pulled() {
    let folder = Folder::new();
    assert!(folder.check(&[]).is_ok());
    assert!(
        matches!(folder.check(&["operator.pub"]), Err(Failure::Found(text)) if text.contains("not signed"))
    );
    assert!(folder.pull("operator.pub").is_err() && !folder.path("mesh.lock.yaml").exists());

    folder.sign("operator.key", None).unwrap();
    folder.check(&["other.pub", "operator.pub"]).unwrap();
    assert!(matches!(folder.check(&["other.pub"]), Err(Failure::Found(_))));
    folder.pull("operator.pub").unwrap();
    let copy = folder.read("mesh.lock.yaml");
    let (day, document) = meshgate_engine::operator::split_pulled(&copy);
    assert!(day.is_some_and(|day| day.parse::<chrono::NaiveDate>().is_ok()), "{day:?}");
    assert_eq!(document, folder.read("mesh.yaml"));
    // What was pulled can be pulled again, with the operator's key and no other.
    let again = |key: &str| {
        let (from, out) = (folder.path("mesh.lock.yaml"), folder.path("again.yaml"));
        run(&MeshCommand::Pull(PullArguments { from, operator_keys: vec![folder.path(key)], out }))
    };
    again("operator.pub").unwrap();
    assert!(again("other.pub").is_err());
    assert!(folder.pull("other.pub").is_err());
}

#[test]
fn a_copy_does_not_go_back() {
    let folder = Folder::new();
    folder.sign("operator.key", None).unwrap();
    let first = folder.read("mesh.yaml");
    folder.write("mesh.yaml", &first.replace("UTC", "Asia/Tokyo"));
    folder.sign("operator.key", None).unwrap();
    folder.pull("operator.pub").unwrap();
    let second = folder.read("mesh.lock.yaml");
    assert!(second.contains("version: 2\n"), "{second}");
    folder.write("mesh.yaml", &first);
    assert!(matches!(folder.pull("operator.pub"), Err(Failure::Found(text)) if text.contains("--version 3")));
    assert_eq!(folder.read("mesh.lock.yaml"), second);
    folder.sign("operator.key", Some(3)).unwrap();
    folder.pull("operator.pub").unwrap();
}

#[test]
fn a_file_that_no_server_could_use_stays_as_it_is() {
    let folder = Folder::new();
    folder.write("mesh.yaml", "mesh: x\n");
    let refused = folder.sign("operator.key", None);
    assert!(matches!(refused, Err(Failure::Found(text)) if text.contains("timezone")));
    assert_eq!(folder.read("mesh.yaml"), "mesh: x\n");
    assert!(matches!(folder.sign("operator.pub", None), Err(Failure::Usage(_))));
    assert!(matches!(folder.check(&["operator.key"]), Err(Failure::Usage(_))));
}
