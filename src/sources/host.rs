//! This machine's own load, read from `/proc`: what `anomstack host-metrics` prints and the demo
//! watches. Rates need two readings; the waiting between them is the caller's.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// Bytes of a sector in `/proc/diskstats`, whatever the disk's own sector size (kernel
/// documentation, `Documentation/admin-guide/iostats.rst`).
const SECTOR_BYTES: u64 = 512;

/// Where the machine stood at one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    cpu: CpuTicks,
    memory: Memory,
    load1: f64,
    n_processes: u64,
    /// Bytes read and written since the start; `None` where disks are not shown.
    disks: Option<Transferred>,
    /// Bytes received and sent since the start; `None` where networks are not shown.
    networks: Option<Transferred>,
}

/// A reading that failed.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A file of `/proc` cannot be read: this is no Linux, or it is hidden from this process.
    #[error("read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of `/proc` is not in the known form.
    #[error("understand `{}`", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
    },
}

impl Reading {
    /// Reads the files below `root`, which is `/proc` but for tests.
    ///
    /// # Errors
    /// [`HostError`] when one of them cannot be read or understood.
    pub fn take(root: &Path) -> Result<Self, HostError> {
        Ok(Self {
            cpu: required(root, "stat", cpu)?,
            memory: required(root, "meminfo", memory)?,
            load1: required(root, "loadavg", load1)?,
            n_processes: n_processes(root)?,
            disks: optional(root, "diskstats", disks)?,
            networks: optional(root, "net/dev", networks)?,
        })
    }
}

