//! The small chart of a metric's card.

use crate::domain::{Timestamp, words};

use super::{
    Window,
    axis::Scale,
    sample::SCREEN_COLUMNS,
    svg::{ACROSS, escape, percent},
    trace::Field,
};

const HEIGHT: f64 = 56.0;

/// A line with dots where it alerted.
#[derive(Debug)]
pub(crate) struct Spark<'a> {
    pub(crate) window: Window,
    /// Chronological, finite.
    pub(crate) values: &'a [(Timestamp, f64)],
    pub(crate) alerts: &'a [Timestamp],
    /// What the chart shows, for those who do not see it.
    pub(crate) label: &'a str,
}

impl Spark<'_> {
    /// The chart as SVG text.
    pub(crate) fn render(&self) -> String {
        let scale = Scale::around(self.values.iter().map(|dot| dot.1));
        let field = Field {
            window: &self.window,
            scale,
            left: 0.0,
            top: 0.0,
            width: ACROSS,
            height: HEIGHT,
            columns: SCREEN_COLUMNS,
        };
        let lines = field.line(self.values);
        let dots: String = self
            .alerts
            .iter()
            .filter(|at| self.window.holds(**at))
            .map(|at| {
                let after = self.values.partition_point(|dot| dot.0 <= *at);
                let y = after
                    .checked_sub(1)
                    .map_or(HEIGHT / 2.0, |n| scale.down(self.values[n].1, HEIGHT));
                let x = percent(self.window.share(*at));
                format!(r#"<circle class="dot" cx="{x}" cy="{:.1}" r="3.5"/>"#, y + 4.0)
            })
            .collect();
        format!(
            concat!(
                r#"<svg class="spark" role="img" aria-label="{label}" width="100%" height="{outer}">"#,
                r#"<svg x="0" y="4" width="100%" height="{inner}" viewBox="0 0 {across} {inner}" preserveAspectRatio="none" overflow="visible">"#,
                r#"<path class="value" d="{lines}"/></svg>{dots}</svg>"#
            ),
            label = escape(&words::one_line(self.label)),
            outer = HEIGHT + 8.0,
            inner = HEIGHT,
            across = ACROSS,
            lines = lines,
            dots = dots,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_chart_holds_a_line_an_alert_dot_and_a_safe_label() {
        let at = |secs| Timestamp::from_secs(secs).unwrap();
        let window = Window { from: at(0), to: at(100) };
        let values = [(at(0), 1.0), (at(10), 2.0), (at(20), 3.0)];
        let alerts = [at(20), at(500)];
        let svg = Spark { window, values: &values, alerts: &alerts, label: "<b>" }.render();
        assert!(svg.contains(r#"aria-label="&lt;b&gt;""#), "{svg}");
        assert!(svg.contains("M0 53L100 28L200 3"), "{svg}");
        assert_eq!(svg.matches("<circle").count(), 1, "{svg}");
        assert!(svg.contains(r#"cx="20.00%" cy="7.0""#), "{svg}");
    }
}
