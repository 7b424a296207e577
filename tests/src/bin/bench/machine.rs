//! What the figures were taken on, and what a process cost.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

fn command(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

/// Commit, processors, memory and kernel.
pub(crate) fn description() -> Value {
    let first = |file: &str, key: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default().to_owned();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    json!({
        "commit": command("git", &["rev-parse", "--short", "HEAD"]),
        "processor": first("/proc/cpuinfo", "model name"),
        "processors": std::thread::available_parallelism().map_or(0, usize::from),
        "memory": first("/proc/meminfo", "MemTotal"),
        "kernel": command("uname", &["-sr"]),
    })
}

/// Resident memory of a process, in bytes.
pub(crate) fn resident_bytes(process: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default().to_owned();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or_default() * 1024.0
}

/// Processor seconds that all processes of this name have used so far.
pub(crate) fn processor_seconds_of(name: &str) -> f64 {
    let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = folders.filter_map(|folder| folder.file_name().into_string().ok()?.parse().ok());
    let named =
        |process: &u32| fs::read_to_string(format!("/proc/{process}/comm")).is_ok_and(|found| found.trim_end() == name);
    processes.filter(named).map(processor_seconds).sum()
}

/// Processor seconds that a process has used so far, at 100 ticks a second (Linux's fixed USER_HZ).
pub(crate) fn processor_seconds(process: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<f64> =
        after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse().ok()).collect();
    fields.iter().sum::<f64>() / 100.0
}
