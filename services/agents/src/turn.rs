//! The beginning of a turn: which agents answer a message.

use std::time::Duration;

use commands::rules::code;
use commands::{Error as CommandError, StartTurn};
use events::event::PlannedRun;
use events::{Field, MessageId, RunId, TurnId};

use crate::Result;
use crate::context::Context;
use crate::work::{Task, Work};

/// Until another look, where another turn still runs whose work has not been seen yet.
const SOON: Duration = Duration::from_millis(50);

/// What became of a turn's beginning.
pub(crate) enum Begun {
    /// There is nothing to begin (any more).
    Nothing,
    /// Another turn comes first.
    Later(Duration),
    /// It began; this is its first run.
    Run(Work, RunId),
}

/// Begins the turn of a message, if it waits for one.
pub(crate) async fn begin(context: &Context, work: &Work, message: MessageId) -> Result<Begun> {
    let Some(loaded) = context.commands.load(work.conversation).await? else { return Ok(Begun::Nothing) };
    let Some(waiting) = loaded.state.waiting.iter().find(|waiting| waiting.message == message) else {
        return Ok(Begun::Nothing);
    };
    if loaded.state.turn.is_some() {
        return Ok(Begun::Later(SOON));
    }
    let key = context.keyring.content_key(waiting.author, work.conversation).await?;
    let turn = TurnId::generate();
    let runs: Vec<PlannedRun> = loaded.state.agents.iter().cloned().map(plan).collect();
    let Some(first) = runs.first().map(|planned| planned.run) else { return Ok(Begun::Nothing) };
    let reason =
        key.seal(&Field::new(&work.tenant, work.conversation, turn, "reason"), "every agent of the conversation");
    let command = StartTurn { turn, message, runs, reason };
    match context.commands.start_turn(work.conversation, command, work.cause()).await {
        Ok(outcome) => {
            let Some(planned) = outcome.records.last() else { return Ok(Begun::Nothing) };
            let work = Work {
                conversation: work.conversation,
                task: Task::Run(first),
                sequence: planned.sequence,
                cause: planned.id,
                correlation: planned.correlationid,
                traceparent: work.traceparent.clone(),
                tenant: work.tenant.clone(),
            };
            Ok(Begun::Run(work, first))
        }
        Err(CommandError::Rejected(rejection)) if rejection.code == code::TURN_RUNNING => Ok(Begun::Later(SOON)),
        Err(CommandError::Rejected(_) | CommandError::NotFound) => Ok(Begun::Nothing),
        Err(error) => Err(error.into()),
    }
}

fn plan(agent: String) -> PlannedRun {
    PlannedRun { run: RunId::generate(), message: MessageId::generate(), agent, model: None, instructions: None }
}
