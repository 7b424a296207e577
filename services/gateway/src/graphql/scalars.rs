//! The scalars of our own.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{DateTime, Utc};

/// A time as RFC 3339 in UTC with milliseconds: `2026-11-21T09:30:00.000Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) DateTime<Utc>);

impl From<DateTime<Utc>> for Time {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time)
    }
}

#[Scalar(name = "DateTime", specified_by_url = "https://scalars.graphql.org/andimarek/date-time")]
impl ScalarType for Time {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else { return Err(InputValueError::expected_type(value)) };
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| InputValueError::custom("not an RFC 3339 time"))?;
        Ok(Self(time.to_utc()))
    }

    fn to_value(&self) -> Value {
        Value::String(events::record::milliseconds::text(&self.0))
    }
}

/// A place in one conversation's stream: what came before it was seen, what follows it was not. Opaque; comes from any
/// update or payload and is valid as long as the conversation exists. `"0"` is the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cursor(pub(crate) events::Cursor);

impl Cursor {
    /// Just after the event with this number.
    pub(crate) fn at(sequence: events::Sequence) -> Self {
        Self(events::Cursor::at(sequence))
    }
}

#[Scalar]
impl ScalarType for Cursor {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else { return Err(InputValueError::expected_type(value)) };
        text.parse().map(Self).map_err(InputValueError::custom)
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A number of the stream as GraphQL's 32-bit `Int`; a stream of two thousand million events shows the largest.
pub(crate) fn int(number: impl TryInto<i32>) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}
