//! A message, sent or being written.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, ID, Json, Object};
use events::{ConversationId, Kind, MessageId, RunId, Sequence};
use projections::{Author, MessageRow};
use serde_json::Value;

use super::connection::wants;
use super::conversation::Conversation;
use super::enums::{FinishReason, MessageStatus, Role};
use super::run::AgentRun;
use super::scalars::Time;
use super::spent::Usage;
use super::texts::{Names, open};
use super::{Answer, caller, id, services, settle};
use crate::Error;

/// What a message is that names no type.
const PLAIN: &str = "text";

/// A message of a person or an agent.
#[derive(Clone)]
pub(crate) struct Message {
    row: Arc<MessageRow>,
    author: String,
    /// Known where the message was found under it.
    conversation: Option<Conversation>,
    /// Known where it was fetched together with others'.
    run: Option<AgentRun>,
    /// As well: all answers to the question that it answers.
    answers: Option<Arc<Vec<MessageRow>>>,
    /// The event that the read model must have seen to know what belongs to it; 0 where it came from there.
    settled: Sequence,
}

/// What rows of messages need to be shown, fetched for all of them at once.
pub(super) struct Shown {
    names: Names,
    runs: HashMap<RunId, AgentRun>,
    answers: Option<HashMap<MessageId, Arc<Vec<MessageRow>>>>,
    parents: HashMap<ConversationId, Conversation>,
}

impl Shown {
    /// For a page's rows; `parent` where all stand in one conversation.
    pub(super) async fn of<'r>(
        context: &Context<'_>,
        rows: impl Iterator<Item = &'r MessageRow> + Clone,
        parent: Option<&Conversation>,
    ) -> Answer<Self> {
        let (services, caller) = (services(context)?, caller(context)?);
        let names = names(context, rows.clone()).await?;
        let mut runs = HashMap::new();
        let mut answers = None;
        if wants(context, "alternatives") || wants(context, "supersededBy") {
            let first: Vec<_> = rows.clone().filter(|row| row.run.is_some()).map(MessageRow::first_answer).collect();
            let found = services.read_model.answers(&first).await?;
            answers = Some(found.into_iter().map(|(first, rows)| (first, Arc::new(rows))).collect());
        }
        if wants(context, "run") {
            let ids: Vec<_> = rows.filter_map(|row| row.run).collect();
            let found = services.read_model.runs_by_id(&caller.tenant, caller.person, &ids).await?;
            runs = found.into_iter().map(|(id, row)| (id, AgentRun::from(row))).collect();
        }
        let parents = parent.map(|parent| (parent.row().id, parent.clone())).into_iter().collect();
        Ok(Self { names, runs, answers, parents })
    }

    /// One row, shown.
    pub(super) fn message(&mut self, row: MessageRow) -> Message {
        let conversation = self.parents.get(&row.conversation).cloned();
        let run = row.run.and_then(|run| self.runs.remove(&run));
        let answers = self.answers.as_ref().map(|all| all.get(&row.first_answer()).cloned().unwrap_or_default());
        Message { conversation, run, answers, ..Message::alone(&self.names, row) }
    }
}

impl Message {
    fn alone(names: &Names, row: MessageRow) -> Self {
        let author = author(names, &row.author);
        Self { row: Arc::new(row), author, conversation: None, run: None, answers: None, settled: 0 }
    }

    /// A row that was found alone.
    pub(super) async fn found(context: &Context<'_>, row: MessageRow) -> Answer<Self> {
        let names = names(context, std::iter::once(&row)).await?;
        Ok(Self::alone(&names, row))
    }

    /// Several rows, each alone; their authors' names are asked for together.
    pub(super) async fn found_all(context: &Context<'_>, rows: Vec<MessageRow>) -> Answer<Vec<Self>> {
        let names = names(context, rows.iter()).await?;
        Ok(rows.into_iter().map(|row| Self::alone(&names, row)).collect())
    }

    /// As a command decided it.
    pub(super) async fn decided(context: &Context<'_>, row: MessageRow, place: Conversation) -> Answer<Self> {
        let settled = place.row().sequence;
        let message = Self::found(context, row).await?;
        Ok(Self { conversation: Some(place), settled, ..message })
    }

    /// The message with the run that writes it.
    pub(super) fn by(self, run: AgentRun) -> Self {
        Self { run: Some(run), ..self }
    }

    pub(super) fn row(&self) -> &MessageRow {
        &self.row
    }

    /// All answers to the question that it answers, oldest first; of a person's message none.
    async fn answers(&self, context: &Context<'_>) -> Answer<Arc<Vec<MessageRow>>> {
        if let Some(answers) = &self.answers {
            return Ok(answers.clone());
        }
        if self.row.run.is_none() {
            return Ok(Arc::default());
        }
        let (services, first) = (services(context)?, self.row.first_answer());
        settle(services, self.row.conversation, self.settled).await?;
        Ok(Arc::new(services.read_model.answers(&[first]).await?.remove(&first).unwrap_or_default()))
    }

    /// The text, once it ended; `None` inside: erased.
    async fn ended_text(&self, context: &Context<'_>) -> Answer<Option<Option<String>>> {
        let Some(sealed) = &self.row.text else { return Ok(None) };
        let (services, caller) = (services(context)?, caller(context)?);
        open(services, sealed, &caller.tenant, self.row.conversation, self.row.id, "text").await.map(Some)
    }
}

async fn names<'r>(context: &Context<'_>, rows: impl Iterator<Item = &'r MessageRow>) -> Answer<Names> {
    let persons = rows.filter_map(|row| match row.author {
        Author::Person(person) => Some(person),
        Author::Agent(_) => None,
    });
    let mut persons: Vec<_> = persons.collect();
    persons.sort_unstable();
    persons.dedup();
    Names::of(services(context)?, &persons).await
}

