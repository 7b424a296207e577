//! One tool call: its arguments, the claim, the tool itself, the end. What changes something outside is never done twice.

mod watch;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use commands::rules::{EndTool, StartTool, ToolEnd};
use commands::{Cause, Error as CommandError, Loaded, ToolCall, ToolStage, Turn};
use events::{CallId, ConversationEvent, Decoded, Field, Kind, Record};
use keyring::ContentKey;
use serde_json::Value;

use crate::Result;
use crate::context::Context;
use crate::run::Left;
use crate::tool::{self, Outcome, Tool};
use crate::work::Work;

use watch::Watch;

/// Events of one read.
const PAGE: usize = 64;
/// The longest pause between two tries of the append.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Carries a tool call out, unless it is over or somebody else's.
pub(crate) async fn carry_out(context: &Context, work: &Work, id: CallId, lost: &CancellationToken) -> Result<Left> {
    let listener = context.heard.listen(work.conversation, work.sequence);
    let Some(loaded) = context.commands.load(work.conversation).await? else { return Ok(Left::Nothing) };
    let Some((turn, run, call)) = loaded.state.tool(id) else { return Ok(Left::Nothing) };
    let prepared = prepare(context, &loaded, call).await?;
    if let (Err(wrong), ToolStage::Ready) = (&prepared, call.stage) {
        return fail(context, work, turn, call, wrong).await.map(|()| Left::Nothing);
    }
    let started = match start(context, work, call).await {
        Ok(Some(started)) => started,
        Ok(None) | Err(CommandError::Stale | CommandError::Rejected(_)) => return Ok(Left::Nothing),
        Err(error) => return Err(error.into()),
    };
    let key = context.keyring.content_key(turn.person, work.conversation).await?;
    let watch = Watch::begin(work, &run.agent, call);
    let outcome = tokio::select! {
        () = lost.cancelled() => {
            watch.end("lease_lost");
            return Ok(Left::Again(Duration::ZERO));
        }
        // Its run ends, and says of this call what is known.
        () = listener.stopped(turn.turn) => {
            watch.end("stopped");
            return Ok(Left::Nothing);
        }
        outcome = perform(context, &loaded, call, prepared) => outcome,
    };
    let label = match &outcome {
        Outcome::Done { cached: true, .. } => "cached",
        Outcome::Done { .. } => "completed",
        Outcome::Failed(_) => "failed",
        Outcome::Uncertain(_) => "uncertain",
    };
    let seconds = watch.end(label);
    tracing::info!(conversation = %work.conversation, call = %id, tool = call.tool, outcome = label, seconds, "a tool call has ended");
    let end = sealed(work, &key, id, outcome);
    end_tool(context, work, EndTool { call: id, epoch: call.epoch + 1, end }, &started).await
}

/// Takes the call; `None`: a worker died in the middle of it and it may not be repeated, so it is over.
async fn start(context: &Context, work: &Work, call: &ToolCall) -> std::result::Result<Option<Record>, CommandError> {
    let command = StartTool { call: call.call, epoch: call.epoch + 1 };
    let outcome = context.commands.react(work.conversation, command, work.cause()).await?;
    let record = outcome.records.last().cloned();
    Ok(record.filter(|record| matches!(record.event(), Ok(Decoded::Known(ConversationEvent::ToolCallStarted(_))))))
}

/// What is to be done, or why it cannot be: found out before anything is claimed.
async fn prepare<'c>(
    context: &'c Context,
    loaded: &Loaded,
    call: &ToolCall,
) -> Result<std::result::Result<(&'c Tool, Value), String>> {
    let Some(arguments) = arguments(context, loaded, call).await? else {
        return Ok(Err("the arguments cannot be read any more".into()));
    };
    let Some(tool) = context.tools.get(&call.tool) else {
        return Ok(Err("there is no such tool any more".into()));
    };
    Ok(context.tools.check(tool, &arguments).map(|arguments| (tool, arguments)))
}

