//! The large chart as a file of its own, with its colours and a caption in it.

use super::{
    Plot,
    plot::HEIGHT,
    svg::{coordinate, escape},
};

/// Pixels.
const WIDTH: f64 = 1280.0;
const MARGIN: f64 = 24.0;
const CAPTION: f64 = 56.0;
const STYLE: &str = include_str!("paper.css");

impl Plot<'_> {
    /// The chart as an SVG document; the label is its title, `caption` the line below it.
    pub(crate) fn document(&self, caption: &str) -> String {
        let inner = self.render().replacen("width=\"100%\"", "x=\"0\" y=\"0\" width=\"100%\"", 1);
        format!(
            concat!(
                r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" "#,
                r#"viewBox="0 0 {width} {height}"><style>{style}</style>"#,
                r#"<rect class="paper" width="100%" height="100%"/>"#,
                r#"<text class="title" x="{margin}" y="28">{title}</text>"#,
                r#"<text class="caption" x="{margin}" y="47">{caption}</text>"#,
                r#"<svg x="{margin}" y="{top}" width="{inner_width}" height="{inner_height}">"#,
                "{inner}</svg></svg>\n"
            ),
            width = WIDTH,
            height = coordinate(HEIGHT + CAPTION + MARGIN),
            style = STYLE,
            margin = MARGIN,
            title = escape(self.label),
            caption = escape(caption),
            top = CAPTION,
            inner_width = WIDTH - 2.0 * MARGIN,
            inner_height = HEIGHT,
            inner = inner,
        )
    }
}
