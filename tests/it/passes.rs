//! Passes done twice, in parts, and as of the past.

use anomstack::domain::{Span, Timestamp};

use crate::support::{Contents, Csv, END, Project, hours_before_end};

#[test]
fn a_pass_done_again_adds_versions_and_nothing_else() {
    let project = Project::shop();
    project.pass();
    let first = Contents::of(&project, "shop");
    assert!(first.alerts.len() == 1 && first.delivered.len() == 1, "{:?}", first.alerts);
    project.pass();
    let second = Contents::of(&project, "shop");
    second.essence().assert_is(&first.essence(), "again");
    assert_eq!((&second.delivered, &second.outbox), (&first.delivered, &first.outbox));
    assert!(first.models.values().all(|n_versions| *n_versions == 1), "{:?}", first.models);
    assert!(second.models.values().all(|n_versions| *n_versions == 2), "{:?}", second.models);

    let run = project.newest_run("shop", "ingest");
    assert_eq!(run["report"]["rows_stored"], 0);
    assert_eq!(run["report"]["rows_unchanged"], first.points.len());
    // The same request again is the same run, not another row in the list.
    assert_eq!(project.list(&["runs", "list"]).len(), 4);
}

#[test]
fn scoring_again_with_the_same_model_writes_no_score() {
    let project = Project::shop();
    project.pass();
    let first = Contents::of(&project, "shop");
    project.run(&["run", "shop", "--job", "ingest,score,alert", "--at", END]).succeeded();
    assert_eq!(Contents::of(&project, "shop"), first);
    assert_eq!(project.newest_run("shop", "score")["report"]["scored"], 0);
}

#[test]
fn a_changed_value_replaces_the_stored_one_and_is_scored_again() {
    let project = Project::shop();
    project.pass();
    let before = Contents::of(&project, "shop");
    let revised = Csv::shop().row(&hours_before_end(3), "revenue", "123.5").text();
    project.write("data/shop.csv", &revised);
    project.run(&["run", "shop", "--job", "ingest,score", "--at", END]).succeeded();
    let report = &project.newest_run("shop", "ingest")["report"];
    assert_eq!((&report["rows_stored"], &report["rejected"]["duplicate"]), (&1.into(), &1.into()));
    assert!(1 <= project.newest_run("shop", "score")["report"]["scored"].as_u64().unwrap());
    let shown = project.json(&["metrics", "show", "shop", "revenue"]);
    let after = Contents::of(&project, "shop");
    assert_eq!(after.points.len(), before.points.len() + 1, "the old segment keeps the old value");
    assert_eq!(shown["newest_at"], END);
}

#[test]
fn a_pass_as_of_the_past_looks_at_nothing_later() {
    let project = Project::shop();
    let then = hours_before_end(30);
    project.run(&["run", "shop", "--at", &then]).succeeded();
    let early = Contents::of(&project, "shop");
    let limit = Timestamp::parse(&then).unwrap();
    assert!(early.points.iter().all(|(_, at, _)| *at <= limit), "a later row was stored");
    assert!(early.scores.iter().all(|(_, at, _)| *at <= limit), "a later row was scored");
    assert_eq!(early.alerts.len(), 0, "the spike had not happened then");

    // The same with the later rows in the history already.
    let whole = Project::shop();
    whole.run(&["run", "shop", "--job", "ingest", "--at", END]).succeeded();
    whole.run(&["run", "shop", "--job", "train,score,alert", "--at", &then]).succeeded();
    let found = Contents::of(&whole, "shop");
    assert_eq!(found.essence().scores, early.essence().scores);
    let trained = whole.json(&["models", "show", "shop", "orders"]);
    assert_eq!(trained["trained_to"], then);
}

#[test]
fn a_history_judged_in_two_passes_gives_what_one_pass_gives() {
    let project = || {
        let project = Project::shop();
        let spikes = |ago, value| if ago == 40 || ago == 2 { 4.0 * value } else { value };
        project.write("data/shop.csv", &Csv::new().metric("orders", spikes).text());
        project.run(&["run", "shop", "--job", "ingest,train", "--at", &half_way()]).succeeded();
        project
    };
    let one = project();
    one.run(&["run", "shop", "--job", "ingest,score,alert", "--at", END]).succeeded();
    let two = project();
    for at in [half_way(), END.to_owned()] {
        two.run(&["run", "shop", "--job", "ingest,score,alert", "--at", &at]).succeeded();
    }
    let (one, two) = (Contents::of(&one, "shop"), Contents::of(&two, "shop"));
    assert!(2 <= one.alerts.len(), "{:?}", one.alerts);
    assert_eq!(two.essence().points, one.essence().points);
    assert_eq!((&two.alerts, &two.delivered), (&one.alerts, &one.delivered));
}

fn half_way() -> String {
    let end = Timestamp::parse(END).unwrap();
    (end - Span::hours(24)).to_string()
}
