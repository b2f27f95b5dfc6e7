use arrow_flight::sql::{CommandStatementQuery, CommandStatementUpdate, ProstMessageExt};

use super::*;

fn command(bytes: impl Into<Bytes>) -> Result<Wanted, GatewayError> {
    of_descriptor(&FlightDescriptor::new_cmd(bytes))
}

fn path(parts: &[&str]) -> Result<Wanted, GatewayError> {
    of_descriptor(&FlightDescriptor::new_path(parts.iter().map(ToString::to_string).collect()))
}

#[test]
fn text_is_sql() {
    for sql in ["select 1", "SELECT 1", "with t as (select 1) select * from t", "\n-- hello\nselect 1"] {
        assert_eq!(command(sql).unwrap(), Wanted::Statement(sql.to_owned()));
    }
    for nothing in [&b""[..], b"  ", b"\xff\xfe"] {
        assert!(matches!(command(nothing.to_vec()), Err(GatewayError::InvalidRequest(_))));
    }
}

#[test]
fn a044_a_path_is_a_statement() {
    let wanted = Wanted::Statement("select * from mesh.\"sales\".\"orders\"".to_owned());
    for parts in
        [&["sales", "orders"][..], &["sales/orders"], &["mesh", "sales", "orders"], &["mesh/sales/orders"]]
    {
        assert_eq!(path(parts).unwrap(), wanted);
    }
    for parts in [&[][..], &["orders"], &["sales/"], &["/orders"], &["a", "b", "c"], &["a/b/c/d"]] {
        assert!(matches!(path(parts), Err(GatewayError::InvalidRequest(_))), "{parts:?}");
    }
}

#[test]
fn a077_a_path_cannot_break_out_of_its_quotes() {
    let sql = "select * from mesh.\"sales\".\"x\"\" union select 1 --\"".to_owned();
    assert_eq!(path(&["sales", "x\" union select 1 --"]).unwrap(), Wanted::Statement(sql));
}

#[test]
fn packed_commands_are_known_by_their_type() {
    let query = CommandStatementQuery { query: "select 1".to_owned(), transaction_id: None };
    assert_eq!(command(query.as_any().encode_to_vec()).unwrap(), Wanted::Statement("select 1".to_owned()));
    let in_transaction = CommandStatementQuery { transaction_id: Some(Bytes::from_static(b"t")), ..query };
    assert!(matches!(command(in_transaction.as_any().encode_to_vec()), Err(GatewayError::Unsupported(_))));
    let update = CommandStatementUpdate { query: "drop table x".to_owned(), transaction_id: None };
    assert!(matches!(command(update.as_any().encode_to_vec()), Err(GatewayError::Unsupported("writing"))));
}
