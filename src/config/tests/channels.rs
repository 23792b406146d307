//! `[channels.<name>]`: what is usual for a kind, what can be set, and what cannot.

use super::*;
use crate::domain::{ChannelSpec, OnAmbiguous, PaceSpec, Rate, Span};

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
