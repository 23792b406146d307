//! What every store owes its callers, as functions over a store, run against each backend.

mod operations;

use bytes::Bytes;
use tempfile::TempDir;

use super::{
    Key, Limits, Registry, Settings, Store, StoreError, Stores, WriteMode, sha256_hex,
    testing::BucketServer,
};
use crate::domain::{Secret, StorageAccess, StoreLocation, Timestamp};
use operations::*;

/// A store on a disk in a folder that goes with it.
fn local() -> (Store, TempDir) {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("not/made yet/%41");
    (Store::local(&root).unwrap(), folder)
}

/// How a stand-in is reached; small pieces, so that they come up in tests.
fn settings(server: &BucketServer) -> Settings {
    let access = StorageAccess {
        endpoint: Some(server.endpoint()),
        allow_http: true,
        allow_private: true,
        ..StorageAccess::default()
    };
    let signed = StorageAccess { token: Some(Secret::new("token".into())), ..access.clone() };
    Settings {
        profiles: [("s3".to_owned(), access), ("gs".to_owned(), signed)].into(),
        limits: Limits { threshold: 2 << 20, chunk: 5 << 20, concurrency: 4 },
        ..Settings::default()
    }
}

fn at(settings: Settings, address: &str) -> Store {
    let location = StoreLocation::parse(address, std::path::Path::new("/")).unwrap();
    let stores = Stores::new(Registry::default(), settings, Store::memory());
    stores.at(&location).unwrap()
}

/// A store in a bucket of a stand-in of its own.
pub(super) async fn bucket(scheme: &str) -> Store {
    let server = BucketServer::start().await;
    let (scheme, folder) = scheme.split_once(' ').unwrap_or((scheme, ""));
    at(settings(&server), &format!("{scheme}://bucket/{folder}"))
}

/// The same with a cache before it.
async fn cached(folder: &std::path::Path) -> Store {
    let server = BucketServer::start().await;
    let now = || Timestamp::parse("2026-01-01").unwrap();
    let (folder, ttl) = (folder.to_path_buf(), std::time::Duration::from_secs(60));
    let cache = super::Cache::new(folder, ttl, 1 << 30, now).map(std::sync::Arc::new);
    at(Settings { cache, ..settings(&server) }, "s3://bucket")
}

/// A folder of its own in the bucket of a real server, where its address is set.
pub(super) fn server(variable: &str, claim: &str) -> Option<Store> {
    let url = super::testing::server(variable)?;
    let (service, bucket, access) = url;
    let profiles = [(service.to_owned(), access)].into();
    let limits = Limits { threshold: 2 << 20, chunk: 5 << 20, concurrency: 4 };
    let settings = Settings { profiles, limits, ..Settings::default() };
    let folder = format!("test-{}-{claim}", std::process::id());
    Some(at(settings, &format!("{service}://{bucket}/{folder}")))
}

macro_rules! on_each_backend {
    ($($claim:ident,)+) => {
        mod on_disk {
            $(#[tokio::test] async fn $claim() { super::$claim(&super::local().0).await }
            )+
        }
        mod in_memory {
            $(#[tokio::test] async fn $claim() { super::$claim(&super::Store::memory()).await }
            )+
        }
        mod in_s3 {
            $(#[tokio::test] async fn $claim() { super::$claim(&super::bucket("s3").await).await }
            )+
        }
        mod in_google_s {
            $(#[tokio::test] async fn $claim() { super::$claim(&super::bucket("gs").await).await }
            )+
        }
        mod in_a_folder_of_a_bucket {
            $(#[tokio::test] async fn $claim() {
                super::$claim(&super::bucket("s3 in/a folder").await).await
            })+
        }
        mod in_s3_through_the_cache {
            $(#[tokio::test] async fn $claim() {
                let folder = tempfile::tempdir().unwrap();
                super::$claim(&super::cached(folder.path()).await).await
            })+
        }
        mod in_a_server_of_s3_s_kind {
            $(#[tokio::test] async fn $claim() {
                if let Some(store) = super::server("ANOMSTACK_TEST_S3_URL", stringify!($claim)) {
                    super::$claim(&store).await
                }
            })+
        }
        mod in_a_server_of_azure_s_kind {
            $(#[tokio::test] async fn $claim() {
                if let Some(store) = super::server("ANOMSTACK_TEST_AZURE_URL", stringify!($claim)) {
                    super::$claim(&store).await
                }
            })+
        }
    };
}

