//! One suite for both logs: embedded on every database at hand, Kafka where `TEST_KAFKA_BROKERS` and `TEST_DATABASE_URL` name servers.

mod fixture;
mod kafka;
mod outage;
mod stream;
mod suite;
