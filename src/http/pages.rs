//! The page templates, built into the program. Every template's name ends in `.html`, so every
//! value is escaped; only the charts of [`crate::chart`] are inserted as they are.

use axum::response::Html;
use chrono_tz::Tz;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value};

use crate::domain::{Span, Timestamp, words as domain_words};

use super::{failure::Failure, words};

const TEMPLATES: &[(&str, &str)] = &[
    ("base.html", include_str!("../../web/templates/base.html")),
    ("parts.html", include_str!("../../web/templates/parts.html")),
    ("overview.html", include_str!("../../web/templates/overview.html")),
    ("batch.html", include_str!("../../web/templates/batch.html")),
    ("metric.html", include_str!("../../web/templates/metric.html")),
    ("alerts.html", include_str!("../../web/templates/alerts.html")),
    ("alert.html", include_str!("../../web/templates/alert.html")),
    ("runs.html", include_str!("../../web/templates/runs.html")),
    ("run.html", include_str!("../../web/templates/run.html")),
    ("models_table.html", include_str!("../../web/templates/models_table.html")),
    ("model.html", include_str!("../../web/templates/model.html")),
    ("models.html", include_str!("../../web/templates/models.html")),
    ("link.html", include_str!("../../web/templates/link.html")),
    ("problem.html", include_str!("../../web/templates/problem.html")),
];

/// A template's context, every value through serde.
macro_rules! filled {
    (@ $key:ident) => { minijinja::Value::from(minijinja::value::Serde($key)) };
    (@ $key:ident => $value:expr) => { minijinja::Value::from(minijinja::value::Serde($value)) };
    ($($key:ident $(=> $value:expr)?),* $(,)?) => {
        minijinja::context! { $($key => $crate::http::pages::filled!(@ $key $(=> $value)?)),* }
    };
}
pub(super) use filled;

/// The compiled templates.
#[derive(Debug)]
pub(super) struct Pages {
    environment: Environment<'static>,
}

impl Pages {
    /// Compiles every template; `stamp` marks the assets' version in their addresses.
    pub(super) fn new(stamp: String) -> Result<Self, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.add_global("stamp", stamp);
        environment.add_global("version", env!("CARGO_PKG_VERSION"));
        environment.add_filter("number", number);
        environment.add_filter("count", domain_words::count);
        environment.add_filter("score", score);
        environment.add_filter("shown", shown);
        environment.add_filter("line", line);
        environment.add_filter("segment", segment);
        environment.add_filter("bytes", words::bytes);
        environment.add_filter("took", took);
        environment.add_filter("share", share);
        environment.add_function("when", when);
        environment.add_function("clock", clock);
        environment.add_function("metric_href", metric_href);
        for (name, source) in TEMPLATES {
            environment.add_template(name, source)?;
        }
        Ok(Self { environment })
    }

    /// Fills a template in.
    pub(super) fn render(&self, name: &str, context: Value) -> Result<Html<String>, Failure> {
        let template = self.environment.get_template(name);
        let text = template.and_then(|template| template.render(context));
        text.map(Html).map_err(|error| Failure::internal(&error))
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), domain_words::number)
}

/// Two decimals, more where they matter: 0.997 is not 1.
fn score(value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(score) if 0.99 < score && score < 1.0 => {
            format!("{:.4}", (score * 1e4).floor() / 1e4).trim_end_matches('0').to_owned()
        }
        Some(score) => format!("{score:.2}"),
    }
}

/// A share as a percentage.
fn share(part: f64) -> String {
    format!("{} %", domain_words::number(part * 100.0))
}

fn shown(text: &str) -> String {
    domain_words::shown(text)
}

/// As [`shown`], at its full length.
fn line(text: &str) -> String {
    domain_words::one_line(text)
}

fn segment(text: &str) -> String {
    words::segment(text)
}

fn metric_href(batch: &str, metric: &str) -> String {
    words::metric_href(batch, metric)
}

fn took(seconds: f64) -> String {
    words::took(Span::from_micros((seconds * 1e6) as i64))
}

/// A time as the time passed since, the whole time on hover. `page` is [`super::site::Page`].
fn when(at: Option<String>, page: &Value) -> Result<Value, minijinja::Error> {
    let Some(at) = at else { return Ok("–".into()) };
    let at = instant(&at)?;
    let now = instant(&page.get_attr("now")?.to_string())?;
    let (full, ago) = (words::full(at, zone(page)?), words::ago(now, at));
    Ok(Value::from_safe_string(format!(r#"<time datetime="{at}" title="{full}">{ago}</time>"#)))
}

/// A whole time in the page's zone.
fn clock(at: Option<String>, page: &Value) -> Result<Value, minijinja::Error> {
    let Some(at) = at else { return Ok("–".into()) };
    let at = instant(&at)?;
    let full = words::full(at, zone(page)?);
    Ok(Value::from_safe_string(format!(r#"<time datetime="{at}" title="{at}">{full}</time>"#)))
}

fn zone(page: &Value) -> Result<Tz, minijinja::Error> {
    Ok(page.get_attr("tz")?.to_string().parse().unwrap_or(Tz::UTC))
}

fn instant(text: &str) -> Result<Timestamp, minijinja::Error> {
    Timestamp::parse(text).map_err(|error| {
        minijinja::Error::new(ErrorKind::InvalidOperation, "read a time").with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_compiles_and_is_escaped() {
        Pages::new("0".into()).unwrap();
        for (name, source) in TEMPLATES {
            assert!(name.ends_with(".html"), "{name}");
            assert!(!source.contains("|safe") && !source.contains("| safe"), "{name}");
            assert!(!source.contains("style=") && !source.contains("onclick"), "{name}");
        }
    }

    #[test]
    fn a_score_just_under_one_is_not_shown_as_one() {
        assert_eq!(score(Some(0.999_97)), "0.9999");
        assert_eq!(score(Some(0.997)), "0.997");
        assert_eq!(score(Some(1.0)), "1.00");
        assert_eq!(score(Some(0.5)), "0.50");
        assert_eq!(score(None), "–");
    }
}
