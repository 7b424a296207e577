use event_log::EventLog;
use event_store::EventStore;
use keyring::Keyring;

use commands::Commands;

use crate::Settings;
use crate::heard::Heard;
use crate::model::Models;
use crate::work::WorkTable;

/// What every piece of work needs.
pub(crate) struct Context {
    pub(crate) settings: Settings,
    pub(crate) table: WorkTable,
    pub(crate) store: EventStore,
    pub(crate) log: EventLog,
    pub(crate) keyring: Keyring,
    pub(crate) commands: Commands,
    pub(crate) models: Models,
    pub(crate) heard: Heard,
}
