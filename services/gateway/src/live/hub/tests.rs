use super::*;
use event_log::Chunk;
use events::{ChunkKind, ChunkProduced, KeyId, MessageId, RunId, Sealed};

fn chunk(conversation: ConversationId, index: u32) -> Item {
    let (message, run) = (MessageId::generate(), RunId::generate());
    let delta = Sealed { v: 1, k: KeyId::generate(), b: "text".into() };
    let data = ChunkProduced { message, run, epoch: 1, index, kind: ChunkKind::Text, delta, after: 1, delay_ms: 0 };
    Item::Chunk(Arc::new(Chunk { conversation, tenant: "default".into(), at: chrono::Utc::now(), data }))
}

fn indexes(items: &[Live]) -> Vec<u32> {
    let index = |item: &Live| match item {
        Live::Chunk(live) => live.chunk.data.index,
        Live::Event(_) => u32::MAX,
    };
    items.iter().map(index).collect()
}

#[tokio::test]
async fn every_reader_gets_what_came_since_it_joined() {
    let (hub, conversation) = (Arc::new(Hub::default()), ConversationId::generate());
    let mut early = hub.join(conversation);
    hub.deliver(vec![chunk(conversation, 0), chunk(ConversationId::generate(), 7)]);
    let mut late = hub.join(conversation);
    hub.deliver(vec![chunk(conversation, 1)]);
    assert_eq!(indexes(&early.next().await.unwrap()), [0, 1]);
    assert_eq!(indexes(&late.next().await.unwrap()), [1]);
}

#[tokio::test]
async fn a_reader_that_waits_is_woken() {
    let (hub, conversation) = (Arc::new(Hub::default()), ConversationId::generate());
    let mut reader = hub.join(conversation);
    let waiting = tokio::spawn(async move { reader.next().await.map(|items| items.len()) });
    tokio::task::yield_now().await;
    hub.deliver(vec![chunk(conversation, 0)]);
    assert_eq!(waiting.await.unwrap().unwrap(), 1);
}

#[tokio::test]
async fn a_slow_reader_and_a_torn_tail_are_told() {
    let (hub, conversation) = (Arc::new(Hub::default()), ConversationId::generate());
    let mut reader = hub.join(conversation);
    for index in 0..=u32::try_from(KEPT).unwrap() {
        hub.deliver(vec![chunk(conversation, index)]);
    }
    assert_eq!(reader.next().await.err(), Some(Missed::Slow));
    hub.deliver(vec![chunk(conversation, 999)]);
    assert_eq!(indexes(&reader.next().await.unwrap()), [999]);
    hub.all_missed();
    assert_eq!(reader.next().await.err(), Some(Missed::Torn));
}

#[tokio::test]
async fn a_ring_goes_with_its_last_reader_and_shrinks_when_it_rests() {
    let (hub, conversation) = (Arc::new(Hub::default()), ConversationId::generate());
    let reader = hub.join(conversation);
    hub.deliver(vec![chunk(conversation, 0)]);
    hub.trim();
    assert_eq!(reader.ring.recent().items.len(), 1);
    hub.trim();
    assert_eq!(reader.ring.recent().items.len(), 0);
    drop(reader);
    assert!(hub.watched().rings.is_empty());
}

#[tokio::test]
async fn readers_are_sent_to_a_store_that_stays_ahead() {
    let (hub, conversation) = (Arc::new(Hub::default()), ConversationId::generate());
    let mut reader = hub.join(conversation);
    reader.saw(4);
    hub.compare(conversation, 4);
    hub.compare(conversation, 5);
    assert!(futures::FutureExt::now_or_never(reader.next()).is_none());
    hub.compare(conversation, 5);
    assert!(reader.next().await.is_err());
}
