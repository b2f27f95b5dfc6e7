//! A5: prepared statements, tickets, caches, sessions, policies that change.

use std::sync::Arc;
use std::time::Duration;

use arrow_flight::sql::{ActionCancelQueryRequest, ProstMessageExt};
use arrow_flight::{CancelFlightInfoRequest, RenewFlightEndpointRequest, Ticket};
use bytes::Bytes;
use meshgate_tests::client::{Client, answer, execution, statement, ticket};
use meshgate_tests::token::with_terms;
use meshgate_tests::{eventually_async, fixture};
use prost::Message;
use serde_json::json;
use tonic::{Code, Status};

use super::case::Case;
use super::{Alice, Auditor, Bob, Otto, run};

const SQL: &str = "select id, region, amount from sales.orders order by id";
const LIMIT: Duration = Duration::from_secs(10);

/// The answer to a ticket that nobody sealed.
async fn unknown_ticket(client: &mut Client) -> String {
    let unknown = Ticket { ticket: Bytes::from_static(b"no such ticket") };
    answer(&client.messages(unknown).await.unwrap_err())
}

async fn count(client: &mut Client, info: &arrow_flight::FlightInfo) -> Result<usize, Status> {
    Ok(client.batches(info).await?.iter().map(|batch| batch.num_rows()).sum())
}

#[test]
fn a059_a_prepared_statement_runs_under_the_policy_of_the_moment() {
    run(async |case| {
        let mesh = fixture::leaks().start().await;
        let mut alice = mesh.client(&fixture::alice()).await;
        let handle = alice.prepare(SQL).await.unwrap();
        let card = alice.prepare("select id, card from sales.orders").await.unwrap();
        let info = alice.info(execution(handle.clone())).await.unwrap();
        case.equal(count(&mut alice, &info).await.unwrap(), 3, "before");

        // Tightened: fewer rows, and no card.
        let file = mesh.path("sales/policies/sales.yaml");
        let original = std::fs::read_to_string(&file).unwrap();
        let tighter = original
            .replace("region = 'EU'\", masks: { card: last(4) }", "region = 'EU' and amount > 150\"")
            .replace("amount, card], rows", "amount], rows");
        assert_ne!(original, tighter);
        std::fs::write(&file, &tighter).unwrap();
        eventually_async("the tighter policy", LIMIT, async || {
            alice.query("select card from sales.orders").await.is_err().then_some(())
        })
        .await;
        let info = alice.info(execution(handle.clone())).await.unwrap();
        case.equal(count(&mut alice, &info).await.unwrap(), 1, "after");
        let refused = alice.info(execution(card)).await.unwrap_err();
        case.equal(refused.code(), Code::InvalidArgument, "the column is gone");

        // Taken away.
        std::fs::write(&file, original.replace("subjects: [alice]", "subjects: [nobody]")).unwrap();
        eventually_async("the refusal", LIMIT, async || {
            alice.info(execution(handle.clone())).await.is_err().then_some(())
        })
        .await;
        let refused = alice.info(execution(handle)).await.unwrap_err();
        case.equal(refused.code(), Code::NotFound, "the table is gone");
        mesh.stop().await;
    });
}

#[test]
fn a060_a_handle_of_another_is_an_unknown_handle() {
    run(async |case| {
        let sources = Arc::clone(&case.sources);
        for source in sources.iter() {
            let mut alice = source.client(Alice);
            let handle = alice.prepare(SQL).await.unwrap();
            for who in [Bob, Otto, Auditor] {
                let mut other = source.client(who);
                let unknown = Bytes::from_static(b"no such handle");
                for call in ["info", "schema", "poll"] {
                    let mut told = Vec::new();
                    for handle in [&handle, &unknown] {
                        told.push(answer(&run_handle(&mut other, call, handle).await.unwrap_err()));
                    }
                    case.equal(&told[0], &told[1], call);
                }
                // Closing tells nothing either, and takes nothing away from its owner.
                let theirs = other.close(handle.clone()).await.unwrap();
                case.equal(theirs, other.close(unknown).await.unwrap(), "close");
            }
            let info = alice.info(execution(handle)).await.unwrap();
            case.equal(count(&mut alice, &info).await.unwrap(), 3, "its owner goes on");
        }
    });
}

async fn run_handle(client: &mut Client, call: &str, handle: &Bytes) -> Result<(), Status> {
    let descriptor = execution(handle.clone());
    let flight = client.flight();
    match call {
        "info" => flight.get_flight_info(descriptor).await.map(drop),
        "schema" => flight.get_schema(descriptor).await.map(drop),
        _ => flight.poll_flight_info(descriptor).await.map(drop),
    }
}

