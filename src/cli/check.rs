//! `anomstack check`.

use std::path::Path;

use crate::{
    config::{self, Color, Environment, InPlace, Problems, Project, Reading},
    detect,
};

use super::{Global, Outcome};

/// Checks every file; prints all problems, or what was found to be right.
pub(super) fn check(global: &Global) -> anyhow::Result<Outcome> {
    match load(&global.config) {
        Ok(project) => {
            let n_batches = project.batches.len();
            if global.json {
                println!("{}", serde_json::json!({ "problems": [], "batches": n_batches }));
            } else {
                let batches = if n_batches == 1 { "batch" } else { "batches" };
                println!("{n_batches} {batches}, no problems");
            }
            Ok(Outcome::Done)
        }
        Err(problems) if global.json => {
            println!("{}", serde_json::json!({ "problems": problems }));
            Ok(Outcome::Problems)
        }
        Err(problems) => {
            print_problems(&problems);
            Ok(Outcome::Problems)
        }
    }
}

/// The project, or all problems of all its files.
pub(super) fn load(dir: &Path) -> Result<Project, Problems> {
    read(dir).outcome
}

/// [`load`], as if one batch file held another text.
pub(super) fn load_with(dir: &Path, other: InPlace) -> Result<Project, Problems> {
    let environment = Environment::from_process();
    config::read_with(dir, &environment, detect::validate_params, Some(other)).outcome
}

/// [`load`], also telling which files that was.
pub(super) fn read(dir: &Path) -> Reading {
    config::read(dir, &Environment::from_process(), detect::validate_params)
}

/// On standard error, with colour where a person reads it.
pub(super) fn print_problems(problems: &Problems) {
    let color = Color::for_stream(&std::io::stderr(), &Environment::from_process());
    eprint!("{}", problems.render(color));
}
