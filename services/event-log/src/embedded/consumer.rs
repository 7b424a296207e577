use event_store::{Checkpoints, EventStore, Position, Step, TailRow, Tailed, Undecodable};

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
        Ok(Batch { steps: vec![Step { partition: PARTITION, previous, next }], records })
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
        TailRow::Event(Tailed { position, record, traceparent }) => {
            Received::of_record(record, traceparent, |record, reason| {
                let stream = record.subject.to_string();
                DeadLetter::of_row(&Undecodable { position, stream, sequence: record.sequence, reason }, group)
            })
        }
        TailRow::Undecodable(undecodable) => Received::Undecodable(DeadLetter::of_row(&undecodable, group)),
    }
}
