//! One holder's time: from the taking of the lease to its loss.

use std::time::Duration;

use chrono::Utc;
use event_store::{Checkpoints, EventStore, Lease, Position, TailRow, Tailed, Undecodable};
use rdkafka::error::{KafkaError, KafkaResult};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::window::{Entry, Window};
use crate::follow::Follow;
use crate::kafka::Kafka;
use crate::kafka::producer::{Delivered, Receipt, is_too_large};
use crate::{DeadLetter, Error, Result};

/// How long a silent holder keeps the lease, and how often a living one renews it.
pub(super) const LEASE: Duration = Duration::from_secs(3);
const RENEWAL: Duration = Duration::from_secs(1);
/// How often the checkpoint is stored at most.
const SAVING: Duration = Duration::from_millis(100);
/// How often the lag is measured.
const MEASURING: Duration = Duration::from_secs(2);
/// Rows that one look at the tail brings.
const PAGE: usize = 500;
/// How long an idle relay may take to see what another process appended.
const IDLE: Duration = Duration::from_millis(10);
/// The pause after something failed.
const RETRY: Duration = Duration::from_millis(250);
/// How long a relay that is told to stop waits for what is in flight.
const DRAIN: Duration = Duration::from_secs(2);

/// Why a step did not succeed.
enum Stumble {
    /// The lease is lost: not one record more.
    Lost,
    /// The store does not answer.
    Store(Error),
    /// The broker refused a record.
    Broker(KafkaError),
}

impl From<event_store::Error> for Stumble {
    fn from(error: event_store::Error) -> Self {
        Self::Store(error.into())
    }
}

pub(super) struct Term<'a> {
    log: &'a Kafka,
    store: &'a EventStore,
    lease: &'a mut Lease,
    checkpoints: Checkpoints,
    /// Our own clock's word on the lease: a process that was stopped and wakes up knows by it, before anybody can tell.
    expires: Instant,
    renewed: Instant,
    follow: Follow,
    window: Window,
    reports: (UnboundedSender<Delivered>, UnboundedReceiver<Delivered>),
    saved: Option<String>,
    saved_at: Instant,
    measured: Instant,
    complained: bool,
}

impl<'a> Term<'a> {
    /// `asked` is when the lease was asked for, before it was given.
    pub(super) async fn begin(
        log: &'a Kafka,
        store: &'a EventStore,
        lease: &'a mut Lease,
        asked: Instant,
    ) -> Result<Self> {
        let checkpoints = Checkpoints::new(store.database().clone(), "relay");
        let saved = checkpoints.load(&[0]).await?.remove(&0);
        let done = saved.as_deref().map_or(Ok(Position::default()), str::parse);
        let done =
            done.map_err(|_| Error::Settings("the relay's checkpoint is not a position of this store".into()))?;
        Ok(Self {
            log,
            store,
            lease,
            checkpoints,
            expires: asked + LEASE,
            renewed: asked,
            follow: Follow::new(store.clone(), done, IDLE),
            window: Window::new(done),
            reports: unbounded_channel(),
            saved,
            saved_at: asked,
            measured: asked,
            complained: false,
        })
    }

