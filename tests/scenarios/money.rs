//! What answers cost, exactly, however they end; and what they may.

use std::time::Duration;

use serde_json::{Value, json};
use tests::client::{Client, is_turn_end, text};
use tests::history::History;
use tests::sandbox::{Form, Sandbox};
use tests::tool_server::ToolServer;
use tests::upstream::{Step, Upstream};

use crate::team::{notes, tooled};

/// The scripted upstream counts 3 tokens of the prompt and 5 of the answer: 3 * 0.15 + 5 * 0.60 = 3.45, for a million.
const PRICES: &str =
    "[prices.\"openai/scripted\"]\ninput = \"0.15\"\noutput = \"0.60\"\nper = 1000000\ncurrency = \"USD\"\n";

const COST: &str = "cost { amount currency estimated complete }";
const USAGE: &str = "usage { inputTokens outputTokens }";

/// The conversation as its tables have it just after this update.
async fn bill(client: &Client, id: &str, last: &Value) -> Value {
    let query = format!(
        "query($c: ID!, $at: Cursor) {{ conversation(id: $c, atLeast: $at) {{ {USAGE} {COST} \
         turns {{ nodes {{ status reason {USAGE} {COST} runs {{ status error {USAGE} {COST} }} }} }} }} }}"
    );
    client.ask(&query, json!({ "c": id, "at": last["cursor"] })).await["conversation"].take()
}

fn exact(amount: &str) -> Value {
    json!({ "amount": amount, "currency": "USD", "estimated": false, "complete": true })
}

#[tokio::test]
async fn every_call_is_paid_to_the_last_digit_on_run_turn_and_conversation() {
    for form in Form::at_hand() {
        let (upstream, tools) = (Upstream::start(notes).await, ToolServer::start(Duration::ZERO).await);
        let cluster = tooled(form, &upstream, &tools, PRICES).await.cluster().await;
        let alice = cluster.client("alice", 0);
        let id = alice.start_conversation(None).await;
        let mut updates = alice.updates(&id, Some("0")).await;
        for place in 0..2 {
            alice.send(Some(&id), "Write it down").await;
            let seen = updates.until(is_turn_end).await;
            let bill = bill(&cluster.client("alice", 1), &id, seen.last().expect("updates")).await;
            let turn = &bill["turns"]["nodes"][place];
            let calls = upstream.calls().len();
            assert_eq!(bill["usage"], json!({ "inputTokens": 3 * calls, "outputTokens": 5 * calls }), "{form}");
            assert_eq!(turn["runs"][0]["cost"], turn["cost"], "{form}");
            let sum = ["0", "0.00000345", "0.0000069", "0.00001035", "0.0000138"][calls];
            assert_eq!(bill["cost"], exact(sum), "{form}: {bill}");
        }
    }
}

#[tokio::test]
async fn a_failed_answer_is_paid_and_a_refused_request_is_not() {
    for form in Form::at_hand() {
        let upstream = Upstream::start(|body| match body["messages"].to_string().contains("refuse") {
            true => vec![Step::Status(400)],
            false => vec![Step::Say("so far ".into()), Step::Wait(Duration::from_millis(50)), Step::Cut],
        })
        .await;
        let sandbox = Sandbox::new(form).await.model(&upstream.base_url).settings(PRICES);
        let cluster = sandbox.cluster().await;
        let alice = cluster.client("alice", 0);
        let mut bills = Vec::new();
        for words in ["cut", "refuse"] {
            let sent = alice.send(None, words).await;
            let seen = alice.updates(&sent.conversation, Some("0")).await.until(is_turn_end).await;
            assert_eq!(History(&seen).count("MessageFailed"), 1, "{form}");
            bills.push(bill(&alice, &sent.conversation, seen.last().expect("updates")).await);
        }
        let cut = &bills[0]["turns"]["nodes"][0];
        assert_eq!((&cut["status"], &cut["cost"]["estimated"]), (&json!("FAILED"), &json!(true)), "{form}: {cut}");
        assert_eq!(
            (&cut["usage"]["outputTokens"], &cut["cost"]["complete"]),
            (&json!(2), &json!(true)),
            "{form}: {cut}"
        );
        assert_ne!(cut["cost"]["amount"], "0", "{form}");
        assert_eq!((&cut["cost"], &cut["cost"]), (&bills[0]["cost"], &cut["runs"][0]["cost"]), "{form}");
        assert_eq!(bills[1]["cost"]["amount"], "0", "{form}: {}", bills[1]);
    }
}

#[tokio::test]
async fn a_turn_that_has_used_up_its_steps_ends_and_says_so() {
    for form in Form::at_hand() {
        let (upstream, tools) = (
            Upstream::start(|_| vec![Step::Want("look", r#"{"q":"more"}"#.into()), Step::FinishWithTools]).await,
            ToolServer::start(Duration::ZERO).await,
        );
        let sandbox = tooled(form, &upstream, &tools, "[budgets]\nturn_steps = 3\n").await;
        let cluster = sandbox.cluster().await;
        let alice = cluster.client("alice", 0);
        let sent = alice.send(None, "Look and look").await;
        let seen = alice.updates(&sent.conversation, Some("0")).await.until(is_turn_end).await;
        History(&seen).check();
        let reason = text(&History(&seen).last("TurnFailed")["reason"]);
        assert!(reason.contains("all of its 3 model calls"), "{form}: {reason}");
        assert_eq!((upstream.calls().len(), tools.asked().len()), (3, 3), "{form}");
    }
}

#[tokio::test]
async fn a_person_who_has_taken_their_share_is_told_so_and_others_go_on() {
    // Eight tokens are eight dollars; the longest answer to a prompt of three bytes would be 8193.
    let settings = "[agents.assistant]\ninstructions = \"x\"\n[budgets]\nperson_cost = \"8200\"\nperiod = \"30d\"\n\
                    [prices.\"openai/scripted\"]\ninput = \"1\"\noutput = \"1\"\nper = 1\ncurrency = \"USD\"\n";
    for form in Form::at_hand() {
        let upstream = Upstream::start(|_| vec![Step::Say("So be it".into()), Step::Finish]).await;
        let sandbox = Sandbox::new(form).await.model(&upstream.base_url).settings(settings);
        let cluster = sandbox.cluster().await;
        for (name, calls, end) in
            [("alice", 1, "TurnCompleted"), ("alice", 1, "TurnFailed"), ("bob", 2, "TurnCompleted")]
        {
            let client = cluster.client(name, 0);
            let sent = client.send(None, "Hi").await;
            let seen = client.updates(&sent.conversation, Some("0")).await.until(is_turn_end).await;
            let last = History(&seen).last(end);
            assert_eq!(upstream.calls().len(), calls, "{form}: {name}");
            if end == "TurnFailed" {
                let reason = text(&last["reason"]);
                assert!(
                    reason.contains("(person_cost, 8200 USD)") && reason.contains("opens again"),
                    "{form}: {reason}"
                );
            }
        }
    }
}
