//! What the model is asked.

use bytes::Bytes;
use chrono::{DateTime, Utc};

use commands::rules::Limits;
use commands::{Loaded, Run, Turn};
use events::event::{ContextReference, Cost};
use events::{ChunkTable, Field, Kind};
use serde_json::Value;

use super::Job;
use crate::answer::Parts;
use crate::context::Context;
use crate::history::{self, History};
use crate::model::{Failure, Model};
use crate::profile::Profile;
use crate::prompt::{Line, Material, Past, Prompt, RENDERER, render};
use crate::{Error, Result, budget, money};

/// A model and the exact request to it.
pub(super) struct Question {
    /// The model's full name.
    pub(super) name: String,
    pub(super) model: Model,
    pub(super) prompt: Prompt,
    pub(super) request: Bytes,
    pub(super) context: ContextReference,
    pub(super) reserved: Option<Cost>,
    pub(super) limits: Limits,
    /// When the attempt began that the run goes on with.
    pub(super) started_at: Option<DateTime<Utc>>,
    before: Before,
    /// JSON Schema that the answer must fit; a plan is judged by whoever carries it out.
    form: Option<Value>,
}

/// What the run has said before this question.
#[derive(Default)]
pub(super) struct Before {
    /// In this attempt: it stands on the log.
    pub(super) said: Parts,
    pub(super) table: ChunkTable,
    /// In earlier attempts: this one has to say it again.
    pub(super) to_say: Parts,
}

impl Job<'_> {
    /// The question, or why there can be none, ever. An error is something that may pass.
    pub(super) async fn prepare(&self) -> Result<std::result::Result<Question, Failure>> {
        if let Err(failure) = budget::allows_another_call(&self.context.settings.budgets, self.loaded) {
            return Ok(Err(failure));
        }
        let catalog = self.context.commands.catalog();
        let Some(agent) = catalog.agent(&self.run.agent) else {
            let reason = format!("there is no agent named {} any more", self.run.agent);
            return Ok(Err(Failure::new("settings", reason)));
        };
        let name = self.run.model.clone().unwrap_or_else(|| agent.model.clone());
        let model = match self.context.models.choose(&name) {
            Ok(model) => model,
            Err(error) => return Ok(Err(Failure::new("settings", error))),
        };
        let profile = Profile::of(agent, catalog, &self.context.tools, &self.context.settings);
        let read = async {
            let wish = wish(self.context, self.loaded, self.run).await?;
            let history = history::read(self.context, self.loaded, self.turn, self.run, profile.history).await?;
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
        let digest = profile.digest();
        self.context.profiles.keep(&digest, &profile).await?;
        let before = self.before(&history);
        let prompt = prompt(&profile, self.turn, self.run, wish, history);
        let reserved = self.context.money.most(&name, money::bytes(&prompt));
        let request = model.request(&prompt);
        let context = ContextReference {
            conversation: self.work.conversation,
            up_to: self.loaded.sequence,
            profile: digest,
            renderer: RENDERER,
            digest: self.key.digest(&request),
        };
        let limits = self.context.settings.budgets.limits();
        let started_at = self.started_at().await?;
        let form = prompt.response_schema.clone().filter(|_| !self.plans(&profile));
        Ok(Ok(Question { name, model, prompt, request, context, reserved, limits, started_at, before, form }))
    }

    /// Where the attempt stands that goes on; a new one says again what the run has said.
    fn before(&self, history: &History) -> Before {
        let said = history.said.clone();
        if self.goes_on() {
            return Before { said, table: history.table.clone(), to_say: Parts::default() };
        }
        Before { to_say: said, ..Before::default() }
    }

    /// Its answer is a plan.
    fn plans(&self, profile: &Profile) -> bool {
        profile.plan_schema.is_some() && self.turn.more
    }

    pub(super) fn goes_on(&self) -> bool {
        self.run.epoch > 0 && self.run.open_call.is_none()
    }

    async fn started_at(&self) -> Result<Option<DateTime<Utc>>> {
        let Some(before) = self.run.started.checked_sub(1).filter(|_| self.goes_on()) else { return Ok(None) };
        let records = self.context.store.load(self.work.conversation, before, 1).await?;
        Ok(records.first().map(|started| started.time))
    }
}

