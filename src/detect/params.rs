//! Detector parameters: what may be written, between which limits, and what holds when nothing is.

use std::collections::BTreeMap;

use super::ar::ArParams;
use super::copod::CopodParams;
use super::ecod::EcodParams;
use super::hbos::HbosParams;
use super::iforest::IForestParams;
use super::kmeans::KMeansParams;
use super::lof::LofParams;
use super::mad::MadParams;
use super::zscore::ZscoreParams;
use crate::domain::{DetectorKind, ParamValue};

/// The parameters of one detector, checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Params {
    /// For `auto` and `seasonal`.
    Seasonal(SeasonalParams),
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
    /// For `ecod`.
    Ecod(EcodParams),
    /// For `copod`.
    Copod(CopodParams),
    /// For `mad`.
    Mad(MadParams),
    /// For `kmeans`.
    KMeans(KMeansParams),
    /// For `zscore`.
    Zscore(ZscoreParams),
    /// For `ar`.
    Ar(ArParams),
}

/// Parameters of the seasonal detector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SeasonalParams {
    /// Divides every alert line: 2 alerts at half the distance.
    pub(super) sensitivity: f64,
}

/// Parameters of the PCA detector, named as in PyOD.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PcaParams {
    /// Share of the training rows taken for outliers; sets the decision threshold only.
    pub(super) contamination: f64,
    /// Components that count, those of least variance; 0 is all.
    pub(super) n_selected_components: usize,
    /// Whether a component counts by the inverse of its share of variance.
    pub(super) weighted: bool,
    /// Whether columns are brought to mean 0 and deviation 1 first.
    pub(super) standardization: bool,
}

/// Parameters of the KNN detector, named as in PyOD.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct KnnParams {
    /// Share of the training rows taken for outliers; sets the decision threshold only.
    pub(super) contamination: f64,
    /// How many neighbours.
    pub(super) n_neighbors: usize,
    /// How their distances become one.
    pub(super) method: KnnMethod,
}

/// How the distances to the neighbours become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KnnMethod {
    /// That of the farthest.
    Largest,
    /// Their mean.
    Mean,
    /// Their median.
    Median,
}

impl KnnMethod {
    /// As written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Largest => "largest",
            Self::Mean => "mean",
            Self::Median => "median",
        }
    }

    /// From what is written.
    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Largest, Self::Mean, Self::Median].into_iter().find(|m| m.as_str() == text)
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
    let mut reader = Reader { kind, written, known: Vec::new(), problems: Vec::new() };
    let params = match kind {
        DetectorKind::Auto | DetectorKind::Seasonal => Params::Seasonal(SeasonalParams {
            sensitivity: reader.float("sensitivity", 1.0, (0.05, 20.0)),
        }),
        DetectorKind::Pca => Params::Pca(PcaParams {
            contamination: reader.contamination(),
            n_selected_components: reader.int("n_selected_components", 0, (0, 512)),
            weighted: reader.bool("weighted", true),
            standardization: reader.bool("standardization", true),
        }),
        DetectorKind::Knn => Params::Knn(KnnParams {
            contamination: reader.contamination(),
            n_neighbors: reader.int("n_neighbors", 5, (1, 256)),
            method: reader.method(),
        }),
        DetectorKind::Lof => Params::Lof(LofParams::read(&mut reader)),
        DetectorKind::IForest => Params::IForest(IForestParams::read(&mut reader)),
        DetectorKind::Hbos => Params::Hbos(HbosParams::read(&mut reader)),
        DetectorKind::Ecod => Params::Ecod(EcodParams::read(&mut reader)),
        DetectorKind::Copod => Params::Copod(CopodParams::read(&mut reader)),
        DetectorKind::Mad => Params::Mad(MadParams::read(&mut reader)),
        DetectorKind::KMeans => Params::KMeans(KMeansParams::read(&mut reader)),
        DetectorKind::Ar => Params::Ar(ArParams::read(&mut reader)),
        DetectorKind::Zscore => Params::Zscore(ZscoreParams::read(&mut reader)),
    };
    reader.refuse_unknown();
    if reader.problems.is_empty() { Ok(params) } else { Err(reader.problems) }
}

/// Reads parameters one by one, remembering their names and every problem.
pub(super) struct Reader<'a> {
    kind: DetectorKind,
    written: &'a BTreeMap<String, ParamValue>,
    known: Vec<&'static str>,
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

    pub(super) fn contamination(&mut self) -> f64 {
        self.float("contamination", 0.1, (1e-9, 0.5))
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
        let Some(found) = self.get(name) else { return default };
        if let ParamValue::Int(number) = found
            && let Ok(number) = usize::try_from(number)
            && limits.0 <= number
            && number <= limits.1
        {
            return number;
        }
        let (low, high) = limits;
        self.wrong(name, &format!("a whole number from {low} to {high}"), &found);
        default
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

    fn method(&mut self) -> KnnMethod {
        let Some(found) = self.get("method") else { return KnnMethod::Largest };
        if let ParamValue::Text(text) = &found
            && let Some(method) = KnnMethod::parse(text)
        {
            return method;
        }
        self.wrong("method", "\"largest\", \"mean\" or \"median\"", &found);
        KnnMethod::Largest
    }

    fn refuse_unknown(&mut self) {
        for name in self.written.keys().filter(|name| !self.known.contains(&name.as_str())) {
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
                "`knn` has no parameter `trees`; it has `contamination`, `n_neighbors`, `method`",
            ],
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
