//! The `file` channel: one JSON object a line, on disk before it counts as sent.

use std::{io, path::Path};

use tokio::{
    fs::{File, OpenOptions},
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt},
};

use super::{Message, Outcome};

/// Appends the message and waits until it is on disk.
pub(super) async fn append(path: &Path, message: &Message) -> Outcome {
    let mut line = match message.payload() {
        Ok(line) => line,
        Err(error) => {
            return Outcome::Refused { reason: format!("write the alert: {error}"), status: None };
        }
    };
    line.push(b'\n');
    let failed = |ambiguous| {
        move |error: io::Error| Outcome::Retry {
            reason: format!("append to `{}`: {error}", path.display()),
            status: None,
            ambiguous,
        }
    };
    let opened = open(path).await.map_err(failed(false));
    let written = match opened {
        Ok(file) => write(file, line).await.map_err(failed(true)),
        Err(outcome) => return outcome,
    };
    written.map_or_else(|outcome| outcome, |()| Outcome::Sent)
}

async fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        tokio::fs::create_dir_all(folder).await?;
    }
    OpenOptions::new().read(true).append(true).create(true).open(path).await
}

async fn write(mut file: File, mut line: Vec<u8>) -> io::Result<()> {
    if !ends_a_line(&mut file).await? {
        // A write was cut short by a full disk or a crash: its rest must not spoil this line.
        line.insert(0, b'\n');
    }
    file.write_all(&line).await?;
    file.flush().await?;
    file.sync_all().await
}

async fn ends_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata().await?.len() == 0 {
        return Ok(true);
    }
    file.seek(io::SeekFrom::End(-1)).await?;
    Ok(file.read_u8().await? == b'\n')
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::message;
    use super::*;

    #[tokio::test]
    async fn each_message_is_one_line_of_json() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/alerts.jsonl");
        assert_eq!(append(&path, &message()).await, Outcome::Sent);
        assert_eq!(append(&path, &message()).await, Outcome::Sent);
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].as_bytes(), message().payload().unwrap());
        assert_eq!(lines[1], lines[0]);
    }

    #[tokio::test]
    async fn a_line_cut_short_does_not_spoil_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.jsonl");
        std::fs::write(&path, "{\"type\":\"al").unwrap();
        assert_eq!(append(&path, &message()).await, Outcome::Sent);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().nth(1).unwrap().as_bytes(), message().payload().unwrap());
    }

    #[tokio::test]
    async fn a_path_that_cannot_be_written_is_tried_again_later() {
        let folder = tempfile::tempdir().unwrap();
        let outcome = append(folder.path(), &message()).await;
        let Outcome::Retry { reason, ambiguous: false, .. } = outcome else {
            panic!("{outcome:?}");
        };
        assert!(reason.starts_with(&format!("append to `{}`", folder.path().display())));
    }
}
