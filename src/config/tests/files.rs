//! `[source]` with `kind = "file"`, and how remote storage is reached.

use super::*;
use crate::domain::{FileFormat, Location, SourceKind, StorageService};

fn files(spec: &crate::domain::BatchSpec) -> &crate::domain::FileSpec {
    let SourceKind::File(files) = &spec.source.kind else { panic!() };
    files
}

#[test]
fn a_file_source_is_read_as_written() {
    let spec = batch(
        r#"
[source]
kind = "file"
path = ["s3://bucket/in/*.csv", "https://host/a.csv?sig=canary-4711"]
format = "csv"
sql = "SELECT * FROM files"
allow_empty = true
max_files = 7
max_bytes = "1MiB"

[source.storage]
endpoint = "http://127.0.0.1:9000"
allow_http = true
access_key = "canary-4712"
secret_key = "canary-4713"
path_style = false
"#,
    );
    let found = files(&spec);
    let [Location::Bucket { service, bucket, key }, Location::Web(url)] = &found.locations[..]
    else {
        panic!("{found:?}")
    };
    assert_eq!(
        (*service, bucket.as_str(), key.as_str()),
        (StorageService::S3, "bucket", "in/*.csv")
    );
    assert!(url.reveal().ends_with("sig=canary-4711"));
    assert_eq!(
        (found.format, found.allow_empty, found.max_files),
        (Some(FileFormat::Csv), true, 7)
    );
    assert_eq!(spec.source.max_bytes, 1 << 20);
    assert_eq!(found.sql.as_ref().unwrap().origin, "metric_batches/a.toml:6");
    let access = &found.access;
    assert_eq!(
        (access.path_style, access.allow_http, access.allow_private),
        (Some(false), true, false)
    );
    assert_eq!(access.secret_key.as_ref().unwrap().reveal(), "canary-4713");
    let shown = format!("{spec:?}");
    assert!(!spec.effective.contains("canary") && !shown.contains("canary"), "{}", spec.effective);
    assert!(spec.effective.contains("https://host/a.csv"), "{}", spec.effective);
}

#[test]
fn a_profile_of_the_system_is_used_by_name() {
    let system = "[storage.profiles.lake]\nregion = \"eu-west-1\"\nanonymous = true\n";
    let source = "[source]\nkind = \"file\"\npath = \"s3://b/a.csv\"\nprofile = \"lake\"\n";
    let dir = project(&[(SYSTEM_FILE, system), ("metric_batches/a.toml", source)]);
    let project = load(dir.path(), &Environment::default()).unwrap();
    let access = &files(&project.batches[0]).access;
    assert_eq!((access.region.as_deref(), access.anonymous), (Some("eu-west-1"), true));
    assert_eq!(project.system.profiles["lake"], *access);
}

#[test]
fn what_a_file_source_cannot_mean_is_said() {
    check_batch(
        "[source]\nkind = \"file\"\npath = [\"ftp://h/a\", \"s3://b\"]\nformat = \"xls\"\nprofile = \"lake\"\n",
        &[
            "a.toml:3:9: `ftp://` is not known here: write a path, or file://, s3://, gs://, az://, http:// or https://",
            "a.toml:3:22: a bucket's name and a path in it are needed, as in `s3://bucket/folder/*.csv`",
            "a.toml:4:10: `xls` is not one of csv, tsv, json, ndjson, parquet, arrow",
            "a.toml:5:11: there is no profile `lake` (write [storage.profiles.lake] in config/anomstack.toml)",
        ],
    );
    check_batch(
        "[source]\nkind = \"file\"\npath = \"\"\n[source.storage]\nendpoint = \"http://h\"\nregion = \"x.evil/#\"\naccount = \"evil.host\"\nregoin = \"x\"\n",
        &[
            "a.toml:3:1: `path` is empty (write a path, glob or address, as in \"data/*.csv\" or \"s3://bucket/*.parquet\", or a list of them; a path counts from the project folder)",
            "a.toml:5:12: `endpoint` is spoken to without TLS (write https://, or `allow_http = true` beside it)",
            "a.toml:6:10: `region` is not up to 40 lower-case letters, digits and `-`, as in `eu-west-1`",
            "a.toml:7:11: `account` is not 3 to 24 lower-case letters and digits",
            "a.toml:8:1: unknown key `regoin` in [source.storage] (did you mean `region`?)",
        ],
    );
}
