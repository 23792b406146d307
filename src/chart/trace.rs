//! Series as SVG paths inside a rectangle: a line with breaks, a band, an area down to the floor.

use crate::domain::{Band, ScorePoint, Timestamp};

use super::{
    Window,
    axis::Scale,
    sample::{Dot, thinned, unbroken},
    svg::{coordinate, path},
};

/// A rectangle with a time axis across and a value axis down, in the drawing's own units.
#[derive(Debug)]
pub(super) struct Field<'a> {
    pub(super) window: &'a Window,
    pub(super) scale: Scale,
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    /// Screen columns a line is thinned to.
    pub(super) columns: usize,
}

/// A band as two paths.
#[derive(Debug)]
pub(super) struct BandPaths {
    /// Around the band; to be filled.
    pub(super) outline: String,
    /// Through the expected values.
    pub(super) expected: String,
}

impl Field<'_> {
    /// Where an instant lies across.
    pub(super) fn x(&self, at: Timestamp) -> f64 {
        self.left + self.window.share(at) * self.width
    }

    /// Where a value lies down.
    pub(super) fn y(&self, value: f64) -> f64 {
        self.top + self.scale.down(value, self.height)
    }

    /// Through chronological values, broken where observations are missing.
    pub(super) fn line(&self, dots: &[Dot]) -> String {
        unbroken(dots, |dot| dot.0).into_iter().map(|run| path(&self.points(run))).collect()
    }

    pub(super) fn band(&self, bands: &[(Timestamp, Band)]) -> BandPaths {
        let (mut outline, mut expected) = (String::new(), String::new());
        for run in unbroken(bands, |band| band.0) {
            let edge = |pick: fn(&Band) -> f64| -> Vec<(f64, f64)> {
                let dots: Vec<Dot> = run.iter().map(|(at, band)| (*at, pick(band))).collect();
                self.points(&dots)
            };
            let mut around = edge(|band| band.upper);
            around.extend(edge(|band| band.lower).into_iter().rev());
            outline.push_str(&path(&around));
            outline.push('Z');
            expected.push_str(&path(&edge(|band| band.expected)));
        }
        BandPaths { outline, expected }
    }

    /// Under chronological values, down to the floor.
    pub(super) fn area(&self, dots: &[Dot]) -> String {
        let floor = coordinate(self.top + self.height);
        let mut area = String::new();
        for run in unbroken(dots, |dot| dot.0) {
            let points = self.points(run);
            let (Some(first), Some(last)) = (points.first(), points.last()) else { continue };
            let (from, to) = (coordinate(first.0), coordinate(last.0));
            area.push_str(&format!("{}L{to} {floor}L{from} {floor}Z", path(&points)));
        }
        area
    }

    /// A spike from the floor for each value that reaches the threshold.
    pub(super) fn spikes(&self, dots: &[Dot], threshold: f64) -> String {
        let floor = coordinate(self.top + self.height);
        let spike = |(at, value): &Dot| {
            format!("M{} {floor}V{}", coordinate(self.x(*at)), coordinate(self.y(*value)))
        };
        dots.iter().filter(|dot| threshold <= dot.1).map(spike).collect()
    }

    fn points(&self, run: &[Dot]) -> Vec<(f64, f64)> {
        let thin = thinned(run, self.window, self.columns);
        thin.into_iter().map(|(at, value)| (self.x(at), self.y(value))).collect()
    }
}

/// What was expected, where it is known.
pub(super) fn bands_of(scores: &[ScorePoint]) -> Vec<(Timestamp, Band)> {
    scores.iter().filter_map(|score| Some((score.at, score.band?))).collect()
}

/// The scores alone.
pub(super) fn dots_of(scores: &[ScorePoint]) -> Vec<Dot> {
    scores.iter().map(|score| (score.at, score.score)).collect()
}
