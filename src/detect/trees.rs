//! The trees of an isolation forest.
//!
//! Nodes lie in the order of a walk that goes left first. Each has a code, the column it cuts or,
//! for a leaf, minus the number of training rows in it, and each cut a bound: codes and bounds
//! alone say where every branch ends.

use super::artifact::{DecodeError, ensure, floats};
use super::random::Random;
use crate::domain::Plain;

/// Trees, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trees {
    nodes: Vec<Node>,
    roots: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Node {
    /// Numbers up to `bound` go on at the next node, larger ones at `right`.
    Cut { column: u32, bound: f64, right: usize },
    /// `depth` includes what `n_rows` rows would need to be told apart.
    Leaf { n_rows: u32, depth: f64 },
}

/// Mean depth at which a search ends in a random tree of so many rows.
pub(super) fn mean_search_depth(n_rows: usize) -> f64 {
    const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;
    match n_rows {
        0 | 1 => 0.0,
        2 => 1.0,
        _ => {
            let others = n_rows as f64 - 1.0;
            2.0 * (others.ln() + EULER_GAMMA) - 2.0 * others / n_rows as f64
        }
    }
}

impl Trees {
    /// `None` when a tree is not whole or a bound is missing.
    fn new(codes: &[i32], bounds: &[f64], n_columns: usize) -> Option<Self> {
        let mut bounds = bounds.iter();
        let mut nodes: Vec<Node> = Vec::with_capacity(codes.len());
        let mut roots = Vec::new();
        // Cuts whose right branch is still to come, and their depths.
        let mut open: Vec<(usize, f64)> = Vec::new();
        let (mut depth, mut is_root) = (0.0, true);
        for (index, code) in codes.iter().enumerate() {
            if is_root {
                roots.push(index);
            }
            if let Ok(column) = u32::try_from(*code) {
                let fits = (column as usize) < n_columns;
                nodes.push(Node::Cut { column, bound: *bounds.next().filter(|_| fits)?, right: 0 });
                open.push((index, depth));
                (depth, is_root) = (depth + 1.0, false);
                continue;
            }
            let n_rows = code.unsigned_abs();
            nodes.push(Node::Leaf { n_rows, depth: depth + mean_search_depth(n_rows as usize) });
            (depth, is_root) = match open.pop() {
                None => (0.0, true),
                Some((cut, cut_depth)) => {
                    if let Some(Node::Cut { right, .. }) = nodes.get_mut(cut) {
                        *right = index + 1;
                    }
                    (cut_depth + 1.0, false)
                }
            };
        }
        let is_whole = is_root && !roots.is_empty() && bounds.next().is_none();
        is_whole.then_some(Self { nodes, roots })
    }

    pub(super) fn n_trees(&self) -> usize {
        self.roots.len()
    }

    /// Mean over the trees of the depth a row reaches.
    pub(super) fn mean_depth(&self, row: &[f64]) -> f64 {
        let depths = self.roots.iter().map(|root| self.depth(*root, row));
        depths.sum::<f64>() / self.roots.len() as f64
    }

    fn depth(&self, root: usize, row: &[f64]) -> f64 {
        let mut index = root;
        loop {
            match self.nodes[index] {
                Node::Leaf { depth, .. } => return depth,
                Node::Cut { column, bound, right } => {
                    index = if row[column as usize] <= bound { index + 1 } else { right };
                }
            }
        }
    }

    /// The model fields `codes` and `bounds`.
    pub(super) fn to_plain(&self) -> (Plain, Plain) {
        let code = |node: &Node| match *node {
            Node::Cut { column, .. } => column as i32,
            Node::Leaf { n_rows, .. } => -(n_rows as i32),
        };
        let codes = self.nodes.iter().flat_map(|node| code(node).to_le_bytes()).collect();
        let bounds = self.nodes.iter().filter_map(|node| match *node {
            Node::Cut { bound, .. } => Some(bound),
            Node::Leaf { .. } => None,
        });
        (Plain::Bytes(codes), Plain::from_f64s(&bounds.collect::<Vec<f64>>()))
    }

