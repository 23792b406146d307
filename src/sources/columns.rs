//! Frame columns built cell by cell while rows stream in, for sources whose cells carry their own
//! type. A column takes the narrowest type that holds all its cells: integers, floats, text. Next to
//! floats, integers beyond 2^53 become the nearest float, as they would as values anyway.

use std::collections::HashSet;

use polars::prelude::{
    ChunkedBuilder, Column, DataFrame, Float64Type, Int64Type, IntoColumn, IntoSeries, PlSmallStr,
    PrimitiveChunkedBuilder, Series, StringChunkedBuilder,
};

use super::{SourceError, chunks::CHUNK_ROWS};

/// One cell as a source gave it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell<'a> {
    /// Nothing.
    Null,
    /// A whole number.
    Int(i64),
    /// A number, also NaN and infinite ones.
    Float(f64),
    /// Text.
    Text(&'a str),
}

/// Names in which none hides another: one that came before gets a number.
pub(super) fn unique_names(names: Vec<String>) -> Vec<String> {
    let mut known = HashSet::with_capacity(names.len());
    let named = names.into_iter().map(|name| {
        let name = unique(&name, |name| known.contains(name));
        known.insert(name.clone());
        name
    });
    named.collect()
}

fn unique(name: &str, is_known: impl Fn(&str) -> bool) -> String {
    let (mut unique, mut n_before) = (name.to_owned(), 0);
    while is_known(&unique) {
        n_before += 1;
        unique = format!("{name}_{n_before}");
    }
    unique
}

enum Cells {
    Nulls(usize),
    Ints(PrimitiveChunkedBuilder<Int64Type>),
    Floats(PrimitiveChunkedBuilder<Float64Type>),
    Texts(StringChunkedBuilder),
}

/// One column under construction.
struct Building {
    name: PlSmallStr,
    cells: Cells,
    n_cells: usize,
}

/// Columns under construction; all have one length between rows.
pub(super) struct Columns {
    columns: Vec<Building>,
    n_rows: usize,
    /// Bytes of the texts.
    n_bytes: usize,
    /// Cells of nothing in columns that a row did not name.
    n_missing: usize,
    /// Rows that are gone already.
    n_drained: usize,
    max_rows: usize,
}

/// Bytes of texts that are worth a frame, however few rows they are in.
const CHUNK_BYTES: usize = 8 << 20;
/// Cells that are worth a frame, however few rows they are in.
pub(super) const CHUNK_CELLS: usize = 4 << 20;
/// Columns a frame may have; rows that each bring new ones would fill the memory.
pub(super) const MAX_COLUMNS: usize = 20_000;
/// Cells of nothing that may fill up rows: no byte of the source stands for them.
pub(super) const MAX_MISSING: usize = 32 << 20;
/// Bytes that a cell of nothing takes at least.
const BYTES_OF_NOTHING: usize = 8;

/// More cells of nothing than a source may have.
pub(super) fn too_many_missing() -> SourceError {
    let max_bytes = (MAX_MISSING * BYTES_OF_NOTHING) as u64;
    SourceError::TooManyBytes { place: "the cells that rows leave out".to_owned(), max_bytes }
}

