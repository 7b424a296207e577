use std::time::Duration;

use database::Database;
use event_log::EventLog;
use event_store::EventStore;
use events::{ConversationEvent, Decoded, EventId, Field, Kind, Sequence};
use keyring::Keyring;

use commands::rules::Command;
use commands::{Cause, Commands, Error as CommandError, Loaded, Run};

use crate::budget::Book;
use crate::heard::Heard;
use crate::model::{Models, check_fallbacks, check_model};
use crate::money::Money;
use crate::profile::Profiles;
use crate::tool::Tools;
use crate::work::{Work, WorkTable};
use crate::{Error, Result, Settings};

/// What every piece of work needs.
pub(crate) struct Context {
    pub(crate) settings: Settings,
    pub(crate) table: WorkTable,
    pub(crate) store: EventStore,
    pub(crate) log: EventLog,
    pub(crate) keyring: Keyring,
    pub(crate) commands: Commands,
    pub(crate) models: Models,
    pub(crate) tools: Tools,
    pub(crate) money: Money,
    pub(crate) book: Book,
    pub(crate) profiles: Profiles,
    pub(crate) heard: Heard,
}

/// Events of one read.
const PAGE: usize = 64;
/// The longest pause between two tries of an append.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Tries of an append that fails for another reason than that the store does not answer.
const TRIES: u32 = 5;

impl Context {
    /// Over this store and log.
    ///
    /// # Errors
    /// A model belongs to no provider of the settings, or a tool does not exist or cannot be what it shall.
    pub(crate) fn new(
        settings: Settings,
        database: Database,
        store: EventStore,
        log: EventLog,
        keyring: Keyring,
        commands: Commands,
    ) -> Result<Self> {
        for profile in commands.catalog().agents.values() {
            check_model(&settings.providers, &profile.model)?;
        }
        settings.title_model.iter().try_for_each(|model| check_model(&settings.providers, model))?;
        check_fallbacks(&settings.providers)?;
        let table = WorkTable::new(database.clone(), &settings.worker, settings.lease);
        let (models, tools) = (Models::new(&settings), Tools::new(&settings.tools)?);
        for profile in commands.catalog().agents.values() {
            if let Some(unknown) = profile.tools.iter().find(|name| tools.get(name).is_none()) {
                return Err(Error::UnknownTool { agent: profile.name.clone(), tool: unknown.clone() });
            }
        }
        let book = Book::new(database.clone(), &settings.budgets);
        let (money, profiles) = (Money::new(settings.prices.clone()), Profiles::new(database));
        let heard = Heard::default();
        Ok(Self { settings, table, store, log, keyring, commands, models, tools, money, book, profiles, heard })
    }

    /// The text of the message that was sent or completed there; `None`: erased, or there is none.
    pub(crate) async fn message_text(&self, loaded: &Loaded, sequence: Sequence) -> Result<Option<String>> {
        let records = self.store.load(loaded.id, sequence.saturating_sub(1), 1).await?;
        let (message, text) = match records.first().map(|record| record.event()) {
            Some(Ok(Decoded::Known(ConversationEvent::MessageSent(sent)))) => (sent.message, sent.text),
            Some(Ok(Decoded::Known(ConversationEvent::MessageCompleted(end)))) => (end.message, end.text),
            _ => return Ok(None),
        };
        let field = Field::new(&loaded.tenant, loaded.id, message, "text");
        Ok(self.keyring.open(&text, &field).await?)
    }

    /// Appends what a piece of work has come to, however long the store takes to answer again: if another worker has taken the
    /// work over meanwhile, the store refuses.
    pub(crate) async fn append(
        &self,
        work: &Work,
        command: Command,
        cause: EventId,
    ) -> Result<std::result::Result<(), CommandError>> {
        let (mut pause, mut tries) = (Duration::from_millis(100), 0);
        loop {
            let cause = Cause { event: cause, ..work.cause() };
            let error = match self.commands.react(work.conversation, command.clone(), cause).await {
                Ok(outcome) => {
                    self.settle(&outcome).await;
                    return Ok(Ok(()));
                }
                Err(error @ (CommandError::Stale | CommandError::Rejected(_))) => return Ok(Err(error)),
                Err(error) => error,
            };
            if error.kind() != Kind::Unavailable {
                tries += 1;
                if tries == TRIES {
                    return Err(error.into());
                }
            }
            tracing::warn!(%error, conversation = %work.conversation, "the end of a model call has to wait for the store");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// The text that an ended run has left; `None`: erased, or there is none.
    pub(crate) async fn answer_text(&self, loaded: &Loaded, run: &Run) -> Result<Option<String>> {
        let mut before = loaded.sequence + 1;
        while before > run.started {
            let page = self.store.load_before(loaded.id, before, PAGE).await?;
            let Some(first) = page.first() else { break };
            before = first.sequence;
            for record in page.iter().rev() {
                if let Ok(Decoded::Known(ConversationEvent::MessageCompleted(end))) = record.event()
                    && end.run == run.run
                {
                    let field = Field::new(&loaded.tenant, loaded.id, end.message, "text");
                    return Ok(self.keyring.open(&end.text, &field).await?);
                }
            }
        }
        Ok(None)
    }
}
