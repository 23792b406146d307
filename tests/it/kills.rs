//! kill -9 at random moments of a pass: whatever the moment, the next pass leaves what one
//! undisturbed pass leaves. How many moments: `ANOMSTACK_TEST_KILLS` (a few by default).

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use crate::support::{Contents, Csv, END, Project, hours_before_end, random};

#[test]
fn a_pass_killed_at_any_moment_loses_and_doubles_nothing() {
    check(Project::shop);
}

#[test]
fn the_end_of_an_alert_is_said_at_whatever_moment_a_pass_is_killed() {
    let fired = || {
        let project = Project::shop();
        let spike = |hours_ago, value| if hours_ago == 24 { 5.0 * value } else { value };
        project.write("data/shop.csv", &Csv::new().metric("orders", spike).text());
        let when = hours_before_end(24);
        project.run(&["run", "shop", "--at", &when]).succeeded();
        assert_eq!(Contents::of(&project, "shop").delivered.len(), 1, "it fires before the kill");
        project
    };
    assert_eq!(check(fired).ended.len(), 1);
}

/// Kills the pass at the end of a project at any moments; gives what it leaves undisturbed.
#[expect(clippy::disallowed_methods, reason = "how thorough to be is asked of these tests alone")]
#[track_caller]
fn check(begun_project: impl Fn() -> Project) -> Contents {
    let n_kills: u32 = match std::env::var("ANOMSTACK_TEST_KILLS") {
        Ok(text) => text.parse().unwrap(),
        Err(_) => 6,
    };
    let whole = begun_project();
    whole.pass();
    // Only now: the first start also loads the program from disk.
    let other = begun_project();
    let begun = Instant::now();
    other.pass();
    let length = begun.elapsed();
    let expected = Contents::of(&whole, "shop");
    assert!(!expected.alerts.is_empty(), "the scenario must end in an alert");
    let n_messages: usize = expected.delivered.values().sum();
    assert_eq!(n_messages, expected.alerts.len(), "without a kill, once");

    let mut seed = 2_026_u64;
    let (mut n_interrupted, mut n_repeated) = (0, 0);
    for kill in 0..n_kills {
        let moment = length.mul_f64(random(&mut seed) * 1.05);
        let project = begun_project();
        let was_running = kill_after(&project, moment);
        n_interrupted += u32::from(was_running);
        project.pass();
        let state = Contents::of(&project, "shop");
        let place = format!("kill {kill} after {moment:?} of {length:?}");
        state.essence().assert_is(&expected.essence(), &place);
        assert_once(&state, &expected, &place);
        let n_messages: usize = state.delivered.values().chain(state.ended.values()).sum();
        let n_repeats = n_messages - state.delivered.len() - state.ended.len();
        assert!(n_repeats <= usize::from(was_running), "{place}: {:?}", state.delivered);
        n_repeated += n_repeats;
        assert_eq!(state.temporary, Vec::<String>::new(), "{place}");
        assert!(state.outbox.iter().all(|(_, state, _)| state == "sent"), "{place}");
    }
    println!("{n_interrupted} of {n_kills} kills hit a running pass; {n_repeated} repeats");
    expected
}

/// No score twice by the same model, no more versions of a model than trainings.
#[track_caller]
fn assert_once(state: &Contents, expected: &Contents, place: &str) {
    let mut scores = state.scores.clone();
    scores.dedup();
    assert_eq!(scores.len(), state.scores.len(), "{place}");
    for (metric, n_versions) in &state.models {
        assert!(*n_versions <= expected.models[metric] + 1, "{metric}: {n_versions}; {place}");
    }
}

/// Starts a pass and kills it after so long; whether it was still running.
fn kill_after(project: &Project, moment: Duration) -> bool {
    let mut command = project.command(&["run", "shop", "--at", END]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while begun.elapsed() < moment {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    let was_running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    was_running
}
