//! `[source]` with `kind = "file"`.

use crate::domain::{FileQuery, FileSpec, Location, SourceKind, StorageAccess};

use super::{
    section::{HIDDEN, Section},
    storage,
    values::refuse_word,
};

pub(super) const KEYS: &[&str] =
    &["path", "format", "sql", "profile", "storage", "allow_empty", "max_files", "max_bytes"];

pub(super) fn file(source: &mut Section<'_>) -> Option<SourceKind> {
    let locations = locations(source);
    let format = source.word("format").map(|word| word.value);
    let sql = query(source);
    let access = access(source);
    let allow_empty = source.flag("allow_empty", false);
    let max_files = source.count("max_files", 1..=1_000_000, FileSpec::DEFAULT_MAX_FILES);
    let locations = locations?;
    Some(SourceKind::File(FileSpec { locations, format, sql, access, allow_empty, max_files }))
}

/// One path or a list of them.
fn locations(source: &mut Section<'_>) -> Option<Vec<Location>> {
    let help = "write a path, glob or address, as in \"data/*.csv\" or \"s3://bucket/*.parquet\", or \
                a list of them; a path counts from the project folder";
    if !source.has("path") {
        source.missing("path", help);
    }
    let place = source.key_place("path").unwrap_or(source.place.clone());
    let texts = source.one_or_more_texts("path")?;
    if texts.iter().all(|text| text.value.text.trim().is_empty()) {
        source.check.problem_with_help(&place, "`path` is empty", help);
        return None;
    }
    let (mut locations, mut shown) = (Vec::new(), Vec::new());
    for text in &texts {
        if text.value.text.contains("://") && text.value.text.contains(['?', '@']) {
            source.check.hide(&text.place);
        }
        match Location::parse(&text.value.text, &source.check.dir) {
            Ok(location) => {
                let is_open = !text.value.is_expanded && !matches!(location, Location::Web(_));
                shown.push(match (is_open, &location) {
                    (true, _) => text.value.text.clone(),
                    (false, Location::Web(_)) if !text.value.is_expanded => location.to_string(),
                    (false, _) => HIDDEN.to_owned(),
                });
                locations.push(location);
            }
            Err(error) => source.check.problem(&text.place, error.to_string()),
        }
    }
    match shown.as_slice() {
        [one] if texts.len() == 1 => source.show("path", one.as_str()),
        all => source.show("path", all.to_vec()),
    }
    (locations.len() == texts.len()).then_some(locations)
}

fn query(source: &mut Section<'_>) -> Option<FileQuery> {
    if !source.has("sql") {
        source.ignore(&["sql"]);
        return None;
    }
    let query = source.required_text("sql", "write sql = \"SELECT … FROM files\"")?;
    let line = query.place.show(&[]).line;
    Some(FileQuery { text: query.value.text, origin: format!("{}:{line}", query.place.file.name) })
}

/// The table of this source, or the profile it names.
fn access(source: &mut Section<'_>) -> StorageAccess {
    let profile = source.text("profile");
    let has_table = source.has("storage");
    let own = source.table("storage", storage::access);
    let Some(profile) = profile else { return own };
    if has_table {
        let message = "`profile` and `[source.storage]` cannot both be given";
        source.check.problem(&profile.place, message);
        return own;
    }
    // Unknown when the system's file could not be read: then no name is wrong.
    let Some(profiles) = &source.check.profiles else { return own };
    if let Some(access) = profiles.get(&profile.value.text) {
        return access.clone();
    }
    let names: Vec<&str> = profiles.keys().map(String::as_str).collect();
    let (message, help) = if names.is_empty() {
        let name = &profile.value.text;
        let message = format!("there is no profile `{name}`");
        (message, Some(format!("write [storage.profiles.{name}] in config/anomstack.toml")))
    } else {
        let refusal = refuse_word(&profile.value.text, "source.profile", &names);
        (refusal.message, refusal.help)
    };
    match help {
        Some(help) => source.check.problem_with_help(&profile.place, message, help),
        None => source.check.problem(&profile.place, message),
    }
    own
}
