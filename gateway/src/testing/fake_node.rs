//! A node that answers scans from memory and remembers what it was asked.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use arrow::{
    array::{Array, ArrayRef, StringArray},
    datatypes::{DataType, Schema, SchemaRef},
    ipc::{CompressionType, MetadataVersion, writer::IpcWriteOptions},
    record_batch::{RecordBatch, RecordBatchOptions},
};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest,
    HandshakeResponse, IpcMessage, PollInfo, PutResult, SchemaResult, Ticket,
    encode::FlightDataEncoderBuilder,
    error::FlightError,
    flight_service_server::{FlightService, FlightServiceServer},
};
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use meshgate_proto::v1;
use prost::Message;
use tokio::net::TcpListener;
use tonic::{Request, Response, Status, Streaming, async_trait, transport::Channel};

use super::larkfield;

/// What a node answers with instead of rows.
#[derive(Debug, Clone, Default)]
pub(crate) enum Mood {
    #[default]
    Serves,
    /// Every request fails.
    Fails(Status),
    /// This many requests fail with MOVED.
    Moved(usize),
    /// One batch, then an error.
    BreaksOff(Status),
    /// A schema that was not promised.
    OtherSchema,
    /// Ends well without having sent anything.
    SaysNothing,
    /// Takes the request, and then says nothing for ever.
    Silent,
    /// The batch with compressed buffers.
    Compressed,
    /// The messages as this makes them of what they would be; the first has the number 0.
    Changes(fn(usize, FlightData) -> FlightData),
    /// One batch, then nothing more, and no end.
    Stalls,
    /// Texts of this length, in one message.
    LongTexts(usize),
    /// More rows, in no column, than any memory holds values for.
    EndlessRows,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) scans: Vec<v1::Scan>,
    pub(crate) permits: Vec<v1::Permit>,
    pub(crate) mood: Mood,
    /// What was answered, as it left.
    pub(crate) sent: Vec<FlightData>,
    /// The operator's documents that were brought.
    pub(crate) documents: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct FakeNode {
    tables: Arc<HashMap<String, RecordBatch>>,
    pub(crate) state: Arc<Mutex<State>>,
    /// What the node says of its domain; nothing ends the stream.
    pub(crate) description: tokio::sync::watch::Sender<Vec<u8>>,
}

impl FakeNode {
    /// Serves a domain on a port of its own.
    pub(crate) async fn start(domain: &str) -> (Self, Channel) {
        let tables = larkfield::tables(domain);
        let tables = tables.iter().map(|table| (table.name.clone(), larkfield::rows(table))).collect();
        let node = Self {
            tables: Arc::new(tables),
            state: Arc::default(),
            description: tokio::sync::watch::Sender::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = FlightServiceServer::new(node.clone());
        tokio::spawn(async move {
            let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
            tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming).await
        });
        let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect_lazy();
        (node, channel)
    }

    pub(crate) fn set_mood(&self, mood: Mood) {
        self.state.lock().unwrap().mood = mood;
    }

    pub(crate) fn scans(&self) -> Vec<v1::Scan> {
        self.state.lock().unwrap().scans.clone()
    }

