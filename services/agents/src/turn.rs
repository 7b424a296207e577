//! A conversation's turns: begun when it is their time, led from step to step, ended. What is next is a pure function of what
//! happened; here it is carried out.

mod plan;
mod rules;
mod steps;

use std::time::Duration;

use chrono::{DateTime, Utc};

use commands::rules::{self as command, code};
use commands::{Error as CommandError, Loaded, Outcome, Turn, Waiting};
use events::event::PlannedRun;
use events::{CallId, Field, MessageId, RunId};

use crate::Result;
use crate::context::Context;
use crate::work::{Task, Work};
use crate::{tool, tool_call};

pub(crate) use plan::schema as plan_schema;

use plan::Plan;
use steps::{Step, next_steps, wants_title};

/// How often one look goes on by itself before it gives way to other work.
const ROUNDS: usize = 8;
/// Agents that ask one another in a row.
const DEPTH: usize = 3;
/// Between two looks, where somebody else was faster.
const SOON: Duration = Duration::from_millis(50);

/// What a look at a conversation's turns came to.
#[derive(Debug, Default)]
pub(crate) struct Look {
    /// What others can do now.
    pub(crate) next: Vec<Work>,
    /// When to look again even if nothing happens.
    pub(crate) again: Option<Duration>,
}

/// Looks at the turns of a conversation and takes every step that can be taken now.
pub(crate) async fn look(context: &Context, work: &Work) -> Result<Look> {
    for _ in 0..ROUNDS {
        let Some(loaded) = context.commands.load(work.conversation).await? else { return Ok(Look::default()) };
        let taken = match (&loaded.state.turn, loaded.state.waiting.first()) {
            (Some(turn), _) => lead(context, work, &loaded, turn).await,
            (None, Some(waiting)) => begin(context, work, &loaded, waiting).await.map(|_| None),
            (None, None) => Ok(Some(Look::default())),
        };
        match taken {
            Ok(Some(mut look)) => {
                if context.settings.title_model.is_some() && wants_title(&loaded.state) {
                    look.next.push(work.also(Task::Title, loaded.sequence));
                }
                return Ok(look);
            }
            Ok(None) | Err(crate::Error::Command(CommandError::Stale)) => {}
            Err(crate::Error::Command(CommandError::Rejected(rejection))) if is_passing(rejection.code) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Look { next: Vec::new(), again: Some(SOON) })
}

/// Somebody else changed the conversation meanwhile: the next look shows it.
fn is_passing(code: &str) -> bool {
    [code::TURN_RUNNING, code::TURN_ALREADY_STARTED, code::NOT_WAITING, code::TURN_STOPPING].contains(&code)
}

/// Begins the turn of the message that has waited longest.
async fn begin(context: &Context, work: &Work, loaded: &Loaded, waiting: &Waiting) -> Result<Outcome> {
    let Plan { kind, runs, more, reason } = plan::first(context, loaded, waiting).await?;
    let key = context.keyring.content_key(waiting.author, work.conversation).await?;
    let reason = key.seal(&Field::new(&work.tenant, work.conversation, waiting.turn, "reason"), &reason);
    let command = command::StartTurn { turn: waiting.turn, kind, runs, more, reason };
    Ok(context.commands.react(work.conversation, command, work.cause()).await?)
}

/// Takes the next steps of a turn; `None`: the conversation has changed by that, so there may be more.
async fn lead(context: &Context, work: &Work, loaded: &Loaded, turn: &Turn) -> Result<Option<Look>> {
    let steps = next_steps(turn, &|name| tool::is_an_agent(&context.tools, name), Utc::now());
    let mut look = Look { next: Vec::new(), again: steps.again.map(until) };
    let mut changed = false;
    for step in steps.now {
        match step {
            Step::Run(run) => look.next.push(work.also(Task::Run(run), loaded.sequence)),
            Step::Tool(call) => look.next.push(work.also(Task::Tool(call), loaded.sequence)),
            Step::Ask(call) => changed |= ask(context, work, loaded, turn, call).await?,
            Step::Expire(call) => {
                let command = command::ExpireTool { call, at: Utc::now() };
                changed |= applied(context.commands.react(work.conversation, command, work.cause()).await)?;
            }
            Step::Plan => changed |= go_on(context, work, loaded, turn).await?,
            Step::End => {
                let reason = sealed(context, work, turn, "Nobody was left to answer.").await?;
                let command = command::EndTurn { turn: turn.turn, reason };
                changed |= applied(context.commands.react(work.conversation, command, work.cause()).await)?;
            }
        }
    }
    Ok((!changed).then_some(look))
}

/// Plans the next steps of a turn whose first ones have ended.
async fn go_on(context: &Context, work: &Work, loaded: &Loaded, turn: &Turn) -> Result<bool> {
    let Plan { kind, runs, more, reason } = plan::next(context, loaded, turn).await?;
    let reason = sealed(context, work, turn, &reason).await?;
    let command = command::PlanTurn { turn: turn.turn, kind, runs, more, reason };
    applied(context.commands.react(work.conversation, command, work.cause()).await)
}

/// Lets another agent carry a tool call out.
async fn ask(context: &Context, work: &Work, loaded: &Loaded, turn: &Turn, call: CallId) -> Result<bool> {
    let Some((run, tool)) = turn.tool(call) else { return Ok(false) };
    let asked = tool_call::asked(context, loaded, tool).await?;
    let (agent, request) = match asked {
        _ if turn.depth(run) >= DEPTH => {
            let reason = format!("agents may ask one another {DEPTH} times in a row at most");
            return tool_call::fail(context, work, turn, tool, &reason).await.map(|()| true);
        }
        Some(asked) if may_ask(context, &run.agent, &asked.0) => asked,
        _ => {
            let reason = "there is no such agent";
            return tool_call::fail(context, work, turn, tool, reason).await.map(|()| true);
        }
    };
    let key = context.keyring.content_key(turn.person, work.conversation).await?;
    let run = RunId::generate();
    let field = Field::new(&work.tenant, work.conversation, run, "instructions");
    let run = PlannedRun { instructions: Some(key.seal(&field, &request)), run, ..planned(agent) };
    let reason = sealed(context, work, turn, "An agent asked another one.").await?;
    let command = command::AskAgent { call, run, reason };
    applied(context.commands.react(work.conversation, command, work.cause()).await)
}

/// An agent with a team asks that, one without anybody else.
fn may_ask(context: &Context, asker: &str, asked: &str) -> bool {
    let catalog = context.commands.catalog();
    let Some(asker) = catalog.agent(asker).filter(|asker| asker.name != asked) else { return false };
    catalog.agent(asked).is_some() && (asker.team.is_empty() || asker.team.iter().any(|member| member == asked))
}

async fn sealed(context: &Context, work: &Work, turn: &Turn, reason: &str) -> Result<events::Sealed> {
    let key = context.keyring.content_key(turn.person, work.conversation).await?;
    Ok(key.seal(&Field::new(&work.tenant, work.conversation, turn.turn, "reason"), reason))
}

/// Whether a command was accepted; that somebody else was faster is no failure.
fn applied(result: commands::Result<Outcome>) -> Result<bool> {
    match result {
        Ok(_) | Err(CommandError::Stale) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

fn planned(agent: impl Into<String>) -> PlannedRun {
    PlannedRun {
        run: RunId::generate(),
        message: MessageId::generate(),
        agent: agent.into(),
        model: None,
        instructions: None,
        after: Vec::new(),
        asked_by: None,
    }
}

fn until(at: DateTime<Utc>) -> Duration {
    (at - Utc::now()).to_std().unwrap_or_default()
}
