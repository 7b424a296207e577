use events::event::*;

use super::*;
use crate::rows::{Author, MessageStatus, Role};
use crate::testing::{Story, plan, planned_run, sealed, time};

/// The rows after all events of a story.
pub(super) fn fold(story: &Story) -> RowSet {
    let mut rows = RowSet::new(story.id);
    for record in &story.records {
        assert!(rows.apply(&Entry::of(Arc::new(record.clone()))).unwrap());
    }
    rows
}

fn conversation(rows: &RowSet) -> &ConversationRow {
    rows.conversation.as_ref().unwrap()
}

#[test]
fn a_conversation_s_row_follows_its_events() {
    let mut story = Story::new();
    let begun = fold(&story);
    let row = conversation(&begun);
    assert_eq!((row.starter, row.title.clone(), row.sequence), (story.person, Some(sealed("title")), 1));
    assert_eq!((row.created_at, row.updated_at, row.archived_at), (time(1), time(1), None));
    assert_eq!(begun.participants, BTreeMap::from([(story.person, Some(1))]));

    let guest = PersonId::generate();
    story.tell(ParticipantAdded { person: guest });
    story.tell(ConversationRenamed { title: sealed("other") });
    assert_eq!(fold(&story).participants[&guest], Some(2));
    story.tell(ParticipantRemoved { person: guest });
    story.tell(ConversationArchived {});
    let ended = fold(&story);
    let row = conversation(&ended);
    assert_eq!((row.title.clone(), row.archived_at, row.sequence), (Some(sealed("other")), Some(time(5)), 5));
    assert_eq!((row.created_at, row.updated_at), (time(1), time(5)));
    assert_eq!(ended.participants[&guest], None);
}

#[test]
fn a_sent_message_is_whole_at_once() {
    let mut story = Story::new();
    let id = story.say("hello");
    let rows = fold(&story);
    let row = &rows.messages.rows[&id];
    assert_eq!(
        (row.role, row.status, row.author.clone()),
        (Role::User, MessageStatus::Completed, Author::Person(story.person))
    );
    assert_eq!((row.text.clone(), row.metadata.clone()), (Some(sealed("hello")), Some(sealed("{}"))));
    assert_eq!((row.sequence, row.position, row.created_at, row.completed_at), (2, 0, time(2), Some(time(2))));
}

#[test]
fn a_planned_run_waits_with_its_message_for_a_worker() {
    let mut story = Story::new();
    let question = story.say("hello");
    let ids = story.plan(question);
    let rows = fold(&story);
    let (run, message, turn) =
        (&rows.runs.rows[&ids.run], &rows.messages.rows[&ids.answer], &rows.turns.rows[&ids.turn]);
    assert_eq!((run.status, run.epoch, run.model.clone(), run.started_at), (RunStatus::Running, 0, None, time(4)));
    assert_eq!((message.status, message.text.clone(), message.created_at), (MessageStatus::Streaming, None, time(4)));
    assert_eq!((message.role, message.run, message.started), (Role::Assistant, Some(ids.run), 0));
    assert_eq!((turn.status, turn.message, turn.started_at), (RunStatus::Running, Some(question), time(3)));
}

#[test]
fn the_messages_of_one_plan_stand_in_its_order() {
    let mut story = Story::new();
    let turn = TurnId::generate();
    story.tell(TurnStarted { turn, message: None, person: story.person, regenerates: None });
    let runs = vec![planned_run(), planned_run()];
    story.tell(plan(turn, runs.clone()));
    let rows = fold(&story);
    let place = |index: usize| {
        let row = &rows.messages.rows[&runs[index].message];
        (row.sequence, row.position, rows.runs.rows[&runs[index].run].position)
    };
    assert_eq!((place(0), place(1)), ((3, 0, 0), (3, 1, 1)));
}

#[test]
fn a_takeover_starts_the_run_and_its_message_anew() {
    let mut story = Story::new();
    let question = story.say("hello");
    let ids = story.plan(question);
    story.claim(ids, 1);
    story.claim(ids, 2);
    let rows = fold(&story);
    let (run, message) = (&rows.runs.rows[&ids.run], &rows.messages.rows[&ids.answer]);
    assert_eq!((run.epoch, run.model.as_deref(), run.started_at), (2, Some("offline"), time(6)));
    assert_eq!((message.epoch, message.started, message.status), (2, 6, MessageStatus::Streaming));
}

