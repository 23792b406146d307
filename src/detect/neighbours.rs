//! The distances from a point to its nearest rows, exactly as plain arithmetic on the rows gives
//! them. A tree finds the candidates: in coordinates turned onto the rows' principal axes, where
//! most of the distance lies in the first few and much less has to be looked at.

use std::num::NonZero;

use kiddo::SquaredEuclidean;
use kiddo::immutable::float::kdtree::ImmutableKdTree;

use super::artifact::{DecodeError, ensure, float};
use super::params::Reader;
use super::pca;
use crate::domain::Plain;

/// Rows in a leaf of the tree.
const LEAF: usize = 32;
/// Neighbours asked for beyond those wanted: turning rounds, so the tree's order of almost equal
/// distances can differ from the true one.
const SPARE: usize = 1;

/// Rows to be searched.
pub(super) struct Search<'a> {
    rows: &'a [f64],
    n_columns: usize,
    metric: Metric,
    turned: Option<Turned>,
}

/// Principal axes, and a row to count from: rows far from zero would lose digits in turning.
struct Axes {
    origin: Vec<f64>,
    directions: Vec<f64>,
}

/// The rows on their principal axes.
struct Turned {
    axes: Axes,
    tree: Tree,
}

/// A tree's dimension is part of its type; rows are padded with zeros to the next there is.
enum Tree {
    Two(ImmutableKdTree<f64, u32, 2, LEAF>),
    Four(ImmutableKdTree<f64, u32, 4, LEAF>),
    Six(ImmutableKdTree<f64, u32, 6, LEAF>),
    Eight(ImmutableKdTree<f64, u32, 8, LEAF>),
    Sixteen(ImmutableKdTree<f64, u32, 16, LEAF>),
}

impl<'a> Search<'a> {
    /// Makes the tree. Rows with more columns than a tree can have are scanned, and so are all
    /// where distances are not Euclidean.
    pub(super) fn new(rows: &'a [f64], n_columns: usize, metric: Metric) -> Self {
        let is_euclidean = metric == Metric::EUCLIDEAN;
        let turned = if is_euclidean { Turned::new(rows, n_columns) } else { None };
        Self { rows, n_columns, metric, turned }
    }

    /// Writes the distances to the `n_wanted` nearest rows, nearest first; fewer when there are
    /// fewer rows.
    pub(super) fn nearest(&self, query: &[f64], n_wanted: usize, distances: &mut Vec<f64>) {
        distances.clear();
        let row = |index: usize| &self.rows[index * self.n_columns..][..self.n_columns];
        match &self.turned {
            Some(turned) => {
                let indices = turned.candidates(query, n_wanted + SPARE);
                distances.extend(indices.map(|index| squared_distance(query, row(index))));
            }
            None => {
                let rows = self.rows.chunks_exact(self.n_columns);
                distances.extend(rows.map(|row| self.metric.raw(query, row)));
            }
        }
        if n_wanted < distances.len() {
            distances.select_nth_unstable_by(n_wanted, f64::total_cmp);
            distances.truncate(n_wanted);
        }
        distances.sort_unstable_by(f64::total_cmp);
        distances.iter_mut().for_each(|distance| *distance = self.metric.distance(*distance));
    }

    /// Writes the distances to the `n_wanted` nearest rows and their indices, nearest first, the
    /// smaller index first of equally near ones; fewer when there are fewer rows.
    pub(super) fn nearest_rows(
        &self,
        query: &[f64],
        n_wanted: usize,
        found: &mut Vec<(f64, usize)>,
    ) {
        found.clear();
        let row = |index: usize| &self.rows[index * self.n_columns..][..self.n_columns];
        let measured = |index: usize| (self.metric.raw(query, row(index)), index);
        match &self.turned {
            Some(turned) => {
                found.extend(turned.candidates(query, n_wanted + SPARE).map(measured));
            }
            None => found.extend((0..self.rows.len() / self.n_columns).map(measured)),
        }
        let order = |l: &(f64, usize), r: &(f64, usize)| l.0.total_cmp(&r.0).then(l.1.cmp(&r.1));
        if n_wanted < found.len() {
            found.select_nth_unstable_by(n_wanted, order);
            found.truncate(n_wanted);
        }
        found.sort_unstable_by(order);
        found.iter_mut().for_each(|(distance, _)| *distance = self.metric.distance(*distance));
    }
}

