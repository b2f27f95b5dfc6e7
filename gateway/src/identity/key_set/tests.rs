//! Key sets of an issuer on this machine that answers as each test says.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, body::Body, extract::State, http::StatusCode, response::Response, routing::get};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use super::{super::forge::FORGE, url::Pace, *};
use crate::config::SignatureAlgorithm;

const STALE: Duration = Duration::from_secs(3600);

/// What the issuer does with a question.
#[derive(Clone)]
enum Answer {
    Text(String),
    Status(u16),
    Redirect,
    Endless,
    Silence,
    /// A byte now and then, without end.
    Drip,
}

/// An issuer, and the gateway's view of it.
struct Bench {
    answer: watch::Sender<Answer>,
    questions: Arc<AtomicUsize>,
    time: Arc<AtomicI64>,
    keys: Arc<KeySet>,
    _tasks: JoinSet<()>,
}

#[derive(Clone)]
struct Issuer(watch::Receiver<Answer>, Arc<AtomicUsize>);

async fn answer(State(Issuer(answer, questions)): State<Issuer>) -> Response {
    questions.fetch_add(1, Ordering::SeqCst);
    let answer = answer.borrow().clone();
    let response = Response::builder();
    match answer {
        Answer::Text(text) => response.body(Body::from(text)),
        Answer::Status(code) => response.status(StatusCode::from_u16(code).unwrap()).body(Body::empty()),
        Answer::Redirect => response.status(302).header("location", "/elsewhere").body(Body::empty()),
        Answer::Endless => {
            let chunk = || Ok::<_, std::io::Error>(" ".repeat(64 << 10));
            response.body(Body::from_stream(futures::stream::repeat_with(chunk)))
        }
        Answer::Drip => {
            let drop = |()| async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Some((Ok::<_, std::io::Error>(" "), ()))
            };
            response.body(Body::from_stream(futures::stream::unfold((), drop)))
        }
        Answer::Silence => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            response.body(Body::empty())
        }
    }
    .unwrap()
}

fn key(id: &str) -> Value {
    let mut key = FORGE.ed_jwk();
    key["kid"] = json!(id);
    key
}

fn set(ids: &[&str]) -> Answer {
    let keys: Vec<Value> = ids.iter().map(|id| key(id)).collect();
    Answer::Text(json!({ "keys": keys }).to_string())
}

fn pace(least: u64, fresh: u64) -> Pace {
    let (least, fresh) = (Duration::from_millis(least), Duration::from_millis(fresh));
    Pace { least, fresh, wait: Duration::from_secs(10) }
}

async fn serve(answer_first: Answer) -> (watch::Sender<Answer>, Arc<AtomicUsize>, SocketAddr, JoinSet<()>) {
    let (sender, receiver) = watch::channel(answer_first);
    let questions = Arc::new(AtomicUsize::new(0));
    let issuer = Issuer(receiver, Arc::clone(&questions));
    let router =
        Router::new().route("/certs", get(answer)).route("/elsewhere", get(answer)).with_state(issuer);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    (sender, questions, address, tasks)
}

fn key_set(address: SocketAddr, pace: Pace) -> KeySet {
    // Another test may have installed it.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let url = format!("http://{address}/certs").parse().unwrap();
    let keys = KeyUrl::new(&url, None, "issuer".to_owned(), SignatureAlgorithm::ALL.to_vec()).unwrap();
    KeySet {
        issuer: "issuer".to_owned(),
        audience: "meshgate".to_owned(),
        stale_max: i64::try_from(STALE.as_micros()).unwrap(),
        keys: Keys::Url(Box::new(keys.with_pace(pace))),
    }
}

impl Bench {
    async fn start(first: Answer, pace: Pace) -> Self {
        let (answer, questions, address, mut tasks) = serve(first).await;
        let time = Arc::new(AtomicI64::new(0));
        let keys = Arc::new(key_set(address, pace));
        let (fresh, clock) = (Arc::clone(&keys), Self::clock_of(&time));
        tasks.spawn(async move { fresh.keep_fresh(&clock).await });
        Self { answer, questions, time, keys, _tasks: tasks }
    }

    fn clock_of(time: &Arc<AtomicI64>) -> Clock {
        let time = Arc::clone(time);
        Clock::new(move || time.load(Ordering::SeqCst))
    }

    async fn key(&self, id: &str) -> Result<(), Reason> {
        self.keys.key(id, &Self::clock_of(&self.time)).await.map(drop)
    }

    fn questions(&self) -> usize {
        self.questions.load(Ordering::SeqCst)
    }

    async fn asked(&self, times: usize) {
        let until = async {
            while self.questions() < times {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), until).await.expect("the issuer is asked");
    }

    async fn until_broken(&self, broken: bool) {
        let until = async {
            while self.keys.is_broken(0) != broken {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), until).await.expect("it breaks, or is mended");
    }
}

