//! What is said of an object, kept with the file itself as extended attributes: they are written before
//! the file gets its name and go where it goes, so bytes and checksum cannot come from two writes.

use std::fs::File;

use object_store::{Attribute, Attributes};
use rustix::{
    fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr},
    io::Errno,
};

/// The desktop world's name for a file's media type.
const CONTENT_TYPE: &str = "user.mime_type";
const OWN: &str = "user.anomstack.";
/// Names and values are our own and short.
const MAX_BYTES: usize = 4_096;

/// Keeps what can be kept; whether the file system keeps such things at all.
pub(super) fn write(file: &File, attributes: &Attributes) -> std::io::Result<bool> {
    for (attribute, value) in attributes {
        let name = match attribute {
            Attribute::ContentType => CONTENT_TYPE.to_owned(),
            Attribute::Metadata(name) => format!("{OWN}{name}"),
            _ => continue,
        };
        match fsetxattr(file, name, value.as_bytes(), XattrFlags::empty()) {
            Ok(()) => {}
            Err(Errno::NOTSUP | Errno::PERM) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

/// What was kept; nothing where the file system keeps nothing.
pub(super) fn read(file: &File) -> Attributes {
    let mut names = [0_u8; MAX_BYTES];
    let n_bytes = flistxattr(file, &mut names).unwrap_or(0);
    let mut attributes = Attributes::new();
    for name in names[..n_bytes].split(|byte| *byte == 0) {
        let Ok(name) = std::str::from_utf8(name) else { continue };
        let attribute = match name.strip_prefix(OWN) {
            Some(own) => Attribute::Metadata(own.to_owned().into()),
            None if name == CONTENT_TYPE => Attribute::ContentType,
            None => continue,
        };
        let mut value = [0_u8; MAX_BYTES];
        let Ok(n_bytes) = fgetxattr(file, name, &mut value) else { continue };
        if let Ok(value) = std::str::from_utf8(&value[..n_bytes]) {
            attributes.insert(attribute, value.to_owned().into());
        }
    }
    attributes
}
