//! `kind = "file"`.

use crate::domain::ChannelKind;

use super::super::section::Section;

pub(super) const KEYS: &[&str] = &["path"];

pub(super) fn read(channel: &mut Section<'_>) -> Option<ChannelKind> {
    let path = channel.required_text("path", "write the file that alerts are appended to")?;
    Some(ChannelKind::File { path: channel.check.dir.join(path.value.text) })
}
