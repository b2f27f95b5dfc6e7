//! Purposes, as people choose them: by ADBC and by the command line.

use std::path::Path;

use meshgate_tests::demo::Demo;
use meshgate_tests::{process, python};
use serde_json::Value;

#[test]
fn adbc_chooses_by_header_option_and_statement() {
    let parent = tempfile::tempdir().unwrap();
    let demo = Demo::start(&parent.path().join("demo"));
    let ca = demo.ca();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/adbc_purposes.py");
    let arguments = [demo.address(), ca.to_str().unwrap(), demo.token("felix"), demo.token("marco")];
    let output = python::output(&script, &arguments);
    assert_eq!(output.lines().last(), Some("purposes: 17 checks"), "{output}");
}

#[test]
fn the_command_line_chooses_by_option_and_statement() {
    let parent = tempfile::tempdir().unwrap();
    let demo = Demo::start(&parent.path().join("demo"));
    let directory = demo.directory.to_str().unwrap();
    let sql = |arguments: &[&str], statements: &str| {
        let common = ["sql", "--demo", directory, "--format", "csv", "-c", statements];
        let output = process::run(&[&common, arguments].concat());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let margins = "select count(margin) as n from sales.orders where order_id <= 1008";
    let felix = ["--as", "felix"];
    let for_purpose = ["--as", "felix", "--purpose", "fraud-investigation"];
    assert_eq!(sql(&for_purpose, margins).1, "n\n8\n");
    let set = "SET meshgate.purpose = 'fraud-investigation'";
    let (code, out, errors) =
        sql(&felix, &format!("{set}; {margins}; RESET meshgate.purpose; select 1 as a"));
    assert_eq!((code, out.as_str()), (Some(0), "n\n8\na\n1\n"), "{errors}");
    let (code, out, errors) = sql(&felix, &format!("{set}; RESET meshgate.purpose; {margins}"));
    assert_eq!((code, out.as_str()), (Some(1), ""), "{errors}");
    assert!(errors.contains("works for `fraud-investigation`"), "{errors}");
    // A session ends with its invocation.
    assert_eq!(sql(&felix, margins).0, Some(1));
    for (persona, purpose) in [("felix", "nothing"), ("marco", "fraud-investigation")] {
        let (code, out, errors) = sql(&["--as", persona, "--purpose", purpose], margins);
        assert_eq!((code, out.as_str()), (Some(3), ""), "{errors}");
        assert!(errors.contains("is not yours to choose"), "{errors}");
    }
    let (code, _, errors) = sql(&for_purpose, "RESET meshgate.purpose");
    assert_eq!(code, Some(1));
    assert!(errors.contains("leave the header out"), "{errors}");

    // Both audits say what for.
    let purposes = |file: &str| {
        let text = std::fs::read_to_string(demo.directory.join(file)).unwrap();
        let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        records.filter(|record| record["purpose"] == "fraud-investigation" && record["rows"] != 0).count()
    };
    assert_eq!(purposes("mesh/audit/gateway.jsonl"), 2);
    assert_eq!(purposes("sales/audit/node.jsonl"), 2);
}
