//! What runs said and did: their model calls that went on with tools, what came of these, and how they ended.

use std::collections::HashMap;

use events::event::{RejectionCause, ToolCallRejected};
use events::{CallId, ChunkTable, ConversationEvent, MessageId, RunId, Sealed, Sequence};

use commands::Run;

use super::reader::Opener;
use crate::answer::Parts;
use crate::prompt::{Line, Past, ToolUse};
use crate::{Error, Result};

/// All runs that were read.
#[derive(Default)]
pub(super) struct Runs {
    steps: HashMap<RunId, Vec<Step>>,
    wanted: HashMap<CallId, Vec<Wanted>>,
    results: HashMap<CallId, Done>,
    edits: HashMap<CallId, String>,
    ends: HashMap<RunId, Ended>,
}

/// A model call after which its run went on with tools.
struct Step {
    sequence: Sequence,
    call: CallId,
    said: Parts,
    chunks: String,
}

/// A tool call as its model wanted it.
struct Wanted {
    call: CallId,
    tool: String,
    arguments: String,
}

/// What came of a tool call.
struct Done {
    text: String,
    is_error: bool,
}

/// The end of a run that left a text.
pub(super) struct Ended {
    pub(super) sequence: Sequence,
    pub(super) message: MessageId,
    pub(super) text: String,
}

const UNCERTAIN: &str =
    "It began, and nobody knows whether it took place. It is not repeated by itself: find out before you count on it.";
const CANCELLED: &str = "It did not take place: the run was stopped.";

impl Runs {
    /// Takes the next event, which lies before all those taken yet.
    pub(super) async fn take(
        &mut self,
        opener: &Opener<'_>,
        sequence: Sequence,
        event: ConversationEvent,
    ) -> Result<()> {
        use ConversationEvent as E;
        match event {
            E::MessageCompleted(end) => self.ended(opener, sequence, end.run, end.message, &end.text).await?,
            E::MessageStopped(end) => self.ended(opener, sequence, end.run, end.message, &end.text).await?,
            E::ModelCallEnded(ended) => {
                if let Some(said) = &ended.said {
                    let texts = Parts {
                        text: or_empty(opener.open(&said.text, ended.call, "text").await?),
                        reasoning: open_some(opener, said.reasoning.as_ref(), ended.call, "reasoning").await?,
                        calls: open_some(opener, said.calls.as_ref(), ended.call, "calls").await?,
                    };
                    let chunks = or_empty(opener.open(&said.chunks, ended.call, "chunks").await?);
                    let step = Step { sequence, call: ended.call, said: texts, chunks };
                    self.steps.entry(ended.run).or_default().insert(0, step);
                }
            }
            E::ToolCallRequested(event) => {
                let arguments = or_empty(opener.open(&event.arguments, event.call, "arguments").await?);
                let wanted = Wanted { call: event.call, tool: event.tool, arguments };
                self.wanted.entry(event.model_call).or_default().insert(0, wanted);
            }
            E::ToolCallApproved(event) => {
                if let Some(edited) = &event.edited {
                    self.edits.insert(event.call, or_empty(opener.open(edited, event.call, "edited").await?));
                }
            }
            E::ToolCallCompleted(event) => {
                let result = or_empty(opener.open(&event.result, event.call, "result").await?);
                self.done(event.call, plain(&result), false);
            }
            E::ToolCallFailed(event) => {
                let error = or_empty(opener.open(&event.error, event.call, "error").await?);
                self.done(event.call, error, true);
            }
            E::ToolCallRejected(event) => {
                let reason = rejection(opener, &event).await?;
                self.done(event.call, reason, true);
            }
            E::ToolCallUncertain(event) => self.done(event.call, UNCERTAIN.into(), true),
            _ => {}
        }
        Ok(())
    }

    async fn ended(
        &mut self,
        opener: &Opener<'_>,
        sequence: Sequence,
        run: RunId,
        message: MessageId,
        text: &Sealed,
    ) -> Result<()> {
        if let Some(text) = opener.open(text, message, "text").await? {
            self.ends.insert(run, Ended { sequence, message, text });
        }
        Ok(())
    }

    fn done(&mut self, call: CallId, text: String, is_error: bool) {
        self.results.insert(call, Done { text, is_error });
    }

