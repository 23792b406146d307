//! How the server is reached.

use super::*;

fn base_url(text: &str) -> Option<String> {
    let dir = project(&[(SYSTEM_FILE, &format!("[server]\n{text}\n"))]);
    load(dir.path(), &Environment::default()).unwrap().system.server.base_url
}

#[test]
fn the_servers_address_for_people_is_read_without_a_slash_at_its_end() {
    assert_eq!(base_url(""), None);
    for (written, read) in [
        ("https://anomstack.example.com", "https://anomstack.example.com"),
        ("http://anomstack.example.com:8087/", "http://anomstack.example.com:8087"),
        ("http://[::1]:8087", "http://[::1]:8087"),
    ] {
        assert_eq!(base_url(&format!("base_url = {written:?}")).as_deref(), Some(read));
    }
}

#[test]
fn an_address_that_is_no_servers_alone_is_reported() {
    for wrong in [
        "anomstack.example.com",
        "ftp://anomstack.example.com",
        "javascript:alert(1)",
        "https://anomstack.example.com/below",
        "https://anomstack.example.com?x=1",
        "https://anomstack.example.com/#top",
        "https://me:secret@anomstack.example.com",
        "https://",
        "",
    ] {
        check_system(
            &format!("[server]\nbase_url = {wrong:?}\n"),
            &["anomstack.toml:2:12: `base_url` is not the address of a server alone (write it as \
               in https://anomstack.example.com, without path or user)"],
        );
    }
    check_system(
        "[server]\nbase_url = 1\n",
        &["anomstack.toml:2:12: `base_url` must be a text, not an integer"],
    );
}
