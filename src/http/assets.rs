//! The style sheet, the script and the icon, built into the program.

use std::fmt::Write as _;

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

use super::failure::Failure;

const ASSETS: &[(&str, &str, &str)] = &[
    ("app.css", "text/css; charset=utf-8", include_str!("../../web/assets/app.css")),
    ("app.js", "text/javascript; charset=utf-8", include_str!("../../web/assets/app.js")),
    ("icon.svg", "image/svg+xml", include_str!("../../web/assets/icon.svg")),
];

/// A short text that changes when any asset does; it is part of their addresses, so browsers may
/// keep them for ever.
pub(super) fn stamp() -> String {
    let mut hash = Sha256::new();
    for (_, _, content) in ASSETS {
        hash.update(content);
    }
    let mut text = String::new();
    for byte in hash.finalize().iter().take(4) {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
    }
    text
}

/// An asset by its name.
pub(super) fn serve(name: &str) -> Result<Response, Failure> {
    let found = ASSETS.iter().find(|(known, _, _)| *known == name);
    let (_, kind, content) = found.ok_or_else(|| Failure::missing("such file"))?;
    let headers =
        [(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, "public, max-age=31536000")];
    Ok((StatusCode::OK, headers, *content).into_response())
}
