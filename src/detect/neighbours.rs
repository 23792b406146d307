//! The distances from a point to its nearest rows, exactly as plain arithmetic on the rows gives
//! them. A tree finds the candidates: in coordinates turned onto the rows' principal axes, where
//! most of the distance lies in the first few and much less has to be looked at.

use std::num::NonZero;

use kiddo::SquaredEuclidean;
use kiddo::immutable::float::kdtree::ImmutableKdTree;

use super::pca;

/// Rows in a leaf of the tree.
const LEAF: usize = 32;
/// Neighbours asked for beyond those wanted: turning rounds, so the tree's order of almost equal
/// distances can differ from the true one.
const SPARE: usize = 1;
/// Rows to be searched.
pub(super) struct Search<'a> {
    rows: &'a [f64],
    n_columns: usize,
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
    /// Makes the tree. Rows with more columns than a tree can have are scanned.
    pub(super) fn new(rows: &'a [f64], n_columns: usize) -> Self {
        Self { rows, n_columns, turned: Turned::new(rows, n_columns) }
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
                distances.extend(rows.map(|row| squared_distance(query, row)));
            }
        }
        if n_wanted < distances.len() {
            distances.select_nth_unstable_by(n_wanted, f64::total_cmp);
            distances.truncate(n_wanted);
        }
        distances.sort_unstable_by(f64::total_cmp);
        distances.iter_mut().for_each(|distance| *distance = distance.sqrt());
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
        let measured = |index: usize| (squared_distance(query, row(index)), index);
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
        found.iter_mut().for_each(|(distance, _)| *distance = distance.sqrt());
    }
}

/// The smallest and the largest distance from a row to its `n_wanted`-th nearest, itself being the
/// first: what asking for each row's would give, without most of the work.
///
/// There are at least `n_wanted` rows. For the smallest only the surroundings within the best so far are searched, which empties most
/// searches at once. For the largest a row is out as soon as it has enough neighbours within the
/// best so far, and nearly every row has them close to its place along the first axis.
pub(super) fn extremes(rows: &[f64], n_columns: usize, n_wanted: usize) -> (f64, f64) {
    let search = Search::new(rows, n_columns);
    let mut distances = Vec::new();
    let mut exact = |row: &[f64]| {
        search.nearest(row, n_wanted, &mut distances);
        distances[distances.len() - 1]
    };
    let Some(turned) = &search.turned else {
        let all = rows.chunks_exact(n_columns).map(exact);
        return all.fold((f64::INFINITY, 0.0), |(low, high), d| (low.min(d), high.max(d)));
    };
    let mut lowest = f64::INFINITY;
    for row in rows.chunks_exact(n_columns) {
        if turned.has_within(row, n_wanted, lowest) {
            lowest = lowest.min(exact(row));
        }
    }
    let line = Line::new(rows, n_columns, &turned.axes);
    let mut highest = 0.0_f64;
    for index in line.outermost_first() {
        let row = &rows[index * n_columns..][..n_columns];
        if !line.has_within(row, n_wanted, highest) {
            highest = highest.max(exact(row));
        }
    }
    (lowest, highest)
}

/// The rows in the order of their places along the first axis.
struct Line<'a> {
    rows: &'a [f64],
    n_columns: usize,
    axes: &'a Axes,
    /// Place and index, by place.
    places: Vec<(f64, usize)>,
}

impl<'a> Line<'a> {
    fn new(rows: &'a [f64], n_columns: usize, axes: &'a Axes) -> Self {
        let place = |(index, row): (usize, &[f64])| (axes.turn::<1>(row)[0], index);
        let mut places: Vec<_> = rows.chunks_exact(n_columns).enumerate().map(place).collect();
        places.sort_unstable_by(|left, right| left.0.total_cmp(&right.0));
        Self { rows, n_columns, axes, places }
    }

    /// The rows farthest from the median place first: among them the largest distance is likely.
    fn outermost_first(&self) -> impl Iterator<Item = usize> {
        let n_rows = self.places.len();
        let pairs = (0..n_rows.div_ceil(2)).flat_map(move |i| [i, n_rows - 1 - i]);
        pairs.take(n_rows).map(|place| self.places[place].1)
    }