#[tokio::test]
async fn a098_a_new_key_counts_from_its_first_token_on() {
    let bench = Bench::start(set(&["old"]), pace(50, 600_000)).await;
    assert_eq!(bench.key("old").await, Ok(()));
    bench.answer.send_replace(set(&["old", "new"]));
    assert_eq!(bench.key("new").await, Ok(()));
    assert_eq!(bench.questions(), 2);
    bench.answer.send_replace(set(&["new"]));
    // What the issuer took back is gone with the next answer, which an unknown key brings about.
    assert_eq!(bench.key("unknown").await, Err(Reason::UnknownKey));
    assert_eq!(bench.key("old").await, Err(Reason::UnknownKey));
    assert_eq!(bench.key("new").await, Ok(()));
}

#[tokio::test]
async fn keys_are_refreshed_though_nobody_asks() {
    let bench = Bench::start(set(&["old"]), pace(10, 30)).await;
    bench.asked(4).await;
}

#[tokio::test]
async fn r42_unknown_keys_make_no_flood() {
    let bench = Bench::start(set(&["old"]), pace(300, 600_000)).await;
    assert_eq!(bench.key("old").await, Ok(()));
    let started = Instant::now();
    let many: Vec<String> = (0..1_000).map(|number| format!("key-{number}")).collect();
    let refused = futures::future::join_all(many.iter().map(|id| bench.key(id))).await;
    assert!(refused.iter().all(|refused| *refused == Err(Reason::UnknownKey)));
    let questions = bench.questions();
    assert!((1..=3).contains(&questions), "{questions} questions in {:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_broken_issuer_leaves_the_last_good_keys_for_a_bounded_time() {
    let bench = Bench::start(set(&["old"]), pace(5, 10)).await;
    assert_eq!(bench.key("old").await, Ok(()));
    assert!(!bench.keys.is_broken(0));
    for broken in [
        Answer::Text("<html>login</html>".to_owned()),
        Answer::Text("{\"keys\":[]}".to_owned()),
        Answer::Text(format!("{{\"keys\":[],\"x\":\"{}\"}}", " ".repeat(10 << 20))),
        Answer::Endless,
        Answer::Status(500),
        Answer::Redirect,
    ] {
        bench.answer.send_replace(broken);
        bench.until_broken(true).await;
        assert_eq!(bench.key("old").await, Ok(()));
        bench.answer.send_replace(set(&["old"]));
        bench.until_broken(false).await;
    }
    bench.answer.send_replace(Answer::Status(500));
    bench.until_broken(true).await;
    let stale = i64::try_from(STALE.as_micros()).unwrap();
    bench.time.store(stale, Ordering::SeqCst);
    assert_eq!(bench.key("old").await, Ok(()));
    bench.time.store(stale + 1, Ordering::SeqCst);
    assert_eq!(bench.key("old").await, Err(Reason::StaleKeys));
    bench.answer.send_replace(set(&["old"]));
    assert_eq!(bench.key("old").await, Ok(()));
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_stops_nobody_for_long() {
    stops_nobody_for_long(Answer::Silence).await;
}

#[tokio::test]
async fn an_issuer_whose_answer_drips_stops_nobody_for_long() {
    stops_nobody_for_long(Answer::Drip).await;
}

async fn stops_nobody_for_long(slow: Answer) {
    let bench = Bench::start(set(&["old"]), pace(5, 10)).await;
    assert_eq!(bench.key("old").await, Ok(()));
    bench.answer.send_replace(slow);
    let before = bench.questions();
    bench.asked(before + 1).await;
    let started = Instant::now();
    assert_eq!(bench.key("old").await, Ok(()));
    assert!(started.elapsed() < Duration::from_secs(1), "a known key does not wait");
    assert_eq!(bench.key("new").await, Err(Reason::UnknownKey));
    assert!(started.elapsed() < Duration::from_secs(12));
    assert!(bench.keys.is_broken(0));
    bench.answer.send_replace(set(&["old", "new"]));
    assert_eq!(bench.key("new").await, Ok(()));
}

#[tokio::test]
async fn an_issuer_that_is_away_at_the_start_is_no_reason_not_to_start() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let keys = key_set(address, pace(5, 10));
    let clock = Clock::new(|| 0);
    let asked = async { keys.key("old", &clock).await.map(drop) };
    let found = tokio::select! {
        () = keys.keep_fresh(&clock) => panic!("it never ends"),
        found = asked => found,
    };
    assert_eq!(found, Err(Reason::UnknownKey));
    assert!(keys.is_broken(0));
}

#[test]
fn a_ca_that_is_none_is_an_error_at_start() {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("ca.crt");
    std::fs::write(&file, "nothing").unwrap();
    let config = IssuerConfig {
        issuer: "issuer".to_owned(),
        audience: "meshgate".to_owned(),
        jwks: KeySource::Url { url: "https://localhost/certs".parse().unwrap(), ca: Some(file) },
        algorithms: SignatureAlgorithm::ALL.to_vec(),
    };
    let error = KeySet::load(&config, STALE, 0).unwrap_err().to_string();
    assert!(error.contains("https://localhost/certs") && error.contains("no PEM certificate"), "{error}");
}
