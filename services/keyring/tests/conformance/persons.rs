use std::collections::HashSet;

use events::{Kind, PersonId};

use crate::keyrings;

#[tokio::test]
async fn a_person_keeps_one_pseudonym_per_tenant_and_issuer() {
    for fresh in keyrings().await {
        let alice = fresh.keyring.person("default", "", "alice").await.unwrap();
        assert_eq!(fresh.keyring.person("default", "", "alice").await.unwrap(), alice);
        assert_eq!(fresh.elsewhere().person("default", "", "alice").await.unwrap(), alice);
        for (tenant, issuer, subject) in
            [("other", "", "alice"), ("default", "https://a", "alice"), ("default", "", "bob")]
        {
            assert_ne!(fresh.keyring.person(tenant, issuer, subject).await.unwrap(), alice);
        }
        assert_eq!(fresh.keyring.find_person("default", "", "alice").await.unwrap(), Some(alice));
        assert_eq!(fresh.keyring.find_person("default", "", "carol").await.unwrap(), None);
        assert_eq!(fresh.keyring.find_person("default", "", "carol").await.unwrap(), None, "looking makes nobody");
    }
}

#[tokio::test]
async fn many_that_see_a_person_first_at_once_agree_on_the_pseudonym() {
    for fresh in keyrings().await {
        let seeing: Vec<_> = (0..32)
            .map(|_| {
                let keyring = fresh.elsewhere();
                tokio::spawn(async move { keyring.person("default", "", "alice").await.unwrap() })
            })
            .collect();
        let mut seen = HashSet::new();
        for one in seeing {
            seen.insert(one.await.unwrap());
        }
        assert_eq!(seen.len(), 1);
    }
}

#[tokio::test]
async fn pseudonyms_lead_back_to_their_subjects() {
    for fresh in keyrings().await {
        let alice = fresh.keyring.person("default", "", "alice").await.unwrap();
        let bob = fresh.keyring.person("default", "", "bob").await.unwrap();
        let unknown = PersonId::generate();
        for keyring in [&fresh.keyring, &fresh.elsewhere(), &fresh.keyring] {
            let subjects = keyring.subjects(&[alice, bob, unknown, alice]).await.unwrap();
            assert_eq!((subjects.len(), &subjects[&alice], &subjects[&bob]), (2, &"alice".into(), &"bob".into()));
        }
        assert!(fresh.keyring.subjects(&[]).await.unwrap().is_empty());
        let many: Vec<_> = (0..2500).map(|_| PersonId::generate()).chain([alice]).collect();
        assert_eq!(fresh.elsewhere().subjects(&many).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_fingerprint_tells_inputs_apart_and_persons_too() {
    for fresh in keyrings().await {
        let alice = fresh.keyring.person("default", "", "alice").await.unwrap();
        let bob = fresh.keyring.person("default", "", "bob").await.unwrap();
        let print = fresh.keyring.fingerprint(alice, b"hello").await.unwrap();
        assert_eq!(print.len(), 64);
        assert_eq!(fresh.elsewhere().fingerprint(alice, b"hello").await.unwrap(), print);
        assert_ne!(fresh.keyring.fingerprint(alice, b"hullo").await.unwrap(), print);
        assert_ne!(fresh.keyring.fingerprint(bob, b"hello").await.unwrap(), print);
    }
}

#[tokio::test]
async fn names_of_any_writing_are_kept_and_unusable_ones_refused() {
    for fresh in keyrings().await {
        for subject in ["", "用户 ü 🙂", "o'hara; drop table", &"x".repeat(512)] {
            let person = fresh.keyring.person("default", &"i".repeat(512), subject).await.unwrap();
            assert_eq!(fresh.elsewhere().subjects(&[person]).await.unwrap()[&person], subject);
        }
        for subject in ["a\0b", &"x".repeat(513)] {
            assert_eq!(fresh.keyring.person("default", "", subject).await.unwrap_err().kind(), Kind::Invalid);
        }
    }
}
