//! Which objects have outlived their use: a decision without a clock or a disk.

use std::collections::BTreeMap;

use super::Entry;
use crate::domain::{Span, Timestamp};

/// What may go. Where both are set, an object goes when both say so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rule {
    /// What is younger stays.
    pub older_than: Option<Span>,
    /// The newest so many of each folder stay.
    pub keep: Option<usize>,
}

/// The objects a rule lets go, sorted by key. Of objects of one time, the one whose key comes last is
/// the newest. A rule that says nothing lets nothing go.
pub fn expired(entries: &[Entry], rule: Rule, now: Timestamp) -> Vec<&Entry> {
    if rule == Rule::default() {
        return Vec::new();
    }
    let mut folders: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        let folder = entry.key.as_str().rsplit_once('/').map_or("", |(folder, _)| folder);
        folders.entry(folder).or_default().push(entry);
    }
    let is_old = |entry: &Entry| rule.older_than.is_none_or(|age| age < now - entry.modified);
    let mut gone = Vec::new();
    for mut entries in folders.into_values() {
        entries.sort_by(|a, b| (b.modified, &b.key).cmp(&(a.modified, &a.key)));
        gone.extend(entries.into_iter().skip(rule.keep.unwrap_or(0)).filter(|e| is_old(e)));
    }
    gone.sort_by(|a, b| a.key.cmp(&b.key));
    gone
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::Key;

    fn of(keys: &[(&str, &str)]) -> Vec<Entry> {
        let entry = |(key, day): &(&str, &str)| Entry {
            key: Key::parse(key).unwrap(),
            size: 1,
            modified: Timestamp::parse(&format!("2026-01-{day}")).unwrap(),
            etag: None,
        };
        keys.iter().map(entry).collect()
    }

    #[track_caller]
    fn check(older_days: Option<i64>, keep: Option<usize>, expected: &[&str]) {
        let entries =
            of(&[("a/1", "01"), ("a/2", "10"), ("a/3", "20"), ("b/1", "01"), ("c", "19")]);
        let rule = Rule { older_than: older_days.map(|days| Span::hours(24 * days)), keep };
        let now = Timestamp::parse("2026-01-21").unwrap();
        let gone: Vec<&str> =
            expired(&entries, rule, now).iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(gone, expected, "{rule:?}");
    }

    #[test]
    fn age_and_count_go_by_folder_and_together() {
        check(None, None, &[]);
        check(Some(5), None, &["a/1", "a/2", "b/1"]);
        check(None, Some(1), &["a/1", "a/2"]);
        check(Some(15), Some(1), &["a/1"]);
        check(Some(0), Some(0), &["a/1", "a/2", "a/3", "b/1", "c"]);
    }
}
