//! Conditions, pieces, listings, folders, copies and mirrors: the same on every backend.

use bytes::Bytes;

use super::{is_missing, is_taken, key, listed, put, text};
use crate::io::{Health, Key, Listing, Order, Store, StoreError, Transfer, WriteMode, sha256_hex};

pub(super) async fn a_write_may_be_bound_to_what_was_seen(store: &Store) {
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

pub(super) async fn what_is_said_of_an_object_comes_back(store: &Store) {
    put(store, "a/b.json", "{}").await;
    put(store, "a/b.JPG", "").await;
    let stat = store.stat(&key("a/b.json")).await.unwrap();
    assert_eq!(stat.sha256, Some(sha256_hex(b"{}")));
    assert_eq!(stat.content_type, "application/json");
    assert!(stat.etag.is_some());
    assert_eq!(store.stat(&key("a/b.JPG")).await.unwrap().content_type, "image/jpeg");
    assert_eq!(store.health(&key("a/b.json")).await.unwrap(), Health::Whole);
}

pub(super) async fn parts_of_an_object_are_read(store: &Store) {
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

pub(super) async fn large_objects_go_in_pieces_and_appear_whole(store: &Store) {
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

pub(super) async fn large_objects_keep_to_their_condition(store: &Store) {
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

pub(super) async fn listings_take_patterns_extensions_and_orders(store: &Store) {
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

pub(super) async fn folders_are_made_found_and_removed(store: &Store) {
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

pub(super) async fn copies_and_moves_keep_what_is_said(store: &Store) {
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

pub(super) async fn a_mirror_copies_what_changed_and_nothing_else(store: &Store) {
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

pub(super) async fn several_are_written_and_read_in_order(store: &Store) {
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

pub(super) async fn usage_is_by_folder(store: &Store) {
    for (at, text) in [("a/x", "12"), ("a/y/z", "345"), ("b", "6")] {
        put(store, at, text).await;
    }
    let usage = store.usage("").await.unwrap();
    let shown: Vec<_> = usage.iter().map(|u| (u.folder.as_str(), u.objects, u.bytes)).collect();
    assert_eq!(shown, [("", 1, 1), ("a", 2, 5), (".", 3, 6)]);
    let below = store.usage("a").await.unwrap();
    assert_eq!((below.len(), below[1].folder.as_str(), below[1].bytes), (3, "y", 3));
}

pub(super) async fn a_probe_finds_nothing_wrong(store: &Store) {
    let found = store.probe("a folder").await.unwrap();
    assert!(found.iter().all(|probe| probe.failure.is_none()), "{found:?}");
    assert_eq!(found.len(), 7);
    assert!(listed(store, "").await.is_empty());
}

pub(super) async fn long_keys_and_case_twins_are_told_apart(store: &Store) {
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
