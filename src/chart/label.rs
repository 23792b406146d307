//! Texts on a chart that stands alone: how they look, how wide they come out, cut to their room.

use super::svg::{coordinate, escape};

/// Heights in pixels; nothing is written smaller.
pub(super) const TEXT: f64 = 12.0;
pub(super) const TITLE: f64 = 15.0;
const INK: &str = "#1a2130";
const GREY: &str = "#4d5768";

/// How a text looks and how much room it has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    size: f64,
    colour: &'static str,
    class: &'static str,
    anchor: &'static str,
    room: f64,
}

impl Look {
    pub(super) const fn title(room: f64) -> Self {
        Self { size: TITLE, colour: INK, class: "title", anchor: "start", room }
    }

    pub(super) const fn text(room: f64) -> Self {
        Self { size: TEXT, colour: GREY, class: "text", anchor: "start", room }
    }

    /// The position is the text's middle.
    pub(super) const fn centred(self) -> Self {
        Self { anchor: "middle", ..self }
    }

    /// The position is the text's end.
    pub(super) const fn ending(self) -> Self {
        Self { anchor: "end", ..self }
    }
}

/// A text from anywhere, cut to its room.
pub(super) fn label(text: &str, (x, y): (f64, f64), look: Look) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!(
        r#"<text class="{}" x="{}" y="{}" font-size="{}" fill="{}" text-anchor="{}">{}</text>"#,
        look.class,
        coordinate(x),
        coordinate(y),
        look.size,
        look.colour,
        look.anchor,
        escape(&cut(text, look.size, look.room))
    )
}

/// About as wide as a text comes out: no font is asked, so a little too much rather than too
/// little.
pub(super) fn width_of(text: &str, size: f64) -> f64 {
    text.chars().map(|character| share_of_size(character) * size).sum()
}

const fn share_of_size(character: char) -> f64 {
    match character {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '!' | '|' => 0.28,
        ' ' | 'f' | 't' | 'r' | '(' | ')' | '-' | '/' => 0.4,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.9,
        'A'..='Z' => 0.68,
        '\u{1100}'.. => 1.1,
        _ => 0.57,
    }
}

fn cut(text: &str, size: f64, room: f64) -> String {
    if width_of(text, size) <= room {
        return text.to_owned();
    }
    let mut left = room - size;
    let fits = |character: &char| {
        left -= share_of_size(*character) * size;
        0.0 <= left
    };
    let mut kept: String = text.chars().take_while(fits).collect();
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_to_its_room_and_a_short_one_is_not() {
        assert_eq!(cut("orders", TEXT, 60.0), "orders");
        let long = "x".repeat(300);
        let shown = cut(&long, TEXT, 200.0);
        assert!(shown.ends_with('…') && width_of(&shown, TEXT) <= 200.0, "{shown}");
        assert!(180.0 < width_of(&shown, TEXT), "{shown}");
        assert_eq!(cut("wide 注文の数", TEXT, 50.0), "wide …");
    }

    #[test]
    fn a_text_from_outside_stays_a_text() {
        let text = label("<a b=\"c\">&", (1.0, 2.0), Look::text(500.0));
        assert!(text.ends_with(">&lt;a b=&quot;c&quot;&gt;&amp;</text>"), "{text}");
    }
}
