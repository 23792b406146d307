//! Detector parameters: what may be written, between which limits, and what holds when nothing is.

use std::collections::BTreeMap;

use super::by_row::Common;
use super::hbos::HbosParams;
use super::iforest::IForestParams;
use super::kmeans::KMeansParams;
use super::knn::KnnParams;
use super::lof::LofParams;
use super::mad::MadParams;
use super::pca::PcaParams;
use crate::domain::{DetectorKind, ParamValue, Span};

/// Patterns that can be asked for.
pub const PERIODS: std::ops::RangeInclusive<Span> = Span::secs(60)..=Span::days(366);

/// The parameters of one detector, checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Params {
    /// For `auto`.
    Auto(SeasonalParams),
    /// For `seasonal`.
    Seasonal(SeasonalParams),
    /// For the detectors of rows.
    ByRow(Common, ByRowParams),
}

/// The parameters that only one of the detectors of rows has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum ByRowParams {
    /// For `pca`.
    Pca(PcaParams),
    /// For `knn`.
    Knn(KnnParams),
    /// For `lof`.
    Lof(LofParams),
    /// For `iforest`.
    IForest(IForestParams),
    /// For `hbos`.
    Hbos(HbosParams),
    /// `ecod` has none.
    Ecod,
    /// `copod` has none.
    Copod,
    /// For `mad`.
    Mad(MadParams),
    /// For `kmeans`.
    KMeans(KMeansParams),
    /// `zscore` has none.
    Zscore,
    /// `ar` has none.
    Ar,
}

/// Parameters of the default and the seasonal detector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SeasonalParams {
    /// Divides every alert line: 2 alerts at half the distance.
    pub(super) sensitivity: f64,
    /// Length of the pattern; looked for when none is given.
    pub(super) period: Option<Span>,
}

impl SeasonalParams {
    pub(super) const DEFAULT: Self = Self { sensitivity: 1.0, period: None };

    fn read(reader: &mut Reader<'_>) -> Self {
        let sensitivity = reader.float("sensitivity", 1.0, (0.05, 20.0));
        Self { sensitivity, period: reader.period() }
    }

    /// The same pattern at a sensitivity of 1.
    pub(super) const fn at_rest(self) -> Self {
        Self { sensitivity: 1.0, ..self }
    }

    /// As written.
    pub(super) fn shown(self) -> serde_json::Map<String, serde_json::Value> {
        let mut params = serde_json::Map::new();
        params.insert("sensitivity".into(), self.sensitivity.into());
        if let Some(period) = self.period {
            params.insert("period".into(), period.to_string().into());
        }
        params
    }
}

/// Everything wrong with a detector's parameters, one sentence each; empty when nothing is.
pub fn validate_params(kind: DetectorKind, params: &BTreeMap<String, ParamValue>) -> Vec<String> {
    parse(kind, params).err().unwrap_or_default()
}

/// Reads a detector's parameters.
pub(super) fn parse(
    kind: DetectorKind,
    written: &BTreeMap<String, ParamValue>,
) -> Result<Params, Vec<String>> {
    let mut reader =
        Reader { kind, written, known: Vec::new(), without_effect: &[], problems: Vec::new() };
    let params = match kind {
        DetectorKind::Auto => Params::Auto(SeasonalParams::read(&mut reader)),
        DetectorKind::Seasonal => Params::Seasonal(SeasonalParams::read(&mut reader)),
        _ => Params::ByRow(Common::read(&mut reader), ByRowParams::read(&mut reader)),
    };
    reader.refuse_unknown();
    if reader.problems.is_empty() { Ok(params) } else { Err(reader.problems) }
}

impl ByRowParams {
    /// Those of the reader's kind; `auto` and `seasonal` have none.
    fn read(reader: &mut Reader<'_>) -> Self {
        match reader.kind {
            DetectorKind::Pca => Self::Pca(PcaParams::read(reader)),
            DetectorKind::Knn => Self::Knn(KnnParams::read(reader)),
            DetectorKind::Lof => Self::Lof(LofParams::read(reader)),
            DetectorKind::IForest => Self::IForest(IForestParams::read(reader)),
            DetectorKind::Hbos => Self::Hbos(HbosParams::read(reader)),
            DetectorKind::Mad => Self::Mad(MadParams::read(reader)),
            DetectorKind::KMeans => Self::KMeans(KMeansParams::read(reader)),
            DetectorKind::Ecod => {
                reader.without_effect(&["n_jobs"]);
                Self::Ecod
            }
            DetectorKind::Copod => {
                reader.without_effect(&["n_jobs"]);
                Self::Copod
            }
            DetectorKind::Zscore => Self::Zscore,
            DetectorKind::Auto | DetectorKind::Seasonal | DetectorKind::Ar => Self::Ar,
        }
    }
}

