//! A conversation's title, from its first message and the answer: one short model call, and a second one where that brings none.
//! Nobody waits for it, and nothing fails by it.

mod question;
mod wording;

use std::time::Duration;

use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use commands::rules::{BeginTitle, CallEnd, EndTitle, NewCall};
use commands::{Error as CommandError, Loaded, OpenCall, TITLE_CALLS};
use events::event::CallOutcome;
use events::{CallId, ChunkKind, EventId, Field, FinishReason, RunId, Usage};

use crate::begin::NotBegun;
use crate::budget::Taking;
use crate::context::Context;
use crate::model::{Attempts, Failure, Next, Said, Watch};
use crate::run::Left;
use crate::trace::Span;
use crate::work::Work;
use crate::{Result, money};

use question::Question;
pub(crate) use question::request_of;

/// Bytes of text after which nobody listens any more: no title is that long.
const LONGEST: usize = 4 << 10;
/// Bytes that a call is taken to have said whose worker died.
const SAID: usize = 200;

/// What came of a request.
#[derive(Default)]
struct Heard {
    text: String,
    /// Bytes of all that was said.
    said: usize,
    usage: Option<Usage>,
    /// Why it ended, if it said so.
    reason: Option<FinishReason>,
    failure: Option<Failure>,
}

/// Asks for a title until there is one, or no call is left.
pub(crate) async fn carry_out(context: &Context, work: &Work, lost: &CancellationToken) -> Result<Left> {
    let Some(mut name) = context.settings.title_model.clone() else { return leave(context, work).await };
    let mut attempts = context.models.attempts(&name);
    loop {
        let Some(loaded) = without_dead_call(context, work).await? else { return Ok(Left::Nothing) };
        let question = match loaded.state.lacks_title() {
            true => question::prepare(context, &loaded, &name).await?,
            false => None,
        };
        let Some(question) = question else { return Ok(Left::Nothing) };
        let Some((call, started)) = begin(context, work, &loaded, &question).await? else { return Ok(Left::Nothing) };
        let heard = tokio::select! {
            () = lost.cancelled() => return Ok(Left::Again(Duration::ZERO)),
            heard = listen(work, &question) => heard,
        };
        // What a filter has cut is no title.
        let is_whole = heard.failure.is_none() && heard.reason != Some(FinishReason::ContentFilter);
        let title = wording::title(&heard.text).filter(|_| is_whole);
        let is_titled = title.is_some();
        end(context, work, end_of(context, &question, call, &heard), title.map(|title| (&question, title)), started)
            .await?;
        if is_titled || loaded.state.titling.calls + 1 >= TITLE_CALLS {
            return Ok(Left::Nothing);
        }
        let Some(pause) = next(context, &mut attempts, &mut name, heard.failure.as_ref()) else {
            return Ok(Left::Nothing);
        };
        tokio::select! {
            () = lost.cancelled() => return Ok(Left::Again(Duration::ZERO)),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Titles are not wanted (any more): only what a dead worker left open is ended.
async fn leave(context: &Context, work: &Work) -> Result<Left> {
    without_dead_call(context, work).await.map(|_| Left::Nothing)
}

/// The conversation, after the call has ended that another worker left open.
async fn without_dead_call(context: &Context, work: &Work) -> Result<Option<std::sync::Arc<Loaded>>> {
    let loaded = context.commands.load(work.conversation).await?;
    let Some(open) = loaded.as_ref().and_then(|loaded| loaded.state.titling.open_call.as_ref()) else {
        return Ok(loaded);
    };
    tracing::info!(conversation = %work.conversation, call = %open.call, "ends a call for a title that its worker left");
    end(context, work, abandoned(context, open), None, work.cause).await?;
    Ok(context.commands.load(work.conversation).await?)
}

fn abandoned(context: &Context, open: &OpenCall) -> CallEnd {
    let asked = usize::try_from(open.prompt_bytes).unwrap_or(usize::MAX);
    let spent = context.money.spent(&open.model, None, asked, SAID);
    CallEnd { call: open.call, outcome: CallOutcome::Abandoned, spent, cached: false }
}

/// Notes the call before it leaves; `None`: by now there is a title, or somebody else asks.
async fn begin(
    context: &Context,
    work: &Work,
    loaded: &Loaded,
    question: &Question,
) -> Result<Option<(CallId, EventId)>> {
    let (call, prompt_bytes) = (CallId::generate(), money::bytes(&question.prompt));
    let new = NewCall {
        call,
        attempt: loaded.state.titling.calls + 1,
        model: question.name.clone(),
        context: question.context.clone(),
        prompt_bytes: prompt_bytes as u64,
        reserved: context.money.most(&question.name, prompt_bytes),
        limits: context.settings.budgets.limits(),
    };
    let reserved = new.reserved.clone();
    let taking = Taking {
        call,
        tenant: &work.tenant,
        person: question.person,
        model: &question.name,
        prompt_bytes: new.prompt_bytes,
        cost: reserved.as_ref(),
        before: None,
    };
    match context.begin_call(work, &taking, BeginTitle { run: RunId::generate(), call: new }).await {
        Ok(outcome) => Ok(outcome.records.last().map(|started| (call, started.id))),
        Err(NotBegun::Refused(CommandError::Stale)) => Ok(None),
        Err(NotBegun::Refused(CommandError::Rejected(rejection))) => {
            tracing::info!(conversation = %work.conversation, code = rejection.code, "no title is asked for");
            Ok(None)
        }
        Err(NotBegun::Over(_)) => {
            tracing::info!(conversation = %work.conversation, "no title is asked for: a budget has no room for it");
            Ok(None)
        }
        Err(NotBegun::Unknown(error)) => Err(error),
        Err(NotBegun::Refused(error)) => Err(error.into()),
    }
}

/// Sends the request and listens to all of the answer.
async fn listen(work: &Work, question: &Question) -> Heard {
    let mut heard = Heard::default();
    let mut watch = Watch::begin(&Span::before(work), work, None, &question.name, &question.model);
    let mut said = question.model.ask(&question.prompt, question.request.clone());
    while let Some(next) = said.next().await {
        match next {
            Ok(Said::Piece(kind, piece)) => {
                watch.heard();
                heard.said += piece.len();
                if kind == ChunkKind::Text {
                    heard.text.push_str(&piece);
                }
                if heard.text.len() > LONGEST {
                    break;
                }
            }
            Ok(Said::Usage(counted)) => heard.usage = Some(counted),
            Ok(Said::Finished(reason)) => {
                heard.reason = Some(reason);
                break;
            }
            Ok(Said::Call(_)) => {}
            Err(failure) => {
                heard.failure = Some(failure);
                break;
            }
        }
    }
    let reason = heard.reason.unwrap_or(FinishReason::Stop);
    watch.end(heard.failure.as_ref().map_or(Ok(reason), |failure| Err(failure.class)), heard.usage);
    heard
}

fn end_of(context: &Context, question: &Question, call: CallId, heard: &Heard) -> CallEnd {
    let outcome = if heard.failure.is_some() { CallOutcome::Failed } else { CallOutcome::Completed };
    let spent = match heard.failure.as_ref().is_none_or(|failure| failure.paid) {
        true => context.money.spent(&question.name, heard.usage, money::bytes(&question.prompt), heard.said),
        false => context.money.nothing(),
    };
    CallEnd { call, outcome, spent, cached: false }
}

/// Ends a call, with the title if it brought one. That somebody else ended it is no failure.
async fn end(
    context: &Context,
    work: &Work,
    call: CallEnd,
    title: Option<(&Question, String)>,
    cause: EventId,
) -> Result<()> {
    let title_chars = title.as_ref().map_or(0, |(_, title)| title.chars().count());
    let title = title.map(|(question, title)| {
        let field = Field::new(&work.tenant, work.conversation, work.conversation, "title");
        question.key.seal(&field, &title)
    });
    let command = EndTitle { call, title, title_chars };
    match context.append(work, command.into(), cause).await? {
        Ok(()) | Err(CommandError::Stale) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Which model is asked next, after which pause; `None`: none for now. An answer that was no title is asked for once more.
fn next(context: &Context, attempts: &mut Attempts, name: &mut String, failure: Option<&Failure>) -> Option<Duration> {
    let Some(failure) = failure else { return Some(Duration::ZERO) };
    match attempts.after(failure, rand::random()) {
        Next::Again(pause) => Some(pause),
        Next::Fallback(model) if context.models.choose(&model).is_ok() => {
            *name = model;
            Some(Duration::ZERO)
        }
        Next::Fallback(_) | Next::GiveUp => None,
    }
}
