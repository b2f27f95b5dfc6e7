use super::*;

fn node(text: &str) -> Node {
    parse("t.yaml", text).unwrap()
}

fn problem(text: &str) -> String {
    parse("t.yaml", text).unwrap_err().to_string()
}

#[test]
fn tree_remembers_lines_and_styles() {
    let root = node("a: 1\nb:\n  - \"x\"\n  - |\n    y\nc: {d: ~}\n");
    let entries = root.as_mapping().unwrap();
    assert_eq!(
        entries.iter().map(|e| (e.key.as_str(), e.key_line)).collect::<Vec<_>>(),
        [("a", 1), ("b", 2), ("c", 6)]
    );
    let items = root.get("b").unwrap().as_sequence().unwrap();
    assert_eq!(items[0].value, Value::Scalar { text: "x".into(), quoted: true });
    assert_eq!(items[0].line, 3);
    assert_eq!(items[1].value, Value::Scalar { text: "y\n".into(), quoted: true });
    assert!(root.get("c").unwrap().get("d").unwrap().is_null());
    assert_eq!(root.get("a").unwrap().as_scalar(), Some("1"));
}

#[test]
fn quoted_null_is_a_text() {
    assert!(!node("a: \"null\"").get("a").unwrap().is_null());
    assert!(node("a: null").get("a").unwrap().is_null());
    assert!(node("a:").get("a").unwrap().is_null());
}

#[test]
fn comments_behind_plain_scalars_are_seen() {
    let cut = |text: &str| node(text).get("a").unwrap().cut_by_comment;
    assert!(cut("a: region = 'DE' # or 'AT'\nb: 1\n"));
    assert!(cut("a: größe > 1   # x"));
    assert!(cut("a: region\n  = 'DE' # two lines\nb: 1"));
    assert!(!cut("a: \"region = 'DE'\" # quoted"));
    assert!(!cut("a: region#1\n# own line\n"));
    assert!(!cut("a: region\n# own line\nb: 1 # here"));
    assert!(!cut("a: |\n  region # part\n"));
}

#[test]
fn refusals() {
    assert_eq!(problem("a: 1\nb: 2\na: 3\n"), "t.yaml:3: the key `a` is written twice");
    assert_eq!(
        problem("a: &x 1\nb: *x\n"),
        "t.yaml:2: aliases (`*name`) are not allowed; repeat the value; quote a glob: \"*name\""
    );
    assert_eq!(problem("a: !!str 1\n"), "t.yaml:1: tags (`!name`) are not allowed");
    assert_eq!(problem("a: 1\n---\nb: 1\n"), "t.yaml:2: the file holds more than one document");
    assert_eq!(problem(""), "t.yaml: the file is empty");
    assert_eq!(problem("# nothing\n"), "t.yaml: the file is empty");
    assert_eq!(problem("? [a]\n: 1\n"), "t.yaml:1: a key must be a single value");
    assert!(problem("a: [1\nb: 2").starts_with("t.yaml:"));
    assert_eq!(problem("a: 1\nb: \0\n"), "t.yaml:2: the file holds a NUL character");
    assert!(parse("t.yaml", &"x".repeat(1024 * 1024)).is_ok());
    assert_eq!(problem(&"x".repeat(1024 * 1024 + 1)), "t.yaml: the file is larger than 1048576 bytes");
}

#[test]
fn nesting_is_bounded() {
    let lists = |levels: usize| format!("{}x{}", "[".repeat(levels), "]".repeat(levels));
    let mappings = |levels: usize| format!("{}x{}", "{a: ".repeat(levels), "}".repeat(levels));
    for deep in [lists, mappings] {
        assert!(parse("t.yaml", &deep(64)).is_ok());
        for more in [65, 66] {
            assert!(problem(&deep(more)).contains("more than 64 levels"), "{more}");
        }
    }
    assert!(problem(&"? ".repeat(66)).contains("more than 64 levels"));
    assert!(parse("t.yaml", &"[".repeat(500_000)).is_err());
    assert!(parse("t.yaml", &"- ".repeat(300_000)).is_err());
}

