//! A person stops a turn, wants another answer, or speaks while one runs.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::client::{Client, is_turn_end, text};
use tests::history::History;
use tests::records::Records;
use tests::sandbox::{Form, Sandbox};
use tests::upstream::{Step, Upstream, words};

/// Answers to "Long" are long, all others short.
async fn upstream() -> Upstream {
    Upstream::start(|body| match asked(body).contains("Long") {
        true => words(600, Duration::from_millis(50)),
        false => words(3, Duration::from_millis(5)),
    })
    .await
}

/// The person's last words, as the model got them.
fn asked(body: &Value) -> String {
    let messages = body["messages"].as_array().expect("messages");
    let person = messages.iter().rfind(|message| message["role"] == "user");
    text(&person.expect("a person's message")["content"])
}

async fn send(client: &Client, id: &str, words: &str, policy: &str) -> Value {
    let input = json!({ "conversationId": id, "text": words, "overlapPolicy": policy });
    client.change("sendMessage", "SendMessageInput", "message { id }", input).await
}

/// Whether the upstream's connection was closed within 3 s of this moment.
async fn closed(upstream: &Upstream, since: Instant) -> Duration {
    loop {
        if let Some(at) = upstream.broken_off().first() {
            return at.saturating_duration_since(since);
        }
        assert!(since.elapsed() < Duration::from_secs(20), "the upstream's connection stays open");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_stop_at_another_gateway_ends_the_answer_and_keeps_what_there_is() {
    for form in Form::at_hand() {
        let upstream = upstream().await;
        let prices = "[prices.\"openai/scripted\"]\ninput = \"1\"\noutput = \"2\"\ncurrency = \"EUR\"\n";
        let sandbox = Sandbox::new(form).await.model(&upstream.base_url).settings(prices);
        let cluster = sandbox.split_cluster().await;
        let (alice, elsewhere) = (cluster.client("alice", 0), cluster.client("alice", 1));
        let sent = alice.send(None, "Long").await;
        let mut updates = alice.updates(&sent.conversation, Some("0")).await;
        updates.until(|update| update["index"] == 5).await;
        let begun = Instant::now();
        let fields = "turn { id status runs { message { status } } usage { outputTokens } cost { amount currency } }";
        let input = json!({ "conversationId": sent.conversation });
        let answer = elsewhere.change("stopTurn", "StopTurnInput", fields, input.clone()).await;
        assert_eq!(answer["errors"], json!([]), "{form}");
        let took = closed(&upstream, begun).await;
        println!("{form}: the upstream's connection was closed after {took:?}");
        assert!(took < Duration::from_secs(3), "{form}: {took:?}");
        let seen = alice.updates(&sent.conversation, Some("0")).await.until(is_turn_end).await;
        History(&seen).check();
        let stopped = History(&seen).last("MessageStopped");
        assert!(text(&stopped["text"]).starts_with("word0 word1 word2 word3 word4 "), "{form}: {stopped}");
        assert_eq!(History(&seen).last("TurnStopped")["by"], "alice", "{form}");
        let at = text(&seen.last().expect("updates")["cursor"]);
        let query = "query($c: ID!, $at: Cursor) { conversation(id: $c, atLeast: $at) { turns { nodes { status \
             usage { inputTokens outputTokens } cost { amount currency estimated complete } \
             runs { status message { status text finishReason } } } } } }";
        let data = alice.ask(query, json!({ "c": sent.conversation, "at": at })).await;
        let turn = &data["conversation"]["turns"]["nodes"][0];
        let message = &turn["runs"][0]["message"];
        assert_eq!((&turn["status"], &turn["runs"][0]["status"]), (&json!("STOPPED"), &json!("STOPPED")), "{form}");
        assert_eq!((&message["status"], &message["text"]), (&json!("STOPPED"), &stopped["text"]), "{form}");
        assert!(turn["usage"]["outputTokens"].as_u64() > Some(0), "{form}: {turn}");
        assert_eq!((&turn["cost"]["currency"], &turn["cost"]["estimated"]), (&json!("EUR"), &json!(true)), "{form}");
        assert_ne!(turn["cost"]["amount"], "0", "{form}: {turn}");
        let again = elsewhere.change("stopTurn", "StopTurnInput", fields, input).await;
        assert_eq!(again["errors"][0]["code"], "TURN_NOT_RUNNING", "{form}");
        let records = Records::of(&cluster.sandbox, &sent.conversation, 1).await;
        records.account_for(1);
        assert_eq!(records.of_type("model_call.ended").next().expect("one")["outcome"], "stopped", "{form}");
    }
}

#[tokio::test]
async fn another_answer_takes_the_place_of_the_last_one() {
    for form in Form::at_hand() {
        let upstream = Upstream::start(|body| {
            let asked = body["messages"].to_string();
            vec![Step::Say(format!("{} bytes. ", asked.len())), Step::Finish]
        })
        .await;
        let cluster = Sandbox::new(form).await.model(&upstream.base_url).cluster().await;
        let alice = cluster.client("alice", 0);
        let sent = alice.send(None, "Hello").await;
        let mut updates = alice.updates(&sent.conversation, Some("0")).await;
        let mut seen = updates.until(is_turn_end).await;
        let first = text(&History(&seen).last("MessageCompleted")["messageId"]);
        let fields = "message { id alternatives { id } }";
        let again = cluster.client("alice", 1);
        let input = json!({ "messageId": first });
        let answer = again.change("regenerateMessage", "RegenerateMessageInput", fields, input.clone()).await;
        assert_eq!((&answer["errors"], &answer["message"]["alternatives"]), (&json!([]), &json!([{ "id": first }])));
        seen.extend(updates.until(is_turn_end).await);
        History(&seen).check();
        let end = History(&seen).last("MessageCompleted");
        assert_eq!(end["messageId"], answer["message"]["id"], "{form}");
        let calls = upstream.calls();
        assert_eq!(calls[0]["messages"], calls[1]["messages"], "{form}: it does not see the answer that it replaces");
        let old = again.change("regenerateMessage", "RegenerateMessageInput", fields, input).await;
        assert_eq!(old["errors"][0]["code"], "NOT_LAST_ANSWER", "{form}");
    }
}

#[tokio::test]
async fn who_speaks_while_an_answer_runs_is_refused_or_interrupts_it() {
    for form in Form::at_hand() {
        let upstream = upstream().await;
        let cluster = Sandbox::new(form).await.model(&upstream.base_url).cluster().await;
        let (alice, elsewhere) = (cluster.client("alice", 0), cluster.client("alice", 1));
        let sent = alice.send(None, "Long").await;
        let mut updates = alice.updates(&sent.conversation, Some("0")).await;
        let mut seen = updates.until(|update| update["index"] == 3).await;
        let refused = send(&elsewhere, &sent.conversation, "Me too", "REJECT").await;
        assert_eq!((&refused["errors"][0]["code"], &refused["message"]), (&json!("TURN_RUNNING"), &json!(null)));
        let begun = Instant::now();
        let heard = send(&elsewhere, &sent.conversation, "Short", "INTERRUPT").await;
        assert_eq!(heard["errors"], json!([]), "{form}");
        assert!(closed(&upstream, begun).await < Duration::from_secs(3), "{form}");
        for _ in 0..2 {
            seen.extend(updates.until(is_turn_end).await);
        }
        History(&seen).check();
        let ends: Vec<_> = seen.iter().filter(|update| is_turn_end(update)).map(|end| &end["__typename"]).collect();
        assert_eq!(ends, ["TurnStopped", "TurnCompleted"], "{form}");
        assert_eq!(text(&History(&seen).last("MessageCompleted")["text"]), "word0 word1 word2 ", "{form}");
        assert_eq!((History(&seen).count("MessageSent"), upstream.calls().len()), (2, 2), "{form}");
    }
}
