//! Lines of an event stream to the data of its events.

/// The data that ends a stream.
pub(in crate::model) const DONE: &str = "[DONE]";

/// Puts events together from lines.
pub(super) struct Events {
    limit: usize,
    open: String,
}

impl Events {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, open: String::new() }
    }

    /// Takes a line, without its end; answers an event's data once it is whole.
    ///
    /// By the standard an event ends with an empty line. Many servers leave that out, so data that is whole by itself is an event
    /// at once. Comments and fields other than `data` are passed over. An error is data that never becomes whole.
    pub(super) fn line(&mut self, line: &str) -> Result<Option<String>, ()> {
        let line = line.strip_prefix('\u{feff}').unwrap_or(line);
        if line.is_empty() {
            return if self.open.is_empty() { Ok(None) } else { Err(()) };
        }
        let data = match line.split_once(':') {
            Some(("data", data)) => data.strip_prefix(' ').unwrap_or(data),
            _ => return Ok(None),
        };
        if !self.open.is_empty() {
            self.open.push('\n');
        }
        self.open.push_str(data);
        if self.open.len() > self.limit {
            return Err(());
        }
        let text = self.open.trim();
        let is_whole = text == DONE || serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        if !is_whole {
            return Ok(None);
        }
        let event = text.to_owned();
        self.open.clear();
        Ok(Some(event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(lines: &[&str]) -> Result<Vec<String>, ()> {
        let mut events = Events::new(100);
        lines.iter().filter_map(|line| events.line(line).transpose()).collect()
    }

    #[test]
    fn data_is_read_with_and_without_a_space_and_empty_lines() {
        let lines = ["data: {\"a\":1}", "", "data:{\"a\":2}", "data: [DONE]"];
        assert_eq!(events(&lines).unwrap(), ["{\"a\":1}", "{\"a\":2}", "[DONE]"]);
    }

    #[test]
    fn comments_and_other_fields_are_passed_over() {
        let lines = ["\u{feff}: keep-alive", "event: message", "id: 4", "retry: 10", "nonsense", "", "data: 1"];
        assert_eq!(events(&lines).unwrap(), ["1"]);
    }

    #[test]
    fn data_over_several_lines_is_joined() {
        assert_eq!(events(&["data: {\"a\":", "data: 1}", ""]).unwrap(), ["{\"a\":\n1}"]);
    }

    #[test]
    fn data_that_never_becomes_whole_is_an_error() {
        assert!(events(&["data: {\"a\":", ""]).is_err());
        assert!(events(&["data: <html>", "", "data: 1"]).is_err());
        assert!(events(&[&format!("data: {{{}", "a".repeat(100))]).is_err());
    }
}