impl Columns {
    /// No rows yet. A name that came before gets a number, so that no column hides another.
    pub(super) fn new<'n>(names: impl IntoIterator<Item = &'n str>, max_rows: usize) -> Self {
        let (columns, n_rows, n_bytes, n_missing, n_drained) = (Vec::new(), 0, 0, 0, 0);
        let mut columns = Self { columns, n_rows, n_bytes, n_missing, n_drained, max_rows };
        for name in names {
            columns.add(name);
        }
        columns
    }

    fn add(&mut self, name: &str) -> usize {
        let unique = unique(name, |name| self.columns.iter().any(|known| known.name == name));
        let unique = PlSmallStr::from_string(unique);
        let n_before = self.n_rows.saturating_sub(1);
        self.n_missing += n_before;
        let cells = Cells::Nulls(n_before);
        self.columns.push(Building { name: unique, cells, n_cells: n_before });
        self.columns.len() - 1
    }

    /// The column of this name, made now (empty so far) if there is none. Looked for first at
    /// `likely`, as rows mostly name their columns in one order.
    ///
    /// # Errors
    /// [`SourceError::TooManyBytes`] when rows left out too many cells.
    pub(super) fn place(&mut self, name: &str, likely: usize) -> Result<usize, SourceError> {
        if self.columns.get(likely).is_some_and(|known| known.name.as_str() == name) {
            return Ok(likely);
        }
        let known = self.columns.iter().position(|known| known.name.as_str() == name);
        let place = known.unwrap_or_else(|| self.add(name));
        if MAX_MISSING < self.n_missing { Err(too_many_missing()) } else { Ok(place) }
    }

    /// Opens the next row.
    ///
    /// # Errors
    /// [`SourceError::TooManyRows`] when the limit is reached; [`SourceError::TooManyBytes`] when
    /// rows left out too many cells.
    pub(super) fn open_row(&mut self) -> Result<(), SourceError> {
        if self.max_rows <= self.n_drained + self.n_rows {
            return Err(SourceError::TooManyRows { max_rows: self.max_rows });
        }
        if MAX_MISSING < self.n_missing {
            return Err(too_many_missing());
        }
        self.n_rows += 1;
        Ok(())
    }

    /// Puts a cell into the open row. A second cell for the same column is left out.
    pub(super) fn put(&mut self, place: usize, cell: Cell<'_>) {
        if let Some(column) = self.columns.get_mut(place)
            && column.n_cells < self.n_rows
        {
            if let Cell::Text(text) = cell {
                self.n_bytes += text.len();
            }
            column.cells.push(cell);
            column.n_cells += 1;
        }
    }

    /// Closes the open row: columns it did not name get nothing.
    pub(super) fn close_row(&mut self) {
        for column in self.columns.iter_mut().filter(|column| column.n_cells < self.n_rows) {
            column.cells.push(Cell::Null);
            column.n_cells += 1;
            self.n_missing += 1;
        }
    }

    /// Bytes of the texts.
    pub(super) const fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// Whether the closed rows are worth a frame.
    pub(super) const fn is_full(&self) -> bool {
        CHUNK_ROWS <= self.n_rows
            || CHUNK_BYTES <= self.n_bytes
            || CHUNK_CELLS <= self.n_rows * self.columns.len()
    }

    /// The frame of all closed rows, which are gone then. The columns stay, and keep their types.
    ///
    /// # Errors
    /// [`SourceError::Decode`] when the columns do not fit together.
    pub(super) fn drain(&mut self, place: &str) -> Result<DataFrame, SourceError> {
        let columns: Vec<Column> = self
            .columns
            .iter_mut()
            .map(|column| {
                column.n_cells = 0;
                let cells = column.cells.drain();
                cells.with_name(column.name.clone()).into_column()
            })
            .collect();
        let n_rows = std::mem::take(&mut self.n_rows);
        self.n_drained += n_rows;
        (self.n_bytes, self.n_missing) = (0, 0);
        DataFrame::new(n_rows, columns)
            .map_err(|e| SourceError::Decode { place: place.to_owned(), message: e.to_string() })
    }

    /// The frame of all closed rows.
    ///
    /// # Errors
    /// As [`Self::drain`].
    pub(super) fn finish(mut self, place: &str) -> Result<DataFrame, SourceError> {
        self.drain(place)
    }

    /// The last frame, if there are rows left, or there never was one: then it tells the columns.
    ///
    /// # Errors
    /// As [`Self::drain`].
    pub(super) fn last(mut self, place: &str) -> Result<Option<DataFrame>, SourceError> {
        if self.n_rows == 0 && 0 < self.n_drained {
            return Ok(None);
        }
        self.drain(place).map(Some)
    }
}

impl Cells {
    fn push(&mut self, cell: Cell<'_>) {
        match (&mut *self, cell) {
            (Self::Nulls(n), Cell::Null) => *n += 1,
            (Self::Ints(builder), Cell::Null) => builder.append_null(),
            (Self::Ints(builder), Cell::Int(value)) => builder.append_value(value),
            (Self::Floats(builder), Cell::Null) => builder.append_null(),
            (Self::Floats(builder), Cell::Float(value)) => builder.append_value(value),
            (Self::Floats(builder), Cell::Int(value)) => builder.append_value(value as f64),
            (Self::Texts(builder), Cell::Null) => builder.append_null(),
            (Self::Texts(builder), Cell::Text(value)) => builder.append_value(value),
            (Self::Texts(builder), Cell::Int(value)) => builder.append_value(value.to_string()),
            (Self::Texts(builder), Cell::Float(value)) => builder.append_value(value.to_string()),
            (Self::Nulls(_), Cell::Int(_) | Cell::Float(_) | Cell::Text(_))
            | (Self::Ints(_), Cell::Float(_) | Cell::Text(_))
            | (Self::Floats(_), Cell::Text(_)) => {
                self.widen(cell);
                self.push(cell);
            }
        }
    }

