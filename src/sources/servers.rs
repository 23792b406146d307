//! The real servers that suites run against, where their addresses are set when the tests run.

/// The address under a name; without one, nothing, and a word about what was not tested.
pub(super) fn url(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration to read it from")]
    let url = std::env::var(name).ok().filter(|url| !url.is_empty());
    if url.is_none() {
        eprintln!("not tested against a real server: {name} is not set");
    }
    url
}
