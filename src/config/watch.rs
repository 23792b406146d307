//! `[watch]` and `[digest]` of the system's file: what is looked for in the program itself, and when it
//! is said what happened.

use std::collections::BTreeMap;

use crate::domain::{ChannelSpec, CronExpr, DigestSpec, HeartbeatSpec, Span, WatchSpec};

use super::{
    alert, channels::LOG_CHANNEL, section::Section, system::is_web_address, values::whole,
};

/// More would be noticed by anybody.
const MOST_FAILURES: usize = 1_000;

pub(super) fn read(watch: &mut Section<'_>, channels: &BTreeMap<String, ChannelSpec>) -> WatchSpec {
    let known: Vec<String> = channels.keys().cloned().collect();
    let usual = [LOG_CHANNEL.to_owned()];
    let disk_low = watch.size("disk_low", 1 << 30);
    WatchSpec {
        enabled: watch.flag("enabled", true),
        channels: alert::channel_names(watch, &usual, Some(&known)),
        job_failures: watch.count("job_failures", 1..=MOST_FAILURES, 3),
        late: watch.positive_span_or("late", Span::secs(15 * 60)),
        model_max_age: watch.positive_span("model_max_age").map(|age| age.value),
        disk_low: u64::try_from(whole(disk_low)).unwrap_or_default(),
        heartbeat: heartbeat(watch),
    }
}

fn heartbeat(watch: &mut Section<'_>) -> Option<HeartbeatSpec> {
    if !watch.has("heartbeat") {
        watch.ignore(&["heartbeat"]);
        return None;
    }
    watch.table("heartbeat", |heartbeat| {
        if !heartbeat.has("url") {
            heartbeat.missing("url", "write the address that is called while the daemon works");
        }
        let url = heartbeat.secret("url");
        if let Some(url) = &url
            && !is_web_address(url.value.reveal())
        {
            heartbeat.check.problem(&url.place, "this is not an http:// or https:// address");
        }
        let every = heartbeat.positive_span_or("every", Span::secs(60));
        let allow_private = heartbeat.flag("allow_private", false);
        Some(HeartbeatSpec { url: url?.value, every, allow_private })
    })
}

/// `[digest]`; without the table there is none.
pub(super) fn digest(
    system: &mut Section<'_>,
    channels: &BTreeMap<String, ChannelSpec>,
) -> Option<DigestSpec> {
    if !system.has("digest") {
        system.ignore(&["digest"]);
        return None;
    }
    let known: Vec<String> = channels.keys().cloned().collect();
    let daily = CronExpr::parse("0 8 * * *").ok();
    system.table("digest", |digest| {
        let at = digest.parsed("at", "a cron expression", |text| Ok(CronExpr::parse(text)?));
        let timezone = super::batch::timezone(digest);
        let place = digest.key_place("channels");
        let channels = alert::channel_names(digest, &[LOG_CHANNEL.to_owned()], Some(&known));
        if let Some(place) = place.filter(|_| channels.is_empty()) {
            let help = "name a channel, or leave the table out to have no digest";
            digest.check.problem_with_help(&place, "`channels` names nobody", help);
        }
        Some(DigestSpec { at: at.map(|at| at.value).or(daily)?, timezone, channels })
    })
}
