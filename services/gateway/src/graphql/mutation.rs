//! What can be asked to happen.

use async_graphql::{Context, ID, Object};
use commands::{
    AddParticipant, ApproveToolCall, ArchiveConversation, Caller, ConfigureAgents, RegenerateMessage, RejectToolCall,
    RemoveParticipant, RenameConversation, SendMessage, StartAgent, StartConversation, StopTurn,
};
use events::{ConversationId, MessageId, TurnId};
use projections::MessageRow;

use super::approval::{self, edited, objection};
use super::inputs::{
    ApproveToolCallInput, ArchiveConversationInput, ConfigureAgentsInput, ParticipantInput, RegenerateMessageInput,
    RejectToolCallInput, RenameConversationInput, SendMessageInput, StartAgentInput, StartConversationInput,
    StopTurnInput,
};
use super::message::Message;
use super::payload::{
    ArchiveConversationPayload, ConfigureAgentsPayload, Decision, ParticipantPayload, RegenerateMessagePayload,
    RenameConversationPayload, SendMessagePayload, StartAgentPayload, StartConversationPayload, StopTurnPayload,
    ToolCallPayload,
};
use super::run::AgentRun;
use super::stopping::stopped;
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
            response_schema: input.response_schema.map(|json| json.0),
            overlap: input.overlap_policy.map(Into::into),
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
        let planned = planned(context, &decision, None).await?;
        Ok(StartAgentPayload::of(decision, planned, input.client_mutation_id))
    }

    /// Says who answers from now on, and how. A turn that runs goes on as it was planned.
    async fn configure_agents(
        &self,
        context: &Context<'_>,
        input: ConfigureAgentsInput,
    ) -> Answer<ConfigureAgentsPayload> {
        let asking = asking(context, input.idempotency_key)?;
        let command = ConfigureAgents {
            conversation: conversation(&input.conversation_id)?,
            agents: input.agents,
            overlap: input.overlap_policy.map(Into::into),
            approval: input.tool_approval.map(Into::into),
        };
        let decision = Decision::of(services(context)?.commands.configure_agents(&asking, command).await)?;
        Ok(ConfigureAgentsPayload::of(decision, caller(context)?, input.client_mutation_id))
    }

    /// Ends what is running; the partial text stays, with status STOPPED. Without turnId: whatever runs in the conversation.
    /// Answers when the turn has ended, after two seconds at most.
    async fn stop_turn(&self, context: &Context<'_>, input: StopTurnInput) -> Answer<StopTurnPayload> {
        let asking = asking(context, input.idempotency_key)?;
        let turn = input.turn_id.as_ref().map(turn).transpose()?;
        let command = StopTurn { conversation: conversation(&input.conversation_id)?, turn };
        let decision = Decision::of(services(context)?.commands.stop_turn(&asking, command).await)?;
        let turn = match decision.outcome() {
            Some(outcome) => stopped(context, outcome).await?,
            None => None,
        };
        Ok(StopTurnPayload::of(decision, turn, input.client_mutation_id))
    }

    /// A new answer to the last question (else NOT_LAST_ANSWER); the old one stays as an alternative.
    async fn regenerate_message(
        &self,
        context: &Context<'_>,
        input: RegenerateMessageInput,
    ) -> Answer<RegenerateMessagePayload> {
        let (asking, services) = (asking(context, input.idempotency_key)?, services(context)?);
        let old = services.live.message(caller(context)?, message(&input.message_id)?).await?;
        let command = RegenerateMessage { conversation: old.conversation, message: old.id, model: input.model };
        let decision = Decision::of(services.commands.regenerate_message(&asking, command).await)?;
        let planned = planned(context, &decision, Some(old.first_answer())).await?;
        Ok(RegenerateMessagePayload::of(decision, planned.map(|(_, message)| message), input.client_mutation_id))
    }

    /// Lets a tool call that waits take place, with other arguments where you give some. Exactly one decision counts; later ones
    /// get ALREADY_DECIDED.
    async fn approve_tool_call(&self, context: &Context<'_>, input: ApproveToolCallInput) -> Answer<ToolCallPayload> {
        let (asking, arguments) = (asking(context, input.idempotency_key)?, edited(input.arguments)?);
        let call = approval::tool_call(context, &input.tool_call_id).await?;
        let (objection, is_admin) = (objection(context, &call, arguments.as_ref())?, caller(context)?.is_admin());
        let command =
            ApproveToolCall { conversation: call.conversation, call: call.id, arguments, objection, is_admin };
        let decision = Decision::of(services(context)?.commands.approve_tool_call(&asking, command).await)?;
        let call = decision.outcome().map(|outcome| approval::after(call, outcome));
        Ok(ToolCallPayload::of(decision, call, input.client_mutation_id))
    }

    /// Keeps a tool call that waits from taking place; the model is told.
    async fn reject_tool_call(&self, context: &Context<'_>, input: RejectToolCallInput) -> Answer<ToolCallPayload> {
        let asking = asking(context, input.idempotency_key)?;
        let call = approval::tool_call(context, &input.tool_call_id).await?;
        let (conversation, is_admin) = (call.conversation, caller(context)?.is_admin());
        let command = RejectToolCall { conversation, call: call.id, reason: input.reason, is_admin };
        let decision = Decision::of(services(context)?.commands.reject_tool_call(&asking, command).await)?;
        let call = decision.outcome().map(|outcome| approval::after(call, outcome));
        Ok(ToolCallPayload::of(decision, call, input.client_mutation_id))
    }
}

/// The run that was planned, and the message that it will write, each with the other; `regenerates`: the first answer to the same
/// question.
async fn planned(
    context: &Context<'_>,
    decision: &Decision,
    regenerates: Option<MessageId>,
) -> Answer<Option<(AgentRun, Message)>> {
    let rows = decision.outcome().and_then(|outcome| Some((outcome.sequence(), decided::planned(outcome)?)));
    let Some((place, (sequence, (run, message)))) = decision.conversation(caller(context)?).zip(rows) else {
        return Ok(None);
    };
    let run = AgentRun::decided(run, sequence);
    let message = MessageRow { regenerates, ..message };
    let message = Message::decided(context, message, place).await?.by(run.clone());
    Ok(Some((run.writing(Some(message.clone())), message)))
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

/// The turn that an input names.
fn turn(id: &ID) -> Answer<TurnId> {
    let parsed = id.parse::<TurnId>();
    Ok(parsed.map_err(|error| Error::Invalid(format!("turnId is {error}")))?)
}

/// The message that an input names.
fn message(id: &ID) -> Answer<MessageId> {
    let parsed = id.parse::<MessageId>();
    Ok(parsed.map_err(|error| Error::Invalid(format!("messageId is {error}")))?)
}
