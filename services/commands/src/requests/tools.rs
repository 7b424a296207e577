//! Deciding about tool calls.

use event_store::Idempotency;
use events::{CallId, ConversationId};

use super::{Admission, ApproveToolCall, RejectToolCall, limits};
use crate::rules::{DecideTool, Verdict};
use crate::{Caller, Commands, Outcome, Result, idempotency};

impl Commands {
    /// Allows a tool call.
    ///
    /// # Errors
    /// [`ALREADY_DECIDED`](crate::rules::code::ALREADY_DECIDED), [`NOT_AN_APPROVER`](crate::rules::code::NOT_AN_APPROVER),
    /// [`INVALID_ARGUMENTS`](crate::rules::code::INVALID_ARGUMENTS).
    pub async fn approve_tool_call(&self, caller: &Caller, input: ApproveToolCall) -> Result<Outcome> {
        let (id, call, is_admin) = (input.conversation, input.call, input.is_admin);
        let mark = idempotency::mark(&self.keyring, caller, "approveToolCall", &input).await?;
        if let Admission::Repeated(first) = self.admit(caller, id, mark.as_ref()).await? {
            return Ok(first);
        }
        let verdict = match (input.arguments, input.objection) {
            (_, Some(objection)) => Verdict::Unfit(objection),
            (None, None) => Verdict::Approved(None),
            (Some(arguments), None) => {
                let sealer = self.sealer(caller, id, call).await?;
                Verdict::Approved(Some(sealer.seal("edited", &arguments.to_string())))
            }
        };
        self.judge(caller, id, call, is_admin, verdict, mark).await
    }

    /// Forbids a tool call.
    ///
    /// # Errors
    /// As of [`approve_tool_call`](Self::approve_tool_call); a reason over the limit of a text.
    pub async fn reject_tool_call(&self, caller: &Caller, input: RejectToolCall) -> Result<Outcome> {
        let (id, call, is_admin) = (input.conversation, input.call, input.is_admin);
        let reason = input.reason.as_deref().filter(|reason| !reason.is_empty());
        reason.map_or(Ok(()), |reason| limits::text("reason", reason))?;
        let mark = idempotency::mark(&self.keyring, caller, "rejectToolCall", &input).await?;
        if let Admission::Repeated(first) = self.admit(caller, id, mark.as_ref()).await? {
            return Ok(first);
        }
        let reason = match reason {
            Some(reason) => Some(self.sealer(caller, id, call).await?.seal("reason", reason)),
            None => None,
        };
        self.judge(caller, id, call, is_admin, Verdict::Rejected(reason), mark).await
    }

    async fn judge(
        &self,
        caller: &Caller,
        id: ConversationId,
        call: CallId,
        is_admin: bool,
        verdict: Verdict,
        mark: Option<Idempotency>,
    ) -> Result<Outcome> {
        let (by, approvers) = (caller.person, self.catalog().approvers);
        self.ask(caller, id, DecideTool { by, is_admin, approvers, call, verdict }, mark).await
    }
}
