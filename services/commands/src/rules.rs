//! What may happen: one file per command, each with its facts, its rule and its tests.
//!
//! A command carries its ids, sealed values, and the clear facts about them that its rule needs (a length, whether the
//! catalog knows a name). An accepted command always gives at least one event.

pub mod add_participant;
pub mod archive_conversation;
pub mod ask_agent;
pub mod begin_call;
pub mod begin_title;
pub mod claim_run;
pub mod code;
pub mod configure_agents;
pub mod decide_tool;
pub mod end_run;
pub mod end_title;
pub mod end_tool;
pub mod end_turn;
pub mod expire_tool;
pub mod plan_turn;
pub mod regenerate_message;
pub mod remove_participant;
pub mod rename_conversation;
pub mod request_tools;
pub mod send_message;
pub mod start_agent;
pub mod start_conversation;
pub mod start_tool;
pub mod start_turn;
pub mod stop_turn;

use events::event::{
    CallOutcome, ContextReference, Cost, ModelCallEnded, Spent, TurnCompleted, TurnFailed, TurnStopped,
};
use events::{CallId, ConversationEvent, PersonId, RunId, Sealed, Usage};

pub use add_participant::AddParticipant;
pub use archive_conversation::ArchiveConversation;
pub use ask_agent::AskAgent;
pub use begin_call::BeginCall;
pub use begin_title::BeginTitle;
pub use claim_run::ClaimRun;
pub use configure_agents::ConfigureAgents;
pub use decide_tool::{Approvers, DecideTool, Verdict};
pub use end_run::{EndRun, RunEnd};
pub use end_title::EndTitle;
pub use end_tool::{EndTool, ToolEnd};
pub use end_turn::EndTurn;
pub use expire_tool::ExpireTool;
pub use plan_turn::PlanTurn;
pub use regenerate_message::RegenerateMessage;
pub use remove_participant::RemoveParticipant;
pub use rename_conversation::RenameConversation;
pub use request_tools::{NewToolCall, RequestTools};
pub use send_message::SendMessage;
pub use start_agent::StartAgent;
pub use start_conversation::StartConversation;
pub use start_tool::StartTool;
pub use start_turn::StartTurn;
pub use stop_turn::StopTurn;

use rust_decimal::Decimal;

use crate::conversation::{Conversation, Run, Stage, Turn};
use crate::error::{Refusal, Rejection};

/// Characters of a name that a message quotes.
const QUOTED: usize = 64;

/// What a rule answers.
pub type Decision = Result<Vec<ConversationEvent>, Refusal>;

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident $label:literal;)*) => {
        /// Everything that can be asked of a conversation.
        #[derive(Clone, Debug)]
        pub enum Command {
            $($(#[$doc])* $name($name),)*
        }

        impl Command {
            /// Its name as clients write it; an idempotency key counts within it.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => $label,)* }
            }
        }

        /// The events that a command leads to in this state, or why none. Pure: the same arguments, the same answer.
        ///
        /// # Errors
        /// The state does not allow it.
        pub fn decide(state: &Conversation, command: &Command) -> Decision {
            match command { $(Command::$name(command) => command.decide(state),)* }
        }

        $(impl From<$name> for Command {
            fn from(command: $name) -> Self {
                Self::$name(command)
            }
        })*
    };
}

