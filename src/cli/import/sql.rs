//! Jinja as Anomstack used it: includes below the batches' folder, and the batch's own keys as
//! variables. Queries stay templates, in the words of this program's; what is fixed is filled in.

use std::{fs, path::Path};

use minijinja::{Environment, UndefinedBehavior};

use super::folder::Keys;
use super::keys::text;

/// Includes in includes further down than this are a loop.
const DEEPEST: usize = 8;

/// A query for this program.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) text: String,
    /// Keys of the batch that it uses.
    pub(super) params: Vec<(String, String)>,
    pub(super) problems: Vec<String>,
}

/// Makes a query out of a template.
pub(super) fn translate(dir: &Path, template: &str, context: &Keys) -> Query {
    let mut query = Query::default();
    let text = match include(dir, template, DEEPEST) {
        Ok(text) => text,
        Err(problem) => {
            query.problems.push(problem);
            template.to_owned()
        }
    };
    let environment = Environment::new();
    let mut used: Vec<String> = match environment.template_from_str(&text) {
        Ok(parsed) => parsed.undeclared_variables(false).into_iter().collect(),
        Err(error) => {
            query.problems.push(format!("the template is not understood: {error}"));
            Vec::new()
        }
    };
    used.sort();
    let mut head = String::new();
    for name in used.into_iter().filter(|name| !OURS.contains(&name.as_str())) {
        match context.get(&name) {
            Some(value) => {
                head += &format!("{{% set {name} = params.{name} %}}");
                query.params.push((name, self::text(value)));
            }
            None if is_function(&name) => (),
            None => query
                .problems
                .push(format!("the template uses `{name}`, which is no key of the batch")),
        }
    }
    // Several statements were cut down to the first.
    let body = text.trim().trim_end_matches(';').trim_end();
    query.text = if head.is_empty() { format!("{body}\n") } else { format!("{head}\n{body}\n") };
    query
}

/// A text with everything filled in, as Anomstack did before it ran a function.
pub(super) fn rendered(dir: &Path, template: &str, context: &Keys) -> Result<String, String> {
    let text = include(dir, template, DEEPEST)?;
    if !text.contains("{{") && !text.contains("{%") && !text.contains("{#") {
        return Ok(text);
    }
    let value = |value: &serde_json::Value| match (value.as_i64(), value.as_f64()) {
        (Some(whole), _) => minijinja::Value::from(whole),
        (None, Some(number)) => minijinja::Value::from(number),
        (None, None) => minijinja::Value::from(self::text(value)),
    };
    let values: std::collections::BTreeMap<&str, minijinja::Value> =
        context.iter().map(|(name, found)| (name.as_str(), value(found))).collect();
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(500_000));
    environment
        .render_str(&text, minijinja::Value::from(values))
        .map_err(|error| format!("the text is a template that is not understood: {error}"))
}

/// What templates of this program see.
const OURS: &[&str] =
    &["now", "now_unix", "last_timestamp", "last_timestamp_unix", "batch", "params"];

fn is_function(name: &str) -> bool {
    ["range", "dict", "namespace", "loop", "debug"].contains(&name)
}

/// Puts included files in their place. A path counts from the batches' folder and stays in it.
fn include(dir: &Path, template: &str, depth: usize) -> Result<String, String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some(start) = rest.find("{%") {
        let Some(length) = rest[start..].find("%}") else { break };
        let (before, tag) = (&rest[..start], &rest[start + 2..start + length]);
        text.push_str(before);
        let words = tag.trim().trim_matches('-').trim();
        match words.strip_prefix("include") {
            Some(name) => {
                let name = name.trim().trim_matches(['"', '\'']);
                if depth == 0 {
                    return Err(format!("includes go on without end at `{name}`"));
                }
                let path = dir.join(name);
                let inside = fs::canonicalize(&path).ok().zip(fs::canonicalize(dir).ok());
                let Some((path, _)) = inside.filter(|(path, dir)| path.starts_with(dir)) else {
                    return Err(format!("it includes `{name}`, which is not in the folder"));
                };
                let included =
                    fs::read_to_string(path).map_err(|error| format!("`{name}`: {error}"))?;
                text += &include(dir, &included, depth - 1)?;
            }
            None => text.push_str(&rest[start..start + length + 2]),
        }
        rest = &rest[start + length + 2..];
    }
    text.push_str(rest);
    Ok(text)
}
