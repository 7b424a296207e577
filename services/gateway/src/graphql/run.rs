//! One agent's part in a turn.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use events::Sequence;
use projections::RunRow;

use super::enums::RunStatus;
use super::message::Message;
use super::scalars::{Time, int};
use super::spent::{Cost, Usage};
use super::texts::open;
use super::tool_call::ToolCall;
use super::{Answer, caller, id, services, settle};

/// One agent's part in a turn.
#[derive(Clone)]
pub(crate) struct AgentRun {
    row: Arc<RunRow>,
    /// Known where it was fetched together with others'.
    message: Option<Box<Message>>,
    /// As well.
    tool_calls: Option<Vec<ToolCall>>,
    /// The event that the read model must have seen to know what belongs to it; 0 where it came from there.
    settled: Sequence,
}

impl From<RunRow> for AgentRun {
    fn from(row: RunRow) -> Self {
        Self { row: Arc::new(row), message: None, tool_calls: None, settled: 0 }
    }
}

impl AgentRun {
    /// As a command planned it.
    pub(super) fn decided(row: RunRow, settled: Sequence) -> Self {
        Self { settled, ..Self::from(row) }
    }

    /// The run with the message that it writes.
    pub(super) fn writing(self, message: Option<Message>) -> Self {
        Self { message: message.map(Box::new), ..self }
    }

    /// The run with what it wants done.
    pub(super) fn wanting(self, tool_calls: Option<Vec<ToolCall>>) -> Self {
        Self { tool_calls, ..self }
    }
}

/// One agent's part in a turn: it writes one message.
#[Object]
impl AgentRun {
    /// `run_…`.
    pub(crate) async fn id(&self) -> ID {
        id(self.row.id)
    }

    /// The agent's name.
    async fn agent(&self) -> &str {
        &self.row.agent
    }

    /// What it asks: `offline` or `<provider>/<model>`.
    async fn model(&self, context: &Context<'_>) -> Answer<String> {
        if let Some(model) = &self.row.model {
            return Ok(model.clone());
        }
        let agent = services(context)?.commands.catalog().agent(&self.row.agent);
        Ok(agent.map(|agent| agent.model.clone()).unwrap_or_default())
    }

    /// How far it has come; RUNNING with epoch 0 while it waits for a worker, QUEUED while for other runs.
    async fn status(&self) -> RunStatus {
        self.row.status.into()
    }

    /// Attempt number; grows when a worker died and another took over.
    async fn epoch(&self) -> i32 {
        int(self.row.epoch)
    }

    /// When its last attempt began.
    async fn started_at(&self) -> Time {
        self.row.started_at.into()
    }

    /// When it ended, well or badly.
    async fn ended_at(&self) -> Option<Time> {
        self.row.ended_at.map(Time)
    }

    /// What it writes.
    async fn message(&self, context: &Context<'_>) -> Answer<Option<Message>> {
        if let Some(message) = &self.message {
            return Ok(Some(Message::clone(message)));
        }
        let (services, caller) = (services(context)?, caller(context)?);
        settle(services, self.row.conversation, self.settled).await?;
        match services.read_model.message(&caller.tenant, caller.person, self.row.message).await? {
            Some(row) => Message::found(context, row).await.map(Some),
            None => Ok(None),
        }
    }

    /// What it wants done by tools, in its order.
    async fn tool_calls(&self, context: &Context<'_>) -> Answer<Vec<ToolCall>> {
        if let Some(tool_calls) = &self.tool_calls {
            return Ok(tool_calls.clone());
        }
        let services = services(context)?;
        settle(services, self.row.conversation, self.settled).await?;
        let mut rows = services.read_model.tool_calls_of_runs(&[self.row.id]).await?;
        Ok(rows.remove(&self.row.id).unwrap_or_default().into_iter().map(ToolCall::from).collect())
    }

    /// Tokens of all its model calls, also of those that failed.
    async fn usage(&self) -> Option<Usage> {
        self.row.spent.usage.map(Usage::from)
    }

    /// What all its model calls cost; absent where there was none.
    async fn cost(&self, context: &Context<'_>) -> Answer<Option<Cost>> {
        let currency = &services(context)?.currency;
        Ok((!self.row.spent.is_nothing()).then(|| Cost::sum(&self.row.spent, currency)))
    }

    /// Why it failed, in words for a person; absent also where that was erased.
    async fn error(&self, context: &Context<'_>) -> Answer<Option<String>> {
        let Some(sealed) = &self.row.error else { return Ok(None) };
        let (services, caller) = (services(context)?, caller(context)?);
        open(services, sealed, &caller.tenant, self.row.conversation, self.row.id, "error").await
    }
}
