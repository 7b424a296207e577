//! Persons, their pseudonyms and the keys that seal what they say.
//!
//! The master key wraps a person's key, a person's key wraps one content key per conversation. Whoever destroys a key erases
//! what it sealed, wherever copies of it lie. Clear text is never kept here, and neither keys nor names are ever logged.

mod content;
mod destroy;
mod error;
mod keyring;
mod master;
mod persons;
mod wrap;

pub use content::ContentKey;
pub use error::{Error, Result};
pub use keyring::Keyring;
pub use master::MasterKey;
