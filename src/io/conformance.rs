//! What every store owes its callers, as functions over a store, run against each backend.

use bytes::Bytes;
use tempfile::TempDir;

use super::{
    Health, Key, Limits, Listing, Order, Registry, Settings, Store, StoreError, Stores, Transfer,
    WriteMode, sha256_hex, testing::BucketServer,
};
use crate::domain::{Secret, StorageAccess, StoreLocation, Timestamp};

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
async fn bucket(scheme: &str) -> Store {
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
fn server(variable: &str, claim: &str) -> Option<Store> {
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

async fn a_write_may_be_bound_to_what_was_seen(store: &Store) {
    let at = key("a/state.json");
    let first = store.put(&at, "1".into(), WriteMode::CreateOnly).await.unwrap();
    let first = first.etag.or(store.stat(&at).await.unwrap().etag).unwrap();
    assert_eq!(store.stat(&at).await.unwrap().etag.as_ref(), Some(&first));
    store.put(&at, "2".into(), WriteMode::IfUnchanged(&first)).await.unwrap();
    let stale = store.put(&at, "3".into(), WriteMode::IfUnchanged(&first)).await;
    assert!(matches!(stale, Err(StoreError::Changed { .. })), "{stale:?}");
    assert_eq!(text(store, at.as_str()).await, "2");
    let none = store.put(&key("none"), "3".into(), WriteMode::IfUnchanged(&first)).await;
    assert!(matches!(none, Err(StoreError::Changed { .. })), "{none:?}");
    assert_eq!(listed(store, "").await, ["a/state.json"]);
}

async fn what_is_said_of_an_object_comes_back(store: &Store) {
    put(store, "a/b.json", "{}").await;
    put(store, "a/b.JPG", "").await;
    let stat = store.stat(&key("a/b.json")).await.unwrap();
    assert_eq!(stat.sha256, Some(sha256_hex(b"{}")));
    assert_eq!(stat.content_type, "application/json");
    assert!(stat.etag.is_some());
    assert_eq!(store.stat(&key("a/b.JPG")).await.unwrap().content_type, "image/jpeg");
    assert_eq!(store.health(&key("a/b.json")).await.unwrap(), Health::Whole);
}

async fn parts_of_an_object_are_read(store: &Store) {
    put(store, "k", "0123456789").await;
    assert_eq!(store.get_range(&key("k"), 2..5).await.unwrap(), "234");
    assert_eq!(store.get_range(&key("k"), 9..10).await.unwrap(), "9");
    let missing = store.get_range(&key("none"), 0..1).await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })), "{missing:?}");
}

/// 7 MiB in parts of which no two have the same bytes.
fn large() -> Vec<Bytes> {
    (0..7_u8).map(|nth| Bytes::from(vec![nth; 1 << 20])).collect()
}

async fn large_objects_go_in_pieces_and_appear_whole(store: &Store) {
    let at = key("big/one.bin");
    let mut writer = store.writer(&at).await.unwrap();
    for piece in large() {
        writer.write(piece).await.unwrap();
    }
    assert!(!store.exists(&at).await.unwrap());
    assert!(listed(store, "").await.is_empty());
    let written = writer.finish(WriteMode::Overwrite).await.unwrap();
    let all = large().concat();
    assert_eq!((written.size, written.sha256), (all.len() as u64, sha256_hex(&all)));
    let stat = store.stat(&at).await.unwrap();
    assert_eq!(stat.sha256, Some(sha256_hex(&all)));
    assert!(store.get(&at).await.unwrap() == all);
    // One that is given up leaves what is there.
    let mut writer = store.writer(&at).await.unwrap();
    for piece in large() {
        writer.write(piece).await.unwrap();
    }
    writer.abandon().await;
    drop(writer);
    assert_eq!(listed(store, "").await, ["big/one.bin"]);
    // One that is not what it was said to be is not written.
    let mut writer = store.writer_of(&key("big/two"), 3, Some(sha256_hex(b"abc"))).await.unwrap();
    writer.write("abd".into()).await.unwrap();
    let refused = writer.finish(WriteMode::Overwrite).await;
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    assert!(!store.exists(&key("big/two")).await.unwrap());
}

