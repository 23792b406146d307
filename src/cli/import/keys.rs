//! Anomstack's keys, one by one: what each becomes, and what it does not do any more.

use serde_json::Value;

use crate::domain::CronExpr;

use super::{
    super::init::{quoted, quoted_plain},
    folder::Keys,
    report::{Report, Verdict},
    tables::{Tables, key_text},
};

/// Whether a value says yes, as YAML 1.1 and the environment write it.
pub(super) fn truth(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(value)) => *value,
        // A text of the environment is true in Python when it is not empty.
        Some(Value::String(text)) => {
            !matches!(text.to_lowercase().as_str(), "" | "no" | "false" | "off")
        }
        _ => false,
    }
}

/// A text, whatever it was written as.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| text(value).trim().parse().ok())
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| text(value).trim().parse().ok())
}

/// What one key becomes.
struct Key<'a> {
    batch: &'a str,
    name: &'a str,
    value: &'a Value,
    tables: &'a mut Tables,
    report: &'a mut Report,
}

impl Key<'_> {
    fn maps(&mut self, table: &str, key: &str, value: impl Into<super::tables::Toml>) {
        self.put(Verdict::Maps, (table, key), value, "");
    }

    fn changes(
        &mut self,
        table: &str,
        key: &str,
        value: impl Into<super::tables::Toml>,
        note: &str,
    ) {
        self.put(Verdict::Changes, (table, key), value, note);
    }

    fn put(
        &mut self,
        verdict: Verdict,
        (table, key): (&str, &str),
        value: impl Into<super::tables::Toml>,
        note: &str,
    ) {
        let value = value.into();
        let becomes = format!("[{table}] {} = {}", key_text(key), value.0);
        self.tables.put(table, key, value);
        self.report.add((self.batch, self.name), verdict, &becomes, note);
    }

    fn cannot(&mut self, note: &str) {
        self.report.add((self.batch, self.name), Verdict::Cannot, "", note);
    }

    fn unneeded(&mut self, note: &str) {
        self.report.add((self.batch, self.name), Verdict::Unneeded, "", note);
    }

    /// A whole number of at least `least`.
    fn count(&mut self, table: &str, key: &str, least: i64) {
        match whole(self.value) {
            Some(n) if least <= n => self.maps(table, key, n),
            Some(n) => {
                self.changes(table, key, least, &format!("{n} is less than the least, {least}"))
            }
            None => self.cannot("it is no whole number"),
        }
    }

    fn days(&mut self, table: &str, key: &str) {
        match number(self.value) {
            Some(days) if 0.0 < days && days.fract() == 0.0 => {
                self.maps(table, key, format!("{days}d").as_str())
            }
            Some(days) if 0.0 < days => {
                self.maps(table, key, format!("{}h", (days * 24.0).ceil()).as_str())
            }
            _ => self.cannot("it is no number of days"),
        }
    }

    fn names(&mut self, table: &str) {
        let names: Vec<String> = match self.value {
            Value::Array(names) => names.iter().map(text).collect(),
            other => text(other).split(',').map(str::to_owned).collect(),
        };
        // Quotes within quotes were the only way to get them into Anomstack's SQL.
        let bare = |name: &String| name.trim().trim_matches(['\'', '"', '(', ')']).to_owned();
        let names: Vec<String> = names.iter().map(bare).filter(|name| !name.is_empty()).collect();
        self.maps(table, "exclude", names);
    }
}

/// Every key but those of the source and the detectors.
pub(super) fn settings(batch: &str, keys: &Keys, tables: &mut Tables, report: &mut Report) {
    let disabled: Vec<&str> = keys
        .iter()
        .filter(|(name, value)| name.starts_with("disable_") && truth(Some(value)))
        .filter_map(|(name, _)| name.strip_prefix("disable_"))
        .collect();
    for (name, value) in keys.iter().filter(|(_, value)| !value.is_null()) {
        let mut key = Key { batch, name, value, tables, report };
        if let Some(job) = name.strip_suffix("_cron_schedule") {
            schedule(&mut key, job, &disabled);
        } else if let Some(job) = name.strip_prefix("disable_") {
            disable(&mut key, job, keys);
        } else if name == "preprocess_params" {
            preprocess(&mut key);
        } else if name == "metric_tags" {
            tags(&mut key);
        } else if name == "tholdalert_thresholds" {
            thresholds(&mut key);
        } else {
            setting(&mut key);
        }
    }
}

