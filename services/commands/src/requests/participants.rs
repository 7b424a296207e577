//! Bringing persons in and taking them out.

use super::{AddParticipant, Admission, RemoveParticipant, limits};
use crate::{Caller, Commands, Outcome, Result, idempotency, rules};

impl Commands {
    /// Brings a person in; they need not have been here before.
    ///
    /// # Errors
    /// [`CONVERSATION_ARCHIVED`](rules::code::CONVERSATION_ARCHIVED), [`ALREADY_PARTICIPANT`](rules::code::ALREADY_PARTICIPANT).
    pub async fn add_participant(&self, caller: &Caller, input: AddParticipant) -> Result<Outcome> {
        limits::name("person", &input.person)?;
        let id = input.conversation;
        let mark = idempotency::mark(&self.keyring, caller, "addParticipant", &input).await?;
        if let Admission::Repeated(first) = self.admit(caller, id, mark.as_ref()).await? {
            return Ok(first);
        }
        let person = self.keyring.person(&caller.tenant, &caller.issuer, &input.person).await?;
        self.ask(caller, id, rules::AddParticipant { by: caller.person, person }, mark).await
    }

    /// Removes a person, or lets the caller leave.
    ///
    /// # Errors
    /// [`NOT_A_PARTICIPANT`](rules::code::NOT_A_PARTICIPANT), [`LAST_PARTICIPANT`](rules::code::LAST_PARTICIPANT),
    /// [`CONVERSATION_ARCHIVED`](rules::code::CONVERSATION_ARCHIVED) for anybody but oneself.
    pub async fn remove_participant(&self, caller: &Caller, input: RemoveParticipant) -> Result<Outcome> {
        limits::name("person", &input.person)?;
        let id = input.conversation;
        let mark = idempotency::mark(&self.keyring, caller, "removeParticipant", &input).await?;
        if let Admission::Repeated(first) = self.admit(caller, id, mark.as_ref()).await? {
            return Ok(first);
        }
        let person = self.keyring.find_person(&caller.tenant, &caller.issuer, &input.person).await?;
        self.ask(caller, id, rules::RemoveParticipant { by: caller.person, person }, mark).await
    }
}
