use database::testing::{TestDatabase, databases};
use events::PersonId;

use super::*;
use crate::apply::apply;
use crate::testing::{Story, dump};

/// A store with stories, and the rows that a live projector wrote of them.
async fn with_stories(test: &TestDatabase, stories: &[Story]) -> EventStore {
    let store = EventStore::new(test.database.clone()).await.unwrap();
    for story in stories {
        story.append(&store).await;
        live(test, story, 0).await;
    }
    store
}

async fn live(test: &TestDatabase, story: &Story, after: usize) {
    write(test, &story.records[after..], 300).await;
}

/// As a projector does that gets so many events at a time.
async fn write(test: &TestDatabase, records: &[Record], at_once: usize) {
    for records in records.chunks(at_once) {
        let entries: Vec<_> = records.iter().map(|record| Entry::of(Arc::new(record.clone()))).collect();
        let mut tx = test.database.begin().await.unwrap();
        apply(&mut tx, &entries).await.unwrap();
        tx.commit().await.unwrap();
    }
}

fn long(events: usize) -> Story {
    let mut story = Story::new();
    while story.records.len() < events {
        story.ask();
    }
    story
}

#[tokio::test]
async fn rebuilt_rows_equal_the_live_ones() {
    for test in databases().await {
        let mut stories: Vec<_> = (0..100).map(|_| Story::eventful()).collect();
        stories.push(long(2500));
        let store = with_stories(&test, &stories).await;
        let before = dump(&test.database).await;
        let mut seen = Progress::default();
        let rebuilt = rebuild(&test.database, &store, |progress| seen = progress).await.unwrap();
        let events = stories.iter().map(|story| story.records.len() as u64).sum();
        assert_eq!(rebuilt, Rebuilt { conversations: 101, events, removed: 0 });
        assert_eq!(seen, Progress { conversations: 101, events });
        assert_eq!(dump(&test.database).await, before);
    }
}

#[tokio::test]
async fn whatever_happens_live_rows_and_rebuilt_ones_are_equal() {
    for test in databases().await {
        let stories: Vec<_> = (0..40).map(|seed| Story::random(seed, 60)).chain([Story::random(99, 1300)]).collect();
        let store = EventStore::new(test.database.clone()).await.unwrap();
        for (number, story) in stories.iter().enumerate() {
            story.append(&store).await;
            write(&test, &story.records, 1 + number % 7).await;
        }
        let live = dump(&test.database).await;
        rebuild(&test.database, &store, |_| {}).await.unwrap();
        assert_eq!(dump(&test.database).await, live);
    }
}

#[tokio::test]
async fn a_rebuild_into_empty_tables_gives_the_live_rows() {
    for test in databases().await {
        let stories: Vec<_> = (0..30).map(|_| Story::eventful()).collect();
        let store = with_stories(&test, &stories).await;
        let before = dump(&test.database).await;
        for table in ["conversations", "participants", "messages", "turns", "runs", "tool_calls"] {
            test.database.execute(sql(format!("delete from {table}"))).await.unwrap();
        }
        rebuild(&test.database, &store, |_| {}).await.unwrap();
        assert_eq!(dump(&test.database).await, before);
    }
}

#[tokio::test]
async fn a_rebuild_heals_damaged_rows() {
    for test in databases().await {
        let stories: Vec<_> = (0..10).map(|_| Story::eventful()).collect();
        let store = with_stories(&test, &stories).await;
        let before = dump(&test.database).await;
        let stranger = ConversationId::generate();
        let damages = [
            sql("update conversations set tenant = 'other', sequence = 3 where conversation = $1")
                .bind(stories[0].id.uuid()),
            sql("delete from conversations where conversation = $1").bind(stories[1].id.uuid()),
            sql("delete from messages where conversation = $1").bind(stories[2].id.uuid()),
            sql("update messages set status = 'odd', text = null where conversation = $1").bind(stories[3].id.uuid()),
            sql("update messages set conversation = $2 where conversation = $1")
                .bind(stories[4].id.uuid())
                .bind(stories[5].id.uuid()),
            sql("update turns set conversation = $2, person = $1 where conversation = $1")
                .bind(stories[6].id.uuid())
                .bind(stranger.uuid()),
            sql("update runs set turn = message"),
            sql("update tool_calls set status = 'waiting', run = turn"),
            sql("insert into participants (conversation, person, position) values ($1, $2, 5)")
                .bind(stories[7].id.uuid())
                .bind(PersonId::generate().uuid()),
            sql("insert into participants (conversation, person, position) values ($1, $2, 5)")
                .bind(stranger.uuid())
                .bind(PersonId::generate().uuid()),
        ];
        for damage in damages {
            assert!(test.database.execute(damage).await.unwrap() > 0);
        }
        rebuild(&test.database, &store, |_| {}).await.unwrap();
        assert_eq!(dump(&test.database).await, before);
    }
}