commands! {
    /// Begin.
    StartConversation "startConversation";
    /// Another title.
    RenameConversation "renameConversation";
    /// No more messages.
    ArchiveConversation "archiveConversation";
    /// Another person takes part.
    AddParticipant "addParticipant";
    /// A person takes part no more.
    RemoveParticipant "removeParticipant";
    /// A person says something.
    SendMessage "sendMessage";
    /// A person wants an agent to run.
    StartAgent "startAgent";
    /// A person says who answers.
    ConfigureAgents "configureAgents";
    /// A person stops a turn.
    StopTurn "stopTurn";
    /// A person wants another answer.
    RegenerateMessage "regenerateMessage";
    /// A person decides about a tool call.
    DecideTool "decideTool";
    /// Answer the message that waits.
    StartTurn "startTurn";
    /// The next steps of a turn.
    PlanTurn "planTurn";
    /// A turn ends between two plans.
    EndTurn "endTurn";
    /// A worker takes a run.
    ClaimRun "claimRun";
    /// A run asks a model again.
    BeginCall "beginCall";
    /// A model wants tools.
    RequestTools "requestTools";
    /// A run ended.
    EndRun "endRun";
    /// A worker takes a tool call.
    StartTool "startTool";
    /// A tool call ended.
    EndTool "endTool";
    /// Nobody decided about a tool call.
    ExpireTool "expireTool";
    /// An agent asks another one.
    AskAgent "askAgent";
    /// Ask a model for a title.
    BeginTitle "beginTitle";
    /// A model call for a title ended.
    EndTitle "endTitle";
}

/// A model call that is about to begin.
#[derive(Clone, Debug)]
pub struct NewCall {
    /// The call.
    pub call: CallId,
    /// Which request of the same question it is.
    pub attempt: u32,
    /// The model: `offline` or `<provider>/<model>`.
    pub model: String,
    /// What the model is asked.
    pub context: ContextReference,
    /// Bytes of all that the model is shown.
    pub prompt_bytes: u64,
    /// The most that it may cost.
    pub reserved: Option<Cost>,
    /// How much the turn may take.
    pub limits: Limits,
}

/// How much a turn may take, by the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Model calls.
    pub calls: u32,
    /// Money, in the currency of the prices.
    pub cost: Option<Decimal>,
    /// Tokens of prompts and answers.
    pub tokens: Option<u64>,
}

/// Bytes of text that count as one token where nobody has counted.
pub const BYTES_PER_TOKEN: u64 = 4;
/// Tokens of the longest answer, where what calls take has a limit.
pub const LONGEST_ANSWER: u32 = 8192;

/// The most tokens that a call may take, as far as that can be told before it: those of its prompt and of the longest answer.
#[must_use]
pub fn most_tokens(prompt_bytes: u64) -> u64 {
    prompt_bytes.div_ceil(BYTES_PER_TOKEN).saturating_add(LONGEST_ANSWER.into())
}

/// A model call that is over.
#[derive(Clone, Debug)]
pub struct CallEnd {
    /// The call.
    pub call: CallId,
    /// What became of it.
    pub outcome: CallOutcome,
    /// What it took.
    pub spent: Spent,
    /// The answer came from our own cache.
    pub cached: bool,
}

/// The end of a run's open model call: as its worker says, else as one that nobody knows anything of. An end that is of
/// another call is stale.
fn end_open_call(run: &Run, end: Option<&CallEnd>) -> Result<Option<ModelCallEnded>, Refusal> {
    let Some(open) = &run.open_call else {
        return if end.is_none() { Ok(None) } else { Err(Refusal::Stale) };
    };
    let end = match end {
        Some(end) if end.call != open.call => return Err(Refusal::Stale),
        Some(end) => end.clone(),
        None => CallEnd {
            call: open.call,
            outcome: CallOutcome::Abandoned,
            spent: Spent { estimated: true, ..Spent::default() },
            cached: false,
        },
    };
    let CallEnd { call, outcome, spent, cached } = end;
    Ok(Some(ModelCallEnded { call, run: run.run, outcome, spent, cached, said: None }))
}

/// How a turn ends with its last run: as its last step does, unless somebody stopped it.
fn ending(turn: &Turn, now: Option<(RunId, Stage)>, reason: &Sealed) -> ConversationEvent {
    if let Some(stop) = turn.stop {
        return TurnStopped { turn: turn.turn, by: stop.by, rolled_back: stop.roll_back }.into();
    }
    let stage = turn.last_step().map(|step| match now {
        Some((run, stage)) if run == step.run => stage,
        _ => step.stage,
    });
    match stage {
        Some(Stage::Completed) if !turn.more => TurnCompleted { turn: turn.turn }.into(),
        _ => TurnFailed { turn: turn.turn, reason: reason.clone() }.into(),
    }
}

