//! The command line: one clear line, and the exit code that says whose fault it was.

use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::client::Client;
use tests::process::Process;
use tests::sandbox::{Form, Role, Sandbox};

async fn run(sandbox: &Sandbox, verb: &str, arguments: &[&str]) -> Output {
    sandbox.command(verb, arguments).output().await.expect("the executable")
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

#[tokio::test]
async fn wrong_usage_is_one_line_and_exit_code_two() {
    let sandbox = Sandbox::new(Form::Embedded).await;
    let cases: [(&[&str], &str); 6] = [
        (&["--lisen", "x"], "--listen"),
        (&["--roles", "gatway"], "gateway"),
        (&["--roles", "gateway"], "all roles"),
        (&["--model", "nobody/model"], "nobody"),
        (&["--lease", "soon"], "--lease"),
        (&["--listen", "nowhere"], "127.0.0.1:8080"),
    ];
    for (arguments, hint) in cases {
        let output = run(&sandbox, "serve", arguments).await;
        let complaint = complaint(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {complaint}");
        assert!(complaint.lines().count() == 1 && complaint.contains(hint), "{arguments:?}: {complaint}");
    }
    let sandbox = sandbox.with("LOQUENT_LISTN", "x");
    let output = run(&sandbox, "serve", &[]).await;
    assert_eq!((output.status.code(), complaint(&output).contains("LOQUENT_LISTEN")), (Some(2), true));
}

#[tokio::test]
async fn a_doctor_says_what_a_start_would_meet() {
    for form in Form::at_hand() {
        let sandbox = Sandbox::new(form).await;
        let looked = run(&sandbox, "doctor", &["-o", "json", "--listen", "127.0.0.1:0"]).await;
        let findings: Vec<Value> = serde_json::from_slice(&looked.stdout).expect("JSON");
        let failed: Vec<_> = findings.iter().filter(|finding| finding["status"] == "failed").collect();
        assert!(looked.status.success() && failed.is_empty() && findings.len() == 6, "{form}: {findings:?}");
    }
    let sandbox = Sandbox::new(Form::Embedded).await;
    // An address of documentation (RFC 5737), which no machine has.
    let looked = run(&sandbox, "doctor", &["--listen", "192.0.2.1:80"]).await;
    let shown = String::from_utf8_lossy(&looked.stdout).into_owned();
    assert_eq!(looked.status.code(), Some(1), "{shown}");
    let failed: Vec<_> = shown.lines().filter(|line| line.contains("FAILED")).collect();
    assert!(failed.len() == 1 && failed[0].starts_with("door"), "{shown}");
    assert!(complaint(&looked).contains("1 of 6 checks failed"), "{}", complaint(&looked));
}

#[tokio::test]
async fn a_second_node_with_an_embedded_log_on_the_same_store_is_refused() {
    for form in Form::at_hand() {
        refuses_a_second(Sandbox::new(form).await.embedded_log()).await;
    }
}

async fn refuses_a_second(sandbox: Sandbox) {
    let first = sandbox.start(&Role::ALL).await;
    let alice = Client::new(&first.address, "alice");
    let sent = alice.send(None, "Hello").await;
    alice.updates(&sent.conversation, Some("0")).await.until(tests::client::is_turn_end).await;
    let output = run(&sandbox, "serve", &["--listen", "127.0.0.1:0"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint(&output).contains("another loquent process"), "{}", complaint(&output));
    first.kill().await;
    sandbox.start(&Role::ALL).await;
}

#[tokio::test]
async fn a_node_of_its_own_is_ready_soon_and_its_banner_works_when_pasted() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let mut command = tokio::process::Command::new(tests::binary::path());
    let inherited = std::env::vars().filter(|(name, _)| !name.starts_with("LOQUENT_") && !name.starts_with("OPENAI_"));
    command.env_clear().envs(inherited).env_remove("PORT").env_remove("DATABASE_URL").env("RUST_LOG", "warn");
    command.current_dir(folder.path()).args(["--listen", "127.0.0.1:0"]);
    let begun = Instant::now();
    let node = Process::start(command).await;
    let ready = begun.elapsed();
    println!("ready after {ready:?}, {} MiB", node.resident() >> 20);
    assert!(ready < Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 2 }));
    let banner = node.said();
    let line = banner.lines().find(|line| line.contains("curl ")).expect("a command to paste").to_owned();
    for shell in ["sh", "bash"] {
        let pasted = tokio::process::Command::new(shell).args(["-c", &line]).output();
        let output = tokio::time::timeout(Duration::from_secs(60), pasted).await.expect("an answer").expect("a shell");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.split_whitespace().count() > 3, "{shell}: {said} {}", complaint(&output));
    }
    let mode = |path: &str| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(folder.path().join(".loquent").join(path)).expect(path).permissions().mode() & 0o777
    };
    assert_eq!((mode("jwt-secret"), mode("master-key")), (0o600, 0o600));
}