impl Question {
    /// What the run has said before; once.
    pub(super) fn take_before(&mut self) -> Before {
        std::mem::take(&mut self.before)
    }

    /// Asks another model the same; `false`: there is no such model.
    pub(super) fn ask_instead(&mut self, job: &Job<'_>, model: &str) -> bool {
        let Ok(chosen) = job.context.models.choose(model) else { return false };
        self.request = chosen.request(&self.prompt);
        self.context.digest = job.key.digest(&self.request);
        self.reserved = job.context.money.most(model, money::bytes(&self.prompt));
        (self.name, self.model) = (model.to_owned(), chosen);
        true
    }

    /// Why an answer is not of the form that was asked for.
    pub(super) fn checked(&self, text: &str) -> Option<Failure> {
        let schema = self.form.as_ref()?;
        let wrong = crate::structured::violation(schema, text)?;
        Some(Failure::new("schema", format_args!("the answer is not of the form that was asked for: {wrong}")))
    }
}

/// The exact request of a run at a place of its conversation, as its agent's settings were then; `None`: a text of it was erased.
///
/// # Errors
/// The past cannot be read, or the model is of no provider (any more).
pub(crate) async fn request_of(
    context: &Context,
    loaded: &Loaded,
    (turn, run): (&Turn, &Run),
    profile: &Profile,
    model: &str,
) -> Result<Option<Bytes>> {
    let wish = wish(context, loaded, run).await?;
    let history = history::read(context, loaded, turn, run, profile.history).await?;
    if history.is_erased {
        return Ok(None);
    }
    let prompt = prompt(profile, turn, run, wish, history);
    Ok(Some(context.models.choose(model)?.request(&prompt)))
}

/// The instructions that came with `startAgent` or with another agent's question.
async fn wish(context: &Context, loaded: &Loaded, run: &Run) -> Result<String> {
    let Some(sealed) = &run.instructions else { return Ok(String::new()) };
    let field = Field::new(&loaded.tenant, loaded.id, run.run, "instructions");
    Ok(context.keyring.open(sealed, &field).await?.unwrap_or_default())
}

/// Puts everything together. An agent that another one asked sees the request alone.
fn prompt(profile: &Profile, turn: &Turn, run: &Run, wish: String, history: History) -> Prompt {
    let plans = profile.plan_schema.as_ref().filter(|_| turn.more);
    let is_answer = turn.last_step().is_some_and(|step| step.run == run.run) && plans.is_none();
    let asked = history.response_schema.as_deref().filter(|_| is_answer);
    let asked = asked.and_then(|schema| serde_json::from_str(schema).ok());
    let response_schema = plans.cloned().or(asked).or_else(|| profile.response_schema.clone());
    let mut system = vec![profile.instructions.clone(), team(profile, plans.is_some())];
    let (past, steering, limit) = match run.asked_by {
        Some(_) => {
            let request = Past { anchor: 0, sequence: 0, lines: vec![Line::User(wish)] };
            (vec![request], Vec::new(), 0)
        }
        None => {
            system.push(wish);
            (history.past, history.steering, history.limit)
        }
    };
    let material =
        Material { system, past, limit, steering, team: history.team, so_far: history.so_far, budget: profile.history };
    Prompt {
        lines: render(material),
        tools: profile.tools.clone(),
        temperature: profile.temperature.clone(),
        response_schema,
        max_output_tokens: profile.max_output_tokens,
    }
}

/// Whom the agent can ask or plan with.
fn team(profile: &Profile, plans: bool) -> String {
    if profile.team.is_empty() {
        return String::new();
    }
    let members = profile.team.iter().map(|(name, what)| format!("- {name}: {what}")).collect::<Vec<_>>().join("\n");
    match plans {
        true => format!(
            "Decide which agents of your team work on the request and in which order, and answer with that plan alone. Your team:\n{members}"
        ),
        false => format!("Your team:\n{members}"),
    }
}
