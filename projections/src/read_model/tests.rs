use std::sync::Arc;

use database::testing::{TestDatabase, databases};
use events::event::{ParticipantAdded, ParticipantRemoved};
use events::{MessageId, PersonId, RunId, TurnId};

use super::*;
use crate::apply::apply;
use crate::fold::Entry;
use crate::testing::Story;
use crate::{Error, MessageStatus, Page, PageOf};

async fn write(test: &TestDatabase, stories: &[&Story]) {
    for story in stories {
        let entries: Vec<_> = story.records.iter().map(|record| Entry::of(Arc::new(record.clone()))).collect();
        let mut tx = test.database.begin().await.unwrap();
        apply(&mut tx, &entries).await.unwrap();
        tx.commit().await.unwrap();
    }
}

/// What Relay's specification says of a list's page.
fn expected(all: &[String], page: &Page) -> (Vec<String>, bool, bool) {
    let at =
        |cursor: &Option<String>| cursor.as_ref().map(|cursor| all.iter().position(|other| other == cursor).unwrap());
    let from = at(&page.after).map_or(0, |at| at + 1);
    let to = at(&page.before).unwrap_or(all.len()).max(from);
    let (from, to) = match (page.first, page.last) {
        (_, Some(last)) => (from.max(to.saturating_sub(last as usize)), to),
        (first, None) => (from, to.min(from + first.unwrap_or(50) as usize)),
    };
    (all[from..to].to_vec(), to < all.len(), from > 0)
}

fn cursors<T>(page: &PageOf<T>) -> Vec<String> {
    page.rows.iter().map(|(cursor, _)| cursor.clone()).collect()
}

fn every_page(all: &[String]) -> Vec<Page> {
    let bounds: Vec<Option<String>> = all.iter().cloned().map(Some).chain([None]).collect();
    let mut pages = Vec::new();
    for after in &bounds {
        for before in &bounds {
            for number in [0, 1, 2, 5, 100] {
                let (after, before) = (after.clone(), before.clone());
                pages.push(Page { first: Some(number), after: after.clone(), before: before.clone(), last: None });
                pages.push(Page { first: None, after, before, last: Some(number) });
            }
        }
    }
    pages
}

