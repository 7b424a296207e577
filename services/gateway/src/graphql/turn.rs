//! All that answers one message.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, ID, Json, Object};
use events::{RunId, TurnId};
use projections::{RunRow, TurnRow};
use serde_json::Value;

use super::connection::{wants, wants_deep};
use super::enums::RunStatus;
use super::message::Message;
use super::plan;
use super::run::AgentRun;
use super::scalars::Time;
use super::spent::{Cost, Usage};
use super::texts::open;
use super::tool_call::ToolCall;
use super::{Answer, caller, id, services};

/// All that answers one message.
#[derive(Clone)]
pub(crate) struct Turn {
    row: Arc<TurnRow>,
    /// Known where they were fetched together with other turns'.
    runs: Option<Arc<OfTurn>>,
}

/// The runs of a turn: as they are shown, and as the plan is made of them.
#[derive(Default)]
struct OfTurn {
    shown: Vec<AgentRun>,
    rows: Vec<RunRow>,
}

impl From<TurnRow> for Turn {
    fn from(row: TurnRow) -> Self {
        Self { row: Arc::new(row), runs: None }
    }
}

/// The runs of a page's turns, by turn, where the document asks for them.
pub(super) struct Runs(Option<HashMap<TurnId, OfTurn>>);

impl Runs {
    /// Fetches what the page needs, at once.
    pub(super) async fn of(context: &Context<'_>, turns: &[TurnId]) -> Answer<Self> {
        if !wants(context, "runs") && !wants(context, "plan") {
            return Ok(Self(None));
        }
        let rows = services(context)?.read_model.runs_of_turns(turns).await?;
        let mut runs = HashMap::with_capacity(rows.len());
        let messages = messages(context, rows.values().flatten()).await?;
        let mut tool_calls = tool_calls(context, rows.values().flatten()).await?;
        for (turn, rows) in rows {
            let shown = rows.iter().map(|row| {
                let wanted = tool_calls.as_mut().map(|all| all.remove(&row.id).unwrap_or_default());
                AgentRun::from(row.clone()).writing(messages.get(&row.message).cloned()).wanting(wanted)
            });
            runs.insert(turn, OfTurn { shown: shown.collect(), rows });
        }
        Ok(Self(Some(runs)))
    }

    /// One turn with its runs.
    pub(super) fn turn(&mut self, row: TurnRow) -> Turn {
        let runs = self.0.as_mut().map(|runs| Arc::new(runs.remove(&row.id).unwrap_or_default()));
        Turn { row: Arc::new(row), runs }
    }
}

/// The tool calls of these runs, where the document asks for them.
async fn tool_calls(
    context: &Context<'_>,
    runs: impl Iterator<Item = &RunRow>,
) -> Answer<Option<HashMap<RunId, Vec<ToolCall>>>> {
    if !wants_deep(context, "runs", "toolCalls") {
        return Ok(None);
    }
    let ids: Vec<_> = runs.map(|run| run.id).collect();
    let rows = services(context)?.read_model.tool_calls_of_runs(&ids).await?;
    Ok(Some(rows.into_iter().map(|(run, calls)| (run, calls.into_iter().map(ToolCall::from).collect())).collect()))
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
        self.row.status.into()
    }

    /// When it began; while QUEUED, since when it waits.
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
            return Ok(runs.shown.clone());
        }
        Ok(self.rows(context).await?.into_iter().map(AgentRun::from).collect())
    }

    /// `{"kind": "fixed" | "rules" | "model", "steps": [{"run", "agent", "after": [run, …]}], "more"}`: who made the last plan, all
    /// steps so far, whether another plan follows. Absent while QUEUED.
    async fn plan(&self, context: &Context<'_>) -> Answer<Option<Json<Value>>> {
        let plan = match &self.runs {
            Some(runs) => plan::of_turn(&self.row, &runs.rows),
            None => plan::of_turn(&self.row, &self.rows(context).await?),
        };
        Ok(plan.map(Json))
    }

    /// Why it failed, else why the last plan is as it is, in words for a person; absent also where that was erased.
    async fn reason(&self, context: &Context<'_>) -> Answer<Option<String>> {
        let Some(sealed) = self.row.reason.as_ref().or(self.row.plan_reason.as_ref()) else { return Ok(None) };
        let (services, caller) = (services(context)?, caller(context)?);
        open(services, sealed, &caller.tenant, self.row.conversation, self.row.id, "reason").await
    }

    /// Tokens of all its model calls so far, also of those that failed.
    async fn usage(&self) -> Usage {
        Usage::sum(&self.row.spent)
    }

    /// What all its model calls cost so far.
    async fn cost(&self, context: &Context<'_>) -> Answer<Cost> {
        Ok(Cost::sum(&self.row.spent, &services(context)?.currency))
    }

    /// The last step's message; absent as long as another plan follows.
    async fn answer(&self, context: &Context<'_>) -> Answer<Option<Message>> {
        let Some(answer) = self.row.answer.filter(|_| !self.row.more || !self.row.status.is_open()) else {
            return Ok(None);
        };
        let (services, caller) = (services(context)?, caller(context)?);
        match services.read_model.message(&caller.tenant, caller.person, answer).await? {
            Some(row) => Message::found(context, row).await.map(Some),
            None => Ok(None),
        }
    }
}

impl Turn {
    async fn rows(&self, context: &Context<'_>) -> Answer<Vec<RunRow>> {
        let mut rows = services(context)?.read_model.runs_of_turns(&[self.row.id]).await?;
        Ok(rows.remove(&self.row.id).unwrap_or_default())
    }
}