/// What is near: `metric` and `p` of PyOD's neighbour detectors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Metric {
    /// `(Σ |difference|^p)^(1 / p)`; 2 is Euclid's.
    Minkowski(f64),
    /// The largest difference.
    Chebyshev,
}

impl Metric {
    pub(super) const EUCLIDEAN: Self = Self::Minkowski(2.0);

    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let minkowski = Self::Minkowski(reader.float("p", 2.0, (1.0, 100.0)));
        let choices = [
            ("minkowski", minkowski),
            ("euclidean", Self::EUCLIDEAN),
            ("l2", Self::EUCLIDEAN),
            ("manhattan", Self::Minkowski(1.0)),
            ("cityblock", Self::Minkowski(1.0)),
            ("l1", Self::Minkowski(1.0)),
            ("chebyshev", Self::Chebyshev),
            ("infinity", Self::Chebyshev),
        ];
        reader.choice("metric", &choices).unwrap_or(minkowski)
    }

    /// Orders as the distance does; less work.
    fn raw(self, left: &[f64], right: &[f64]) -> f64 {
        let differences = left.iter().zip(right).map(|(l, r)| (l - r).abs());
        match self {
            Self::Minkowski(2.0) => squared_distance(left, right),
            Self::Minkowski(1.0) => differences.sum(),
            Self::Minkowski(p) => {
                let largest: f64 = differences.clone().fold(0.0, f64::max);
                // In shares of the largest, so that no power overflows or vanishes.
                let powers = differences.map(|difference| (difference / largest).powf(p));
                if largest <= 0.0 { 0.0 } else { largest * powers.sum::<f64>().powf(1.0 / p) }
            }
            Self::Chebyshev => differences.fold(0.0, f64::max),
        }
    }

    fn distance(self, raw: f64) -> f64 {
        if self == Self::EUCLIDEAN { raw.sqrt() } else { raw }
    }

    /// The model fields.
    pub(super) fn to_plain(self) -> [(&'static str, Plain); 2] {
        let (name, p) = match self {
            Self::Minkowski(p) => ("minkowski", Plain::Float(p)),
            Self::Chebyshev => ("chebyshev", Plain::None),
        };
        [("metric", Plain::Text(name.into())), ("p", p)]
    }

    pub(super) fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        match plain.get("metric") {
            // Format 1 had no other.
            None => Ok(Self::EUCLIDEAN),
            Some(Plain::Text(name)) if name == "chebyshev" => Ok(Self::Chebyshev),
            Some(Plain::Text(name)) if name == "minkowski" => {
                let p = float(plain, "p")?;
                ensure(1.0 <= p, "p")?;
                Ok(Self::Minkowski(p))
            }
            Some(_) => Err(DecodeError::Inconsistent { field: "metric" }),
        }
    }
}

pub(super) fn squared_distance(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(l, r)| (l - r) * (l - r)).sum()
}

impl Turned {
    /// `None` when there is no tree of that many dimensions, or no axes (all rows are equal).
    fn new(rows: &[f64], n_columns: usize) -> Option<Self> {
        let (directions, shares) = pca::decompose(rows, n_columns).ok()?;
        let axes = Axes { origin: rows[..n_columns].to_vec(), directions };
        let tree = match shares.len() {
            0..=2 => Tree::Two(tree(rows, n_columns, &axes)),
            3..=4 => Tree::Four(tree(rows, n_columns, &axes)),
            5..=6 => Tree::Six(tree(rows, n_columns, &axes)),
            7..=8 => Tree::Eight(tree(rows, n_columns, &axes)),
            9..=16 => Tree::Sixteen(tree(rows, n_columns, &axes)),
            _ => return None,
        };
        Some(Self { axes, tree })
    }

