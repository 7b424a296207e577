use event_store::{Checkpoints, EventStore, Position, TailRow, Undecodable};

use super::{BATCH, IDLE};
use crate::follow::Follow;
use crate::{Batch, DeadLetter, Error, Received, Result};

/// The store's tail is one partition.
const PARTITION: i32 = 0;

pub(crate) struct Consumer {
    store: EventStore,
    group: String,
    checkpoints: Checkpoints,
    place: Option<Place>,
}

struct Place {
    checkpoint: Option<String>,
    follow: Follow,
}

impl Consumer {
    pub(super) fn new(store: EventStore, group: &str, checkpoints: Checkpoints) -> Self {
        Self { store, group: group.into(), checkpoints, place: None }
    }

    pub(crate) async fn next(&mut self) -> Result<Batch> {
        if self.place.is_none() {
            self.place = Some(self.begin().await?);
        }
        let Some(place) = &mut self.place else { return Err(Error::Closed) };
        let rows = place.follow.next(BATCH).await?;
        let next = place.follow.after.to_string();
        let previous = place.checkpoint.replace(next.clone());
        let records = rows.into_iter().map(|row| received(row, &self.group)).collect();
        Ok(Batch { partition: PARTITION, previous, next, records })
    }

    async fn begin(&self) -> Result<Place> {
        let checkpoint = self.checkpoints.load(&[PARTITION]).await?.remove(&PARTITION);
        let after = match &checkpoint {
            None => Position::default(),
            Some(text) => text.parse().map_err(|_| {
                Error::Settings(format!("the checkpoint of {} belongs to another log than embedded:", self.group))
            })?,
        };
        Ok(Place { checkpoint, follow: Follow::new(self.store.clone(), after, IDLE) })
    }
}

fn received(row: TailRow, group: &str) -> Received {
    match row {
        Ok(tailed) => {
            let position = tailed.position.to_string();
            Received::of_record(tailed.record, tailed.traceparent, |record, reason| DeadLetter {
                key: Some(record.subject.to_string().into_bytes()),
                value: None,
                headers: Vec::new(),
                topic: "events".into(),
                partition: PARTITION,
                offset: position,
                reason,
                consumer: group.into(),
            })
        }
        Err(undecodable) => Received::Undecodable(letter(&undecodable, group)),
    }
}

/// A row of the store that is no record.
pub(crate) fn letter(row: &Undecodable, consumer: &str) -> DeadLetter {
    DeadLetter {
        key: Some(row.stream.clone().into_bytes()),
        value: None,
        headers: vec![("ce_sequence".into(), Some(format!("{:020}", row.sequence).into_bytes()))],
        topic: "events".into(),
        partition: PARTITION,
        offset: row.position.to_string(),
        reason: row.reason.clone(),
        consumer: consumer.into(),
    }
}
