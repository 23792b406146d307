//! `[source]` of the kinds that are asked over HTTP.

use super::*;
use crate::domain::{PageStep, ParamValue, RowsAt, SourceKind, Span, WebAuth, WebFormat};

#[test]
fn an_http_source_is_read_as_written() {
    let spec = batch(
        r#"
[source]
kind = "http"
url = "https://example.com/rows?key=k"
headers = { accept = "application/json" }
auth = { user = "me", password = "w0rd" }
params = { since = "{{ last_timestamp }}", limit = 5 }
format = "json"
pointer = "/a/b"
columns = { timestamp = "when" }
paging = { next = "/next", cursor = "after", max_pages = 7 }
max_bytes = "1MiB"
allow_private = true
rate = "5/s"
"#,
    );
    let SourceKind::Http(http) = &spec.source.kind else { panic!() };
    assert_eq!(http.endpoint.url.reveal(), "https://example.com/rows?key=k");
    assert_eq!(http.endpoint.headers["accept"].reveal(), "application/json");
    let WebAuth::Basic { user, password } = &http.endpoint.auth else { panic!() };
    assert_eq!((user.as_str(), password.reveal()), ("me", "w0rd"));
    assert_eq!((http.endpoint.max_bytes, http.endpoint.allow_private), (1 << 20, true));
    assert_eq!((http.format, &http.rows), (Some(WebFormat::Json), &RowsAt::Pointer("/a/b".into())));
    assert_eq!(http.endpoint.pace, Some(Span::from_micros(200_000)));
    assert_eq!(http.params["limit"], ParamValue::Int(5));
    assert_eq!(http.columns["timestamp"], "when");
    let paging = http.paging.as_ref().unwrap();
    let step = PageStep::Cursor { pointer: "/next".into(), param: "after".into() };
    assert_eq!((&paging.step, paging.max_pages), (&step, 7));
    assert!(!spec.effective.contains("key=k") && !spec.effective.contains("w0rd"));
}

#[test]
fn what_an_http_source_cannot_mean_is_said() {
    check_batch(
        "[source]\nkind = \"http\"\n",
        &["a.toml:1:2: `source.url` is missing (write the address that answers with rows)"],
    );
    check_batch(
        "[source]\nkind = \"http\"\nurl = \"ftp://x\"\nformat = \"xml\"\npointer = \"rows\"\n",
        &[
            "a.toml:3:7: this is not an http:// or https:// address",
            "a.toml:4:10: `xml` is not one of json, csv, ndjson",
            "a.toml:5:11: `pointer` is not a JSON pointer (it begins with a slash, as in \"/result/rows\")",
        ],
    );
    let url = "[source]\nkind = \"http\"\nurl = \"http://x\"\n";
    check_batch(
        &format!("{url}headers = {{ \"a b\" = \"x\" }}\nauth = {{ user = \"u\" }}\n"),
        &[
            "a.toml:4:1: `a b` cannot be sent as a header",
            "a.toml:5:1: signing in with a password takes a `user` and a `password` (write { bearer = \"…\" } or { user = \"…\", password = \"…\" })",
        ],
    );
    check_batch(
        &format!(
            "{url}pointer = \"/a\"\npath = \"$.a\"\nrate = \"often\"\ncert_file = \"a.toml\"\n"
        ),
        &[
            "a.toml:5:1: `pointer` and `path` cannot both be given",
            "a.toml:6:8: `often` is not a rate (write how many in a second, minute or hour, as in \"5/s\" or \"100/m\")",
            "a.toml:7:1: `cert_file` and `key_file` are given together or not at all",
            "a.toml:7:13: `cert_file`: there is no such file",
        ],
    );
    check_batch(
        &format!("{url}path = \"data\"\n"),
        &[
            "a.toml:4:8: `data` is not a JSONPath query (it begins with a dollar sign, as in \"$.data[*]\")",
        ],
    );
    let help = "write { next = \"/next\" }, { next = \"/cursor\", cursor = \"after\" } or { page = \"page\" }";
    for paging in ["{ max_pages = 3 }", "{ next = \"/x\", page = \"p\" }"] {
        let expected = format!("a.toml:4:1: this is no way to the next page ({help})");
        check_batch(&format!("{url}paging = {paging}\n"), &[&expected]);
    }
}

#[test]
fn a_prometheus_source_is_read_as_written_and_checked() {
    let text = "[source]\nkind = \"prometheus\"\nurl = \"http://prom:9090\"\nquery = \"up\"\n";
    let SourceKind::Prometheus(spec) = batch(text).source.kind else { panic!() };
    let spans = [spec.step, spec.offset, spec.lookback].map(|span| span.to_string());
    assert_eq!((spans, spec.name, spec.tenant), (["1m", "0s", "1d"].map(String::from), None, None));
    assert_eq!(spec.endpoint.auth, WebAuth::None);
    let more = format!("{text}step = \"15s\"\nname = \"{{{{ job }}}}\"\ntenant = \"a\"\n");
    let SourceKind::Prometheus(spec) = batch(&more).source.kind else { panic!() };
    assert_eq!((spec.name.as_deref(), spec.tenant.as_deref()), (Some("{{ job }}"), Some("a")));
    check_batch(
        "[source]\nkind = \"prometheus\"\nurl = \"prom:9090\"\nstep = \"0s\"\ntenant = \"a\\nb\"\n",
        &[
            "a.toml:1:2: `source.query` is missing (write PromQL, as in \"sum by (job) (up)\")",
            "a.toml:3:7: this is not an http:// or https:// address",
            "a.toml:4:8: `step` must be longer than nothing",
            "a.toml:5:10: `tenant` cannot be sent as a header",
        ],
    );
}