#[test]
fn a061_the_same_text_by_two_callers_gives_each_their_own() {
    const EACH: usize = 125;
    run(async |case| {
        let question = "select id from sales.orders order by id";
        let mut running = tokio::task::JoinSet::new();
        for number in 0..8 {
            let source = &case.sources[number / 2 % case.sources.len()];
            let (who, expected) = [(Alice, ["1", "2", "5"].as_slice()), (Bob, &["3", "4"])][number % 2];
            let mut client = source.client(who);
            running.spawn(async move {
                for _ in 0..EACH {
                    assert_eq!(client.rows(question).await.column(), expected, "{who:?}");
                }
                EACH
            });
        }
        let mut asked = 0;
        while let Some(ended) = running.join_next().await {
            asked += ended.unwrap();
        }
        case.equal(asked, 1000, "interleaved");
    });
}

#[test]
fn a062_nothing_that_is_kept_outlives_what_it_depends_on() {
    run(async |case| {
        let mesh = fixture::leaks().start().await;
        let people = "select name from hr.people order by name";
        // The same subject with other claims, in turns on the same gateway.
        for _ in 0..3 {
            for (tenant, names) in [("acme", vec!["Ada", "Ben"]), ("other", vec!["Cid"]), ("none", vec![])] {
                let claims = json!({ "sub": "alice", "tenant": tenant });
                let mut client = mesh.client(&claims).await;
                case.equal(
                    client.rows(people).await.column(),
                    names.clone().into_iter().map(str::to_owned).collect(),
                    tenant,
                );
            }
            // Without the claim the grant does not apply: there is no such table.
            let mut without = mesh.client(&json!({ "sub": "alice" })).await;
            case.equal(without.refused(people).await.code(), Code::NotFound, "no claim");
            let mut auditor = mesh.client(&json!({ "sub": "alice", "roles": ["auditor"] })).await;
            case.equal(auditor.rows(people).await.rows.len(), 4, "another role");
        }
        // Metadata follows a change as well as results do.
        let mut alice = mesh.client(&fixture::alice()).await;
        let file = mesh.path("sales/policies/sales.yaml");
        let original = std::fs::read_to_string(&file).unwrap();
        let before = alice.plan("select * from sales.orders").await.unwrap();
        std::fs::write(&file, original.replace("amount, card], rows", "amount, card, note], rows")).unwrap();
        eventually_async("the column", LIMIT, async || {
            let after = alice.plan("select * from sales.orders").await.unwrap();
            (after.schema != before.schema).then_some(())
        })
        .await;
        case.equal(alice.rows("select * from sales.orders").await.columns.len(), 6, "results");
        let promised = alice.messages(ticket(&before)).await.unwrap_err();
        case.check(promised.message().contains("run it again"), promised.message());
        mesh.stop().await;
    });
}

#[test]
fn a066_a_ticket_is_its_principals_own_and_nobody_can_change_it() {
    run(async |case| {
        let sources = Arc::clone(&case.sources);
        let mut foreign = Vec::new();
        for source in sources.iter() {
            let (mut alice, mut bob) = (source.client(Alice), source.client(Bob));
            let mine = ticket(&alice.plan(SQL).await.unwrap());
            case.check(alice.messages(mine.clone()).await.is_ok(), "the twin");
            let expected = unknown_ticket(&mut alice).await;
            case.equal(answer(&bob.messages(mine.clone()).await.unwrap_err()), expected.clone(), "another's");
            let whole = mine.ticket.to_vec();
            let mut broken = vec![
                Vec::new(),
                vec![0; whole.len()],
                whole[1..].to_vec(),
                [whole.as_slice(), b"x"].concat(),
                [whole.as_slice(), &whole].concat(),
                SQL.as_bytes().to_vec(),
                b"{}".to_vec(),
            ];
            for at in (0..whole.len()).step_by(whole.len() / 24) {
                let mut changed = whole.clone();
                changed[at] ^= 1 << (at % 8);
                broken.push(changed);
                broken.push(whole[..at].to_vec());
            }
            for bytes in broken {
                let told = answer(&alice.messages(Ticket { ticket: bytes.into() }).await.unwrap_err());
                case.equal(told, expected.clone(), "changed");
            }
            foreign.push((mine, expected));
        }
        // Sealed by a gateway with another key.
        let (mine, expected) = foreign.pop().unwrap();
        let told = answer(&sources[0].client(Alice).messages(mine).await.unwrap_err());
        case.equal(told, expected, "of another gateway");
        expired(case).await;
    });
}

