use super::*;

#[tokio::test]
async fn a_port_in_use_is_one_sentence() {
    let (_listener, address) = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let error = listen(address).await.unwrap_err();
    let expected = format!(
        "the address {address} is in use: stop what listens there, or set another one under `listen`"
    );
    assert_eq!(error.to_string(), expected);
}
