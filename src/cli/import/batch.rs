//! One batch: its TOML file and the files that it names.

use crate::config::{self, Environment};

use super::{
    super::init::batch_name,
    Written,
    folder::{Folder, Found, Keys},
    keys, models,
    report::{Report, Verdict},
    source,
    tables::Tables,
};

/// The name under which the defaults are reported.
const DEFAULTS: &str = "defaults";
/// Tables that a version may not know yet: they are left out rather than break the batch.
const OPTIONAL: &[&str] = &["thresholds", "change"];

/// `defaults.toml`: what every batch of the folder starts from.
pub(super) fn defaults(folder: &Folder, report: &mut Report) -> Written {
    let mut tables = Tables::default();
    for (file, why) in &folder.passed_over {
        report.add(
            (DEFAULTS, file),
            Verdict::Cannot,
            "",
            &format!("the file was passed over: {why}"),
        );
    }
    keys::settings(DEFAULTS, &folder.defaults, &mut tables, report);
    models::detectors(DEFAULTS, &folder.defaults, &mut tables, report);
    leave_out_unknown(DEFAULTS, &mut tables, report);
    let head = "# What every batch starts from, as Anomstack's defaults.yaml had it.\n";
    Written { path: config::DEFAULTS_FILE.into(), text: format!("{head}{}", tables.text()) }
}

/// A batch's files.
pub(super) fn files(folder: &Folder, found: &Found, report: &mut Report) -> Vec<Written> {
    let stem = batch_name(&found.name);
    let mut tables = Tables::default();
    if stem != found.name {
        tables.put("", "name", found.name.as_str());
    }
    report.add((&found.name, "metric_batch"), Verdict::Maps, "name", "");
    if keys::truth(folder.value(found, "disable_batch")) {
        tables.put("", "enabled", false);
        report.add((&found.name, "disable_batch"), Verdict::Maps, "enabled = false", "");
    }
    let mut files = source::write(folder, found, &stem, &mut tables, report);
    let own: Keys = found.keys.clone();
    keys::settings(&found.name, &own, &mut tables, report);
    models::detectors(&found.name, &own, &mut tables, report);
    for (key, variable) in &found.from_environment {
        let note = format!(
            "the variable {variable} gave it; unset it, since here such variables name other keys"
        );
        report.add((&found.name, key), Verdict::Changes, "the batch's file", &note);
    }
    leave_out_unknown(&found.name, &mut tables, report);
    let head = format!("# Anomstack's batch of {}.\n", found.file);
    let path = format!("{}/{stem}.toml", config::BATCH_DIR);
    files.insert(0, Written { path, text: format!("{head}{}", tables.text()) });
    files
}

/// Takes away the tables that this version has no use for.
fn leave_out_unknown(batch: &str, tables: &mut Tables, report: &mut Report) {
    for table in OPTIONAL {
        let mut alone = Tables::default();
        alone.put("source", "kind", "file");
        alone.put("source", "path", "x.csv");
        let probe = match *table {
            "thresholds" => "\n[thresholds.\"x\"]\nupper = 1.0\n",
            _ => "\n[change]\nenabled = true\nthreshold = 3.5\n",
        };
        let text = format!("{}{probe}", alone.text());
        let is_known =
            config::read_batch(".".as_ref(), "probe", &text, &Environment::default()).is_ok();
        if !is_known && tables.remove(table) {
            let note = format!("this version has no `[{table}]`");
            report.add((batch, table), Verdict::Cannot, "", &note);
        }
    }
}
