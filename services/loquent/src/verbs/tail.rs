//! `loquent tail`.

use std::collections::HashMap;
use std::sync::Arc;

use event_log::{Chunk, Item, Tail};
use events::record::milliseconds;
use events::{ConversationId, Cursor, Record, Sequence};
use serde_json::json;

use super::print;
use crate::cli::{Output, TailArgs};
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::node::Node;

/// Events read from the store at once.
const PAGE: usize = 500;

/// Where to begin.
enum From {
    Beginning,
    Now,
    Cursor(Cursor),
}

/// Prints what the log carries until interrupted. Texts are sealed there, and are shown so.
///
/// # Errors
/// The arguments do not go together, or the log cannot be read.
pub(crate) async fn run(config: &Config, arguments: &TailArgs) -> Outcome<()> {
    let (conversation, from) = read(arguments)?;
    let node = Node::open(config).await?;
    let mut printer = Printer { conversation, seen: HashMap::new(), output: arguments.output.output };
    let beginning = matches!(from, From::Beginning) && conversation.is_none();
    let tail = node.log.read(beginning).await?;
    // The store is read after the tail stands: nothing lies between them.
    if let Some(id) = conversation {
        match from {
            From::Now => {}
            From::Beginning => stored(&node, id, 0, &mut printer).await?,
            From::Cursor(cursor) => stored(&node, id, cursor.sequence, &mut printer).await?,
        }
    }
    tokio::select! {
        followed = follow(tail, &mut printer) => followed,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

fn read(arguments: &TailArgs) -> Outcome<(Option<ConversationId>, From)> {
    let id = arguments.conversation.as_deref().map(str::parse::<ConversationId>).transpose();
    let id = id.map_err(|_| Failure::usage("--conversation: not a conversation's id (conv_…)"))?;
    let from = match arguments.from.as_str() {
        "beginning" => From::Beginning,
        "now" => From::Now,
        cursor => match cursor.parse() {
            Ok(cursor) if id.is_some() => From::Cursor(cursor),
            Ok(_) => return Err(Failure::usage("--from: a cursor is a place in one conversation; add --conversation")),
            Err(_) => return Err(Failure::usage("--from: neither beginning, now nor a cursor")),
        },
    };
    Ok((id, from))
}

async fn stored(node: &Node, id: ConversationId, mut after: Sequence, printer: &mut Printer) -> Outcome<()> {
    loop {
        let records = node.store.load(id, after, PAGE).await?;
        let Some(last) = records.last() else { return Ok(()) };
        after = last.sequence;
        for record in records {
            printer.event(&Arc::new(record))?;
        }
    }
}

async fn follow(mut tail: Tail, printer: &mut Printer) -> Outcome<()> {
    loop {
        for item in tail.next().await? {
            match item {
                Item::Event(record) => printer.event(&record)?,
                Item::Chunk(chunk) => printer.chunk(&chunk)?,
            }
        }
    }
}

/// Prints each event once: the log delivers at least once, and overlaps with what the store gave.
struct Printer {
    conversation: Option<ConversationId>,
    seen: HashMap<ConversationId, Sequence>,
    output: Output,
}

impl Printer {
    fn event(&mut self, record: &Arc<Record>) -> Outcome<()> {
        if self.conversation.is_some_and(|id| id != record.subject) {
            return Ok(());
        }
        let seen = self.seen.entry(record.subject).or_default();
        if *seen >= record.sequence {
            return Ok(());
        }
        *seen = record.sequence;
        if self.output == Output::Json {
            return print(serde_json::to_string(record.as_ref())?);
        }
        let Record { time, subject, sequence, kind, actor, .. } = record.as_ref();
        let time = milliseconds::text(time);
        print(format_args!("{time} {subject} {sequence:>6} {kind} by {actor}"))
    }

    fn chunk(&self, chunk: &Chunk) -> Outcome<()> {
        if self.conversation.is_some_and(|id| id != chunk.conversation) {
            return Ok(());
        }
        let Chunk { conversation, tenant, at, data } = chunk;
        if self.output == Output::Json {
            let line = json!({
                "type": "dev.loquent.chunk.produced.v1", "subject": conversation, "tenant": tenant, "time": at,
                "data": data,
            });
            return print(line);
        }
        let at = milliseconds::text(at);
        print(format_args!("{at} {conversation}        chunk {} of {}", data.index, data.message))
    }
}