    /// Publishes until the lease is lost or `shutdown`.
    pub(super) async fn run(mut self, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            let stumble = match self.step(shutdown).await {
                Ok(()) => {
                    self.recover();
                    continue;
                }
                Err(stumble) => stumble,
            };
            match stumble {
                Stumble::Lost => {
                    warn!("this relay has lost its lease and stands by");
                    return self.log.durable().forget();
                }
                Stumble::Store(error) => self.complain(&error),
                Stumble::Broker(error) => {
                    self.complain(&error.into());
                    self.begin_anew();
                }
            }
            sleep(RETRY).await;
        }
        self.drain().await;
    }

    async fn step(&mut self, shutdown: &CancellationToken) -> std::result::Result<(), Stumble> {
        self.keep().await?;
        self.collect()?;
        self.publish().await?;
        self.collect()?;
        self.save(false).await?;
        self.measure().await?;
        self.wait(shutdown).await
    }

    async fn keep(&mut self) -> std::result::Result<(), Stumble> {
        if self.renewed.elapsed() < RENEWAL {
            return Ok(());
        }
        let asked = Instant::now();
        let renewed = timeout(LEASE, self.lease.renew()).await;
        match renewed {
            Ok(Ok(true)) => {
                self.renewed = asked;
                self.expires = asked + LEASE;
                Ok(())
            }
            Ok(Ok(false)) => Err(Stumble::Lost),
            _ if Instant::now() >= self.expires => Err(Stumble::Lost),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(Stumble::Lost),
        }
    }

    async fn publish(&mut self) -> std::result::Result<(), Stumble> {
        let room = self.window.room().min(PAGE);
        if room == 0 || !self.follow.is_due() {
            return Ok(());
        }
        for row in self.follow.read(room).await? {
            if Instant::now() >= self.expires {
                return Err(Stumble::Lost);
            }
            match row {
                TailRow::Event(tailed) => self.send(&tailed),
                TailRow::Undecodable(row) => self.put_aside(row),
            }
            .map_err(Stumble::Broker)?;
        }
        Ok(())
    }

    fn send(&mut self, tailed: &Tailed) -> KafkaResult<()> {
        let outgoing = Kafka::outgoing(tailed);
        let number = self.window.push(Entry {
            position: tailed.position,
            stream: tailed.record.subject.to_string(),
            sequence: tailed.record.sequence,
            time: Some(tailed.record.time),
            size: outgoing.size(),
            acknowledged: false,
        });
        match self.log.publish(outgoing, Receipt::Relay(number, self.reports.0.clone())) {
            Err(error) if is_too_large(&error) => self.refuse(number),
            result => result,
        }
    }

    /// A row that is no record goes aside; the others go on.
    fn put_aside(&mut self, row: Undecodable) -> KafkaResult<()> {
        metrics::counter!("loquent_log_undecodable_total", "consumer" => "relay").increment(1);
        error!(stream = row.stream, sequence = row.sequence, reason = row.reason, "an event cannot be published");
        let letter = DeadLetter::of_row(&row, "relay");
        let Undecodable { position, stream, sequence, .. } = row;
        let entry = Entry { position, stream, sequence, time: None, size: 1024, acknowledged: false };
        let number = self.window.push(entry);
        self.log.publish_letter(&letter, Receipt::Relay(number, self.reports.0.clone()))
    }

    /// A record that the broker will never take: put aside under the number that it has.
    fn refuse(&mut self, number: u64) -> KafkaResult<()> {
        let Some(row) = self.window.row(number, "the record is too large for the topic") else { return Ok(()) };
        error!(stream = row.stream, sequence = row.sequence, reason = row.reason, "an event cannot be published");
        let letter = DeadLetter::of_row(&row, "relay");
        self.log.publish_letter(&letter, Receipt::Relay(number, self.reports.0.clone()))
    }

    fn collect(&mut self) -> std::result::Result<(), Stumble> {
        while let Ok(delivered) = self.reports.1.try_recv() {
            self.note(delivered)?;
        }
        Ok(())
    }

    fn note(&mut self, delivered: Delivered) -> std::result::Result<(), Stumble> {
        match delivered.result {
            Ok(()) => {
                metrics::counter!("loquent_relay_published_total").increment(1);
                self.window.acknowledge(delivered.number);
                Ok(())
            }
            Err(error) if is_too_large(&error) => self.refuse(delivered.number).map_err(Stumble::Broker),
            Err(error) => Err(Stumble::Broker(error)),
        }
    }

    /// Stores the checkpoint, in a transaction that also holds the lease.
    async fn save(&mut self, now: bool) -> std::result::Result<(), Stumble> {
        let next = self.window.done().to_string();
        let fresh = self.saved.is_none() && self.window.done() == Position::default();
        if fresh || self.saved.as_deref() == Some(&next) || (!now && self.saved_at.elapsed() < SAVING) {
            return Ok(());
        }
        self.saved_at = Instant::now();
        let mut tx = self.store.database().begin().await.map_err(event_store::Error::from)?;
        let held = self.lease.hold_in(&mut tx).await?;
        if !held || !self.checkpoints.advance(&mut tx, 0, self.saved.as_deref(), &next).await? {
            return Err(Stumble::Lost);
        }
        tx.commit().await.map_err(event_store::Error::from)?;
        self.saved = Some(next);
        Ok(())
    }

    async fn measure(&mut self) -> std::result::Result<(), Stumble> {
        if self.measured.elapsed() < MEASURING {
            return Ok(());
        }
        self.measured = Instant::now();
        let end = self.store.tail_end().await?;
        let behind = end.number.saturating_sub(self.window.done().number);
        let age = self.window.oldest().and_then(|time| (Utc::now() - time).to_std().ok()).unwrap_or_default();
        let delay = self.store.tail_delay().await?.unwrap_or_default();
        metrics::gauge!("loquent_relay_lag_events").set(behind as f64);
        metrics::gauge!("loquent_relay_lag_seconds").set(age.as_secs_f64());
        metrics::gauge!("loquent_store_tail_delay_seconds").set(delay.as_secs_f64());
        Ok(())
    }

    /// Until there is something to do: a receipt, a new event, a checkpoint to store, a lease to renew.
    async fn wait(&mut self, shutdown: &CancellationToken) -> std::result::Result<(), Stumble> {
        let unsaved = self.saved.as_deref() != Some(&self.window.done().to_string());
        let pause = if unsaved { SAVING } else { RENEWAL };
        let delivered = tokio::select! {
            delivered = self.reports.1.recv(), if !self.window.is_empty() => delivered,
            () = self.follow.wait(), if self.window.room() > 0 => None,
            () = sleep(pause) => None,
            () = shutdown.cancelled() => None,
        };
        delivered.map_or(Ok(()), |delivered| self.note(delivered))
    }

    /// Forgets what is in flight and sends it again from the first that was not acknowledged: the order stays, some come twice.
    fn begin_anew(&mut self) {
        self.log.durable().forget();
        self.log.durable().mend();
        self.reports = unbounded_channel();
        self.window = Window::new(self.window.done());
        self.follow.after = self.window.done();
    }

    fn complain(&mut self, error: &Error) {
        if std::mem::replace(&mut self.complained, true) {
            debug!(%error, "the relay still cannot publish");
        } else {
            warn!(%error, "the relay cannot publish and tries again");
        }
    }

    /// After a trouble: everything that was read has arrived.
    fn recover(&mut self) {
        if self.complained && self.window.is_empty() {
            self.complained = false;
            info!("the relay publishes again");
        }
    }

    /// Waits a while for what is in flight, so that the next holder need not send it again.
    async fn drain(&mut self) {
        let deadline = Instant::now() + DRAIN.min(self.expires.saturating_duration_since(Instant::now()));
        while !self.window.is_empty()
            && let Ok(Some(delivered)) = timeout_at(deadline, self.reports.1.recv()).await
        {
            if self.note(delivered).is_err() {
                break;
            }
        }
        self.log.durable().forget();
        if let Err(Stumble::Store(error)) = self.save(true).await {
            debug!(%error, "the relay's last checkpoint was not stored");
        }
    }
}