    fn candidates(&self, query: &[f64], n_wanted: usize) -> impl Iterator<Item = usize> {
        let indices = match &self.tree {
            Tree::Two(tree) => ask(tree, self.axes.turn(query), n_wanted),
            Tree::Four(tree) => ask(tree, self.axes.turn(query), n_wanted),
            Tree::Six(tree) => ask(tree, self.axes.turn(query), n_wanted),
            Tree::Eight(tree) => ask(tree, self.axes.turn(query), n_wanted),
            Tree::Sixteen(tree) => ask(tree, self.axes.turn(query), n_wanted),
        };
        indices.into_iter()
    }
}

fn tree<const K: usize>(
    rows: &[f64],
    n_columns: usize,
    axes: &Axes,
) -> ImmutableKdTree<f64, u32, K, LEAF> {
    let turned: Vec<[f64; K]> = rows.chunks_exact(n_columns).map(|row| axes.turn(row)).collect();
    ImmutableKdTree::new_from_slice(&turned)
}

impl Axes {
    fn turn<const K: usize>(&self, row: &[f64]) -> [f64; K] {
        let mut turned = [0.0; K];
        let directions = self.directions.chunks_exact(row.len());
        for (value, direction) in turned.iter_mut().zip(directions) {
            let from_origin = row.iter().zip(&self.origin).map(|(x, o)| x - o);
            *value = from_origin.zip(direction).map(|(x, d)| x * d).sum();
        }
        turned
    }
}

fn ask<const K: usize>(
    tree: &ImmutableKdTree<f64, u32, K, LEAF>,
    query: [f64; K],
    n_wanted: usize,
) -> Vec<usize> {
    let n_wanted = NonZero::new(n_wanted).unwrap_or(NonZero::<usize>::MIN);
    let found = tree.nearest_n::<SquaredEuclidean>(&query, n_wanted);
    found.into_iter().map(|neighbour| neighbour.item as usize).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(rows: &[f64], n_columns: usize) {
        let by_tree = Search::new(rows, n_columns, Metric::EUCLIDEAN);
        let by_scan = Search { turned: None, ..Search::new(rows, n_columns, Metric::EUCLIDEAN) };
        let (mut fast, mut slow) = (Vec::new(), Vec::new());
        for query in rows.chunks(n_columns).step_by(7) {
            by_tree.nearest(query, 6, &mut fast);
            by_scan.nearest(query, 6, &mut slow);
            // Neighbours at equal distances differ in the last bits, and either may be taken.
            let is_same = |(f, s): (&f64, &f64)| (f - s).abs() <= 1e-12 * s;
            assert!(fast.iter().zip(&slow).all(is_same), "{fast:?} {slow:?}");
            assert_eq!(fast.len(), slow.len());
        }
    }

    #[test]
    fn crowds_of_equal_rows_are_found_as_in_a_scan() {
        check(&[3.5; 700 * 6], 6);
        let few_places: Vec<f64> = (0..700 * 6).map(|i| f64::from(i * i % 3)).collect();
        check(&few_places, 6);
        let one_axis: Vec<f64> =
            (0..700).flat_map(|i| [f64::from(i % 2), f64::from(i), 0.0]).collect();
        check(&one_axis, 3);
    }

    #[test]
    fn distances_are_those_of_the_metric() {
        let check = |metric: Metric, expected: f64| {
            let distance = metric.distance(metric.raw(&[1.0, 2.0], &[4.0, -2.0]));
            assert!((distance - expected).abs() <= 1e-12, "{metric:?} {distance}");
        };
        check(Metric::EUCLIDEAN, 5.0);
        check(Metric::Minkowski(1.0), 7.0);
        check(Metric::Minkowski(3.0), 91.0_f64.cbrt());
        check(Metric::Chebyshev, 4.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn the_tree_finds_what_a_scan_finds(
            rows in proptest::collection::vec(-20_i32..20, 40..1_200),
            n_columns in 1_usize..19,
            offset in prop_oneof![Just(0.0), Just(1e6)],
        ) {
            let n_rows = rows.len() / n_columns;
            let rows: Vec<f64> =
                rows[..n_rows * n_columns].iter().map(|x| f64::from(*x) * 0.37 + offset).collect();
            check(&rows, n_columns);
        }
    }
}
