//! What input may be. Over a limit is no business rule: it is malformed.

use serde_json::Value;

use crate::{Error, Result};

/// Bytes of UTF-8 that a person's text may have.
pub const TEXT_LIMIT: usize = 256 * 1024;
/// Bytes of JSON that metadata may have.
pub const METADATA_LIMIT: usize = 16 * 1024;
const NAME_LIMIT: usize = 512;

pub(super) fn text(name: &str, text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(Error::Invalid(format!("{name} must not be empty")));
    }
    if text.len() > TEXT_LIMIT {
        return Err(Error::Invalid(format!("{name} must not be longer than 256 KiB")));
    }
    Ok(())
}

/// A name in clear, as of a person: no database column takes a NUL.
pub(super) fn name(name: &str, value: &str) -> Result<()> {
    if value.is_empty() || value.len() > NAME_LIMIT || value.contains('\0') {
        return Err(Error::Invalid(format!("{name} must have 1 to {NAME_LIMIT} bytes and no NUL")));
    }
    Ok(())
}

/// A JSON Schema as it is sealed: an object within the limit of metadata. Whether it is a schema the model's provider says.
pub(super) fn schema(schema: Option<&Value>) -> Result<Option<String>> {
    let Some(schema) = schema.filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let json = schema.to_string();
    if !schema.is_object() || json.len() > METADATA_LIMIT {
        return Err(Error::Invalid("responseSchema must be a JSON Schema, an object of 16 KiB at most".into()));
    }
    Ok(Some(json))
}

/// Metadata as it is sealed; JSON's null is none.
pub(super) fn metadata(metadata: Option<&Value>) -> Result<Option<String>> {
    let Some(metadata) = metadata.filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let json = metadata.to_string();
    if json.len() > METADATA_LIMIT {
        return Err(Error::Invalid("metadata must not be longer than 16 KiB".into()));
    }
    Ok(Some(json))
}
