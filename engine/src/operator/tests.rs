use aws_lc_rs::{encoding::AsDer, signature::Ed25519KeyPair};

use super::*;

const TEXT: &str = "mesh: larkfield\ntimezone: UTC\n# What everybody must know.\nrestrictions: []\n";

fn signer() -> OperatorSigner {
    let pair = Ed25519KeyPair::generate().unwrap();
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der.as_ref())
    );
    OperatorSigner::from_pem(&pem).unwrap()
}

fn keys(signers: &[&OperatorSigner]) -> OperatorKeys {
    OperatorKeys::new(signers.iter().map(|signer| signer.public_key()))
}

fn signed(text: &str, signer: &OperatorSigner) -> String {
    sign("mesh.yaml", text, signer, None).unwrap()
}

fn opened(text: &str, keys: &OperatorKeys) -> Result<OperatorDocument, String> {
    let opened = OperatorDocument::open("mesh.yaml", text, keys).map(|(document, _)| document);
    opened.map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn what_was_signed_is_opened_and_says_which_one_it_is() {
    let operator = signer();
    let text = signed(TEXT, &operator);
    assert!(text.starts_with("mesh: larkfield\nversion: 1\ntimezone: UTC\n# What"), "{text}");
    let document = opened(&text, &keys(&[&signer(), &operator])).unwrap();
    assert_eq!(&**document.text(), text);
    assert_eq!((document.version().mesh.as_str(), document.version().version), ("larkfield", 1));
}

#[test]
fn another_text_or_key_is_refused() {
    let operator = signer();
    let (text, keys) = (signed(TEXT, &operator), keys(&[&operator]));
    assert!(opened(TEXT, &keys).unwrap_err().contains("is not signed; sign it with `meshgate mesh sign`"));
    let unknown = opened(&text, &self::keys(&[&signer()])).unwrap_err();
    assert!(
        unknown.contains("which is not an operator's key here; compare with `operator_key`"),
        "{unknown}"
    );
    // Each byte counts, of the text and of the signature.
    for position in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(opened(&changed, &keys).is_err(), "byte {position}");
    }
    for changed in [
        format!("{text}\n"),
        format!("{text}restrictions: []\n"),
        text.replace('\n', "\r\n"),
        text.trim_end().to_owned() + " ",
        format!("{}{text}", text.lines().last().unwrap()),
        text.replace("# meshgate-signature: ", "# meshgate-signature:"),
        format!("{TEXT}# meshgate-signature: \n"),
        format!("{TEXT}# meshgate-signature: x !\n"),
    ] {
        assert!(opened(&changed, &keys).is_err(), "{changed}");
    }
    let problem = opened(&text.replace("restrictions: []", "# none"), &keys).unwrap_err();
    assert!(problem.contains("it was changed since it was signed; sign it with"), "{problem}");
}

#[test]
fn a_good_signature_does_not_excuse_the_content() {
    let operator = signer();
    let with_signature = |body: &str| {
        let signature = STANDARD.encode(operator.sign_raw(&signed_bytes(body)));
        format!("{body}{SIGNATURE_LINE}{} {signature}\n", keys::key_id(&operator.public_key()))
    };
    let keys = keys(&[&operator]);
    assert!(opened(&with_signature("mesh: x\ntimezone: UTC\nversion: 1\n"), &keys).is_ok());
    let problem = opened(&with_signature("mesh: x\ntimezone: UTC\n"), &keys).unwrap_err();
    assert!(problem.contains("`version` is missing or 0"), "{problem}");
    assert!(opened(&with_signature("mesh: x\nversion: 1\n"), &keys).unwrap_err().contains("timezone"));
    // A signature of the same key over something else.
    let bare = STANDARD.encode(operator.sign_raw(b"mesh: x\ntimezone: UTC\nversion: 1\n"));
    let id = keys::key_id(&operator.public_key());
    let other = format!("mesh: x\ntimezone: UTC\nversion: 1\n{SIGNATURE_LINE}{id} {bare}\n");
    assert!(opened(&other, &keys).is_err());
}

