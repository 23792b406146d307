//! A real mail server (aiosmtpd), where `ANOMSTACK_TEST_SMTP_PYTHON` names a Python that has it.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use anomstack::domain::{ChannelKind, EmailSpec, MailTls, Secret};

use super::{Outcome, message, over, send, told};

const PASSWORD: &str = "hunter2-canary";

struct Server {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Option<Self> {
        let python = told("ANOMSTACK_TEST_SMTP_PYTHON")?;
        let folder = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let tls = root.join("tests/data/tls");
        let mut child = Command::new(python)
            .arg(root.join("tests/it/channels/mail_server.py"))
            .args([folder.path(), &tls.join("server.pem"), &tls.join("server.key")])
            .arg(PASSWORD)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Some(Self { child, port: line.trim().parse().unwrap(), folder })
    }

    fn to(&self, recipients: &[&str]) -> EmailSpec {
        EmailSpec {
            host: "localhost".into(),
            port: self.port,
            tls: MailTls::Starttls,
            login: Some(("me".into(), Secret::new(PASSWORD.into()))),
            ca_file: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls/ca.pem")),
            from: "Anomstack <alerts@example.com>".into(),
            to: recipients.iter().map(|text| (*text).to_owned()).collect(),
        }
    }

    fn mails(&self) -> Vec<String> {
        let mut paths: Vec<_> =
            fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().unwrap();
    }
}

fn header<'m>(mail: &'m str, name: &str) -> Option<&'m str> {
    let (head, _) = mail.split_once("\r\n\r\n").unwrap();
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[test]
fn a_mail_arrives_encrypted_and_signed_in_at_every_recipient_with_text_html_and_chart() {
    let Some(server) = Server::start() else { return };
    let spec = server.to(&["Ann <ann@example.com>", "bob@example.com"]);
    let firing = message("a1");
    assert_eq!(send(&ChannelKind::Email(spec.clone()), &firing), Outcome::Sent);
    assert_eq!(send(&ChannelKind::Email(spec), &over(firing)), Outcome::Sent);
    let mails = server.mails();
    let envelope = "MAIL FROM alerts@example.com\nRCPT TO ann@example.com,bob@example.com\n";
    assert!(mails[0].starts_with(envelope), "{}", mails[0]);
    assert_eq!(header(&mails[0], "Message-ID"), Some("<alert.a1@example.com>"));
    assert_eq!(header(&mails[1], "In-Reply-To"), Some("<alert.a1@example.com>"));
    for part in ["text/plain", "text/html", "image/png", "multipart/related"] {
        assert!(mails[0].contains(&format!("Content-Type: {part}")), "{part}: {}", mails[0]);
    }
    // The metric's name tried to add a recipient.
    assert_eq!(header(&mails[0], "Bcc"), None);
    let (_, html) = mails[0].split_once("Content-Type: text/html").unwrap();
    assert!(html.contains("&lt;b&gt;") && !html.contains("<b>"), "{html}");
}

#[test]
fn a_server_that_hangs_up_after_the_mail_may_have_it() {
    let Some(server) = Server::start() else { return };
    let outcome = send(&ChannelKind::Email(server.to(&["drop@example.com"])), &message("a1"));
    assert!(matches!(outcome, Outcome::Retry { ambiguous: true, .. }), "{outcome:?}");
    assert_eq!(server.mails().len(), 1);
}

#[test]
fn who_is_put_off_gets_it_later_and_who_is_unknown_never() {
    let Some(server) = Server::start() else { return };
    let to = |names: &[&str]| ChannelKind::Email(server.to(names));
    let outcome = send(&to(&["later@example.com"]), &message("a1"));
    assert!(
        matches!(outcome, Outcome::Retry { status: Some(451), ambiguous: false, .. }),
        "{outcome:?}"
    );
    let outcome = send(&to(&["never@example.com"]), &message("a1"));
    assert!(matches!(outcome, Outcome::Refused { status: Some(550), .. }), "{outcome:?}");
    assert_eq!(server.mails().len(), 0);
    // One who is unknown does not keep it from the others.
    assert_eq!(send(&to(&["never@example.com", "ann@example.com"]), &message("a1")), Outcome::Sent);
    assert_eq!(server.mails().len(), 1);
}

#[test]
fn a_wrong_password_or_certificate_is_told_without_the_password() {
    let Some(server) = Server::start() else { return };
    let mut spec = server.to(&["ann@example.com"]);
    spec.login = Some(("me".into(), Secret::new("wrong-canary".into())));
    let outcome = send(&ChannelKind::Email(spec), &message("a1"));
    let Outcome::Refused { reason, status: Some(535) } = outcome else { panic!("{outcome:?}") };
    assert!(!reason.contains("canary"), "{reason}");
    let mut spec = server.to(&["ann@example.com"]);
    spec.ca_file = None;
    let outcome = send(&ChannelKind::Email(spec), &message("a1"));
    assert!(matches!(outcome, Outcome::Retry { ambiguous: false, .. }), "{outcome:?}");
    assert_eq!(server.mails().len(), 0);
}
