//! docs/own-data.md is true: its files are written and its commands run as
//! they stand there, only on free ports.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use meshgate_tests::eventually;
use meshgate_tests::process::{Running, meshgate};
use parquet::arrow::ArrowWriter;

const DOCUMENT: &str = include_str!("../../docs/own-data.md");

struct Reader {
    folder: tempfile::TempDir,
    /// As the document has them, and as they are here.
    ports: [(&'static str, String); 2],
    servers: Vec<Running>,
}

/// The blocks of the document: `sh` or `yaml`, and their text.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let parts = DOCUMENT.split("```").skip(1).step_by(2);
    parts.map(|block| block.split_once('\n').expect("a language")).collect()
}

fn free_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}

impl Reader {
    fn new() -> Self {
        let ports = [("31337", free_port()), ("31400", free_port())];
        Self { folder: tempfile::tempdir().unwrap(), ports, servers: Vec::new() }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, content: &[u8]) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn on_free_ports(&self, text: &str) -> String {
        self.ports.iter().fold(text.to_owned(), |text, (documented, port)| text.replace(documented, port))
    }

    fn shell(&self, line: &str) -> Command {
        let binaries = meshgate().parent().map(Path::to_path_buf).unwrap();
        let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("sh");
        command.args(["-ec", line]).current_dir(self.folder.path()).env("PATH", path).stdin(Stdio::null());
        command
    }

    fn output(&self, line: &str) -> Output {
        self.shell(line).output().unwrap()
    }

    /// Runs a line as a reader would type it; gives what it printed.
    fn run(&mut self, line: &str) -> String {
        let line = self.on_free_ports(line);
        if let Some(server) = line.strip_suffix('&') {
            // `exec`: the process that ends with the test is the server itself.
            let mut command = self.shell(&format!("exec {server}"));
            self.servers.push(Running::spawn(command.stdout(Stdio::null())));
            return String::new();
        }
        // A server that was just started may not answer yet.
        let asks = line.starts_with("meshgate sql");
        let output = eventually(&line, Duration::from_secs(60), || {
            Some(self.output(&line)).filter(|output| output.status.success() || !asks)
        });
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{line}\n{text}{}", String::from_utf8_lossy(&output.stderr));
        // What was made listens on the documented ports.
        if line.starts_with("meshgate init domain") {
            let node = std::fs::read_to_string(self.path("shop/node.yaml")).unwrap();
            self.write("shop/node.yaml", self.on_free_ports(&node).as_bytes());
        }
        text
    }
}

fn orders() -> Vec<u8> {
    let columns: [(&str, ArrayRef); 4] = [
        ("order_id", Arc::new(Int64Array::from(vec![1, 2]))),
        ("city", Arc::new(StringArray::from(vec!["Berlin", "Paris"]))),
        ("email", Arc::new(StringArray::from(vec!["SECRET-1", "SECRET-2"]))),
        ("total", Arc::new(Int64Array::from(vec![Some(10), None]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn files_of_ones_own_become_a_governed_product() {
    let mut reader = Reader::new();
    reader.write("shop/data/orders/1.parquet", &orders());
    let mut printed = String::new();
    for (language, text) in blocks() {
        match language {
            "yaml" => {
                let file = text.lines().next().unwrap().trim_start_matches("# ");
                reader.write(file, reader.on_free_ports(text).as_bytes());
            }
            "sh" => {
                for line in text.lines() {
                    printed += &reader.run(line);
                }
            }
            other => panic!("{other} in the document"),
        }
    }
    assert!(
        printed.contains("shop/node.yaml: good") && printed.contains("mesh/gateway.yaml: good"),
        "{printed}"
    );
    // E-mail addresses were guessed to be confidential.
    for (expected, is_there) in [("order_id", true), ("Berlin", true), ("email", false), ("SECRET", false)] {
        let answer = printed.rsplit("good").next().unwrap();
        assert_eq!(answer.contains(expected), is_there, "{expected}: {answer}");
    }
}

#[test]
fn a_check_finds_what_is_wrong_in_files_and_data() {
    let mut reader = Reader::new();
    reader.run("meshgate init domain shop");
    reader.write("shop/data/t.csv", b"id,price\n1,10\n2,20\n");
    reader.run("meshgate init product t --from shop/data/t.csv --domain shop");
    assert!(reader.run("meshgate check").contains("shop/node.yaml: good"));
    assert!(reader.run("meshgate check shop --online").contains("shop/node.yaml: good"));
    // Without a document of its own, a domain is checked against the copy that was pulled.
    reader.run("mv shop/mesh.yaml shop/mesh.lock.yaml");
    assert!(reader.run("meshgate check shop").contains("shop/node.yaml: good"));
    reader.run("mv shop/mesh.lock.yaml shop/mesh.yaml");
    // Where the operator's key lies, the signature counts.
    reader.run("meshgate dev ca --out keys --domain shop && cp keys/nodes/shop/* shop/tls/");
    let unsigned = reader.output("meshgate check shop");
    let text = String::from_utf8_lossy(&unsigned.stdout).into_owned();
    assert!(unsigned.status.code() == Some(1) && text.contains("the document is not signed"), "{text}");
    reader.run("meshgate mesh sign shop/mesh.yaml --key keys/operator/operator.key");
    assert!(reader.run("meshgate check shop").contains("shop/node.yaml: good"));
    // Nothing is written over.
    for again in ["meshgate init domain shop", "meshgate init product t --from shop/data/t.csv --domain shop"]
    {
        let refused = reader.output(again);
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("is there already"), "{refused:?}");
    }
    // Data that does not keep the contract's word: only reading it tells.
    reader.write("shop/data/t.csv", b"id,price\n1,10\n,20\n3,SECRET\n");
    assert!(reader.run("meshgate check shop").contains("good"));
    let found = reader.output("meshgate check shop --online");
    let text = String::from_utf8_lossy(&found.stdout).into_owned();
    assert_eq!(found.status.code(), Some(1), "{text}");
    for expected in [
        "t.csv: row 4 (line 4), column `price`: \"SECRET\" is no int64",
        "shop.t.id: the contract requires it, and it is NULL in 1 rows",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    // Files: every problem at once, in each format.
    reader.write("shop/products/broken.odcs.yaml", b"kind: DataContract\nname: Bad-Name\n");
    reader.write("shop/policies/policies.yaml", b"domain: shop\ngrant: []\n");
    for (format, expected) in [
        ("text", "shop/policies/policies.yaml"),
        ("json", "\"hint\": \"did you mean `grants`?\""),
        ("junit", "<failure message="),
    ] {
        let found = reader.output(&format!("meshgate check shop --format {format}"));
        let text = String::from_utf8_lossy(&found.stdout).into_owned();
        assert_eq!(found.status.code(), Some(1), "{text}");
        for part in [expected, "bad_name", "grants"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
    let nothing = reader.output("mkdir empty && meshgate check empty");
    assert_eq!(nothing.status.code(), Some(2), "{nothing:?}");
}
