//! A person's decision about a tool call.

use async_graphql::{Context, ID, Json};
use commands::Outcome;
use commands::rules::Approvers;
use events::{ConversationEvent, Decoded};
use projections::{ToolCallRow, ToolCallStatus, Whose};
use serde_json::Value;

use super::tool_call::{ToolCall, call_id};
use super::{Answer, caller, services};
use crate::Error;
use crate::auth::Principal;
use crate::awaited::awaited;

/// Bytes of JSON that edited arguments may have.
const ARGUMENTS_LIMIT: usize = 256 * 1024;

/// The tool call that an input names, waited for while it may be on its way into the read model.
pub(super) async fn tool_call(context: &Context<'_>, id: &ID) -> Answer<ToolCallRow> {
    let (services, caller, id) = (services(context)?, caller(context)?, call_id(id)?);
    let row = awaited(|| services.read_model.tool_call(&caller.tenant, caller.person, id)).await?;
    Ok(row.ok_or(Error::NotFound("tool call"))?)
}

/// The arguments that a person wants a tool to have; JSON's null: those of the model.
pub(super) fn edited(arguments: Option<Json<Value>>) -> Answer<Option<Value>> {
    let Some(arguments) = arguments.map(|json| json.0).filter(|value| !value.is_null()) else { return Ok(None) };
    if !arguments.is_object() || arguments.to_string().len() > ARGUMENTS_LIMIT {
        return Err(Error::Invalid("arguments must be a JSON object of 256 KiB at most".into()).into());
    }
    Ok(Some(arguments))
}

/// Why the tool does not take these arguments.
pub(super) fn objection(context: &Context<'_>, call: &ToolCallRow, edited: Option<&Value>) -> Answer<Option<String>> {
    let Some(edited) = edited else { return Ok(None) };
    Ok(services(context)?.check_arguments.check(&call.tool, edited).err())
}

/// The tool call as the decision left it; of a decision of long ago, as it is now.
pub(super) fn after(mut call: ToolCallRow, outcome: &Outcome) -> ToolCall {
    for record in &outcome.records {
        let event: Option<ConversationEvent> = match record.event() {
            Ok(Decoded::Known(event)) => Some(event),
            _ => None,
        };
        if let Some(event) = event.filter(|_| call.status == ToolCallStatus::Waiting) {
            call.follow(record, &event);
        }
    }
    ToolCall::decided(call, outcome.sequence())
}

/// Whose tool calls a person decides about; `None`: nobody's.
pub(super) fn whose(approvers: Approvers, person: &Principal) -> Option<Whose> {
    match approvers {
        Approvers::Participants => Some(Whose::Everyones),
        Approvers::Requester => Some(Whose::Own),
        Approvers::Admins => person.is_admin().then_some(Whose::Everyones),
    }
}