/// The machine's metrics at the second reading; rates are means over the time between the two.
///
/// # Units
/// As the names say: percent of 100, bytes per second, or counts. A rate is left out when a
/// counter went back between the readings, as after a device was taken away.
pub fn rows(first: &Reading, second: &Reading, elapsed: Duration) -> Vec<(&'static str, f64)> {
    let bytes = |part: fn(&Reading) -> Option<u64>| -> Option<f64> {
        let n_bytes = part(second)?.checked_sub(part(first)?)?;
        (!elapsed.is_zero()).then(|| n_bytes as f64 / elapsed.as_secs_f64())
    };
    let rows = [
        ("cpu_percent", cpu_percent(first.cpu, second.cpu)),
        ("memory_used_percent", percent(second.memory.used, second.memory.total)),
        ("swap_used_percent", percent(second.memory.swap_used, second.memory.swap_total)),
        ("load1", Some(second.load1)),
        ("processes", Some(second.n_processes as f64)),
        ("disk_read_bytes_per_s", bytes(|r| r.disks.map(|d| d.inward))),
        ("disk_write_bytes_per_s", bytes(|r| r.disks.map(|d| d.outward))),
        ("net_rx_bytes_per_s", bytes(|r| r.networks.map(|n| n.inward))),
        ("net_tx_bytes_per_s", bytes(|r| r.networks.map(|n| n.outward))),
    ];
    rows.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn cpu_percent(first: CpuTicks, second: CpuTicks) -> Option<f64> {
    let busy = second.busy.checked_sub(first.busy)?;
    percent(busy, second.total.checked_sub(first.total)?)
}

fn percent(part: u64, whole: u64) -> Option<f64> {
    (0 < whole).then(|| (100.0 * part as f64 / whole as f64).min(100.0))
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct CpuTicks {
    busy: u64,
    total: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Memory {
    used: u64,
    total: u64,
    swap_used: u64,
    swap_total: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Transferred {
    inward: u64,
    outward: u64,
}

fn required<T>(root: &Path, file: &str, parse: fn(&str) -> Option<T>) -> Result<T, HostError> {
    let path = root.join(file);
    match fs::read_to_string(&path) {
        Ok(text) => parse(&text).ok_or(HostError::Parse { path }),
        Err(source) => Err(HostError::Read { path, source }),
    }
}

fn optional<T>(
    root: &Path,
    file: &str,
    parse: fn(&str) -> Option<T>,
) -> Result<Option<T>, HostError> {
    match required(root, file, parse) {
        Ok(value) => Ok(Some(value)),
        // Containers hide some of these.
        Err(HostError::Read { .. }) => Ok(None),
        Err(error @ HostError::Parse { .. }) => Err(error),
    }
}

/// The first line: ticks of all processors in user, nice, system, idle, iowait, irq, softirq and
/// steal. Guest ticks follow; they are in user and nice already.
fn cpu(stat: &str) -> Option<CpuTicks> {
    let ticks: Vec<u64> = stat
        .lines()
        .find_map(|line| line.strip_prefix("cpu "))?
        .split_ascii_whitespace()
        .take(8)
        .map(|tick| tick.parse().ok())
        .collect::<Option<_>>()?;
    let idle = ticks.get(3)? + ticks.get(4).unwrap_or(&0);
    let total = ticks.iter().sum::<u64>();
    Some(CpuTicks { busy: total - idle, total })
}

fn memory(meminfo: &str) -> Option<Memory> {
    let kib = |key: &str| -> Option<u64> {
        let rest = meminfo.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        rest.split_ascii_whitespace().next()?.parse().ok()
    };
    let total = kib("MemTotal")?;
    let available = kib("MemAvailable").or_else(|| kib("MemFree"))?;
    let swap_total = kib("SwapTotal").unwrap_or(0);
    let swap_free = kib("SwapFree").unwrap_or(0);
    Some(Memory {
        used: total.saturating_sub(available),
        total,
        swap_used: swap_total.saturating_sub(swap_free),
        swap_total,
    })
}

fn load1(loadavg: &str) -> Option<f64> {
    loadavg.split_ascii_whitespace().next()?.parse().ok().filter(|load: &f64| load.is_finite())
}

/// Sums whole disks: not partitions, which their disk counts too, and nothing made of other
/// disks.
fn disks(diskstats: &str) -> Option<Transferred> {
    let mut sum = Transferred::default();
    let mut whole: Vec<&str> = Vec::new();
    for line in diskstats.lines() {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let name = *fields.get(2)?;
        let is_made_up = ["loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd"];
        let is_part = |disk: &&str| name.strip_prefix(*disk).is_some_and(is_partition_suffix);
        if is_made_up.iter().any(|kind| name.starts_with(kind)) || whole.iter().any(is_part) {
            continue;
        }
        whole.push(name);
        sum.inward += fields.get(5)?.parse::<u64>().ok()? * SECTOR_BYTES;
        sum.outward += fields.get(9)?.parse::<u64>().ok()? * SECTOR_BYTES;
    }
    Some(sum)
}

/// `1` of `sda1`, `p1` of `nvme0n1p1`.
fn is_partition_suffix(suffix: &str) -> bool {
    let digits = suffix.strip_prefix('p').unwrap_or(suffix);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// Sums all networks but the one to the machine itself.
fn networks(dev: &str) -> Option<Transferred> {
    let mut sum = Transferred::default();
    for line in dev.lines().skip(2) {
        let (name, counters) = line.split_once(':')?;
        if name.trim() == "lo" {
            continue;
        }
        let counters: Vec<&str> = counters.split_ascii_whitespace().collect();
        sum.inward += counters.first()?.parse::<u64>().ok()?;
        sum.outward += counters.get(8)?.parse::<u64>().ok()?;
    }
    Some(sum)
}

/// One folder with a number for a name a process.
fn n_processes(root: &Path) -> Result<u64, HostError> {
    let wrong = |source| HostError::Read { path: root.to_owned(), source };
    let mut n_processes = 0;
    for entry in fs::read_dir(root).map_err(wrong)? {
        let name = entry.map_err(wrong)?.file_name();
        n_processes += u64::from(name.as_encoded_bytes().iter().all(u8::is_ascii_digit));
    }
    Ok(n_processes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  100 0 50 800 50 0 0 0 30 0\ncpu0 100 0 50 800 50 0 0 0 30 0\nctxt 1\n";
    const MEMINFO: &str = "MemTotal:       1000 kB\nMemFree:         100 kB\n\
        MemAvailable:    250 kB\nSwapTotal:       200 kB\nSwapFree:        150 kB\n";
    const DISKSTATS: &str = "   8  0 sda 9 0 100 0 9 0 200 0 0 0 0\n   8  1 sda1 9 0 90 0 9 0 190 0 0 0 0\n \
        259  0 nvme0n1 1 0 10 0 1 0 20 0 0 0 0\n 259  1 nvme0n1p1 1 0 9 0 1 0 9 0 0 0 0\n   7  0 loop0 1 0 999 0 0 0 0 0 0 0 0\n";
    const NET_DEV: &str = "Inter-|   Receive  |  Transmit\n face |bytes packets\n    lo: 9 0 0 0 0 0 0 0 9 0 0 0 0 0 0 0\n  \
        eth0: 1000 1 0 0 0 0 0 0 500 1 0 0 0 0 0 0\n  eth1:1 1 0 0 0 0 0 0 2 1 0 0 0 0 0 0\n";

    fn root(stat: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for folder in ["1", "42", "net"] {
            fs::create_dir(root.path().join(folder)).unwrap();
        }
        let files = [
            ("stat", stat),
            ("meminfo", MEMINFO),
            ("loadavg", "0.75 0.5 0.1 1/200 4242\n"),
            ("diskstats", DISKSTATS),
            ("net/dev", NET_DEV),
        ];
        for (name, text) in files {
            fs::write(root.path().join(name), text).unwrap();
        }
        root
    }

    #[test]
    fn two_readings_give_levels_and_rates() {
        let first = Reading::take(root(STAT).path()).unwrap();
        let mut second = first.clone();
        second.cpu = CpuTicks { busy: first.cpu.busy + 30, total: first.cpu.total + 120 };
        second.disks = Some(Transferred { inward: 110 * 512 + 1_000, outward: 220 * 512 });
        second.networks = Some(Transferred { inward: 2_001, outward: 400 });
        let rows = rows(&first, &second, Duration::from_secs(2));
        assert_eq!(
            rows,
            [
                ("cpu_percent", 25.0),
                ("memory_used_percent", 75.0),
                ("swap_used_percent", 25.0),
                ("load1", 0.75),
                ("processes", 2.0),
                ("disk_read_bytes_per_s", 500.0),
                ("disk_write_bytes_per_s", 0.0),
                ("net_rx_bytes_per_s", 500.0),
            ]
        );
    }

    #[test]
    fn whole_disks_and_outer_networks_are_summed_once() {
        assert_eq!(disks(DISKSTATS), Some(Transferred { inward: 110 * 512, outward: 220 * 512 }));
        assert_eq!(networks(NET_DEV), Some(Transferred { inward: 1_001, outward: 502 }));
        assert_eq!(cpu(STAT), Some(CpuTicks { busy: 150, total: 1_000 }));
    }

    #[test]
    fn an_unknown_form_is_an_error_and_no_time_gives_no_rate() {
        let broken = root("cpu  a b c d\n");
        assert!(matches!(Reading::take(broken.path()), Err(HostError::Parse { .. })));
        let nothing = tempfile::tempdir().unwrap();
        assert!(matches!(Reading::take(nothing.path()), Err(HostError::Read { .. })));
        let reading = Reading::take(root(STAT).path()).unwrap();
        let names: Vec<_> = rows(&reading, &reading, Duration::ZERO).iter().map(|r| r.0).collect();
        assert_eq!(names, ["memory_used_percent", "swap_used_percent", "load1", "processes"]);
    }

    #[test]
    fn this_machine_can_be_read() {
        let reading = Reading::take(Path::new("/proc")).unwrap();
        assert!(0 < reading.n_processes && 0 < reading.memory.total && 0 < reading.cpu.total);
    }
}
