//! B2: from the model's token to the reader, beside the broker's own produce to consume at the same rate.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::{SinkExt, Stream, StreamExt, stream};
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::machine::{processor_seconds, processor_seconds_of};
use crate::raw::Raw;
use crate::report::{Figure, Wanted};
use crate::setup::{self, Server, Setup, Tally};

const STREAMS: usize = 50;
const CHUNKS_A_SECOND: u32 = 50;
const WARM_UP: Duration = Duration::from_secs(2);
const SUBSCRIPTION: &str =
    "subscription($c: ID!, $after: Cursor) { conversationUpdates(conversationId: $c, after: $after) {
  __typename cursor ... on ChunkProduced { delta } ... on MessageFailed { reason } } }";
const START: &str = "mutation { startConversation(input: {}) { conversation { id } cursor } }";
const SEND: &str = "mutation($c: ID!) { sendMessage(input: { conversationId: $c, text: \"Go.\" }) { cursor } }";

/// All times are since the process's start: the model that sends and the readers that receive share one clock.
static CLOCK: LazyLock<Instant> = LazyLock::new(Instant::now);

/// What one reader saw: for each token, how long it took from the model, in microseconds.
type Latencies = Arc<Mutex<Histogram<u64>>>;

/// Token to reader at p50 and p99, over SSE and over WebSocket, divided by the broker's own.
pub(crate) async fn b2(setup: &Setup, rounds: usize, length: Duration) -> anyhow::Result<Vec<Figure>> {
    let mut figures = [("SSE p50", 2.0), ("SSE p99", 3.0), ("WebSocket p50", 2.0), ("WebSocket p99", 3.0)]
        .map(|(name, ceiling)| Figure::new(format!("B2 token to reader, {name}"), "ms", Wanted::AtMost(ceiling)));
    let model = upstream((WARM_UP + length).as_secs() as u32 * CHUNKS_A_SECOND).await?;
    let node = setup.node_with_model(&model).await?;
    let raw = Arc::new(Raw::new(&setup.brokers).await?);
    for round in 0..rounds {
        let (cpu, broker) = (processor_seconds(node.process()), processor_seconds_of("java"));
        let [sse, ws] = ours(&node).await?;
        let (cpu, broker) = (processor_seconds(node.process()) - cpu, processor_seconds_of("java") - broker);
        let reference = {
            let raw = raw.clone();
            tokio::task::spawn_blocking(move || raw.round(STREAMS as u32 * CHUNKS_A_SECOND, WARM_UP, length)).await??
        };
        for (figure, (seen, quantile)) in figures.iter_mut().zip([(&sse, 0.5), (&sse, 0.99), (&ws, 0.5), (&ws, 0.99)]) {
            figure.push(milliseconds(seen, quantile), milliseconds(&reference, quantile));
        }
        println!(
            "  B2 round {round}: SSE {:.2}/{:.2} ms, WebSocket {:.2}/{:.2} ms, broker {:.2}/{:.2} ms (p50/p99), {} tokens, processor seconds: node {cpu:.1}, broker {broker:.1}",
            milliseconds(&sse, 0.5),
            milliseconds(&sse, 0.99),
            milliseconds(&ws, 0.5),
            milliseconds(&ws, 0.99),
            milliseconds(&reference, 0.5),
            milliseconds(&reference, 0.99),
            sse.len() + ws.len()
        );
    }
    Ok(figures.into())
}

fn milliseconds(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1000.0
}

/// One answer on each of the conversations at once; half is read over SSE, half over WebSocket.
async fn ours(node: &Server) -> anyhow::Result<[Histogram<u64>; 2]> {
    let histograms = [Histogram::new(3)?, Histogram::new(3)?].map(|histogram| Arc::new(Mutex::new(histogram)));
    let client = Tally::client();
    let mut readers = JoinSet::new();
    for number in 0..STREAMS {
        let answer = setup::graphql(&client, &node.address, START, json!({})).await?;
        let started = &answer["data"]["startConversation"];
        let conversation = started["conversation"]["id"].as_str().context("no conversation")?.to_owned();
        let variables = json!({ "c": conversation, "after": started["cursor"] });
        let latencies = histograms[number % 2].clone();
        let address = node.address.clone();
        readers.spawn(async move {
            match number % 2 {
                0 => read(sse(&address, variables).await?.boxed(), latencies).await,
                _ => read(web_socket(&address, variables).await?.boxed(), latencies).await,
            }
        });
        tokio::time::sleep(Duration::from_millis(7)).await;
        setup::graphql(&client, &node.address, SEND, json!({ "c": conversation })).await?;
    }
    while let Some(reader) = readers.join_next().await {
        reader??;
    }
    Ok(histograms.map(|histogram| {
        std::mem::replace(
            &mut *histogram.lock().unwrap_or_else(|e| e.into_inner()),
            Histogram::new(3).expect("3 digits"),
        )
    }))
}

