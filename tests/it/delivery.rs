//! Who is told and how often, and what nobody is ever told.

use std::fs;

use anomstack::{
    catalog::{Catalog, outbox},
    domain::{Span, Timestamp},
};

use crate::support::{Contents, END, Project, Receiver, files_below};

fn with_webhook(receiver: &Receiver, more: &str) -> Project {
    let project = Project::shop();
    let url = receiver.url("/hook/t0k3n-canary");
    let channel = format!("[channels.hook]\nkind = \"webhook\"\nurl = \"{url}\"\n{more}\n");
    project.write("config/anomstack.toml", &(project.read("config/anomstack.toml") + &channel));
    let batch = project.read("metric_batches/shop.toml");
    project.write("metric_batches/shop.toml", &batch.replace("[\"file\"]", "[\"hook\"]"));
    project
}

fn outbox_of(project: &Project) -> Vec<(String, String, u64)> {
    Contents::of(project, "shop").outbox
}

/// Makes every waiting message due, as time would.
fn hurry(project: &Project) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let catalog = Catalog::open(&project.root().join("catalog.db")).await.unwrap();
        let mut tx = catalog.begin().await.unwrap();
        let end = Timestamp::parse(END).unwrap();
        let far = end + Span::days(3_650);
        for channel in outbox::waiting_channels(&mut tx).await.unwrap() {
            let taking = outbox::Taking::at(far);
            for delivery in outbox::take(&mut tx, &channel, taking, 100).await.unwrap() {
                let put_off = outbox::Settled::Postponed { at: end };
                assert!(outbox::settle(&mut tx, &delivery, &put_off, end).await.unwrap());
            }
        }
        tx.commit().await.unwrap();
        catalog.close().await.unwrap();
    });
}

fn entry(channel: &str, state: &str, n: u64) -> (String, String, u64) {
    (channel.into(), state.into(), n)
}

#[test]
fn a_message_is_tried_again_under_the_same_id_until_it_is_taken() {
    let receiver = Receiver::answering(&[500, 500, 500, 200]);
    let project = with_webhook(&receiver, "allow_private = true");
    project.pass();
    for _ in 0..4 {
        if outbox_of(&project) == [entry("hook", "sent", 1)] {
            break;
        }
        assert_eq!(outbox_of(&project), [entry("hook", "pending", 1)]);
        hurry(&project);
        project.pass();
    }
    assert_eq!(outbox_of(&project), [entry("hook", "sent", 1)]);
    let requests = receiver.requests();
    assert_eq!(requests.len(), 4);
    let ids: Vec<&str> = requests.iter().map(|request| request.header("webhook-id")).collect();
    assert_eq!(ids, [ids[0]; 4]);
    assert!(ids[0].ends_with(".hook"), "{ids:?}");
    for (n, request) in requests.iter().enumerate() {
        let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!(
            (&body["id"], &body["data"]["alerts"][0]["metric"]),
            (&ids[0].into(), &"orders".into())
        );
        assert_eq!(body["data"]["attempt"], n + 1);
    }
    hurry(&project);
    project.pass();
    assert_eq!(receiver.requests().len(), 4, "what was taken is not sent again");
}

#[test]
fn a_message_that_is_refused_for_good_is_dead_and_not_tried_again() {
    let receiver = Receiver::answering(&[410]);
    let project = with_webhook(&receiver, "allow_private = true");
    project.pass();
    hurry(&project);
    project.pass();
    assert_eq!(outbox_of(&project), [entry("hook", "dead", 1)]);
    assert_eq!(receiver.requests().len(), 1);
}

#[test]
fn a_channel_that_the_other_side_closed_is_listed_and_can_be_used_again() {
    let receiver = Receiver::answering(&[410, 200, 200]);
    let project = with_webhook(&receiver, "allow_private = true");
    project.pass();
    let channels = project.list(&["channels", "list"]);
    let hook = channels.iter().find(|channel| channel["channel"] == "hook").unwrap();
    assert!(hook["state"].as_str().unwrap().starts_with("disabled since"), "{hook}");
    assert!(project.run(&["alerts", "dead", "--retry", "all"]).stdout.contains('1'));
    project.pass();
    assert_eq!(outbox_of(&project), [entry("hook", "pending", 1)], "it is closed");
    assert!(project.run(&["channels", "enable", "hook"]).stdout.contains("used again"));
    let tested = project.run(&["channels", "test", "hook"]);
    assert!(tested.stdout.contains("it has the test message"), "{}", tested.stdout);
    hurry(&project);
    project.pass();
    assert_eq!(outbox_of(&project), [entry("hook", "sent", 1)]);
    let bodies: Vec<_> = receiver.requests().into_iter().map(|request| request.body).collect();
    assert!(bodies[1].contains("alert.test") && bodies[2].contains("alert.firing"), "{bodies:?}");
}