fn author(names: &Names, author: &Author) -> String {
    match author {
        Author::Person(person) => names.name(*person),
        Author::Agent(name) => name.clone(),
    }
}

/// A message of a person or an agent.
#[Object]
impl Message {
    /// `msg_…`.
    pub(crate) async fn id(&self) -> ID {
        id(self.row.id)
    }

    /// Where it stands.
    async fn conversation(&self, context: &Context<'_>) -> Answer<Conversation> {
        if let Some(conversation) = &self.conversation {
            return Ok(conversation.clone());
        }
        let (services, caller) = (services(context)?, caller(context)?);
        let row = services.read_model.conversation(&caller.tenant, caller.person, self.row.conversation).await?;
        Ok(row.ok_or(Error::NotFound("conversation"))?.into())
    }

    /// Whose message it is, in a model's terms.
    async fn role(&self) -> Role {
        match self.row.role {
            projections::Role::User => Role::User,
            projections::Role::Assistant => Role::Assistant,
        }
    }

    /// Who said it: a person's id or an agent's name.
    async fn author(&self) -> &str {
        &self.author
    }

    /// The text so far while STREAMING, all of it afterwards; empty where it was erased.
    async fn text(&self, context: &Context<'_>) -> Answer<String> {
        if let Some(text) = self.ended_text(context).await? {
            return Ok(text.unwrap_or_default());
        }
        match services(context)?.live.text_so_far(self.row.conversation, self.row.id).await {
            // The pieces are on the log alone. Without it the rest of the answer is still worth having; the text comes later.
            Err(Error::Log(error)) if error.kind() == Kind::Unavailable => {
                tracing::warn!(%error, message = %self.row.id, "the text so far cannot be had");
                Ok(String::new())
            }
            text => Ok(text?),
        }
    }

    /// Its text is gone for good: the keys of the person it belonged to were destroyed.
    async fn erased(&self, context: &Context<'_>) -> Answer<bool> {
        Ok(self.ended_text(context).await? == Some(None))
    }

    /// How far it has come.
    async fn status(&self) -> MessageStatus {
        match self.row.status {
            projections::MessageStatus::Streaming => MessageStatus::Streaming,
            projections::MessageStatus::Completed => MessageStatus::Completed,
            projections::MessageStatus::Failed => MessageStatus::Failed,
            projections::MessageStatus::Stopped => MessageStatus::Stopped,
        }
    }

    /// The sender's word for what kind of message it is; `text` where they said none.
    async fn message_type(&self, context: &Context<'_>) -> Answer<String> {
        let Some(sealed) = &self.row.message_type else { return Ok(PLAIN.to_owned()) };
        let (services, caller) = (services(context)?, caller(context)?);
        let opened = open(services, sealed, &caller.tenant, self.row.conversation, self.row.id, "message_type").await?;
        Ok(opened.unwrap_or_else(|| PLAIN.to_owned()))
    }

    /// JSON of the sender's own.
    async fn metadata(&self, context: &Context<'_>) -> Answer<Option<Json<Value>>> {
        let Some(sealed) = &self.row.metadata else { return Ok(None) };
        let (services, caller) = (services(context)?, caller(context)?);
        let opened = open(services, sealed, &caller.tenant, self.row.conversation, self.row.id, "metadata").await?;
        let Some(text) = opened else { return Ok(None) };
        let value = serde_json::from_str(&text).map_err(|_| Error::Broken("metadata is no JSON".into()))?;
        Ok(Some(Json(value)))
    }

    /// The run that wrote it.
    async fn run(&self, context: &Context<'_>) -> Answer<Option<AgentRun>> {
        let Some(run) = self.row.run else { return Ok(None) };
        if self.run.is_some() {
            return Ok(self.run.clone());
        }
        let (services, caller) = (services(context)?, caller(context)?);
        settle(services, self.row.conversation, self.settled).await?;
        Ok(services.read_model.run(&caller.tenant, caller.person, run).await?.map(AgentRun::from))
    }

    /// When it was sent, or planned.
    async fn created_at(&self) -> Time {
        self.row.created_at.into()
    }

    /// When it ended, well or badly.
    async fn completed_at(&self) -> Option<Time> {
        self.row.completed_at.map(Time)
    }

    /// Why it ended, where an agent wrote it.
    async fn finish_reason(&self) -> Option<FinishReason> {
        match self.row.status {
            projections::MessageStatus::Failed => Some(FinishReason::Error),
            projections::MessageStatus::Stopped => Some(FinishReason::Stopped),
            _ => self.row.finish_reason.map(FinishReason::from),
        }
    }

    /// Tokens of all model calls of its run, once it ended.
    async fn usage(&self) -> Option<Usage> {
        self.row.spent.usage.map(Usage::from)
    }

    /// Other answers to the same question, oldest first; prompts use the newest.
    async fn alternatives(&self, context: &Context<'_>) -> Answer<Vec<Message>> {
        let answers = self.answers(context).await?;
        let others: Vec<_> = answers.iter().filter(|row| row.id != self.row.id).cloned().collect();
        Self::found_all(context, others).await
    }

    /// The newest answer to the same question that has not failed, where this is an older one.
    async fn superseded_by(&self, context: &Context<'_>) -> Answer<Option<Message>> {
        let answers = self.answers(context).await?;
        let later = answers.iter().rev().take_while(|later| later.id != self.row.id);
        match { later }.find(|later| later.status != projections::MessageStatus::Failed) {
            Some(newest) => Self::found(context, newest.clone()).await.map(Some),
            None => Ok(None),
        }
    }
}
