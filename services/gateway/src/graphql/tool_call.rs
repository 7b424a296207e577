//! What a model wants done.

use std::sync::Arc;

use async_graphql::{Context, ID, Json, Object};
use events::{CallId, Sealed, Sequence};
use projections::ToolCallRow;
use serde_json::Value;

use super::enums::ToolCallStatus;
use super::run::AgentRun;
use super::scalars::Time;
use super::texts::{Names, json, open};
use super::{Answer, caller, id, services, settle};
use crate::Error;

/// Something that a model wants done.
#[derive(Clone)]
pub(crate) struct ToolCall {
    row: Arc<ToolCallRow>,
    /// The event that the read model must have seen to know what belongs to it; 0 where it came from there.
    settled: Sequence,
}

impl From<ToolCallRow> for ToolCall {
    fn from(row: ToolCallRow) -> Self {
        Self { row: Arc::new(row), settled: 0 }
    }
}

impl ToolCall {
    /// As a command decided it.
    pub(super) fn decided(row: ToolCallRow, settled: Sequence) -> Self {
        Self { settled, ..Self::from(row) }
    }

    async fn open(&self, context: &Context<'_>, sealed: Option<&Sealed>, name: &'static str) -> Answer<Option<String>> {
        let Some(sealed) = sealed else { return Ok(None) };
        let (services, caller) = (services(context)?, caller(context)?);
        open(services, sealed, &caller.tenant, self.row.conversation, self.row.id, name).await
    }
}

/// The call of this id.
pub(super) fn call_id(id: &ID) -> Answer<CallId> {
    Ok(id.parse::<CallId>().map_err(|error| Error::Invalid(format!("toolCallId is {error}")))?)
}

/// Something that a model wants done by a tool: what, who allowed it, and what came of it.
#[Object]
impl ToolCall {
    /// `call_…`.
    pub(crate) async fn id(&self) -> ID {
        id(self.row.id)
    }

    /// The run that asks.
    async fn run(&self, context: &Context<'_>) -> Answer<AgentRun> {
        let (services, caller) = (services(context)?, caller(context)?);
        settle(services, self.row.conversation, self.settled).await?;
        let row = services.read_model.run(&caller.tenant, caller.person, self.row.run).await?;
        Ok(row.ok_or(Error::NotFound("run"))?.into())
    }

    /// The tool's name.
    async fn tool(&self) -> &str {
        &self.row.tool
    }

    /// What the tool gets: what a person wanted instead, where there is that, else what the model said; text where that is no
    /// JSON; an empty object where it was erased.
    async fn arguments(&self, context: &Context<'_>) -> Answer<Json<Value>> {
        let text = match &self.row.edited {
            Some(edited) => self.open(context, Some(edited), "edited").await?,
            None => self.open(context, Some(&self.row.arguments), "arguments").await?,
        };
        Ok(Json(json(text.as_deref())))
    }

    /// How far it has come.
    async fn status(&self) -> ToolCallStatus {
        self.row.status.into()
    }

    /// What it gave; absent also where that was erased.
    async fn result(&self, context: &Context<'_>) -> Answer<Option<Json<Value>>> {
        let text = self.open(context, self.row.result.as_ref(), "result").await?;
        Ok(text.map(|text| Json(json(Some(&text)))))
    }

    /// Why it did not work, or why a person said no, in words for a person; absent also where that was erased.
    async fn error(&self, context: &Context<'_>) -> Answer<Option<String>> {
        match &self.row.error {
            Some(error) => self.open(context, Some(error), "error").await,
            None => self.open(context, self.row.reason.as_ref(), "reason").await,
        }
    }

    /// When the model asked for it.
    async fn requested_at(&self) -> Time {
        self.row.requested_at.into()
    }

    /// Until when a person may decide; then it counts as rejected.
    async fn expires_at(&self) -> Option<Time> {
        self.row.expires_at.map(Time)
    }

    /// When it ended, whichever way.
    async fn ended_at(&self) -> Option<Time> {
        self.row.ended_at.map(Time)
    }

    /// Whose decision it was.
    async fn decided_by(&self, context: &Context<'_>) -> Answer<Option<String>> {
        let Some(person) = self.row.decided_by else { return Ok(None) };
        Ok(Some(Names::of(services(context)?, &[person]).await?.name(person)))
    }

    /// The result is one that the tool gave before, to the same arguments.
    async fn cached(&self) -> bool {
        self.row.cached
    }
}
