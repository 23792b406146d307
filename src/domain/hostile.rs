//! Texts from outside that try to be more than text, for the tests of all that shows one.

/// Markup, mentions, links, headers, formulas, templates, characters that hide or turn others
/// round, and texts that are too long.
pub(crate) fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "<b>x</b><script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)",
        "javascript:alert(1)",
        "<!here> <!channel> <@U1> <https://evil.example|x> &amp;",
        "@everyone @here <@1> **b** `c` [x](https://evil.example) ||s||",
        "x\r\nBcc: eve@evil.example\r\n\r\nbody",
        "x\n.\r\nMAIL FROM:<eve@evil.example>",
        "=cmd|' /C calc'!A0",
        "@SUM(1+1)*cmd|' /C calc'!A0",
        "{{ 7*7 }} ${7*7} {% raw %} #{7*7}",
        "\u{202e}gnp.exe",
        "a\u{200b}b\u{2066}c\u{feff}",
        "nul\0inside",
        "\u{7}\u{1b}[31m",
        "🚀🇪🇺👩‍👩‍👧",
        "مقياس",
        "../../etc/passwd",
        "\\' or 1=1 --",
    ]
    .map(str::to_owned)
    .into();
    texts.extend(["<&>".repeat(3_334), "🚀".repeat(10_000), "x".repeat(10_000)]);
    texts
}

/// As the name of a metric: what no metric can be called is left out.
pub(crate) fn metric(text: &str) -> super::MetricName {
    let kept: String = text.replace('\0', "").chars().take(250).collect();
    super::MetricName::parse(&kept).unwrap()
}

/// Asserts that a text shows all it holds: nothing in it hides, turns round or breaks a line.
#[track_caller]
pub(crate) fn assert_plain(text: &str) {
    let is_bad = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    assert!(!text.contains(is_bad), "{text:?}");
}

/// Asserts that a page has no tag and no attribute but these, and that nothing is loaded or opened
/// but what begins so.
#[track_caller]
pub(crate) fn assert_markup(
    page: &str,
    tags: &[&str],
    is_attribute: impl Fn(&str) -> bool,
    addresses: &[&str],
) {
    let mut rest = page;
    while let Some(begin) = rest.find('<') {
        let end = begin + rest[begin..].find('>').expect("a tag ends");
        let tag = rest[begin + 1..end].trim_start_matches('/').trim_end_matches('/');
        rest = &rest[end + 1..];
        let (name, mut of) = tag.split_once([' ', '\n']).unwrap_or((tag, ""));
        assert!(tags.contains(&name.to_lowercase().as_str()), "<{tag}>");
        while let Some((attribute, value)) = of.split_once("=\"") {
            let (value, next) = value.split_once('"').expect("an attribute ends");
            let attribute = attribute.trim();
            assert!(is_attribute(attribute), "`{attribute}` in <{tag}>");
            if ["href", "src", "action"].contains(&attribute) {
                let value = value.replace("&#x2f;", "/");
                assert!(addresses.iter().any(|begin| value.starts_with(begin)), "{value}");
            }
            of = next;
        }
        assert!(!of.contains('='), "`{of}` in <{tag}>");
    }
}