fn setting(key: &mut Key<'_>) {
    match key.name {
        "train_max_n" => key.count("train", "max_points", 1),
        "train_min_n" => {
            let least = whole(key.value).unwrap_or(14).max(1);
            key.changes("train", "min_points", least, "there it left out the newest points; here it is the least number of points a model needs");
        }
        "train_metric_timestamp_max_days_ago" => key.days("train", "window"),
        "train_exclude_metrics" => key.names("train"),
        "score_max_n" => key.count("score", "max_points", 1),
        "score_metric_timestamp_max_days_ago" => key.days("score", "window"),
        "score_exclude_metrics" => key.names("score"),
        "model_combination_method" => combine(key),
        "alert_threshold" => match number(key.value) {
            Some(threshold) if 0.0 < threshold && threshold <= 1.0 => {
                key.changes("alert", "threshold", threshold, "scores say how unusual a value is among the metric's own past; watch the first days whether the threshold still fits");
            }
            _ => key.cannot("a threshold is over 0 and at most 1"),
        },
        "alert_recent_n" => key.count("alert", "recent", 1),
        "alert_smooth_n" => {
            let n = whole(key.value).unwrap_or(0).max(1);
            key.changes("alert", "smooth", n, "there it had no effect on the newest score; here the mean of the last scores is what alerts");
        }
        "alert_snooze_n" => {
            let n = whole(key.value).unwrap_or(0).max(0);
            key.changes(
                "alert",
                "snooze",
                n,
                "there it had no effect; here a metric is silent for so many points after an alert",
            );
        }
        "alert_exclude_metrics" => key.names("alert"),
        "alert_methods" => methods(key),
        "alert_always" if truth(Some(key.value)) => {
            key.cannot("there is no alert without a reason")
        }
        "change_threshold" => match number(key.value) {
            Some(threshold) => {
                key.changes("change", "threshold", threshold, "there no change was ever found")
            }
            None => key.cannot("it is no number"),
        },
        "change_max_n" => key.count("change", "points", 1),
        "change_detect_last_n" => key.count("change", "detect_last", 1),
        "delete_after_n_days" => key.days("history", "retention"),
        "preprocess_diff_n" => key.count("features", "difference", 0),
        "preprocess_smooth_n" => key.count("features", "smooth", 0),
        "preprocess_lags_n" => key.count("features", "lags", 0),
        "model_path" => key.changes_storage(),
        "preprocess_fn" | "train_sql" | "score_sql" | "alert_sql" | "change_sql"
            if !is_stock(key.value) =>
        {
            key.cannot("the steps between source and alert are not replaced by own code; [features], [train], [score] and [alert] set them");
        }
        name if HANDLED.contains(&name) => (),
        name if is_unneeded(name) => key.unneeded("there is nothing for it to set"),
        name if key.report.has(key.batch, name) => (),
        _ => key.cannot("no such key is known"),
    }
}

impl Key<'_> {
    fn changes_storage(&mut self) {
        let path = text(self.value);
        let note = format!(
            "models live in the store: `[storage]` of config/anomstack.toml; it was {path}"
        );
        self.report.add(
            (self.batch, self.name),
            Verdict::Changes,
            "[storage] of the system's file",
            &note,
        );
    }
}

/// Keys that others look after.
const HANDLED: &[&str] =
    &["metric_batch", "db", "ingest_sql", "ingest_fn", "model_configs", "table_key"];

fn is_unneeded(name: &str) -> bool {
    let starts =
        ["dashboard_", "plot_", "summary_", "llmalert_", "delete_", "tholdalert_", "change_"];
    let ends = ["_rounding", "_default_schedule_status", "_sql", "_fn", "_max_n"];
    let whole =
        ["alert_always", "alert_metric_timestamp_max_days_ago", "preprocess_fn", "metrics_dir"];
    whole.contains(&name)
        || starts.iter().any(|start| name.starts_with(start))
        || ends.iter().any(|end| name.ends_with(end))
}

/// A template that only includes the shipped one.
fn is_stock(value: &Value) -> bool {
    let text = text(value);
    let text = text.trim();
    text.starts_with("{%")
        && text.ends_with("%}")
        && text.contains("include")
        && text.contains("defaults/")
        && text.matches("{%").count() == 1
}

fn combine(key: &mut Key<'_>) {
    match text(key.value).as_str() {
        method @ ("mean" | "min" | "max") => key.maps("score", "combine", method),
        _ => key.cannot("the methods are mean, min and max"),
    }
}

