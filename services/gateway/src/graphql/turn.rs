//! All that answers one message.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use events::TurnId;
use projections::{RunRow, TurnRow};

use super::connection::{wants, wants_deep};
use super::enums::RunStatus;
use super::message::Message;
use super::run::{AgentRun, status};
use super::scalars::Time;
use super::{Answer, caller, id, services};

/// All that answers one message.
#[derive(Clone)]
pub(crate) struct Turn {
    row: Arc<TurnRow>,
    /// Known where they were fetched together with other turns'.
    runs: Option<Vec<AgentRun>>,
}

impl From<TurnRow> for Turn {
    fn from(row: TurnRow) -> Self {
        Self { row: Arc::new(row), runs: None }
    }
}

/// The runs of a page's turns, by turn, where the document asks for them.
pub(super) struct Runs(Option<HashMap<TurnId, Vec<AgentRun>>>);

impl Runs {
    /// Fetches what the page needs, at once.
    pub(super) async fn of(context: &Context<'_>, turns: &[TurnId]) -> Answer<Self> {
        if !wants(context, "runs") {
            return Ok(Self(None));
        }
        let rows = services(context)?.read_model.runs_of_turns(turns).await?;
        let mut runs = HashMap::with_capacity(rows.len());
        let messages = messages(context, rows.values().flatten()).await?;
        for (turn, rows) in rows {
            let of_turn = rows.into_iter().map(|row| {
                let message = messages.get(&row.message).cloned();
                AgentRun::from(row).writing(message)
            });
            runs.insert(turn, of_turn.collect());
        }
        Ok(Self(Some(runs)))
    }

    /// One turn with its runs.
    pub(super) fn turn(&mut self, row: TurnRow) -> Turn {
        let runs = self.0.as_mut().map(|runs| runs.remove(&row.id).unwrap_or_default());
        Turn { row: Arc::new(row), runs }
    }
}

/// The messages of these runs, where the document asks for them.
async fn messages(
    context: &Context<'_>,
    runs: impl Iterator<Item = &RunRow>,
) -> Answer<HashMap<events::MessageId, Message>> {
    if !wants_deep(context, "runs", "message") {
        return Ok(HashMap::new());
    }
    let (services, caller) = (services(context)?, caller(context)?);
    let ids: Vec<_> = runs.map(|run| run.message).collect();
    let rows = services.read_model.messages_by_id(&caller.tenant, caller.person, &ids).await?;
    let found = Message::found_all(context, rows.into_values().collect()).await?;
    Ok(found.into_iter().map(|message| (message.row().id, message)).collect())
}

/// All that answers one message, or a run that somebody asked for.
#[Object]
impl Turn {
    /// `turn_…`.
    pub(crate) async fn id(&self) -> ID {
        id(self.row.id)
    }

    /// How far it has come.
    async fn status(&self) -> RunStatus {
        status(self.row.status)
    }

    /// When it began.
    async fn started_at(&self) -> Time {
        self.row.started_at.into()
    }

    /// When it ended, well or badly.
    async fn ended_at(&self) -> Option<Time> {
        self.row.ended_at.map(Time)
    }

    /// Its runs, in the order of the plan.
    async fn runs(&self, context: &Context<'_>) -> Answer<Vec<AgentRun>> {
        if let Some(runs) = &self.runs {
            return Ok(runs.clone());
        }
        let mut rows = services(context)?.read_model.runs_of_turns(&[self.row.id]).await?;
        Ok(rows.remove(&self.row.id).unwrap_or_default().into_iter().map(AgentRun::from).collect())
    }
}
