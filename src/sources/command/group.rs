//! A program and all it started: how much memory they use, and their end. Members are those of the
//! program's process group, and whoever else carries its mark in the environment, as a program that
//! left the group (`setsid`, a daemon) still does.

use std::{fs, path::Path};

use rustix::{
    io::Errno,
    process::{
        Pid, PidfdFlags, Resource, Rlimit, Signal, kill_process_group, pidfd_open,
        pidfd_send_signal, prlimit,
    },
};

/// The environment variable that marks what belongs to one start of a program.
pub(super) const MARK_KEY: &str = "ANOMSTACK_SOURCE_MARK";

/// Folders of processes.
const PROCESSES: &str = "/proc";

/// A mark no other start has.
pub(super) fn mark() -> String {
    let mut bytes = [0; 16];
    // Without randomness the time since the start of the machine would do as well; the process id
    // alone still keeps the programs of two daemons apart.
    if getrandom::fill(&mut bytes).is_err() {
        bytes[..4].copy_from_slice(&std::process::id().to_ne_bytes());
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A program and all it started, ended with this value.
#[derive(Debug)]
pub(super) struct Group {
    /// The program's number, while it is surely its own.
    leader: Option<Pid>,
    mark: String,
}

impl Group {
    pub(super) fn new(leader: Option<u32>, mark: String) -> Self {
        let leader = leader.and_then(|number| i32::try_from(number).ok()).and_then(Pid::from_raw);
        Self { leader, mark }
    }

    /// Lets no process of the group have more private memory than this. What the program started
    /// before this call, within the first moments of its life, is left to [`Group::memory`].
    pub(super) fn limit_memory(&self, max_bytes: usize) {
        let limit = Some(max_bytes as u64);
        let limit = Rlimit { current: limit, maximum: limit };
        // A program that has ended needs no limit; one that changed its user cannot be given one.
        if let Some(leader) = self.leader
            && let Err(error) = prlimit(Some(leader), Resource::Data, limit)
            && error != Errno::SRCH
        {
            tracing::debug!("limit the memory of a source's program: {error}");
        }
    }

    /// Private memory of all processes of the group, in bytes.
    pub(super) fn memory(&self) -> u64 {
        let Some(leader) = self.leader else { return 0 };
        let group = leader.as_raw_nonzero().to_string();
        let used = |process: &Path| {
            let status = fs::read_to_string(process.join("status")).ok()?;
            let field = |name| status.lines().find_map(|line| line.strip_prefix(name));
            // The first number is the one that counts where this process looks from.
            if field("NSpgid:")?.split_ascii_whitespace().next()? != group {
                return None;
            }
            field("RssAnon:")?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()
        };
        processes().filter_map(|(_, process)| used(&process)).sum::<u64>() * 1_024
    }

    /// Asks the whole group to end.
    pub(super) fn ask_to_end(&self) {
        self.signal(Signal::TERM);
    }

    /// The program is gone and its number may become another's.
    pub(super) const fn leader_has_ended(&mut self) {
        self.leader = None;
    }

    fn signal(&self, signal: Signal) {
        let Some(leader) = self.leader else { return };
        // An empty group is what was wanted.
        if let Err(error) = kill_process_group(leader, signal)
            && error != Errno::SRCH
        {
            tracing::warn!("end a source's program: {error}");
        }
    }

    /// Ends all that carry the mark.
    fn end_marked(&self) {
        let mark = format!("{MARK_KEY}={}", self.mark);
        let is_marked = |process: &Path| {
            fs::read(process.join("environ"))
                .is_ok_and(|pairs| pairs.split(|byte| *byte == 0).any(|p| p == mark.as_bytes()))
        };
        for (number, process) in processes() {
            // Opened before it is looked at, so that the number cannot become another's between.
            let Ok(opened) = pidfd_open(number, PidfdFlags::empty()) else { continue };
            if is_marked(&process)
                && let Err(error) = pidfd_send_signal(opened, Signal::KILL)
                && error != Errno::SRCH
            {
                tracing::warn!("end what a source's program left: {error}");
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        self.end_marked();
    }
}

/// Every process with its folder.
fn processes() -> impl Iterator<Item = (Pid, std::path::PathBuf)> {
    fs::read_dir(PROCESSES).into_iter().flatten().filter_map(|entry| {
        let entry = entry.ok()?;
        let number: i32 = entry.file_name().to_str()?.parse().ok()?;
        Some((Pid::from_raw(number)?, entry.path()))
    })
}
