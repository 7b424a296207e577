//! A call is paid before it leaves: reserved, then noted, and settled as soon as its end is durable.

use commands::rules::Command;
use commands::{Error as CommandError, Outcome};

use crate::Error;
use crate::budget::{Taking, over_budget};
use crate::context::Context;
use crate::model::Failure;
use crate::work::Work;

/// Why a call did not begin.
pub(crate) enum NotBegun {
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

impl Context {
    /// Begins a call, and ends the one before it, if its budgets have room for it.
    pub(crate) async fn begin_call(
        &self,
        work: &Work,
        taking: &Taking<'_>,
        command: impl Into<Command>,
    ) -> Result<Outcome, NotBegun> {
        let book = &self.book;
        book.reserve(taking).await.map_err(NotBegun::Unknown)?.map_err(NotBegun::Over)?;
        match self.commands.react(work.conversation, command, work.cause()).await {
            Ok(outcome) => {
                self.settle(&outcome).await;
                Ok(outcome)
            }
            Err(error) => {
                if is_undone(&error)
                    && let Err(error) = book.release(taking.call).await
                {
                    tracing::warn!(%error, call = %taking.call, "what a call has reserved stays reserved until its budgets open again");
                }
                Err(error.into())
            }
        }
    }

    /// Settles the calls that ended. Where that fails, whoever reads the log does it.
    pub(crate) async fn settle(&self, outcome: &Outcome) {
        if let Err(error) = self.book.settle(&outcome.records).await {
            tracing::warn!(%error, conversation = %outcome.loaded.id, "a model call could not be settled; trying again later");
        }
    }
}

/// Nothing was appended, for certain: where the store does not answer it may have been.
fn is_undone(error: &CommandError) -> bool {
    matches!(error, CommandError::Rejected(_) | CommandError::Stale | CommandError::NotFound | CommandError::Busy)
}