#[tokio::test]
async fn conversations_of_which_the_store_knows_nothing_are_removed() {
    for test in databases().await {
        let store = with_stories(&test, &[Story::eventful()]).await;
        let before = dump(&test.database).await;
        for _ in 0..3 {
            live(&test, &Story::eventful(), 0).await;
        }
        let rebuilt = rebuild(&test.database, &store, |_| {}).await.unwrap();
        assert_eq!((rebuilt.conversations, rebuilt.removed), (1, 3));
        assert_eq!(dump(&test.database).await, before);
    }
}

#[tokio::test]
async fn a_rebuild_of_an_empty_store_empties_the_tables() {
    for test in databases().await {
        let store = EventStore::new(test.database.clone()).await.unwrap();
        live(&test, &Story::eventful(), 0).await;
        assert_eq!(rebuild(&test.database, &store, |_| {}).await.unwrap().removed, 1);
        assert_eq!(dump(&test.database).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_rebuild_does_not_take_back_what_a_faster_projector_wrote() {
    for test in databases().await {
        let mut stories = vec![Story::eventful(), long(1100)];
        let store = with_stories(&test, &stories).await;
        // What the rebuild has read when the projector writes is older than the rows.
        for story in &mut stories {
            let listed = (story.id, story.records.len() as u64);
            let stands = story.records.len();
            story.ask();
            story.append_from(&store, stands).await;
            live(&test, story, stands).await;
            let before = dump(&test.database).await;
            let stale: Vec<_> = story.records[..5].iter().map(|record| Entry::of(Arc::new(record.clone()))).collect();
            replace(&test.database, &store, vec![listed.0], &stale).await.unwrap();
            assert_eq!(dump(&test.database).await, before);
        }
    }
}

#[tokio::test]
async fn a_rebuild_beside_live_projectors_loses_nothing() {
    for test in databases().await {
        let stories: Vec<_> = (0..40).map(|_| Story::new()).collect();
        let store = with_stories(&test, &stories).await;
        let writing = async {
            let mut stories = stories;
            for _ in 0..5 {
                for story in &mut stories {
                    let stands = story.records.len();
                    story.ask();
                    story.append_from(&store, stands).await;
                    live(&test, story, stands).await;
                }
                let story = Story::eventful();
                story.append(&store).await;
                live(&test, &story, 0).await;
            }
        };
        let rebuilding = async {
            for _ in 0..10 {
                rebuild(&test.database, &store, |_| {}).await.unwrap();
            }
        };
        tokio::join!(writing, rebuilding);
        let live = dump(&test.database).await;
        rebuild(&test.database, &store, |_| {}).await.unwrap();
        assert_eq!(dump(&test.database).await, live);
    }
}

#[tokio::test]
async fn a_row_of_the_store_that_is_no_record_is_passed_over() {
    for test in databases().await {
        let stories = [Story::eventful(), long(1100)];
        let store = with_stories(&test, &stories).await;
        for story in &stories {
            let broken = sql("update events set metadata = '{}' where aggregate_id = $1 and sequence = 4");
            assert_eq!(test.database.execute(broken.bind(story.id.to_string())).await.unwrap(), 1);
        }
        let rebuilt = rebuild(&test.database, &store, |_| {}).await.unwrap();
        assert_eq!(rebuilt.conversations, 2);
        let rows: Vec<(i64,)> =
            test.database.fetch_all(sql("select sequence from conversations order by 1")).await.unwrap();
        let lengths: Vec<_> = stories.iter().map(|story| i64::try_from(story.records.len()).unwrap()).collect();
        assert_eq!(rows.into_iter().map(|(sequence,)| sequence).collect::<Vec<_>>(), lengths);
    }
}

#[test]
fn short_streams_share_a_transaction_and_a_long_one_has_its_own() {
    let stream = |length| (ConversationId::generate(), length);
    let streams = [stream(400), stream(600), stream(1), stream(5000), stream(2), stream(3)];
    let groups = groups(&streams);
    let lengths: Vec<Vec<_>> = groups.iter().map(|group| group.iter().map(|stream| stream.1).collect()).collect();
    assert_eq!(lengths, [vec![400, 600], vec![1], vec![5000], vec![2, 3]]);
}
