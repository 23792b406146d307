//! Programs that hang, fork, print without end, hold their output open or take all the memory.

use std::{fs, path::Path, time::Duration};

use crate::{
    domain::{CommandSpec, SourceKind, Span, Timestamp},
    sources::{
        Notes,
        tests::{command, read_noting, read_soon},
    },
};

/// Waits until the process whose number is in the file is gone.
async fn check_ended(pid_file: &Path) {
    let pid = fs::read_to_string(pid_file).unwrap();
    assert!(!pid.trim().is_empty());
    let status = Path::new("/proc").join(pid.trim()).join("status");
    let runs = || fs::read_to_string(&status).is_ok_and(|s| !s.contains("State:\tZ"));
    let ended = async {
        while runs() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("the program still runs");
}

async fn check_timed_out(script: impl Fn(&Path) -> String) {
    let dir = tempfile::tempdir().unwrap();
    let pid_file = dir.path().join("pid");
    let mut batch = command(&script(&pid_file));
    batch.source.timeout = Span::from_micros(600_000);
    let error = read_soon(&batch).await.unwrap_err().to_string();
    assert_eq!(error, "read the command source: no answer within 600ms");
    check_ended(&pid_file).await;
}

#[tokio::test]
async fn a_program_that_hangs_is_ended_at_the_time_limit() {
    check_timed_out(|pid| format!("echo $$ > {}; exec sleep 60", pid.display())).await;
}

#[tokio::test]
async fn what_a_program_started_ends_with_it_also_when_it_ignores_the_request() {
    let stubborn = |pid: &Path| {
        format!(
            "sh -c 'trap \"\" TERM; echo $$ > {}; while :; do sleep 60; done' & wait",
            pid.display()
        )
    };
    check_timed_out(stubborn).await;
    // In a session of its own, so outside the group, and with the program between them gone.
    let gone = |pid: &Path| {
        format!(
            "(setsid sh -c 'trap \"\" TERM; echo $$ > {}; sleep 60' &); exec sleep 60",
            pid.display()
        )
    };
    check_timed_out(gone).await;
}

#[tokio::test]
async fn a_program_asked_to_end_may_tidy_up() {
    let dir = tempfile::tempdir().unwrap();
    let tidied = dir.path().join("tidied");
    let script = format!("trap 'echo yes > {}; exit 0' TERM; sleep 60 & wait", tidied.display());
    let mut batch = command(&script);
    batch.source.timeout = Span::from_micros(1_500_000);
    let error = read_soon(&batch).await.unwrap_err().to_string();
    assert_eq!(error, "read the command source: no answer within 1s500ms");
    assert_eq!(fs::read_to_string(tidied).unwrap(), "yes\n");
}

#[tokio::test]
async fn output_held_open_by_what_is_left_running_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let pid_file = dir.path().join("pid");
    let script = format!(
        "setsid sh -c 'echo $$ > {0}; exec sleep 60' & \
         until [ -s {0} ]; do :; done; printf 'ts,value\\n1,2\\n'",
        pid_file.display()
    );
    let notes = Notes::default();
    let now = Timestamp::parse("2026-01-02T00:00:00Z").unwrap();
    let frame = read_noting(&command(&script), (now, None), &notes).await.unwrap();
    assert_eq!(frame.shape(), (1, 2));
    assert_eq!(notes.take(), ["programs it had left running were ended"]);
    check_ended(&pid_file).await;
}

#[tokio::test]
async fn what_a_program_says_is_noted_without_its_secrets() {
    let notes = Notes::default();
    let now = Timestamp::parse("2026-01-02T00:00:00Z").unwrap();
    let script = "printf 'a\\nuses %s\\n' $TOKEN >&2; echo ts,value";
    read_noting(&command(script), (now, None), &notes).await.unwrap();
    assert_eq!(notes.take(), ["a", "uses [secret]"]);
}

#[tokio::test]
async fn more_output_than_any_memory_holds_is_cut_at_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let pid_file = dir.path().join("pid");
    let script = format!("echo $$ > {}; exec head -c 10000000000 /dev/zero", pid_file.display());
    let error = read_soon(&command(&script)).await.unwrap_err().to_string();
    assert_eq!(error, "read the output of `sh`: more than 10000 bytes");
    check_ended(&pid_file).await;
}

#[tokio::test]
async fn no_program_has_more_memory_than_it_may_and_neither_have_several_together() {
    let with = |script: &str, max_memory: usize| {
        let mut batch = command(script);
        if let SourceKind::Command(CommandSpec { max_memory: limit, .. }) = &mut batch.source.kind {
            *limit = max_memory;
        }
        batch
    };
    // `tail` keeps a line that has no end.
    let one = with("head -c 1000000000 /dev/zero | tail -n 1 | wc -c; exit 7", 64 << 20);
    let error = read_soon(&one).await.unwrap_err().to_string();
    let by_the_system = error.starts_with("run `sh`: it ended with code 7 and said: tail: ");
    let seen = error == "run `sh`: it used more than 67108864 bytes of memory (`max_memory`)";
    assert!(by_the_system || seen, "{error}");
    let each = "(head -c 40000000 /dev/zero; sleep 60) | tail -n 1 &";
    let several = with(&format!("{each} {each} {each} wait"), 64 << 20);
    let error = read_soon(&several).await.unwrap_err().to_string();
    assert_eq!(error, "run `sh`: it used more than 67108864 bytes of memory (`max_memory`)");
}
