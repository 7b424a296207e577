//! Titles that nobody gave: from the first exchange, by a call of its own, once.

use std::time::Duration;

use commands::{AddParticipant, Caller, RenameConversation, SendMessage};
use events::event::{CallOutcome, CallPurpose, ConversationRenamed, ModelCallEnded, ModelCallStarted};
use events::{Actor, ConversationEvent, ConversationId, Record};

use super::rig::{Rig, embedded, ended, known, names, rigs, settings};
use crate::scripted::{Act, Scripted, delta, head, send, sse, stop};
use crate::{Asked, Settings};

const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}\n\n";

fn titling(worker: &str, scripted: &Scripted) -> Settings {
    Settings { title_model: Some("test/tiny".into()), ..settings(worker, &scripted.address) }
}

fn is_for_title(request: &str) -> bool {
    request.contains("Give the conversation")
}

/// Answers everybody, and titles as this says.
async fn upstream(title: impl Fn() -> Vec<Act> + Send + Sync + 'static) -> Scripted {
    Scripted::answering(move |request| match is_for_title(request) {
        true => title(),
        false => vec![sse(), delta("Green or black?"), stop()],
    })
    .await
}

fn well() -> Vec<Act> {
    vec![sse(), delta("\\\"Tea in "), delta("Japan\\\"\\nMore"), send(USAGE), stop()]
}

fn asked_for_title(scripted: &Scripted) -> usize {
    scripted.requests().iter().filter(|request| is_for_title(request)).count()
}

fn begun(events: &[ConversationEvent]) -> Vec<ModelCallStarted> {
    let of_title = |event: &ConversationEvent| match event {
        ConversationEvent::ModelCallStarted(call) if call.purpose == CallPurpose::Title => Some(call.clone()),
        _ => None,
    };
    events.iter().filter_map(of_title).collect()
}

/// The ends of the calls for a title.
fn over(events: &[ConversationEvent]) -> Vec<ModelCallEnded> {
    let calls = begun(events);
    let of_title = |event: &ConversationEvent| match event {
        ConversationEvent::ModelCallEnded(end) if calls.iter().any(|call| call.call == end.call) => Some(end.clone()),
        _ => None,
    };
    events.iter().filter_map(of_title).collect()
}

fn renamed(events: &[ConversationEvent]) -> Vec<ConversationRenamed> {
    let renamed = |event: &ConversationEvent| match event {
        ConversationEvent::ConversationRenamed(event) => Some(event.clone()),
        _ => None,
    };
    events.iter().filter_map(renamed).collect()
}

async fn titles(rig: &Rig, id: ConversationId, records: &[Record]) -> Vec<String> {
    let mut titles = Vec::new();
    for event in renamed(&known(records)) {
        titles.push(rig.field(id, id, "title", &event.title).await);
    }
    titles
}

/// One more message, and the end of its turn.
async fn talk_on(rig: &Rig, id: ConversationId, turns: usize) -> Vec<Record> {
    rig.send(Some(id), "And then?").await;
    rig.wait(id, |events| ended(events) == turns).await
}

#[tokio::test]
async fn a_conversation_gets_its_title_after_the_first_answer_and_from_one_call() {
    for scale in 0..rigs("offline").await.len() {
        let scripted = upstream(well).await;
        let rig = rigs("test/small").await.remove(scale);
        let _working = rig.work(titling("one", &scripted));
        let id = rig.send(None, "Tell me about tea").await.loaded.id;
        let records = rig.wait(id, |events| !renamed(events).is_empty()).await;
        assert_eq!(
            names(&records)[9..],
            ["TurnCompleted", "ModelCallStarted", "ModelCallEnded", "ConversationRenamed"]
        );
        assert_eq!(titles(&rig, id, &records).await, ["Tea in Japan"]);
        assert_eq!((&records[12].actor, records[12].correlationid), (&Actor::System, records[0].correlationid));
        let events = known(&records);
        let (call, end) = (begun(&events).remove(0), over(&events).remove(0));
        assert_eq!((call.model.as_str(), call.attempt, end.outcome), ("test/tiny", 1, CallOutcome::Completed));
        let usage = end.spent.usage.expect("counted");
        assert_eq!((usage.input_tokens, usage.output_tokens, end.spent.estimated), (7, 2, false));
        let request = scripted.requests().into_iter().find(|request| is_for_title(request)).expect("asked");
        let body = request.split("\r\n\r\n").nth(1).expect("a body");
        assert!(body.contains("Tell me about tea") && body.contains("Green or black?"), "{body}");
        for asked in [Asked::Call(call.call), Asked::Run(call.run)] {
            let exact = rig.exact(titling("reader", &scripted), asked).await.expect("made again");
            assert_eq!((String::from_utf8_lossy(&exact.request).as_ref(), exact.matches), (body, true));
        }
        talk_on(&rig, id, 2).await;
        let records = talk_on(&rig, id, 3).await;
        assert_eq!((asked_for_title(&scripted), renamed(&known(&records)).len()), (1, 1));
    }
}

