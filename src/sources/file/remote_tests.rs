//! Files that lie elsewhere. The tests against object stores run when `ANOMSTACK_TEST_S3_URL`,
//! `ANOMSTACK_TEST_AZURE_URL` and `ANOMSTACK_TEST_GCS_URL` name one, as in
//! `http://account:key@127.0.0.1:10000/endpoint/bucket` with an existing bucket, and say so when they
//! do not.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use tokio::net::TcpListener;
use url::Url;

use super::{
    tests::{cells, read_on},
    *,
};
use crate::{
    domain::{BatchSpec, Location, Secret, SourceKind, StorageAccess, StorageService},
    io::location::Bucket,
    net::Client,
    sources::{
        servers,
        tests::batch,
        unpack::tests::gzip,
        web::testing::{ok, serve},
    },
};

const NOW: &str = "2026-01-02T00:00:00Z";

fn of(location: Location, access: StorageAccess) -> BatchSpec {
    batch(SourceKind::File(FileSpec { access, ..FileSpec::at(vec![location]) }))
}

/// An object store that may be written to.
struct Server {
    service: StorageService,
    bucket: String,
    access: StorageAccess,
}

impl Server {
    /// What the variable names.
    fn at(service: StorageService, url: &str) -> Self {
        let mut url = Url::parse(url).unwrap();
        let decoded = |text: &str| {
            let pair = text.replace('+', "%2B");
            let decoded = url::form_urlencoded::parse(pair.as_bytes()).next();
            decoded.map(|(text, _)| text.into_owned()).unwrap_or_default()
        };
        let user = decoded(url.username());
        let secret = url.password().map(|password| Secret::new(decoded(password)));
        let (path, bucket) = url.path().rsplit_once('/').unwrap();
        let (path, bucket) = (path.to_owned(), bucket.to_owned());
        url.set_path(&path);
        url.set_username("").unwrap();
        url.set_password(None).unwrap();
        let is = |other| service == other;
        let access = StorageAccess {
            endpoint: Some(url.as_str().trim_end_matches('/').to_owned()),
            access_key: is(StorageService::S3).then(|| Secret::new(user.clone())),
            token: is(StorageService::Gcs).then(|| Secret::new(user.clone())),
            account: is(StorageService::Azure).then_some(user),
            secret_key: secret,
            allow_http: true,
            allow_private: true,
            ..StorageAccess::default()
        };
        Self { service, bucket, access }
    }

    fn open(&self) -> Bucket {
        let (service, bucket) = (self.service, &self.bucket);
        Bucket::open(service, bucket, &self.access, &BTreeMap::new(), &Client::new()).unwrap()
    }

    fn of(&self, key: &str) -> BatchSpec {
        let (service, bucket, key) = (self.service, self.bucket.clone(), key.to_owned());
        let mut batch = of(Location::Bucket { service, bucket, key }, self.access.clone());
        batch.source.drop_incomplete = false;
        batch
    }
}

