//! `[channels.<name>]`: what is usual for a kind, what can be set, and what cannot.

use super::*;
use crate::domain::{
    AlertmanagerSpec, ChannelKind, ChannelSpec, EmailSpec, MailTls, NtfySpec, OnAmbiguous,
    PaceSpec, PagerSeverity, PagerdutySpec, Rate, Secret, SlackSpec, Span, TelegramSpec, WebAuth,
};

const HOOK: &str = "[channels.x]\nkind = \"webhook\"\nurl = \"https://x\"\n";

fn channel(text: &str) -> ChannelSpec {
    let dir = project(&[(SYSTEM_FILE, text)]);
    load(dir.path(), &Environment::default()).unwrap().system.channels.remove("x").unwrap()
}

#[test]
fn people_get_few_messages_and_files_get_all() {
    let hook = channel(HOOK);
    assert_eq!(hook.pace, PaceSpec::people(10));
    assert_eq!((hook.timeout, hook.allow_private), (Span::secs(10), false));
    assert_eq!(channel("[channels.x]\nkind = \"log\"\n").pace, PaceSpec::UNLIMITED);
}

#[test]
fn every_channel_can_be_given_its_own_pace() {
    let own = "rate = \"30/min\"\nburst = 5\non_ambiguous = \"park\"\nmax_age = \"2h\"\nstorm = 7\n\
               timeout = \"3s\"\nallow_private = true\n";
    let hook = channel(&format!("{HOOK}{own}"));
    let pace = PaceSpec {
        rate: Some(Rate { n: 30, per: Span::secs(60) }),
        burst: 5,
        on_ambiguous: OnAmbiguous::Park,
        max_age: Some(Span::hours(2)),
        storm: Some(7),
    };
    assert_eq!(hook.pace, pace);
    assert_eq!((hook.timeout, hook.allow_private), (Span::secs(3), true));
}

#[test]
fn a_burst_is_what_the_rate_gives_in_a_second_and_limits_can_be_lifted() {
    let burst = |rate: &str| channel(&format!("{HOOK}rate = \"{rate}\"\n")).pace.burst;
    assert_eq!((burst("1/s"), burst("25/s"), burst("2/h")), (1, 25, 1));
    let open = channel(&format!("{HOOK}rate = \"none\"\nmax_age = \"0s\"\nstorm = 0\n")).pace;
    assert_eq!((open.rate, open.max_age, open.storm), (None, None, None));
}

#[test]
fn a_channel_names_who_is_told_in_its_place() {
    let audit = "[channels.y]\nkind = \"log\"\n";
    assert_eq!(channel(&format!("{HOOK}fallback = [\"y\"]\n{audit}")).fallback, ["y"]);
    check_system(
        &format!("{HOOK}fallback = [\"z\"]\n"),
        &["anomstack.toml:4:13: there is no channel `z` (did you mean `x`?)"],
    );
}

#[test]
fn a_pace_that_is_none_is_reported() {
    let with = |line: &str| format!("{HOOK}{line}\n");
    check_system(
        &with("rate = \"fast\""),
        &[
            "anomstack.toml:4:8: `fast` is not a rate (write messages in a unit of time, as in 1/s, \
           30/min or 100/h; or none)",
        ],
    );
    check_system(
        &with("burst = 0"),
        &["anomstack.toml:4:9: `burst` is 0; it must lie between 1 and 10000"],
    );
    check_system(
        &with("on_ambiguous = \"hope\""),
        &["anomstack.toml:4:16: `hope` is not one of resend, park"],
    );
    check_system(
        &with("max_age = \"old\""),
        &["anomstack.toml:4:11: `old` is not a duration; write a whole number and a unit, as in \
           90s, 5m, 1h or 7d"],
    );
    check_system(
        &with("storm = -1"),
        &["anomstack.toml:4:9: `storm` is -1; it must lie between 0 and 1000000"],
    );
    check_system(
        "[channels.x]\nkind = \"file\"\npath = \"a\"\nallow_private = true\n",
        &["anomstack.toml:4:1: `allow_private` has no meaning with kind = \"file\""],
    );
}

#[track_caller]
fn check_channel(keys: &str, expected: &[&str]) {
    check_system(&format!("[channels.x]\n{keys}\n"), expected);
}