fn methods(key: &mut Key<'_>) {
    let methods = text(key.value);
    let note = format!(
        "alerts go to the log; set up `[channels]` in config/anomstack.toml and name them in `[alert].channels` (they were: {methods})"
    );
    key.report.add((key.batch, key.name), Verdict::Changes, "[alert] channels", &note);
}

fn schedule(key: &mut Key<'_>, job: &str, disabled: &[&str]) {
    let is_disabled = disabled.contains(&job) || (job == "alert" && disabled.contains(&"alerts"));
    match job {
        "ingest" | "train" | "score" | "alert" if is_disabled => (),
        "ingest" | "train" | "score" | "alert" => {
            let cron = text(key.value);
            let cron = cron.trim();
            match CronExpr::parse(cron) {
                Ok(_) => key.maps("schedule", job, cron),
                Err(_) => key.cannot(&format!("`{cron}` is no cron expression")),
            }
        }
        _ => key.unneeded("the job runs by itself, or is not there"),
    }
}

fn disable(key: &mut Key<'_>, job: &str, keys: &Keys) {
    let is_disabled = truth(Some(key.value));
    match job {
        "ingest" | "train" | "score" if is_disabled => key.maps("schedule", job, "never"),
        "alerts" if is_disabled => key.maps("schedule", "alert", "never"),
        "alert" if is_disabled && !truth(keys.get("disable_alerts")) => {
            key.cannot("Anomstack never read it (`disable_alerts` is what it read), so alerts stay on; `[schedule] alert = \"never\"` ends them");
        }
        "batch" => (),
        "change" if is_disabled => key.maps("change", "enabled", false),
        _ => key.unneeded("the job is not there, or was on"),
    }
}

fn preprocess(key: &mut Key<'_>) {
    let Value::Object(params) = key.value else { return key.cannot("it holds no keys") };
    // What a batch leaves out is what Anomstack's function takes then, not the default batch's.
    let param =
        |name: &str, otherwise: i64| params.get(name).and_then(whole).unwrap_or(otherwise).max(0);
    key.maps("features", "difference", param("diff_n", 1));
    key.maps("features", "smooth", param("smooth_n", 3));
    key.maps("features", "lags", param("lags_n", 5));
    match params.get("freq").filter(|freq| !freq.is_null()).map(text) {
        None => (),
        Some(freq) => match offset(&freq) {
            Some(span) => key.maps("features", "resample", span.as_str()),
            None => key.cannot(&format!("`freq: {freq}` has no fixed length")),
        },
    }
    match params.get("freq_agg").map(text).as_deref() {
        None | Some("mean") => (),
        Some("sum") => key.maps("features", "aggregate", "sum"),
        Some(other) => key.cannot(&format!("`freq_agg: {other}` is neither mean nor sum")),
    }
}

/// A pandas offset of fixed length as a duration.
fn offset(freq: &str) -> Option<String> {
    let n_digits = freq.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = freq.split_at(n_digits);
    let count: i64 = if count.is_empty() { 1 } else { count.parse().ok()? };
    let unit = match unit {
        "s" | "S" => "s",
        "min" | "T" => "m",
        "h" | "H" => "h",
        "d" | "D" => "d",
        "W" => return Some(format!("{}d", count * 7)),
        _ => return None,
    };
    Some(format!("{count}{unit}"))
}

fn tags(key: &mut Key<'_>) {
    let Value::Object(metrics) = key.value else { return key.cannot("it names no metrics") };
    for (metric, tags) in metrics {
        let Value::Object(tags) = tags else { continue };
        let tags: Vec<String> = tags
            .iter()
            .map(|(tag, value)| format!("{} = {}", key_text(tag), quoted_plain(&text(value))))
            .collect();
        let table = format!("metrics.{}", quoted(metric));
        key.tables.line(&table, format!("tags = {{ {} }}", tags.join(", ")));
    }
    let note = "[metrics.…] tags";
    key.report.add((key.batch, key.name), Verdict::Maps, note, "");
}

fn thresholds(key: &mut Key<'_>) {
    let Value::Object(metrics) = key.value else { return key.cannot("it names no metrics") };
    for (metric, limits) in metrics {
        let table = format!("thresholds.{}", quoted(metric));
        for side in ["upper", "lower"] {
            if let Some(limit) = limits.get(side).and_then(number) {
                key.tables.put(&table, side, limit);
            }
        }
    }
    let note =
        "there the alert could not be sent, and was off unless `disable_tholdalert` was False";
    key.report.add((key.batch, key.name), Verdict::Changes, "[thresholds.…]", note);
}
