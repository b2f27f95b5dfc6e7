//! Objects instead of files. The store is that of the client's crate; a server
//! that speaks S3 is in the end-to-end tests.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result as StoreResult,
};

use super::*;
use crate::source::BucketLocation;
use crate::source::bucket::Bucket;
use crate::source::files::{MAX_ENTRIES, MAX_FILES};

const ID: [&str; 1] = ["name: id, logicalType: integer"];

/// A bucket and contracts that lead to it.
pub(super) struct Lake {
    fixture: Fixture,
    store: Arc<dyn ObjectStore>,
}

impl Lake {
    pub(super) fn new() -> Self {
        Self::over(InMemory::new())
    }

    fn over(store: impl ObjectStore) -> Self {
        Self { fixture: Fixture::new(), store: Arc::new(store) }
    }

    pub(super) async fn put(&self, key: &str, content: impl Into<Bytes>) {
        self.store.put(&Path::parse(key).unwrap(), content.into().into()).await.unwrap();
    }

    pub(super) async fn delete(&self, key: &str) {
        self.store.delete(&Path::parse(key).unwrap()).await.unwrap();
    }

    fn source(&self, key: &str, format: &str, columns: &[&str]) -> Source {
        let server = format!("server: lake, type: s3, location: 's3://lake/{key}'");
        let table = self.fixture.table_at(&server, format, columns);
        let location = BucketLocation {
            server: "lake".to_owned(),
            endpoint: None,
            bucket: "lake".to_owned(),
            key: key.to_owned(),
        };
        let access = Access::to(&location, Bucket::over("lake", Arc::clone(&self.store), &[]));
        Source::new(&table, &access).unwrap()
    }

    pub(super) async fn open(
        &self,
        key: &str,
        format: &str,
        columns: &[&str],
    ) -> Result<RawTable, SourceError> {
        self.source(key, format, columns).open(&state()).await
    }

    async fn ids(&self, key: &str) -> Result<Vec<String>, SourceError> {
        let table = self.open(key, "csv", &ID).await?;
        Ok(rows_of(&batches(&table, None, &[]).await.map_err(source_error)?))
    }
}

#[tokio::test]
async fn an_object_a_prefix_and_a_pattern_are_read() {
    let lake = Lake::new();
    for (key, text) in [
        ("t/a.csv", "id\n1\n"),
        ("t/deep/er/b.csv", "id\n2\n"),
        ("t/x1.csv", "id\n3\n"),
        ("t/notes.txt", "nothing"),
        ("t/_SUCCESS", ""),
        ("t/.hidden.csv", "id\n4\n"),
        ("t/_temporary/c.csv", "id\n5\n"),
        ("t2/a.csv", "id\n6\n"),
    ] {
        lake.put(key, text).await;
    }
    for (key, expected) in [
        ("t/a.csv", vec!["1"]),
        ("t", vec!["1", "2", "3"]),
        ("t/", vec!["1", "2", "3"]),
        ("t/*.csv", vec!["1", "3"]),
        ("t/x?.csv", vec!["3"]),
        ("t/**/*.csv", vec!["1", "2", "3"]),
        ("t/deep/**", vec!["2"]),
        ("t/de*", vec!["2"]),
        ("*/a.csv", vec!["1", "6"]),
    ] {
        assert_eq!(lake.ids(key).await.unwrap(), expected, "{key}");
    }
    for key in ["t/missing.csv", "missing", "t/*.json", "t/a.csv/", "t/_temporary/*.json"] {
        let error = lake.ids(key).await.unwrap_err();
        assert!(matches!(error, SourceError::NoFiles { .. }), "{key}: {error}");
    }
}

#[tokio::test]
async fn long_objects_come_in_parts() {
    let lake = Lake::new();
    let lines: Vec<String> = (0..300_000).map(|number| number.to_string()).collect();
    lake.put("t.csv", format!("id\n{}\n", lines.join("\n"))).await;
    assert_eq!(lake.ids("t.csv").await.unwrap().len(), 300_000);
}

/// A store that lists so many objects and holds none.
#[derive(Debug)]
struct Endless(usize, &'static str);

/// A store that forgot what `If-Match` means, or to give tags.
#[derive(Debug)]
struct Careless {
    inner: InMemory,
    with_tags: bool,
}

impl fmt::Display for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("endless")
    }
}

impl fmt::Display for Careless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("careless")
    }
}

fn meta(location: String, e_tag: Option<String>) -> ObjectMeta {
    ObjectMeta {
        location: Path::parse(location).unwrap(),
        last_modified: chrono::DateTime::default(),
        size: 1,
        e_tag,
        version: None,
    }
}

fn absent(location: &Path) -> object_store::Error {
    object_store::Error::NotFound { path: location.to_string(), source: "absent".into() }
}

