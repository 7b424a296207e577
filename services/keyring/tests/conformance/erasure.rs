use database::sql;
use events::event::MessageSent;
use events::record::Envelope;
use events::{Actor, ConversationId, EventId, Field, MessageId, PersonId, Record, Sealed, TurnId};
use keyring::{ContentKey, Error};

use crate::{Fresh, keyrings, text_of};

/// A conversation of two persons: the chain of its records, and where each text stands.
struct Talk {
    conversation: ConversationId,
    records: Vec<Record>,
    texts: Vec<(Sealed, Field<'static>)>,
}

impl Talk {
    async fn new(fresh: &Fresh, authors: &[PersonId]) -> Self {
        let mut talk = Self { conversation: ConversationId::generate(), records: Vec::new(), texts: Vec::new() };
        for &author in authors {
            let key = fresh.keyring.content_key(author, talk.conversation).await.unwrap();
            talk.say(author, &key);
        }
        talk
    }

    fn say(&mut self, author: PersonId, key: &ContentKey) {
        let (message, id) = (MessageId::generate(), EventId::generate());
        let field = text_of(self.conversation, message);
        let text = key.seal(&field, "something personal");
        let before = self.records.last();
        let envelope = Envelope {
            id,
            subject: self.conversation,
            time: chrono::Utc::now(),
            sequence: before.map_or(1, |record| record.sequence + 1),
            tenant: "default".into(),
            actor: Actor::Person(author),
            correlationid: id,
            causationid: None,
            prevhash: before.map_or(Record::NO_HASH, |record| &record.hash).into(),
        };
        let sent = MessageSent {
            message,
            author,
            text: text.clone(),
            text_bytes: 18,
            turn: Some(TurnId::generate()),
            steers: None,
            message_type: None,
            metadata: None,
            response_schema: None,
        };
        self.records.push(Record::new(envelope, &sent.into()));
        self.texts.push((text, field));
    }

    async fn readable(&self, fresh: &Fresh) -> Vec<bool> {
        let mut readable = Vec::new();
        for keyring in [&fresh.keyring, &fresh.elsewhere()] {
            for (text, field) in &self.texts {
                readable.push(keyring.open(text, field).await.unwrap().is_some());
            }
        }
        let (here, elsewhere) = readable.split_at(self.texts.len());
        assert_eq!(here, elsewhere);
        here.to_vec()
    }

    fn verify(&self) {
        let mut before = None;
        for record in &self.records {
            record.verify(before).unwrap();
            before = Some(record);
        }
    }
}

async fn two(fresh: &Fresh) -> (PersonId, PersonId) {
    let alice = fresh.keyring.person("default", "", "alice").await.unwrap();
    (alice, fresh.keyring.person("default", "", "bob").await.unwrap())
}

#[tokio::test]
async fn after_a_person_is_destroyed_nothing_of_theirs_opens_and_the_chain_still_verifies() {
    for fresh in keyrings().await {
        let (alice, bob) = two(&fresh).await;
        let talk = Talk::new(&fresh, &[alice, bob, alice]).await;
        assert_eq!(talk.readable(&fresh).await, [true, true, true]);

        assert!(fresh.keyring.destroy_person(alice).await.unwrap());
        assert_eq!(talk.readable(&fresh).await, [false, true, false]);
        talk.verify();
        assert_eq!(fresh.keyring.subjects(&[alice, bob]).await.unwrap().len(), 1);
        assert_eq!(fresh.keyring.find_person("default", "", "alice").await.unwrap(), None);
        for keyring in [&fresh.keyring, &fresh.elsewhere()] {
            let refused = keyring.content_key(alice, talk.conversation).await;
            assert!(matches!(refused, Err(Error::NoSuchPerson(person)) if person == alice), "{refused:?}");
            assert!(matches!(keyring.fingerprint(alice, b"x").await, Err(Error::NoSuchPerson(_))));
        }
        assert!(!fresh.keyring.destroy_person(alice).await.unwrap(), "there is nobody left");
    }
}

#[tokio::test]
async fn who_returns_after_an_erasure_is_somebody_new() {
    for fresh in keyrings().await {
        let (alice, bob) = two(&fresh).await;
        let talk = Talk::new(&fresh, &[alice, bob]).await;
        fresh.keyring.destroy_person(alice).await.unwrap();
        let again = fresh.keyring.person("default", "", "alice").await.unwrap();
        assert_ne!(again, alice);
        fresh.keyring.content_key(again, talk.conversation).await.unwrap();
        assert_eq!(talk.readable(&fresh).await, [false, true]);
    }
}

#[tokio::test]
async fn after_a_conversation_is_destroyed_its_texts_are_gone_and_its_persons_are_not() {
    for fresh in keyrings().await {
        let (alice, bob) = two(&fresh).await;
        let (gone, kept) = (Talk::new(&fresh, &[alice, bob]).await, Talk::new(&fresh, &[alice, bob]).await);
        assert_eq!(fresh.keyring.destroy_conversation(gone.conversation).await.unwrap(), 2);
        assert_eq!(gone.readable(&fresh).await, [false, false]);
        gone.verify();
        assert_eq!(kept.readable(&fresh).await, [true, true]);
        assert_eq!(fresh.keyring.destroy_conversation(gone.conversation).await.unwrap(), 0);
        assert_eq!(fresh.keyring.person("default", "", "alice").await.unwrap(), alice);
    }
}

#[tokio::test]
async fn no_content_key_outlives_its_person_though_it_is_made_during_the_erasure() {
    for fresh in keyrings().await {
        for round in 0..10 {
            let person = fresh.keyring.person("default", "", &format!("person {round}")).await.unwrap();
            let making: Vec<_> = (0..8)
                .map(|_| {
                    let keyring = fresh.elsewhere();
                    tokio::spawn(async move {
                        match keyring.content_key(person, ConversationId::generate()).await {
                            Ok(_) | Err(Error::NoSuchPerson(_)) => {}
                            Err(error) => panic!("{error}"),
                        }
                    })
                })
                .collect();
            fresh.elsewhere().destroy_person(person).await.unwrap();
            for one in making {
                one.await.unwrap();
            }
        }
        let left = sql("select count(*) from loquent_keys.content_keys");
        let row: Option<(i64,)> = fresh.database.database.fetch_optional(left).await.unwrap();
        assert_eq!(row, Some((0,)));
    }
}

#[tokio::test]
async fn a_destroyed_key_is_in_no_file_of_the_embedded_node() {
    let fresh = keyrings().await.remove(0);
    let alice = fresh.keyring.person("default", "", "alice in wonderland").await.unwrap();
    let look = sql("select wrapped from loquent_keys.persons");
    let (wrapped,): (Vec<u8>,) = fresh.database.database.fetch_optional(look).await.unwrap().unwrap();
    assert!(found(&fresh, &wrapped) && found(&fresh, b"alice in wonderland"));
    fresh.keyring.destroy_person(alice).await.unwrap();
    assert!(!found(&fresh, &wrapped) && !found(&fresh, b"alice in wonderland"));
}

fn found(fresh: &Fresh, bytes: &[u8]) -> bool {
    let path = std::path::Path::new(fresh.database.url.strip_prefix("sqlite://").unwrap());
    let files = std::fs::read_dir(path.parent().unwrap()).unwrap();
    files.flatten().any(|file| {
        let content = std::fs::read(file.path()).unwrap();
        content.windows(bytes.len()).any(|window| window == bytes)
    })
}