/// What holds for every object store.
async fn check_store(service: StorageService, url: Option<&str>) {
    let Some(url) = url else {
        eprintln!("not run: no address of a server for {service}:// is set");
        return;
    };
    let server = Server::at(service, url);
    let store = server.open();
    let folder = format!("test-{}", std::process::id());
    let put = async |name: &str, bytes: &[u8]| {
        store.put(&format!("{folder}/{name}"), bytes.to_vec()).await.unwrap();
    };
    put("in/b.csv", b"ts,value\n2,20\n").await;
    put("in/deep/a b+c.csv.gz", &gzip(b"ts,value\n1,10\n")).await;
    put("in/note.txt", b"no table").await;
    put("into/x.csv", b"ts,value\n9,90\n").await;

    let batch = server.of(&format!("{folder}/in/**/*.csv*"));
    let (frame, seen) = read_on(&batch, &Remembered::default(), NOW).await.unwrap();
    assert_eq!(cells(&frame), ["2,20", "1,10"], "{service}");
    let (frame, again) = read_on(&batch, &seen, NOW).await.unwrap();
    assert_eq!((frame.height(), &again), (0, &seen), "{service}");
    put("in/b.csv", b"ts,value\n2,21\n").await;
    let (frame, _) = read_on(&batch, &seen, NOW).await.unwrap();
    assert_eq!(cells(&frame), ["2,21"], "{service}");

    let one = server.of(&format!("{folder}/into/x.csv"));
    let (frame, _) = read_on(&one, &Remembered::default(), NOW).await.unwrap();
    assert_eq!(cells(&frame), ["9,90"], "{service}");
    for key in ["none.csv", "none/*.csv"] {
        let missing = server.of(&format!("{folder}/{key}"));
        let error = read_on(&missing, &Remembered::default(), NOW).await.unwrap_err();
        let bucket = &server.bucket;
        let expected = format!("find files: nothing matches `{service}://{bucket}/{folder}/{key}`");
        assert_eq!(error.to_string(), expected);
    }
    let mut small = server.of(&format!("{folder}/in/*.csv"));
    small.source.max_bytes = 5;
    let error = read_on(&small, &Remembered::default(), NOW).await.unwrap_err();
    assert!(matches!(error, SourceError::TooManyBytes { max_bytes: 5, .. }), "{error}");
}

#[tokio::test]
async fn s3_is_listed_and_read() {
    check_store(StorageService::S3, servers::url("ANOMSTACK_TEST_S3_URL").as_deref()).await;
}

#[tokio::test]
async fn azure_is_listed_and_read() {
    check_store(StorageService::Azure, servers::url("ANOMSTACK_TEST_AZURE_URL").as_deref()).await;
}

#[tokio::test]
async fn google_s_storage_is_listed_and_read() {
    check_store(StorageService::Gcs, servers::url("ANOMSTACK_TEST_GCS_URL").as_deref()).await;
}

/// What Google's XML API answers, of a bucket with two objects.
fn google(request: &str) -> Vec<u8> {
    let meta = "last-modified: Thu, 01 Jan 2026 00:00:00 GMT\r\netag: \"e1\"";
    let body = b"ts,value\n1,10\n";
    let line = request.lines().next().unwrap();
    assert!(request.contains("authorization: Bearer token"), "{request}");
    match line.split(' ').collect::<Vec<_>>()[..2] {
        ["GET", path] if path.starts_with("/bucket?") => {
            assert!(path.contains("list-type=2") && path.contains("prefix=in%2F"), "{path}");
            let object = |key: &str| {
                format!(
                    "<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>\
                     <ETag>\"e1\"</ETag><Size>14</Size></Contents>"
                )
            };
            let found = [object("in/a.csv"), object("in/note.txt")].concat();
            ok("application/xml", format!("<ListBucketResult>{found}</ListBucketResult>"))
        }
        ["GET", "/bucket/in%2Fa%2Ecsv"] => ok(&format!("text/csv\r\n{meta}"), body),
        ["HEAD", "/bucket/in%2Fa%2Ecsv"] => {
            format!("HTTP/1.1 200 OK\r\n{meta}\r\ncontent-length: 14\r\n\r\n").into_bytes()
        }
        _ => panic!("{line}"),
    }
}

#[tokio::test]
async fn google_s_storage_is_asked_in_its_own_words() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://token@{}/bucket", listener.local_addr().unwrap());
    let server = Server::at(StorageService::Gcs, &url);
    let read = async {
        for key in ["in/*.csv", "in/a.csv"] {
            let batch = server.of(key);
            let (frame, seen) = read_on(&batch, &Remembered::default(), NOW).await.unwrap();
            assert_eq!(cells(&frame), ["1,10"], "{key}");
            let (frame, _) = read_on(&batch, &seen, NOW).await.unwrap();
            assert_eq!(frame.height(), 0, "{key}");
        }
    };
    tokio::select! {
        () = read => (),
        () = serve(listener, google) => unreachable!(),
    }
}

