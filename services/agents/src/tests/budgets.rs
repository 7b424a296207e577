//! Whole runs within budgets of turns, persons and tenants.

use std::collections::BTreeMap;
use std::time::Duration;

use commands::{Caller, SendMessage};
use database::sql;
use events::{ConversationEvent, ConversationId, PersonId, Record};
use serde_json::json;

use super::rig::{Rig, chunks_until, ended, known, names, rigs, settings};
use super::{completed, failed};
use crate::scripted::{Act, Scripted, delta, head, send, sse};
use crate::{Allowance, Budgets, Price, Prices, Role, Settings};

/// An answer of so many tokens, its prompt included.
fn of_tokens(tokens: u32) -> Vec<Act> {
    let usage = json!({ "prompt_tokens": tokens - 1, "completion_tokens": 1 });
    let end = json!({ "choices": [{ "delta": {}, "finish_reason": "stop" }] });
    let counted = json!({ "choices": [], "usage": usage });
    vec![sse(), delta("ok"), send(&format!("data: {end}\n\ndata: {counted}\n\ndata: [DONE]\n\n"))]
}

fn tokens(limit: u64) -> Allowance {
    Allowance { cost: None, tokens: Some(limit) }
}

fn cost(limit: &str) -> Allowance {
    Allowance { cost: Some(limit.parse().expect("a decimal")), tokens: None }
}

/// A worker with these budgets, where a token costs a thousandth of a dollar.
fn within(worker: &str, scripted: &Scripted, budgets: Budgets) -> Settings {
    let (amount, per) = (1.into(), 1000);
    let price = Price { input: amount, output: amount, cached: amount, per };
    let prices = Prices { currency: "USD".into(), models: BTreeMap::from([("test/small".into(), price)]) };
    Settings { budgets, prices, ..settings(worker, &scripted.address) }
}

async fn send_as(rig: &Rig, caller: &Caller, text: &str) -> ConversationId {
    let message = SendMessage { text: text.into(), ..SendMessage::default() };
    rig.commands.send_message(caller, message).await.expect("sent").loaded.id
}

/// Why the conversation's last turn failed.
async fn reason(rig: &Rig, records: &[Record]) -> String {
    let ConversationEvent::TurnFailed(end) = known(records).pop().expect("events") else {
        panic!("{:?}", names(records));
    };
    rig.field(records[0].subject, end.turn, "reason", &end.reason).await
}

#[derive(Debug, PartialEq, sqlx::FromRow)]
struct Taken {
    person: uuid::Uuid,
    spent_cost: String,
    spent_tokens: i64,
    reserved_tokens: i64,
}

