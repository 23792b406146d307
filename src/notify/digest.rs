//! A digest in words: its headline, its text, and what the page of a mail shows of it.

use minijinja::{Value, context};

use crate::domain::{AlertDigest, BatchDigest, Digest, Severity, words};

impl Digest {
    /// The digest in one line.
    pub fn title(&self) -> String {
        let n_hours = (self.until - self.from).micros().unsigned_abs() / 3_600_000_000;
        let [alerts, firing, hours] = [self.n_raised(), self.n_firing(), n_hours].map(words::count);
        let noun = if self.n_raised() == 1 { "alert" } else { "alerts" };
        format!("{alerts} {noun} in {hours} hours, {firing} still firing")
    }

    /// The digest in lines.
    pub fn text(&self) -> String {
        let mut lines = vec![words::stretch(self.from, self.until, self.timezone)];
        for batch in &self.batches {
            lines.push(words::shown(batch.batch.as_str()));
            let alerts =
                alerts(batch).into_iter().map(|(_, alert, reason)| format!("{alert}: {reason}"));
            let none = (batch.n_raised == 0).then(|| "no alerts".to_owned());
            let all =
                none.into_iter().chain(alerts).chain(unsaid(batch)).chain(
                    facts(batch).into_iter().map(|(label, value)| format!("{label}: {value}")),
                );
            lines.extend(all.map(|line| format!("  {line}")));
        }
        lines.push(String::new());
        lines.join("\n")
    }

    /// What the page shows.
    pub(super) fn context(&self) -> Value {
        let batches: Vec<Value> = self
            .batches
            .iter()
            .map(|batch| {
                context! {
                    name => words::shown(batch.batch.as_str()),
                    n_raised => words::count(batch.n_raised),
                    n_firing => words::count(batch.n_firing),
                    precision => share(batch.precision),
                    response_rate => share(batch.response_rate),
                    alerts => alerts(batch),
                    unsaid => unsaid(batch),
                    facts => other_facts(batch),
                }
            })
            .collect();
        let when = words::stretch(self.from, self.until, self.timezone);
        context! { when, batches }
    }
}

/// Loudness, what happened for how long, and why.
fn alerts(batch: &BatchDigest) -> Vec<(bool, String, String)> {
    let line = |alert: &AlertDigest| {
        let AlertDigest { severity, kind, metric, lasted, is_over, .. } = alert;
        let (metric, lasted) = (words::shown(metric.as_str()), words::length(*lasted));
        let state = if *is_over { "over" } else { "goes on" };
        let said = format!("{severity} {kind} of {metric} for {lasted}, {state}");
        (*severity == Severity::Critical, said, words::one_line(&alert.reason))
    };
    batch.alerts.iter().map(line).collect()
}

fn unsaid(batch: &BatchDigest) -> Option<String> {
    let n_unsaid = batch.n_raised.saturating_sub(batch.alerts.len() as u64);
    (0 < n_unsaid).then(|| format!("and {} more alerts", words::count(n_unsaid)))
}

fn facts(batch: &BatchDigest) -> Vec<(&'static str, String)> {
    let rates = [("precision", batch.precision), ("response rate", batch.response_rate)];
    let rates = rates.into_iter().filter(|(_, rate)| rate.is_some());
    let rates = rates.map(|(label, rate)| (label, format!("{} over 90 days", share(rate))));
    other_facts(batch).into_iter().chain(rates).collect()
}

/// What is known beside the alerts and the rates.
fn other_facts(batch: &BatchDigest) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let list = |names: Vec<String>| Some(names.join(", ")).filter(|names| !names.is_empty());
    let noisy = |(metric, n): &(_, u64)| named(metric, &words::count(*n));
    let noisiest = list(batch.noisiest.iter().map(noisy).collect());
    facts.extend(noisiest.map(|noisiest| ("noisiest", noisiest)));
    let silent = list(batch.silent.iter().map(|metric| words::shown(metric.as_str())).collect());
    facts.extend(silent.map(|silent| ("silent", silent)));
    for (job, n) in &batch.failed {
        facts.push(("failed for good", format!("{job}, {} times", words::count(*n))));
    }
    if 0 < batch.n_rejected {
        facts.push(("rows rejected", words::count(batch.n_rejected)));
    }
    let age = batch.model_age.map(|age| ("newest model", format!("{} old", words::length(age))));
    facts.extend(age);
    facts
}

fn named(metric: &crate::domain::MetricName, n: &str) -> String {
    format!("{} ({n} alerts)", words::shown(metric.as_str()))
}

fn share(rate: Option<f64>) -> String {
    rate.map_or_else(
        || "–".to_owned(),
        |rate| format!("{} %", words::number((rate * 100.0).round())),
    )
}
