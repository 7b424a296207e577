//! Which messages are in flight at a cursor.

use std::collections::VecDeque;
use std::sync::Arc;

use events::{ConversationEvent, Cursor, OpenMessage};

use super::item::LiveEvent;
use super::open::{Open, follow};

/// Whether a search backwards for messages in flight may end at this event: one turn runs at a time, and its runs within it. A
/// `TurnStopped` is no bound: a turn that waits can be stopped while another one runs.
pub(super) fn bounds_a_turn(event: &LiveEvent) -> bool {
    use ConversationEvent::{ConversationStarted, TurnCompleted, TurnFailed, TurnStarted};
    matches!(&event.event, Some(ConversationStarted(_) | TurnStarted(_) | TurnCompleted(_) | TurnFailed(_)))
}

/// The messages in flight just after the last of these events, which reach back to a turn's bound; each with its place in `cursor`.
///
/// One that the cursor does not name continues with the chunks that came after the cursor's event or later.
pub(super) fn open_at<'e>(history: impl IntoIterator<Item = &'e Arc<LiveEvent>>, cursor: &Cursor) -> Vec<Open> {
    let mut open: Vec<Open> = Vec::new();
    history.into_iter().for_each(|event| follow(&mut open, event));
    for open in &mut open {
        match cursor.open.iter().find(|named| named.started == open.started) {
            Some(named) => open.next = named.chunks,
            None => open.floor = cursor.sequence,
        }
    }
    open
}

/// The `AgentStarted` of messages in flight, each with the cursor after it. After the last of them a reader stands at `place`. After
/// one before it the reader stands where that one happened, so that whoever resumes there sees those that follow; of messages
/// that were in flight there and have ended since, nothing more is to come but their ends.
pub(super) fn prelude(
    history: &VecDeque<Arc<LiveEvent>>,
    open: &[Open],
    place: &Cursor,
) -> VecDeque<(Cursor, Arc<LiveEvent>)> {
    let shown = |started| open.iter().any(|open| open.started == started);
    let mut prelude: VecDeque<_> = (1..)
        .zip(history)
        .filter(|(_, event)| shown(event.sequence()))
        .map(|(count, event)| {
            let sequence = event.sequence();
            let open = open_at(history.iter().take(count), &Cursor::at(sequence));
            let named = open.iter().map(|open| OpenMessage {
                started: open.started,
                chunks: if shown(open.started) { 0 } else { u32::MAX },
            });
            (Cursor { sequence, open: named.collect() }, event.clone())
        })
        .collect();
    if let Some((cursor, _)) = prelude.back_mut() {
        cursor.clone_from(place);
    }
    prelude
}