#[tokio::test]
async fn without_the_setting_or_with_a_title_nobody_is_asked() {
    let scripted = upstream(well).await;
    let rig = embedded("test/small").await;
    let _working = rig.work(settings("one", &scripted.address));
    let id = rig.send(None, "Tell me about tea").await.loaded.id;
    rig.wait(id, |events| ended(events) == 1).await;
    talk_on(&rig, id, 2).await;
    let rig = embedded("test/small").await;
    let _titling = rig.work(titling("two", &scripted));
    let input = commands::StartConversation { title: Some("Mine".into()), ..commands::StartConversation::default() };
    let named = rig.commands.start_conversation(&rig.caller, input).await.expect("started").loaded.id;
    talk_on(&rig, named, 1).await;
    talk_on(&rig, named, 2).await;
    assert_eq!(asked_for_title(&scripted), 0);
}

#[tokio::test]
async fn a_call_that_fails_is_made_once_more_and_then_never_again() {
    for status in ["500 Internal Server Error", "400 Bad Request"] {
        let scripted = upstream(move || vec![head(status, "retry-after: 0\r\n")]).await;
        let rig = embedded("test/small").await;
        let _working = rig.work(titling("one", &scripted));
        let id = rig.send(None, "Tell me about tea").await.loaded.id;
        rig.wait(id, |events| !over(events).is_empty()).await;
        for turns in 2..=4 {
            talk_on(&rig, id, turns).await;
        }
        let records = rig.wait(id, |events| over(events).len() == 2).await;
        let events = known(&records);
        assert!(over(&events).iter().all(|end| end.outcome == CallOutcome::Failed), "{status}");
        let run = begun(&events)[0].run;
        assert_eq!(
            begun(&events).iter().map(|call| (call.run, call.attempt)).collect::<Vec<_>>(),
            [(run, 1), (run, 2)]
        );
        talk_on(&rig, id, 5).await;
        let failed = events.iter().any(|event| matches!(event, ConversationEvent::TurnFailed(_)));
        assert_eq!((asked_for_title(&scripted), renamed(&events).len(), failed), (2, 0, false), "{status}");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_title_is_asked_for_once_more() {
    let scripted = upstream(|| vec![sse(), delta("\\\"\\\""), stop()]).await;
    let rig = embedded("test/small").await;
    let _working = rig.work(titling("one", &scripted));
    let id = rig.send(None, "Tell me about tea").await.loaded.id;
    let records = rig.wait(id, |events| over(events).len() == 2).await;
    let events = known(&records);
    assert!(over(&events).iter().all(|end| end.outcome == CallOutcome::Completed && end.spent.usage.is_some()));
    assert!(renamed(&events).is_empty());
}

#[tokio::test]
async fn a_person_s_title_wins_over_one_that_is_being_made() {
    let scripted = upstream(|| [vec![sse(), Act::Pause(Duration::from_secs(2))], well()[1..].to_vec()].concat()).await;
    let rig = embedded("test/small").await;
    let _working = rig.work(titling("one", &scripted));
    let id = rig.send(None, "Tell me about tea").await.loaded.id;
    rig.wait(id, |events| !begun(events).is_empty()).await;
    let input = RenameConversation { conversation: id, title: "Mine".into() };
    rig.commands.rename_conversation(&rig.caller, input).await.expect("renamed");
    let records = rig.wait(id, |events| !over(events).is_empty()).await;
    assert_eq!(over(&known(&records))[0].outcome, CallOutcome::Completed);
    assert_eq!(titles(&rig, id, &records).await, ["Mine"]);
}

#[tokio::test]
async fn a_dead_worker_s_call_is_ended_with_an_estimate_and_made_once_more() {
    for scale in 0..rigs("offline").await.len() {
        let silent = upstream(|| vec![sse(), Act::Hang]).await;
        let rig = rigs("test/small").await.remove(scale);
        let dead = rig.work(titling("dead", &silent));
        let id = rig.send(None, "Tell me about tea").await.loaded.id;
        rig.wait(id, |events| !begun(events).is_empty()).await;
        drop(dead);
        let scripted = upstream(well).await;
        let _heir = rig.work(titling("heir", &scripted));
        let records = rig.wait(id, |events| !renamed(events).is_empty()).await;
        let ends: Vec<_> = over(&known(&records)).iter().map(|end| (end.outcome, end.spent.estimated)).collect();
        assert_eq!(ends, [(CallOutcome::Abandoned, true), (CallOutcome::Completed, false)]);
        assert_eq!(titles(&rig, id, &records).await, ["Tea in Japan"]);
        assert_eq!((asked_for_title(&silent), asked_for_title(&scripted)), (1, 1));
    }
}

#[tokio::test]
async fn nobody_is_asked_about_what_has_been_erased() {
    let scripted = upstream(well).await;
    let rig = embedded("test/small").await;
    let working = rig.work(settings("one", &scripted.address));
    let id = rig.send(None, "Tell me about tea").await.loaded.id;
    rig.wait(id, |events| ended(events) == 1).await;
    working.drain().await;
    let input = AddParticipant { conversation: id, person: "bob".into() };
    rig.commands.add_participant(&rig.caller, input).await.expect("added");
    rig.keyring.destroy_person(rig.caller.person).await.expect("destroyed");
    rig.keyring.forget();
    let _working = rig.work(titling("two", &scripted));
    let person = rig.keyring.person("default", "test", "bob").await.expect("bob");
    let bob = Caller { person, ..rig.caller.clone() };
    for turns in 2..=3 {
        let message = SendMessage { conversation: Some(id), text: "And then?".into(), ..SendMessage::default() };
        rig.commands.send_message(&bob, message).await.expect("sent");
        rig.wait(id, |events| ended(events) == turns).await;
    }
    assert_eq!((asked_for_title(&scripted), rig.open_work("title").await), (0, 0));
}
