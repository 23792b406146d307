//! What a holiday is to a metric with working days, when it is known and when it is not.

use chrono::{Datelike, NaiveDate, Timelike, Weekday};
use chrono_tz::Europe::Dublin;

use super::{AsOf, fixture};
use crate::{
    catalog::alerts,
    domain::{JobKind, Span, Timestamp},
};

/// The first Monday of May, and the only other public holiday of the seven weeks before.
const MAY: (i32, u32, u32) = (2026, 5, 4);
const EASTER: (i32, u32, u32) = (2026, 4, 6);

fn date((year, month, day): (i32, u32, u32)) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

/// Orders of a working day in Dublin, and 40 % of them on days off.
fn orders(at: Timestamp) -> f64 {
    let local = chrono::DateTime::from_timestamp(at.secs(), 0).unwrap().with_timezone(&Dublin);
    let day = local.date_naive();
    let is_off = matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
        || [date(MAY), date(EASTER)].contains(&day);
    let turn = f64::from(local.hour()) / 24.0 * std::f64::consts::TAU;
    let noise = (at.secs() / 3_600 * 7_919 % 101) as f64 / 40.0;
    (100.0 - 40.0 * turn.cos()) * if is_off { 0.4 } else { 1.0 } + noise
}

/// Alerts of the holiday, by models from before it. The clocks change within the training.
async fn alerts_with(holidays: Vec<NaiveDate>) -> usize {
    let mut fixture = fixture::open().await;
    fixture.batch.timezone = Dublin;
    fixture.batch.holidays = holidays;
    let midnight = Timestamp::parse("2026-05-03T23:00:00Z").unwrap();
    let rows = |n_after: i64| -> Vec<_> {
        let hours = (-47 * 24..n_after).map(|hour| midnight + Span::hours(hour));
        hours.map(|at| ("orders", at, orders(at))).collect()
    };
    fixture.source(&rows(0));
    for job in [JobKind::Ingest, JobKind::Train] {
        fixture.run(job, AsOf::live(midnight)).await.unwrap();
    }
    fixture.source(&rows(24));
    for job in [JobKind::Ingest, JobKind::Score, JobKind::Alert] {
        fixture.run(job, AsOf::live(midnight + Span::hours(24))).await.unwrap();
    }
    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    alerts::list(&mut reader, &alerts::AlertFilter::default()).await.unwrap().len()
}

#[tokio::test]
async fn a_holiday_alerts_when_it_is_not_known_and_does_not_when_it_is() {
    assert!(0 < alerts_with(Vec::new()).await);
    assert_eq!(alerts_with(vec![date(EASTER), date(MAY)]).await, 0);
}
