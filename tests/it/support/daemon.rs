//! A daemon of a test: started on a free port, asked over HTTP, ended with the test. Tests wait for
//! its log lines, never for time to pass.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStderr, Command, Stdio},
    time::Duration,
};

use super::Project;

/// A running daemon; ended with the test.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    log: BufReader<ChildStderr>,
    /// `127.0.0.1:port`.
    pub(crate) address: String,
}

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Head and body as they came.
    pub(crate) text: String,
}

impl Daemon {
    pub(crate) fn start(project: &Project) -> Self {
        let mut command = project.command(&["serve", "--port", "0"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let line = wait_for(&mut log, "listening on http://");
        let address = line.split("http://").nth(1).unwrap().split_whitespace().next().unwrap();
        Self { child, log, address: address.to_owned() }
    }

    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        wait_for(&mut self.log, text)
    }

    /// The answer to a GET, head and body.
    pub(crate) fn get(&self, path: &str) -> String {
        ask(&self.address, "GET", path, &[], b"").unwrap().text
    }

    /// The answer to a POST.
    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        ask(&self.address, "POST", path, headers, body).unwrap()
    }

    pub(crate) fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Fails only where it has ended already.
        self.child.kill().unwrap_or_default();
        self.child.wait().unwrap();
    }
}

/// One request on a connection of its own; nothing when the other side went away before it answered.
pub(crate) fn ask(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    stream.write_all(head.as_bytes()).ok()?;
    // A server that refuses by the head alone may close before the body is sent.
    drop(stream.write_all(body));
    let mut text = Vec::new();
    stream.read_to_end(&mut text).ok()?;
    let text = String::from_utf8(text).unwrap();
    let status = text.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, text })
}

fn wait_for(log: &mut impl BufRead, text: &str) -> String {
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        let n_bytes = log.read_line(&mut line).unwrap();
        assert_ne!(n_bytes, 0, "the daemon ended before it said `{text}`:\n{seen}");
        if line.contains(text) {
            return line;
        }
        seen.push_str(&line);
    }
}
