//! Several detectors' scores of the same rows made one.

use crate::domain::{Combine, RowScore};

use super::robust;

/// Combines the parts row by row. A part without a score is left out of its row; a row for which
/// no part has one keeps the first part's reason. The band is that of the first part with one.
///
/// # Shape
/// All parts hold the same rows in the same order; with no part there is no row.
pub fn combine(how: Combine, parts: &[Vec<RowScore>]) -> Vec<RowScore> {
    let Some((first, rest)) = parts.split_first() else { return Vec::new() };
    if rest.is_empty() {
        return first.clone();
    }
    let mut scores = Vec::with_capacity(parts.len());
    (0..first.len())
        .map(|row| {
            let rows = || parts.iter().filter_map(|part| part.get(row));
            scores.clear();
            scores.extend(rows().filter_map(|row| row.score.as_ref().ok()));
            let score = match scores.is_empty() {
                true => first[row].score.clone(),
                false => Ok(reduce(how, &mut scores).clamp(0.0, 1.0)),
            };
            RowScore { at: first[row].at, score, band: rows().find_map(|row| row.band) }
        })
        .collect()
}

/// `scores` is never empty and never holds NaN.
fn reduce(how: Combine, scores: &mut [f64]) -> f64 {
    let n_scores = scores.len() as f64;
    match how {
        Combine::Mean => scores.iter().sum::<f64>() / n_scores,
        Combine::Max => scores.iter().copied().fold(0.0, f64::max),
        Combine::Min => scores.iter().copied().fold(1.0, f64::min),
        Combine::Median => robust::median(scores),
        Combine::Geomean => scores.iter().map(|score| score.powf(1.0 / n_scores)).product(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Band, NoScore, Timestamp};

    fn part(score: Result<f64, NoScore>) -> Vec<RowScore> {
        vec![RowScore { at: Timestamp::MIN, score, band: None }]
    }

    #[track_caller]
    fn check(how: Combine, expected: f64) {
        let parts = [part(Ok(0.2)), part(Err(NoScore::Constant)), part(Ok(0.8)), part(Ok(0.8))];
        let score = combine(how, &parts)[0].score.clone().unwrap();
        assert!((score - expected).abs() <= 1e-12, "{how}: {score}");
    }

    #[test]
    fn parts_without_a_score_are_left_out() {
        check(Combine::Mean, 0.6);
        check(Combine::Max, 0.8);
        check(Combine::Min, 0.2);
        check(Combine::Median, 0.8);
        check(Combine::Geomean, 0.128_f64.cbrt());
    }

    #[test]
    fn a_row_no_part_scores_says_why_and_the_first_band_is_kept() {
        let mut second = part(Err(NoScore::NotEnoughPast));
        second[0].band = Some(Band { expected: 1.0, lower: 0.0, upper: 2.0 });
        let combined = combine(Combine::Max, &[part(Err(NoScore::Constant)), second.clone()]);
        assert_eq!(combined[0].score, Err(NoScore::Constant));
        assert_eq!(combined[0].band, second[0].band);
        assert_eq!(combine(Combine::Max, &[]), []);
    }
}
