use std::sync::{Arc, Mutex};

use event_store::{EventStore, Position, TailRow};

use super::delivery::{Delivery, Subscription};
use super::{BATCH, lock};
use crate::follow::position;
use crate::{Error, Item, Result};

pub(crate) struct Tail {
    delivery: Arc<Mutex<Delivery>>,
    place: Place,
}

enum Place {
    /// Behind the pump: reads the store by itself until it has caught up.
    Past {
        store: EventStore,
        after: Position,
    },
    Live(Subscription),
}

impl Tail {
    pub(super) fn from_now(delivery: Arc<Mutex<Delivery>>) -> Self {
        let place = Place::Live(lock(&delivery).subscribe());
        Self { delivery, place }
    }

    pub(super) fn from_beginning(store: EventStore, delivery: Arc<Mutex<Delivery>>) -> Self {
        Self { delivery, place: Place::Past { store, after: Position::default() } }
    }

    pub(crate) async fn next(&mut self) -> Result<Vec<Item>> {
        while let Place::Past { store, after } = &mut self.place {
            let bound = {
                let mut delivery = lock(&self.delivery);
                let bound = delivery.position();
                if *after >= bound {
                    self.place = Place::Live(delivery.subscribe());
                    break;
                }
                bound
            };
            let rows = store.tail(*after, BATCH).await?;
            let items = past(rows, after, bound);
            if !items.is_empty() {
                return Ok(items);
            }
        }
        self.live().await
    }

    async fn live(&mut self) -> Result<Vec<Item>> {
        let Place::Live(subscription) = &mut self.place else { return Err(Error::Closed) };
        // The flag is raised when the queue is full, so waiting below cannot miss it.
        if subscription.is_lagged() {
            let _held = lock(&self.delivery);
            if subscription.take_gap() {
                return Err(Error::Lagged);
            }
        }
        let mut items = Vec::new();
        match subscription.queue.recv_many(&mut items, BATCH).await {
            0 => Err(Error::Closed),
            _ => Ok(items),
        }
    }
}

/// The items up to `bound`, which the pump has delivered, and the place behind them.
fn past(rows: Vec<TailRow>, after: &mut Position, bound: Position) -> Vec<Item> {
    let all = rows.len();
    let rows: Vec<_> = rows.into_iter().take_while(|row| position(row) <= bound).collect();
    let last = rows.last().map_or(bound, position);
    *after = if rows.len() < all { bound } else { last };
    let events = rows.into_iter().filter_map(|row| match row {
        TailRow::Event(tailed) if tailed.record.event().is_ok() => Some(Item::Event(Arc::new(tailed.record))),
        TailRow::Event(_) | TailRow::Undecodable(_) => {
            metrics::counter!("loquent_log_undecodable_total", "consumer" => "tail").increment(1);
            None
        }
    });
    events.collect()
}
