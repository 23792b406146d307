//! `kind = "email"`.

use std::net::IpAddr;

use lettre::message::Mailbox;

use crate::domain::{ChannelKind, EmailSpec, MailTls, Secret};

use super::super::{
    place::Located,
    section::{Section, Text},
    values::Refusal,
};

pub(super) const KEYS: &[&str] =
    &["host", "port", "tls", "user", "password", "ca_file", "from", "to"];

pub(super) fn read(channel: &mut Section<'_>) -> Option<ChannelKind> {
    let host = channel.required_text("host", "write the mail server's name");
    let tls = channel.word_or("tls", MailTls::Starttls);
    let usual_port = match tls {
        MailTls::Starttls => 587,
        MailTls::Tls => 465,
        MailTls::None => 25,
    };
    let port = channel.count("port", 1..=usize::from(u16::MAX), usual_port);
    if let Some(host) = host.as_ref().filter(|_| tls == MailTls::None)
        && !is_this_machine(&host.value.text)
    {
        let message = "mail leaves this machine only encrypted";
        let help =
            "write tls = \"starttls\" or tls = \"tls\"; none is for a server on this machine";
        channel.check.problem_with_help(&host.place, message, help);
    }
    let login = login(channel);
    let ca_file = channel.text("ca_file").map(|path| channel.check.dir.join(path.value.text));
    if !channel.has("from") {
        channel.missing("from", "write who mails are from, as in Anomstack <alerts@example.com>");
    }
    let from = channel.parsed("from", "a mail address", |text| mailbox(text).map(|()| text.into()));
    let to = recipients(channel);
    Some(ChannelKind::Email(EmailSpec {
        host: host?.value.text,
        port: u16::try_from(port).ok()?,
        tls,
        login: login?,
        ca_file,
        from: from?.value,
        to: to?,
    }))
}

/// `None` when it is given by half.
fn login(channel: &mut Section<'_>) -> Option<Option<(String, Secret)>> {
    let user = channel.text("user");
    match (user, channel.secret("password")) {
        (Some(user), Some(password)) => Some(Some((user.value.text, password.value))),
        (None, None) => Some(None),
        (Some(Located { place, .. }), None) | (None, Some(Located { place, .. })) => {
            let message = "signing in takes a `user` and a `password`";
            channel.check.problem(&place, message);
            None
        }
    }
}

fn recipients(channel: &mut Section<'_>) -> Option<Vec<String>> {
    let help = "write whom mails are to, as in [\"oncall@example.com\"]";
    if !channel.has("to") {
        channel.missing("to", help);
    }
    let place = channel.key_place("to");
    let found = channel.texts("to")?;
    if let Some(place) = place.filter(|_| found.is_empty()) {
        channel.check.problem_with_help(&place, "`to` names nobody", help);
    }
    for Located { value: Text { text, is_expanded }, place } in &found {
        if let Err(refusal) = mailbox(text) {
            let message =
                if *is_expanded { "this is not a mail address" } else { &refusal.message };
            channel.check.problem(place, message);
        }
    }
    Some(found.into_iter().map(|found| found.value.text).collect())
}

fn mailbox(text: &str) -> Result<(), Refusal> {
    let parsed = text.parse::<Mailbox>();
    parsed.map(drop).map_err(|_| Refusal {
        message: format!("`{text}` is not a mail address"),
        help: Some("write name@example.com or Name <name@example.com>".into()),
    })
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}
