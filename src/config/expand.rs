//! `${VAR}` and `${VAR:-default}` in a text; `$${` writes a plain `${`.

use super::Environment;

/// A text after expansion.
#[derive(Debug, PartialEq)]
pub(super) struct Expansion {
    pub(super) text: String,
    /// Whether a variable was named, so that the text may hold what must not be shown.
    pub(super) named_variable: bool,
    pub(super) errors: Vec<ExpandError>,
}

/// A `${…}` that has no value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ExpandError {
    #[error("the variable `{name}` is not set")]
    Missing { name: String },
    #[error("`${{` is never closed")]
    Unclosed,
    #[error("`${{…}}` holds no variable name")]
    BadName,
}

impl ExpandError {
    /// What to do about it.
    pub(super) fn help(&self) -> String {
        match self {
            Self::Missing { name } => format!(
                "set it in the environment or in `.env`, or give a default: `${{{name}:-default}}`"
            ),
            Self::Unclosed | Self::BadName => "write `$${` for a plain `${`".to_owned(),
        }
    }
}

/// Fills in every variable of a text. An empty variable counts as unset where there is a default.
pub(super) fn expand(text: &str, env: &Environment) -> Expansion {
    let mut expansion =
        Expansion { text: String::new(), named_variable: false, errors: Vec::new() };
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        expansion.text.push_str(&rest[..dollar]);
        rest = &rest[dollar..];
        if let Some(after) = rest.strip_prefix("$${") {
            expansion.text.push_str("${");
            rest = after;
        } else if let Some(after) = rest.strip_prefix("${") {
            let Some(close) = after.find('}') else {
                expansion.errors.push(ExpandError::Unclosed);
                return expansion;
            };
            expansion.named_variable = true;
            match value(&after[..close], env) {
                Ok(value) => expansion.text.push_str(value),
                Err(error) => expansion.errors.push(error),
            }
            rest = &after[close + 1..];
        } else {
            expansion.text.push('$');
            rest = &rest[1..];
        }
    }
    expansion.text.push_str(rest);
    expansion
}

fn value<'a>(inside: &'a str, env: &'a Environment) -> Result<&'a str, ExpandError> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.starts_with(|c: char| !c.is_ascii_digit());
    if !is_name {
        return Err(ExpandError::BadName);
    }
    match (env.get(name), default) {
        (Some(""), Some(default)) | (None, Some(default)) => Ok(default),
        (Some(value), _) => Ok(value),
        (None, None) => Err(ExpandError::Missing { name: name.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str, errors: &[ExpandError]) {
        let env = Environment::from_pairs([("HOST", "db"), ("EMPTY", "")]);
        let expansion = expand(text, &env);
        assert_eq!((expansion.text.as_str(), expansion.errors.as_slice()), (expected, errors));
    }

    #[test]
    fn variables_defaults_and_escapes_are_filled_in() {
        check("a ${HOST}/${HOST} b", "a db/db b", &[]);
        check("${NOPE:-x:-y}${EMPTY:-z}[${EMPTY}]", "x:-yz[]", &[]);
        check("$${HOST} $5 $$ $", "${HOST} $5 $$ $", &[]);
    }

    #[test]
    fn every_error_of_a_text_is_found() {
        let missing = |name: &str| ExpandError::Missing { name: name.into() };
        check("${A}-${B}", "-", &[missing("A"), missing("B")]);
        check("x${}${1a}", "x", &[ExpandError::BadName, ExpandError::BadName]);
        check("x${HOST", "x", &[ExpandError::Unclosed]);
    }
}
