use events::{ConversationId, MessageId};

use super::*;

fn key() -> ContentKey {
    ContentKey::new(KeyId::generate(), wrap::random())
}

fn field(owner: MessageId, conversation: ConversationId) -> Field<'static> {
    Field::new("default", conversation, owner, "text")
}

#[test]
fn every_length_opens_as_it_was_sealed() {
    let (key, owner, conversation) = (key(), MessageId::generate(), ConversationId::generate());
    let field = field(owner, conversation);
    for length in [0, 1, 511, 512, 513, 10_000, 300_000] {
        let text: String = "all work and no play ü ".chars().cycle().take(length).collect();
        let sealed = key.seal(&field, &text);
        assert_eq!(key.open(&sealed, &field).unwrap(), text);
        assert_ne!(key.seal(&field, &text), sealed, "the nonce is new each time");
    }
}

#[test]
fn long_text_is_deflated_and_what_does_not_shrink_stays_raw() {
    assert_eq!(packed(&"a".repeat(512))[0], RAW);
    assert_eq!(packed(&"a".repeat(513))[0], DEFLATED);
    assert!(packed(&"a".repeat(10_000)).len() < 100);
    let noise: String = wrap::random::<2048>().iter().map(|byte| char::from(byte % 94 + 33)).collect();
    assert!(packed(&noise).len() <= noise.len() + 1);
}

#[test]
fn a_moved_or_altered_value_does_not_open() {
    let (key, owner, conversation) = (key(), MessageId::generate(), ConversationId::generate());
    let field = field(owner, conversation);
    let sealed = key.seal(&field, "hello");
    let elsewhere = [
        Field { tenant: "other", ..field.clone() },
        Field { conversation: ConversationId::generate(), ..field.clone() },
        Field { owner: MessageId::generate().to_string(), ..field.clone() },
        Field { name: "reasoning", ..field.clone() },
        field.clone().of_chunk(1, 0),
    ];
    for place in elsewhere {
        assert!(matches!(key.open(&sealed, &place), Err(Error::DamagedValue(_))), "{place}");
    }
    let mut bytes = URL_SAFE_NO_PAD.decode(&sealed.b).unwrap();
    for index in 0..bytes.len() {
        bytes[index] ^= 1;
        let altered = Sealed { b: URL_SAFE_NO_PAD.encode(&bytes), ..sealed.clone() };
        assert!(key.open(&altered, &field).is_err());
        bytes[index] ^= 1;
    }
    for b in ["", "AA", "!", "AAAAAAAAAAAAAAAA"] {
        assert!(key.open(&Sealed { b: b.into(), ..sealed.clone() }, &field).is_err());
    }
}

#[test]
fn the_form_is_the_one_that_the_design_names() {
    let (owner, conversation) = (MessageId::generate(), ConversationId::generate());
    let secret: Secret = Zeroizing::new([7; 32]);
    let key = ContentKey::new(KeyId::generate(), secret.clone());
    let sealed = key.seal(&field(owner, conversation), "hi");
    assert_eq!((sealed.v, sealed.k), (1, key.id()));
    let bytes = URL_SAFE_NO_PAD.decode(&sealed.b).unwrap();
    assert_eq!(bytes.len(), 12 + 3 + 16);
    let place = format!("default/{conversation}/{owner}/text");
    assert_eq!(wrap::decrypt(&secret, &place, &bytes).unwrap().as_slice(), b"\0hi");
}

#[test]
fn digests_are_keyed_and_not_by_the_sealing_key_itself() {
    let secret: Secret = Zeroizing::new([7; 32]);
    let key = ContentKey::new(KeyId::generate(), secret.clone());
    assert_eq!(key.digest(b"yes"), key.digest(b"yes"));
    assert_ne!(key.digest(b"yes"), wrap::digest(&secret, b"yes"));
    assert_ne!(key.digest(b"yes"), self::key().digest(b"yes"));
    assert_eq!(key.digest(b"yes").len(), 64);
}