#[test]
fn reader_collects_all_problems() {
    let root = node("nam: x\nsize: big\non: yes\nlist: 3\ntext:\nsub: {inner: 1, innre: 2}\n");
    let mut problems = Vec::new();
    let mut reader = Reader::new("t.yaml", &root, &mut problems);
    assert_eq!(reader.required_text("name"), None);
    assert_eq!(reader.integer("size"), None);
    assert_eq!(reader.boolean("on"), None);
    assert_eq!(reader.list("list"), None);
    assert_eq!(reader.text("text"), None);
    let mut sub = reader.mapping("sub").unwrap();
    assert_eq!(sub.integer("inner"), Some(1));
    sub.finish(UnknownKeys::Warn);
    reader.finish(UnknownKeys::Error);
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "t.yaml:1: `name` is missing",
            "t.yaml:2: `size` is not a whole number",
            "t.yaml:3: `on` is not `true` or `false`",
            "t.yaml:4: `list` is not a list",
            "t.yaml:5: `text` has no value, expected a text",
            "t.yaml:6: warning: unknown key `innre`; did you mean `inner`? [unknown-key]",
            "t.yaml:1: unknown key `nam`; did you mean `name`?",
        ]
    );
}

#[test]
fn expression_fallen_apart_in_braces_is_explained() {
    let root = node("{ rows: claim_has('regions', region) }");
    let mut problems = Vec::new();
    let mut reader = Reader::new("t.yaml", &root, &mut problems);
    reader.text("rows");
    reader.finish(UnknownKeys::Error);
    assert!(problems[0].hint.as_ref().unwrap().contains("must be quoted"), "{problems:?}");
}

#[test]
fn a_list_instead_of_a_mapping() {
    let root = node("- a");
    let mut problems = Vec::new();
    assert_eq!(Reader::new("t.yaml", &root, &mut problems).text("a"), None);
    let root = node("~");
    assert_eq!(Reader::new("t.yaml", &root, &mut problems).text("a"), None);
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let expected = "t.yaml:1: expected a mapping (`key: value`), found";
    assert_eq!(told, [format!("{expected} a list"), format!("{expected} nothing")]);
}

#[test]
fn suggestions_are_near() {
    let keys = ["grants", "restrictions", "masks", "rows"];
    assert_eq!(nearest("grnats", keys), Some("grants"));
    assert_eq!(nearest("row", keys), Some("rows"));
    assert_eq!(nearest("restriction", keys), Some("restrictions"));
    assert_eq!(nearest("whatever", keys), None);
    assert_eq!(nearest(&"x".repeat(1000), keys), None);
    // A third of the word may be wrong, and no word is longer than a hundred bytes.
    assert_eq!(nearest("abcdefghijkl", ["abcdefgh1234"]), Some("abcdefgh1234"));
    assert_eq!(nearest("abcdefghijkl", ["abcdefg12345"]), None);
    let long = "x".repeat(100);
    assert_eq!(nearest(&long, [long.as_str()]), Some(long.as_str()));
    assert_eq!(nearest(&"x".repeat(101), [long.as_str()]), None);
    assert_eq!(nearest_hint("whatever", keys[..0].iter().copied()), None);
    assert_eq!(nearest_hint("whatever", ["a", "b"]).as_deref(), Some("known: a, b"));
    assert_eq!(nearest_hint("whatever", ["a"; 21]), None);
}

