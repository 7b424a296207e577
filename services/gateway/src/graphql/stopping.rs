//! A turn that somebody stopped, until its workers have heard of it.

use std::time::Duration;

use async_graphql::Context;
use commands::{Conversation, Outcome};
use events::TurnId;
use tokio::time::{Instant, sleep};

use super::turn::Turn;
use super::{Answer, caller, decided, services};

/// How long the turn's end is waited for before the answer says that it is still under way.
const PATIENCE: Duration = Duration::from_secs(2);
const GLANCE: Duration = Duration::from_millis(20);

/// The turn that a command stopped: as it ended, or as it is when that takes too long.
pub(super) async fn stopped(context: &Context<'_>, outcome: &Outcome) -> Answer<Option<Turn>> {
    let (services, caller) = (services(context)?, caller(context)?);
    let Some(turn) = decided::stopped(outcome) else { return Ok(None) };
    let (conversation, deadline) = (outcome.loaded.id, Instant::now() + PATIENCE);
    let mut loaded = outcome.loaded.clone();
    while goes_on(&loaded.state, turn) && Instant::now() < deadline {
        sleep(GLANCE).await;
        let Some(newer) = services.commands.load(conversation).await? else { return Ok(None) };
        loaded = newer;
    }
    // What is decided is durable: rows that lag are no reason to say that it failed.
    let limit = deadline.saturating_duration_since(Instant::now()).max(GLANCE);
    services.read_model.wait_for(conversation, loaded.sequence, limit).await?;
    Ok(services.read_model.turn(&caller.tenant, caller.person, turn).await?.map(Turn::from))
}

fn goes_on(conversation: &Conversation, turn: TurnId) -> bool {
    let runs = conversation.turn.as_ref().is_some_and(|running| running.turn == turn);
    runs || conversation.waiting.iter().any(|waiting| waiting.turn == turn)
}