on_each_backend! {
    what_is_put_is_got_and_replaced_whole,
    a_create_only_write_leaves_what_is_there,
    what_is_missing_is_said_to_be,
    listings_are_sorted_and_by_folder,
    keys_are_kept_letter_by_letter,
    moves_never_overwrite,
    size_and_checksum_are_compared,
    damaged_objects_are_moved_away_with_their_bytes,
    many_writers_of_one_key_leave_one_whole_object,
    an_object_may_be_empty,
    a_write_may_be_bound_to_what_was_seen,
    what_is_said_of_an_object_comes_back,
    parts_of_an_object_are_read,
    large_objects_go_in_pieces_and_appear_whole,
    large_objects_keep_to_their_condition,
    listings_take_patterns_extensions_and_orders,
    folders_are_made_found_and_removed,
    copies_and_moves_keep_what_is_said,
    a_mirror_copies_what_changed_and_nothing_else,
    several_are_written_and_read_in_order,
    usage_is_by_folder,
    a_probe_finds_nothing_wrong,
    long_keys_and_case_twins_are_told_apart,
}

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

async fn put(store: &Store, at: &str, text: &str) {
    store.put(&key(at), Bytes::from(text.to_owned()), WriteMode::Overwrite).await.unwrap();
}

async fn text(store: &Store, at: &str) -> String {
    String::from_utf8(store.get(&key(at)).await.unwrap().to_vec()).unwrap()
}

async fn listed(store: &Store, prefix: &str) -> Vec<String> {
    store.keys(prefix).await.unwrap().iter().map(Key::to_string).collect()
}