    pub(super) fn all_ended(&self) -> impl Iterator<Item = (RunId, &Ended)> {
        self.ends.iter().map(|(run, ended)| (*run, ended))
    }

    pub(super) fn end_of(&self, run: RunId) -> Option<&Ended> {
        self.ends.get(&run)
    }

    /// All of an ended run: its steps, and what it said after the last of them.
    pub(super) fn lines(&self, run: RunId, ended: &Ended) -> Vec<Line> {
        let steps = self.steps.get(&run).map(Vec::as_slice).unwrap_or_default();
        let before: usize = steps.iter().map(|step| step.said.text.len()).sum();
        let text = ended.text.get(before..).unwrap_or(&ended.text).to_owned();
        let mut lines: Vec<Line> = steps.iter().flat_map(|step| self.step_lines(step)).collect();
        if !text.is_empty() || lines.is_empty() {
            lines.push(Line::Assistant { text, calls: Vec::new() });
        }
        lines
    }

    /// The steps of a run that has not ended.
    pub(super) fn steps_of(&self, run: RunId) -> Vec<Past> {
        let steps = self.steps.get(&run).into_iter().flatten();
        let past = |step: &Step| Past { anchor: step.sequence, sequence: step.sequence, lines: self.step_lines(step) };
        steps.map(past).collect()
    }

    /// All that a run has said in those steps.
    pub(super) fn said_by(&self, run: RunId) -> Parts {
        let mut all = Parts::default();
        for step in self.steps.get(&run).into_iter().flatten() {
            all.text.push_str(&step.said.text);
            all.reasoning.push_str(&step.said.reasoning);
            all.calls.push_str(&step.said.calls);
        }
        all
    }

    /// The chunks of a run's attempt, up to its last step.
    pub(super) fn table(&self, run: &Run) -> Result<ChunkTable> {
        let last = self.steps.get(&run.run).and_then(|steps| steps.last());
        let of_this_attempt = last.filter(|step| step.sequence > run.started);
        let Some(step) = of_this_attempt else { return Ok(ChunkTable::default()) };
        ChunkTable::unpack(&step.chunks, run.started).map_err(|_| Error::History("a step's chunk table cannot be read"))
    }

    fn step_lines(&self, step: &Step) -> Vec<Line> {
        let wanted = self.wanted.get(&step.call).map(Vec::as_slice).unwrap_or_default();
        let calls = wanted.iter().map(|wanted| ToolUse {
            id: wanted.call.to_string(),
            name: wanted.tool.clone(),
            arguments: wanted.arguments.clone(),
        });
        let said = Line::Assistant { text: step.said.text.clone(), calls: calls.collect() };
        std::iter::once(said).chain(wanted.iter().map(|wanted| self.result(wanted.call))).collect()
    }

    fn result(&self, call: CallId) -> Line {
        let (text, is_error) = match self.results.get(&call) {
            Some(done) => (done.text.clone(), done.is_error),
            None => (CANCELLED.to_owned(), true),
        };
        let text = match self.edits.get(&call) {
            Some(edited) => format!("(A person changed the arguments to {edited})\n{text}"),
            None => text,
        };
        Line::Result { call: call.to_string(), text, is_error }
    }
}

async fn rejection(opener: &Opener<'_>, event: &ToolCallRejected) -> Result<String> {
    let why = open_some(opener, event.reason.as_ref(), event.call, "reason").await?;
    Ok(match event.cause {
        RejectionCause::Person if why.is_empty() => "A person said no.".into(),
        RejectionCause::Person => format!("A person said no: {why}"),
        RejectionCause::Expired => "Nobody allowed it in time.".into(),
        RejectionCause::Denied => "This tool is not allowed here.".into(),
    })
}

async fn open_some(opener: &Opener<'_>, sealed: Option<&Sealed>, owner: CallId, name: &'static str) -> Result<String> {
    match sealed {
        Some(sealed) => Ok(or_empty(opener.open(sealed, owner, name).await?)),
        None => Ok(String::new()),
    }
}

/// What was erased is empty.
fn or_empty(text: Option<String>) -> String {
    text.unwrap_or_default()
}

/// A JSON text as it is, anything else as JSON.
fn plain(json: &str) -> String {
    serde_json::from_str::<String>(json).unwrap_or_else(|_| json.to_owned())
}
