//! Keeps what signs in out of the files that are shared: an address's password and tokens go to
//! `.env`, and the address names them.

use std::{fs, io, io::Write, path::Path};

use url::Url;

/// An address without its secrets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// With `${NAME}` in the place of each secret.
    pub(super) text: String,
    /// Names and values.
    pub(super) secrets: Vec<(String, String)>,
}

/// Parts of a parameter's name that say that its value is a secret.
const SECRET_PARAMS: &[&str] = &["pass", "token", "secret", "key", "sig"];

/// Takes the secrets out of an address. Values stay encoded, as they will stand in the address.
pub(super) fn hide(address: &str, batch: &str) -> Address {
    let mut text = address.replace("${", "$${");
    let mut secrets = Vec::new();
    let Ok(url) = Url::parse(address) else { return Address { text, secrets } };
    if let Some(password) = url.password().filter(|password| !password.is_empty()) {
        // What the parser gives is encoded; what was written may not have been.
        let end = end_of_password(&text);
        let host = text[end..].to_owned();
        let user = url.username();
        let name = variable(batch, "PASSWORD");
        text = format!("{}://{user}:${{{name}}}{host}", url.scheme());
        secrets.push((name, password.to_owned()));
    }
    let Some((base, query)) = text.split_once('?').map(|(a, b)| (a.to_owned(), b.to_owned()))
    else {
        return Address { text, secrets };
    };
    let params: Vec<String> = query
        .split('&')
        .map(|param| match param.split_once('=') {
            Some((key, value)) if is_secret(key) && !value.is_empty() => {
                let name = variable(batch, key);
                secrets.push((name.clone(), value.to_owned()));
                format!("{key}=${{{name}}}")
            }
            _ => param.to_owned(),
        })
        .collect();
    Address { text: format!("{base}?{}", params.join("&")), secrets }
}

/// Where the `@` stands that ends who signs in: a path or a parameter may hold others.
fn end_of_password(address: &str) -> usize {
    let begin = address.find("://").map_or(0, |scheme| scheme + 3);
    let rest = &address[begin..];
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    begin + authority.rfind('@').unwrap_or(authority.len())
}

/// The name of a batch's variable.
pub(super) fn variable(batch: &str, what: &str) -> String {
    let word = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("{batch}_{what}").chars().map(word).collect()
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    // `sslkey` and its like name files.
    !key.starts_with("ssl") && SECRET_PARAMS.iter().any(|word| key.contains(word))
}

/// Adds variables to a project's `.env`, which only its owner can read then. One that is
/// there with another value is an error, not changed.
pub(super) fn store(dir: &Path, secrets: &[(String, String)], force: bool) -> anyhow::Result<bool> {
    let path = dir.join(".env");
    let before = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(anyhow::Error::new(error).context("read .env")),
    };
    let mut lines: Vec<&str> = before.lines().collect();
    let mut fresh = Vec::new();
    for (name, value) in secrets {
        let wanted = format!("{name}={}", in_env(value));
        let is_of = |line: &&str| {
            line.trim_start().strip_prefix(name).is_some_and(|r| r.trim_start().starts_with('='))
        };
        match lines.iter().find(|line| is_of(line)) {
            Some(line) if **line == wanted => continue,
            Some(_) if !force => {
                anyhow::bail!(
                    "`.env` has another {name}; use another --name, or --force to replace it"
                )
            }
            Some(_) | None => {
                lines.retain(|line| !is_of(line));
                fresh.push(wanted);
            }
        }
    }
    if fresh.is_empty() {
        return Ok(false);
    }
    let text: Vec<&str> = lines.into_iter().chain(fresh.iter().map(String::as_str)).collect();
    write_private(&path, &format!("{}\n", text.join("\n")))?;
    Ok(true)
}

/// Replaces the file as a whole, or not at all. Only its owner can read it.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    // Made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// A value as `.env` files quote it.
fn in_env(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.~%+/:@".contains(c);
    if value.chars().all(is_plain) {
        return value.to_owned();
    }
    if !value.contains(['\'', '\n']) {
        return format!("'{value}'");
    }
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$");
    format!("\"{}\"", escaped.replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &str, text: &str, secrets: &[(&str, &str)]) {
        let secrets = secrets.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect();
        assert_eq!(hide(address, "my-shop"), Address { text: text.into(), secrets });
    }

    #[test]
    fn passwords_and_tokens_leave_the_address() {
        check(
            "postgres://u:p%40ss@h/db",
            "postgres://u:${MY_SHOP_PASSWORD}@h/db",
            &[("MY_SHOP_PASSWORD", "p%40ss")],
        );
        check(
            "mysql://u:a@b@h:1/db?ssl-mode=disabled",
            "mysql://u:${MY_SHOP_PASSWORD}@h:1/db?ssl-mode=disabled",
            &[("MY_SHOP_PASSWORD", "a%40b")],
        );
        check(
            "https://h/x.csv?api_key=s3&n=1",
            "https://h/x.csv?api_key=${MY_SHOP_API_KEY}&n=1",
            &[("MY_SHOP_API_KEY", "s3")],
        );
        check(
            "https://u:pw@h/a@b.csv?to=x@y",
            "https://u:${MY_SHOP_PASSWORD}@h/a@b.csv?to=x@y",
            &[("MY_SHOP_PASSWORD", "pw")],
        );
        check("sqlite://data/a.db", "sqlite://data/a.db", &[]);
        check("postgres://u@h/db?sslkey=/k.pem", "postgres://u@h/db?sslkey=/k.pem", &[]);
    }

    #[test]
    fn what_is_in_dotenv_stays_and_a_second_time_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".env");
        fs::write(&path, "OTHER=1\nOLD=2\n").unwrap();
        let secret = [("A".to_owned(), "it's $5".to_owned())];
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        assert!(store(dir.path(), &secret, false).unwrap());
        #[cfg(unix)]
        {
            let mode =
                std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600, "only the owner reads it now");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no other file is left");
        assert!(!store(dir.path(), &secret, false).unwrap());
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "OTHER=1\nOLD=2\nA=\"it's \\$5\"\n");
        let other = [("OLD".to_owned(), "3".to_owned())];
        assert!(store(dir.path(), &other, false).unwrap_err().to_string().contains("another OLD"));
    }
}
