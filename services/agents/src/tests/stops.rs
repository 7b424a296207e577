//! Stopping a turn, and what becomes of messages that come while one runs.

use std::time::Duration;

use commands::{RegenerateMessage, SendMessage, StopTurn};
use events::event::{CallOutcome, MessageStopped, OverlapPolicy};
use events::{ConversationEvent, Record};

use super::completed;
use super::rig::{Rig, chunks_until, ended, known, names, rigs, settings};
use crate::scripted::{Act, Scripted, delta, sse, stop};
use crate::{Role, Settings};

fn stopped(records: &[Record]) -> Vec<MessageStopped> {
    let end = |event| if let ConversationEvent::MessageStopped(end) = event { Some(end) } else { None };
    known(records).into_iter().filter_map(end).collect()
}

fn patient(worker: &str, address: &str) -> Settings {
    Settings { lease: Duration::from_secs(10), ..settings(worker, address) }
}

fn please_stop(conversation: events::ConversationId) -> StopTurn {
    StopTurn { conversation, turn: None }
}

async fn send(rig: &Rig, id: events::ConversationId, text: &str, policy: OverlapPolicy) {
    let message =
        SendMessage { conversation: Some(id), text: text.into(), overlap: Some(policy), ..SendMessage::default() };
    rig.commands.send_message(&rig.caller, message).await.expect("sent");
}

#[tokio::test]
async fn a_stop_closes_the_upstream_connection_and_keeps_the_part() {
    for scale in 0..rigs("offline").await.len() {
        let (closed, hung_up) = tokio::sync::oneshot::channel();
        let endless = (0..10_000).flat_map(|_| [delta("x"), Act::Pause(Duration::from_millis(20))]);
        let scripted = Scripted::telling(std::iter::once(sse()).chain(endless).collect(), closed).await;
        let rig = rigs("test/small").await.remove(scale);
        let mut tail = rig.log.tail().await.unwrap();
        let _working = rig.work(patient("one", &scripted.address));
        let id = rig.send(None, "Hi").await.loaded.id;
        chunks_until(&mut tail, id, |chunks| chunks.len() >= 3).await;
        rig.commands.stop_turn(&rig.caller, please_stop(id)).await.expect("accepted");
        tokio::time::timeout(Duration::from_secs(5), hung_up).await.expect("in time").expect("closed");
        let records = rig.wait(id, |events| ended(events) == 1).await;
        assert_eq!(names(&records).last(), Some(&"TurnStopped"));
        let end = stopped(&records).remove(0);
        let text = rig.open(id, end.message, "text", &end.text).await;
        assert!(text.len() >= 3 && text.bytes().all(|byte| byte == b'x'));
        assert!(end.spent.estimated && end.spent.usage.is_some(), "it cost something");
        let call = |event: &ConversationEvent| matches!(event, ConversationEvent::ModelCallEnded(e) if e.outcome == CallOutcome::Stopped);
        assert!(known(&records).iter().any(call));
    }
}

#[tokio::test]
async fn what_nobody_works_on_is_stopped_too_with_what_a_dead_worker_had_said() {
    let scripted = Scripted::start(vec![vec![sse(), delta("part"), Act::Hang]]).await;
    let rig = rigs("test/small").await.remove(0);
    let mut tail = rig.log.tail().await.unwrap();
    let dead = rig.work(settings("dead", &scripted.address));
    let id = rig.send(None, "Hi").await.loaded.id;
    chunks_until(&mut tail, id, |chunks| !chunks.is_empty()).await;
    drop(dead);
    rig.commands.stop_turn(&rig.caller, please_stop(id)).await.expect("accepted");
    let _heir = rig.work(settings("heir", &scripted.address));
    let records = rig.wait(id, |events| ended(events) == 1).await;
    let end = stopped(&records).remove(0);
    assert_eq!(rig.open(id, end.message, "text", &end.text).await, "part");
    assert_eq!(scripted.requests().len(), 1, "no model is asked for what is stopped");
}

