//! Which agents work on a message, in which order: as the settings say, by rules over its words, or as an orchestrating agent
//! decides.

use serde::Deserialize;

use commands::{AgentProfile, Loaded, Stage, Turn, Waiting};
use events::event::{PlanKind, PlannedRun};

use super::{planned, rules};
use crate::Result;
use crate::context::Context;

/// Steps of one plan at most.
const STEPS: usize = 16;
/// How often an orchestrating agent may try to make a plan.
const TRIES: usize = 2;

/// Which agents work.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) kind: PlanKind,
    pub(super) runs: Vec<PlannedRun>,
    /// Another plan follows.
    pub(super) more: bool,
    /// Why, in words for a person.
    pub(super) reason: String,
}

/// The plan that a turn begins with.
pub(super) async fn first(context: &Context, loaded: &Loaded, waiting: &Waiting) -> Result<Plan> {
    let agents = &loaded.state.agents;
    let leader = match agents.as_slice() {
        [only] => context.commands.catalog().agent(only).filter(|profile| !profile.team.is_empty()),
        _ => None,
    };
    let Some(leader) = leader else {
        return Ok(fixed(agents, "every agent of the conversation, in its order"));
    };
    match leader.plan {
        PlanKind::Rules => {
            let text = context.message_text(loaded, waiting.sequence).await?.unwrap_or_default();
            Ok(by_rules(leader, Some(planned(&leader.name)), &text, ""))
        }
        PlanKind::Model => Ok(Plan {
            kind: PlanKind::Model,
            runs: vec![planned(&leader.name)],
            more: true,
            reason: format!("{} decides who works on it", leader.name),
        }),
        PlanKind::Fixed | PlanKind::Asked => Ok(fixed(&leader.team, "the team, in the order of the settings")),
    }
}

/// The plan that follows when an orchestrating agent has made one, or could not.
pub(super) async fn next(context: &Context, loaded: &Loaded, turn: &Turn) -> Result<Plan> {
    let Some((last, leader)) = turn.last_step().and_then(|run| {
        let leader = context.commands.catalog().agent(&run.agent)?;
        Some((run, leader))
    }) else {
        return Ok(fixed(&loaded.state.agents, "the orchestrating agent is gone"));
    };
    let answer = match last.stage {
        Stage::Completed => context.answer_text(loaded, last).await?,
        _ => None,
    };
    let wrong = match answer.as_deref().map(|answer| read(answer, leader)) {
        Some(Ok(plan)) => return Ok(plan),
        Some(Err(wrong)) => wrong,
        None => "the orchestrating agent gave no plan".to_owned(),
    };
    let tries = turn.runs.iter().filter(|run| run.asked_by.is_none()).count();
    if tries < TRIES && last.stage == Stage::Completed {
        let (kind, runs, more) = (PlanKind::Model, vec![planned(&last.agent)], true);
        return Ok(Plan { kind, runs, more, reason: format!("{} is asked once more: {wrong}", leader.name) });
    }
    let text = match turn.asked {
        Some(sequence) => context.message_text(loaded, sequence).await?.unwrap_or_default(),
        None => String::new(),
    };
    Ok(by_rules(leader, None, &text, &format!("{wrong}, so rules decided: ")))
}

/// Everyone in order, each after the one before.
fn fixed(agents: &[String], reason: &str) -> Plan {
    Plan { kind: PlanKind::Fixed, runs: in_order(agents), more: false, reason: reason.to_owned() }
}

fn in_order(agents: &[String]) -> Vec<PlannedRun> {
    let mut runs: Vec<PlannedRun> = Vec::new();
    for agent in agents {
        let after = runs.last().map(|run| run.run).into_iter().collect();
        runs.push(PlannedRun { after, ..planned(agent) });
    }
    runs
}

/// The leader first (unless it has spoken), then at the same time whom the message needs, and the last of the team at the end.
fn by_rules(leader: &AgentProfile, first: Option<PlannedRun>, text: &str, prefix: &str) -> Plan {
    let Some((last, others)) = leader.team.split_last() else {
        return fixed(std::slice::from_ref(&leader.name), "there is no team");
    };
    let needed: Vec<&String> = others.iter().filter(|agent| rules::needs(agent, text)).collect();
    let before: Vec<_> = first.iter().map(|run| run.run).collect();
    let middle: Vec<PlannedRun> =
        needed.iter().map(|agent| PlannedRun { after: before.clone(), ..planned(agent.as_str()) }).collect();
    let after = before.iter().copied().chain(middle.iter().map(|run| run.run)).collect();
    let end = PlannedRun { after, ..planned(last) };
    let names = first.iter().chain(&middle).chain([&end]).map(|run| run.agent.as_str()).collect::<Vec<_>>().join(", ");
    Plan {
        kind: PlanKind::Rules,
        runs: first.into_iter().chain(middle).chain([end]).collect(),
        more: false,
        reason: format!("{prefix}by the words of the message: {names}"),
    }
}

