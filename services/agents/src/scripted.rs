//! A model's server for tests: it plays a script, well or badly.

pub(crate) mod voice;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the server does with one connection after it has read the request.
#[derive(Clone)]
pub(crate) enum Act {
    Send(Vec<u8>),
    Pause(Duration),
    Hang,
}

/// A server that plays one script per connection and remembers the requests.
pub(crate) struct Scripted {
    pub(crate) address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    pub(crate) async fn start(scripts: Vec<Vec<Act>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/v1", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, mut scripts) = (requests.clone(), VecDeque::from(scripts));
        tokio::spawn(async move {
            while let (Some(script), Ok((socket, _))) = (scripts.pop_front(), listener.accept().await) {
                let seen = seen.clone();
                tokio::spawn(async move { play(socket, script, &seen).await });
            }
        });
        Self { address, requests }
    }

    /// Plays, on each connection, what the request calls for.
    pub(crate) async fn answering(script: impl Fn(&str) -> Vec<Act> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/v1", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, script) = (requests.clone(), Arc::new(script));
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let (seen, script) = (seen.clone(), script.clone());
                tokio::spawn(async move {
                    let Some(request) = read(&mut socket).await else { return };
                    let script = script(&request);
                    seen.lock().unwrap().push(request);
                    act(&mut socket, script).await;
                });
            }
        });
        Self { address, requests }
    }

    /// Plays one script and tells when the client has closed the connection under it.
    pub(crate) async fn telling(script: Vec<Act>, closed: tokio::sync::oneshot::Sender<()>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/v1", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        tokio::spawn(async move {
            let (socket, _) = listener.accept().await.unwrap();
            play(socket, script, &seen).await;
            let _ = closed.send(());
        });
        Self { address, requests }
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn play(mut socket: TcpStream, script: Vec<Act>, seen: &Mutex<Vec<String>>) {
    let Some(request) = read(&mut socket).await else { return };
    seen.lock().unwrap().push(request);
    act(&mut socket, script).await;
}

async fn read(socket: &mut TcpStream) -> Option<String> {
    let (mut request, mut part) = (Vec::new(), [0; 4096]);
    while !is_whole(&request) {
        match socket.read(&mut part).await {
            Ok(read) if read > 0 => request.extend_from_slice(&part[..read]),
            _ => return None,
        }
    }
    Some(String::from_utf8_lossy(&request).into_owned())
}

async fn act(socket: &mut TcpStream, script: Vec<Act>) {
    for act in script {
        match act {
            Act::Send(bytes) => {
                if socket.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Act::Pause(pause) => tokio::time::sleep(pause).await,
            Act::Hang => std::future::pending().await,
        }
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    body.len() >= length.unwrap_or(0)
}

pub(crate) fn head(status: &str, headers: &str) -> Act {
    send(&format!("HTTP/1.1 {status}\r\n{headers}connection: close\r\n\r\n"))
}

pub(crate) fn sse() -> Act {
    head("200 OK", "content-type: text/event-stream\r\n")
}

pub(crate) fn send(text: &str) -> Act {
    Act::Send(text.as_bytes().to_vec())
}

pub(crate) fn delta(text: &str) -> Act {
    send(&format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"))
}

/// The model wants this tool, with these arguments.
pub(crate) fn wants(tool: &str, arguments: &str) -> Act {
    let call = serde_json::json!({ "choices": [{ "delta": { "tool_calls": [
        { "index": 0, "id": "call_x", "type": "function", "function": { "name": tool, "arguments": arguments } }
    ] } }] });
    send(&format!(
        "data: {call}\n\ndata: {{\"choices\":[{{\"delta\":{{}},\"finish_reason\":\"tool_calls\"}}]}}\n\ndata: [DONE]\n\n"
    ))
}

pub(crate) fn stop() -> Act {
    send("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
}
