use std::collections::HashSet;

use database::sql;
use events::{ConversationId, KeyId, Kind, MessageId, PersonId, Sealed};
use keyring::{Error, Keyring, MasterKey};

use crate::{keyrings, text_of};

#[tokio::test]
async fn what_one_process_seals_another_opens() {
    for fresh in keyrings().await {
        let alice = fresh.keyring.person("default", "", "alice").await.unwrap();
        let (conversation, message) = (ConversationId::generate(), MessageId::generate());
        let key = fresh.keyring.content_key(alice, conversation).await.unwrap();
        let field = text_of(conversation, message);
        let sealed = key.seal(&field, "hello");
        for keyring in [&fresh.keyring, &fresh.elsewhere()] {
            assert_eq!(keyring.open(&sealed, &field).await.unwrap().as_deref(), Some("hello"));
            let moved = keyring.open(&sealed, &text_of(conversation, MessageId::generate())).await;
            assert!(matches!(moved, Err(Error::DamagedValue(_))), "{moved:?}");
        }
        let later = Sealed { v: 2, ..sealed.clone() };
        assert_eq!(fresh.keyring.open(&later, &field).await.unwrap_err().kind(), Kind::Internal);
        let unknown = Sealed { k: KeyId::generate(), ..sealed };
        assert_eq!(fresh.keyring.open(&unknown, &field).await.unwrap(), None);
    }
}

#[tokio::test]
async fn each_person_has_one_key_in_each_conversation() {
    for fresh in keyrings().await {
        let alice = fresh.keyring.person("default", "", "alice").await.unwrap();
        let bob = fresh.keyring.person("default", "", "bob").await.unwrap();
        let (one, two) = (ConversationId::generate(), ConversationId::generate());
        let mut ids = HashSet::new();
        for (person, conversation) in [(alice, one), (alice, two), (bob, one), (alice, one)] {
            ids.insert(fresh.elsewhere().content_key(person, conversation).await.unwrap().id());
        }
        assert_eq!(ids.len(), 3);
    }
}

#[tokio::test]
async fn many_that_need_a_key_first_at_once_get_the_same() {
    for fresh in keyrings().await {
        let alice = fresh.keyring.person("default", "", "alice").await.unwrap();
        let conversation = ConversationId::generate();
        let asking: Vec<_> = (0..32)
            .map(|_| {
                let keyring = fresh.elsewhere();
                tokio::spawn(async move { keyring.content_key(alice, conversation).await.unwrap().id() })
            })
            .collect();
        let mut ids = HashSet::new();
        for one in asking {
            ids.insert(one.await.unwrap());
        }
        assert_eq!(ids.len(), 1);
    }
}

#[tokio::test]
async fn nobody_unknown_gets_a_key() {
    for fresh in keyrings().await {
        let nobody = PersonId::generate();
        let refused = fresh.keyring.content_key(nobody, ConversationId::generate()).await;
        assert_eq!(refused.unwrap_err().kind(), Kind::NotFound);
        assert_eq!(fresh.keyring.fingerprint(nobody, b"x").await.unwrap_err().kind(), Kind::NotFound);
    }
}

#[tokio::test]
async fn another_master_key_is_refused_and_opens_nothing() {
    for fresh in keyrings().await {
        let alice = fresh.keyring.person("default", "", "alice").await.unwrap();
        fresh.elsewhere().verify_master_key().await.unwrap();
        let foreign = Keyring::new(fresh.database.database.clone(), MasterKey::generate());
        let refused = foreign.verify_master_key().await.unwrap_err();
        assert!(matches!(refused, Error::WrongMasterKey));
        assert_eq!(refused.to_string(), "the store's keys were wrapped by another master key");
        assert!(foreign.content_key(alice, ConversationId::generate()).await.is_err());
    }
}

#[tokio::test]
async fn rows_that_were_exchanged_do_not_unwrap() {
    for fresh in keyrings().await {
        let alice = fresh.keyring.person("default", "", "alice").await.unwrap();
        let mallory = fresh.keyring.person("default", "", "mallory").await.unwrap();
        let swap = sql("update loquent_keys.persons set wrapped = \
             (select wrapped from loquent_keys.persons where person = $1) where person = $2");
        fresh.database.database.execute(swap.bind(alice.uuid()).bind(mallory.uuid())).await.unwrap();
        let refused = fresh.elsewhere().fingerprint(mallory, b"x").await;
        assert!(matches!(refused, Err(Error::DamagedKey(_))), "{refused:?}");
        assert!(fresh.elsewhere().fingerprint(alice, b"x").await.is_ok());
    }
}

#[tokio::test]
async fn keys_lie_in_the_store_wrapped_and_show_only_their_id() {
    for fresh in keyrings().await {
        let alice = fresh.keyring.person("default", "", "alice").await.unwrap();
        let key = fresh.keyring.content_key(alice, ConversationId::generate()).await.unwrap();
        let wrapped =
            sql("select wrapped from loquent_keys.persons union all select wrapped from loquent_keys.content_keys");
        let rows: Vec<(Vec<u8>,)> = fresh.database.database.fetch_all(wrapped).await.unwrap();
        let nonce_key_and_tag = 12 + 32 + 16;
        assert_eq!(rows.iter().map(|(bytes,)| bytes.len()).collect::<Vec<_>>(), [nonce_key_and_tag; 2]);
        assert_eq!(format!("{key:?}"), format!("ContentKey({})", key.id()));
    }
}
