//! Purposes, and the sessions in which they are chosen. Every way to choose
//! one has its twin that must not work.

use arrow_flight::{
    Action, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest,
    sql::{
        ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any,
        CommandPreparedStatementQuery, CommandPreparedStatementUpdate, CommandStatementUpdate,
        DoPutUpdateResult, ProstMessageExt,
    },
};
use bytes::Bytes;
use prost::Message;
use serde_json::Value;
use std::{collections::HashMap, sync::atomic::Ordering};
use tonic::{Code, Request, Status, metadata::MetadataMap};

use crate::{
    flight::session::{
        OptionError, OptionErrorValue, OptionValue, SessionOptionValue, SetSessionOptionsRequest,
        SetSessionOptionsResult, StringListValue,
    },
    testing::bench::{Bench, anna, investigator, statement, with_token, without_query_id},
};

const MARGIN: &str = "select margin from sales.orders";
const WHO: &str = "select purpose, purposes from mesh.system.whoami";

fn felix() -> String {
    investigator("felix", &["fraud", "other-meshs"])
}

/// A client that keeps cookies, or not; with a purpose in its header, or not.
struct Client<'a> {
    bench: &'a Bench,
    token: String,
    keeps_cookies: bool,
    header: Option<&'static str>,
    cookie: Option<String>,
}

impl<'a> Client<'a> {
    fn new(bench: &'a Bench, token: &str) -> Self {
        Self { bench, token: token.to_owned(), keeps_cookies: true, header: None, cookie: None }
    }

    /// A client that has made its first call.
    async fn connected(bench: &'a Bench, token: &str) -> Self {
        let mut client = Self::new(bench, token);
        client.options().await.unwrap();
        assert!(client.cookie.is_some());
        client
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = with_token(message, &self.token);
        if let Some(purpose) = self.header {
            request.metadata_mut().insert("meshgate-purpose", purpose.parse().unwrap());
        }
        if let Some(cookie) = &self.cookie {
            request.metadata_mut().insert("cookie", format!("other=1;{cookie}").parse().unwrap());
        }
        request
    }

    fn keep(&mut self, metadata: &MetadataMap) {
        for cookie in metadata.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let pair = cookie.split(';').next().unwrap().to_owned();
            if self.keeps_cookies {
                self.cookie = (!cookie.contains("Max-Age=0")).then_some(pair);
            }
        }
    }

    fn kept<T>(&mut self, result: Result<tonic::Response<T>, Status>) -> Result<T, Status> {
        match result {
            Ok(response) => {
                self.keep(&response.metadata().clone());
                Ok(response.into_inner())
            }
            Err(status) => {
                self.keep(&status.metadata().clone());
                Err(status)
            }
        }
    }

    async fn info(&mut self, descriptor: FlightDescriptor) -> Result<FlightInfo, Status> {
        let result = self.bench.client().get_flight_info(self.request(descriptor)).await;
        self.kept(result)
    }

    async fn run(&mut self, sql: &str) -> Result<String, Status> {
        let info = self.info(statement(sql)).await?;
        self.read(info).await
    }

    async fn read(&self, info: FlightInfo) -> Result<String, Status> {
        let Some(endpoint) = info.endpoint.first() else { return Ok(String::new()) };
        let batches = self.bench.do_get(&self.token, endpoint.ticket.clone().unwrap()).await?;
        Ok(arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string())
    }

    async fn refusal(&mut self, sql: &str) -> (Code, String) {
        let status = self.run(sql).await.expect_err(sql);
        (status.code(), without_query_id(status.message()))
    }

    async fn act(&mut self, name: &str, body: Vec<u8>) -> Result<Bytes, Status> {
        let action = Action { r#type: name.to_owned(), body: body.into() };
        let result = self.bench.client().do_action(self.request(action)).await;
        let mut results = self.kept(result)?;
        Ok(results.message().await?.map(|result| result.body).unwrap_or_default())
    }

    async fn set_option(&mut self, name: &str, value: Option<OptionValue>) -> Result<Option<i32>, Status> {
        let session_options = HashMap::from([(name.to_owned(), SessionOptionValue { option_value: value })]);
        let body = SetSessionOptionsRequest { session_options }.encode_to_vec();
        let result = SetSessionOptionsResult::decode(self.act("SetSessionOptions", body).await?).unwrap();
        Ok(result.errors.get(name).map(|OptionError { value }| *value))
    }

    /// What GetSessionOptions tells.
    async fn options(&mut self) -> Result<HashMap<String, OptionValue>, Status> {
        let body = self.act("GetSessionOptions", Vec::new()).await?;
        // Both messages have the same fields.
        let options = SetSessionOptionsRequest::decode(body).unwrap().session_options;
        Ok(options.into_iter().map(|(name, value)| (name, value.option_value.unwrap())).collect())
    }

    async fn prepare(&mut self, sql: &str) -> Result<ActionCreatePreparedStatementResult, Status> {
        let request = ActionCreatePreparedStatementRequest { query: sql.to_owned(), transaction_id: None };
        let body = self.act("CreatePreparedStatement", request.as_any().encode_to_vec()).await?;
        Ok(Any::decode(body).unwrap().unpack().unwrap().unwrap())
    }

    async fn put(&mut self, command: &impl ProstMessageExt) -> Result<i64, Status> {
        let message = FlightData {
            flight_descriptor: Some(FlightDescriptor::new_cmd(command.as_any().encode_to_vec())),
            ..FlightData::default()
        };
        let result = self.bench.client().do_put(self.request(futures::stream::iter([message]))).await;
        let mut results = self.kept(result)?;
        let result = results.message().await?.unwrap();
        Ok(DoPutUpdateResult::decode(result.app_metadata).unwrap().record_count)
    }
}

