//! Charts as SVG text and PNG bytes, pure.
//!
//! Charts on pages have CSS classes for colours, so light and dark are the style sheet's business.
//! Their text keeps its size at every width: positions across are percentages, positions down are
//! pixels, and only the lines are stretched. Charts that stand alone ([`alert_chart`],
//! [`multiples`]) have one size and their own colours.

mod axis;
mod label;
mod mark;
mod paper;
mod plot;
#[cfg(test)]
mod plot_tests;
mod png;
mod sample;
mod spark;
mod still;
mod svg;
mod trace;

pub(crate) use axis::{AROUND, Window};
pub(crate) use mark::Mark;
pub(crate) use plot::Plot;
pub(crate) use png::png;
pub(crate) use sample::spacing;
pub(crate) use spark::Spark;
pub(crate) use still::{Picture, Size, Svg, alert_chart, multiples};
