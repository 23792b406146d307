//! Segments, models, alerts, the outbox, metrics.

use super::*;

#[tokio::test]
async fn a_compacted_segment_takes_the_place_of_its_parts_so_later_rows_still_win() {
    let Fixture { catalog, folder: _folder } = fixture().await;
    let mut tx = catalog.begin().await.unwrap();
    let mut ids = Vec::new();
    for key in ["a", "b", "c"] {
        ids.push(segments::insert(&mut tx, &segment(key), RunId(1)).await.unwrap());
    }
    let id = segments::replace(&mut tx, &ids[..2], &segment("ab"), at(9)).await.unwrap();
    let name = batch("shop");
    let live = segments::live(&mut tx, &name, SegmentKind::Points, at(10), at(11)).await.unwrap();
    assert_eq!(
        live.iter().map(|s| (s.id, s.key.as_str())).collect::<Vec<_>>(),
        [(id, "ab"), (ids[2], "c")]
    );
    assert!(ids[0] < id && id < ids[2]);
    let none = segments::live(&mut tx, &name, SegmentKind::Points, at(-9), at(0)).await.unwrap();
    assert_eq!(none, []);
    let again = segments::replace(&mut tx, &ids[..2], &segment("x"), at(9)).await;
    assert!(matches!(again, Err(CatalogError::SegmentsChanged)));
    assert_eq!(segments::doomed(&mut tx, at(9)).await.unwrap(), []);
    let doomed = segments::doomed(&mut tx, at(10)).await.unwrap();
    assert_eq!(doomed.iter().map(|s| s.key.as_str()).collect::<Vec<_>>()[0], "a");
    segments::forget(&mut tx, doomed[0].id).await.unwrap();
    assert!(!segments::known_keys(&mut tx).await.unwrap().contains(&"a".to_owned()));
    let next = segments::insert(&mut tx, &segment("d"), RunId(2)).await.unwrap();
    assert!(ids[2] < next);
}

#[tokio::test]
async fn a_damaged_model_gives_way_to_the_newest_older_verified_one() {
    let Fixture { catalog, folder: _folder } = fixture().await;
    let mut tx = catalog.begin().await.unwrap();
    for day in 1..=3 {
        models::register(&mut tx, &model(day), RunId(day)).await.unwrap();
    }
    let (name, metric) = (model(1).batch, model(1).metric);
    assert_eq!(models::current(&mut tx, &name, &metric).await.unwrap(), Some(model(3)));
    let damage =
        |version| Damage { batch: &name, metric: &metric, version, reason: "wrong checksum" };
    let (v1, v2, v3) = (model(1).version, model(2).version, model(3).version);
    let now = models::quarantine(&mut tx, damage(&v2)).await.unwrap();
    assert_eq!(now, Some(model(3)), "not the current one: nothing else changes");
    let now = models::quarantine(&mut tx, damage(&v3)).await.unwrap();
    assert_eq!(now, Some(model(1)));
    assert_eq!(models::quarantine(&mut tx, damage(&v1)).await.unwrap(), None);
    let states: Vec<_> = models::versions(&mut tx, &name, &metric).await.unwrap();
    assert!(states.iter().all(|row| row.state == ModelState::Quarantined));
    models::register(&mut tx, &model(4), RunId(4)).await.unwrap();
    assert_eq!(models::currents(&mut tx, &name).await.unwrap(), [model(4)]);
    assert_eq!(models::list(&mut tx, &name).await.unwrap().len(), 4);
}

#[tokio::test]
async fn surplus_models_go_but_never_one_that_serves_served_last_or_raised_an_alert() {
    let Fixture { catalog, folder: _folder } = fixture().await;
    let mut tx = catalog.begin().await.unwrap();
    for day in 1..=6 {
        models::register(&mut tx, &model(day), RunId(day)).await.unwrap();
    }
    let (name, metric) = (model(1).batch, model(1).metric);
    let (batch, of) = (name.clone(), metric.clone());
    let raised = Alert { batch, metric: of, model: Some(model(2).version), ..alert("x") };
    alerts::insert(&mut tx, &raised, RunId(2), at(6)).await.unwrap();
    let surplus = models::Surplus { keep: 1, before: model(5).trained_at };
    assert_eq!(models::forget_surplus(&mut tx, &name, surplus).await.unwrap(), 3);
    let left: Vec<_> = models::versions(&mut tx, &name, &metric).await.unwrap();
    let expected = [6, 5, 2].map(|day| model(day).version);
    assert_eq!(left.into_iter().map(|row| row.version).collect::<Vec<_>>(), expected);
    assert_eq!(models::current(&mut tx, &name, &metric).await.unwrap(), Some(model(6)));
}

