//! What a model is asked for a title: a pure function of two texts and the profile of titles.

use bytes::Bytes;

use commands::{Loaded, Opening};
use events::PersonId;
use events::event::ContextReference;
use keyring::ContentKey;

use crate::Result;
use crate::context::Context;
use crate::model::Model;
use crate::profile::Profile;
use crate::prompt::{Line, Prompt, RENDERER};

/// A model and the exact request to it.
pub(super) struct Question {
    /// The model's full name.
    pub(super) name: String,
    pub(super) model: Model,
    pub(super) prompt: Prompt,
    pub(super) request: Bytes,
    pub(super) context: ContextReference,
    /// Whose message is the first.
    pub(super) person: PersonId,
    /// Theirs.
    pub(super) key: ContentKey,
}

/// The question; `None`: there can be none, for the message or its answer has been erased.
pub(super) async fn prepare(context: &Context, loaded: &Loaded, name: &str) -> Result<Option<Question>> {
    let Some(opening) = loaded.state.opening else { return Ok(None) };
    let profile = Profile::of_titles();
    let Some(prompt) = read(context, loaded, &opening, &profile).await? else {
        tracing::info!(conversation = %loaded.id, "no title: its first message or the answer has been erased");
        return Ok(None);
    };
    let key = match context.keyring.content_key(opening.author, loaded.id).await {
        Err(keyring::Error::NoSuchPerson(_)) => return Ok(None),
        key => key?,
    };
    let model = context.models.choose(name)?;
    let request = model.request(&prompt);
    let digest = profile.digest();
    context.profiles.keep(&digest, &profile).await?;
    let reference = ContextReference {
        conversation: loaded.id,
        up_to: loaded.sequence,
        profile: digest,
        renderer: RENDERER,
        digest: key.digest(&request),
    };
    let (name, person) = (name.to_owned(), opening.author);
    Ok(Some(Question { name, model, prompt, request, context: reference, person, key }))
}

/// The exact request for a title, as the profile of titles was then; `None`: a text of it was erased.
///
/// # Errors
/// The texts cannot be read, or the model is of no provider (any more).
pub(crate) async fn request_of(
    context: &Context,
    loaded: &Loaded,
    opening: &Opening,
    profile: &Profile,
    model: &str,
) -> Result<Option<Bytes>> {
    let Some(prompt) = read(context, loaded, opening, profile).await? else { return Ok(None) };
    Ok(Some(context.models.choose(model)?.request(&prompt)))
}

async fn read(context: &Context, loaded: &Loaded, opening: &Opening, profile: &Profile) -> Result<Option<Prompt>> {
    let Some(answer) = opening.answer else { return Ok(None) };
    let message = context.message_text(loaded, opening.sequence).await?;
    let answer = context.message_text(loaded, answer).await?;
    Ok(message.zip(answer).map(|(message, answer)| prompt(profile, &message, &answer)))
}

/// Both texts as material in one message, so that no model takes them for a conversation that it has to go on with.
fn prompt(profile: &Profile, message: &str, answer: &str) -> Prompt {
    let each = profile.history / 2;
    let shown = format!("The message:\n\n{}\n\nThe answer:\n\n{}", beginning(message, each), beginning(answer, each));
    Prompt {
        lines: vec![Line::System(profile.instructions.clone()), Line::User(shown)],
        temperature: profile.temperature.clone(),
        max_output_tokens: profile.max_output_tokens,
        ..Prompt::default()
    }
}

/// The first bytes of a text, as many as there may be, in whole characters.
fn beginning(text: &str, bytes: usize) -> &str {
    let mut ends = (0..=text.len().min(bytes)).rev();
    &text[..ends.find(|end| text.is_char_boundary(*end)).unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_exchange_is_shown_by_its_beginnings() {
        let profile = Profile { history: 10, ..Profile::of_titles() };
        let prompt = prompt(&profile, "ab\u{1F642}cd\u{1F642}", "short");
        let lines: Vec<&str> = prompt.lines.iter().map(Line::text).collect();
        assert_eq!(lines[1], "The message:\n\nab\n\nThe answer:\n\nshort");
        assert_eq!((lines[0], prompt.max_output_tokens), (profile.instructions.as_str(), profile.max_output_tokens));
    }
}