/// A plan as an orchestrating agent writes it.
#[derive(Deserialize)]
struct Written {
    #[serde(default)]
    reason: String,
    steps: Vec<WrittenStep>,
}

#[derive(Deserialize)]
struct WrittenStep {
    agent: String,
    #[serde(default)]
    after: Vec<usize>,
}

/// The JSON Schema of such a plan.
pub(crate) fn schema(leader: &AgentProfile) -> serde_json::Value {
    serde_json::json!({
        "type": "object",
        "properties": {
            "reason": { "type": "string", "description": "Why these agents, in a sentence" },
            "steps": {
                "type": "array",
                "minItems": 1,
                "maxItems": STEPS,
                "items": {
                    "type": "object",
                    "properties": {
                        "agent": { "type": "string", "enum": leader.team },
                        "after": {
                            "type": "array",
                            "items": { "type": "integer", "minimum": 0 },
                            "description": "Numbers (from 0) of earlier steps whose results this one needs"
                        }
                    },
                    "required": ["agent", "after"],
                    "additionalProperties": false
                }
            }
        },
        "required": ["reason", "steps"],
        "additionalProperties": false
    })
}

/// A plan from an agent's words, or what is wrong with them.
fn read(answer: &str, leader: &AgentProfile) -> std::result::Result<Plan, String> {
    let json = answer.trim().trim_start_matches("```json").trim_start_matches("```").trim_end_matches("```");
    let written: Written = serde_json::from_str(json).map_err(|_| "its plan is not of the form".to_owned())?;
    if written.steps.is_empty() || written.steps.len() > STEPS {
        return Err(format!("its plan must have 1 to {STEPS} steps"));
    }
    let mut runs: Vec<PlannedRun> = Vec::new();
    for step in &written.steps {
        if !leader.team.contains(&step.agent) {
            return Err("its plan names an agent that is not of the team".into());
        }
        let after: Option<Vec<_>> = step.after.iter().map(|number| runs.get(*number).map(|run| run.run)).collect();
        let after = after.ok_or("a step of its plan needs one that does not come before it")?;
        runs.push(PlannedRun { after, ..planned(&step.agent) });
    }
    let reason = if written.reason.is_empty() { format!("as {} decided", leader.name) } else { written.reason };
    Ok(Plan { kind: PlanKind::Model, runs, more: false, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leader() -> AgentProfile {
        let team = ["researcher", "code", "image", "writer"].map(String::from).to_vec();
        AgentProfile { team, ..AgentProfile::new("orchestrator", "", "offline", "") }
    }

    fn names(plan: &Plan) -> Vec<&str> {
        plan.runs.iter().map(|run| run.agent.as_str()).collect()
    }

    /// The places, in the plan, of the steps that each step needs.
    fn needs(plan: &Plan) -> Vec<Vec<usize>> {
        let place = |run| plan.runs.iter().position(|step| step.run == run).expect("a step of the plan");
        plan.runs.iter().map(|step| step.after.iter().map(|run| place(*run)).collect()).collect()
    }

    #[test]
    fn a_fixed_plan_is_the_team_in_order() {
        let plan = fixed(&leader().team, "so");
        assert_eq!(names(&plan), ["researcher", "code", "image", "writer"]);
        assert_eq!(needs(&plan), [vec![], vec![0], vec![1], vec![2]]);
    }

    #[test]
    fn rules_begin_with_the_orchestrator_and_end_with_the_writer() {
        let plan = by_rules(&leader(), Some(planned("orchestrator")), "draw me a picture and write code", "");
        assert_eq!(names(&plan), ["orchestrator", "code", "image", "writer"]);
        assert_eq!(needs(&plan), [vec![], vec![0], vec![0], vec![0, 1, 2]]);
        assert_eq!(plan.reason, "by the words of the message: orchestrator, code, image, writer");
        assert_eq!(names(&by_rules(&leader(), None, "hi", "")), ["writer"]);
    }

    #[test]
    fn an_agent_s_plan_is_read() {
        let plan = read(
            r#"{"reason":"facts first","steps":[{"agent":"researcher","after":[]},{"agent":"writer","after":[0]}]}"#,
            &leader(),
        )
        .expect("a plan");
        assert_eq!((names(&plan), plan.reason.as_str()), (vec!["researcher", "writer"], "facts first"));
        assert_eq!(needs(&plan), [vec![], vec![0]]);
        let fenced = read("```json\n{\"steps\":[{\"agent\":\"code\"}]}\n```", &leader()).expect("a plan");
        assert_eq!(fenced.reason, "as orchestrator decided");
    }

    #[test]
    fn a_plan_that_cannot_be_is_refused() {
        for wrong in [
            "let me think",
            r#"{"steps":[]}"#,
            r#"{"steps":[{"agent":"lawyer"}]}"#,
            r#"{"steps":[{"agent":"code","after":[0]}]}"#,
            r#"{"steps":[{"agent":"code","after":[1]},{"agent":"writer"}]}"#,
        ] {
            assert!(read(wrong, &leader()).is_err(), "{wrong}");
        }
    }
}
