//! Titles that nobody gave, as a person sees them.

use serde_json::{Value, json};
use tests::client::{Client, is_turn_end};
use tests::history::History;
use tests::sandbox::{Form, Sandbox};
use tests::upstream::{Step, Upstream};

/// The scripted upstream counts 3 tokens of a prompt and 5 of an answer: 3.45 for each call, for a million.
const PRICES: &str = "[prices.\"openai/scripted\"]\ninput = \"0.15\"\noutput = \"0.60\"\ncurrency = \"USD\"\n\
                      [prices.\"openai/tiny\"]\ninput = \"0.15\"\noutput = \"0.60\"\ncurrency = \"USD\"\n";
const TITLES: &str = "[titles]\nmodel = \"openai/tiny\"\n";

fn is_for_title(body: &Value) -> bool {
    body["model"] == "tiny"
}

async fn upstream() -> Upstream {
    Upstream::start(|body| match is_for_title(body) {
        true => vec![Step::Say("\"Tea in ".into()), Step::Say("Japan\"\n".into()), Step::Finish],
        false => vec![Step::Say("Green or black?".into()), Step::Finish],
    })
    .await
}

fn asked_for_title(upstream: &Upstream) -> usize {
    upstream.calls().iter().filter(|body| is_for_title(body)).count()
}

/// The conversation as its tables have it just after this update.
async fn shown(client: &Client, id: &str, last: &Value) -> Value {
    let query = "query($c: ID!, $at: Cursor) { conversation(id: $c, atLeast: $at) { title cost { amount } usage { \
                 outputTokens } turns { nodes { status cost { amount } } } } }";
    client.ask(query, json!({ "c": id, "at": last["cursor"] })).await["conversation"].take()
}

#[tokio::test]
async fn a_title_comes_as_an_update_is_in_the_query_and_its_cost_in_the_conversation_s() {
    for form in Form::at_hand() {
        let upstream = upstream().await;
        let sandbox = Sandbox::new(form).await.model(&upstream.base_url).settings(&format!("{TITLES}{PRICES}"));
        let cluster = sandbox.cluster().await;
        let alice = cluster.client("alice", 0);
        let sent = alice.send(None, "Tell me about tea").await;
        let mut updates = alice.updates(&sent.conversation, Some("0")).await;
        let mut seen = updates.until(|update| update["__typename"] == "ConversationRenamed").await;
        assert_eq!(History(&seen).kinds().last_chunk(), Some(&["TurnCompleted", "ConversationRenamed"]), "{form}");
        let renamed = seen.last().expect("updates").clone();
        assert_eq!(renamed["title"], "Tea in Japan", "{form}");
        let after = shown(&cluster.client("alice", 1), &sent.conversation, &renamed).await;
        let turn = json!([{ "status": "COMPLETED", "cost": { "amount": "0.00000345" } }]);
        let expected = json!({ "title": "Tea in Japan", "cost": { "amount": "0.0000069" }, "usage": { "outputTokens": 10 },
            "turns": { "nodes": turn } });
        assert_eq!(after, expected, "{form}");
        alice.send(Some(&sent.conversation), "Green").await;
        seen.extend(updates.until(is_turn_end).await);
        History(&seen).check();
        assert_eq!((asked_for_title(&upstream), History(&seen).count("ConversationRenamed")), (1, 1), "{form}");
    }
}

#[tokio::test]
async fn a_person_s_own_title_is_kept_and_nobody_is_asked_for_another() {
    for form in Form::at_hand() {
        let upstream = upstream().await;
        let cluster = Sandbox::new(form).await.model(&upstream.base_url).settings(TITLES).cluster().await;
        let alice = cluster.client("alice", 0);
        let id = alice.start_conversation(None).await;
        let input = json!({ "conversationId": id, "title": "Mine" });
        alice.change("renameConversation", "RenameConversationInput", "conversation { id }", input).await;
        let mut updates = alice.updates(&id, Some("0")).await;
        for words in ["Tell me about tea", "Green"] {
            alice.send(Some(&id), words).await;
            let seen = updates.until(is_turn_end).await;
            let after = shown(&alice, &id, seen.last().expect("updates")).await;
            assert_eq!(after["title"], "Mine", "{form}");
        }
        assert_eq!((upstream.calls().len(), asked_for_title(&upstream)), (2, 0), "{form}");
    }
}

#[tokio::test]
async fn without_the_setting_nobody_is_asked_for_a_title() {
    for form in Form::at_hand() {
        let upstream = upstream().await;
        let cluster = Sandbox::new(form).await.model(&upstream.base_url).cluster().await;
        let alice = cluster.client("alice", 0);
        let id = alice.start_conversation(None).await;
        let mut updates = alice.updates(&id, Some("0")).await;
        for words in ["Tell me about tea", "Green"] {
            alice.send(Some(&id), words).await;
            let seen = updates.until(is_turn_end).await;
            assert_eq!(shown(&alice, &id, seen.last().expect("updates")).await["title"], Value::Null, "{form}");
        }
        assert_eq!(upstream.calls().len(), 2, "{form}");
    }
}

#[tokio::test]
async fn an_unknown_model_for_titles_stops_the_start() {
    let sandbox = Sandbox::new(Form::Embedded).await.settings("[titles]\nmodel = \"nobody/tiny\"\n");
    let output = sandbox.serve(&[]).output().await.expect("the executable");
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), complaint.contains("unknown provider `nobody`")), (Some(2), true), "{complaint}");
}