/// What stands in the tables, once nothing is reserved any more.
async fn settled(rig: &Rig) -> Vec<Taken> {
    let look = "select person, spent_cost, spent_tokens, reserved_tokens from budget_windows order by person";
    for _ in 0..1000 {
        let taken: Vec<Taken> = rig.database().fetch_all(sql(look)).await.expect("rows");
        if taken.iter().all(|row| row.reserved_tokens == 0) {
            return taken;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("a call is not settled");
}

fn taken(person: Option<PersonId>, spent_cost: &str, spent_tokens: i64) -> Taken {
    let person = person.map(|person| person.uuid()).unwrap_or_default();
    Taken { person, spent_cost: spent_cost.into(), spent_tokens, reserved_tokens: 0 }
}

#[tokio::test]
async fn who_has_taken_their_share_is_told_so_and_no_request_leaves_while_others_go_on() {
    for scale in 0..rigs("offline").await.len() {
        let scripted = Scripted::start(vec![of_tokens(9_000), of_tokens(20)]).await;
        let rig = rigs("test/small").await.remove(scale);
        let budgets = Budgets { person: tokens(10_000), ..Budgets::default() };
        let _working = rig.work(within("one", &scripted, budgets));
        let id = rig.send(None, "one").await.loaded.id;
        rig.wait(id, |events| ended(events) == 1).await;
        rig.send(Some(id), "two").await;
        let records = rig.wait(id, |events| ended(events) == 2).await;
        assert_eq!(completed(&records).len(), 1);
        let why = reason(&rig, &records).await;
        assert!(why.starts_with("the budget of the person who asked (person_tokens, 10000) has no room"), "{why}");
        assert!(why.contains("it opens again at") && !why.contains("9000"), "{why}");
        let end = failed(&records).remove(0);
        assert_eq!((end.epoch, rig.open(id, end.message, "reason", &end.reason).await), (0, why));
        let person = rig.keyring.person("default", "test", "bob").await.expect("person");
        let bob = Caller { person, ..rig.caller.clone() };
        let theirs = send_as(&rig, &bob, "three").await;
        assert_eq!(completed(&rig.wait(theirs, |events| ended(events) == 1).await).len(), 1);
        assert_eq!(scripted.requests().len(), 2);
        assert!(scripted.requests()[0].contains("\"max_completion_tokens\":8192"));
    }
}

#[tokio::test]
async fn all_persons_of_a_tenant_share_its_money() {
    for scale in 0..rigs("offline").await.len() {
        let scripted = Scripted::start(vec![of_tokens(1_500), of_tokens(20)]).await;
        let rig = rigs("test/small").await.remove(scale);
        let budgets = Budgets { tenant: cost("9.5"), person: cost("9.5"), ..Budgets::default() };
        let _working = rig.work(within("one", &scripted, budgets));
        let id = rig.send(None, "one").await.loaded.id;
        rig.wait(id, |events| ended(events) == 1).await;
        assert_eq!(settled(&rig).await, [taken(None, "1.5", 1_500), taken(Some(rig.caller.person), "1.5", 1_500)]);
        let person = rig.keyring.person("default", "test", "bob").await.expect("person");
        let theirs = send_as(&rig, &Caller { person, ..rig.caller.clone() }, "two").await;
        let records = rig.wait(theirs, |events| ended(events) == 1).await;
        let why = reason(&rig, &records).await;
        assert!(why.starts_with("the tenant's budget (tenant_cost, 9.5 USD) has no room"), "{why}");
        assert_eq!(scripted.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_request_that_failed_leaves_its_room_to_the_next_one() {
    for scale in 0..rigs("offline").await.len() {
        let busy = || vec![head("429 Too Many Requests", "retry-after: 0\r\n")];
        let scripted = Scripted::start(vec![busy(), busy(), of_tokens(20)]).await;
        let rig = rigs("test/small").await.remove(scale);
        let budgets = Budgets { person: tokens(9_000), tenant: tokens(9_000), ..Budgets::default() };
        let _working = rig.work(within("one", &scripted, budgets));
        let id = rig.send(None, "one").await.loaded.id;
        let records = rig.wait(id, |events| ended(events) == 1).await;
        assert_eq!((completed(&records).len(), scripted.requests().len()), (1, 3));
        assert_eq!(settled(&rig).await, [taken(None, "0.02", 20), taken(Some(rig.caller.person), "0.02", 20)]);
    }
}

#[tokio::test]
async fn what_a_dead_worker_has_reserved_is_settled_by_whoever_reads_its_end_on_the_log() {
    for scale in 0..rigs("offline").await.len() {
        let half = vec![sse(), delta("lost "), delta("words"), Act::Hang];
        let scripted = Scripted::start(vec![half, of_tokens(20)]).await;
        let rig = rigs("test/small").await.remove(scale);
        let budgets = Budgets { person: tokens(9_000), ..Budgets::default() };
        let only = |worker, role, budgets| Settings { roles: vec![role], ..within(worker, &scripted, budgets) };
        let mut tail = rig.log.tail().await.unwrap();
        let _leading = rig.work(only("leads", Role::Turns, budgets.clone()));
        let dead = rig.work(only("dead", Role::Models, budgets));
        let id = rig.send(None, "Hi").await.loaded.id;
        chunks_until(&mut tail, id, |chunks| !chunks.is_empty()).await;
        drop(dead);
        // One that keeps no book itself, so nobody but the reader of the log can settle.
        let _heir = rig.work(only("heir", Role::Models, Budgets::default()));
        let records = rig.wait(id, |events| ended(events) == 1).await;
        let abandoned = completed(&records).remove(0).spent;
        let settled = settled(&rig).await;
        let all = abandoned.usage.expect("counted").total() as i64;
        let left = settled[0].spent_tokens;
        assert!(settled.len() == 1 && left > 0 && left == all - 20, "{settled:?}, {all} of the whole run");
    }
}

#[tokio::test]
async fn a_turn_whose_tokens_could_pass_its_limit_ends() {
    for scale in 0..rigs("offline").await.len() {
        let scripted = Scripted::start(Vec::new()).await;
        let rig = rigs("test/small").await.remove(scale);
        let budgets = Budgets { turn_tokens: Some(8_192), ..Budgets::default() };
        let _working = rig.work(within("one", &scripted, budgets));
        let id = rig.send(None, "one").await.loaded.id;
        let records = rig.wait(id, |events| ended(events) == 1).await;
        let why = reason(&rig, &records).await;
        assert!(why.contains("of the turn's 8192 tokens 0 are taken"), "{why}");
        assert!(scripted.requests().is_empty());
    }
}
