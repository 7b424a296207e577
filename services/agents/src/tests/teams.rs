//! Several agents on one request.

use std::time::Duration;

use commands::AgentProfile;
use events::event::{PlanKind, TurnPlanned};
use events::{ConversationEvent, Record};

use super::rig::{Rig, ended, known, names, rigs, settings};
use super::{completed, failed};
use crate::Settings;
use crate::scripted::{Act, Scripted, delta, send, sse, stop};

fn plans(records: &[Record]) -> Vec<TurnPlanned> {
    let plan = |event| if let ConversationEvent::TurnPlanned(plan) = event { Some(plan) } else { None };
    known(records).into_iter().filter_map(plan).collect()
}

fn agents_of(plan: &TurnPlanned) -> Vec<&str> {
    plan.runs.iter().map(|run| run.agent.as_str()).collect()
}

/// Agents whose instructions are their names, so that a server can tell them apart; the leader plans so.
fn team(rig: Rig, plan: PlanKind) -> Rig {
    rig.with(|catalog| {
        for name in ["researcher", "code", "image", "writer"] {
            catalog.agents.insert(name.into(), AgentProfile::new(name, name, "test/small", &format!("I am {name}.")));
        }
        let team = ["researcher", "code", "image", "writer"].map(String::from).to_vec();
        let leader = AgentProfile::new("orchestrator", "leads", "test/small", "I am the leader.");
        catalog.agents.insert("orchestrator".into(), AgentProfile { team, plan, ..leader });
    })
}

fn says(text: &str) -> Vec<Act> {
    vec![sse(), delta(text), stop()]
}

fn is(request: &str, agent: &str) -> bool {
    request.contains(&format!("I am {agent}."))
}

fn patient(address: &str) -> Settings {
    Settings { lease: Duration::from_secs(10), ..settings("one", address) }
}

#[tokio::test]
async fn a_team_by_rules_works_side_by_side_and_the_writer_sees_what_the_others_found() {
    for scale in 0..rigs("offline").await.len() {
        let scripted = Scripted::answering(|request| match request {
            r if is(r, "code") => vec![sse(), Act::Pause(Duration::from_millis(300)), delta("fn main"), stop()],
            r if is(r, "image") => vec![send("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")],
            r if is(r, "writer") => says("all of it"),
            _ => says("go"),
        })
        .await;
        let rig = team(rigs("test/small").await.remove(scale), PlanKind::Rules);
        let id = rig.conversation(&["orchestrator"]).await;
        rig.send(Some(id), "Write code and draw a picture").await;
        let _working = rig.work(patient(&scripted.address));
        let records = rig.wait(id, |events| ended(events) == 1).await;
        let plan = plans(&records).remove(0);
        assert_eq!((agents_of(&plan), plan.kind), (vec!["orchestrator", "code", "image", "writer"], PlanKind::Rules));
        assert_eq!(
            (completed(&records).len(), failed(&records).len()),
            (3, 1),
            "one that fails takes no other with it"
        );
        assert_eq!(names(&records).last(), Some(&"TurnCompleted"));
        let answer = completed(&records).pop().expect("the writer's");
        assert_eq!(rig.open(id, answer.message, "text", &answer.text).await, "all of it");
        let writer = scripted.requests().into_iter().find(|request| is(request, "writer")).expect("asked");
        assert!(writer.contains("## code\\n\\nfn main") && writer.contains("(This agent failed.)"), "{writer}");
    }
}

#[tokio::test]
async fn an_orchestrator_decides_and_is_asked_once_more_where_its_plan_is_none() {
    let good = r#"{\"reason\":\"facts first\",\"steps\":[{\"agent\":\"researcher\",\"after\":[]},{\"agent\":\"writer\",\"after\":[0]}]}"#;
    for (answers, kinds, last) in [
        (vec![good], vec![PlanKind::Model, PlanKind::Model], vec!["researcher", "writer"]),
        (vec!["hm", good], vec![PlanKind::Model; 3], vec!["researcher", "writer"]),
        (vec!["hm", "hm"], vec![PlanKind::Model, PlanKind::Model, PlanKind::Rules], vec!["writer"]),
    ] {
        let mut rig = rigs("test/small").await;
        let rig = team(rig.remove(0), PlanKind::Model);
        let answers: Vec<String> = answers.into_iter().map(String::from).collect();
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let scripted = Scripted::answering(move |request| match request.contains("I am the leader.") {
            true => says(&answers[asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst)]),
            false => says("done"),
        })
        .await;
        let id = rig.conversation(&["orchestrator"]).await;
        rig.send(Some(id), "Hello").await;
        let _working = rig.work(patient(&scripted.address));
        let records = rig.wait(id, |events| ended(events) == 1).await;
        let plans = plans(&records);
        assert_eq!(plans.iter().map(|plan| plan.kind).collect::<Vec<_>>(), kinds);
        assert_eq!(agents_of(plans.last().expect("a plan")), last);
        let turn = plans[0].turn;
        let reason = rig.field(id, turn, "reason", &plans.last().expect("a plan").reason).await;
        if kinds.last() == Some(&PlanKind::Rules) {
            assert!(reason.contains("its plan is not of the form, so rules decided"), "{reason}");
        } else {
            assert_eq!(reason, "facts first");
        }
        assert_eq!(names(&records).last(), Some(&"TurnCompleted"));
        let leader = scripted.requests().into_iter().next().expect("asked");
        assert!(leader.contains("json_schema") && leader.contains("- researcher: researcher"), "{leader}");
    }
}

#[tokio::test]
async fn several_processes_each_with_one_role_answer_together() {
    use crate::Role::{Models, Tools, Turns};
    for scale in 0..rigs("offline").await.len() {
        let scripted = Scripted::answering(|_| says("done")).await;
        let rig = team(rigs("test/small").await.remove(scale), PlanKind::Fixed);
        let role = |name: &str, role| Settings { roles: vec![role], worker: name.into(), ..patient(&scripted.address) };
        let _workers = [("a", Turns), ("b", Models), ("c", Models), ("d", Tools), ("e", Turns)]
            .map(|(name, part)| rig.work(role(name, part)));
        let mut conversations = Vec::new();
        for _ in 0..5 {
            let id = rig.conversation(&["orchestrator"]).await;
            rig.send(Some(id), "Hello").await;
            conversations.push(id);
        }
        for id in conversations {
            let records = rig.wait(id, |events| ended(events) == 1).await;
            assert_eq!(completed(&records).len(), 4);
            assert_eq!(names(&records).iter().filter(|name| **name == "ModelCallStarted").count(), 4);
        }
    }
}
