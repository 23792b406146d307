//! Programs that print rows: started directly, without a shell, with an environment of their own,
//! a limit on what they print, and ended with the read.

use std::{
    collections::BTreeMap,
    io,
    path::Path,
    process::{ExitStatus, Stdio},
};

use rustix::{
    io::Errno,
    process::{Pid, Signal, kill_process_group},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
};

use super::{SourceError, error::scrub};
use crate::domain::Secret;

/// The part of a program's error output that is kept: its end, where the cause stands.
const MAX_STDERR_BYTES: usize = 4_096;
/// What a program needs to find itself and to print text; all else is kept from it.
const INHERITED: [&str; 6] = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"];

/// One start of a program.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    /// Program and arguments.
    pub(super) argv: &'a [String],
    /// This process's environment, of which little is passed on.
    pub(super) inherited: &'a BTreeMap<String, String>,
    /// Its environment on top of the inherited part.
    pub(super) env: &'a BTreeMap<String, Secret>,
    /// The folder it runs in.
    pub(super) dir: &'a Path,
    /// Most bytes it may print.
    pub(super) max_bytes: usize,
}

impl Call<'_> {
    /// The program as it was named. Arguments are left out of errors: some carry tokens.
    pub(super) fn name(&self) -> &str {
        self.argv.first().map_or("", String::as_str)
    }
}

/// Runs a program to its end and gives what it printed. Dropping the future kills it and what it
/// started.
/// `anomstack` stands for the executable at `own`.
pub(super) async fn run(call: &Call<'_>, own: &Path) -> Result<Vec<u8>, SourceError> {
    let failed = |source| SourceError::Start { program: call.name().to_owned(), source };
    let mut child = start(call, own).map_err(failed)?;
    // Dropped before the child is, so while its number is still its own.
    let mut group = Group(child.id());
    let stdout = child.stdout.take().ok_or_else(|| failed(io::ErrorKind::BrokenPipe.into()))?;
    let stderr = child.stderr.take().ok_or_else(|| failed(io::ErrorKind::BrokenPipe.into()))?;
    // Together, as a program that fills one pipe waits for it to be read; and the first failure
    // ends both, as a program that prints too much would not end by itself.
    let said = async { tail(stderr).await.map_err(failed) };
    let (stdout, stderr) = tokio::try_join!(capped(stdout, call), said)?;
    let status = child.wait().await.map_err(failed)?;
    group.0 = None;
    if status.success() {
        return Ok(stdout);
    }
    Err(SourceError::Failed {
        program: call.name().to_owned(),
        status: in_words(status),
        stderr: scrub(String::from_utf8_lossy(&stderr).trim(), call.env.values()),
    })
}

fn start(call: &Call<'_>, own: &Path) -> io::Result<Child> {
    let Some((program, arguments)) = call.argv.split_first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no program is named"));
    };
    let mut command =
        if program == "anomstack" { Command::new(own) } else { Command::new(program) };
    command.args(arguments).current_dir(call.dir).env_clear();
    command.envs(call.inherited.iter().filter(|(key, _)| INHERITED.contains(&key.as_str())));
    command.envs(call.env.iter().map(|(key, value)| (key, value.reveal())));
    // A group of its own, to be ended as one; a Ctrl-C at the terminal is not also the program's.
    command.process_group(0).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
}

/// The program and all it started, ended with this value unless it was seen to end by itself.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let number = self.0.and_then(|number| i32::try_from(number).ok());
        let Some(leader) = number.and_then(Pid::from_raw) else { return };
        // An empty group is what was wanted.
        if let Err(error) = kill_process_group(leader, Signal::KILL)
            && error != Errno::SRCH
        {
            tracing::warn!("end a source's program: {error}");
        }
    }
}

/// All of a stream, while it keeps within the call's limit.
async fn capped(stream: impl AsyncRead + Unpin, call: &Call<'_>) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    let mut limited = stream.take(call.max_bytes as u64 + 1);
    let failed = |source| SourceError::Start { program: call.name().to_owned(), source };
    limited.read_to_end(&mut bytes).await.map_err(failed)?;
    if bytes.len() <= call.max_bytes {
        return Ok(bytes);
    }
    let place = format!("the output of `{}`", call.name());
    Err(SourceError::TooManyBytes { place, max_bytes: call.max_bytes as u64 })
}

/// The last bytes of a stream.
async fn tail(mut stream: impl AsyncRead + Unpin) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let mut chunk = [0; 4_096];
    loop {
        let n_bytes = stream.read(&mut chunk).await?;
        if n_bytes == 0 {
            return Ok(kept);
        }
        kept.extend_from_slice(&chunk[..n_bytes]);
        kept.drain(..kept.len().saturating_sub(MAX_STDERR_BYTES));
    }
}

fn in_words(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("code {code}"),
        None => status.to_string(),
    }
}