fn prepared(handle: &Bytes) -> FlightDescriptor {
    let command = CommandPreparedStatementQuery { prepared_statement_handle: handle.clone() };
    FlightDescriptor::new_cmd(command.as_any().encode_to_vec())
}

fn text(value: &str) -> Option<OptionValue> {
    Some(OptionValue::String(value.to_owned()))
}

#[tokio::test]
async fn a_header_chooses_for_its_call() {
    let bench = Bench::start().await;
    let mut client = Client::new(&bench, &felix());
    client.keeps_cookies = false;
    assert_eq!(client.refusal(MARGIN).await.0, Code::InvalidArgument);
    client.header = Some("fraud");
    assert!(client.run(MARGIN).await.unwrap().contains("margin"));
    assert!(client.run(WHO).await.unwrap().contains("| fraud   | [fraud]  |"));
    assert!(client.run("select salary from hr.people").await.is_ok());
    client.header = None;
    assert!(client.run(WHO).await.unwrap().contains("|         | [fraud]  |"));
    assert_eq!(client.refusal("select salary from hr.people").await.0, Code::NotFound);
}

#[tokio::test]
async fn what_is_not_declared_or_not_in_the_token_is_refused_alike() {
    let bench = Bench::start().await;
    let mut client = Client::new(&bench, &felix());
    // `tax` is declared and not in the token, `other-meshs` the reverse, `nothing` neither.
    for wrong in ["tax", "other-meshs", "nothing", "", "FRAUD", "fraud,tax", "fraud "] {
        client.header = Some(wrong);
        let (code, message) = client.refusal("select 1").await;
        assert_eq!(code, Code::PermissionDenied, "{wrong}");
        let shown = if wrong.is_empty() || wrong.contains(',') {
            "of that name".to_owned()
        } else {
            format!("`{wrong}`")
        };
        let expected = format!("purpose {shown} does not exist or is not yours to choose: choose `fraud`");
        // A value of a header ends where its last letter does.
        if wrong != "fraud " {
            assert_eq!(message, expected);
        }
    }
    let mut nobody = Client::new(&bench, &anna());
    nobody.header = Some("fraud");
    let (code, message) = nobody.refusal("select 1").await;
    assert_eq!(code, Code::PermissionDenied);
    assert!(
        message.contains("your token names no purpose of this mesh") && !message.contains("tax"),
        "{message}"
    );
    let handshake = nobody.request(futures::stream::iter([HandshakeRequest::default()]));
    assert_eq!(bench.client().handshake(handshake).await.unwrap_err().code(), Code::PermissionDenied);
    let mut twice = nobody.request(statement("select 1"));
    twice.metadata_mut().append("meshgate-purpose", "fraud".parse().unwrap());
    assert_eq!(bench.client().get_flight_info(twice).await.unwrap_err().code(), Code::InvalidArgument);
    assert!(bench.records().iter().filter(|record| record["error"] == "purpose").count() >= 8);
}

