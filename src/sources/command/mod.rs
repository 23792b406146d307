//! Programs that print rows: started directly, without a shell, with an environment of their own,
//! limits on what they print, use and take, and ended with the read, with all they started.

mod group;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    io,
    path::Path,
    pin::pin,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, ChildStderr, ChildStdout, Command},
    time,
};

use super::{Notes, SourceError, error::scrub};
use crate::domain::{CommandSpec, Span};
use group::Group;

/// The part of a program's error output that is kept: its end, where the cause stands.
const MAX_STDERR_BYTES: usize = 4_096;
/// What a program needs to find itself and to print text; all else is kept from it.
const INHERITED: [&str; 6] = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"];
/// How long a program may take to end once it is asked to, before it is ended.
const GRACE: Duration = Duration::from_secs(1);
/// How long the output may stay open after the program that was started has ended.
const DRAIN: Duration = Duration::from_secs(1);
/// Between two looks at the memory in use.
const WATCH: Duration = Duration::from_millis(200);

/// One start of a program.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    /// What to start.
    pub(super) spec: &'a CommandSpec,
    /// This process's environment, of which little is passed on.
    pub(super) inherited: &'a BTreeMap<String, String>,
    /// Longest time for the read.
    pub(super) limit: Span,
    /// Takes what the program says on its error output.
    pub(super) notes: &'a Notes,
}

impl Call<'_> {
    /// The program as it was named. Arguments are left out of errors: some carry tokens.
    pub(super) fn name(&self) -> &str {
        self.spec.argv.first().map_or("", String::as_str)
    }

    fn failed(&self, source: io::Error) -> SourceError {
        SourceError::Start { program: self.name().to_owned(), source }
    }
}

/// What a program wrote.
#[derive(Debug, Default)]
struct Written {
    stdout: Vec<u8>,
    /// The end of it.
    stderr: Vec<u8>,
}

/// Runs a program to its end and gives what it printed. A second before the time limit it is asked
/// to end (SIGTERM); dropping the future ends it and all it started (SIGKILL). `anomstack` stands
/// for the executable at `own`.
pub(super) async fn run(call: &Call<'_>, own: &Path) -> Result<Vec<u8>, SourceError> {
    let mark = group::mark();
    let mut child = start(call, own, &mark).map_err(|source| call.failed(source))?;
    // Dropped before the child is, so while its number is still its own.
    let mut group = Group::new(child.id(), mark);
    group.limit_memory(call.spec.max_memory);
    let mut written = Written::default();
    let status = {
        let mut work = pin!(finish(call, &mut child, &mut written));
        let limit = call.limit.to_std();
        tokio::select! {
            status = &mut work => status?,
            error = watch(call, &group) => return Err(error),
            () = time::sleep(limit.saturating_sub(GRACE.min(limit / 2))) => {
                group.ask_to_end();
                // Whatever it does now, it took too long.
                drop(work.await);
                return Err(SourceError::Timeout { kind: "command", limit: call.limit });
            }
        }
    };
    group.leader_has_ended();
    let stderr = scrub(String::from_utf8_lossy(&written.stderr).trim(), call.spec.env.values());
    if !status.success() {
        let (program, status) = (call.name().to_owned(), in_words(status));
        return Err(SourceError::Failed { program, status, stderr });
    }
    stderr.lines().for_each(|line| call.notes.add(line));
    Ok(written.stdout)
}

fn start(call: &Call<'_>, own: &Path, mark: &str) -> io::Result<Child> {
    let spec = call.spec;
    let Some((program, arguments)) = spec.argv.split_first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no program is named"));
    };
    let mut command =
        if program == "anomstack" { Command::new(own) } else { Command::new(program) };
    command.args(arguments).current_dir(&spec.dir).env_clear();
    let is_passed = |key: &String| INHERITED.contains(&key.as_str()) || spec.inherit.contains(key);
    command.envs(call.inherited.iter().filter(|(key, _)| is_passed(key)));
    command.envs(spec.env.iter().map(|(key, value)| (key, value.reveal())));
    command.env(group::MARK_KEY, mark);
    // A group of its own, to be ended as one; a Ctrl-C at the terminal is not also the program's.
    command.process_group(0).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
}

/// Reads what a program writes until it has ended. What it left running may hold its output open
/// for ever, so that is read only a little longer.
async fn finish(
    call: &Call<'_>,
    child: &mut Child,
    written: &mut Written,
) -> Result<ExitStatus, SourceError> {
    let closed = || call.failed(io::ErrorKind::BrokenPipe.into());
    let stdout = child.stdout.take().ok_or_else(closed)?;
    let stderr = child.stderr.take().ok_or_else(closed)?;
    let mut reading = pin!(read(call, (stdout, stderr), written));
    let status = tokio::select! {
        read = &mut reading => {
            read?;
            child.wait().await
        }
        status = child.wait() => {
            match time::timeout(DRAIN, reading).await {
                Ok(read) => read?,
                Err(_) => call.notes.add("programs it had left running were ended"),
            }
            status
        }
    };
    status.map_err(|source| call.failed(source))
}

/// Reads both outputs: together, as a program that fills one pipe waits for it to be read; and the
/// first failure ends both, as a program that prints too much would not end by itself.
async fn read(
    call: &Call<'_>,
    (stdout, stderr): (ChildStdout, ChildStderr),
    written: &mut Written,
) -> Result<(), SourceError> {
    let said = async { tail(stderr, &mut written.stderr).await.map_err(|e| call.failed(e)) };
    tokio::try_join!(capped(stdout, call, &mut written.stdout), said).map(drop)
}

/// All of a stream, while it keeps within the call's limit.
async fn capped(
    stream: impl AsyncRead + Unpin,
    call: &Call<'_>,
    bytes: &mut Vec<u8>,
) -> Result<(), SourceError> {
    let max_bytes = call.spec.max_bytes;
    let mut limited = stream.take(max_bytes as u64 + 1);
    limited.read_to_end(bytes).await.map_err(|source| call.failed(source))?;
    if bytes.len() <= max_bytes {
        return Ok(());
    }
    let place = format!("the output of `{}`", call.name());
    Err(SourceError::TooManyBytes { place, max_bytes: max_bytes as u64 })
}

/// The last bytes of a stream.
async fn tail(mut stream: impl AsyncRead + Unpin, kept: &mut Vec<u8>) -> io::Result<()> {
    let mut chunk = vec![0; 4_096];
    loop {
        let n_bytes = stream.read(&mut chunk).await?;
        if n_bytes == 0 {
            return Ok(());
        }
        kept.extend_from_slice(&chunk[..n_bytes]);
        kept.drain(..kept.len().saturating_sub(MAX_STDERR_BYTES));
    }
}

/// Ends when the program and what it started use more memory than they may.
async fn watch(call: &Call<'_>, group: &Group) -> SourceError {
    let max_memory = call.spec.max_memory;
    loop {
        time::sleep(WATCH).await;
        if (max_memory as u64) < group.memory() {
            return SourceError::TooMuchMemory { program: call.name().to_owned(), max_memory };
        }
    }
}

fn in_words(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("code {code}"),
        None => status.to_string(),
    }
}