    pub(super) fn from_plain(plain: &Plain, n_columns: usize) -> Result<Self, DecodeError> {
        let Some(Plain::Bytes(bytes)) = plain.get("codes") else {
            return Err(DecodeError::Missing { field: "codes" });
        };
        let (codes, rest) = bytes.as_chunks::<4>();
        ensure(rest.is_empty(), "codes")?;
        let codes: Vec<i32> = codes.iter().map(|code| i32::from_le_bytes(*code)).collect();
        let trees = Self::new(&codes, &floats(plain, "bounds")?, n_columns);
        trees.ok_or(DecodeError::Inconsistent { field: "codes" })
    }
}

/// Grows trees on rows.
pub(super) struct Grower<'a> {
    rows: &'a [f64],
    n_columns: usize,
    most_depth: u32,
    pub(super) random: Random,
    codes: Vec<i32>,
    bounds: Vec<f64>,
}

impl<'a> Grower<'a> {
    pub(super) fn new(rows: &'a [f64], n_columns: usize, n_samples: usize, random: Random) -> Self {
        let most_depth = n_samples.max(2).next_power_of_two().ilog2();
        Self { rows, n_columns, most_depth, random, codes: Vec::new(), bounds: Vec::new() }
    }

    /// Grows one more tree on the rows of the sample, cutting these columns.
    pub(super) fn grow(&mut self, sample: &mut [usize], columns: &[usize]) {
        let mut columns = columns.to_vec();
        self.branch(sample, &mut columns, 0);
    }

    pub(super) fn finish(self) -> Option<Trees> {
        Trees::new(&self.codes, &self.bounds, self.n_columns)
    }

    fn branch(&mut self, sample: &mut [usize], columns: &mut [usize], depth: u32) {
        let is_leaf = sample.len() <= 1 || self.most_depth <= depth;
        let cut = if is_leaf { None } else { self.draw_column(sample, columns) };
        let Some((column, lowest, highest)) = cut else {
            self.codes.push(-(sample.len() as i32));
            return;
        };
        let share = self.random.unit();
        // Not `lowest + share * range`: the range of huge numbers overflows.
        let bound = (lowest * (1.0 - share) + highest * share).max(lowest);
        let bound = if highest <= bound { lowest } else { bound };
        self.codes.push(column as i32);
        self.bounds.push(bound);
        let mut n_left = 0;
        for place in 0..sample.len() {
            if self.rows[sample[place] * self.n_columns + column] <= bound {
                sample.swap(place, n_left);
                n_left += 1;
            }
        }
        let (left, right) = sample.split_at_mut(n_left);
        self.branch(left, columns, depth + 1);
        self.branch(right, columns, depth + 1);
    }

    /// One of the columns the rows differ in, each as likely, and its range.
    fn draw_column(
        &mut self,
        sample: &[usize],
        columns: &mut [usize],
    ) -> Option<(usize, f64, f64)> {
        for place in 0..columns.len() {
            self.random.choose(&mut columns[place..], 1);
            let column = columns[place];
            let values = sample.iter().map(|index| self.rows[index * self.n_columns + column]);
            let (lowest, highest) =
                values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
            if lowest < highest {
                return Some((column, lowest, highest));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depths_count_the_cuts_and_what_is_left() {
        let trees = Trees::new(&[0, -1, 1, -3, -2, -5], &[2.0, 7.0], 2).unwrap();
        assert_eq!(trees.n_trees(), 2);
        let whole = mean_search_depth(5);
        let depths = [[1.0, 0.0], [3.0, 7.0], [3.0, 8.0]].map(|row| trees.mean_depth(&row));
        let expected = [1.0, 2.0 + mean_search_depth(3), 3.0].map(|depth| (depth + whole) / 2.0);
        assert_eq!(depths, expected);
    }

    #[test]
    fn torn_trees_are_none() {
        assert_eq!(Trees::new(&[], &[], 1), None);
        assert_eq!(Trees::new(&[0, -1], &[2.0], 1), None);
        assert_eq!(Trees::new(&[0, -1, -1], &[], 1), None);
        assert_eq!(Trees::new(&[1, -1, -1], &[2.0], 1), None);
        assert_eq!(Trees::new(&[-1], &[2.0], 1), None);
    }
}