#[test]
fn references_expand() {
    let lookup = |reference: Reference<'_>| match reference {
        Reference::Variable("HOME") => Some("/home/${USER}".to_owned()),
        Reference::File("/run/key") => Some("secret".to_owned()),
        _ => None,
    };
    let ok = |text: &str| expand(text, &lookup).unwrap();
    assert_eq!(ok("plain $5 {x}"), "plain $5 {x}");
    assert_eq!(ok("a${HOME}b"), "a/home/${USER}b");
    assert_eq!(ok("${NO:-dev}${NO:-}"), "dev");
    assert_eq!(ok("${_NO_1:-dev}"), "dev");
    assert_eq!(ok("${file:/run/key}"), "secret");
    assert_eq!(ok("$${HOME}"), "${HOME}");
    let error = |text: &str| expand(text, &lookup).unwrap_err();
    assert_eq!(error("${NO}"), ExpandError::Unset("NO".into()));
    assert_eq!(error("${HOME"), ExpandError::Unclosed);
    assert_eq!(error("${a b}"), ExpandError::Malformed("a b".into()));
    assert_eq!(error("${}"), ExpandError::Malformed(String::new()));
    assert_eq!(error("${1}"), ExpandError::Malformed("1".into()));
    assert_eq!(error("${file:/no}"), ExpandError::Unreadable("/no".into()));
}

/// Whatever the text, an answer: cut and mangled files must not stop a server.
#[test]
fn one_text_is_a_list_of_one() {
    let of = |text: &str| {
        let (root, mut problems) = (node(text), Vec::new());
        let found = Reader::new("t.yaml", &root, &mut problems).one_or_more("a");
        (found, problems.len())
    };
    let texts = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
    assert_eq!(of("a: x"), (texts(&["x"]), 0));
    assert_eq!(of("a: [x, y]"), (texts(&["x", "y"]), 0));
    assert_eq!(of("b: x"), (None, 0));
    for wrong in ["a: []", "a: { b: c }", "a: [[x]]"] {
        assert_eq!(of(wrong), (None, 1), "{wrong}");
    }
}

#[test]
fn references_in_a_whole_tree_expand_and_become_texts() {
    let mut root = node("a: ${X}\nb: [plain, \"${file:f}\"]\nc: { d: \"${Y:-7}\", e: null }\n");
    let lookup = |reference: Reference<'_>| match reference {
        Reference::Variable("X") => Some("true".to_owned()),
        Reference::File("f") => Some("[1]".to_owned()),
        _ => None,
    };
    let mut problems = Vec::new();
    expand_all("t.yaml", &mut root, &lookup, &mut problems);
    assert!(problems.is_empty(), "{problems:?}");
    let text = |text: &str, quoted| Value::Scalar { text: text.into(), quoted };
    assert_eq!(root.get("a").unwrap().value, text("true", true));
    let items = root.get("b").unwrap().as_sequence().unwrap();
    assert_eq!((&items[0].value, &items[1].value), (&text("plain", false), &text("[1]", true)));
    let inner = root.get("c").unwrap();
    assert_eq!(inner.get("d").unwrap().value, text("7", true));
    assert!(inner.get("e").unwrap().is_null());
    let mut root = node("a: 1\nb:\n  - ${NOWHERE}\n");
    expand_all("t.yaml", &mut root, &lookup, &mut problems);
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(
        told.len() == 1 && told[0].starts_with("t.yaml:3: the variable `NOWHERE` is not set"),
        "{told:?}"
    );
}

#[test]
fn mangled_texts_do_not_panic() {
    let text = "domain: sales\ngrants:\n  - { id: a, to: { roles: [x] }, rows: \"a = 'b'\" }\n  - id: |\n      b\n  - ? x\n    : 'y' # z\n%TAG ! x\n";
    let marks: Vec<char> = "\0\t\n '\"#:-?[]{},&*!|>%@`~ä\u{feff}\u{2028}".chars().collect();
    let chars: Vec<char> = text.chars().collect();
    let mut state = 1u64;
    let mut random = |bound: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % bound
    };
    for _ in 0..3000 {
        let mut mangled = chars.clone();
        for _ in 0..random(4) + 1 {
            let position = random(mangled.len());
            mangled[position] = marks[random(marks.len())];
        }
        mangled.truncate(random(mangled.len()) + 1);
        let _ = parse("t.yaml", &mangled.into_iter().collect::<String>());
    }
}