#[test]
fn versions_grow_with_each_change_and_only_then() {
    let operator = signer();
    let first = signed(TEXT, &operator);
    assert_eq!(signed(&first, &operator), first);
    let edited = first.replace("UTC", "Europe/Berlin");
    let second = signed(&edited, &operator);
    assert!(second.contains("version: 2\n") && second.matches(SIGNATURE_LINE).count() == 1, "{second}");
    let appended = signed(&format!("{second}# The end.\n"), &operator);
    assert!(appended.contains("version: 3\n") && appended.matches(SIGNATURE_LINE).count() == 1, "{appended}");
    // Another key signs anew.
    let third = signed(&second, &signer());
    assert!(third.contains("version: 3\n"), "{third}");
    // A version that stands there already is kept the first time, with what it says elsewhere in its line.
    let own = signed("mesh: x\nversion: 41 # of May\ntimezone: UTC", &operator);
    assert!(own.contains("version: 41\n"), "{own}");

    let asked = |text: &str, version| sign("mesh.yaml", text, &operator, Some(version));
    assert!(asked(&second, 9).unwrap().contains("version: 9\n"));
    assert_eq!(asked(&second, 2).unwrap(), second);
    let lower = asked(&second, 1).unwrap_err().to_string();
    assert!(lower.contains("version 1 is not higher than version 2"), "{lower}");
    assert!(asked(&second.replace("UTC", "Asia/Tokyo").replace("Europe/Berlin", "Asia/Tokyo"), 2).is_err());
}

#[test]
fn what_no_server_could_use_is_not_signed() {
    let operator = signer();
    for (text, problem) in [
        ("mesh: [", "is not YAML"),
        ("mesh: x\ntimezone: Nowhere\n", "there is no time zone"),
        ("{ mesh: x, timezone: UTC }\n", "on a line of its own"),
        ("{ mesh: x, timezone: UTC, version: 1 }\n", "on a line of its own"),
        ("mesh: >\n  x\ntimezone: UTC\n", ""),
    ] {
        let error = sign("mesh.yaml", text, &operator, None).unwrap_err().to_string();
        assert!(error.contains(problem), "{text}: {error}");
    }
}

#[test]
fn a_document_follows_what_is_older_and_of_the_same_mesh() {
    let version = |mesh: &str, version, text: &str| DocumentVersion {
        mesh: mesh.to_owned(),
        version,
        digest: Digest::of(text.as_bytes()),
    };
    let seen = version("larkfield", 7, "a");
    assert_eq!(seen.is_followed_by(&version("larkfield", 8, "b")), Ok(true));
    assert_eq!(seen.is_followed_by(&seen), Ok(false));
    let refused = |next: &DocumentVersion| seen.is_followed_by(next).unwrap_err().to_string();
    assert!(refused(&version("larkfield", 6, "b")).contains("version 6 is older than version 7"));
    assert!(refused(&version("larkfield", 6, "b")).contains("--version 8"));
    assert!(refused(&version("larkfield", 7, "b")).contains("the same version 7"));
    assert!(refused(&version("other", 8, "b")).contains("of the mesh `other`"));
}

#[test]
fn keys_are_read_from_files_of_one_key_each() {
    let folder = std::env::temp_dir().join(format!("meshgate-operator-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, text: &str| {
        let file = folder.join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let (old, new) = (signer(), signer());
    let files = [
        write("old.pub", &format!("{}\n", STANDARD.encode(old.public_key()))),
        write("new.pub", &STANDARD.encode(new.public_key())),
    ];
    let both = OperatorKeys::load(&files).unwrap();
    assert!(opened(&signed(TEXT, &old), &both).is_ok() && opened(&signed(TEXT, &new), &both).is_ok());
    let one = OperatorKeys::load(&files[1..]).unwrap();
    assert!(opened(&signed(TEXT, &old), &one).is_err() && opened(&signed(TEXT, &new), &one).is_ok());
    assert!(matches!(OperatorKeys::load(&[]), Err(OperatorKeyError::None)));
    assert!(matches!(OperatorKeys::load(&[folder.join("none")]), Err(OperatorKeyError::Unreadable { .. })));
    for text in ["", "AAAA", "!", &"A".repeat(5_000)] {
        let broken = [files[0].clone(), write("broken.pub", text)];
        assert!(matches!(OperatorKeys::load(&broken), Err(OperatorKeyError::NotAKey(_))), "{text:.9}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}
