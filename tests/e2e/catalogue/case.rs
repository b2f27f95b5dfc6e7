//! One test of the catalogue: what it asks with, and the count of what it compared.

use std::sync::{Arc, LazyLock, Weak};

use meshgate_tests::client::Client;
use meshgate_tests::fixture::{self, Format};
use meshgate_tests::mesh::Mesh;
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

use super::ask::{Road, reply};
use super::views::{Who, is_ordered, view};
use crate::proofs::answer::Answer;

/// Outlives each test, because the meshes do.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// The meshes that all tests ask. Whoever is last ends them, so that nothing of them is left.
static SOURCES: LazyLock<Mutex<Weak<Vec<Source>>>> = LazyLock::new(Mutex::default);

/// As many queries as two tests at a time may want.
const LIMITS: &str = "limits: { per_principal: 64, queries: 256 }\n";

/// The mesh with its tables in files of one format.
pub(super) struct Source {
    pub(super) format: Format,
    pub(super) mesh: Mesh,
    callers: Vec<Caller>,
}

/// A caller with two connections, each with a token of its own.
struct Caller {
    who: Who,
    first: Client,
    second: Client,
}

/// What a question came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Rows,
    Refused,
    Failed,
}

/// What all questions came to: of the views, and so of the mesh.
#[derive(Debug, Default)]
pub(super) struct Answers(Vec<(Kind, String)>);

/// A test that runs.
pub(super) struct Case {
    pub(super) sources: Arc<Vec<Source>>,
    checks: usize,
    asked: usize,
}

/// Runs a test. One that compares nothing fails.
pub(super) fn run(test: impl AsyncFnOnce(&mut Case)) {
    RUNTIME.block_on(async {
        let mut case = Case { sources: sources().await, checks: 0, asked: 0 };
        test(&mut case).await;
        assert!(case.checks > 0, "nothing was compared");
    });
}

async fn sources() -> Arc<Vec<Source>> {
    let mut running = SOURCES.lock().await;
    if let Some(sources) = running.upgrade() {
        return sources;
    }
    let mut started = Vec::new();
    for format in Format::ALL {
        started.push(Source::start(format).await);
    }
    let sources = Arc::new(started);
    *running = Arc::downgrade(&sources);
    sources
}

impl Source {
    async fn start(format: Format) -> Self {
        let mut plan = fixture::leaks_in(format);
        plan.gateway_lines = LIMITS.to_owned();
        let mesh = plan.start().await;
        let mut callers = Vec::new();
        for who in Who::ALL {
            let (first, second) = (mesh.client(&who.claims()).await, mesh.client(&who.claims()).await);
            callers.push(Caller { who, first, second });
        }
        Self { format, mesh, callers }
    }

    /// The caller's two connections.
    pub(super) fn clients(&self, who: Who) -> (Client, Client) {
        let caller = self.callers.iter().find(|caller| caller.who == who).unwrap();
        (caller.first.clone(), caller.second.clone())
    }

    pub(super) fn client(&self, who: Who) -> Client {
        self.clients(who).0
    }
}

impl Case {
    /// Something was compared otherwise than by the methods here.
    pub(super) fn checked(&mut self) {
        self.checks += 1;
    }

    #[track_caller]
    pub(super) fn equal<T: PartialEq + std::fmt::Debug>(&mut self, left: T, right: T, what: &str) {
        assert_eq!(left, right, "{what}");
        self.checks += 1;
    }

    #[track_caller]
    pub(super) fn check(&mut self, is_so: bool, what: &str) {
        assert!(is_so, "{what}");
        self.checks += 1;
    }

    /// Each question gives its rows to each caller: those of the view.
    pub(super) async fn rows(&mut self, callers: &[Who], questions: &[&str]) {
        self.ask(callers, questions, false).await.assert_all(Kind::Rows);
    }

    /// As [`Self::rows`], of the sources that hold structs and lists.
    pub(super) async fn nested_rows(&mut self, callers: &[Who], questions: &[&str]) {
        self.ask(callers, questions, true).await.assert_all(Kind::Rows);
    }

    /// Each question names something that is not there, for each caller.
    pub(super) async fn refused(&mut self, callers: &[Who], questions: &[&str]) {
        self.ask(callers, questions, false).await.assert_all(Kind::Refused);
    }

    /// Each question fails on a value that each caller may see.
    pub(super) async fn failed(&mut self, callers: &[Who], questions: &[&str]) {
        self.ask(callers, questions, false).await.assert_all(Kind::Failed);
    }

    /// Each question has the view's answer, of whichever kind.
    pub(super) async fn same(&mut self, callers: &[Who], questions: &[&str]) -> Answers {
        self.ask(callers, questions, false).await
    }

    async fn ask(&mut self, callers: &[Who], questions: &[&str], nested: bool) -> Answers {
        let sources = Arc::clone(&self.sources);
        let mut answers = Answers::default();
        for sql in questions {
            self.asked += 1;
            for (at, source) in sources.iter().enumerate().filter(|(_, it)| it.format.is_nested() || !nested)
            {
                for who in callers {
                    let expected = view(*who, source.format.is_nested()).answer(sql).await;
                    answers.add(*who, sql, &expected);
                    for road in roads(self.asked + at, sources.len()) {
                        self.compare(source, *who, road, sql, &expected).await;
                    }
                }
            }
        }
        answers
    }

    async fn compare(&mut self, source: &Source, who: Who, road: Road, sql: &str, expected: &Answer) {
        let what = format!("{who:?} over {} by {road:?}: {sql}", source.format.name());
        let reply = reply(road, source.clients(who), sql).await;
        reply.assert_clean(who, sql, &what);
        assert!(
            expected.equals(&reply.answer, is_ordered(sql)),
            "{what}\nexpected: {}\ngot: {}",
            expected.shown(),
            reply.answer.shown()
        );
        self.checks += 1;
    }
}

/// Every road over one of the sources, and one road over each of the others: which, changes from question
/// to question.
fn roads(turn: usize, sources: usize) -> Vec<Road> {
    if turn.is_multiple_of(sources) { Road::ALL.to_vec() } else { vec![Road::ALL[turn % Road::ALL.len()]] }
}

impl Answers {
    fn add(&mut self, who: Who, sql: &str, answer: &Answer) {
        let kind = match answer {
            Answer::Rows { .. } => Kind::Rows,
            Answer::Refused(_) => Kind::Refused,
            Answer::Failed(_) => Kind::Failed,
            Answer::Broken(text) => panic!("{who:?}: {sql}: the view is broken: {text}"),
        };
        let shown = if kind == Kind::Rows { "rows".to_owned() } else { answer.shown() };
        self.0.push((kind, format!("{who:?}: {sql}: {shown}")));
    }

    #[track_caller]
    fn assert_all(&self, kind: Kind) {
        let others: Vec<&String> =
            self.0.iter().filter(|(other, _)| *other != kind).map(|(_, what)| what).collect();
        assert!(others.is_empty(), "all should be {kind:?}: {others:#?}");
    }

    /// How many of a hundred are of this kind.
    pub(super) fn percent(&self, kind: Kind) -> usize {
        self.0.iter().filter(|(other, _)| *other == kind).count() * 100 / self.0.len()
    }
}
