//! Typed columns into plain vectors.

use polars::prelude::{ChunkedArray, PolarsNumericType};

/// Every cell converted, `missing` where there is none.
pub(super) fn convert<T: PolarsNumericType, R: Copy>(
    cells: &ChunkedArray<T>,
    missing: R,
    mut converted: impl FnMut(T::Native) -> R,
) -> Vec<R> {
    let mut all = Vec::with_capacity(cells.len());
    let is_whole = cells.null_count() == 0;
    for chunk in cells.downcast_iter() {
        if is_whole {
            all.extend(chunk.values_iter().map(|cell| converted(*cell)));
        } else {
            all.extend(chunk.iter().map(|cell| cell.map_or(missing, |cell| converted(*cell))));
        }
    }
    all
}
