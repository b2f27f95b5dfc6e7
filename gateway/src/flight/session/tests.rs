use super::*;

#[test]
fn messages_are_those_of_the_protocol() {
    // `session_options { key: "a" value { string_value: "b" } }`, as other implementations write it.
    let bytes = [0x0a, 0x08, 0x0a, 0x01, b'a', 0x12, 0x03, 0x0a, 0x01, b'b'];
    let request = SetSessionOptionsRequest::decode(bytes.as_slice()).unwrap();
    let value = SessionOptionValue { option_value: Some(OptionValue::String("b".to_owned())) };
    assert_eq!(request.session_options, HashMap::from([("a".to_owned(), value)]));
    assert_eq!(request.encode_to_vec(), bytes);
}
