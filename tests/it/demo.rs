//! `anomstack demo --once`: finds what it planted, and finds it once.

use crate::support::{Contents, Project, Ran, program};

#[test]
fn the_demo_finds_seven_of_eight_with_two_false_at_most_and_again_adds_nothing() {
    let project = Project::bare();
    let demo = || {
        let ran = Ran::of(program().args(["demo", "--once", "--dir"]).arg(project.path()));
        ran.succeeded();
        tally(&ran.stdout)
    };
    let first = demo();
    let stored = Contents::of(&project, "shop");
    let (n_found, n_incidents, n_false) = first;
    assert!(7 <= n_found && n_incidents == 8 && n_false <= 2, "{first:?}");
    assert!(12 <= stored.models.len(), "{:?}", stored.models);

    assert_eq!(demo(), first);
    let again = Contents::of(&project, "shop");
    again.essence().assert_is(&stored.essence(), "again");
    assert_eq!(again.delivered, stored.delivered);
}

/// Found, planted and false, as the demo's last line says it.
fn tally(stdout: &str) -> (u32, u32, u32) {
    let line = stdout.lines().find(|line| line.starts_with("Found ")).unwrap();
    let mut numbers =
        line.split(|c: char| !c.is_ascii_digit()).filter_map(|text| text.parse().ok());
    let mut next = || numbers.next().unwrap();
    (next(), next(), next())
}