#[tokio::test]
async fn an_alert_is_stored_once_and_read_back_whole() {
    let Fixture { catalog, folder: _folder } = fixture().await;
    let mut tx = catalog.begin().await.unwrap();
    assert!(alerts::insert(&mut tx, &alert("x"), RunId(7), at(6)).await.unwrap());
    assert!(!alerts::insert(&mut tx, &alert("x"), RunId(8), at(7)).await.unwrap());
    let silent = Alert { kind: AlertKind::Absence, value: None, band: None, ..alert("y") };
    assert!(alerts::insert(&mut tx, &silent, RunId(7), at(6)).await.unwrap());
    let row = alerts::get(&mut tx, &AlertId("x".into())).await.unwrap().unwrap();
    assert_eq!((row.alert, row.raised_at, row.run), (alert("x"), at(6), RunId(7)));
    let filter = alerts::AlertFilter {
        metric: Some(metric("orders")),
        since: Some(at(5)),
        ..Default::default()
    };
    assert_eq!(alerts::list(&mut tx, &filter).await.unwrap().len(), 2);
    let fired = alerts::last_fired(&mut tx, &batch("shop"), AlertKind::Anomaly).await.unwrap();
    assert_eq!(fired.into_iter().collect::<Vec<_>>(), [(metric("orders"), at(5))]);
}

async fn take(conn: &mut Connection, secs: i64) -> Vec<outbox::Delivery> {
    outbox::take(conn, "hook", outbox::Taking::at(at(secs)), 10).await.unwrap()
}

#[tokio::test]
async fn a_delivery_is_taken_once_and_again_when_its_sender_is_gone() {
    let Fixture { catalog, folder: _folder } = fixture().await;
    let mut tx = catalog.begin().await.unwrap();
    alerts::insert(&mut tx, &alert("x"), RunId(1), at(0)).await.unwrap();
    let id = message(&mut tx, "x").await;
    assert!(outbox::enqueue(&mut tx, &id, "hook", at(0)).await.unwrap());
    assert!(!outbox::enqueue(&mut tx, &id, "hook", at(0)).await.unwrap());
    let lost = take(&mut tx, 0).await.remove(0);
    assert_eq!(take(&mut tx, 119).await, []);
    let taken = take(&mut tx, 120).await.remove(0);
    assert_eq!(lost.idem_key, taken.idem_key);
    assert_eq!((lost.may_be_there, taken.may_be_there), (false, true), "its sender may have sent");
    let again = |secs| outbox::Settled::Again {
        at: at(secs),
        refusal: outbox::Refusal { status: Some(500), error: "500".into() },
        is_ambiguous: false,
    };
    let late = outbox::settle(&mut tx, &lost, &again(1), at(120)).await.unwrap();
    assert!(!late, "it came back too late");
    let put_off = outbox::Settled::Postponed { at: at(130) };
    assert!(outbox::settle(&mut tx, &taken, &put_off, at(120)).await.unwrap());
    let taken = take(&mut tx, 130).await.remove(0);
    assert_eq!(taken.attempts, 0);
    assert!(outbox::settle(&mut tx, &taken, &again(140), at(130)).await.unwrap());
    assert!(!outbox::has_due(&mut tx, at(139)).await.unwrap());
    let taken = take(&mut tx, 140).await.remove(0);
    assert_eq!(taken.attempts, 1);
    assert_eq!(outbox::void_leases(&mut tx, at(141)).await.unwrap(), 1);
    let taken = take(&mut tx, 141).await.remove(0);
    let sent = outbox::Settled::Sent;
    assert!(outbox::settle(&mut tx, &taken, &sent, at(142)).await.unwrap());
    assert!(!outbox::settle(&mut tx, &taken, &again(150), at(142)).await.unwrap());
    let counts = outbox::counts(&mut tx).await.unwrap();
    assert_eq!(counts, [("hook".to_owned(), outbox::DeliveryState::Sent, 1)]);
}

