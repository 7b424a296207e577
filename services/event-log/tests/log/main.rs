//! One suite for both logs: embedded on every database at hand, Kafka where `TEST_KAFKA_BROKERS` and `TEST_DATABASE_URL` name servers.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

mod fixture;
mod kafka;
mod outage;
mod stream;
mod suite;
