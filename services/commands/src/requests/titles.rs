//! Beginning, renaming, archiving.

use super::{Admission, ArchiveConversation, RenameConversation, StartConversation, limits};
use crate::{Caller, Catalog, Commands, Outcome, Result, idempotency, rules, stamp};

impl Commands {
    /// Begins a conversation.
    ///
    /// # Errors
    /// [`UNKNOWN_AGENT`](rules::code::UNKNOWN_AGENT), [`TITLE_TOO_LONG`](rules::code::TITLE_TOO_LONG), metadata over its limit.
    pub async fn start_conversation(&self, caller: &Caller, input: StartConversation) -> Result<Outcome> {
        let metadata = limits::metadata(input.metadata.as_ref())?;
        let mark = idempotency::mark(&self.keyring, caller, "startConversation", &input).await?;
        if let Admission::Repeated(first) = self.admit_new(mark.as_ref()).await? {
            return Ok(first);
        }
        let title = input.title.as_deref();
        let facts = started_by(self.catalog(), caller, title, input.agents);
        facts.check()?;
        let id = stamp::conversation();
        let command = match (title, &metadata) {
            (None, None) => facts,
            (title, metadata) => {
                let sealer = self.sealer(caller, id, id).await?;
                rules::StartConversation {
                    title: title.map(|title| sealer.seal("title", title)),
                    metadata: metadata.as_deref().map(|json| sealer.seal("metadata", json)),
                    ..facts
                }
            }
        };
        self.ask(caller, id, command, mark).await
    }

    /// Gives a conversation another title.
    ///
    /// # Errors
    /// [`CONVERSATION_ARCHIVED`](rules::code::CONVERSATION_ARCHIVED), [`TITLE_TOO_LONG`](rules::code::TITLE_TOO_LONG).
    pub async fn rename_conversation(&self, caller: &Caller, input: RenameConversation) -> Result<Outcome> {
        let id = input.conversation;
        let mark = idempotency::mark(&self.keyring, caller, "renameConversation", &input).await?;
        if let Admission::Repeated(first) = self.admit(caller, id, mark.as_ref()).await? {
            return Ok(first);
        }
        let title = self.sealer(caller, id, id).await?.seal("title", &input.title);
        let title_chars = input.title.chars().count();
        self.ask(caller, id, rules::RenameConversation { by: caller.person, title, title_chars }, mark).await
    }

    /// Archives a conversation.
    ///
    /// # Errors
    /// [`CONVERSATION_ARCHIVED`](rules::code::CONVERSATION_ARCHIVED).
    pub async fn archive_conversation(&self, caller: &Caller, input: ArchiveConversation) -> Result<Outcome> {
        let id = input.conversation;
        let mark = idempotency::mark(&self.keyring, caller, "archiveConversation", &input).await?;
        if let Admission::Repeated(first) = self.admit(caller, id, mark.as_ref()).await? {
            return Ok(first);
        }
        self.ask(caller, id, rules::ArchiveConversation { by: caller.person }, mark).await
    }
}

/// The command that begins a conversation, without what is sealed in it.
pub(super) fn started_by(
    catalog: &Catalog,
    caller: &Caller,
    title: Option<&str>,
    agents: Option<Vec<String>>,
) -> rules::StartConversation {
    let (agents, unknown_agent) = catalog.known(agents.unwrap_or_else(|| vec![catalog.default_agent.clone()]));
    rules::StartConversation {
        starter: caller.person,
        title: None,
        title_chars: title.map_or(0, |title| title.chars().count()),
        agents,
        unknown_agent,
        metadata: None,
    }
}