/// Tickets and handles that were good once.
async fn expired(case: &mut Case) {
    let mut plan = fixture::leaks();
    plan.gateway_lines = "limits: { ticket_time: 1s }\n".to_owned();
    let mesh = plan.start().await;
    let mut alice = mesh.client(&fixture::alice()).await;
    let expected = unknown_ticket(&mut alice).await;
    let (mine, handle) = (ticket(&alice.plan(SQL).await.unwrap()), alice.prepare(SQL).await.unwrap());
    case.check(alice.messages(mine.clone()).await.is_ok(), "in time");
    let late =
        eventually_async("the ticket expires", LIMIT, async || alice.messages(mine.clone()).await.err())
            .await;
    case.equal(answer(&late), expected.clone(), "expired");
    let late = eventually_async("the handle expires", LIMIT, async || {
        alice.info(execution(handle.clone())).await.err()
    })
    .await;
    case.equal(answer(&late), expected, "an expired handle");
    mesh.stop().await;
}

#[test]
fn a067_a_ticket_is_used_under_the_policy_of_the_moment() {
    run(async |case| {
        let mesh = fixture::leaks().start().await;
        let mut alice = mesh.client(&fixture::alice()).await;
        let before = alice.plan(SQL).await.unwrap();
        let cards = alice.plan("select card from sales.orders").await.unwrap();
        case.equal(count(&mut alice, &before).await.unwrap(), 3, "before");
        let file = mesh.path("sales/policies/sales.yaml");
        let original = std::fs::read_to_string(&file).unwrap();
        // Other rows, another mask: the same schema.
        let other = original
            .replace("region = 'EU'\", masks: { card: last(4) }", "amount = 200\", masks: { card: redact }");
        assert_ne!(original, other);
        std::fs::write(&file, other).unwrap();
        eventually_async("the other policy", LIMIT, async || {
            (alice.rows(SQL).await.rows.len() == 1).then_some(())
        })
        .await;
        case.equal(count(&mut alice, &before).await.unwrap(), 1, "the rows of now");
        let rows = alice.batches(&cards).await.unwrap();
        let rows = meshgate_tests::render::Rendered::of(vec!["card".to_owned()], &rows);
        case.equal(rows.column(), vec!["***".to_owned()], "the mask of now");

        std::fs::write(&file, original.replace("subjects: [alice]", "subjects: [nobody]")).unwrap();
        eventually_async("the refusal", LIMIT, async || alice.query(SQL).await.is_err().then_some(())).await;
        let refused = alice.messages(ticket(&before)).await.unwrap_err();
        case.equal(refused.code(), Code::NotFound, "no table any more");
        mesh.stop().await;
    });
}

#[test]
fn a068_a_ticket_works_with_a_new_token_of_its_principal() {
    run(async |case| {
        let source = &Arc::clone(&case.sources)[0];
        let now = chrono::Utc::now().timestamp();
        let token = |sub: &str, exp: i64| {
            let mut claims = with_terms(&json!({ "sub": sub, "tenant": "acme" }));
            claims["exp"] = json!(exp);
            source.mesh.forge.raw(&claims)
        };
        // 30 seconds of grace: it expires within this test.
        let mut old = source.mesh.client_with(&token("alice", now - 28)).await;
        let info = old.plan(SQL).await.unwrap();
        let status = eventually_async("the token expires", LIMIT, async || old.plan(SQL).await.err()).await;
        case.equal(status.code(), Code::Unauthenticated, "the old token");
        let refused = old.messages(ticket(&info)).await.unwrap_err();
        case.equal(refused.code(), Code::Unauthenticated, "a ticket is no token");
        let mut new = source.mesh.client_with(&token("alice", now + 600)).await;
        case.equal(count(&mut new, &info).await.unwrap(), 3, "the new token");
        let mut other = source.mesh.client_with(&token("alicia", now + 600)).await;
        let expected = unknown_ticket(&mut other).await;
        case.equal(answer(&other.messages(ticket(&info)).await.unwrap_err()), expected, "another principal");
    });
}

#[test]
fn a069_nobody_cancels_or_renews_the_query_of_another() {
    run(async |case| {
        let sources = Arc::clone(&case.sources);
        for source in sources.iter() {
            let mut alice = source.client(Alice);
            let info = alice.plan(SQL).await.unwrap();
            let unknown = {
                let mut unknown = info.clone();
                unknown.endpoint[0].ticket = Some(Ticket { ticket: Bytes::from_static(b"unknown") });
                unknown
            };
            for who in [Bob, Otto] {
                let mut other = source.client(who);
                for (name, theirs) in interfering(&info) {
                    let (_, nobodys) =
                        interfering(&unknown).into_iter().find(|(other, _)| *other == name).unwrap();
                    let told = answer(&other.act(name, theirs).await.unwrap_err());
                    case.equal(told, answer(&other.act(name, nobodys).await.unwrap_err()), name);
                }
            }
            case.equal(count(&mut alice, &info).await.unwrap(), 3, "the query goes on");
        }
    });
}