#[tokio::test]
async fn an_interrupting_message_is_answered_at_once_and_sees_the_part() {
    for (policy, sees) in [(OverlapPolicy::Interrupt, true), (OverlapPolicy::Rollback, false)] {
        let scripted = Scripted::answering(|request| match request.contains("Second") {
            false => vec![sse(), delta("half"), Act::Hang],
            true => vec![sse(), delta("whole"), stop()],
        })
        .await;
        let rig = rigs("test/small").await.remove(0);
        let mut tail = rig.log.tail().await.unwrap();
        let _working = rig.work(patient("one", &scripted.address));
        let id = rig.send(None, "First").await.loaded.id;
        chunks_until(&mut tail, id, |chunks| !chunks.is_empty()).await;
        send(&rig, id, "Second", policy).await;
        let records = rig.wait(id, |events| ended(events) == 2).await;
        assert_eq!((stopped(&records).len(), completed(&records).len()), (1, 1));
        let request = scripted.requests().pop().expect("asked");
        assert_eq!((request.contains("half"), request.contains("First")), (sees, sees), "{request}");
    }
}

#[tokio::test]
async fn a_steering_message_that_nobody_read_gets_a_turn_of_its_own() {
    let scripted = Scripted::answering(|request| match request.contains("rather this") {
        false => vec![sse(), delta("first"), Act::Pause(Duration::from_millis(600)), stop()],
        true => vec![sse(), delta("second"), stop()],
    })
    .await;
    let rig = rigs("test/small").await.remove(0);
    let mut tail = rig.log.tail().await.unwrap();
    let _working = rig.work(patient("one", &scripted.address));
    let id = rig.send(None, "Go").await.loaded.id;
    chunks_until(&mut tail, id, |chunks| !chunks.is_empty()).await;
    send(&rig, id, "rather this", OverlapPolicy::Steer).await;
    let records = rig.wait(id, |events| ended(events) == 2).await;
    assert_eq!(completed(&records).len(), 2);
}

#[tokio::test]
async fn another_answer_takes_the_place_of_the_last_one_in_later_prompts() {
    let asked = std::sync::atomic::AtomicUsize::new(1);
    let scripted = Scripted::answering(move |_| {
        let number = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        vec![sse(), delta(&format!("answer {number}")), stop()]
    })
    .await;
    let rig = rigs("test/small").await.remove(0);
    let _working = rig.work(patient("one", &scripted.address));
    let id = rig.send(None, "Go").await.loaded.id;
    let records = rig.wait(id, |events| ended(events) == 1).await;
    let message = completed(&records).remove(0).message;
    let again = RegenerateMessage { conversation: id, message, model: None };
    rig.commands.regenerate_message(&rig.caller, again).await.expect("accepted");
    rig.wait(id, |events| ended(events) == 2).await;
    rig.send(Some(id), "And now?").await;
    rig.wait(id, |events| ended(events) == 3).await;
    let requests = scripted.requests();
    assert!(!requests[1].contains("answer 1"), "{}", requests[1]);
    assert!(requests[2].contains("answer 2") && !requests[2].contains("answer 1"), "{}", requests[2]);
}

#[tokio::test]
async fn one_that_waits_leaves_the_queue() {
    let rig = rigs("offline").await.remove(0);
    let id = rig.send(None, "First").await.loaded.id;
    rig.send(Some(id), "Second").await;
    let turn = rig.commands.load(id).await.expect("loaded").expect("there").state.waiting[1].turn;
    let second = StopTurn { conversation: id, turn: Some(turn) };
    rig.commands.stop_turn(&rig.caller, second).await.expect("accepted");
    let all = Settings { roles: vec![Role::Turns, Role::Models], ..patient("one", "") };
    let _working = rig.work(all);
    let records = rig.wait(id, |events| ended(events) == 2).await;
    assert_eq!(completed(&records).len(), 1);
}
