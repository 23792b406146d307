//! Frames of several files or pages put together by column name.

use polars::prelude::{Column, DataFrame, DataType, IntoColumn, PolarsResult, Series};

/// The type that columns under each other become: their own when it is one, a float for numbers of
/// several types, text for everything else.
pub(super) fn common_type<'t>(mut types: impl Iterator<Item = &'t DataType>) -> DataType {
    let first = types.next().cloned().unwrap_or(DataType::String);
    types.fold(first, |common, next| match (&common, next) {
        (common, next) if common == next => next.clone(),
        (DataType::Null, other) | (other, DataType::Null) => other.clone(),
        (one, other) if one.is_primitive_numeric() && other.is_primitive_numeric() => {
            DataType::Float64
        }
        _ => DataType::String,
    })
}

/// One frame under the other. A column that a frame lacks is empty there; columns of different
/// types become text.
pub(super) fn stack(frames: Vec<DataFrame>) -> PolarsResult<DataFrame> {
    let mut names: Vec<_> = Vec::new();
    for name in frames.iter().flat_map(DataFrame::get_column_names) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let parts = || frames.iter().map(|frame| (frame, frame.column(name).ok()));
        let types = parts().filter_map(|(_, part)| Some(part?.dtype()));
        let dtype = common_type(types);
        let mut whole = Series::new_empty(name.clone(), &dtype).into_column();
        for (frame, part) in parts() {
            match part {
                Some(part) => whole.append(&part.cast(&dtype)?)?,
                None => whole.append(&Column::full_null(name.clone(), frame.height(), &dtype))?,
            };
        }
        columns.push(whole);
    }
    DataFrame::new(frames.iter().map(DataFrame::height).sum(), columns)
}
