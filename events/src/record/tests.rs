use super::*;
use crate::event::{ConversationArchived, ParticipantAdded};

fn chain() -> Vec<Record> {
    let person = PersonId::generate();
    let subject = ConversationId::generate();
    let mut records: Vec<Record> = Vec::new();
    for event in [
        ConversationEvent::from(ParticipantAdded { person }),
        ConversationArchived {}.into(),
        ParticipantAdded { person }.into(),
    ] {
        let id = EventId::generate();
        let envelope = Envelope {
            id,
            subject,
            time: Utc::now(),
            sequence: records.len() as u64 + 1,
            tenant: "default".into(),
            actor: Actor::Person(person),
            correlationid: id,
            causationid: None,
            prevhash: records.last().map_or(Record::NO_HASH.into(), |record| record.hash.clone()),
        };
        records.push(Record::new(envelope, &event));
    }
    records
}

fn verify(records: &[Record]) -> Result<(), ChainError> {
    let before = std::iter::once(None).chain(records.iter().map(Some));
    records.iter().zip(before).try_for_each(|(record, before)| record.verify(before))
}

#[test]
fn a_chain_verifies_also_after_a_round_trip_through_metadata_and_data() {
    let records = chain();
    assert_eq!(verify(&records), Ok(()));
    let again: Vec<Record> =
        records.iter().map(|r| Record::from_parts(r.metadata(), r.data.clone()).expect("parts")).collect();
    assert_eq!(again, records);
    assert_eq!(verify(&again), Ok(()));
}

#[test]
fn a_change_a_removal_and_a_swap_are_found() {
    let mut altered = chain();
    altered[1].tenant = "other".into();
    assert_eq!(verify(&altered), Err(ChainError::Altered(2)));

    let mut removed = chain();
    removed.remove(1);
    assert_eq!(verify(&removed), Err(ChainError::Gap { expected: 2, found: 3 }));

    let mut rewritten = chain();
    rewritten[1].time += chrono::Duration::seconds(1);
    rewritten[1].hash = rewritten[1].computed_hash();
    assert_eq!(verify(&rewritten), Err(ChainError::Broken(3)));
}

#[test]
fn the_json_has_the_forms_that_others_rely_on() {
    let record = &chain()[0];
    let json = serde_json::to_value(record).expect("json");
    assert_eq!(json["type"], "dev.loquent.participant.added.v1");
    assert_eq!(json["dataschema"], "/schemas/dev.loquent.participant.added/1.json");
    assert_eq!(json["sequence"], "00000000000000000001");
    assert_eq!(json["prevhash"], Record::NO_HASH);
    let time = json["time"].as_str().expect("time");
    assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
    assert!(json.get("causationid").is_none());
}