#[test]
fn a_route_takes_an_alert_elsewhere_and_says_why() {
    let receiver = Receiver::answering(&[200]);
    let project = with_webhook(&receiver, "allow_private = true");
    let route = "[[routes]]\nchannels = [\"log\"]\nbatches = [\"shop\"]\nonly = true\n";
    project.write("config/anomstack.toml", &(project.read("config/anomstack.toml") + route));
    let asked = project.run(&["channels", "route", "shop", "orders", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&asked.stdout).unwrap();
    assert_eq!((&told["channels"][0], &told["own"]), (&"log".into(), &false.into()));
    assert_eq!(told["routes"][0], "route 1 to log: fits");
    project.pass();
    assert_eq!(outbox_of(&project), [entry("log", "sent", 1)]);
    assert_eq!(receiver.requests().len(), 0);
}

#[test]
fn a_private_address_is_not_called_unless_the_channel_says_so() {
    let receiver = Receiver::answering(&[200]);
    let project = with_webhook(&receiver, "");
    project.pass();
    assert_eq!(outbox_of(&project), [entry("hook", "dead", 1)]);
    assert_eq!(receiver.requests().len(), 0);
}

#[test]
fn a_channel_that_is_down_holds_up_no_other() {
    let receiver = Receiver::answering(&[500]);
    let project = with_webhook(&receiver, "allow_private = true");
    let batch = project.read("metric_batches/shop.toml");
    project.write("metric_batches/shop.toml", &batch.replace("[\"hook\"]", "[\"hook\", \"file\"]"));
    project.pass();
    assert_eq!(outbox_of(&project), [entry("file", "sent", 1), entry("hook", "pending", 1)]);
}

#[test]
fn no_secret_is_ever_written_or_printed() {
    const CANARIES: [&str; 4] =
        ["t0k3n-canary", "c2VjcmV0LWNhbmFyeS1iYXNlNjQtMjRi", "p4ss-canary", "env-canary"];
    let receiver = Receiver::answering(&[500]);
    let key = format!("allow_private = true\nsecret = \"whsec_{}\"", CANARIES[1]);
    let project = with_webhook(&receiver, &key);
    project.batch(
        "database",
        "[source]\nkind = \"sql\"\nurl = \"postgres://user:p4ss-canary@127.0.0.1:1/db\"\n\
         query = \"SELECT 1\"\ntimeout = \"2s\"\n",
    );
    project.batch(
        "program",
        "[source]\nkind = \"command\"\ncommand = [\"sh\", \"-c\", \"echo $KEY >&2; exit 1\"]\n\
         env = { KEY = \"env-canary\" }\n",
    );
    let mut printed = String::new();
    for command in [
        &["check"][..],
        &["check", "--json"],
        &["run", "--all", "--at", END, "-vv"],
        &["run", "--all", "--at", END, "-vv", "--log-format", "json"],
        &["batches", "list", "--json"],
        &["batches", "show", "shop", "-vv"],
        &["runs", "list", "--json"],
        &["runs", "show", "1", "--json"],
        &["alerts", "list", "--json"],
    ] {
        let ran = project.run(command);
        printed += &format!("{}{}", ran.stdout, ran.stderr);
    }
    assert!(!receiver.requests().is_empty(), "the channel must have been used");
    assert!(
        printed.contains("connect to PostgreSQL"),
        "the database must have been used\n{printed}"
    );
    for canary in CANARIES {
        assert!(!printed.contains(canary), "{canary} was printed:\n{printed}");
        for name in files_below(&project.root()) {
            let bytes = fs::read(project.root().join(&name)).unwrap();
            let is_there = bytes.windows(canary.len()).any(|part| part == canary.as_bytes());
            assert!(!is_there, "{canary} was written to {name}");
        }
    }
}