#[tokio::test]
async fn nothing_noted_of_a_metric_moves_back() {
    let Fixture { catalog, folder: _folder } = fixture().await;
    let mut tx = catalog.begin().await.unwrap();
    let name = batch("shop");
    let seen = |secs, value| metrics::MetricSeen {
        metric: metric("orders"),
        newest_at: at(secs),
        newest_value: value,
        n_new: 2,
    };
    metrics::touch(&mut tx, &name, &[seen(10, 1.5)], at(11)).await.unwrap();
    metrics::touch(&mut tx, &name, &[seen(5, 9.0)], at(12)).await.unwrap();
    let skip = Skipped { metric: metric("orders"), reason: NoScore::Constant };
    metrics::note_skips(&mut tx, &name, std::slice::from_ref(&skip)).await.unwrap();
    let row = metrics::list(&mut tx, &name).await.unwrap().remove(0);
    assert_eq!((row.newest_at, row.newest_value, row.n_points), (at(10), 1.5, 4));
    assert_eq!((row.first_seen, row.skip_reason), (at(11), Some(NoScore::Constant)));
    let score = |secs, score| ScorePoint {
        metric: metric("orders"),
        at: at(secs),
        value: 1.5,
        score,
        band: None,
        aspect: None,
        model: model(1).version,
    };
    metrics::note_scores(&mut tx, &name, &[score(10, 0.5), score(9, 0.9)]).await.unwrap();
    metrics::note_scores(&mut tx, &name, &[score(8, 0.1)]).await.unwrap();
    let row = metrics::list(&mut tx, &name).await.unwrap().remove(0);
    assert_eq!(
        (row.last_score, row.last_score_at, row.skip_reason),
        (Some(0.5), Some(at(10)), None)
    );

    watermarks::set(&mut tx, &name, "ingest", at(9)).await.unwrap();
    watermarks::set(&mut tx, &name, "ingest", at(3)).await.unwrap();
    assert_eq!(watermarks::get(&mut tx, &name, "ingest").await.unwrap(), Some(at(9)));
    assert!(configs::save(&mut tx, "c0ffee", &name, at(0)).await.unwrap());
    assert!(!configs::save(&mut tx, "c0ffee", &name, at(1)).await.unwrap());
}

#[tokio::test]
async fn a_transaction_that_sqlite_has_ended_by_itself_does_not_stop_the_next() {
    let Fixture { catalog, folder: _folder } = fixture().await;
    let mut tx = catalog.begin().await.unwrap();
    watermarks::set(&mut tx, &batch("shop"), "ingest", at(9)).await.unwrap();
    // As a full disk may do.
    sqlx::query("ROLLBACK").execute(&mut *tx).await.unwrap();
    assert!(matches!(tx.commit().await, Err(CatalogError::Query { .. })));
    let mut tx = catalog.begin().await.unwrap();
    assert_eq!(watermarks::get(&mut tx, &batch("shop"), "ingest").await.unwrap(), None);
    watermarks::set(&mut tx, &batch("shop"), "ingest", at(3)).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_signed_link_is_marked_once_and_forgotten_when_it_is_old() {
    let Fixture { catalog, folder: _folder } = fixture().await;
    let mut tx = catalog.begin().await.unwrap();
    assert!(!links::is_used(&mut tx, "n").await.unwrap());
    assert!(links::mark_used(&mut tx, "n", at(1)).await.unwrap());
    assert!(!links::mark_used(&mut tx, "n", at(2)).await.unwrap());
    assert!(links::is_used(&mut tx, "n").await.unwrap());
    assert_eq!(links::forget_before(&mut tx, at(1)).await.unwrap(), 0);
    assert_eq!(links::forget_before(&mut tx, at(2)).await.unwrap(), 1);
    assert!(!links::is_used(&mut tx, "n").await.unwrap());
}