#[tokio::test]
async fn every_page_of_messages_is_as_relay_says() {
    for test in databases().await {
        let mut story = Story::new();
        story.ask();
        story.ask();
        story.say("last");
        write(&test, &[&story, &Story::eventful()]).await;
        let model = ReadModel::new(test.database.clone());
        let whole = model.messages(story.id, &Page::default()).await.unwrap();
        let all = cursors(&whole);
        assert_eq!((all.len(), whole.total, whole.has_next, whole.has_previous), (5, 5, false, false));
        for page in every_page(&all) {
            let found = model.messages(story.id, &page).await.unwrap();
            let (rows, has_next, has_previous) = expected(&all, &page);
            // An empty page between two cursors has something on both sides; which rows it stands before is a matter of taste.
            assert_eq!((cursors(&found), found.total), (rows.clone(), 5), "{page:?}");
            if !rows.is_empty() {
                assert_eq!((found.has_next, found.has_previous), (has_next, has_previous), "{page:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_person_s_conversations_are_paged_oldest_first() {
    for test in databases().await {
        let person = events::PersonId::generate();
        let stories: Vec<_> = (0..4).map(|_| Story::begin(person, "default")).collect();
        let other = Story::begin(person, "other");
        write(&test, &stories.iter().rev().chain([&other, &Story::new()]).collect::<Vec<_>>()).await;
        let model = ReadModel::new(test.database.clone());
        let whole = model.conversations("default", person, &Page::default()).await.unwrap();
        let ids: Vec<_> = whole.rows.iter().map(|(_, row)| row.id).collect();
        let mut sorted: Vec<_> = stories.iter().map(|story| story.id).collect();
        sorted.sort();
        assert_eq!((ids, whole.total), (sorted, 4));
        let all = cursors(&whole);
        for page in every_page(&all) {
            let found = model.conversations("default", person, &page).await.unwrap();
            assert_eq!((cursors(&found), found.total), (expected(&all, &page).0, 4), "{page:?}");
        }
    }
}

#[tokio::test]
async fn turns_come_with_their_runs() {
    for test in databases().await {
        let mut story = Story::new();
        let asked: Vec<_> = (0..3).map(|_| story.ask()).collect();
        write(&test, &[&story]).await;
        let model = ReadModel::new(test.database.clone());
        let page = Page { last: Some(2), ..Page::default() };
        let found = model.turns(story.id, &page).await.unwrap();
        let turns: Vec<_> = found.rows.iter().map(|(_, row)| row.id).collect();
        assert_eq!(
            (turns.clone(), found.has_previous, found.has_next),
            (vec![asked[1].turn, asked[2].turn], true, false)
        );
        let runs = model.runs_of_turns(&turns).await.unwrap();
        assert_eq!(runs[&turns[0]].iter().map(|run| run.id).collect::<Vec<_>>(), [asked[1].run]);
        assert!(model.runs_of_turns(&[]).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn what_a_person_takes_no_part_in_does_not_exist() {
    for test in databases().await {
        let (guest, stranger) = (events::PersonId::generate(), events::PersonId::generate());
        let mut story = Story::new();
        let ids = story.ask();
        story.tell(ParticipantAdded { person: guest });
        write(&test, &[&story]).await;
        let model = ReadModel::new(test.database.clone());
        let id = story.id;
        let sees = async |tenant: &str, person| {
            let conversation = model.conversation(tenant, person, id).await.unwrap().is_some();
            let message = model.message(tenant, person, ids.answer).await.unwrap().is_some();
            let turn = model.turn(tenant, person, ids.turn).await.unwrap().is_some();
            let run = model.run(tenant, person, ids.run).await.unwrap().is_some();
            let listed = model.conversations(tenant, person, &Page::default()).await.unwrap().total == 1;
            [conversation, message, turn, run, listed]
        };
        assert_eq!(sees("default", story.person).await, [true; 5]);
        assert_eq!(sees("default", guest).await, [true; 5]);
        assert_eq!(sees("default", stranger).await, [false; 5]);
        assert_eq!(sees("other", story.person).await, [false; 5]);
        let row = model.conversation("default", guest, story.id).await.unwrap().unwrap();
        assert_eq!(row.participants, [story.person, guest]);

        story.tell(ParticipantRemoved { person: guest });
        write(&test, &[&story]).await;
        assert_eq!(sees("default", guest).await, [false; 5]);
    }
}

#[tokio::test]
async fn many_rows_are_asked_for_at_once() {
    for test in databases().await {
        let mut story = Story::new();
        let asked: Vec<_> = (0..3).map(|_| story.ask()).collect();
        write(&test, &[&story]).await;
        let model = ReadModel::new(test.database.clone());
        let (tenant, person) = ("default", story.person);
        let messages: Vec<MessageId> = asked.iter().map(|ids| ids.answer).chain([MessageId::generate()]).collect();
        let found = model.messages_by_id(tenant, person, &messages).await.unwrap();
        assert_eq!(found.len(), 3);
        assert!(found.values().all(|row| row.status == MessageStatus::Completed));
        let runs: Vec<RunId> = asked.iter().map(|ids| ids.run).collect();
        assert_eq!(model.runs_by_id(tenant, person, &runs).await.unwrap().len(), 3);
        assert_eq!(model.conversations_by_id(tenant, person, &[story.id, story.id]).await.unwrap().len(), 1);
        assert_eq!(model.turn(tenant, person, TurnId::generate()).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_cursor_of_another_list_is_refused() {
    let test = database::testing::sqlite().await;
    let mut story = Story::new();
    story.ask();
    write(&test, &[&story]).await;
    let model = ReadModel::new(test.database.clone());
    let cursor = cursors(&model.messages(story.id, &Page::default()).await.unwrap()).remove(0);
    let page = Page { after: Some(cursor), ..Page::default() };
    assert!(matches!(model.turns(story.id, &page).await, Err(Error::Invalid(_))));
    assert!(matches!(model.conversations("default", story.person, &page).await, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn waiting_ends_when_the_rows_are_there_or_when_the_time_is_up() {
    for test in databases().await {
        let story = Story::eventful();
        let model = ReadModel::new(test.database.clone());
        let last = story.records.len() as u64;
        assert!(!model.wait_for(story.id, last, Duration::from_millis(30)).await.unwrap());
        let waiting = model.wait_for(story.id, last, Duration::from_secs(20));
        let writing = async {
            tokio::task::yield_now().await;
            write(&test, &[&story]).await;
        };
        let (waited, ()) = tokio::join!(waiting, writing);
        assert!(waited.unwrap());
        assert!(!model.wait_for(story.id, last + 1, Duration::from_millis(30)).await.unwrap());
        assert!(model.wait_for(ConversationId::generate(), 0, Duration::ZERO).await.unwrap());
    }
}

#[tokio::test]
async fn who_may_decide_sees_the_tool_calls_that_wait_oldest_first() {
    for test in databases().await {
        let (person, guest) = (PersonId::generate(), PersonId::generate());
        let mut stories = [Story::begin(person, "default"), Story::begin(person, "default")];
        let mut waiting = Vec::new();
        for round in 0..4 {
            let story = &mut stories[round % 2];
            let question = story.say("hello");
            let ids = story.plan(question);
            story.claim(ids, 1);
            waiting.push(story.want(ids, true));
            let (ended, free) = (story.want(ids, true), story.want(ids, false));
            story.reject(ended, events::event::RejectionCause::Person);
            story.use_tool(free);
        }
        stories[0].tell(ParticipantAdded { person: guest });
        write(&test, &[&stories[0], &stories[1], &Story::eventful()]).await;
        let model = ReadModel::new(test.database.clone());
        let listed = async |tenant: &str, person, whose, page: &Page| {
            let found = model.pending_approvals(tenant, person, whose, page).await.unwrap();
            (found.rows.iter().map(|(_, row)| row.id).collect::<Vec<_>>(), found.total)
        };
        let all = Page::default();
        assert_eq!(listed("default", person, Whose::Everyones, &all).await, (waiting.clone(), 4));
        assert_eq!(listed("default", person, Whose::Own, &all).await, (waiting.clone(), 4));
        assert_eq!(listed("default", guest, Whose::Everyones, &all).await, (vec![waiting[0], waiting[2]], 2));
        assert_eq!(listed("default", guest, Whose::Own, &all).await, (vec![], 0));
        assert_eq!(listed("other", person, Whose::Everyones, &all).await, (vec![], 0));
        let first = model.pending_approvals("default", person, Whose::Everyones, &Page { first: Some(1), ..all }).await;
        let after = cursors(&first.unwrap()).pop();
        let rest = Page { after, ..Page::default() };
        assert_eq!(listed("default", person, Whose::Everyones, &rest).await, (waiting[1..].to_vec(), 4));
    }
}

#[tokio::test]
async fn tool_calls_are_found_by_id_and_by_run_for_who_may_see_them() {
    for test in databases().await {
        let mut story = Story::new();
        let question = story.say("hello");
        let ids = story.plan(question);
        let calls = [story.want(ids, true), story.want(ids, false)];
        write(&test, &[&story]).await;
        let model = ReadModel::new(test.database.clone());
        let found = model.tool_call("default", story.person, calls[0]).await.unwrap().unwrap();
        assert_eq!((found.id, found.run, found.conversation), (calls[0], ids.run, story.id));
        assert_eq!(model.tool_call("default", PersonId::generate(), calls[0]).await.unwrap(), None);
        assert_eq!(model.tool_call("other", story.person, calls[0]).await.unwrap(), None);
        let of_run = model.tool_calls_of_runs(&[ids.run, RunId::generate()]).await.unwrap();
        assert_eq!(of_run.len(), 1);
        assert_eq!(of_run[&ids.run].iter().map(|row| row.id).collect::<Vec<_>>(), calls);
    }
}

#[tokio::test]
async fn answers_to_one_question_stand_together_without_those_that_were_rolled_back() {
    for test in databases().await {
        let mut story = Story::new();
        let question = story.say("hello");
        let first = story.plan(question);
        let started = story.claim(first, 1);
        story.complete(first, 1, started);
        let second = story.regenerate(question, first.answer);
        let third = story.regenerate(question, second.answer);
        let alone = story.ask();
        story.stop_turn(third.turn, true);
        write(&test, &[&story]).await;
        let model = ReadModel::new(test.database.clone());
        let answers = model.answers(&[first.answer, alone.answer]).await.unwrap();
        let of = |ids: crate::testing::Answered| answers[&ids.answer].iter().map(|row| row.id).collect::<Vec<_>>();
        assert_eq!(of(first), [first.answer, second.answer]);
        assert_eq!(of(alone), [alone.answer]);
    }
}