#[test]
fn an_answer_that_is_whole_ends_message_run_and_turn() {
    let mut story = Story::new();
    let ids = story.ask();
    let rows = fold(&story);
    let (run, message, turn) =
        (&rows.runs.rows[&ids.run], &rows.messages.rows[&ids.answer], &rows.turns.rows[&ids.turn]);
    assert_eq!((message.status, message.text.clone()), (MessageStatus::Completed, Some(sealed("answer"))));
    assert_eq!(
        (message.completed_at, message.finish_reason),
        (Some(time(7)), Some(events::FinishReason::ContentFilter))
    );
    assert!(message.spent.usage.is_some() && run.spent == message.spent);
    assert_eq!(
        (run.status, run.ended_at, turn.status, turn.ended_at),
        (RunStatus::Completed, Some(time(8)), RunStatus::Completed, Some(time(9)))
    );
}

#[test]
fn an_answer_that_broke_off_keeps_its_text_and_the_reason() {
    let mut story = Story::new();
    let question = story.say("hello");
    let ids = story.plan(question);
    let started = story.claim(ids, 1);
    story.fail(ids, 1, started);
    let rows = fold(&story);
    let (run, message, turn) =
        (&rows.runs.rows[&ids.run], &rows.messages.rows[&ids.answer], &rows.turns.rows[&ids.turn]);
    assert_eq!(
        (message.status, message.text.clone(), message.reason.clone()),
        (MessageStatus::Failed, Some(sealed("ans")), Some(sealed("cut")))
    );
    assert_eq!((run.status, run.error.clone()), (RunStatus::Failed, Some(sealed("cut"))));
    assert_eq!((turn.status, turn.reason.clone()), (RunStatus::Failed, Some(sealed("cut"))));
}

#[test]
fn an_event_that_the_rows_hold_changes_nothing() {
    let story = Story::eventful();
    let mut rows = fold(&story);
    let before = format!("{rows:?}");
    for record in &story.records {
        assert!(!rows.apply(&Entry::of(Arc::new(record.clone()))).unwrap());
    }
    assert_eq!(format!("{rows:?}"), before);
}

#[test]
fn a_missing_event_is_an_error_and_changes_nothing() {
    let mut story = Story::new();
    story.say("lost");
    story.say("kept");
    let mut rows = RowSet::new(story.id);
    rows.apply(&Entry::of(Arc::new(story.records[0].clone()))).unwrap();
    let error = rows.apply(&Entry::of(Arc::new(story.records[2].clone()))).unwrap_err();
    assert!(matches!(error, Error::Gap { stands: 1, found: 3, .. }), "{error}");
    assert_eq!(rows.sequence(), 1);
    assert!(RowSet::new(story.id).apply(&Entry::of(Arc::new(story.records[1].clone()))).is_err());
}

#[test]
fn an_event_that_is_unknown_or_unreadable_only_counts() {
    let mut story = Story::new();
    story.tell_data("dev.loquent.future.thing.v1", serde_json::json!({}));
    story.tell_data("dev.loquent.message.sent.v1", serde_json::json!({ "message": 7 }));
    let mut rows = fold(&story);
    assert_eq!((rows.sequence(), rows.messages.rows.len()), (3, 0));
    assert!(rows.apply(&Entry::Unreadable(story.id, 4)).unwrap());
    assert_eq!(rows.sequence(), 4);
    // What would have followed it finds no row and is left out.
    let ids =
        crate::testing::Answered { answer: MessageId::generate(), turn: TurnId::generate(), run: RunId::generate() };
    story.say("placeholder");
    let sequence = story.claim(ids, 1);
    assert_eq!(sequence, 5);
    assert!(rows.apply(&Entry::of(Arc::new(story.records[4].clone()))).unwrap());
    assert_eq!((rows.sequence(), rows.runs.rows.len()), (5, 0));
}

#[test]
fn a_beginning_that_cannot_be_read_leaves_a_row_that_nobody_sees() {
    let id = ConversationId::generate();
    let mut rows = RowSet::new(id);
    assert!(rows.apply(&Entry::Unreadable(id, 1)).unwrap());
    assert_eq!((conversation(&rows).tenant.as_str(), rows.participants.len()), ("", 0));
}
