//! The free texts of a [`Section`]: lists of them, maps of them, and those that are secret.

use std::collections::BTreeMap;

use crate::domain::{ParamValue, Secret};

use super::{
    document::{Node, Value, parse_override},
    later::is_secret_key,
    place::{Located, Place},
    section::{HIDDEN, Section, Text},
};

impl Section<'_> {
    /// Texts of a list; a single one may come from an override, separated by commas.
    pub(super) fn texts(&mut self, key: &'static str) -> Option<Vec<Located<Text>>> {
        let node = self.take(key)?;
        let items = match node.value {
            Value::List(items) => items,
            Value::Override(text) => self.override_list(&text, &node.place),
            _ => {
                self.wrong_type(key, "a list of texts", &node);
                return None;
            }
        };
        let mut texts = Vec::new();
        for item in items {
            match Text::of(&item.value) {
                Some(value) => texts.push(Located { value, place: item.place }),
                None => self.wrong_type(key, "a list of texts", &item),
            }
        }
        self.show(key, texts.iter().map(|text| text.value.shown()).collect::<Vec<_>>());
        Some(texts)
    }

    /// A list of texts, or a single one.
    pub(super) fn one_or_more_texts(&mut self, key: &'static str) -> Option<Vec<Located<Text>>> {
        let node = self.take(key)?;
        let items = match node.value {
            Value::List(items) => items,
            Value::Override(text) => self.override_list(&text, &node.place),
            _ => vec![node],
        };
        let mut texts = Vec::new();
        for item in items {
            match Text::of(&item.value) {
                Some(value) => texts.push(Located { value, place: item.place }),
                None => self.wrong_type(key, "a text or a list of texts", &item),
            }
        }
        Some(texts)
    }

    /// A text that must not be shown, or `{ file = "path" }` of one.
    pub(super) fn secret(&mut self, key: &'static str) -> Option<Located<Secret>> {
        let node = self.take(key)?;
        self.show(key, HIDDEN);
        self.secret_of(key, node)
    }

    /// Secrets by name.
    pub(super) fn secrets(&mut self, key: &'static str) -> BTreeMap<String, Secret> {
        let entries = self.free_table(key);
        let mut secrets = BTreeMap::new();
        let mut shown = toml::Table::new();
        for (name, entry) in entries {
            shown.insert(name.clone(), HIDDEN.into());
            if let Some(secret) = self.secret_of(&name, entry.node) {
                secrets.insert(name, secret.value);
            }
        }
        self.show_table(key, shown);
        secrets
    }

    /// Plain values by name.
    pub(super) fn params(&mut self, key: &'static str) -> BTreeMap<String, ParamValue> {
        let mut params = BTreeMap::new();
        let mut shown = toml::Table::new();
        for (name, entry) in self.free_table(key) {
            let (param, value) = match &entry.node.value {
                Value::Bool(flag) => (ParamValue::Bool(*flag), (*flag).into()),
                Value::Int(number) => (ParamValue::Int(*number), (*number).into()),
                Value::Float(number) => (ParamValue::Float(*number), (*number).into()),
                Value::Override(text) => override_param(text),
                Value::Broken => continue,
                value => match Text::of(value) {
                    Some(text) => (ParamValue::Text(text.text.clone()), text.shown()),
                    None => {
                        self.wrong_type(&name, "a text, a number or true or false", &entry.node);
                        continue;
                    }
                },
            };
            let value = if is_secret_key(&name) { HIDDEN.into() } else { value };
            params.insert(name.clone(), param);
            shown.insert(name, value);
        }
        self.show_table(key, shown);
        params
    }

    /// Texts by name.
    pub(super) fn labels(&mut self, key: &'static str) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::new();
        let mut shown = toml::Table::new();
        for (name, entry) in self.free_table(key) {
            match Text::of(&entry.node.value) {
                Some(text) => {
                    shown.insert(name.clone(), text.shown());
                    labels.insert(name, text.text);
                }
                None => self.wrong_type(&name, "a text", &entry.node),
            }
        }
        self.show_table(key, shown);
        labels
    }

    fn override_list(&mut self, text: &str, place: &Place) -> Vec<Node> {
        let parsed = parse_override(text, place, self.check).map(|node| node.value);
        if let Some(Value::List(items)) = parsed {
            return items;
        }
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts
            .map(|part| Node { value: Value::Text(part.to_owned()), place: place.clone() })
            .collect()
    }

    fn secret_of(&mut self, key: &str, node: Node) -> Option<Located<Secret>> {
        if let Some(text) = Text::of(&node.value) {
            self.check.hide(&node.place);
            return Some(Located { value: Secret::new(text.text), place: node.place });
        }
        let Value::Table(entries) = node.value else {
            self.check.hide(&node.place);
            self.wrong_type(key, "a text or { file = \"path\" }", &node);
            return None;
        };
        let help = "write the path of a file that holds the secret";
        let file = self.read_below(key, node.place.clone(), entries, |section| {
            section.required_text("file", help)
        })?;
        let path = self.check.dir.join(&file.value.text);
        match self.check.read_text(&path) {
            Ok(text) => {
                let text = text.trim_end_matches(['\n', '\r']).to_owned();
                Some(Located { value: Secret::new(text), place: node.place })
            }
            Err(error) => {
                self.check.problem(&file.place, format!("cannot read this file: {error}"));
                None
            }
        }
    }
}

fn override_param(text: &str) -> (ParamValue, toml::Value) {
    if let Ok(flag) = text.parse::<bool>() {
        return (ParamValue::Bool(flag), flag.into());
    }
    if let Ok(number) = text.parse::<i64>() {
        return (ParamValue::Int(number), number.into());
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => (ParamValue::Float(number), number.into()),
        _ => (ParamValue::Text(text.to_owned()), text.into()),
    }
}
