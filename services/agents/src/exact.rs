//! A request that a model once saw, made again from the conversation and checked against its digest.

use bytes::Bytes;

use commands::Commands;
use database::Database;
use event_log::EventLog;
use event_store::EventStore;
use events::event::CallPurpose;
use events::{CallId, ConversationEvent, ConversationId, Decoded, RunId};
use keyring::Keyring;

use crate::context::Context;
use crate::run::request_of;
use crate::{Error, Result, Settings, title};

/// What was asked, and whether it is that to the last byte.
#[derive(Clone, Debug)]
pub struct Exact {
    /// The conversation.
    pub conversation: ConversationId,
    /// The model call.
    pub call: CallId,
    /// The model that was asked.
    pub model: String,
    /// The request's body.
    pub request: Bytes,
    /// The digest that was recorded is that of this request.
    pub matches: bool,
}

/// A model call, or the last one of a run.
#[derive(Clone, Copy, Debug)]
pub enum Asked {
    /// The call itself.
    Call(CallId),
    /// The last call of this run.
    Run(RunId),
}

/// Makes the request of a model call again. It asks no model.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Erased`]; a store, a log or keys that do not answer.
pub async fn exact_request(
    settings: Settings,
    database: Database,
    store: EventStore,
    log: EventLog,
    keyring: Keyring,
    commands: Commands,
    asked: Asked,
) -> Result<Exact> {
    let context = Context::new(settings, database, store, log, keyring, commands)?;
    let id = match asked {
        Asked::Call(call) => call.to_string(),
        Asked::Run(run) => run.to_string(),
    };
    let record = context.store.find_last("dev.loquent.model_call.started", &id).await?.ok_or(Error::NotFound)?;
    let Ok(Decoded::Known(ConversationEvent::ModelCallStarted(call))) = record.event() else {
        return Err(Error::NotFound);
    };
    let up_to = call.context.up_to;
    let loaded = context.commands.load_at(record.subject, up_to).await?.ok_or(Error::NotFound)?;
    let profile = context.profiles.find(&call.context.profile).await?;
    let profile = profile.ok_or(Error::History("the agent's settings of that time are not kept in this store"))?;
    let (request, person) = match call.purpose {
        CallPurpose::Answer => {
            let run = loaded.state.run(call.run).ok_or(Error::History("the run is not where its call says"))?;
            (request_of(&context, &loaded, run, &profile, &call.model).await?, run.0.person)
        }
        CallPurpose::Title => {
            let opening =
                loaded.state.opening.ok_or(Error::History("the conversation had no title to be asked for"))?;
            (title::request_of(&context, &loaded, &opening, &profile, &call.model).await?, opening.author)
        }
    };
    let request = request.ok_or(Error::Erased)?;
    let key = match context.keyring.content_key(person, record.subject).await {
        Err(keyring::Error::NoSuchPerson(_)) => return Err(Error::Erased),
        key => key?,
    };
    let matches = key.digest(&request) == call.context.digest;
    Ok(Exact { conversation: record.subject, call: call.call, model: call.model, request, matches })
}
