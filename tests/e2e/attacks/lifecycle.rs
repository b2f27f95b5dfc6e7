//! Handles, tickets and callers at the same time.

use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest,
    ActionCreatePreparedStatementResult, Any, CommandPreparedStatementQuery, ProstMessageExt,
};
use arrow_flight::{Action, FlightDescriptor, Ticket};
use bytes::Bytes;
use futures::TryStreamExt;
use meshgate_tests::client::{Client, answer};
use meshgate_tests::fixture;
use prost::Message;
use tonic::Status;

const SQL: &str = "select id, region, amount from sales.orders order by id";

async fn prepare(client: &mut Client, sql: &str) -> Result<Bytes, Status> {
    let request = ActionCreatePreparedStatementRequest { query: sql.to_owned(), transaction_id: None };
    let action = Action::new("CreatePreparedStatement", request.as_any().encode_to_vec());
    let results: Vec<_> = client.flight().do_action(action).await?.into_inner().try_collect().await?;
    let any = Any::decode(results[0].body.clone()).unwrap();
    let result: ActionCreatePreparedStatementResult = any.unpack().unwrap().unwrap();
    Ok(result.prepared_statement_handle)
}

async fn close(client: &mut Client, handle: Bytes) -> Result<usize, Status> {
    let request = ActionClosePreparedStatementRequest { prepared_statement_handle: handle };
    let action = Action::new("ClosePreparedStatement", request.as_any().encode_to_vec());
    let results: Vec<_> = client.flight().do_action(action).await?.into_inner().try_collect().await?;
    Ok(results.len())
}

fn execution(handle: Bytes) -> FlightDescriptor {
    let command = CommandPreparedStatementQuery { prepared_statement_handle: handle };
    FlightDescriptor::new_cmd(command.as_any().encode_to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn a060_a_handle_of_another_is_an_unknown_handle() {
    let mesh = fixture::leaks().start().await;
    let mut alice = mesh.client(&fixture::alice()).await;
    let mut bob = mesh.client(&fixture::bob()).await;
    let handle = prepare(&mut alice, SQL).await.unwrap();
    let unknown = execution(Bytes::from_static(b"no such handle"));
    for call in ["info", "schema", "poll"] {
        let mut refused = Vec::new();
        for descriptor in [execution(handle.clone()), unknown.clone()] {
            let flight = bob.flight();
            refused.push(answer(&match call {
                "info" => flight.get_flight_info(descriptor).await.unwrap_err(),
                "schema" => flight.get_schema(descriptor).await.unwrap_err(),
                _ => flight.poll_flight_info(descriptor).await.unwrap_err(),
            }));
        }
        assert_eq!(refused[0], refused[1], "{call}");
    }
    // Closing tells nothing either, and takes nothing away from its owner.
    let theirs = close(&mut bob, handle.clone()).await.unwrap();
    assert_eq!(theirs, close(&mut bob, Bytes::from_static(b"no such handle")).await.unwrap());
    let info = alice.flight().get_flight_info(execution(handle)).await.unwrap().into_inner();
    assert_eq!(alice.batches(&info).await.unwrap().iter().map(|batch| batch.num_rows()).sum::<usize>(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a121_handles_and_tickets_are_not_each_other() {
    let mesh = fixture::leaks().start().await;
    let mut alice = mesh.client(&fixture::alice()).await;
    let handle = prepare(&mut alice, SQL).await.unwrap();
    let ticket = alice.plan(SQL).await.unwrap().endpoint[0].ticket.clone().unwrap();
    let unknown = answer(&alice.messages(Ticket { ticket: "unknown".into() }).await.unwrap_err());
    let handle_as_ticket = alice.messages(Ticket { ticket: handle.clone() }).await.unwrap_err();
    assert_eq!(answer(&handle_as_ticket), unknown);
    let ticket_as_handle =
        alice.flight().get_flight_info(execution(ticket.ticket.clone())).await.unwrap_err();
    assert_eq!(answer(&ticket_as_handle), unknown);
    // A packed command that runs a handle is no ticket.
    let packed = execution(handle.clone()).cmd;
    assert_eq!(answer(&alice.messages(Ticket { ticket: packed }).await.unwrap_err()), unknown);
    // The twins.
    assert!(alice.messages(ticket).await.is_ok());
    assert!(alice.flight().get_flight_info(execution(handle)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a039_a041_preparing_tells_no_more_than_asking() {
    let mesh = fixture::leaks().start().await;
    let mut bob = mesh.client(&fixture::bob()).await;
    for (hidden, missing) in [
        ("select 1 from hr.people", "select 1 from hr.nobody"),
        ("select 1 from fin.ledger", "select 1 from fin.absent"),
        ("select card from sales.orders", "select cart from sales.orders"),
        ("select note from sales.orders", "select nope from sales.orders"),
    ] {
        let word = |sql: &str| {
            sql.rsplit([' ', '.'])
                .find(|word| !["orders", "sales", "from"].contains(word))
                .unwrap()
                .to_owned()
        };
        let mut told = Vec::new();
        for sql in [hidden, missing] {
            let status = prepare(&mut bob, sql).await.unwrap_err();
            told.push(answer(&status).replace(&word(sql), "x"));
        }
        assert_eq!(told[0], told[1], "{hidden}");
    }
    let path = |table: &str| FlightDescriptor::new_path(vec!["hr".to_owned(), table.to_owned()]);
    for call in ["info", "schema", "poll"] {
        let mut told = Vec::new();
        for table in ["people", "nobody"] {
            let flight = bob.flight();
            let status = match call {
                "info" => flight.get_flight_info(path(table)).await.unwrap_err(),
                "schema" => flight.get_schema(path(table)).await.unwrap_err(),
                _ => flight.poll_flight_info(path(table)).await.unwrap_err(),
            };
            told.push(answer(&status).replace(table, "x"));
        }
        assert_eq!(told[0], told[1], "{call}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a061_the_same_text_by_two_callers_gives_each_their_own() {
    let mesh = fixture::leaks().start().await;
    let alice = mesh.client(&fixture::alice()).await;
    let bob = mesh.client(&fixture::bob()).await;
    let callers = [(alice, ["1", "2", "5"].as_slice()), (bob, ["3", "4"].as_slice())];
    let mut running = tokio::task::JoinSet::new();
    for (client, expected) in &callers {
        for _ in 0..4 {
            let (mut client, expected) = (client.clone(), *expected);
            running.spawn(async move {
                for _ in 0..25 {
                    assert_eq!(
                        client.rows("select id from sales.orders order by id").await.column(),
                        expected
                    );
                }
            });
        }
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}
