//! A block's cells as typed columns.

use polars::prelude::{
    ChunkedBuilder, Column, DataFrame, Float64Type, Int64Type, IntoColumn, IntoSeries, PlSmallStr,
    PolarsResult, PrimitiveChunkedBuilder, StringChunkedBuilder, TimeUnit, TimeZone,
};

use crate::sources::{columns::CHUNK_CELLS, intake};

/// What all cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whole numbers.
    Int,
    /// Numbers.
    Float,
    /// Times as whole numbers.
    Epoch,
    /// Times with their zone, in one of the plain forms.
    Zoned,
    /// Times without one, in one of the plain forms.
    Civil,
    /// Anything.
    Text,
}

impl Kind {
    /// What to try next.
    pub(super) const fn wider(self) -> Self {
        match self {
            Self::Int => Self::Float,
            Self::Epoch => Self::Zoned,
            Self::Zoned => Self::Civil,
            Self::Float | Self::Civil | Self::Text => Self::Text,
        }
    }
}

/// A cell that is not what its column is, or that has no column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Misfit {
    pub(super) column: usize,
}

enum Cells {
    Ints(PrimitiveChunkedBuilder<Int64Type>),
    Floats(PrimitiveChunkedBuilder<Float64Type>),
    Texts(StringChunkedBuilder),
}

struct Building {
    kind: Kind,
    cells: Cells,
}

/// Columns under construction.
pub(super) struct Typed {
    columns: Vec<Building>,
    n_rows: usize,
    /// Cells of the open row.
    n_cells: usize,
}

impl Typed {
    /// Room for as many rows as a text of this length probably has.
    pub(super) fn new(kinds: &[Kind], n_bytes: usize) -> Self {
        let n_rows = n_bytes / (8 * kinds.len().max(1)) + 1;
        let cells = |kind: &Kind| match kind {
            Kind::Int | Kind::Epoch | Kind::Zoned | Kind::Civil => {
                Cells::Ints(PrimitiveChunkedBuilder::new(PlSmallStr::EMPTY, n_rows))
            }
            Kind::Float => Cells::Floats(PrimitiveChunkedBuilder::new(PlSmallStr::EMPTY, n_rows)),
            Kind::Text => Cells::Texts(StringChunkedBuilder::new(PlSmallStr::EMPTY, n_rows)),
        };
        let columns = kinds.iter().map(|kind| Building { kind: *kind, cells: cells(kind) });
        Self { columns: columns.collect(), n_rows: 0, n_cells: 0 }
    }

    /// Puts the open row's next cell. An empty one is no cell, whatever its column is.
    pub(super) fn put(&mut self, column: usize, cell: &str) -> Result<(), Misfit> {
        let misfit = Misfit { column };
        let building = self.columns.get_mut(column).ok_or(misfit)?;
        self.n_cells = column + 1;
        match &mut building.cells {
            Cells::Texts(cells) if cell.is_empty() => cells.append_null(),
            Cells::Texts(cells) => cells.append_value(cell),
            Cells::Ints(cells) if cell.is_empty() => cells.append_null(),
            Cells::Ints(cells) => cells.append_value(whole(building.kind, cell).ok_or(misfit)?),
            Cells::Floats(cells) if cell.is_empty() => cells.append_null(),
            Cells::Floats(cells) => cells.append_value(cell.trim().parse().map_err(|_| misfit)?),
        }
        Ok(())
    }

    /// Ends the open row: columns it did not reach get nothing.
    pub(super) fn close_row(&mut self) {
        for building in self.columns.iter_mut().skip(self.n_cells) {
            match &mut building.cells {
                Cells::Ints(cells) => cells.append_null(),
                Cells::Floats(cells) => cells.append_null(),
                Cells::Texts(cells) => cells.append_null(),
            }
        }
        self.n_cells = 0;
        self.n_rows += 1;
    }

    /// Whether the closed rows are worth a frame. Cells that rows leave out count as others do.
    pub(super) const fn is_full(&self) -> bool {
        CHUNK_CELLS <= self.n_rows * self.columns.len()
    }

    /// The frame of all closed rows.
    pub(super) fn finish(self, names: &[String]) -> PolarsResult<DataFrame> {
        let n_rows = self.n_rows;
        let column = |(building, name): (Building, &String)| -> Column {
            let series = match building.cells {
                Cells::Ints(cells) => {
                    let numbers = cells.finish();
                    match building.kind {
                        Kind::Zoned => numbers
                            .into_datetime(TimeUnit::Microseconds, Some(TimeZone::UTC))
                            .into_series(),
                        Kind::Civil => {
                            numbers.into_datetime(TimeUnit::Microseconds, None).into_series()
                        }
                        _ => numbers.into_series(),
                    }
                }
                Cells::Floats(cells) => cells.finish().into_series(),
                Cells::Texts(cells) => cells.finish().into_series(),
            };
            // Cells of a row whose end is not at hand are read again with the next block.
            series.head(Some(n_rows)).with_name(name.as_str().into()).into_column()
        };
        DataFrame::new(n_rows, self.columns.into_iter().zip(names).map(column).collect())
    }
}

fn whole(kind: Kind, cell: &str) -> Option<i64> {
    let cell = cell.trim();
    match kind {
        Kind::Int | Kind::Epoch => cell.parse().ok(),
        Kind::Zoned | Kind::Civil => {
            let (micros, has_zone) = intake::plain_time(cell)?;
            (has_zone == (kind == Kind::Zoned)).then_some(micros)
        }
        Kind::Float | Kind::Text => None,
    }
}
