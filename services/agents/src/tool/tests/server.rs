//! A web server for tests.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What it does with a request; it closes the connection afterwards.
pub(super) enum Answer {
    Bytes(Vec<u8>),
    /// Says this much, then nothing more.
    Hang(Vec<u8>),
}

/// Remembers what it was asked.
pub(super) struct Server {
    pub(super) port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// On this machine's usual address.
    pub(super) async fn start(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), answer)
    }

    pub(super) fn on(listener: TcpListener, answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (requests.clone(), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (seen, answer) = (seen.clone(), answer.clone());
                tokio::spawn(async move { serve(socket, &*answer, &seen).await });
            }
        });
        Self { port, requests }
    }

    /// Answers everything with this.
    pub(super) async fn saying(answer: Vec<u8>) -> Self {
        Self::start(move |_| Answer::Bytes(answer.clone())).await
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The requests so far, heads in lower case.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(mut socket: TcpStream, answer: &(dyn Fn(&str) -> Answer + Send + Sync), seen: &Mutex<Vec<String>>) {
    let (mut request, mut part) = (Vec::new(), [0; 4096]);
    while !is_whole(&request) {
        match socket.read(&mut part).await {
            Ok(read) if read > 0 => request.extend_from_slice(&part[..read]),
            _ => return,
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let (head, body) = request.split_once("\r\n\r\n").unwrap_or((&request, ""));
    let (line, headers) = head.split_once("\r\n").unwrap_or((head, ""));
    let request = format!("{line}\r\n{}\r\n\r\n{body}", headers.to_lowercase());
    seen.lock().unwrap().push(request.clone());
    match answer(&request) {
        Answer::Bytes(bytes) => _ = socket.write_all(&bytes).await,
        Answer::Hang(bytes) => {
            let _ = socket.write_all(&bytes).await;
            std::future::pending::<()>().await;
        }
    }
    let _ = socket.shutdown().await;
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    body.len() >= length.unwrap_or(0)
}

/// An answer whose length is known.
pub(super) fn http(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

pub(super) fn json(body: &str) -> Vec<u8> {
    http("200 OK", "content-type: application/json; charset=utf-8\r\n", body)
}

pub(super) fn text(body: &str) -> Vec<u8> {
    http("200 OK", "content-type: text/plain\r\n", body)
}

pub(super) fn redirect(status: &str, to: &str) -> Vec<u8> {
    http(status, &format!("location: {to}\r\n"), "")
}
