//! Tool calls, put together from their fragments.

use super::decoder::Wrong;
use crate::prompt::ToolUse;

/// Calls of one answer at most.
const CALLS: usize = 64;
/// Bytes of all their names and arguments at most.
const BYTES: usize = 1 << 20;

/// The calls of one answer.
#[derive(Debug)]
pub(super) struct Calls {
    open: Vec<(u64, ToolUse)>,
    bytes: usize,
    /// Ids made up for calls without one count from here, so that none stands twice in a conversation.
    first: usize,
}

/// Part of a call. What is empty was not said.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fragment<'a> {
    pub(super) index: u64,
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    pub(super) arguments: &'a str,
}

impl Calls {
    /// For an answer to a prompt in which so many calls stand already.
    pub(super) fn new(first: usize) -> Self {
        Self { open: Vec::new(), bytes: 0, first }
    }

    /// Adds a part. It belongs to the last call of its index, unless it brings another id: some servers give all calls one index.
    pub(super) fn add(&mut self, part: Fragment<'_>) -> Result<(), Wrong> {
        self.bytes += part.id.len() + part.name.len() + part.arguments.len();
        if self.bytes > BYTES {
            return Err(Wrong::TooLong);
        }
        let is_its = |(index, call): &(u64, ToolUse)| {
            *index == part.index && (part.id.is_empty() || call.id.is_empty() || call.id == part.id)
        };
        let place = match self.open.iter().rposition(is_its) {
            Some(place) => place,
            None if self.open.len() == CALLS => return Err(Wrong::TooManyCalls),
            None => {
                let call = ToolUse { id: String::new(), name: String::new(), arguments: String::new() };
                self.open.push((part.index, call));
                self.open.len() - 1
            }
        };
        let call = &mut self.open[place].1;
        for (field, said) in [(&mut call.id, part.id), (&mut call.name, part.name)] {
            if field.is_empty() {
                said.clone_into(field);
            }
        }
        call.arguments.push_str(part.arguments);
        Ok(())
    }

    /// Whether a call of this index has begun.
    pub(super) fn knows(&self, index: u64) -> bool {
        self.open.iter().any(|(open, _)| *open == index)
    }

    /// All of them, whole; each has a name, an id of its own, and arguments.
    pub(super) fn finish(self) -> Result<Vec<ToolUse>, Wrong> {
        let mut calls: Vec<ToolUse> = Vec::with_capacity(self.open.len());
        for (_, mut call) in self.open {
            if call.name.is_empty() {
                return Err(Wrong::Garbage);
            }
            if call.id.is_empty() || calls.iter().any(|other| other.id == call.id) {
                call.id = format!("call_{}", self.first + calls.len());
            }
            if call.arguments.trim().is_empty() {
                call.arguments = "{}".into();
            }
            calls.push(call);
        }
        Ok(calls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(parts: &[(u64, &'static str, &'static str, &'static str)]) -> Result<Vec<ToolUse>, Wrong> {
        let mut calls = Calls::new(3);
        for &(index, id, name, arguments) in parts {
            calls.add(Fragment { index, id, name, arguments })?;
        }
        calls.finish()
    }

    fn call(id: &str, name: &str, arguments: &str) -> ToolUse {
        ToolUse { id: id.into(), name: name.into(), arguments: arguments.into() }
    }

    #[test]
    fn fragments_of_several_calls_are_told_apart_by_index() {
        let calls = finished(&[
            (0, "x", "find", ""),
            (0, "", "", "{\"a\""),
            (1, "y", "read", ""),
            (0, "", "", ":1}"),
            (1, "y", "read", "{}"),
        ]);
        assert_eq!(calls.unwrap(), [call("x", "find", "{\"a\":1}"), call("y", "read", "{}")]);
    }

    #[test]
    fn calls_under_one_index_are_told_apart_by_id() {
        let calls = finished(&[(0, "x", "find", "{}"), (0, "y", "find", "[]")]);
        assert_eq!(calls.unwrap(), [call("x", "find", "{}"), call("y", "find", "[]")]);
    }

    #[test]
    fn a_call_without_an_id_gets_the_same_one_every_time() {
        let calls = finished(&[(0, "", "find", ""), (1, "x", "find", ""), (2, "", "read", " ")]);
        assert_eq!(
            calls.unwrap(),
            [call("call_3", "find", "{}"), call("x", "find", "{}"), call("call_5", "read", "{}")]
        );
    }

    #[test]
    fn too_many_too_long_and_nameless_calls_are_refused() {
        let mut calls = Calls::new(0);
        let named = |index| Fragment { index, name: "f", ..Fragment::default() };
        assert!((0..CALLS as u64).all(|index| calls.add(named(index)).is_ok()));
        assert_eq!(calls.add(named(64)), Err(Wrong::TooManyCalls));
        let half = "a".repeat(BYTES / 2);
        let mut calls = Calls::new(0);
        let long = Fragment { arguments: &half, ..named(0) };
        assert_eq!((calls.add(long), calls.add(long)), (Ok(()), Err(Wrong::TooLong)));
        assert_eq!(finished(&[(0, "x", "", "{}")]), Err(Wrong::Garbage));
    }
}
