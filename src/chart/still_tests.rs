//! What a chart that stands alone holds, read off its SVG text and its PNG bytes.

use crate::{
    chart::png,
    domain::{MetricName, ModelVersion},
};

use super::*;

fn at(hours: i64) -> Timestamp {
    Timestamp::from_secs(1_767_225_600 + hours * 3_600).unwrap()
}

/// A week of hours with a day's rhythm, and a spike that raised an alert.
fn picture(title: &str) -> Picture {
    let usual = |hour: i64| 1_000.0 + 400.0 * (hour as f64 * std::f64::consts::TAU / 24.0).sin();
    let noise = |hour: i64| ((hour * 7_919) % 101) as f64 - 50.0;
    let value = |hour: i64| usual(hour) + noise(hour) + if hour < 150 { 0.0 } else { 900.0 };
    let score = |hour: i64| if hour < 150 { ((hour * 31) % 17) as f64 / 40.0 } else { 0.99 };
    let point = |hour: i64| ScorePoint {
        metric: MetricName::parse("orders").unwrap(),
        at: at(hour),
        value: value(hour),
        score: score(hour),
        band: Some(Band {
            expected: usual(hour),
            lower: usual(hour) - 120.0,
            upper: usual(hour) + 120.0,
        }),
        aspect: None,
        model: ModelVersion::at(at(0)),
    };
    Picture {
        title: title.to_owned(),
        unit: Some("1/h".into()),
        caption: "2,301, expected 1,040 to 1,260".into(),
        window: Window { from: at(0), to: at(155) },
        tz: chrono_tz::Europe::Dublin,
        values: (0..154).map(|hour| (at(hour), value(hour))).collect(),
        scores: (0..154).map(point).collect(),
        threshold: Some(0.9),
        limits: vec![1_800.0],
        marks: vec![Mark {
            at: at(152),
            since: at(150),
            until: at(153),
            value: Some(value(152)),
            severity: Severity::Critical,
            href: String::new(),
            title: String::new(),
        }],
    }
}

/// Width and height from a PNG's header.
fn size_of(png: &[u8]) -> (u32, u32) {
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    let number = |from: usize| u32::from_be_bytes(png[from..from + 4].try_into().unwrap());
    (number(16), number(20))
}

#[test]
fn a_message_chart_shows_values_band_score_threshold_limit_and_alert() {
    let svg = alert_chart(&picture("Orders"), Size::MESSAGE).text;
    assert!(svg.contains(">Orders (1/h)<"), "{svg}");
    assert!(svg.contains(">2,301, expected 1,040 to 1,260<"), "{svg}");
    assert!(svg.contains(">to 7 Jan 2026, Europe/Dublin<"), "{svg}");
    assert!(svg.contains(">5 Jan<") && svg.contains(">score<") && svg.contains(">2000<"), "{svg}");
    let n_of = |part: &str| svg.matches(part).count();
    assert_eq!(n_of(r#"fill-opacity=".16""#), 1, "the band");
    assert_eq!(n_of(r##"stroke="#d93025" stroke-dasharray"##), 2, "threshold and limit");
    assert_eq!(n_of(r#"fill-opacity=".13""#), 1, "the alert's stretch");
    assert_eq!(n_of("<circle"), 1, "the alert's point");
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
}

#[test]
fn a_picture_is_two_dots_a_pixel_and_small() {
    let bytes = png(&alert_chart(&picture("Orders"), Size::MESSAGE), 2.0).unwrap();
    assert_eq!(size_of(&bytes), (960, 540));
    assert!(bytes.len() < 60 * 1024, "{} bytes", bytes.len());
}

#[test]
fn odd_names_and_empty_charts_are_drawn() {
    let long = "ordres.".repeat(43);
    let names = [
        "",
        "<script>alert(1)</script>]]>&amp;",
        "🚀 größe 注文 заказы",
        "\u{202e}evil عدد الطلبات מספר",
        "two\nlines\u{0}\u{ffff}\u{fffe}",
        &long,
    ];
    for name in names {
        let bytes = png(&alert_chart(&picture(name), Size::MESSAGE), 1.0).unwrap();
        assert_eq!(size_of(&bytes), (480, 270), "{name}");
    }
    let bare = Picture {
        values: vec![],
        scores: vec![],
        limits: vec![],
        threshold: None,
        marks: vec![],
        ..picture("nothing")
    };
    let svg = alert_chart(&bare, Size::MESSAGE);
    assert!(svg.text.contains(">no points here<"), "{}", svg.text);
    assert_eq!(size_of(&png(&svg, 1.0).unwrap()), (480, 270));
}

#[test]
fn wild_values_stay_within_the_chart() {
    let mut wild = picture("wild");
    wild.values = vec![(at(0), f64::MIN), (at(10), 0.0), (at(20), f64::MAX)];
    let svg = alert_chart(&wild, Size::MESSAGE);
    assert!(!svg.text.contains("NaN") && !svg.text.contains("inf"), "{}", svg.text);
    assert_eq!(size_of(&png(&svg, 1.0).unwrap()), (480, 270));
}

#[test]
fn charts_of_a_batch_share_one_document() {
    let all: Vec<Picture> = ["a", "b", "c"].map(picture).into();
    let each = Size { width: 300.0, height: 200.0 };
    let svg = multiples("shop & co", &all, 2, each);
    assert_eq!(svg.size, Size { width: 608.0, height: 443.0 });
    assert_eq!(svg.text.matches("<circle").count(), 3);
    assert!(svg.text.contains(">shop &amp; co<"), "{}", svg.text);
    let bytes = png(&svg, 2.0).unwrap();
    assert_eq!(size_of(&bytes), (1216, 886));
}

#[test]
fn a_picture_that_is_too_large_or_empty_is_refused() {
    let svg = alert_chart(&picture("Orders"), Size::MESSAGE);
    for scale in [0.0, -2.0, 1e3, f64::NAN, f64::INFINITY] {
        assert!(png(&svg, scale).is_err(), "{scale}");
    }
}