#[tokio::test]
async fn a039_a_missing_purpose_is_told_to_who_may_choose_it() {
    let bench = Bench::start().await;
    let mut client = Client::new(&bench, &felix());
    for (sql, code) in [(MARGIN, Code::InvalidArgument), ("select 1 from hr.people", Code::NotFound)] {
        let (found, message) = client.refusal(sql).await;
        assert_eq!(found, code);
        assert!(
            message.contains("does not exist or is not granted to you")
                && message.ends_with(
                    ". It is there for who works for `fraud`: choose with the header `meshgate-purpose`, or with `SET meshgate.purpose = '..'`"
                ),
            "{message}"
        );
        // Who may not choose it learns nothing: hidden and missing are the same.
        let other = investigator("fiona", &["tax"]);
        let hidden = bench.refusal(&other, sql).await;
        let (there, missing) = if sql == MARGIN { ("margin", "nargim") } else { ("people", "poeple") };
        let missing = bench.refusal(&other, &sql.replace(there, missing)).await;
        assert_eq!(hidden.0, missing.0);
        assert!(!hidden.1.contains("purpose") && !missing.1.contains("purpose"));
    }
    // What is not there under any purpose, or fails for another reason as well.
    for sql in [
        "select nargim from sales.orders",
        "select margin, nargim from sales.orders",
        "select 1 from hr.poeple",
    ] {
        let (_, message) = client.refusal(sql).await;
        assert!(!message.contains("works for"), "{message}");
    }
}

#[tokio::test]
async fn a_session_is_set_by_statement_in_every_way_there_is() {
    let bench = Bench::start().await;
    let set = "SET meshgate.purpose = 'fraud'";
    for way in ["statement", "prepared", "update", "prepared update"] {
        let mut client = Client::connected(&bench, &felix()).await;
        let before = client.cookie.clone();
        match way {
            "statement" => {
                let info = client.info(statement(set)).await.unwrap();
                assert!(info.endpoint.is_empty() && info.total_records == 0);
            }
            "prepared" => {
                let made = client.prepare(set).await.unwrap();
                assert!(made.dataset_schema.is_empty());
                // Preparing it does nothing yet.
                assert_eq!(client.cookie, before);
                client.info(prepared(&made.prepared_statement_handle)).await.unwrap();
            }
            "update" => {
                let command = CommandStatementUpdate { query: set.to_owned(), transaction_id: None };
                assert_eq!(client.put(&command).await.unwrap(), 0);
            }
            _ => {
                let handle = client.prepare(set).await.unwrap().prepared_statement_handle;
                let command = CommandPreparedStatementUpdate { prepared_statement_handle: handle };
                assert_eq!(client.put(&command).await.unwrap(), 0);
            }
        }
        assert_ne!(client.cookie, before, "{way}");
        assert!(client.run(MARGIN).await.is_ok(), "{way}");
        assert!(client.run("RESET meshgate.purpose").await.unwrap().is_empty());
        assert!(client.run(MARGIN).await.is_err(), "{way}");
    }
}

