use super::*;

fn set_one(name: &str, value: OptionValue) -> Option<i32> {
    let request = SetSessionOptionsRequest {
        session_options: HashMap::from([(name.to_owned(), SessionOptionValue { option_value: Some(value) })]),
    };
    let result =
        SetSessionOptionsResult::decode(set(&request.encode_to_vec().into()).unwrap().as_slice()).unwrap();
    result.errors.get(name).map(|error| error.value)
}

#[test]
fn a070_only_the_catalog_can_be_set_and_only_to_what_it_is() {
    let text = |value: &str| OptionValue::String(value.to_owned());
    assert_eq!(set_one("catalog", text("mesh")), None);
    assert_eq!(set_one("catalog", text("other")), Some(OptionErrorValue::InvalidValue as i32));
    assert_eq!(set_one("catalog", OptionValue::Int64(1)), Some(OptionErrorValue::InvalidValue as i32));
    for name in ["schema", "user", "role", "policy", "datafusion.execution.batch_size", "meshgate.purpose"] {
        assert_eq!(set_one(name, text("x")), Some(OptionErrorValue::InvalidName as i32), "{name}");
    }
}

#[test]
fn a_packed_request_is_taken_as_well() {
    let option = SessionOptionValue { option_value: Some(OptionValue::Bool(true)) };
    let request = SetSessionOptionsRequest { session_options: HashMap::from([("x".to_owned(), option)]) };
    let any = Any {
        type_url: "type.googleapis.com/arrow.flight.protocol.SetSessionOptionsRequest".to_owned(),
        value: request.encode_to_vec().into(),
    };
    let result = set(&any.encode_to_vec().into()).unwrap();
    assert_eq!(SetSessionOptionsResult::decode(result.as_slice()).unwrap().errors.len(), 1);
}

#[test]
fn what_is_no_request_is_refused() {
    assert!(matches!(set(&Bytes::from_static(b"\xff")), Err(GatewayError::InvalidRequest(_))));
}