async fn large_objects_keep_to_their_condition(store: &Store) {
    let at = key("big");
    put(store, "big", "small").await;
    let mut writer = store.writer(&at).await.unwrap();
    for piece in large() {
        writer.write(piece).await.unwrap();
    }
    is_taken(writer.finish(WriteMode::CreateOnly).await, "big");
    assert_eq!(text(store, "big").await, "small");
    let mut writer = store.writer(&at).await.unwrap();
    for piece in large() {
        writer.write(piece).await.unwrap();
    }
    let stale = writer.finish(WriteMode::IfUnchanged("\"another\"")).await;
    assert!(matches!(stale, Err(StoreError::Changed { .. })), "{stale:?}");
    assert_eq!(text(store, "big").await, "small");
    assert_eq!(listed(store, "").await, ["big"]);
}

async fn listings_take_patterns_extensions_and_orders(store: &Store) {
    for at in ["d/f10.csv", "d/f2.CSV", "d/e/f1.csv", "d/x.parquet", "f1.csv", "d/e/g.tar.gz"] {
        put(store, at, "x").await;
    }
    let found = async |listing: Listing| -> Vec<String> {
        let entries = store.list(&listing).await.unwrap();
        entries.iter().map(|entry| entry.key.to_string()).collect()
    };
    let of = |pattern| Listing::of("d").matching(pattern).unwrap();
    assert_eq!(found(of("f*")).await, ["d/e/f1.csv", "d/f10.csv", "d/f2.CSV"]);
    assert_eq!(found(of("e/*")).await, ["d/e/f1.csv", "d/e/g.tar.gz"]);
    assert_eq!(found(of("{x,g}.*")).await, ["d/e/g.tar.gz", "d/x.parquet"]);
    let csv = Listing::of("d").with_extensions(["csv"]);
    assert_eq!(found(csv.clone()).await, ["d/e/f1.csv", "d/f10.csv", "d/f2.CSV"]);
    let natural = csv.clone().flat().sorted(Order::Natural);
    assert_eq!(found(natural).await, ["d/f2.CSV", "d/f10.csv"]);
    assert_eq!(found(Listing::of("").with_extensions([".tar.gz"])).await, ["d/e/g.tar.gz"]);
    assert!(found(Listing::of("none").flat()).await.is_empty());
    let folders = store.folders("", Order::Bytes).await.unwrap();
    assert_eq!(folders.iter().map(Key::to_string).collect::<Vec<_>>(), ["d"]);
    assert!(Listing::of("").matching("[").is_err());
}

async fn folders_are_made_found_and_removed(store: &Store) {
    store.ensure_dir("made/by/hand").await.unwrap();
    store.ensure_dir("made/by/hand").await.unwrap();
    put(store, "a/b/c", "x").await;
    put(store, "a/bc", "x").await;
    for (folder, expected) in [("a", true), ("a/b", true), ("a/b/c", false), ("z", false)] {
        assert_eq!(store.is_dir(folder).await.unwrap(), expected, "{folder}");
    }
    assert_eq!(store.delete_tree("a/b").await.unwrap(), 1);
    assert!(!store.is_dir("a/b").await.unwrap());
    assert_eq!(listed(store, "").await, ["a/bc"]);
    is_missing(store.delete_tree("a/b").await, "a/b");
    assert!(store.delete_tree("").await.is_err());
}

async fn copies_and_moves_keep_what_is_said(store: &Store) {
    put(store, "a.json", "{}").await;
    put(store, "taken", "x").await;
    is_taken(store.copy(&key("a.json"), store, &key("taken"), Transfer::Careful).await, "taken");
    is_missing(store.copy(&key("none"), store, &key("new"), Transfer::Careful).await, "none");
    is_missing(store.move_to(&key("none"), store, &key("new"), Transfer::Replace).await, "none");
    store.copy(&key("a.json"), store, &key("b/c.json"), Transfer::Careful).await.unwrap();
    store.move_to(&key("a.json"), store, &key("taken"), Transfer::Replace).await.unwrap();
    assert_eq!(listed(store, "").await, ["b/c.json", "taken"]);
    for at in ["b/c.json", "taken"] {
        assert_eq!(text(store, at).await, "{}");
        assert_eq!(store.stat(&key(at)).await.unwrap().sha256, Some(sha256_hex(b"{}")), "{at}");
    }
    // Onto itself nothing happens, and above all nothing is lost.
    store.move_to(&key("taken"), store, &key("taken"), Transfer::Replace).await.unwrap();
    is_taken(store.copy(&key("taken"), store, &key("taken"), Transfer::Careful).await, "taken");
    assert_eq!(text(store, "taken").await, "{}");
    let other = Store::memory();
    store.move_to(&key("taken"), &other, &key("far"), Transfer::Careful).await.unwrap();
    other.copy(&key("far"), store, &key("back"), Transfer::Careful).await.unwrap();
    assert_eq!(listed(store, "").await, ["b/c.json", "back"]);
    assert_eq!(store.stat(&key("back")).await.unwrap().sha256, Some(sha256_hex(b"{}")));
}

