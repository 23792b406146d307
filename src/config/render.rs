//! A problem as a compiler would show it.

use std::io::IsTerminal;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::{Environment, Problem};

/// Whether output holds colour codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// Plain text.
    Never,
    /// ANSI colours.
    Always,
}

impl Color {
    /// Colours on a terminal, unless `NO_COLOR` is set to anything.
    pub fn for_stream(stream: &impl IsTerminal, env: &Environment) -> Self {
        let is_refused = env.get("NO_COLOR").is_some_and(|value| !value.is_empty());
        if stream.is_terminal() && !is_refused { Self::Always } else { Self::Never }
    }
}

/// One problem with its place, line and help.
pub(super) fn render(problem: &Problem, color: Color) -> String {
    let title = Level::ERROR.primary_title(problem.message.as_str());
    let group = if problem.source.is_empty() {
        let origin = Origin::path(problem.file.as_str()).line(problem.line);
        Group::with_title(title).element(origin.char_column(problem.column))
    } else {
        let byte_of = |n_chars: usize| {
            let end = problem.source.len();
            problem.source.char_indices().nth(n_chars).map_or(end, |(offset, _)| offset)
        };
        let span = byte_of(problem.column - 1)..byte_of(problem.column - 1 + problem.width);
        let snippet = Snippet::source(problem.source.as_str())
            .path(problem.file.as_str())
            .line_start(problem.line);
        Group::with_title(title).element(snippet.annotation(AnnotationKind::Primary.span(span)))
    };
    let help = problem.help.as_deref().map(|help| Level::HELP.message(help));
    let report = [group.elements(help)];
    match color {
        Color::Never => Renderer::plain().render(&report),
        Color::Always => Renderer::styled().render(&report),
    }
}