/// Whether a call fits beside all that the turn has cost and its other open calls may.
fn only_within(turn: &Turn, run: &Run, ended: Option<&ModelCallEnded>, call: &NewCall) -> Result<(), Refusal> {
    if turn.calls >= call.limits.calls {
        let why = format!("the turn has made all of its {} model calls", call.limits.calls);
        return Err(reject(code::BUDGET_EXCEEDED, why));
    }
    let others = || turn.open_runs().filter(|open| open.run != run.run).filter_map(|open| open.open_call.as_ref());
    if let Some(limit) = call.limits.tokens {
        let total = |spent: &Spent| spent.usage.map_or(0, Usage::total);
        let taken = total(&turn.spent)
            + ended.map_or(0, |ended| total(&ended.spent))
            + others().map(|open| most_tokens(open.prompt_bytes)).sum::<u64>();
        let most = most_tokens(call.prompt_bytes);
        if taken.saturating_add(most) > limit {
            let why = format!(
                "another model call may take {most} tokens, and of the turn's {limit} tokens {taken} are taken"
            );
            return Err(reject(code::BUDGET_EXCEEDED, why));
        }
    }
    let amount = |cost: Option<&Cost>| cost.map(Cost::decimal).unwrap_or_default();
    let taken = amount(turn.spent.cost.as_ref())
        + amount(ended.and_then(|ended| ended.spent.cost.as_ref()))
        + others().map(|open| amount(open.reserved.as_ref())).sum::<Decimal>();
    only_affordable(taken, call)
}

/// Whether the most that a call may cost fits beside what is taken.
fn only_affordable(taken: Decimal, call: &NewCall) -> Result<(), Refusal> {
    let over = |why: String| Err(reject(code::BUDGET_EXCEEDED, why));
    let Some(limit) = call.limits.cost else { return Ok(()) };
    let Some(most) = &call.reserved else {
        return over(format!("{} has no price, and the turn has a limit of cost", call.model));
    };
    if taken + most.decimal() > limit {
        return over(format!(
            "another model call may cost {} {currency}, and of the turn's {limit} {currency} {taken} are taken",
            most.amount,
            currency = most.currency
        ));
    }
    Ok(())
}

/// Nothing new begins in a turn that somebody stops.
fn only_running(turn: &Turn) -> Result<(), Refusal> {
    if turn.stop.is_some() {
        return Err(reject(code::TURN_STOPPING, "the turn is being stopped"));
    }
    Ok(())
}

fn reject(code: &'static str, message: impl Into<String>) -> Refusal {
    Rejection { code, message: message.into() }.into()
}

/// To everyone who does not take part, a conversation does not exist.
fn only_participants(state: &Conversation, person: PersonId) -> Result<(), Refusal> {
    state.has_participant(person).then_some(()).ok_or(Refusal::NotFound)
}

fn only_open(state: &Conversation) -> Result<(), Refusal> {
    if state.archived {
        return Err(reject(code::CONVERSATION_ARCHIVED, "the conversation is archived"));
    }
    Ok(())
}

fn only_short_titles(chars: usize) -> Result<(), Refusal> {
    let limit = rename_conversation::TITLE_LIMIT;
    if chars > limit {
        return Err(reject(code::TITLE_TOO_LONG, format!("a title may have {limit} characters, this one has {chars}")));
    }
    Ok(())
}

fn unknown_agent(name: &str) -> Refusal {
    let name: String = name.chars().take(QUOTED).collect();
    reject(code::UNKNOWN_AGENT, format!("there is no agent named {name:?}"))
}

impl Command {
    /// Whether it begins a conversation: there is nothing to load.
    pub(crate) fn begins(&self) -> bool {
        match self {
            Self::StartConversation(_) => true,
            Self::SendMessage(command) => command.start.is_some(),
            _ => false,
        }
    }
}
