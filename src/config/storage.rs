//! How to reach remote storage: `[storage.profiles.NAME]` of the system and `[source.storage]` of a
//! batch, which have the same keys.

use std::collections::BTreeMap;

use crate::domain::{Secret, StorageAccess};

use super::{section::Section, system::is_web_address};

/// The profiles of `[storage]`, by name.
pub(super) fn profiles(storage: &mut Section<'_>) -> BTreeMap<String, StorageAccess> {
    let mut profiles = BTreeMap::new();
    storage.named("profiles", |name, place, profile| {
        if name.trim().is_empty() {
            profile.check.problem(place, "a profile's name must not be empty");
        }
        profiles.insert(name.to_owned(), access(profile));
    });
    profiles
}

/// One table of them.
pub(super) fn access(section: &mut Section<'_>) -> StorageAccess {
    let endpoint = section.text("endpoint").map(|found| (found.value.text, found.place));
    let allow_http = section.flag("allow_http", false);
    if let Some((endpoint, place)) = &endpoint {
        if !is_web_address(endpoint) {
            let message = "`endpoint` is not an http:// or https:// address";
            section.check.problem(place, message);
        } else if endpoint.starts_with("http://") && !allow_http {
            let message = "`endpoint` is spoken to without TLS";
            let help = "write https://, or `allow_http = true` beside it";
            section.check.problem_with_help(place, message, help);
        }
    }
    let mut secret = |key| -> Option<Secret> { section.secret(key).map(|found| found.value) };
    let (access_key, secret_key) = (secret("access_key"), secret("secret_key"));
    let (token, sas_token) = (secret("token"), secret("sas_token"));
    let service_account = secret("service_account");
    let is_lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_region = |text: &str| {
        (1..=40).contains(&text.len()) && text.chars().all(|c| is_lower(c) || c == '-')
    };
    let is_account = |text: &str| (3..=24).contains(&text.len()) && text.chars().all(is_lower);
    let region = "up to 40 lower-case letters, digits and `-`, as in `eu-west-1`";
    let account = "3 to 24 lower-case letters and digits";
    StorageAccess {
        endpoint: endpoint.map(|(endpoint, _)| endpoint),
        region: host_part(section, "region", region, is_region),
        access_key,
        secret_key,
        token,
        account: host_part(section, "account", account, is_account),
        sas_token,
        service_account,
        path_style: section.has("path_style").then(|| section.flag("path_style", true)),
        allow_http,
        allow_private: section.flag("allow_private", false),
        anonymous: section.flag("anonymous", false),
    }
}

/// A text that becomes part of the name of the host that is asked.
fn host_part(
    section: &mut Section<'_>,
    key: &'static str,
    what: &str,
    is_part: impl Fn(&str) -> bool,
) -> Option<String> {
    let found = section.text(key)?;
    if !is_part(&found.value.text) {
        section.check.problem(&found.place, format!("`{key}` is not {what}"));
        return None;
    }
    Some(found.value.text)
}
