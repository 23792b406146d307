//! `anomstack plot`: stored metrics as files.

use std::fs;

use crate::support::{Csv, END, Project, usual};

fn project() -> Project {
    let project = Project::empty();
    let csv = Csv::new().metric("orders", usual).metric("<b>odd</b> & co", usual);
    project.write("data/m.csv", &csv.text());
    project.batch(
        "b",
        "[source]\nkind = \"file\"\npath = \"data/m.csv\"\n\
         [metrics.orders]\ndisplay_name = \"Orders\"\nunit = \"1/h\"\n",
    );
    project.run(&["run", "b", "--job", "ingest", "--at", END]).succeeded();
    project
}

#[test]
fn a_metric_and_a_batch_become_files() {
    let project = project();
    let file = |name: &str| project.path().join(name);
    let path = |name: &str| file(name).to_str().unwrap().to_owned();
    project.run(&["plot", "b", "orders", "--out", &path("a.png"), "--scale", "1"]).succeeded();
    let png = fs::read(file("a.png")).unwrap();
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    assert_eq!(png[16..24], [0, 0, 1, 224, 0, 0, 1, 14], "480 by 270");
    assert!(png.len() < 60 * 1024, "{} bytes", png.len());

    let alone = project.run(&["plot", "b", "orders", "--last", "2d"]);
    alone.succeeded();
    assert!(alone.stdout.starts_with("<svg") && alone.stdout.contains(">Orders (1/h)<"));

    project.run(&["plot", "b", "--out", &path("all.svg")]).succeeded();
    let all = fs::read_to_string(file("all.svg")).unwrap();
    assert!(all.contains(">Orders (1/h)<") && all.contains("&lt;b&gt;odd"), "{all}");
    assert!(!all.contains("<b>"), "{all}");
}

#[test]
fn what_cannot_be_drawn_is_said_with_what_was_meant() {
    let project = project();
    for (args, said) in [
        (&["plot", "b", "ordes"][..], "did you mean `orders`?"),
        (&["plot", "bb"], "did you mean `b`?"),
        (&["plot", "b", "orders", "--from", "2001-01-01", "--to", "2001-01-02"], "no points there"),
        (&["plot", "b", "--width", "7"], "--width takes a number from 200 to 2000"),
        (&["plot", "b", "--last", "0s"], "--last takes"),
        (
            &["plot", "b", "--from", "2026-01-02", "--to", "2026-01-01"],
            "--from must be before --to",
        ),
        (&["plot", "b", "--out", "x.gif"], "neither in .png nor in .svg"),
    ] {
        let ran = project.run(args);
        assert!(ran.code != Some(0) && ran.stderr.contains(said), "{args:?}: {}", ran.stderr);
    }
}