#[track_caller]
fn is_missing<T: std::fmt::Debug>(outcome: Result<T, StoreError>, expected: &str) {
    match outcome {
        Err(StoreError::NotFound { key }) if key.as_str() == expected => {}
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn is_taken<T: std::fmt::Debug>(outcome: Result<T, StoreError>, expected: &str) {
    match outcome {
        Err(StoreError::AlreadyExists { key }) if key.as_str() == expected => {}
        other => panic!("{other:?}"),
    }
}

async fn what_is_put_is_got_and_replaced_whole(store: &Store) {
    put(store, "a/b/c.txt", "a first, longer text").await;
    put(store, "a/b/c.txt", "second").await;
    assert_eq!(text(store, "a/b/c.txt").await, "second");
    let stat = store.stat(&key("a/b/c.txt")).await.unwrap();
    assert_eq!(stat.size, 6);
    assert!(Timestamp::parse("2020-01-01").unwrap() < stat.modified, "{:?}", stat.modified);
}

async fn a_create_only_write_leaves_what_is_there(store: &Store) {
    let at = key("models/x/model.pkl");
    store.put(&at, Bytes::from("one"), WriteMode::CreateOnly).await.unwrap();
    is_taken(store.put(&at, Bytes::from("two"), WriteMode::CreateOnly).await, at.as_str());
    assert_eq!(text(store, at.as_str()).await, "one");
    assert_eq!(listed(store, "").await, ["models/x/model.pkl"]);
}

async fn what_is_missing_is_said_to_be(store: &Store) {
    put(store, "a/b", "x").await;
    // An absent name, a folder, and a place below an object.
    for at in ["a/c", "c", "a", "a/b/c"] {
        is_missing(store.get(&key(at)).await, at);
        is_missing(store.get_verified(&key(at), "", 0).await, at);
        is_missing(store.stat(&key(at)).await, at);
        is_missing(store.delete(&key(at)).await, at);
        is_missing(store.rename(&key(at), &key("z")).await, at);
        is_missing(store.quarantine(&key(at)).await, at);
        assert!(!store.exists(&key(at)).await.unwrap());
        assert!(!store.delete_if_exists(&key(at)).await.unwrap());
    }
    assert!(store.exists(&key("a/b")).await.unwrap());
    assert!(store.delete_if_exists(&key("a/b")).await.unwrap());
    is_missing(store.get(&key("a/b")).await, "a/b");
    assert!(listed(store, "").await.is_empty());
}

async fn listings_are_sorted_and_by_folder(store: &Store) {
    for at in ["b/2", "b/10", "a/x/y", "a/B", "a/b", "ab/z", "b/1.parquet"] {
        put(store, at, "x").await;
    }
    let all = ["a/B", "a/b", "a/x/y", "ab/z", "b/1.parquet", "b/10", "b/2"];
    assert_eq!(listed(store, "").await, all);
    assert_eq!(listed(store, "a").await, ["a/B", "a/b", "a/x/y"]);
    assert_eq!(listed(store, "a/").await, ["a/B", "a/b", "a/x/y"]);
    assert_eq!(listed(store, "a/x").await, ["a/x/y"]);
    assert!(listed(store, "none/such").await.is_empty());
    let outside = store.keys("../..").await;
    assert!(matches!(outside, Err(StoreError::InvalidKey { .. })), "{outside:?}");
}

async fn keys_are_kept_letter_by_letter(store: &Store) {
    let mut names = [
        "%2E%2E/x%2Fy.pkl",
        "%41",
        "CPU~db9a4c7d/x",
        "T#1_RAW#1.parquet",
        "a b/+&=?.txt",
        "ünï/🚀",
        "x/...",
        "{^}`]\"><|*",
    ];
    for name in names {
        put(store, name, name).await;
    }
    names.sort_unstable();
    assert_eq!(listed(store, "").await, names);
    for name in names {
        assert_eq!(text(store, name).await, name);
    }
}

async fn moves_never_overwrite(store: &Store) {
    put(store, "a", "A").await;
    put(store, "b", "B").await;
    is_taken(store.rename(&key("a"), &key("b")).await, "b");
    store.rename(&key("a"), &key("d/e")).await.unwrap();
    assert_eq!(listed(store, "").await, ["b", "d/e"]);
    assert_eq!(text(store, "d/e").await, "A");
    assert_eq!(text(store, "b").await, "B");
}

async fn size_and_checksum_are_compared(store: &Store) {
    put(store, "k", "some bytes").await;
    let sha256 = sha256_hex(b"some bytes");
    assert_eq!(store.get_verified(&key("k"), &sha256, 10).await.unwrap(), "some bytes");
    let damage = |outcome| match outcome {
        Err(StoreError::Corrupt { key, expected, got }) => (key.to_string(), expected, got),
        other => panic!("{other:?}"),
    };
    let (at, expected, got) = damage(store.get_verified(&key("k"), &sha256, 11).await);
    assert_eq!((at.as_str(), expected.as_str(), got.as_str()), ("k", "11 bytes", "10 bytes"));
    put(store, "k", "sOme bytes").await;
    let (_, expected, got) = damage(store.get_verified(&key("k"), &sha256, 10).await);
    assert_eq!(expected, format!("SHA-256 {sha256}"));
    assert_eq!(got, format!("SHA-256 {}", sha256_hex(b"sOme bytes")));
}

async fn damaged_objects_are_moved_away_with_their_bytes(store: &Store) {
    for (nth, expected) in ["quarantine/m/x.pkl", "quarantine/1/m/x.pkl"].iter().enumerate() {
        put(store, "m/x.pkl", &format!("damaged {nth}")).await;
        assert_eq!(store.quarantine(&key("m/x.pkl")).await.unwrap().as_str(), *expected);
        assert_eq!(text(store, expected).await, format!("damaged {nth}"));
        is_missing(store.get(&key("m/x.pkl")).await, "m/x.pkl");
    }
}

async fn many_writers_of_one_key_leave_one_whole_object(store: &Store) {
    let (at, size) = (key("new/folder/k"), 100_000);
    let write = |mode| {
        futures::future::join_all((0..16_u8).map(|writer| {
            let (store, at) = (store.clone(), at.clone());
            async move { store.put(&at, vec![writer; size].into(), mode).await }
        }))
    };
    let created = write(WriteMode::CreateOnly).await;
    assert_eq!(created.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for outcome in write(WriteMode::Overwrite).await {
        outcome.unwrap();
    }
    let bytes = store.get(&at).await.unwrap();
    assert!(bytes.len() == size && bytes.iter().all(|byte| *byte == bytes[0]));
    assert_eq!(listed(store, "").await, ["new/folder/k"]);
}

async fn an_object_may_be_empty(store: &Store) {
    put(store, "empty", "").await;
    let bytes = store.get_verified(&key("empty"), &sha256_hex(b""), 0).await.unwrap();
    assert!(bytes.is_empty());
}

#[tokio::test]
async fn unfinished_writes_are_hidden_and_swept_and_nothing_else_is() {
    let (store, _folder) = local();
    let root = store.root().unwrap().to_path_buf();
    put(&store, "models/b/model.pkl", "x").await;
    put(&store, "T#1_RAW", "x").await;
    for name in ["models/b/model.pkl#1", "models/b/model.pkl#27", "catalog.db#1"] {
        std::fs::write(root.join(name), "half").unwrap();
    }
    std::fs::create_dir(root.join("folder#1")).unwrap();
    std::fs::write(root.join("folder#1/kept"), "x").unwrap();
    let kept = ["T#1_RAW", "folder#1/kept", "models/b/model.pkl"];
    assert_eq!(listed(&store, "").await, kept);
    assert_eq!(store.sweep_temporary().await.unwrap(), 3);
    assert_eq!(store.sweep_temporary().await.unwrap(), 0);
    assert_eq!(listed(&store, "").await, kept);
    assert!(!root.join("models/b/model.pkl#1").exists());
    assert_eq!(Store::memory().sweep_temporary().await.unwrap(), 0);
}

#[tokio::test]
async fn a_name_with_a_number_sign_is_hidden_while_it_is_written() {
    let (store, _folder) = local();
    let mut writer = store.writer(&key("T#1_RAW.parquet")).await.unwrap();
    writer.write(vec![0_u8; 70 << 20].into()).await.unwrap();
    assert!(listed(&store, "").await.is_empty());
    drop(writer);
    assert!(listed(&store, "").await.is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn links_that_lead_out_of_the_root_are_not_followed() {
    let (store, folder) = local();
    let root = store.root().unwrap().to_path_buf();
    let outside = folder.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("secret#1"), "s").unwrap();
    std::fs::write(outside.join("secret"), "s").unwrap();
    put(&store, "inside/x", "x").await;
    std::os::unix::fs::symlink(&outside, root.join("out")).unwrap();
    std::os::unix::fs::symlink(outside.join("secret"), root.join("file")).unwrap();
    std::os::unix::fs::symlink(root.join("inside"), root.join("in")).unwrap();
    for at in ["out/secret", "out/new", "out/deep/er/new", "file"] {
        let is_refused = |outcome: Option<StoreError>| {
            assert!(matches!(outcome, Some(StoreError::Outside { .. })), "{at}: {outcome:?}");
        };
        is_refused(store.get(&key(at)).await.err());
        is_refused(store.put(&key(at), "x".into(), WriteMode::Overwrite).await.err());
        is_refused(store.delete(&key(at)).await.err());
        is_refused(store.rename(&key("inside/x"), &key(at)).await.err());
    }
    assert_eq!(text(&store, "in/x").await, "x");
    assert_eq!(store.sweep_temporary().await.unwrap(), 0);
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 2);
}

#[tokio::test]
async fn a_root_that_is_a_file_is_refused_and_named() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("file");
    std::fs::write(&root, "x").unwrap();
    let root = root.join("below");
    let error = Store::local(&root).unwrap_err();
    assert!(error.to_string().contains("file/below"), "{error}");
}