/// A wrong key is refused by the store, and nothing of it is shown.
#[tokio::test]
async fn a_refused_sign_in_does_not_show_the_key() {
    const CANARY: &str = "Y2FuYXJ5LTQ3MTE=";
    let Some(url) = servers::url("ANOMSTACK_TEST_AZURE_URL") else { return };
    let mut server = Server::at(StorageService::Azure, &url);
    server.access.secret_key = Some(Secret::new(CANARY.into()));
    let error = read_on(&server.of("a.csv"), &Remembered::default(), NOW).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(matches!(error, SourceError::Remote { .. }) && !text.contains("Y2FuYXJ5"), "{text}");
}

#[tokio::test]
async fn a_private_endpoint_is_not_called_unless_it_may_be() {
    let access = StorageAccess {
        endpoint: Some("http://127.0.0.1:9".into()),
        allow_http: true,
        ..StorageAccess::default()
    };
    for service in [StorageService::S3, StorageService::Gcs] {
        let location = Location::Bucket { service, bucket: "bucket".into(), key: "a.csv".into() };
        let (batch, unseen) = (of(location, access.clone()), Remembered::default());
        let read = read_on(&batch, &unseen, NOW);
        let error = tokio::time::timeout(Duration::from_secs(5), read).await.unwrap().unwrap_err();
        assert!(matches!(error, SourceError::Forbidden(_)), "{service}: {error:?}");
    }
    let location = Location::Web(Secret::new("http://127.0.0.1:9/a.csv".into()));
    let batch = of(location, StorageAccess::default());
    let error = read_on(&batch, &Remembered::default(), NOW).await.unwrap_err();
    assert!(matches!(error, SourceError::Forbidden(_)), "{error:?}");
}

#[tokio::test]
async fn a_web_address_is_asked_whether_it_has_changed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let url = format!("http://{address}/files/a.csv?sig=canary-4711");
    let access = StorageAccess { allow_private: true, ..StorageAccess::default() };
    let mut batch = of(Location::Web(Secret::new(url)), access);
    batch.source.drop_incomplete = false;
    let requests = Mutex::new(Vec::new());
    let answer = |request: &str| {
        requests.lock().unwrap().push(request.to_owned());
        if request.starts_with("GET /files/a.csv") {
            return "HTTP/1.1 307 Moved\r\nlocation: /b.csv\r\ncontent-length: 0\r\n\r\n".into();
        }
        if request.contains("if-none-match: \"v1\"") {
            return "HTTP/1.1 304 Not Modified\r\ncontent-length: 0\r\n\r\n".into();
        }
        ok("text/csv\r\netag: \"v1\"", "ts,value\n1,10\n")
    };
    let read = async {
        let (frame, seen) = read_on(&batch, &Remembered::default(), NOW).await.unwrap();
        assert_eq!(cells(&frame), ["1,10"]);
        let (frame, again) = read_on(&batch, &seen, NOW).await.unwrap();
        assert_eq!((frame.height(), &again), (0, &seen));
        assert!(!format!("{seen:?}").contains("canary"), "{seen:?}");
    };
    tokio::select! {
        () = read => (),
        () = serve(listener, answer) => unreachable!(),
    }
    assert_eq!(requests.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn a_web_server_that_refuses_is_an_error_without_the_token() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/a.csv?sig=canary-4711", listener.local_addr().unwrap());
    let access = StorageAccess { allow_private: true, ..StorageAccess::default() };
    let batch = of(Location::Web(Secret::new(url)), access);
    let answer = |_: &str| {
        let body = "sig canary-4711 is wrong";
        let length = body.len();
        format!("HTTP/1.1 403 Forbidden\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
    };
    let read = async {
        let error = read_on(&batch, &Remembered::default(), NOW).await.unwrap_err();
        let expected = "ask the server: it answered 403 and said: sig [secret] is wrong";
        assert_eq!(error.to_string(), expected);
    };
    tokio::select! {
        () = read => (),
        () = serve(listener, answer) => unreachable!(),
    }
}
