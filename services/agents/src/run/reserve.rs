//! A call is paid before it leaves: reserved, then noted, and settled as soon as its end is durable.

use commands::rules::{CallEnd, Command};
use commands::{Error as CommandError, Outcome};

use super::Job;
use super::ask::Call;
use super::prepare::Question;
use crate::budget::{Taking, over_budget};
use crate::model::Failure;
use crate::{Error, money};

/// Why a call did not begin.
pub(super) enum NotBegun {
    /// A budget has no room for it.
    Over(Failure),
    /// Its command was refused.
    Refused(CommandError),
    /// Nobody knows whether there is room.
    Unknown(Error),
}

impl From<CommandError> for NotBegun {
    fn from(error: CommandError) -> Self {
        over_budget(&error).map_or(Self::Refused(error), Self::Over)
    }
}

impl Job<'_> {
    /// Begins a call, and ends the one before it, if its budgets have room for it.
    pub(super) async fn begin_call(
        &self,
        question: &Question,
        call: &Call,
        before: Option<&CallEnd>,
        command: impl Into<Command>,
    ) -> Result<Outcome, NotBegun> {
        let book = &self.context.book;
        let taking = Taking {
            call: call.id,
            tenant: &self.work.tenant,
            person: self.turn.person,
            model: &question.name,
            prompt_bytes: money::bytes(&question.prompt) as u64,
            cost: question.reserved.as_ref(),
            before,
        };
        book.reserve(&taking).await.map_err(NotBegun::Unknown)?.map_err(NotBegun::Over)?;
        match self.context.commands.react(self.work.conversation, command, self.work.cause()).await {
            Ok(outcome) => {
                self.settle(&outcome).await;
                Ok(outcome)
            }
            Err(error) => {
                if is_undone(&error)
                    && let Err(error) = book.release(call.id).await
                {
                    tracing::warn!(%error, call = %call.id, "what a call has reserved stays reserved until its budgets open again");
                }
                Err(error.into())
            }
        }
    }

    /// Settles the calls that ended. Where that fails, whoever reads the log does it.
    pub(super) async fn settle(&self, outcome: &Outcome) {
        if let Err(error) = self.context.book.settle(&outcome.records).await {
            tracing::warn!(%error, run = %self.run.run, "a model call could not be settled; trying again later");
        }
    }
}

/// Nothing was appended, for certain: where the store does not answer it may have been.
fn is_undone(error: &CommandError) -> bool {
    matches!(error, CommandError::Rejected(_) | CommandError::Stale | CommandError::NotFound | CommandError::Busy)
}
