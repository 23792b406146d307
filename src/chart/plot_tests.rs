//! What the large chart holds, read off its SVG text.

use chrono_tz::Tz;

use crate::domain::{Aspect, Band, MetricName, ModelVersion, ScorePoint, Severity, Timestamp};

use super::{Mark, Plot, Window, sample::Dot};

fn at(hours: i64) -> Timestamp {
    Timestamp::from_secs(1_767_225_600 + hours * 3_600).unwrap()
}

fn scores(n_hours: i64) -> Vec<ScorePoint> {
    let band = Band { expected: 10.0, lower: 8.0, upper: 12.0 };
    (0..n_hours)
        .map(|hour| ScorePoint {
            metric: MetricName::parse("orders").unwrap(),
            at: at(hour),
            value: 10.0,
            score: if hour == 20 { 0.99 } else { 0.2 },
            band: Some(band),
            aspect: None,
            model: ModelVersion::at(at(0)),
        })
        .collect()
}

fn mark(hour: i64, title: &str) -> Mark {
    Mark {
        at: at(hour),
        since: at(hour - 2),
        until: at(hour),
        value: Some(30.0),
        severity: Severity::Critical,
        href: "/alerts/a".into(),
        title: title.into(),
    }
}

#[test]
fn the_chart_shows_line_band_score_threshold_and_alerts() {
    let values: Vec<Dot> =
        (0..48).map(|hour| (at(hour), if hour == 20 { 30.0 } else { 10.0 })).collect();
    let scores = scores(48);
    let marks = [mark(20, "<script>"), mark(500, "outside")];
    let plot = Plot {
        window: Window { from: at(0), to: at(48) },
        tz: Tz::UTC,
        values: &values,
        scores: &scores,
        threshold: 0.9,
        marks: &marks,
        limits: &[35.0, 1e9],
        label: "orders",
    };
    let svg = plot.render();
    for class in ["value", "band", "expected", "score", "score-hot"] {
        assert_eq!(svg.matches(&format!(r#"<path class="{class}""#)).count(), 1, "{class}");
    }
    assert_eq!(svg.matches(r#"class="mark critical""#).count(), 1);
    assert_eq!(svg.matches(r#"class="limit""#).count(), 1, "one far away would flatten the line");
    assert_eq!(svg.matches("V").count(), 1, "one score is over the threshold");
    assert!(!svg.contains("<script>") && svg.contains("&lt;script&gt;"), "{svg}");
    assert_eq!(svg.matches(r#"class="unusual" x="37.50%" width="4.17%""#).count(), 1, "{svg}");
    assert!(svg.contains(">12:00<"), "{svg}");
    assert!(!svg.contains("NaN") && !svg.contains("style="), "{svg}");
}

#[test]
fn a_gap_breaks_the_line_in_two() {
    let values: Vec<Dot> =
        (0..48).filter(|hour| !(10..20).contains(hour)).map(|h| (at(h), 1.0)).collect();
    let plot = Plot {
        window: Window { from: at(0), to: at(48) },
        tz: Tz::UTC,
        values: &values,
        scores: &[],
        threshold: 0.9,
        marks: &[],
        limits: &[],
        label: "",
    };
    let svg = plot.render();
    let line = svg.split(r#"<path class="value" d=""#).nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(line.matches('M').count(), 2, "{line}");
}

#[test]
fn read_out_rows_join_values_and_scores_by_time() {
    let values = [(at(0), 10.123_456_789), (at(2), f64::MAX)];
    let mut scores = scores(2);
    scores[1] = ScorePoint { score: 0.9, aspect: Some(Aspect::Frozen), ..scores[1].clone() };
    let plot = Plot {
        window: Window { from: at(0), to: at(3) },
        tz: Tz::UTC,
        values: &values,
        scores: &scores,
        threshold: 0.9,
        marks: &[],
        limits: &[],
        label: "",
    };
    assert_eq!(
        plot.rows(),
        "[[1767225600,10.12346,8,10,12,0.2,null],\
         [1767229200,10,8,10,12,0.9,\"it has stopped changing\"],\
         [1767232800,1.797693e308,null,null,null,null,null]]"
    );
}