#[tokio::test]
async fn setting_nothing_is_never_silent() {
    let bench = Bench::start().await;
    let mut client = Client::new(&bench, &felix());
    // Without a cookie: also for a client that would keep one, in its first call.
    for keeps_cookies in [true, false] {
        client.keeps_cookies = keeps_cookies;
        for sql in ["SET meshgate.purpose = 'fraud'", "RESET meshgate.purpose"] {
            client.cookie = None;
            let (code, message) = client.refusal(sql).await;
            assert_eq!(code, Code::InvalidArgument);
            assert!(message.contains("send the header `meshgate-purpose`"), "{message}");
        }
        client.cookie = None;
        let status = client.set_option("meshgate.purpose", text("fraud")).await.unwrap_err();
        assert!(status.message().contains("send the header `meshgate-purpose`"), "{status}");
    }
    // The header would go on winning.
    let mut client = Client::connected(&bench, &felix()).await;
    client.header = Some("fraud");
    let (_, message) = client.refusal("RESET meshgate.purpose").await;
    assert!(message.contains("leave the header out"), "{message}");
    // Nothing but the purpose can be set, and only to what may be chosen.
    client.header = None;
    for (sql, code) in [
        ("SET meshgate.purpose = 'tax'", Code::PermissionDenied),
        ("SET meshgate.purpose = 'nothing'", Code::PermissionDenied),
        ("SET meshgate.purpose = ''", Code::PermissionDenied),
        ("SET meshgate.purpose = fraud", Code::InvalidArgument),
        ("SET meshgate.role = 'auditor'", Code::InvalidArgument),
        ("SET datafusion.execution.batch_size = '1'", Code::InvalidArgument),
        ("RESET datafusion.execution.batch_size", Code::InvalidArgument),
    ] {
        let before = client.cookie.clone();
        assert_eq!(client.refusal(sql).await.0, code, "{sql}");
        assert_eq!(client.cookie, before, "{sql}");
    }
    assert!(client.run(MARGIN).await.is_err());
}

#[tokio::test]
async fn a070_options_are_the_purpose_and_the_catalog_that_there_is() {
    let bench = Bench::start().await;
    let mut client = Client::connected(&bench, &felix()).await;
    let invalid_value = Some(OptionErrorValue::InvalidValue as i32);
    assert_eq!(client.set_option("catalog", text("mesh")).await.unwrap(), None);
    assert_eq!(client.set_option("catalog", text("other")).await.unwrap(), invalid_value);
    assert_eq!(client.set_option("catalog", Some(OptionValue::Int64(1))).await.unwrap(), invalid_value);
    for name in ["schema", "user", "role", "policy", "datafusion.execution.batch_size", "purpose"] {
        let invalid_name = Some(OptionErrorValue::InvalidName as i32);
        assert_eq!(client.set_option(name, text("x")).await.unwrap(), invalid_name, "{name}");
    }
    for wrong in [
        text("tax"),
        text("nothing"),
        text(""),
        Some(OptionValue::Bool(true)),
        Some(OptionValue::StringList(StringListValue { values: vec!["fraud".to_owned()] })),
    ] {
        assert_eq!(client.set_option("meshgate.purpose", wrong).await.unwrap(), invalid_value);
    }
    assert!(client.run(MARGIN).await.is_err());
    assert_eq!(client.set_option("meshgate.purpose", text("fraud")).await.unwrap(), None);
    assert!(client.run(MARGIN).await.is_ok());
    let options = client.options().await.unwrap();
    assert_eq!(options.get("meshgate.purpose"), text("fraud").as_ref());
    assert_eq!(options.get("catalog"), text("mesh").as_ref());
    // An option without a value is unset.
    assert_eq!(client.set_option("meshgate.purpose", None).await.unwrap(), None);
    assert_eq!(client.options().await.unwrap().get("meshgate.purpose"), None);
    assert!(client.run(MARGIN).await.is_err());
}