    /// Whether so many rows lie within a distance; looks at those near by first.
    fn has_within(&self, row: &[f64], n_wanted: usize, distance: f64) -> bool {
        let limit = distance * distance;
        let [place] = self.axes.turn::<1>(row);
        let here = self.places.partition_point(|(other, _)| *other < place);
        let (mut below, mut above) = (here, here);
        let mut n_found = 0;
        let is_near = |index: usize| {
            squared_distance(row, &self.rows[index * self.n_columns..][..self.n_columns]) <= limit
        };
        let is_reached = |other: f64| (other - place).abs() <= distance;
        loop {
            let lower = below.checked_sub(1).filter(|i| is_reached(self.places[*i].0));
            let upper =
                Some(above).filter(|i| *i < self.places.len() && is_reached(self.places[*i].0));
            if lower.is_none() && upper.is_none() {
                return false;
            }
            for index in [lower, upper].into_iter().flatten() {
                n_found += usize::from(is_near(self.places[index].1));
            }
            if n_wanted <= n_found {
                return true;
            }
            below = lower.unwrap_or(0);
            above = upper.map_or(self.places.len(), |i| i + 1);
        }
    }
}

fn squared_distance(left: &[f64], right: &[f64]) -> f64 {
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

impl Turned {
    /// Whether so many rows lie about within a distance; may say so of a few too many.
    fn has_within(&self, query: &[f64], n_wanted: usize, distance: f64) -> bool {
        // Turning rounds, by far less than this.
        let limit = distance * distance * (1.0 + 1e-9);
        match &self.tree {
            Tree::Two(tree) => crowded(tree, self.axes.turn(query), n_wanted, limit),
            Tree::Four(tree) => crowded(tree, self.axes.turn(query), n_wanted, limit),
            Tree::Six(tree) => crowded(tree, self.axes.turn(query), n_wanted, limit),
            Tree::Eight(tree) => crowded(tree, self.axes.turn(query), n_wanted, limit),
            Tree::Sixteen(tree) => crowded(tree, self.axes.turn(query), n_wanted, limit),
        }
    }
}

fn crowded<const K: usize>(
    tree: &ImmutableKdTree<f64, u32, K, LEAF>,
    query: [f64; K],
    n_wanted: usize,
    limit: f64,
) -> bool {
    let n_asked = NonZero::new(n_wanted).unwrap_or(NonZero::<usize>::MIN);
    let found = tree.nearest_n_within::<SquaredEuclidean>(&query, limit, n_asked, true);
    n_wanted <= found.len()
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
        let by_tree = Search::new(rows, n_columns);
        let by_scan = Search { rows, n_columns, turned: None };
        let (mut fast, mut slow) = (Vec::new(), Vec::new());
        for query in rows.chunks(n_columns).step_by(7) {
            by_tree.nearest(query, 6, &mut fast);
            by_scan.nearest(query, 6, &mut slow);
            // Neighbours at equal distances differ in the last bits, and either may be taken.
            let is_same = |(f, s): (&f64, &f64)| (f - s).abs() <= 1e-12 * s;
            assert!(fast.iter().zip(&slow).all(is_same), "{fast:?} {slow:?}");
            assert_eq!(fast.len(), slow.len());
        }
        check_extremes(rows, n_columns);
    }

    #[track_caller]
    fn check_extremes(rows: &[f64], n_columns: usize) {
        let by_scan = Search { rows, n_columns, turned: None };
        let mut distances = Vec::new();
        let n_wanted = 6.min(rows.len() / n_columns);
        let mut farthest = |row: &[f64]| {
            by_scan.nearest(row, n_wanted, &mut distances);
            distances[distances.len() - 1]
        };
        let all: Vec<f64> = rows.chunks(n_columns).map(&mut farthest).collect();
        let (lowest, highest) = extremes(rows, n_columns, n_wanted);
        let expected_lowest = all.iter().copied().fold(f64::INFINITY, f64::min);
        let expected_highest = all.iter().copied().fold(0.0, f64::max);
        assert!((lowest - expected_lowest).abs() <= 1e-12 * expected_lowest, "{lowest}");
        assert!((highest - expected_highest).abs() <= 1e-12 * expected_highest, "{highest}");
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