    fn answer(&self, request: &v1::DomainRequest) -> Result<(SchemaRef, RecordBatch), Status> {
        let query = v1::DomainQuery::decode(request.query.as_slice()).unwrap();
        let Some(v1::domain_query::Form::Scan(scan)) = query.form else {
            return Err(Status::unimplemented("form"));
        };
        let schema = Arc::new(Schema::try_from(IpcMessage(query.schema.into())).unwrap());
        let table = &self.tables[&scan.table];
        let columns: Vec<_> =
            scan.columns.iter().map(|column| table.column_by_name(column).unwrap().clone()).collect();
        let rows = RecordBatchOptions::new().with_row_count(Some(table.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &rows).unwrap();
        self.state.lock().unwrap().scans.push(scan);
        Ok((schema, batch))
    }
}

const ALIGNMENT: usize = 8;

fn as_it_is(_: usize, message: FlightData) -> FlightData {
    message
}

fn with_long_texts(batch: &RecordBatch, length: usize) -> RecordBatch {
    let texts: StringArray = vec![Some("x".repeat(length)); batch.num_rows()].into_iter().collect();
    let column = |column: &ArrayRef| match column.data_type() {
        DataType::Utf8 => Arc::new(texts.clone()) as ArrayRef,
        _ => Arc::clone(column),
    };
    RecordBatch::try_new(batch.schema(), batch.columns().iter().map(column).collect()).unwrap()
}

pub(crate) fn domain_error(class: v1::domain_error::Class, code: tonic::Code) -> Status {
    let mut error = v1::DomainError::default();
    error.set_class(class);
    error.table = "orders".to_owned();
    Status::with_details(code, "the node's own text", error.encode_to_vec().into())
}

type Answers<T> = BoxStream<'static, Result<T, Status>>;

#[async_trait]
impl FlightService for FakeNode {
    type HandshakeStream = Answers<HandshakeResponse>;
    type ListFlightsStream = Answers<FlightInfo>;
    type DoGetStream = Answers<FlightData>;
    type DoPutStream = Answers<PutResult>;
    type DoExchangeStream = Answers<FlightData>;
    type DoActionStream = Answers<arrow_flight::Result>;
    type ListActionsStream = Answers<ActionType>;

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let request = v1::DomainRequest::decode(request.into_inner().ticket).unwrap();
        let permit = request.permit.clone().unwrap_or_default();
        let mood = {
            let mut state = self.state.lock().unwrap();
            state.permits.push(v1::Permit::decode(permit.permit.as_slice()).unwrap_or_default());
            let mood = state.mood.clone();
            if let Mood::Moved(times) = mood {
                state.mood = if times > 1 { Mood::Moved(times - 1) } else { Mood::Serves };
            }
            mood
        };
        let (schema, batch) = match &mood {
            Mood::Fails(status) => return Err(status.clone()),
            Mood::Moved(_) => {
                return Err(domain_error(v1::domain_error::Class::Moved, tonic::Code::FailedPrecondition));
            }
            Mood::SaysNothing => return Ok(Response::new(stream::empty().boxed())),
            _ => self.answer(&request)?,
        };
        if matches!(mood, Mood::Silent) {
            return Ok(Response::new(stream::pending().boxed()));
        }
        let (schema, batch) = if matches!(mood, Mood::OtherSchema) {
            let fields: Vec<_> =
                schema.fields().iter().map(|field| field.as_ref().clone().with_name("other")).collect();
            let schema = Arc::new(Schema::new(fields));
            let batch = RecordBatch::try_new(Arc::clone(&schema), batch.columns().to_vec()).unwrap();
            (schema, batch)
        } else {
            (schema, batch)
        };
        let (schema, batch) = if matches!(mood, Mood::EndlessRows) {
            let schema = Arc::new(Schema::empty());
            let rows = RecordBatchOptions::new().with_row_count(Some(1 << 40));
            let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), Vec::new(), &rows).unwrap();
            (schema, batch)
        } else {
            (schema, batch)
        };
        let (schema, batch) = if let Mood::LongTexts(length) = mood {
            (schema, with_long_texts(&batch, length))
        } else {
            (schema, batch)
        };
        let compression = matches!(mood, Mood::Compressed).then_some(CompressionType::LZ4_FRAME);
        // Another alignment than the gateway's own tells its messages from these.
        let options = IpcWriteOptions::try_new(ALIGNMENT, false, MetadataVersion::V5).unwrap();
        let options = options.try_with_compression(compression).unwrap();
        let mut batches: Vec<Result<RecordBatch, FlightError>> = vec![Ok(batch)];
        if let Mood::BreaksOff(status) = &mood {
            batches.push(Err(FlightError::from(status.clone())));
        }
        let messages = FlightDataEncoderBuilder::new()
            .with_schema(schema)
            .with_options(options)
            .with_max_flight_data_size(usize::MAX)
            .build(stream::iter(batches));
        let (change, stalls) = match mood {
            Mood::Changes(change) => (change, false),
            other => (as_it_is as fn(usize, FlightData) -> FlightData, matches!(other, Mood::Stalls)),
        };
        let state = Arc::clone(&self.state);
        let messages = messages.map_err(Status::from).enumerate().map(move |(number, message)| {
            let app_metadata = "from the node".into();
            let message = change(number, FlightData { app_metadata, ..message? });
            state.lock().unwrap().sent.push(message.clone());
            Ok(message)
        });
        let end = if stalls { stream::pending().boxed() } else { stream::empty().boxed() };
        Ok(Response::new(messages.chain(end).boxed()))
    }

    async fn handshake(
        &self,
        _: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        Err(Status::unimplemented("node"))
    }

    async fn list_flights(&self, _: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        Err(Status::unimplemented("node"))
    }

    async fn get_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        Err(Status::unimplemented("node"))
    }

    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        Err(Status::unimplemented("node"))
    }

    async fn get_schema(&self, _: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        Err(Status::unimplemented("node"))
    }

    async fn do_put(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        Err(Status::unimplemented("node"))
    }

    async fn do_exchange(
        &self,
        _: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        Err(Status::unimplemented("node"))
    }

    async fn do_action(&self, request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        let action = request.into_inner();
        if action.r#type == meshgate_proto::OPERATOR_DOCUMENT_ACTION {
            let text = String::from_utf8(action.body.to_vec()).unwrap();
            self.state.lock().unwrap().documents.push(text);
            let mut receipt = v1::OperatorDocumentReceipt::default();
            receipt.set_outcome(v1::operator_document_receipt::Outcome::Taken);
            let answer = arrow_flight::Result { body: receipt.encode_to_vec().into() };
            return Ok(Response::new(stream::iter([Ok(answer)]).boxed()));
        }
        if action.r#type == meshgate_proto::RELOAD_ACTION {
            let answer = arrow_flight::Result { body: meshgate_proto::RELOADED.into() };
            return Ok(Response::new(stream::iter([Ok(answer)]).boxed()));
        }
        assert_eq!(action.r#type, meshgate_proto::DESCRIBE_ACTION);
        let descriptions = tokio_stream::wrappers::WatchStream::new(self.description.subscribe());
        let ends = descriptions.take_while(|body| std::future::ready(!body.is_empty()));
        Ok(Response::new(ends.map(|body| Ok(arrow_flight::Result { body: body.into() })).boxed()))
    }

    async fn list_actions(&self, _: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        Err(Status::unimplemented("node"))
    }
}