#[tokio::test]
async fn an_outdated_database_is_refused_with_the_command_to_run() {
    use sqlx::{Connection, Executor};
    if !Form::at_hand().contains(&Form::Scaled) {
        return;
    }
    let sandbox = Sandbox::new(Form::Scaled).await;
    let mut connection = sqlx::PgConnection::connect(sandbox.store()).await.expect("a connection");
    connection.execute("delete from _sqlx_migrations").await.expect("an outdated database");
    let output = run(&sandbox, "serve", &["--listen", "127.0.0.1:0"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint(&output).contains("loquent migrate"), "{}", complaint(&output));
}

#[tokio::test]
async fn postgres_wants_its_secrets_by_name() {
    if !Form::at_hand().contains(&Form::Scaled) {
        return;
    }
    for variable in ["LOQUENT_JWT_SECRET", "LOQUENT_MASTER_KEY"] {
        let sandbox = Sandbox::new(Form::Scaled).await.with(variable, "");
        let output = run(&sandbox, "serve", &["--listen", "127.0.0.1:0"]).await;
        assert_eq!(output.status.code(), Some(2), "{}", complaint(&output));
        assert!(complaint(&output).contains(variable), "{}", complaint(&output));
    }
}

#[tokio::test]
async fn no_planted_secret_and_no_text_is_in_any_output() {
    let sandbox = Sandbox::new(Form::Embedded).await.with("RUST_LOG", "debug").with("OPENAI_API_KEY", "planted-key");
    let sandbox = sandbox.with("LOQUENT_OFFLINE_PACE", "1ms").with("LOQUENT_LOG_FORMAT", "json");
    let printed = run(&sandbox, "config", &["print"]).await;
    assert!(printed.status.success(), "{}", complaint(&printed));
    let node = sandbox.start(&Role::ALL).await;
    let alice = Client::new(&node.address, "alice");
    let sent = alice.send(None, "planted-text").await;
    alice.updates(&sent.conversation, Some("0")).await.until(tests::client::is_turn_end).await;
    let all = format!("{}{}", String::from_utf8_lossy(&printed.stdout), node.said());
    for secret in ["planted-key", "planted-text", tests::sandbox::JWT_SECRET, "AAECAwQFBgc", alice.token.as_str()] {
        assert!(!all.contains(secret), "{secret} was shown");
    }
    for line in node.said().lines().filter(|line| line.starts_with('{')) {
        serde_json::from_str::<Value>(line).expect("a log line is JSON");
    }
}

#[tokio::test]
async fn a_rebuild_beside_a_live_node_says_what_it_did() {
    for form in Form::at_hand() {
        let cluster = Sandbox::new(form).await.with("LOQUENT_OFFLINE_PACE", "1ms").cluster().await;
        let alice = cluster.client("alice", 0);
        let sent = alice.send(None, "Hello").await;
        alice.updates(&sent.conversation, Some("0")).await.until(tests::client::is_turn_end).await;
        let output = run(&cluster.sandbox, "rebuild", &["all", "-o", "json"]).await;
        assert!(output.status.success(), "{form}: {}", complaint(&output));
        let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(said["conversations"], 1, "{form}");
        let output = run(&cluster.sandbox, "rebuild", &["mesages"]).await;
        assert_eq!(output.status.code(), Some(2));
        assert!(complaint(&output).contains("messages"), "{}", complaint(&output));
    }
}

#[tokio::test]
async fn tail_shows_a_conversation_from_its_beginning() {
    for form in Form::at_hand() {
        let cluster = Sandbox::new(form).await.with("LOQUENT_OFFLINE_PACE", "1ms").cluster().await;
        let alice = cluster.client("alice", 0);
        let sent = alice.send(None, "Hello").await;
        alice.updates(&sent.conversation, Some("0")).await.until(tests::client::is_turn_end).await;
        let arguments = ["--conversation", sent.conversation.as_str(), "--from", "beginning", "-o", "json"];
        let mut command = cluster.sandbox.command("tail", &arguments);
        let mut tail = command.stdout(std::process::Stdio::piped()).kill_on_drop(true).spawn().expect("tail");
        let mut lines =
            tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(tail.stdout.take().expect("stdout")));
        let mut types = Vec::new();
        while types.last().is_none_or(|kind: &String| !kind.contains("turn.completed")) {
            let line = tokio::time::timeout(tests::PATIENCE, lines.next_line()).await.expect("in time");
            let record: Value = serde_json::from_str(&line.expect("a line").expect("more")).expect("JSON");
            types.push(tests::client::text(&record["type"]));
        }
        assert!(types[0].contains("conversation.started"), "{form}: {types:?}");
    }
}
