//! A disk that is full: the run fails and says so, what was there stays, and with room again the
//! next run works without any repair. The disk is a tmpfs, so this needs root; elsewhere the test
//! says why it did nothing, unless `ANOMSTACK_TEST_TMPFS` asks for it.

use std::{fs, path::PathBuf, process::Command};

use crate::support::{Contents, END, Project};

/// A small file system of its own, gone with this value.
struct Disk {
    place: PathBuf,
}

impl Disk {
    /// Mounts `size` on a folder; `None`, with the reason printed, where that is not allowed.
    fn mount(place: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir_all(&place).unwrap();
        let options = format!("size={size}");
        let mut mount = Command::new("mount");
        let mount = mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&place).output();
        let why = match mount {
            Ok(output) if output.status.success() => return Some(Self { place }),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        assert!(std::env::var_os("ANOMSTACK_TEST_TMPFS").is_none(), "mount a tmpfs: {why}");
        println!("skipped: no tmpfs can be mounted here: {why}");
        None
    }

    fn resize(&self, size: &str) {
        let options = format!("remount,size={size}");
        let status = Command::new("mount").args(["-o", &options]).arg(&self.place).status();
        assert!(status.unwrap().success());
    }

    /// Leaves about so many bytes.
    fn fill(&self, left: usize) {
        let filler = self.place.join("filler");
        let mut size = 64 << 20;
        let mut bytes = Vec::new();
        while 0 < size {
            bytes.resize(bytes.len() + size, 0);
            if fs::write(&filler, &bytes).is_err() {
                bytes.truncate(bytes.len() - size);
                size /= 2;
                if size < 4_096 {
                    break;
                }
            }
        }
        bytes.truncate(bytes.len() - left);
        fs::write(&filler, &bytes).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let status = Command::new("umount").arg("-l").arg(&self.place).status();
        if !std::thread::panicking() {
            assert!(status.unwrap().success());
        }
    }
}

#[test]
fn a_full_disk_fails_the_training_loudly_and_needs_no_repair() {
    let mut n_failed = 0;
    for left in [0, 4_096, 16_384, 65_536, 131_072] {
        let project = Project::shop();
        let Some(disk) = Disk::mount(project.root(), "4m") else { return };
        project.pass();
        let before = Contents::of(&project, "shop");
        disk.fill(left);

        let ran = project.run(&["run", "shop", "--job", "train", "--at", END]);
        let place = format!("{left} bytes left\n{}{}", ran.stdout, ran.stderr);
        if ran.code != Some(0) {
            n_failed += 1;
            let words = ["No space left on device", "disk is full"];
            assert!(words.iter().any(|words| ran.stderr.contains(words)), "{place}");
        }
        assert!([Some(0), Some(1), Some(2)].contains(&ran.code), "{place}");

        disk.resize("16m");
        let after = Contents::of(&project, "shop");
        if ran.code != Some(0) {
            // Where only the record of the run did not fit any more, all new models are in use.
            let all_new = before.models.iter().map(|(metric, n)| (metric.clone(), n + 1)).collect();
            let is_whole = after.models == before.models || after.models == all_new;
            assert!(is_whole, "all old models or all new ones: {:?}; {place}", after.models);
        }
        after.essence().assert_is(&before.essence(), &place);
        project.pass();
        let healed = Contents::of(&project, "shop");
        healed.essence().assert_is(&before.essence(), &place);
        assert_eq!(healed.temporary, Vec::<String>::new(), "{place}");
        let states = project.list(&["runs", "list", "--state", "running"]);
        assert!(states.is_empty(), "{place}{states:?}");
        println!("{left} bytes left: exit {:?}: {}", ran.code, ran.stderr.trim());
    }
    assert!(2 <= n_failed, "the disk was not full often enough");
}
