//! `model_configs`: PyOD's models as detectors.

use serde_json::Value;

use crate::{
    detect,
    domain::{DetectorKind, ParamValue},
};

use super::{
    super::init::quoted_plain,
    folder::Keys,
    keys::text,
    report::{Report, Verdict},
    tables::{Tables, key_text},
};

/// PyOD's models by their names here.
pub(super) fn detectors(batch: &str, keys: &Keys, tables: &mut Tables, report: &mut Report) {
    let Some(Value::Array(models)) = keys.get("model_configs") else { return };
    let mut n_kept = 0;
    let mut tags = Vec::new();
    for model in models {
        let name = model.get("model_name").map(text).unwrap_or_default();
        let key = format!("model_configs.{name}");
        let Some(kind) = kind(&name) else {
            let note = format!("PyOD's {name} is not among the detectors here; it is left out");
            report.add((batch, &key), Verdict::Cannot, "", &note);
            continue;
        };
        let mut tag = model.get("model_tag").map_or_else(|| kind.as_str().to_owned(), text);
        while tags.contains(&tag) {
            tag.push('2');
        }
        tags.push(tag.clone());
        let params = params(kind, model.get("model_params"), |name| {
            let note = format!("the parameter `{name}` is not known here, or not with this value");
            report.add((batch, &key), Verdict::Cannot, "", &note);
        });
        let mut lines = vec![format!("kind = \"{kind}\""), format!("tag = {}", quoted_plain(&tag))];
        lines.push(format!("params = {{ {} }}", params.join(", ")));
        tables.element("detectors", lines);
        report.add((batch, &key), Verdict::Maps, &format!("[[detectors]] kind = \"{kind}\""), "");
        n_kept += 1;
    }
    if n_kept == 0 && !models.is_empty() {
        report.add(
            (batch, "model_configs"),
            Verdict::Changes,
            "[[detectors]] of the defaults",
            "no model is left; the default detector takes their place",
        );
    }
}

fn kind(pyod: &str) -> Option<DetectorKind> {
    let name = pyod.to_lowercase();
    let known = ["pca", "knn", "lof", "iforest", "hbos", "ecod", "copod", "mad"];
    known.contains(&name.as_str()).then(|| name.parse().ok())?
}

/// The parameters that the detector takes, as TOML; never none.
fn params(
    kind: DetectorKind,
    params: Option<&Value>,
    mut unknown: impl FnMut(&str),
) -> Vec<String> {
    // Anomstack alerts on PyOD's own probabilities.
    let mut kept = vec!["proba = \"linear\"".to_owned()];
    let Some(Value::Object(params)) = params else { return kept };
    for (name, value) in params {
        let Ok(param) = serde_json::from_value::<ParamValue>(value.clone()) else {
            unknown(name);
            continue;
        };
        if detect::validate_params(kind, &[(name.clone(), param)].into()).is_empty() {
            kept.push(format!("{} = {value}", key_text(name)));
        } else {
            unknown(name);
        }
    }
    kept
}