fn interfering(info: &arrow_flight::FlightInfo) -> Vec<(&'static str, Vec<u8>)> {
    let query = ActionCancelQueryRequest { info: info.encode_to_vec().into() };
    vec![
        ("CancelFlightInfo", CancelFlightInfoRequest { info: Some(info.clone()) }.encode_to_vec()),
        ("CancelQuery", query.as_any().encode_to_vec()),
        (
            "RenewFlightEndpoint",
            RenewFlightEndpointRequest { endpoint: Some(info.endpoint[0].clone()) }.encode_to_vec(),
        ),
    ]
}

#[test]
fn a121_handles_and_tickets_are_not_each_other() {
    run(async |case| {
        let sources = Arc::clone(&case.sources);
        for source in sources.iter() {
            let mut alice = source.client(Alice);
            let handle = alice.prepare(SQL).await.unwrap();
            let mine = ticket(&alice.plan(SQL).await.unwrap());
            let expected = unknown_ticket(&mut alice).await;
            let as_ticket = alice.messages(Ticket { ticket: handle.clone() }).await.unwrap_err();
            case.equal(answer(&as_ticket), expected.clone(), "a handle as a ticket");
            let as_handle = alice.info(execution(mine.ticket.clone())).await.unwrap_err();
            case.equal(answer(&as_handle), expected.clone(), "a ticket as a handle");
            // A packed command that runs a handle, or a statement, is no ticket.
            for packed in [execution(handle.clone()).cmd, statement(SQL).cmd] {
                let refused = alice.messages(Ticket { ticket: packed }).await.unwrap_err();
                case.equal(answer(&refused), expected.clone(), "a command as a ticket");
            }
            let catalogs = arrow_flight::sql::CommandGetCatalogs {}.as_any().encode_to_vec();
            let metadata =
                ticket(&alice.info(arrow_flight::FlightDescriptor::new_cmd(catalogs)).await.unwrap());
            let as_handle = alice.info(execution(metadata.ticket)).await.unwrap_err();
            case.equal(answer(&as_handle), expected, "a ticket of metadata as a handle");
            case.check(alice.messages(mine).await.is_ok(), "the ticket is good");
            case.check(alice.info(execution(handle)).await.is_ok(), "the handle is good");
        }
    });
}

/// `arrow.flight.protocol.SetSessionOptionsRequest` with texts only; arrow-flight has no type for it.
#[derive(Clone, PartialEq, Message)]
struct SetSessionOptions {
    #[prost(map = "string, message", tag = "1")]
    options: std::collections::HashMap<String, OptionValue>,
}

#[derive(Clone, PartialEq, Message)]
struct OptionValue {
    #[prost(string, optional, tag = "1")]
    text: Option<String>,
}

/// `arrow.flight.protocol.SetSessionOptionsResult`.
#[derive(Clone, PartialEq, Message)]
struct SessionOptionErrors {
    #[prost(map = "string, message", tag = "1")]
    errors: std::collections::HashMap<String, OptionError>,
}

#[derive(Clone, PartialEq, Message)]
struct OptionError {
    #[prost(int32, tag = "1")]
    value: i32,
}

#[test]
fn a070_session_options_change_neither_caller_nor_policy_nor_engine() {
    run(async |case| {
        let sources = Arc::clone(&case.sources);
        for source in sources.iter() {
            let mut alice = source.client(Alice);
            for (name, value) in [
                ("user", "ivy"),
                ("subject", "ivy"),
                ("role", "auditor"),
                ("roles", "auditor"),
                ("meshgate.user", "ivy"),
                ("meshgate.roles", "auditor"),
                ("meshgate.tenant", "other"),
                ("meshgate.policy", "off"),
                ("policy", "off"),
                ("tenant", "other"),
                ("catalog", "other"),
                ("schema", "fin"),
                ("datafusion.execution.batch_size", "1"),
                ("datafusion.catalog.information_schema", "true"),
                ("timezone", "Asia/Tokyo"),
                ("", ""),
            ] {
                let value = OptionValue { text: Some(value.to_owned()) };
                let request = SetSessionOptions { options: [(name.to_owned(), value)].into() };
                match alice.act("SetSessionOptions", request.encode_to_vec()).await {
                    Ok(results) => {
                        let result = SessionOptionErrors::decode(results[0].clone()).unwrap();
                        case.check(result.errors[name].value > 0, name);
                    }
                    Err(status) => case.equal(status.code(), Code::InvalidArgument, name),
                }
            }
        }
        // Everybody is who they were, on the same connections.
        case.rows(&[Alice, Bob], &["select * from sales.orders"]).await;
        case.refused(&[Alice, Bob, Otto], &["select * from fin.ledger"]).await;
    });
}
