//! A reader that was cut anywhere sees exactly the rest.

use std::time::Duration;

use serde_json::Value;
use tests::client::{Client, is_turn_end, text};
use tests::history::History;
use tests::sandbox::{Form, Sandbox};
use tests::upstream::{Upstream, words};

const WORDS: usize = 30;

#[tokio::test]
async fn a_reader_resumes_at_every_boundary_of_an_ended_answer() {
    for form in Form::at_hand() {
        let upstream = Upstream::start(|_| words(WORDS, Duration::from_millis(3))).await;
        let cluster = Sandbox::new(form).await.model(&upstream.base_url).cluster().await;
        let (alice, elsewhere) = (cluster.client("alice", 0), cluster.client("alice", 1));
        let sent = alice.send(None, "Hello").await;
        let all = alice.updates(&sent.conversation, Some("0")).await.until(is_turn_end).await;
        History(&all).check();
        for (place, update) in all.iter().enumerate().take(all.len() - 1) {
            let cursor = text(&update["cursor"]);
            let gateway: &Client = if place % 2 == 0 { &elsewhere } else { &alice };
            let rest = gateway.updates(&sent.conversation, Some(&cursor)).await.until(is_turn_end).await;
            assert_eq!(rest, all[place + 1..], "{form}: after {cursor}");
        }
    }
}

#[tokio::test]
async fn a_reader_that_is_cut_at_every_update_misses_and_doubles_nothing() {
    for form in Form::at_hand() {
        let upstream = Upstream::start(|_| words(WORDS, Duration::from_millis(40))).await;
        let cluster = Sandbox::new(form).await.model(&upstream.base_url).cluster().await;
        let clients = [cluster.client("alice", 0), cluster.client("alice", 1)];
        let sent = clients[0].send(None, "Hello").await;
        let mut whole = clients[1].updates(&sent.conversation, Some("0")).await;
        let pieces = read_piece_by_piece(&clients, &sent.conversation).await;
        History(&pieces).check();
        let whole = whole.until(is_turn_end).await;
        assert_eq!(pieces, whole, "{form}");
    }
}

/// Reads one update per connection, each time at the other gateway.
async fn read_piece_by_piece(clients: &[Client; 2], conversation: &str) -> Vec<Value> {
    let mut seen: Vec<Value> = Vec::new();
    while !seen.last().is_some_and(is_turn_end) {
        let cursor = seen.last().map_or_else(|| "0".to_owned(), |update| text(&update["cursor"]));
        let mut updates = clients[seen.len() % 2].updates(conversation, Some(&cursor)).await;
        seen.push(updates.next().await.expect("an update"));
    }
    seen
}

#[tokio::test]
async fn one_message_is_followed_to_its_end() {
    for form in Form::at_hand() {
        let upstream = Upstream::start(|_| words(WORDS, Duration::from_millis(10))).await;
        let cluster = Sandbox::new(form).await.model(&upstream.base_url).cluster().await;
        let alice = cluster.client("alice", 0);
        let sent = alice.send(None, "Hello").await;
        let mut updates = alice.updates(&sent.conversation, Some(&sent.cursor)).await;
        let started = updates.until(|update| update["__typename"] == "AgentStarted").await;
        let message = text(&started.last().expect("AgentStarted")["messageId"]);
        let mut of_message = cluster.client("alice", 1).message_updates(&message, None).await;
        let mut seen = Vec::new();
        while let Some(update) = of_message.next().await {
            seen.push(update);
        }
        let types: Vec<_> = seen.iter().map(|update| text(&update["__typename"])).collect();
        assert_eq!(types.first().map(String::as_str), Some("AgentStarted"), "{form}: {types:?}");
        assert_eq!(types.last().map(String::as_str), Some("MessageCompleted"), "{form}: {types:?}");
        let own = alice.message_updates(&sent.message, None).await.next().await.expect("an update");
        assert_eq!(own["__typename"], "MessageSent", "{form}");
    }
}
