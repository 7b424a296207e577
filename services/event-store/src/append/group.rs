//! Appends that come while others are on their way share the next transaction: its round trips and its write to the disk are
//! paid once for all of them. One that comes alone goes alone, at once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cqrs_es::persist::SerializedEvent;
use database::Database;
use tokio::sync::oneshot;

use super::repository::Repository;
use crate::{Error, Result};

/// Transactions at once on PostgreSQL. Fewer share more; more of them wait at the same time for a database that is far away.
const LANES: usize = 4;
/// Events of one transaction, unless one append alone has more.
const EVENTS: usize = 64;

/// The way of all appends of a process into the database. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Appender(Arc<Inner>);

struct Inner {
    repository: Repository,
    lanes: usize,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Append>,
    /// Lanes that are under way.
    busy: usize,
}

struct Append {
    rows: Vec<SerializedEvent>,
    answer: oneshot::Sender<Result<()>>,
}

impl Appender {
    pub(crate) fn new(database: &Database) -> Self {
        let lanes = match database {
            Database::Postgres(_) => LANES,
            Database::Sqlite { .. } => 1,
        };
        Self(Arc::new(Inner { repository: Repository::new(database), lanes, queue: Mutex::default() }))
    }

    /// All or nothing of these rows, whatever becomes of those that share the transaction.
    pub(super) async fn append(&self, rows: Vec<SerializedEvent>) -> Result<()> {
        let (answer, answered) = oneshot::channel();
        self.enqueue(Append { rows, answer });
        answered.await.unwrap_or_else(|_| Err(database::Error::from(sqlx::Error::WorkerCrashed).into()))
    }

    fn enqueue(&self, append: Append) {
        let mut queue = self.0.queue();
        queue.waiting.push_back(append);
        if queue.busy < self.0.lanes {
            queue.busy += 1;
            drop(queue);
            tokio::spawn(Lane { inner: self.0.clone(), over: false }.run());
        }
    }
}

impl Inner {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries what waits, one transaction after the other, until nothing does.
struct Lane {
    inner: Arc<Inner>,
    over: bool,
}

impl Lane {
    async fn run(mut self) {
        while let Some(group) = self.next() {
            self.carry(group).await;
        }
    }

    /// What goes next in one transaction; `None`: nothing waits, and the lane is over.
    fn next(&mut self) -> Option<Vec<Append>> {
        let mut queue = self.inner.queue();
        let mut group: Vec<Append> = Vec::new();
        let mut events = 0;
        while let Some(append) = queue.waiting.front()
            && (group.is_empty() || events + append.rows.len() <= EVENTS)
        {
            events += append.rows.len();
            // Whoever gave up before it began has not appended.
            group.extend(queue.waiting.pop_front().filter(|append| !append.answer.is_closed()));
        }
        if group.is_empty() {
            queue.busy -= 1;
            self.over = true;
            return None;
        }
        Some(group)
    }

    async fn carry(&self, mut group: Vec<Append>) {
        // In one order in every process, so that no two transactions wait for each other.
        group.sort_by(|one, other| one.place().cmp(&other.place()));
        let (mut rows, mut answers) = (Vec::new(), Vec::with_capacity(group.len()));
        for append in group {
            let first = rows.len();
            rows.extend(append.rows);
            answers.push((first..rows.len(), append.answer));
        }
        let repository = &self.inner.repository;
        let outcome = repository.persist(&rows).await;
        match outcome {
            Err(error) if answers.len() > 1 && error.is_refusal() => {
                metrics::counter!("loquent_append_groups_split_total").increment(1);
                for (range, answer) in answers {
                    let _ = answer.send(repository.persist(&rows[range]).await);
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                for (_, answer) in answers {
                    let _ = answer.send(Err(Error::of_group(&error)));
                }
            }
            // Nobody listens any more where the caller gave up.
            Ok(()) => answers.into_iter().for_each(|(_, answer)| drop(answer.send(Ok(())))),
        }
    }
}

impl Append {
    fn place(&self) -> Option<(&str, usize)> {
        self.rows.first().map(|row| (row.aggregate_id.as_str(), row.sequence))
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        // Broken off in the middle: by a defect, or with the runtime.
        if !self.over {
            let mut queue = self.inner.queue();
            queue.busy -= 1;
            queue.waiting.clear();
        }
    }
}
