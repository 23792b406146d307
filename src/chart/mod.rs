//! Charts as SVG text, pure. Colours are CSS classes, so light and dark are the style sheet's
//! business. Text keeps its size at every width: positions across are percentages, positions down
//! are pixels, and only the lines are stretched.

mod axis;
mod paper;
mod plot;
mod sample;
mod spark;
mod svg;

pub(crate) use axis::Window;
pub(crate) use plot::{Mark, Plot};
pub(crate) use spark::Spark;