#[async_trait]
impl ObjectStore for Endless {
    async fn put_opts(&self, at: &Path, _: PutPayload, _: PutOptions) -> StoreResult<PutResult> {
        Err(absent(at))
    }
    async fn put_multipart_opts(
        &self,
        at: &Path,
        _: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        Err(absent(at))
    }
    async fn get_opts(&self, at: &Path, _: GetOptions) -> StoreResult<GetResult> {
        Err(absent(at))
    }
    fn delete_stream(
        &self,
        locations: BoxStream<'static, StoreResult<Path>>,
    ) -> BoxStream<'static, StoreResult<Path>> {
        locations
    }
    fn list(&self, _: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        let extension = self.1;
        let listed =
            (0..self.0).map(move |number| Ok(meta(format!("t/{number}.{extension}"), Some("x".into()))));
        Box::pin(futures::stream::iter(listed))
    }
    async fn list_with_delimiter(&self, _: Option<&Path>) -> StoreResult<ListResult> {
        Ok(ListResult { common_prefixes: vec![], objects: vec![] })
    }
    async fn copy_opts(&self, from: &Path, _: &Path, _: CopyOptions) -> StoreResult<()> {
        Err(absent(from))
    }
}

#[async_trait]
impl ObjectStore for Careless {
    async fn put_opts(&self, at: &Path, payload: PutPayload, how: PutOptions) -> StoreResult<PutResult> {
        self.inner.put_opts(at, payload, how).await
    }
    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, how).await
    }
    async fn get_opts(&self, at: &Path, how: GetOptions) -> StoreResult<GetResult> {
        let mut found = self.inner.get_opts(at, GetOptions { if_match: None, ..how }).await?;
        found.meta.e_tag = found.meta.e_tag.filter(|_| self.with_tags);
        Ok(found)
    }
    fn delete_stream(
        &self,
        locations: BoxStream<'static, StoreResult<Path>>,
    ) -> BoxStream<'static, StoreResult<Path>> {
        self.inner.delete_stream(locations)
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        let with_tags = self.with_tags;
        let listed = self.inner.list(prefix).map(move |object| {
            object.map(|object| ObjectMeta { e_tag: object.e_tag.filter(|_| with_tags), ..object })
        });
        Box::pin(listed)
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> StoreResult<()> {
        self.inner.copy_opts(from, to, how).await
    }
}

#[tokio::test]
async fn listings_are_bounded() {
    for (objects, extension, limit) in
        [(MAX_FILES + 1, "csv", MAX_FILES), (MAX_ENTRIES + 1, "txt", MAX_ENTRIES)]
    {
        let error = Lake::over(Endless(objects, extension)).ids("t/").await.unwrap_err();
        assert!(matches!(error, SourceError::TooManyFiles { limit: found, .. } if found == limit), "{error}");
    }
    let deep = Lake::new();
    deep.put(&format!("t/{}a.csv", "x/".repeat(40)), "id\n").await;
    assert!(matches!(deep.ids("t").await.unwrap_err(), SourceError::TooDeep { .. }));
}

#[tokio::test]
async fn a_store_that_does_not_know_conditions_mixes_no_two_objects_either() {
    let lake = Lake::over(Careless { inner: InMemory::new(), with_tags: true });
    lake.put("t.csv", "id\n1\n").await;
    assert_eq!(lake.ids("t.csv").await.unwrap(), ["1"]);
    let table = lake.open("t.csv", "csv", &ID).await.unwrap();
    lake.put("t.csv", "id\n2\n").await;
    assert!(matches!(error(&table).await, SourceError::Changed { .. }));
    // Without tags nobody could notice.
    let lake = Lake::over(Careless { inner: InMemory::new(), with_tags: false });
    lake.put("t.csv", "id\n1\n").await;
    for key in ["t.csv", "t*"] {
        let error = lake.ids(key).await.unwrap_err();
        assert!(matches!(error, SourceError::Store { .. }), "{error}");
        assert!(error.to_string().contains("ETag"), "{error}");
    }
}

#[tokio::test]
async fn without_credentials_or_https_there_is_no_source() {
    let fixture = Fixture::new();
    let server = "server: lake, type: s3, location: 's3://lake/t/'";
    let table = fixture.table_at(server, "csv", &ID);
    let error = Source::new(&table, &fixture.access()).unwrap_err();
    assert!(matches!(&error, SourceError::NoCredentials { server, .. } if server == "lake"), "{error}");

    let credentials = |allow_http, authority: Option<&str>| {
        let credentials = crate::config::StoreCredentials {
            keys: None,
            region: None,
            allow_http,
            authority: authority.map(str::to_owned),
        };
        Access::new(Vec::new(), BTreeMap::from([("lake".to_owned(), credentials)]))
    };
    let plain = fixture.table_at(&format!("{server}, endpointUrl: 'http://127.0.0.1:1'"), "csv", &ID);
    let error = Source::new(&plain, &credentials(false, None)).unwrap_err();
    assert!(error.to_string().contains("allow_http: true"), "{error}");
    assert!(Source::new(&plain, &credentials(true, None)).is_ok());
    assert!(Source::new(&table, &credentials(false, None)).is_ok());
    let error = Source::new(&table, &credentials(false, Some("no certificate"))).unwrap_err();
    assert!(error.to_string().contains("`ca`"), "{error}");
}