async fn perform(
    context: &Context,
    loaded: &Loaded,
    call: &ToolCall,
    prepared: std::result::Result<(&Tool, Value), String>,
) -> Outcome {
    let id = call.call.to_string();
    match prepared {
        Ok((tool, arguments)) => {
            context.tools.run(tool, tool::Call { tenant: &loaded.tenant, id: &id }, &arguments).await
        }
        Err(wrong) => Outcome::Failed(wrong),
    }
}

/// The arguments that count: a person's, where one has edited them. `None`: erased.
async fn arguments(context: &Context, loaded: &Loaded, call: &ToolCall) -> Result<Option<String>> {
    let mut after = call.requested.saturating_sub(1);
    let mut found = None;
    loop {
        let records = context.store.load(loaded.id, after, PAGE).await?;
        for record in &records {
            let (name, sealed) = match record.event() {
                Ok(Decoded::Known(ConversationEvent::ToolCallRequested(event))) if event.call == call.call => {
                    ("arguments", Some(event.arguments))
                }
                Ok(Decoded::Known(ConversationEvent::ToolCallApproved(event))) if event.call == call.call => {
                    ("edited", event.edited)
                }
                _ => continue,
            };
            if let Some(sealed) = sealed {
                let field = Field::new(&loaded.tenant, loaded.id, call.call, name);
                found = context.keyring.open(&sealed, &field).await?;
            }
        }
        match records.last() {
            Some(last) if records.len() == PAGE => after = last.sequence,
            _ => return Ok(found),
        }
    }
}

fn sealed(work: &Work, key: &ContentKey, call: CallId, outcome: Outcome) -> ToolEnd {
    let seal =
        |name: &'static str, text: &str| key.seal(&Field::new(&work.tenant, work.conversation, call, name), text);
    match outcome {
        Outcome::Done { result, provenance, cached, .. } => ToolEnd::Completed {
            result: seal("result", &result.to_string()),
            provenance: (!provenance.is_empty()).then(|| seal("provenance", &Value::from(provenance).to_string())),
            cached,
        },
        Outcome::Failed(error) => ToolEnd::Failed(seal("error", &error)),
        Outcome::Uncertain(error) => ToolEnd::Uncertain(seal("error", &error)),
    }
}

/// Appends the end, however long the store takes to answer again: what a tool did must not be forgotten.
async fn end_tool(context: &Context, work: &Work, command: EndTool, started: &Record) -> Result<Left> {
    let mut pause = Duration::from_millis(100);
    loop {
        let cause = Cause { event: started.id, ..work.cause() };
        match context.commands.react(work.conversation, command.clone(), cause).await {
            Ok(_) | Err(CommandError::Stale) => return Ok(Left::Nothing),
            Err(error) if error.kind() != Kind::Unavailable => return Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, call = %command.call, "the end of a tool call has to wait for the store")
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// What a call of `ask_agent` asks: the agent and the request. `None`: it cannot be read (any more).
pub(crate) async fn asked(context: &Context, loaded: &Loaded, call: &ToolCall) -> Result<Option<(String, String)>> {
    let arguments = arguments(context, loaded, call).await?.and_then(|json| serde_json::from_str::<Value>(&json).ok());
    let text = |arguments: &Value, name: &str| arguments.get(name)?.as_str().map(str::to_owned);
    Ok(arguments.and_then(|arguments| Some((text(&arguments, "agent")?, text(&arguments, "request")?))))
}

/// Ends a call that no worker has to begin: it cannot be.
pub(crate) async fn fail(context: &Context, work: &Work, turn: &Turn, call: &ToolCall, reason: &str) -> Result<()> {
    let key = context.keyring.content_key(turn.person, work.conversation).await?;
    let end = sealed(work, &key, call.call, Outcome::Failed(reason.to_owned()));
    let end = EndTool { call: call.call, epoch: call.epoch, end };
    context.commands.react(work.conversation, end, work.cause()).await?;
    Ok(())
}
