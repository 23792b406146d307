//! Where objects lie, and how they are reached.

use super::*;

#[test]
fn a_place_that_is_none_is_refused_once() {
    check_system(
        "[storage]\nbackend = \"s3\"",
        &[
            "anomstack.toml:2:11: `backend = \"s3\"` needs a bucket (write root = \"bucket/folder\")",
        ],
    );
    check_system(
        "[storage]\nbackend = \"s4\"",
        &[
            "anomstack.toml:2:11: `s4` is not one of local, memory, s3, gcs, azure (did you mean `s3`?)",
        ],
    );
    check_system(
        "[storage]\nbackend = \"gcs\"\nroot = \"s3://bucket\"",
        &["anomstack.toml:2:11: `backend` is gcs, and `root` is an address of s3"],
    );
    check_system(
        "[storage]\nroot = \"s3://Bad Name\"\nprofile = \"none\"",
        &[
            "anomstack.toml:2:8: the bucket's name is not lower-case letters, digits, `-`, `_` and `.`, with a letter or digit first",
            "anomstack.toml:3:11: there is no profile `none` (write [storage.profiles.none])",
        ],
    );
}

#[test]
fn objects_may_lie_elsewhere_and_all_else_stays_here() {
    let of = |system: &str| {
        let dir = project(&[(SYSTEM_FILE, system)]);
        let storage = load(dir.path(), &Environment::default()).unwrap().system.storage;
        let root = storage.root.strip_prefix(dir.path()).unwrap().display().to_string();
        (storage.backend.to_string(), storage.location.to_string(), root, storage.access)
    };
    let (backend, location, home, access) = of("[storage]\nbackend = \"s3\"\n\
        root = \"bucket/a\"\nregion = \"eu-west-1\"\nhome = \"here\"");
    assert_eq!(
        (backend.as_str(), location.as_str(), home.as_str()),
        ("s3", "s3://bucket/a", "here")
    );
    assert_eq!(access.region.as_deref(), Some("eu-west-1"));
    let (backend, location, home, access) = of("[storage]\nroot = \"az://lake@box\"\n\
        [storage.profiles.lake]\naccount = \"abc\"");
    assert_eq!((backend.as_str(), location.as_str()), ("azure", "az://lake@box"));
    assert_eq!((home.as_str(), access.account.as_deref()), (".anomstack", Some("abc")));
}
