//! What the polling thread has read and the handler has not.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use event_store::Step;
use tokio::sync::Notify;

use crate::{Batch, Error, Received, Result};

/// Records that a handler gets at once.
const BATCH: usize = 500;
/// Records and bytes that wait per partition before its fetching stops, and the records at which it goes on.
const FULL: usize = 1_000;
const FULL_BYTES: usize = 2 << 20;
const ROOMY: usize = 250;

#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// There may be something to take.
    pub(super) filled: Notify,
    /// A handler has finished a batch.
    finished: Condvar,
}

#[derive(Default)]
struct State {
    partitions: BTreeMap<i32, Partition>,
    /// The partitions whose records are being handled.
    busy: Vec<i32>,
    /// The partition that was last in a batch: the others come first.
    last: i32,
    commits: BTreeMap<i32, i64>,
    failed: Option<String>,
    closed: bool,
}

struct Partition {
    checkpoint: Option<String>,
    queue: VecDeque<Queued>,
    bytes: usize,
    paused: bool,
}

struct Queued {
    offset: i64,
    size: usize,
    received: Received,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The batch before is dealt with.
    pub(super) fn done(&self) {
        self.state().busy.clear();
        self.finished.notify_all();
    }

    /// The next batch, of all partitions that have records, if there is one.
    pub(super) fn take(&self) -> Result<Option<Batch>> {
        let mut state = self.state();
        if let Some(reason) = &state.failed {
            return Err(Error::Unavailable(reason.clone()));
        }
        let State { partitions, busy, last, .. } = &mut *state;
        let after = last.saturating_add(1);
        let order: Vec<i32> =
            partitions.range(after..).chain(partitions.range(..after)).map(|(number, _)| *number).collect();
        let mut batch = Batch { steps: Vec::new(), records: Vec::new() };
        for number in order {
            let room = BATCH - batch.records.len();
            if let Some(step) = partitions.get_mut(&number).and_then(|all| all.take(number, room, &mut batch.records)) {
                batch.steps.push(step);
                busy.push(number);
                *last = number;
            }
        }
        Ok(Some(batch).filter(|batch| !batch.steps.is_empty()))
    }

    pub(super) fn push(&self, partition: i32, offset: i64, size: usize, received: Received) {
        let mut state = self.state();
        // A partition that was taken away in the meantime: whoever has it now reads the record.
        let Some(partition) = state.partitions.get_mut(&partition) else { return };
        partition.bytes += size;
        partition.queue.push_back(Queued { offset, size, received });
        drop(state);
        self.filled.notify_one();
    }

    /// Partitions that are ours from now on, each with its checkpoint.
    pub(super) fn assign(&self, partitions: impl IntoIterator<Item = (i32, Option<String>)>) {
        let mut state = self.state();
        for (number, checkpoint) in partitions {
            let partition = Partition { checkpoint, queue: VecDeque::new(), bytes: 0, paused: false };
            state.partitions.insert(number, partition);
        }
    }

    /// Partitions that are somebody else's from now on. A batch of theirs that is being handled may end first, within `patience`: its
    /// checkpoint then stands before the next owner asks for it.
    pub(super) fn revoke(&self, partitions: &[i32], patience: Duration) {
        let mut state = self.state();
        for partition in partitions {
            state.partitions.remove(partition);
            state.commits.remove(partition);
        }
        let busy = |state: &mut State| !state.closed && state.busy.iter().any(|busy| partitions.contains(busy));
        drop(self.finished.wait_timeout_while(state, patience, busy));
    }

    /// Partitions to pause and partitions to resume.
    pub(super) fn regulate(&self) -> (Vec<i32>, Vec<i32>) {
        let (mut full, mut roomy) = (Vec::new(), Vec::new());
        for (&number, partition) in &mut self.state().partitions {
            let filled = partition.queue.len() >= FULL || partition.bytes >= FULL_BYTES;
            if filled && !partition.paused {
                partition.paused = true;
                full.push(number);
            } else if partition.paused && partition.queue.len() <= ROOMY && partition.bytes < FULL_BYTES {
                partition.paused = false;
                roomy.push(number);
            }
        }
        (full, roomy)
    }

    pub(super) fn committed(&self, batch: &Batch) {
        let mut state = self.state();
        for step in &batch.steps {
            if let Ok(offset) = step.next.parse()
                && state.partitions.contains_key(&step.partition)
            {
                state.commits.insert(step.partition, offset);
            }
        }
    }

    pub(super) fn to_commit(&self) -> BTreeMap<i32, i64> {
        std::mem::take(&mut self.state().commits)
    }

    pub(super) fn fail(&self, reason: String) {
        self.state().failed.get_or_insert(reason);
        self.filled.notify_one();
    }

    pub(super) fn close(&self) {
        self.state().closed = true;
        self.finished.notify_all();
    }

    /// Nobody takes anything any more.
    pub(super) fn is_over(&self) -> bool {
        let state = self.state();
        state.closed || state.failed.is_some()
    }
}

impl Partition {
    /// Moves the first records over, at most `room`, and answers the step that this is; `None`: there are none.
    fn take(&mut self, number: i32, room: usize, records: &mut Vec<Received>) -> Option<Step> {
        let size = self.queue.len().min(room);
        let last = self.queue.get(size.checked_sub(1)?)?.offset;
        for queued in self.queue.drain(..size) {
            self.bytes -= queued.size;
            records.push(queued.received);
        }
        let next = (last + 1).to_string();
        Some(Step { partition: number, previous: self.checkpoint.replace(next.clone()), next })
    }
}

#[cfg(test)]
mod tests;
