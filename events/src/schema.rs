//! The JSON Schemas of everything that is published.

use schemars::Schema;
use schemars::generate::SchemaSettings;

use crate::{ChunkProduced, ConversationEvent, Record};

/// One schema, under the path that `dataschema` names.
#[derive(Clone, Debug)]
pub struct NamedSchema {
    /// Wire type without version: `dev.loquent.message.completed`.
    pub wire_type: &'static str,
    /// The name in the design: `MessageCompleted`.
    pub name: &'static str,
    /// The version: `1`.
    pub version: &'static str,
    /// The schema of `data`.
    pub schema: Schema,
}

/// The schemas of every event's data and of a chunk's, in the order of the design's table.
#[must_use]
pub fn schemas() -> Vec<NamedSchema> {
    let version = ConversationEvent::VERSION;
    let events = ConversationEvent::TYPES.iter().filter_map(|&(name, wire_type)| {
        let schema = ConversationEvent::schema_v1(wire_type)?;
        Some(NamedSchema { wire_type, name, version, schema })
    });
    let chunk = NamedSchema {
        wire_type: "dev.loquent.chunk.produced",
        name: "ChunkProduced",
        version,
        schema: schemars::schema_for!(ChunkProduced),
    };
    events.chain([chunk]).collect()
}

/// The schema of the envelope.
#[must_use]
pub fn record_schema() -> Schema {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Record>()
}