/// Reads updates until the answer ends and records every token's latency once the warm-up is over.
async fn read(
    mut updates: impl Stream<Item = anyhow::Result<Value>> + Unpin,
    latencies: Latencies,
) -> anyhow::Result<()> {
    let opened = CLOCK.elapsed();
    while let Some(update) = updates.next().await {
        let now = CLOCK.elapsed();
        let update = &update?["data"]["conversationUpdates"];
        match update["__typename"].as_str() {
            Some("ChunkProduced") if now > opened + WARM_UP => {
                let mut histogram = latencies.lock().unwrap_or_else(|e| e.into_inner());
                for token in update["delta"].as_str().unwrap_or_default().split_whitespace() {
                    let sent = Duration::from_micros(token.parse().context("a foreign token")?);
                    histogram.record(now.saturating_sub(sent).as_micros() as u64)?;
                }
            }
            Some("MessageCompleted") => return Ok(()),
            Some("MessageFailed") => anyhow::bail!("the answer failed: {}", update["reason"]),
            _ => {}
        }
    }
    anyhow::bail!("the stream ended before the answer did")
}

async fn sse(address: &str, variables: Value) -> anyhow::Result<impl Stream<Item = anyhow::Result<Value>>> {
    let body = json!({ "query": SUBSCRIPTION, "variables": variables });
    let request = Tally::client().post(format!("{address}/graphql")).bearer_auth(setup::token()).json(&body);
    let answer = request.header("accept", "text/event-stream").send().await?.error_for_status()?;
    let lines =
        stream::unfold((answer.bytes_stream().boxed(), Vec::new()), |(mut bytes, mut held): (_, Vec<u8>)| async move {
            loop {
                if let Some(end) = held.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = held.drain(..=end).collect();
                    let Some(data) = line.strip_prefix(b"data: ") else { continue };
                    return Some((serde_json::from_slice(data).map_err(anyhow::Error::from), (bytes, held)));
                }
                match bytes.next().await? {
                    Ok(more) => held.extend_from_slice(&more),
                    Err(error) => return Some((Err(error.into()), (bytes, held))),
                }
            }
        });
    Ok(lines)
}

async fn web_socket(address: &str, variables: Value) -> anyhow::Result<impl Stream<Item = anyhow::Result<Value>>> {
    let mut request = format!("ws{}/graphql/ws", address.trim_start_matches("http")).into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await?;
    let init =
        json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {}", setup::token()) } });
    let subscribe =
        json!({ "type": "subscribe", "id": "1", "payload": { "query": SUBSCRIPTION, "variables": variables } });
    for frame in [init, subscribe] {
        socket.send(Message::text(frame.to_string())).await?;
    }
    Ok(stream::unfold(socket, |mut socket| async move {
        loop {
            match socket.next().await? {
                Ok(Message::Text(text)) => match serde_json::from_str::<Value>(&text) {
                    Ok(mut frame) if frame["type"] == "next" => return Some((Ok(frame["payload"].take()), socket)),
                    Ok(frame) if frame["type"] == "ping" => {
                        socket.send(Message::text(r#"{"type":"pong"}"#)).await.ok()?;
                    }
                    Ok(_) => {}
                    Err(error) => return Some((Err(error.into()), socket)),
                },
                Ok(_) => {}
                Err(error) => return Some((Err(error.into()), socket)),
            }
        }
    }))
}

/// A model of OpenAI's wire form that says the time, 50 times a second; answers its base URL.
async fn upstream(tokens: u32) -> anyhow::Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}/v1", listener.local_addr()?);
    let app = Router::new().route("/v1/chat/completions", post(answer)).with_state(tokens);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(base)
}

async fn answer(State(tokens): State<u32>) -> Response {
    let start = tokio::time::Instant::now();
    let pieces = stream::iter(0..=tokens).then(move |number| async move {
        if number == tokens {
            let end = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] });
            return Ok::<_, std::convert::Infallible>(Bytes::from(format!("data: {end}\n\ndata: [DONE]\n\n")));
        }
        tokio::time::sleep_until(start + Duration::from_secs(1) / CHUNKS_A_SECOND * number).await;
        let text = format!("{} ", CLOCK.elapsed().as_micros());
        let chunk = json!({ "choices": [{ "index": 0, "delta": { "content": text }, "finish_reason": null }] });
        Ok(Bytes::from(format!("data: {chunk}\n\n")))
    });
    ([("content-type", "text/event-stream")], Body::from_stream(pieces)).into_response()
}
