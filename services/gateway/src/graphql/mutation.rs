//! What can be asked to happen.

use async_graphql::{Context, ID, Object};
use commands::{
    AddParticipant, ArchiveConversation, Caller, RemoveParticipant, RenameConversation, SendMessage, StartAgent,
    StartConversation,
};
use events::ConversationId;

use super::inputs::{
    ArchiveConversationInput, ParticipantInput, RenameConversationInput, SendMessageInput, StartAgentInput,
    StartConversationInput,
};
use super::message::Message;
use super::payload::{
    ArchiveConversationPayload, Decision, ParticipantPayload, RenameConversationPayload, SendMessagePayload,
    StartAgentPayload, StartConversationPayload,
};
use super::run::AgentRun;
use super::{Answer, caller, decided, services};
use crate::Error;
use crate::http::{IdempotencyHeader, Trace, check_key};

/// The mutation root.
pub(crate) struct Mutation;

/// Every mutation is a command: what it decides is durable before it answers. `errors` says which rule said no; then the
/// objects are null.
#[Object]
impl Mutation {
    /// Starts a conversation of yours.
    async fn start_conversation(
        &self,
        context: &Context<'_>,
        input: StartConversationInput,
    ) -> Answer<StartConversationPayload> {
        let asking = asking(context, input.idempotency_key)?;
        let command =
            StartConversation { title: input.title, agents: input.agents, metadata: input.metadata.map(|json| json.0) };
        let decision = Decision::of(services(context)?.commands.start_conversation(&asking, command).await)?;
        Ok(StartConversationPayload::of(decision, caller(context)?, input.client_mutation_id))
    }

    /// Gives a conversation another title.
    async fn rename_conversation(
        &self,
        context: &Context<'_>,
        input: RenameConversationInput,
    ) -> Answer<RenameConversationPayload> {
        let asking = asking(context, input.idempotency_key)?;
        let command = RenameConversation { conversation: conversation(&input.conversation_id)?, title: input.title };
        let decision = Decision::of(services(context)?.commands.rename_conversation(&asking, command).await)?;
        Ok(RenameConversationPayload::of(decision, caller(context)?, input.client_mutation_id))
    }

    /// Closes a conversation for new messages; it stays readable.
    async fn archive_conversation(
        &self,
        context: &Context<'_>,
        input: ArchiveConversationInput,
    ) -> Answer<ArchiveConversationPayload> {
        let asking = asking(context, input.idempotency_key)?;
        let command = ArchiveConversation { conversation: conversation(&input.conversation_id)? };
        let decision = Decision::of(services(context)?.commands.archive_conversation(&asking, command).await)?;
        Ok(ArchiveConversationPayload::of(decision, caller(context)?, input.client_mutation_id))
    }

    /// Brings a person in: they see the conversation from its beginning and may write.
    async fn add_participant(&self, context: &Context<'_>, input: ParticipantInput) -> Answer<ParticipantPayload> {
        let asking = asking(context, input.idempotency_key)?;
        let command = AddParticipant { conversation: conversation(&input.conversation_id)?, person: input.person };
        let decision = Decision::of(services(context)?.commands.add_participant(&asking, command).await)?;
        Ok(ParticipantPayload::of(decision, caller(context)?, input.client_mutation_id))
    }

    /// Takes a person out, or lets you leave. Live streams of a removed participant close within 1 s.
    async fn remove_participant(&self, context: &Context<'_>, input: ParticipantInput) -> Answer<ParticipantPayload> {
        let asking = asking(context, input.idempotency_key)?;
        let command = RemoveParticipant { conversation: conversation(&input.conversation_id)?, person: input.person };
        let decision = Decision::of(services(context)?.commands.remove_participant(&asking, command).await)?;
        Ok(ParticipantPayload::of(decision, caller(context)?, input.client_mutation_id))
    }

    /// Says something; without `conversationId` in a new conversation. Answers once the message is durable; the agents
    /// answer in the stream.
    async fn send_message(&self, context: &Context<'_>, input: SendMessageInput) -> Answer<SendMessagePayload> {
        let asking = asking(context, input.idempotency_key)?;
        let command = SendMessage {
            conversation: input.conversation_id.as_ref().map(conversation).transpose()?,
            text: input.text,
            message_type: input.message_type,
            metadata: input.metadata.map(|json| json.0),
        };
        let decision = Decision::of(services(context)?.commands.send_message(&asking, command).await)?;
        let message = match decision.conversation(caller(context)?).zip(decision.outcome().and_then(decided::sent)) {
            Some((place, row)) => Some(Message::decided(context, row, place).await?),
            None => None,
        };
        Ok(SendMessagePayload::of(decision, caller(context)?, message, input.client_mutation_id))
    }

    /// Runs one agent on a conversation as it stands, with no new message.
    async fn start_agent(&self, context: &Context<'_>, input: StartAgentInput) -> Answer<StartAgentPayload> {
        let asking = asking(context, input.idempotency_key)?;
        let command = StartAgent {
            conversation: conversation(&input.conversation_id)?,
            agent: input.agent,
            model: input.model,
            instructions: input.instructions,
        };
        let decision = Decision::of(services(context)?.commands.start_agent(&asking, command).await)?;
        let planned = decision.outcome().and_then(|outcome| Some((outcome.sequence(), decided::planned(outcome)?)));
        let planned = match decision.conversation(caller(context)?).zip(planned) {
            Some((place, (sequence, (run, message)))) => {
                let run = AgentRun::decided(run, sequence);
                let message = Message::decided(context, message, place).await?.by(run.clone());
                Some((run.writing(Some(message.clone())), message))
            }
            None => None,
        };
        Ok(StartAgentPayload::of(decision, planned, input.client_mutation_id))
    }
}

/// Who asks, as `commands` wants to know it. The input's idempotency key wins over the header's.
fn asking(context: &Context<'_>, key: Option<String>) -> Answer<Caller> {
    let caller = caller(context)?;
    let idempotency_key = match key {
        Some(key) => Some(check_key(key)?),
        None => match context.data_opt::<IdempotencyHeader>() {
            Some(header) => header.key()?,
            None => None,
        },
    };
    Ok(Caller {
        tenant: caller.tenant.clone(),
        person: caller.person,
        issuer: caller.issuer.clone(),
        idempotency_key,
        traceparent: context.data_opt::<Trace>().map(|trace| trace.parent.clone()).filter(|parent| !parent.is_empty()),
    })
}

/// The conversation that an input names.
fn conversation(id: &ID) -> Answer<ConversationId> {
    let parsed = id.parse::<ConversationId>();
    Ok(parsed.map_err(|error| Error::Invalid(format!("conversationId is {error}")))?)
}