/// Reads parameters one by one, remembering their names and every problem.
pub(super) struct Reader<'a> {
    kind: DetectorKind,
    written: &'a BTreeMap<String, ParamValue>,
    known: Vec<&'static str>,
    without_effect: &'static [&'static str],
    problems: Vec<String>,
}

impl Reader<'_> {
    pub(super) fn get(&mut self, name: &'static str) -> Option<ParamValue> {
        self.known.push(name);
        self.written.get(name).cloned()
    }

    pub(super) fn wrong(&mut self, name: &str, expected: &str, found: &ParamValue) {
        let kind = self.kind;
        let found = shown(found);
        self.problems.push(format!("`{name}` of `{kind}` must be {expected}, not {found}"));
    }

    /// Parameters of PyOD's that change no score here: they may stand there.
    pub(super) fn without_effect(&mut self, names: &'static [&'static str]) {
        self.without_effect = names;
    }

    pub(super) fn float(&mut self, name: &'static str, default: f64, limits: (f64, f64)) -> f64 {
        let Some(found) = self.get(name) else { return default };
        let number = match found {
            ParamValue::Float(number) => number,
            ParamValue::Int(number) => number as f64,
            ParamValue::Bool(_) | ParamValue::Text(_) => f64::NAN,
        };
        if limits.0 <= number && number <= limits.1 {
            return number;
        }
        let (low, high) = limits;
        self.wrong(name, &format!("a number from {low} to {high}"), &found);
        default
    }

    pub(super) fn int(
        &mut self,
        name: &'static str,
        default: usize,
        limits: (usize, usize),
    ) -> usize {
        self.optional_int(name, limits).unwrap_or(default)
    }

    pub(super) fn optional_int(
        &mut self,
        name: &'static str,
        limits: (usize, usize),
    ) -> Option<usize> {
        let found = self.get(name)?;
        if let ParamValue::Int(number) = found
            && let Ok(number) = usize::try_from(number)
            && limits.0 <= number
            && number <= limits.1
        {
            return Some(number);
        }
        let (low, high) = limits;
        self.wrong(name, &format!("a whole number from {low} to {high}"), &found);
        None
    }

    pub(super) fn bool(&mut self, name: &'static str, default: bool) -> bool {
        match self.get(name) {
            None => default,
            Some(ParamValue::Bool(value)) => value,
            Some(found) => {
                self.wrong(name, "true or false", &found);
                default
            }
        }
    }

    fn period(&mut self) -> Option<Span> {
        let found = self.get("period")?;
        if matches!(&found, ParamValue::Text(text) if text == "auto") {
            return None;
        }
        if let ParamValue::Text(text) = &found
            && let Ok(period) = text.parse::<Span>()
            && PERIODS.contains(&period)
        {
            return Some(period);
        }
        self.wrong("period", "\"auto\" or a duration from \"1m\" to \"366d\"", &found);
        None
    }

    /// What one of some words stands for.
    pub(super) fn choice<T: Copy>(
        &mut self,
        name: &'static str,
        choices: &[(&'static str, T)],
    ) -> Option<T> {
        let found = self.get(name)?;
        if let ParamValue::Text(text) = &found
            && let Some((_, choice)) = choices.iter().find(|(word, _)| word == text)
        {
            return Some(*choice);
        }
        let words: Vec<String> = choices.iter().map(|(word, _)| format!("{word:?}")).collect();
        let expected = match words.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            _ => words.concat(),
        };
        self.wrong(name, &expected, &found);
        None
    }

    fn refuse_unknown(&mut self) {
        let is_known =
            |name: &str| self.known.contains(&name) || self.without_effect.contains(&name);
        for name in self.written.keys().filter(|name| !is_known(name)) {
            let nearest = self
                .known
                .iter()
                .map(|known| (strsim::damerau_levenshtein(name, known), known))
                .filter(|(distance, known)| *distance <= (known.len() / 3).max(2))
                .min();
            let help = match nearest {
                Some((_, known)) => format!("did you mean `{known}`?"),
                None => format!("it has {}", list(&self.known)),
            };
            let kind = self.kind;
            self.problems.push(format!("`{kind}` has no parameter `{name}`; {help}"));
        }
    }
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn shown(value: &ParamValue) -> String {
    match value {
        ParamValue::Bool(value) => value.to_string(),
        ParamValue::Int(value) => value.to_string(),
        ParamValue::Float(value) => format!("{value:?}"),
        ParamValue::Text(value) => format!("{:?}", value.chars().take(64).collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: DetectorKind, params: &[(&str, ParamValue)], expected: &[&str]) {
        let params = params.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        assert_eq!(validate_params(kind, &params), expected);
    }

    #[test]
    fn right_parameters_give_no_problem() {
        check(DetectorKind::Auto, &[], &[]);
        check(DetectorKind::Seasonal, &[("sensitivity", ParamValue::Int(2))], &[]);
        check(DetectorKind::Pca, &[("contamination", ParamValue::Float(0.01))], &[]);
        check(DetectorKind::Knn, &[("method", ParamValue::Text("mean".into()))], &[]);
        check(DetectorKind::Hbos, &[("n_bins", ParamValue::Text("auto".into()))], &[]);
        check(DetectorKind::IForest, &[("max_samples", ParamValue::Float(0.5))], &[]);
        check(DetectorKind::Mad, &[("threshold", ParamValue::Int(5))], &[]);
        for &kind in DetectorKind::ALL.iter().skip(2) {
            check(kind, &[("contamination", ParamValue::Float(0.05))], &[]);
        }
    }

    #[test]
    fn every_problem_is_said_with_what_would_be_right() {
        check(
            DetectorKind::Knn,
            &[
                ("contamination", ParamValue::Float(0.7)),
                ("method", ParamValue::Text("largets".into())),
                ("n_neighbors", ParamValue::Float(5.0)),
                ("n_neighbours", ParamValue::Int(5)),
                ("trees", ParamValue::Int(5)),
            ],
            &[
                "`contamination` of `knn` must be a number from 0.000000001 to 0.5, not 0.7",
                "`n_neighbors` of `knn` must be a whole number from 1 to 256, not 5.0",
                "`method` of `knn` must be \"largest\", \"mean\" or \"median\", not \"largets\"",
                "`knn` has no parameter `n_neighbours`; did you mean `n_neighbors`?",
                "`knn` has no parameter `trees`; it has `contamination`, `proba`, `n_neighbors`, \
                 `method`, `p`, `metric`",
            ],
        );
    }

    #[test]
    fn parameters_of_pyod_that_change_no_score_may_stand_there() {
        let text = |text: &str| ParamValue::Text(text.to_owned());
        let tree = [("algorithm", text("kd_tree")), ("leaf_size", ParamValue::Int(30))];
        check(
            DetectorKind::Knn,
            &[tree.as_slice(), &[("radius", ParamValue::Float(1.0))]].concat(),
            &[],
        );
        check(
            DetectorKind::Lof,
            &[tree.as_slice(), &[("novelty", ParamValue::Bool(true))]].concat(),
            &[],
        );
        check(
            DetectorKind::Pca,
            &[("svd_solver", text("full")), ("tol", ParamValue::Float(0.0))],
            &[],
        );
        check(
            DetectorKind::IForest,
            &[("behaviour", text("old")), ("verbose", ParamValue::Int(0))],
            &[],
        );
        check(DetectorKind::Ecod, &[("n_jobs", ParamValue::Int(-1))], &[]);
    }

    #[test]
    fn what_pyod_has_and_this_has_not_is_said_with_what_there_is() {
        let text = |text: &str| ParamValue::Text(text.to_owned());
        check(
            DetectorKind::Pca,
            &[("n_components", text("mle")), ("svd_solver", text("arpack"))],
            &[
                "`svd_solver` of `pca` must be \"auto\", \"full\" or \"covariance_eigh\", not \"arpack\"",
                "`n_components` of `pca` must be a whole number from 1 to 512 or a share of the \
                 variance below 1.0, not \"mle\"",
            ],
        );
        check(
            DetectorKind::Lof,
            &[("metric", text("cosine"))],
            &["`metric` of `lof` must be \"minkowski\", \"euclidean\", \"l2\", \"manhattan\", \
               \"cityblock\", \"l1\", \"chebyshev\" or \"infinity\", not \"cosine\""],
        );
        check(
            DetectorKind::Mad,
            &[("proba", text("logistic"))],
            &["`proba` of `mad` must be \"rank\", \"linear\" or \"unify\", not \"logistic\""],
        );
    }

    #[test]
    fn words_and_numbers_where_either_may_stand() {
        check(
            DetectorKind::Hbos,
            &[("n_bins", ParamValue::Int(1)), ("nbins", ParamValue::Int(10))],
            &[
                "`n_bins` of `hbos` must be a whole number from 2 to 512 or \"auto\", not 1",
                "`hbos` has no parameter `nbins`; did you mean `n_bins`?",
            ],
        );
        check(
            DetectorKind::IForest,
            &[("max_samples", ParamValue::Float(1.5))],
            &["`max_samples` of `iforest` must be \"auto\", a whole number from 2 to 4096 or a \
               share of the rows up to 1.0, not 1.5"],
        );
    }
}
