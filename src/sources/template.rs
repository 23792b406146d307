//! Query templates: MiniJinja with nothing but values in reach. No file, include, environment or
//! clock; instructions and output are limited.

use std::{collections::BTreeMap, io};

use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value, context};

use super::{ReadContext, SourceError};
use crate::domain::{ParamValue, SourceSpec, Timestamp};

/// Instructions a rendering may take: some thousand loop turns, well under a second.
const FUEL: u64 = 500_000;
/// Bytes a rendering may give, and a template may have.
const MAX_BYTES: usize = 1 << 20;

/// Renders a query.
///
/// Templates see `now` and `last_timestamp` (RFC 3339 texts, the latter none at first and already
/// less the source's lateness), both also as `…_unix` seconds, `batch.name`, `batch.tags` and
/// `params`. The filter `sql` writes a value as an SQL literal.
pub(super) fn render(
    template: &str,
    origin: &str,
    params: &BTreeMap<String, ParamValue>,
    spec: &SourceSpec,
    ctx: &ReadContext<'_>,
) -> Result<String, SourceError> {
    let last = ctx.last_timestamp.map(|at| at - spec.lateness);
    let params: BTreeMap<&str, Value> =
        params.iter().map(|(name, param)| (name.as_str(), value(param))).collect();
    let variables = context! {
        now => ctx.now.to_string(),
        now_unix => ctx.now.secs(),
        last_timestamp => last.map(|at| at.to_string()),
        last_timestamp_unix => last.map(Timestamp::secs),
        batch => context! { name => ctx.batch.name.as_str(), tags => ctx.batch.tags.clone() },
        params => Value::from(params),
    };
    render_with(template, variables).map_err(|(line, message)| SourceError::Template {
        origin: origin.to_owned(),
        line,
        message,
    })
}

/// A template of series' names, each label a variable; compiled once for many series.
pub(super) struct NameTemplate<'t>(Environment<'t>);

impl<'t> NameTemplate<'t> {
    pub(super) fn new(template: &'t str) -> Result<Self, SourceError> {
        compiled(template).map(Self).map_err(name_error)
    }

    /// The name of the series with these labels.
    pub(super) fn render(&self, labels: &[(&str, &str)]) -> Result<String, SourceError> {
        let variables: BTreeMap<&str, Value> =
            labels.iter().map(|(label, value)| (*label, Value::from(*value))).collect();
        let variables = Value::from(variables);
        render_compiled(&self.0, variables).map_err(name_error)
    }
}

fn name_error((line, message): Fault) -> SourceError {
    SourceError::Template { origin: "the name of a series".into(), line, message }
}

/// What is wrong with a template, and in which line.
type Fault = (Option<usize>, String);

/// The one template of an environment.
const ONLY: &str = "template";

fn render_with(template: &str, variables: Value) -> Result<String, Fault> {
    render_compiled(&compiled(template)?, variables)
}

fn compiled(template: &str) -> Result<Environment<'_>, Fault> {
    if MAX_BYTES < template.len() {
        return Err((None, format!("the template has more than {MAX_BYTES} bytes")));
    }
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(64);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.add_filter("sql", literal);
    // These make text or lists of any length in one step, which fuel does not count.
    for filter in ["indent", "batch", "slice"] {
        environment.remove_filter(filter);
    }
    environment.add_template(ONLY, template).map_err(|e| (e.line(), words(&e)))?;
    Ok(environment)
}

fn render_compiled(environment: &Environment<'_>, variables: Value) -> Result<String, Fault> {
    let mut output = Limited(Vec::new());
    let rendered = environment
        .get_template(ONLY)
        .and_then(|template| template.render_captured_to(variables, &mut output).map(|_| ()));
    rendered.map_err(|e| (e.line(), words(&e)))?;
    String::from_utf8(output.0).map_err(|_| (None, "the output is not text".into()))
}

fn value(param: &ParamValue) -> Value {
    match param {
        ParamValue::Bool(value) => Value::from(*value),
        ParamValue::Int(value) => Value::from(*value),
        ParamValue::Float(value) => Value::from(*value),
        ParamValue::Text(value) => Value::from(value.as_str()),
    }
}

fn words(error: &minijinja::Error) -> String {
    match error.kind() {
        ErrorKind::WriteFailure => format!("the output has more than {MAX_BYTES} bytes"),
        ErrorKind::OutOfFuel => "the template takes too many steps".into(),
        kind => match error.detail() {
            Some(detail) => format!("{kind}: {detail}"),
            None => kind.to_string(),
        },
    }
}

/// An SQL literal: numbers and truth values as they are, no value as NULL, all else quoted.
fn literal(value: &Value) -> Result<String, minijinja::Error> {
    if value.is_none() {
        return Ok("NULL".into());
    }
    if value.is_number() || matches!(value.kind(), minijinja::value::ValueKind::Bool) {
        return Ok(value.to_string());
    }
    if value.is_undefined() {
        return Err(ErrorKind::UndefinedError.into());
    }
    let wrong = |message| minijinja::Error::new(ErrorKind::InvalidOperation, message);
    let text = value.as_str().ok_or_else(|| wrong("only a plain value can be an SQL literal"))?;
    if text.contains('\0') {
        return Err(wrong("a text with a NUL cannot be an SQL literal"));
    }
    Ok(format!("'{}'", text.replace('\'', "''")))
}

/// Bytes up to a limit; one more is a failed write.
struct Limited(Vec<u8>);

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if MAX_BYTES < self.0.len() + bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(template: &str, expected: &str) {
        let variables = context! {
            last_timestamp => None::<String>,
            params => context! { region => "O'Hara", limit => 5 },
        };
        let rendered = render_with(template, variables);
        let shown = rendered.unwrap_or_else(|(line, message)| format!("{line:?} {message}"));
        assert!(shown.starts_with(expected), "{template}: {}", &shown[..shown.len().min(200)]);
    }

    #[test]
    fn templates_see_values_and_quote_literals() {
        check("x = {{ params.region | sql }} LIMIT {{ params.limit }}", "x = 'O''Hara' LIMIT 5");
        check("{% if last_timestamp %}AND{% endif %}-", "-");
        check("{{ last_timestamp | sql }}", "NULL");
        check("{{ '\\u0000' | sql }}", "Some(1) invalid operation: a text with a NUL");
    }

    #[test]
    fn a_template_reaches_nothing_outside_itself() {
        check("\n{{ missing }}", "Some(2) undefined value");
        check("{{ params.missing }}", "Some(1) undefined value");
        check("{{ params.missing | sql }}", "Some(1) undefined value");
        check("{% include '/etc/passwd' %}", "Some(1) template not found");
        check("{% import 'x' as x %}", "Some(1) template not found");
        check("{{ env('HOME') }}", "Some(1) unknown function");
    }

    #[test]
    fn endless_templates_end() {
        check(
            "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
            "Some(1) the template takes too many steps",
        );
        check("{{ 'x' * 99999999 }}", "None the output has more than 1048576 bytes");
        check("{{ 'x' * 9999999999 }}", "Some(1) invalid operation: repeated string is too large");
        check(
            "{% for i in range(20000) %}{{ 'x' ~ '0123456789' * 100 }}{% endfor %}",
            "None the output",
        );
        check("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "Some(1)");
        check("{{ 7 *", "Some(1) syntax error");
    }
}