#[tokio::test]
async fn a_packed_request_is_taken_as_well_and_nonsense_is_refused() {
    let bench = Bench::start().await;
    let mut client = Client::connected(&bench, &felix()).await;
    let option = SessionOptionValue { option_value: Some(OptionValue::Bool(true)) };
    let request = SetSessionOptionsRequest { session_options: HashMap::from([("x".to_owned(), option)]) };
    let any = Any {
        type_url: "type.googleapis.com/arrow.flight.protocol.SetSessionOptionsRequest".to_owned(),
        value: request.encode_to_vec().into(),
    };
    let result = client.act("SetSessionOptions", any.encode_to_vec()).await.unwrap();
    assert_eq!(SetSessionOptionsResult::decode(result).unwrap().errors.len(), 1);
    let status = client.act("SetSessionOptions", vec![0xff]).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_session_is_its_callers_own_and_whole() {
    let bench = Bench::start().await;
    let mut client = Client::connected(&bench, &felix()).await;
    client.run("SET meshgate.purpose = 'fraud'").await.unwrap();
    let cookie = client.cookie.clone().unwrap();
    let changed = {
        let mut changed = cookie.clone();
        let last = changed.pop().unwrap();
        changed + if last == 'A' { "Q" } else { "A" }
    };
    let twice = format!("{cookie}; {cookie}");
    let ticket = client.info(statement(WHO)).await.unwrap().endpoint[0].ticket.clone().unwrap();
    let of_a_ticket = {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        format!("meshgate-session={}", URL_SAFE_NO_PAD.encode(&ticket.ticket))
    };
    let fiona = investigator("fiona", &["fraud"]);
    for (token, bad) in [
        (fiona.clone(), cookie.clone()),
        (felix(), changed),
        (felix(), twice),
        (felix(), of_a_ticket),
        (felix(), "meshgate-session=x".to_owned()),
    ] {
        let mut other = Client::new(&bench, &token);
        other.cookie = Some(bad.clone());
        let (code, message) = other.refusal(WHO).await;
        assert_eq!(code, Code::InvalidArgument, "{bad}");
        assert!(message.contains("the session cannot be used any more"), "{message}");
        // It is taken away: the next call works, and has no purpose.
        assert_eq!(other.cookie, None);
        assert!(other.run(WHO).await.unwrap().contains("|         | [fraud]  |"));
    }
    // The good one still is.
    assert!(client.run(MARGIN).await.is_ok());
}

#[tokio::test]
async fn a_session_lasts_while_it_is_used_and_ends_aloud() {
    let bench = Bench::start().await;
    let hours = |hours: i64| {
        bench.now.fetch_add(hours * 3_600_000_000, Ordering::Relaxed);
    };
    let mut client = Client::connected(&bench, &token_of_now(&bench)).await;
    client.run("SET meshgate.purpose = 'fraud'").await.unwrap();
    let first = client.cookie.clone();
    client.run(MARGIN).await.unwrap();
    assert_eq!(client.cookie, first);
    for _ in 0..3 {
        hours(7);
        client.token = token_of_now(&bench);
        let before = client.cookie.clone();
        client.run(MARGIN).await.unwrap();
        assert_ne!(client.cookie, before);
    }
    hours(12);
    client.token = token_of_now(&bench);
    let (_, message) = client.refusal(MARGIN).await;
    assert!(message.contains("set again what was set"), "{message}");
    assert_eq!(client.cookie, None);
    assert!(client.run(WHO).await.is_ok());
    // A session in which nothing was set ends unnoticed.
    assert!(client.cookie.is_some());
    hours(13);
    client.token = token_of_now(&bench);
    assert!(client.run(WHO).await.is_ok());
}

/// Felix' token of the moment.
fn token_of_now(bench: &Bench) -> String {
    let now = bench.now.load(Ordering::Relaxed) / 1_000_000;
    crate::identity::forge::FORGE.with_claims(|claims| {
        claims["sub"] = "felix".into();
        claims["realm_access"] = serde_json::json!({ "roles": ["investigator"] });
        claims["purposes"] = serde_json::json!(["fraud"]);
        claims["iat"] = now.into();
        claims["nbf"] = now.into();
        claims["exp"] = (now + 600).into();
    })
}

#[tokio::test]
async fn a_purpose_that_is_no_longer_the_callers_ends_its_session() {
    let bench = Bench::start().await;
    let mut client = Client::connected(&bench, &felix()).await;
    client.run("SET meshgate.purpose = 'fraud'").await.unwrap();
    let info = client.info(statement(MARGIN)).await.unwrap();
    let handle = client.prepare(MARGIN).await.unwrap().prepared_statement_handle;
    // The same subject with a token that names it no more.
    client.token = investigator("felix", &[]);
    assert_eq!(client.refusal(WHO).await.0, Code::PermissionDenied);
    assert_eq!(client.cookie, None);
    assert!(client.run(WHO).await.unwrap().contains("|         | []       |"));
    // Nor do its tickets and handles give anything.
    assert_eq!(client.read(info).await.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(client.info(prepared(&handle)).await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn tickets_and_handles_keep_the_purpose_they_were_made_for() {
    let bench = Bench::start().await;
    let mut client = Client::connected(&bench, &felix()).await;
    let without = client.info(statement(WHO)).await.unwrap();
    let handle_without = client.prepare(WHO).await.unwrap().prepared_statement_handle;
    client.run("SET meshgate.purpose = 'fraud'").await.unwrap();
    let with = client.info(statement(WHO)).await.unwrap();
    let handle_with = client.prepare(MARGIN).await.unwrap().prepared_statement_handle;
    // Read with the purpose of the session, and without one.
    assert!(client.read(without).await.unwrap().contains("|         | [fraud]  |"));
    let info = client.info(prepared(&handle_without)).await.unwrap();
    assert!(client.read(info).await.unwrap().contains("|         | [fraud]  |"));
    client.run("RESET meshgate.purpose").await.unwrap();
    assert!(client.read(with).await.unwrap().contains("| fraud   | [fraud]  |"));
    let info = client.info(prepared(&handle_with)).await.unwrap();
    assert!(client.read(info).await.is_ok());
}

#[tokio::test]
async fn a_session_can_be_closed() {
    let bench = Bench::start().await;
    let mut client = Client::connected(&bench, &felix()).await;
    client.run("SET meshgate.purpose = 'fraud'").await.unwrap();
    assert_eq!(client.act("CloseSession", Vec::new()).await.unwrap().as_ref(), [0x08, 0x01]);
    assert_eq!(client.cookie, None);
    assert!(client.run(MARGIN).await.is_err());
    // Closing what is not there works as well.
    Client::new(&bench, &felix()).act("CloseSession", Vec::new()).await.unwrap();
}

#[tokio::test]
async fn errors_open_no_session_and_answers_do() {
    let bench = Bench::start().await;
    let refused = bench.client().list_actions(Request::new(arrow_flight::Empty {})).await.unwrap_err();
    assert!(refused.metadata().get("set-cookie").is_none());
    let unknown = bench.query(&anna(), "select 1 from nothing.here").await.unwrap_err();
    assert!(unknown.metadata().get("set-cookie").is_none());
    let mut client = Client::new(&bench, &anna());
    let handshake = client.request(futures::stream::iter([HandshakeRequest::default()]));
    let result = bench.client().handshake(handshake).await;
    client.kept(result).unwrap();
    assert!(client.cookie.is_some());
}

fn last_permit(bench: &Bench) -> meshgate_proto::v1::Permit {
    bench.sales.state.lock().unwrap().permits.last().cloned().unwrap()
}

#[tokio::test]
async fn the_purpose_is_in_permit_and_audit() {
    let bench = Bench::start().await;
    let mut client = Client::connected(&bench, &felix()).await;
    client.run("SET meshgate.purpose = 'fraud'").await.unwrap();
    client.run(MARGIN).await.unwrap();
    let permit = last_permit(&bench);
    assert_eq!(permit.principal.unwrap().purpose.as_deref(), Some("fraud"));
    client.run("RESET meshgate.purpose").await.unwrap();
    client.run("select order_id from sales.orders").await.unwrap();
    assert_eq!(last_permit(&bench).principal.unwrap().purpose, None);
    let records = bench.records();
    let told: Vec<(&Value, &Value, &Value)> =
        records.iter().map(|record| (&record["statement"], &record["purpose"], &record["outcome"])).collect();
    let (fraud, none, ok) = ("fraud".into(), Value::Null, "ok".into());
    assert_eq!(
        told,
        [
            (&"SET meshgate.purpose = 'fraud'".into(), &fraud, &ok),
            (&MARGIN.into(), &fraud, &ok),
            (&"RESET meshgate.purpose".into(), &none, &ok),
            (&"select order_id from sales.orders".into(), &none, &ok),
        ]
    );
}
