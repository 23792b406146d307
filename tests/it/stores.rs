//! Stores from the command line, and a project whose objects lie in a bucket.

use std::{fs, process::Stdio};

use serde_json::Value;

use crate::support::{BucketServer, END, Fault, Project};

/// What a project says whose objects lie in the stand-in's bucket.
fn in_bucket(server: &BucketServer) -> String {
    format!(
        "[storage]\nbackend = \"s3\"\nroot = \"bucket/watch/this\"\nendpoint = \"{}\"\n\
         allow_http = true\nallow_private = true\nretry_budget = \"3s\"\n\
         [storage.profiles.lake]\nendpoint = \"{0}\"\nallow_http = true\nallow_private = true\n\
         [channels.file]\nkind = \"file\"\npath = \"alerts.jsonl\"\n",
        server.endpoint()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_whose_objects_lie_in_a_bucket_finds_what_one_on_a_disk_finds() {
    let server = BucketServer::start().await;
    let (there, here) = (Project::shop(), Project::shop());
    there.write("config/anomstack.toml", &in_bucket(&server));
    server.fail("PUT", "segment", 2, Fault::Status(503));
    server.fail("PUT", "model_", 1, Fault::LoseReply);
    for project in [&there, &here] {
        project.pass();
        project.pass();
    }
    assert_eq!(there.alerts("shop"), here.alerts("shop"));
    assert!(!there.alerts("shop").is_empty());
    let keys = server.keys();
    let models = keys.iter().filter(|key| key.starts_with("watch/this/models/shop/")).count();
    assert_eq!(models, 2 * 2 * 4, "two passes, model and card, four metrics: {keys:#?}");
    // On this machine lies only what cannot lie elsewhere.
    let files = there.files();
    let is_local = |name: &String| {
        ["catalog.db", "daemon.lock", "data/cache/"].iter().any(|start| name.starts_with(start))
    };
    assert!(files.iter().all(is_local), "{files:#?}");
    // A damaged model is set aside, in the bucket too, and the one before serves.
    let newest = &there.list(&["models", "list", "shop", "orders"])[0];
    let key = newest["model_key"].as_str().unwrap();
    server.damage(&format!("watch/this/{key}"), b"damaged");
    there.run(&["store", "cache", "clear"]).succeeded();
    let verified = there.run(&["--json", "store", "verify", "models"]);
    verified.exited(1);
    let verified: Value = serde_json::from_str(&verified.stdout).unwrap();
    assert_eq!(verified["damaged"].as_array().unwrap().len(), 1, "{verified}");
    there.run(&["run", "shop", "--job", "score", "--at", END]).succeeded();
    assert!(server.keys().contains(&format!("watch/this/quarantine/{key}")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_down_fails_the_run_and_the_next_one_heals() {
    let server = BucketServer::start().await;
    let project = Project::shop();
    project.write("config/anomstack.toml", &in_bucket(&server));
    server.fail("PUT", "/bucket/", 100_000, Fault::Status(500));
    let ran = project.run(&["run", "shop", "--at", END]);
    ran.exited(1);
    assert!(ran.stderr.contains("does not answer"), "{ran:?}");
    let well = BucketServer::start().await;
    project.write("config/anomstack.toml", &in_bucket(&well));
    project.pass();
    assert!(!project.alerts("shop").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_refuses_a_store_that_overlooks_conditions() {
    let server = BucketServer::start().await;
    let project = Project::shop();
    project.write("config/anomstack.toml", &in_bucket(&server));
    server.overlook_conditions();
    let ran = project.run(&["serve", "--port", "0"]);
    ran.exited(2);
    assert!(ran.stderr.contains("create only"), "{}", ran.stderr);
    let probe = project.run(&["store", "probe"]);
    probe.exited(1);
    assert!(probe.stdout.contains("the condition was overlooked"), "{}", probe.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_go_from_store_to_store_by_their_addresses() {
    let server = BucketServer::start().await;
    let project = Project::shop();
    project.write("config/anomstack.toml", &in_bucket(&server));
    project.write("in/a.csv", "x\n1\n");
    project.write("in/b/c.json", "{}");
    let folder = project.path().join("in").display().to_string();
    // Without a name, another bucket is reached as the project's own is.
    project.run(&["store", "keys", "s3://bucket/"]).succeeded();
    let mirrored = project.json(&["store", "mirror", &folder, "s3://lake@bucket/copy"]);
    assert_eq!(mirrored["copied"], serde_json::json!(["copy/a.csv", "copy/b/c.json"]));
    assert_eq!(server.keys(), ["copy/a.csv", "copy/b/c.json"]);
    let again = project.json(&["store", "mirror", &folder, "s3://lake@bucket/copy"]);
    assert_eq!((again["unchanged"].as_u64(), again["bytes"].as_u64()), (Some(2), Some(0)));
    let keys = project.run(&["store", "keys", "s3://lake@bucket/copy", "--ext", "CSV"]);
    assert_eq!(keys.stdout, "copy/a.csv\n");
    let back = project.path().join("back.csv").display().to_string();
    project.run(&["store", "copy", "s3://lake@bucket/copy/a.csv", &back]).succeeded();
    assert_eq!(project.read("back.csv"), "x\n1\n");
    project.run(&["store", "copy", "s3://lake@bucket/copy/a.csv", &back]).exited(1);
    project.run(&["store", "move", "--force", "s3://lake@bucket/copy/a.csv", &back]).succeeded();
    assert_eq!(server.keys(), ["copy/b/c.json"]);
    let unknown = project.run(&["store", "keys", "ftp://host/x"]);
    unknown.exited(2);
    assert!(unknown.stderr.contains("there is no backend `ftp`"), "{}", unknown.stderr);
    let profile = project.run(&["store", "keys", "s3://none@bucket"]);
    profile.exited(2);
    assert!(profile.stderr.contains("there is no profile `none`"), "{}", profile.stderr);
}

#[test]
fn objects_are_put_got_looked_at_and_removed() {
    let project = Project::empty();
    project.write("a.json", "{\"a\": 1}");
    let file = project.path().join("a.json").display().to_string();
    let put = project.json(&["store", "put", &file, "notes/a.json"]);
    assert_eq!(
        (put["size"].as_u64(), put["content_type"].as_str()),
        (Some(8), Some("application/json"))
    );
    let etag = put["etag"].as_str().unwrap();
    project.run(&["store", "put", &file, "notes/a.json", "--if-absent"]).exited(1);
    let bound = ["store", "put", &file, "notes/a.json", "--if-match", etag];
    project.run(&bound).succeeded();
    let stale = project.run(&bound);
    stale.exited(1);
    assert!(stale.stderr.contains("has changed since"), "{}", stale.stderr);
    assert_eq!(project.run(&["store", "get", "notes/a.json"]).stdout, "{\"a\": 1}");
    assert_eq!(project.run(&["store", "get", "notes/a.json", "--range", "1-3"]).stdout, "\"a\"");
    let mut child = project.command(&["store", "put", "-", "notes/in"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"from a pipe").unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(project.run(&["store", "get", "notes/in"]).stdout, "from a pipe");
    project.run(&["store", "exists", "notes/in"]).succeeded();
    project.run(&["store", "exists", "notes/none"]).exited(1);
    project.run(&["store", "is-dir", "notes"]).succeeded();
    project.run(&["store", "is-dir", "none"]).exited(1);
    project.run(&["store", "ensure-dir", "empty/one"]).succeeded();
    project.run(&["store", "is-dir", "empty/one"]).succeeded();
    project.run(&["store", "delete", "--recursive", "empty"]).succeeded();
    let usage = project.list(&["store", "du"]);
    assert_eq!(usage[0]["folder"], "notes");
    assert_eq!(usage.last().unwrap()["bytes"], 19);
    // Bytes that were changed behind the program's back are found, and nothing of them is passed on.
    fs::write(project.root().join("notes/a.json"), "{\"a\": 2}").unwrap();
    let out = project.path().join("out.json").display().to_string();
    let got = project.run(&["store", "get", "notes/a.json", "--out", &out]);
    got.exited(1);
    assert!(got.stderr.contains("`notes/a.json` is damaged"), "{}", got.stderr);
    assert!(!project.path().join("out.json").exists());
    project.run(&["store", "verify", "--quarantine"]).exited(1);
    let keys = project.run(&["store", "keys"]).stdout;
    assert_eq!(keys, "notes/in\nquarantine/notes/a.json\n");
    project.run(&["store", "delete", "notes/none"]).exited(1);
    project.run(&["store", "delete", "notes/none", "--missing-ok"]).succeeded();
    for key in ["a/../../b", "..", "a\\b", "a//b", "x#1", ""] {
        let ran = project.run(&["store", "put", &file, key]);
        ran.exited(2);
        assert!(ran.stderr.contains("is not a key"), "{key}: {}", ran.stderr);
    }
}

#[test]
fn old_objects_are_named_and_removed_only_when_told() {
    let project = Project::empty();
    let file = project.path().join("config/anomstack.toml").display().to_string();
    for key in ["old/1", "old/2", "old/3", "other/1"] {
        project.run(&["store", "put", &file, key]).succeeded();
    }
    let named = project.json(&["store", "retain", "old", "--keep", "1"]);
    assert_eq!(
        (named["removed"].as_array().unwrap().len(), named["is_dry"].as_bool()),
        (2, Some(true))
    );
    assert_eq!(project.run(&["store", "keys", "old"]).stdout.lines().count(), 3);
    project.run(&["store", "retain", "old", "--keep", "1", "--older", "1d", "--apply"]).succeeded();
    assert_eq!(project.run(&["store", "keys", "old"]).stdout.lines().count(), 3);
    project.run(&["store", "retain", "old", "--keep", "1", "--apply"]).succeeded();
    assert_eq!(project.run(&["store", "keys"]).stdout, "old/3\nother/1\n");
}
