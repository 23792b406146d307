//! What a store does when the other side fails: a stand-in that fails as told.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;

use super::{
    Cache, Counts, Key, Limits, Patience, Registry, Settings, Store, StoreError, Stores, Transfer,
    WriteMode,
    testing::{BucketServer, Fault},
};
use crate::domain::{StorageAccess, StoreLocation, Timestamp};

fn settings(server: &BucketServer) -> Settings {
    let access = StorageAccess {
        endpoint: Some(server.endpoint()),
        allow_http: true,
        allow_private: true,
        ..StorageAccess::default()
    };
    Settings {
        profiles: [("s3".to_owned(), access)].into(),
        limits: Limits { threshold: 2 << 20, chunk: 5 << 20, concurrency: 8 },
        patience: Patience {
            budget: Duration::from_secs(2),
            first: Duration::from_millis(1),
            longest: Duration::from_millis(5),
            answer: Duration::from_millis(200),
        },
        ..Settings::default()
    }
}

fn open(settings: Settings) -> Store {
    let stores = Stores::new(Registry::default(), settings, Store::memory());
    stores.at(&StoreLocation::parse("s3://bucket", Path::new("/")).unwrap()).unwrap()
}

async fn bucket() -> (BucketServer, Store) {
    let server = BucketServer::start().await;
    let store = open(settings(&server));
    (server, store)
}

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

fn counts(store: &Store) -> Counts {
    store.counters().now()
}

async fn write(store: &Store, at: &str, mode: WriteMode<'_>) -> Result<(), StoreError> {
    store.put(&key(at), Bytes::from_static(b"some bytes"), mode).await.map(drop)
}

#[tokio::test]
async fn transient_failures_are_waited_out() {
    let (server, store) = bucket().await;
    for fault in [500, 502, 503, 504, 429, 408].map(Fault::Status).into_iter().chain([
        Fault::Hang,
        Fault::LoseReply,
        Fault::SlowDown(0),
    ]) {
        server.fail("PUT", "/k", 2, fault);
        write(&store, "k", WriteMode::Overwrite)
            .await
            .unwrap_or_else(|e| panic!("{fault:?} {e:?}"));
        server.fail("GET", "/k", 2, fault);
        assert_eq!(store.get(&key("k")).await.unwrap(), "some bytes", "{fault:?}");
        server.fail("GET", "list-type", 1, fault);
        assert_eq!(store.keys("").await.unwrap().len(), 1, "{fault:?}");
    }
    assert_eq!(counts(&store).retries, 9 * 5);
}

#[tokio::test]
async fn what_is_wrong_for_good_is_not_repeated() {
    let (server, store) = bucket().await;
    write(&store, "k", WriteMode::Overwrite).await.unwrap();
    for (code, is_expected) in [
        (403, (|e| matches!(e, StoreError::Denied { .. })) as fn(&StoreError) -> bool),
        (401, |e| matches!(e, StoreError::Denied { .. })),
        (400, |e| matches!(e, StoreError::Backend { .. })),
        (404, |e| matches!(e, StoreError::NotFound { .. })),
    ] {
        let n_before = server.requests().len();
        server.fail("GET", "/k", 1, Fault::Status(code));
        let error = store.get(&key("k")).await.unwrap_err();
        assert!(is_expected(&error), "{code}: {error:?}");
        assert_eq!(server.requests().len(), n_before + 1, "{code}");
    }
    assert_eq!(counts(&store).retries, 0);
}