async fn a_mirror_copies_what_changed_and_nothing_else(store: &Store) {
    let source = Store::memory();
    for (at, text) in [("in/a", "1"), ("in/b/c", "2"), ("in/d", "3"), ("out", "4")] {
        put(&source, at, text).await;
    }
    let mirror = async |how| source.mirror("in", store, "copy", how).await.unwrap();
    let dry = mirror((false, true)).await;
    assert_eq!((dry.copied.len(), listed(store, "").await.len()), (3, 0));
    let first = mirror((false, false)).await;
    assert_eq!(first.copied, ["copy/a", "copy/b/c", "copy/d"]);
    put(&source, "in/a", "9").await;
    source.delete(&key("in/d")).await.unwrap();
    let second = mirror((true, false)).await;
    assert_eq!((second.copied, second.unchanged), (vec!["copy/a".to_owned()], 1));
    assert_eq!(second.removed, ["copy/d"]);
    assert_eq!(listed(store, "").await, ["copy/a", "copy/b/c"]);
    assert_eq!(text(store, "copy/a").await, "9");
}

async fn several_are_written_and_read_in_order(store: &Store) {
    let names: Vec<String> = (0..20).map(|nth| format!("n/{nth:02}")).collect();
    let objects = names.iter().map(|name| (key(name), Bytes::from(name.clone()))).collect();
    for written in store.put_all(objects, WriteMode::Overwrite).await {
        written.unwrap();
    }
    let mut keys: Vec<Key> = names.iter().rev().map(|name| key(name)).collect();
    keys.insert(3, key("none"));
    let read = store.get_all(&keys).await;
    for (key, outcome) in keys.iter().zip(read) {
        match outcome {
            Ok(bytes) => assert_eq!(bytes, key.as_str()),
            Err(error) => is_missing::<()>(Err(error), "none"),
        }
    }
}

async fn usage_is_by_folder(store: &Store) {
    for (at, text) in [("a/x", "12"), ("a/y/z", "345"), ("b", "6")] {
        put(store, at, text).await;
    }
    let usage = store.usage("").await.unwrap();
    let shown: Vec<_> = usage.iter().map(|u| (u.folder.as_str(), u.objects, u.bytes)).collect();
    assert_eq!(shown, [("", 1, 1), ("a", 2, 5), (".", 3, 6)]);
    let below = store.usage("a").await.unwrap();
    assert_eq!((below.len(), below[1].folder.as_str(), below[1].bytes), (3, "y", 3));
}

async fn a_probe_finds_nothing_wrong(store: &Store) {
    let found = store.probe("a folder").await.unwrap();
    assert!(found.iter().all(|probe| probe.failure.is_none()), "{found:?}");
    assert_eq!(found.len(), 7);
    assert!(listed(store, "").await.is_empty());
}

async fn long_keys_and_case_twins_are_told_apart(store: &Store) {
    let long = ["x".repeat(200), "y".repeat(200), "z".repeat(200), "ä".repeat(80)].join("/");
    let mut names = ["Case/Twin", "case/twin", "a#b", "50%", "a+b c", long.as_str()];
    for name in names {
        put(store, name, name).await;
    }
    names.sort_unstable();
    assert_eq!(listed(store, "").await, names);
    for name in names {
        assert_eq!(text(store, name).await, name);
    }
    assert!(Key::parse("a\\b").is_err());
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
