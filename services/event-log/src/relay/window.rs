//! What has been sent and not yet acknowledged from the first on.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use event_store::{Position, Undecodable};

/// Records and bytes in flight at most: the memory that a broker's outage may cost.
const RECORDS: usize = 2_000;
const BYTES: usize = 8 << 20;

pub(super) struct Window {
    entries: VecDeque<Entry>,
    /// The number of the first entry.
    first: u64,
    bytes: usize,
    /// Everything up to here is acknowledged.
    done: Position,
}

/// A record in flight.
pub(super) struct Entry {
    pub(super) position: Position,
    pub(super) stream: String,
    pub(super) sequence: u64,
    pub(super) time: Option<DateTime<Utc>>,
    pub(super) size: usize,
    pub(super) acknowledged: bool,
}

impl Window {
    pub(super) fn new(done: Position) -> Self {
        Self { entries: VecDeque::new(), first: 0, bytes: 0, done }
    }

    /// How many records may be sent now.
    pub(super) fn room(&self) -> usize {
        if self.bytes >= BYTES { 0 } else { RECORDS.saturating_sub(self.entries.len()) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The checkpoint that may be stored: there is nothing before it that the broker has not got.
    pub(super) fn done(&self) -> Position {
        self.done
    }

    /// When the first record in flight was made.
    pub(super) fn oldest(&self) -> Option<DateTime<Utc>> {
        self.entries.iter().find_map(|entry| entry.time)
    }

    /// Takes a record in and answers its number.
    pub(super) fn push(&mut self, entry: Entry) -> u64 {
        self.bytes += entry.size;
        self.entries.push_back(entry);
        self.first + self.entries.len() as u64 - 1
    }

    /// What a letter says of a record that cannot be carried.
    pub(super) fn row(&self, number: u64, reason: &str) -> Option<Undecodable> {
        let entry = self.entries.get(usize::try_from(number.checked_sub(self.first)?).ok()?)?;
        let (stream, reason) = (entry.stream.clone(), reason.to_owned());
        Some(Undecodable { position: entry.position, stream, sequence: entry.sequence, reason })
    }

    pub(super) fn acknowledge(&mut self, number: u64) {
        let index = number.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        if let Some(entry) = index.and_then(|index| self.entries.get_mut(index)) {
            entry.acknowledged = true;
        }
        while self.entries.front().is_some_and(|entry| entry.acknowledged)
            && let Some(entry) = self.entries.pop_front()
        {
            self.first += 1;
            self.bytes -= entry.size;
            self.done = entry.position;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64) -> Entry {
        let position = Position { txid: 0, number };
        Entry { position, stream: "conv".into(), sequence: number, time: None, size: 10, acknowledged: false }
    }

    #[test]
    fn the_checkpoint_stays_before_the_first_record_without_acknowledgement() {
        let mut window = Window::new(Position { txid: 0, number: 4 });
        let numbers: Vec<_> = (5..9).map(|number| window.push(entry(number))).collect();
        window.acknowledge(numbers[1]);
        window.acknowledge(numbers[2]);
        assert_eq!(window.done().number, 4);
        window.acknowledge(numbers[0]);
        assert_eq!(window.done().number, 7);
        assert_eq!(window.row(numbers[3], "x").map(|row| row.sequence), Some(8));
        window.acknowledge(numbers[3]);
        assert!(window.is_empty() && window.done().number == 8);
    }

    #[test]
    fn a_full_window_has_no_room() {
        let mut window = Window::new(Position::default());
        assert_eq!(window.room(), RECORDS);
        window.push(Entry { size: BYTES, ..entry(1) });
        assert_eq!(window.room(), 0);
        window.acknowledge(0);
        assert_eq!(window.room(), RECORDS);
    }
}