#[tokio::test]
async fn a_store_that_stays_down_is_given_up_within_the_budget() {
    let (server, store) = bucket().await;
    server.fail("GET", "/k", 100_000, Fault::Status(503));
    server.fail("PUT", "/k", 100_000, Fault::Status(500));
    let at = key("k");
    let read = store.get(&at);
    let error = tokio::time::timeout(Duration::from_secs(10), read).await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }) && error.is_transient(), "{error:?}");
    let text = crate::net::chain(&error);
    assert!(text.contains("503") && text.contains("attempts"), "{text}");
    let error = write(&store, "k", WriteMode::Overwrite).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    // Nobody listens there.
    let nowhere = StorageAccess {
        endpoint: Some("http://127.0.0.1:9".into()),
        allow_http: true,
        allow_private: true,
        ..StorageAccess::default()
    };
    let away = Settings { profiles: [("s3".to_owned(), nowhere)].into(), ..settings(&server) };
    let error = open(away).get(&key("k")).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_names_a_time_is_left_alone_for_it() {
    let (server, store) = bucket().await;
    write(&store, "k", WriteMode::Overwrite).await.unwrap();
    server.fail("GET", "/k", 1, Fault::SlowDown(1));
    let at = key("k");
    let early = tokio::time::timeout(Duration::from_millis(900), store.get(&at)).await;
    assert!(early.is_err(), "{early:?}");
    // Longer than there is patience for: told at once.
    server.fail("GET", "/k", 1, Fault::SlowDown(60));
    let error = store.get(&key("k")).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_lost_answer_is_looked_up_and_never_undone() {
    let (server, store) = bucket().await;
    server.fail("PUT", "/new", 1, Fault::LoseReply);
    write(&store, "new", WriteMode::CreateOnly).await.unwrap();
    let n_puts = || server.requests().iter().filter(|line| line.starts_with("PUT")).count();
    assert_eq!(n_puts(), 1);
    // Not done at all: done now.
    server.fail("PUT", "/late", 1, Fault::Hang);
    write(&store, "late", WriteMode::CreateOnly).await.unwrap();
    // Somebody else's is there: theirs stays.
    let taken = write(&store, "new", WriteMode::CreateOnly).await;
    assert!(matches!(taken, Err(StoreError::AlreadyExists { .. })), "{taken:?}");
    server.fail("PUT", "/new", 1, Fault::Hang);
    let taken = write(&store, "new", WriteMode::CreateOnly).await;
    assert!(matches!(taken, Err(StoreError::AlreadyExists { .. })), "{taken:?}");
    let etag = store.stat(&key("new")).await.unwrap().etag.unwrap();
    server.fail("PUT", "/new", 1, Fault::LoseReply);
    write(&store, "new", WriteMode::IfUnchanged(&etag)).await.unwrap();
    let stale = write(&store, "new", WriteMode::IfUnchanged(&etag)).await;
    assert!(matches!(stale, Err(StoreError::Changed { .. })), "{stale:?}");
    assert!(!server.requests().iter().any(|line| line.starts_with("DELETE")));
    assert_eq!(server.keys(), ["late", "new"]);
}

#[tokio::test]
async fn what_cannot_be_looked_up_is_said_to_be_unknown() {
    let (server, store) = bucket().await;
    server.fail("PUT", "/k", 1, Fault::LoseReply);
    server.fail("HEAD", "/k", 100_000, Fault::Status(500));
    let unknown = write(&store, "k", WriteMode::CreateOnly).await.unwrap_err();
    assert!(matches!(unknown, StoreError::Unknown { .. }), "{unknown:?}");
    assert_eq!(server.keys(), ["k"]);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_taken_up_where_it_broke() {
    let (server, store) = bucket().await;
    let bytes: Bytes = (0..3_000_000_u32).map(|n| n as u8).collect::<Vec<_>>().into();
    store.put(&key("k"), bytes.clone(), WriteMode::Overwrite).await.unwrap();
    server.fail("GET", "/k", 3, Fault::CutBody);
    assert!(store.get(&key("k")).await.unwrap() == bytes);
    assert_eq!(counts(&store).bytes_read, bytes.len() as u64);
    server.fail("GET", "/k", 100_000, Fault::CutBody);
    let small = write(&store, "other", WriteMode::Overwrite).await;
    small.unwrap();
    let error = store.get(&key("k")).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_flipped_bit_is_noticed_and_the_object_read_again() {
    let (server, store) = bucket().await;
    write(&store, "k", WriteMode::Overwrite).await.unwrap();
    server.fail("GET", "/k", 1, Fault::FlipBit);
    assert_eq!(store.get(&key("k")).await.unwrap(), "some bytes");
    server.damage("k", b"sOme bytes");
    let error = store.get(&key("k")).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert_eq!(counts(&store).damaged, 1);
    // Set aside it is as it was found; copied it is not, as if it were whole.
    let copied = store.copy(&key("k"), &Store::memory(), &key("k"), Transfer::Careful).await;
    assert!(matches!(copied, Err(StoreError::Corrupt { .. })), "{copied:?}");
    let aside = store.quarantine(&key("k")).await.unwrap();
    assert_eq!(store.get_range(&aside, 0..10).await.unwrap(), "sOme bytes");
    assert_eq!(server.keys(), ["quarantine/k"]);
}

#[tokio::test]
async fn a_server_that_has_too_much_is_asked_less_at_once() {
    let (server, store) = bucket().await;
    server.fail("PUT", "/n", 12, Fault::SlowDown(0));
    let objects = (0..60).map(|nth| (key(&format!("n/{nth}")), Bytes::from_static(b"x"))).collect();
    for written in store.put_all(objects, WriteMode::Overwrite).await {
        written.unwrap();
    }
    assert_eq!(server.keys().len(), 60);
    assert!(server.most_under_way() <= 8, "{}", server.most_under_way());
}

#[tokio::test]
async fn an_upload_in_pieces_that_fails_leaves_nothing() {
    let (server, store) = bucket().await;
    let piece = || Bytes::from(vec![7_u8; 1 << 20]);
    for method_and_part in [("PUT", "partNumber=2"), ("POST", "uploadId=")] {
        let (method, part) = method_and_part;
        server.fail(method, part, 1, Fault::Status(403));
        let mut writer = store.writer(&key("big")).await.unwrap();
        for _ in 0..7 {
            writer.write(piece()).await.unwrap();
        }
        let failed = writer.finish(WriteMode::Overwrite).await;
        assert!(matches!(failed, Err(StoreError::Denied { .. })), "{part}: {failed:?}");
        assert!(server.keys().is_empty(), "{part}");
        assert_eq!(server.n_open_uploads(), 0, "{part}");
    }
    // A piece is sent again; an end whose answer was lost is looked up.
    server.fail("PUT", "partNumber=1", 2, Fault::Status(500));
    server.fail("POST", "uploadId=", 1, Fault::LoseReply);
    let mut writer = store.writer(&key("big")).await.unwrap();
    for _ in 0..7 {
        writer.write(piece()).await.unwrap();
    }
    writer.finish(WriteMode::CreateOnly).await.unwrap();
    assert_eq!(store.stat(&key("big")).await.unwrap().size, 7 << 20);
    assert_eq!(server.n_open_uploads(), 0);
}

#[tokio::test]
async fn a_store_that_overlooks_conditions_is_found_out() {
    let (server, store) = bucket().await;
    server.overlook_conditions();
    let found = store.probe("").await.unwrap();
    let failed: Vec<&str> =
        found.iter().filter(|probe| probe.failure.is_some()).map(|probe| probe.step).collect();
    assert_eq!(failed, ["create only", "if unchanged, after a change"]);
    let (server, store) = bucket().await;
    server.refuse_writes();
    let found = store.probe("").await.unwrap();
    assert_eq!((found.len(), found[0].step), (1, "write"));
    assert!(found[0].failure.as_ref().unwrap().contains("not permitted"), "{found:?}");
}

#[tokio::test]
async fn the_cache_asks_whether_an_object_has_changed_and_believes_a_known_checksum() {
    let server = BucketServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let now = || Timestamp::parse("2026-01-01").unwrap();
    let cached = || {
        let ttl = Duration::from_secs(60);
        let cache = Cache::new(folder.path().to_path_buf(), ttl, 1 << 30, now).map(Arc::new);
        open(Settings { cache, ..settings(&server) })
    };
    let (store, other) = (cached(), cached());
    let written = store.put(&key("k"), "one".into(), WriteMode::Overwrite).await.unwrap();
    assert_eq!(store.get(&key("k")).await.unwrap(), "one");
    assert_eq!(other.get(&key("k")).await.unwrap(), "one");
    let of = |store: &Store| (counts(store).cache_hits, counts(store).cache_misses);
    assert_eq!((of(&store), of(&other)), ((0, 1), (1, 0)));
    // Known by its checksum it is not asked for at all.
    let n_before = server.requests().len();
    let bytes = store.get_verified(&key("k"), &written.sha256, 3).await.unwrap();
    assert_eq!((bytes, server.requests().len()), ("one".into(), n_before));
    // Our own writes and those of others are seen.
    other.put(&key("k"), "two".into(), WriteMode::Overwrite).await.unwrap();
    assert_eq!(store.get(&key("k")).await.unwrap(), "two");
    open(settings(&server)).put(&key("k"), "six".into(), WriteMode::Overwrite).await.unwrap();
    assert_eq!(store.get(&key("k")).await.unwrap(), "six");
    store.delete(&key("k")).await.unwrap();
    assert!(matches!(other.get(&key("k")).await, Err(StoreError::NotFound { .. })));
}
