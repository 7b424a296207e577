//! One running process of the executable.

use std::collections::VecDeque;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

/// Lines of stderr that are kept, to show when a test fails.
const KEPT: usize = 400;

/// A process that serves; killed when dropped.
pub struct Process {
    /// `http://127.0.0.1:…`
    pub address: String,
    child: Child,
    lines: Arc<Mutex<VecDeque<String>>>,
}

impl Process {
    /// Starts it and waits for its `ready` line.
    ///
    /// # Panics
    /// It ends, or is not ready within a minute.
    pub async fn start(command: Command) -> Self {
        Self::try_start(command).await.unwrap_or_else(|why| panic!("{why}"))
    }

    /// As [`start`](Self::start), for a process that may well end at once.
    ///
    /// # Errors
    /// It ended, or is not ready within a minute; with what it said.
    pub async fn try_start(mut command: Command) -> Result<Self, String> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let stderr = child.stderr.take().ok_or("no stderr")?;
        let lines = Arc::new(Mutex::new(VecDeque::new()));
        let (found, address) = oneshot::channel();
        tokio::spawn(keep(BufReader::new(stderr), lines.clone(), found));
        let address = tokio::time::timeout(Duration::from_secs(60), address).await;
        match address {
            Ok(Ok(address)) => Ok(Self { address, child, lines }),
            Ok(Err(_)) => {
                let status = child.wait().await.map_err(|error| error.to_string())?;
                Err(format!("ended with {status}:\n{}", said(&lines)))
            }
            Err(_) => Err(format!("not ready within a minute:\n{}", said(&lines))),
        }
    }

    /// Its id.
    ///
    /// # Panics
    /// It has ended.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id().expect("a running process")
    }

    /// `kill -9`, and waits until it is gone.
    pub async fn kill(mut self) {
        let _ = self.child.kill().await;
    }

    /// SIGTERM, and how it ended; `None`: not within `limit`.
    pub async fn terminate(mut self, limit: Duration) -> Option<ExitStatus> {
        self.signal("TERM").await;
        tokio::time::timeout(limit, self.child.wait()).await.ok()?.ok()
    }

    /// SIGSTOP: alive, and silent.
    pub async fn pause(&self) {
        self.signal("STOP").await;
    }

    /// SIGCONT.
    pub async fn resume(&self) {
        self.signal("CONT").await;
    }

    async fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.id().to_string()]).status().await;
        assert!(sent.is_ok_and(|status| status.success()), "SIG{name} could not be sent");
    }

    /// Memory that is resident, in bytes.
    ///
    /// # Panics
    /// The system does not say.
    #[must_use]
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("/proc");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse().expect("a number");
        kib * 1024
    }

    /// What it wrote to stderr lately.
    #[must_use]
    pub fn said(&self) -> String {
        said(&self.lines)
    }
}

/// Shows the process's last lines where a test has failed.
impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- {} said:\n{}", self.address, said(&self.lines));
        }
    }
}

async fn keep(
    mut stderr: BufReader<tokio::process::ChildStderr>,
    kept: Arc<Mutex<VecDeque<String>>>,
    found: oneshot::Sender<String>,
) {
    let mut found = Some(found);
    let mut line = String::new();
    while stderr.read_line(&mut line).await.is_ok_and(|read| read > 0) {
        let text = std::mem::take(&mut line).trim_end().to_owned();
        if let Some(address) = text.strip_prefix("ready ")
            && let Some(found) = found.take()
        {
            let _ = found.send(address.to_owned());
        }
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(text);
    }
}

fn said(lines: &Mutex<VecDeque<String>>) -> String {
    let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Whether a process was ended by a signal, not by itself.
#[must_use]
pub fn was_killed(status: ExitStatus) -> bool {
    status.signal().is_some()
}
