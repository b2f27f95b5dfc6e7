use super::*;

#[test]
fn a001_a_grant_gives_its_rows_and_columns() {
    let grant = "grants: [{ id: a, to: { roles: [analyst] }, tables: [orders], columns: [id, card, total], rows: \"region = 'EU'\", masks: { card: last(4) } }]";
    let decision = visible(Fixture::new(grant).decide());
    assert_eq!(cells(&decision), ["id=raw", "card?*=keep_last(\"card\", 4)", "total?=raw"]);
    assert_eq!(decision.rows.unwrap().to_string(), "(\"region\" = 'EU')");
}
