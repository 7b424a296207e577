//! From what is stored to what is shown: sealed values opened, persons under their names.

use std::collections::HashMap;

use events::{ConversationId, Field, PersonId, Sealed};
use serde_json::Value;

use super::{Answer, Services};

/// What is shown for a person who was erased.
const ERASED: &str = "erased";

/// Opens a value of something in a conversation; `None`: its key is destroyed.
pub(super) async fn open(
    services: &Services,
    sealed: &Sealed,
    tenant: &str,
    conversation: ConversationId,
    owner: impl std::fmt::Display,
    name: &'static str,
) -> Answer<Option<String>> {
    Ok(services.keyring.open(sealed, &Field::new(tenant, conversation, owner, name)).await?)
}

/// JSON where a value must be: text that is no JSON as a string, nothing as an empty object.
pub(super) fn json(text: Option<&str>) -> Value {
    let text = text.filter(|text| !text.is_empty());
    let value = text.map(|text| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)));
    value.filter(|value| !value.is_null()).unwrap_or_else(|| Value::Object(serde_json::Map::new()))
}

/// The names of persons, asked for once.
pub(crate) struct Names(HashMap<PersonId, String>);

impl Names {
    /// Asks for the names of these.
    pub(crate) async fn of(services: &Services, persons: &[PersonId]) -> Answer<Self> {
        Ok(Self(services.keyring.subjects(persons).await?))
    }

    /// The person's `sub`.
    pub(crate) fn name(&self, person: PersonId) -> String {
        self.0.get(&person).cloned().unwrap_or_else(|| ERASED.to_owned())
    }
}