#[test]
fn every_kind_is_read_with_what_is_usual_for_it() {
    let kind = |keys: &str| channel(&format!("[channels.x]\n{keys}\n")).kind;
    let url = || Secret::new("https://x/t".into());
    let written = "url = \"https://x/t\"";
    let auth = WebAuth::None;
    assert_eq!(
        kind(&format!("kind = \"alertmanager\"\n{written}")),
        ChannelKind::Alertmanager(AlertmanagerSpec { url: url(), auth, hold: Span::days(7) })
    );
    assert_eq!(
        kind(&format!("kind = \"slack\"\n{written}")),
        ChannelKind::Slack(SlackSpec::Webhook { url: url() })
    );
    let token = || Secret::new("t".into());
    assert_eq!(
        kind("kind = \"slack\"\ntoken = \"t\"\nchannel = \"C1\""),
        ChannelKind::Slack(SlackSpec::Bot {
            token: token(),
            channel: "C1".into(),
            api: "https://slack.com/api".into()
        })
    );
    assert_eq!(
        kind("kind = \"pagerduty\"\nrouting_key = \"t\"\nwarning = \"info\""),
        ChannelKind::Pagerduty(PagerdutySpec {
            routing_key: token(),
            url: "https://events.pagerduty.com/v2/enqueue".into(),
            warning: PagerSeverity::Info,
            critical: PagerSeverity::Critical,
        })
    );
    assert_eq!(kind(&format!("kind = \"teams\"\n{written}")), ChannelKind::Teams { url: url() });
    assert_eq!(
        kind(&format!("kind = \"discord\"\n{written}")),
        ChannelKind::Discord { url: url() }
    );
    assert_eq!(
        kind("kind = \"telegram\"\ntoken = \"t\"\nchat = \"-100\"\nthread = 7"),
        ChannelKind::Telegram(TelegramSpec {
            token: token(),
            chat: "-100".into(),
            thread: Some(7),
            api: "https://api.telegram.org".into()
        })
    );
    assert_eq!(
        kind(&format!("kind = \"ntfy\"\n{written}\ntopic = \"t\"\nauth = {{ bearer = \"t\" }}")),
        ChannelKind::Ntfy(NtfySpec { url: url(), topic: token(), auth: WebAuth::Bearer(token()) })
    );
}

#[test]
fn mail_is_encrypted_where_nothing_else_is_said() {
    assert_eq!(
        channel(
            "[channels.x]\nkind = \"email\"\nhost = \"mx\"\nuser = \"me\"\npassword = \"t\"\n\
              from = \"A <a@example.com>\"\nto = [\"b@example.com\"]"
        )
        .kind,
        ChannelKind::Email(EmailSpec {
            host: "mx".into(),
            port: 587,
            tls: MailTls::Starttls,
            login: Some(("me".into(), Secret::new("t".into()))),
            ca_file: None,
            from: "A <a@example.com>".into(),
            to: vec!["b@example.com".into()],
        })
    );
}

#[test]
fn what_a_kind_cannot_use_is_reported() {
    check_channel(
        "kind = \"email\"\nhost = \"mx\"\ntls = \"none\"\nuser = \"me\"\nfrom = \"nobody\"\nto = []",
        &[
            "anomstack.toml:3:8: mail leaves this machine only encrypted (write tls = \"starttls\" or \
             tls = \"tls\"; none is for a server on this machine)",
            "anomstack.toml:5:8: signing in takes a `user` and a `password`",
            "anomstack.toml:6:8: `nobody` is not a mail address (write name@example.com or Name \
             <name@example.com>)",
            "anomstack.toml:7:1: `to` names nobody (write whom mails are to, as in \
             [\"oncall@example.com\"])",
        ],
    );
    check_channel(
        "kind = \"slack\"\nurl = \"https://x\"\ntoken = \"t\"\nchannel = \"C1\"",
        &["anomstack.toml:3:1: a webhook's `url` and a bot's `token` cannot both be given"],
    );
    check_channel(
        "kind = \"slack\"\nurl = \"https://x\"\nchannel = \"C1\"",
        &["anomstack.toml:4:1: `channel` is for a bot, which has a `token`"],
    );
    check_channel(
        "kind = \"pagerduty\"\nrouting_key = \"t\"\ncritical = \"fatal\"\napi = \"events\"",
        &[
            "anomstack.toml:4:12: `fatal` is not one of info, warning, error, critical",
            "anomstack.toml:5:7: `events` is not an http:// or https:// address (usually it is \
             https://events.pagerduty.com/v2/enqueue)",
        ],
    );
    check_channel(
        "kind = \"ntfy\"\nurl = \"https://x\"\ntopic = \"a/b\"",
        &[
            "anomstack.toml:4:9: this is not a topic's name (write 1 to 64 letters, digits, - and _)",
        ],
    );
    check_channel(
        "kind = \"telegram\"\ntoken = \"t\"",
        &[
            "anomstack.toml:1:11: `channels.x.chat` is missing (write the chat's id, as in \"-1001234\", \
           or @name)",
        ],
    );
}

#[test]
fn a_channel_is_of_a_known_kind() {
    let kinds = "log, file, webhook, alertmanager, email, slack, pagerduty, teams, discord, \
                 telegram, ntfy";
    let missing =
        format!("anomstack.toml:1:11: `channels.x.kind` is missing (write one of {kinds})");
    check_channel("path = \"x\"", &[missing.as_str()]);
    let unknown = format!("anomstack.toml:2:8: `pigeon` is not one of {kinds}");
    check_channel("kind = \"pigeon\"", &[unknown.as_str()]);
}
