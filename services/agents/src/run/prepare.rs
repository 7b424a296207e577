//! What the model is asked.

use bytes::Bytes;

use events::{Field, Kind};

use super::Job;
use crate::model::{Failure, Model};
use crate::prompt::{Prompt, render};
use crate::{Error, Result, history};

/// A model and the exact request to it.
pub(super) struct Question {
    /// The model's full name.
    pub(super) name: String,
    pub(super) model: Model,
    pub(super) prompt: Prompt,
    pub(super) request: Bytes,
}

impl Job<'_> {
    /// The question, or why there can be none, ever. An error is something that may pass.
    pub(super) async fn prepare(&self) -> Result<std::result::Result<Question, Failure>> {
        let Some(profile) = self.context.commands.catalog().agent(&self.run.agent) else {
            let reason = format!("there is no agent named {} any more", self.run.agent);
            return Ok(Err(Failure::new("settings", reason)));
        };
        let name = self.run.model.clone().unwrap_or_else(|| profile.model.clone());
        let model = match self.context.models.choose(&name) {
            Ok(model) => model,
            Err(error) => return Ok(Err(Failure::new("settings", error))),
        };
        let read = async {
            let wish = self.wish().await?;
            let history = history::read(self.context, self.loaded, self.turn, self.budget()).await?;
            Ok::<_, Error>((wish, history))
        };
        let (wish, history) = match read.await {
            Ok(read) => read,
            Err(error) if error.kind() == Kind::Unavailable => return Err(error),
            Err(error) => {
                tracing::error!(%error, run = %self.run.run, "a conversation cannot be read");
                return Ok(Err(Failure::new("history", "the conversation's past cannot be read")));
            }
        };
        if history.is_erased {
            return Ok(Err(Failure::new("erased", "the message to answer has been erased")));
        }
        let prompt = render(&[&profile.instructions, &wish], history.past, history.limit, self.budget());
        let request = model.request(&prompt);
        Ok(Ok(Question { name, model, prompt, request }))
    }

    /// The instructions that came with `startAgent`.
    async fn wish(&self) -> Result<String> {
        let Some(sealed) = &self.run.instructions else { return Ok(String::new()) };
        let field = Field::new(&self.work.tenant, self.work.conversation, self.run.run, "instructions");
        Ok(self.context.keyring.open(sealed, &field).await?.unwrap_or_default())
    }

    fn budget(&self) -> usize {
        self.context.settings.history_limit
    }
}
