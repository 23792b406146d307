//! Several detectors' scores of the same rows made one.

use crate::domain::{Aspect, Combine, RowScore};

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
            RowScore {
                at: first[row].at,
                score,
                band: rows().find_map(|row| row.band),
                aspect: loudest(rows()),
            }
        })
        .collect()
}

/// What the highest of the scores is about; of equal ones the first counts.
fn loudest<'a>(rows: impl Iterator<Item = &'a RowScore>) -> Option<Aspect> {
    let scored = rows.filter_map(|row| Some((*row.score.as_ref().ok()?, row.aspect)));
    let higher = |a: (f64, Option<Aspect>), b: (f64, Option<Aspect>)| if a.0 < b.0 { b } else { a };
    scored.reduce(higher).and_then(|(_, aspect)| aspect)
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
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Band, NoScore, Timestamp};

    fn part(score: Result<f64, NoScore>) -> Vec<RowScore> {
        vec![RowScore { at: Timestamp::MIN, score, band: None, aspect: None }]
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

    #[test]
    fn the_highest_score_says_what_the_row_is_about() {
        let about =
            |score, aspect| vec![RowScore { aspect: Some(aspect), ..part(score)[0].clone() }];
        let parts = [
            about(Ok(0.2), Aspect::Level),
            about(Err(NoScore::Constant), Aspect::Jump),
            about(Ok(0.8), Aspect::Course),
        ];
        assert_eq!(combine(Combine::Mean, &parts)[0].aspect, Some(Aspect::Course));
    }

    fn combined(how: Combine, scores: &[Option<f64>]) -> Result<f64, NoScore> {
        let parts = scores.iter().map(|score| part(score.ok_or(NoScore::Constant)));
        combine(how, &parts.collect::<Vec<_>>())[0].score.clone()
    }

    fn any_score() -> impl Strategy<Value = Option<f64>> {
        prop_oneof![
            1 => Just(None),
            2 => prop_oneof![Just(Some(0.0)), Just(Some(1.0))],
            6 => (0.0..=1.0).prop_map(Some),
        ]
    }

    proptest! {
        #[test]
        fn a_combination_lies_among_its_parts_and_in_the_order_of_its_kinds(
            scores in proptest::collection::vec(any_score(), 1..8),
        ) {
            let of = |how| combined(how, &scores);
            let known: Vec<f64> = scores.iter().flatten().copied().collect();
            let Ok(least) = of(Combine::Min) else {
                prop_assert!(known.is_empty());
                return Ok(());
            };
            let most = of(Combine::Max).unwrap();
            prop_assert!(known.contains(&least) && known.contains(&most));
            for how in [Combine::Mean, Combine::Median, Combine::Geomean] {
                let score = of(how).unwrap();
                prop_assert!(least - 1e-12 <= score && score <= most + 1e-12, "{} {}", how, score);
            }
            prop_assert!(of(Combine::Geomean).unwrap() <= of(Combine::Mean).unwrap() + 1e-12);
        }

        #[test]
        fn a_part_that_scores_higher_never_lowers_the_whole_and_order_does_not_matter(
            scores in proptest::collection::vec(any_score(), 1..8),
            which in 0_usize..8,
            higher in 0.0..=1.0_f64,
        ) {
            let mut raised = scores.clone();
            let which = which % scores.len();
            raised[which] = raised[which].map(|score| score.max(higher));
            let mut turned = scores.clone();
            turned.rotate_left(which);
            for how in [Combine::Mean, Combine::Max, Combine::Min, Combine::Median, Combine::Geomean] {
                let (Ok(before), Ok(after)) = (combined(how, &scores), combined(how, &raised)) else {
                    continue;
                };
                prop_assert!(before <= after + 1e-12, "{} {} {}", how, before, after);
                let turned = combined(how, &turned).unwrap();
                prop_assert!((turned - before).abs() <= 1e-12, "{} {} {}", how, before, turned);
            }
        }
    }
}