    /// Takes the type that holds what is there and the cell too.
    fn widen(&mut self, cell: Cell<'_>) {
        let so_far = std::mem::replace(self, Self::Nulls(0));
        let mut wider = match cell {
            Cell::Null => return,
            Cell::Int(_) => Self::Ints(PrimitiveChunkedBuilder::new(PlSmallStr::EMPTY, 0)),
            Cell::Float(_) => Self::Floats(PrimitiveChunkedBuilder::new(PlSmallStr::EMPTY, 0)),
            Cell::Text(_) => Self::Texts(StringChunkedBuilder::new(PlSmallStr::EMPTY, 0)),
        };
        match so_far {
            Self::Nulls(n) => (0..n).for_each(|_| wider.push(Cell::Null)),
            Self::Ints(builder) => {
                builder.finish().iter().for_each(|v| wider.push(v.map_or(Cell::Null, Cell::Int)));
            }
            Self::Floats(builder) => {
                builder.finish().iter().for_each(|v| wider.push(v.map_or(Cell::Null, Cell::Float)));
            }
            Self::Texts(builder) => {
                builder.finish().iter().for_each(|v| wider.push(v.map_or(Cell::Null, Cell::Text)));
            }
        }
        *self = wider;
    }

    /// All cells, which are gone then; the type stays.
    fn drain(&mut self) -> Series {
        let empty = match self {
            Self::Nulls(_) => Self::Nulls(0),
            Self::Ints(_) => Self::Ints(PrimitiveChunkedBuilder::new(PlSmallStr::EMPTY, 0)),
            Self::Floats(_) => Self::Floats(PrimitiveChunkedBuilder::new(PlSmallStr::EMPTY, 0)),
            Self::Texts(_) => Self::Texts(StringChunkedBuilder::new(PlSmallStr::EMPTY, 0)),
        };
        match std::mem::replace(self, empty) {
            Self::Nulls(n) => Series::new_null(PlSmallStr::EMPTY, n),
            Self::Ints(builder) => builder.finish().into_series(),
            Self::Floats(builder) => builder.finish().into_series(),
            Self::Texts(builder) => builder.finish().into_series(),
        }
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::DataType;

    use super::*;

    fn column(cells: &[Cell<'_>]) -> (DataType, Vec<String>) {
        let mut columns = Columns::new(["x"], 100);
        for cell in cells {
            columns.open_row().unwrap();
            columns.put(0, *cell);
            columns.close_row();
        }
        let frame = columns.finish("test").unwrap();
        let series = frame.column("x").unwrap();
        let shown = (0..series.len()).map(|i| series.get(i).unwrap().str_value().into_owned());
        (series.dtype().clone(), shown.collect())
    }

    #[test]
    fn a_column_widens_to_hold_every_cell() {
        let ints = column(&[Cell::Null, Cell::Int(9_007_199_254_740_993)]);
        assert_eq!(ints, (DataType::Int64, vec!["null".into(), "9007199254740993".into()]));
        let floats = column(&[Cell::Int(1), Cell::Null, Cell::Float(0.5)]);
        assert_eq!(floats.0, DataType::Float64);
        let texts = column(&[Cell::Int(9_007_199_254_740_993), Cell::Text("x"), Cell::Float(0.1)]);
        assert_eq!(
            texts,
            (DataType::String, vec!["9007199254740993".into(), "x".into(), "0.1".into()])
        );
    }

    #[test]
    fn the_row_limit_holds_at_the_limit_and_breaks_one_over() {
        let mut columns = Columns::new(["x"], 2);
        for _ in 0..2 {
            columns.open_row().unwrap();
            columns.close_row();
        }
        assert!(matches!(columns.open_row(), Err(SourceError::TooManyRows { max_rows: 2 })));
    }

    #[test]
    fn frames_of_many_columns_are_full_after_few_rows() {
        let names: Vec<String> = (0..1_000).map(|i| i.to_string()).collect();
        let mut columns = Columns::new([], 10_000);
        columns.open_row().unwrap();
        for (i, name) in names.iter().enumerate() {
            columns.place(name, i).unwrap();
        }
        columns.close_row();
        while !columns.is_full() {
            columns.open_row().unwrap();
            columns.close_row();
        }
        assert_eq!(columns.n_rows, CHUNK_CELLS.div_ceil(1_000));
    }

    #[test]
    fn a_repeated_column_name_hides_no_column() {
        let frame = Columns::new(["x", "x"], 1).finish("test").unwrap();
        assert_eq!(frame.get_column_names(), ["x", "x_1"]);
    }

    #[test]
    fn a_column_of_nothing_survives_parquet() {
        let mut columns = Columns::new(["x"], 3);
        columns.open_row().unwrap();
        columns.close_row();
        let mut frame = columns.finish("test").unwrap();
        let mut bytes = std::io::Cursor::new(Vec::new());
        polars::prelude::ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
        use polars::prelude::SerReader;
        let back = polars::prelude::ParquetReader::new(bytes).finish().unwrap();
        assert_eq!(back.height(), 1);
        assert!(back.column("x").unwrap().get(0).unwrap().is_null());
    }
}
