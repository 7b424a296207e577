//! From a server's answer to the end of a call.

use encoding_rs::{Encoding, UTF_8};
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;

use super::egress::{End, Reply, Trouble};
use super::settings::Effect;
use super::text::{self, Secrets};
use super::{Outcome, Tool};

/// The answer of a server that did what it was asked; else how the call ended.
pub(super) fn accepted(reply: Result<Reply, Trouble>, effect: Effect, secrets: &Secrets) -> Result<Reply, Outcome> {
    let lost = |why: String| match effect {
        Effect::Read => Outcome::Failed(why),
        Effect::Write => Outcome::Uncertain(why),
    };
    let reply = match reply {
        Ok(reply) => reply,
        Err(Trouble::Unsent(why)) => return Err(Outcome::Failed(why)),
        Err(Trouble::Lost(why)) => return Err(lost(why)),
    };
    if !reply.status.is_success() {
        let said = secrets.quote(&reply.text().unwrap_or_default());
        let colon = if said.is_empty() { "" } else { ": " };
        let why = format!("the server answered HTTP {}{colon}{said}", reply.status.as_u16());
        // A go-between that gave up waiting does not know what the server behind it did.
        return Err(if matches!(reply.status.as_u16(), 408 | 502 | 504) { lost(why) } else { Outcome::Failed(why) });
    }
    match reply.body.end {
        End::Broken => Err(lost("the server's answer broke off".into())),
        _ => Ok(reply),
    }
}

impl Reply {
    /// What it is, without parameters, in lower case; empty if it does not say.
    pub(super) fn media_type(&self) -> String {
        let value = self.content_type();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    fn content_type(&self) -> &str {
        self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as text; `None` if it is something else.
    pub(super) fn text(&self) -> Option<String> {
        if self.body.end == End::Unreadable {
            return None;
        }
        let media_type = self.media_type();
        if media_type.is_empty() {
            let text = std::str::from_utf8(&self.body.bytes);
            return text.ok().map(str::to_owned);
        }
        is_text(&media_type).then(|| self.encoding().decode(&self.body.bytes).0.into_owned())
    }

    fn encoding(&self) -> &'static Encoding {
        self.charset().and_then(|label| Encoding::for_label(label.as_bytes())).unwrap_or(UTF_8)
    }

    /// In which letters the server says that it writes.
    pub(super) fn charset(&self) -> Option<&str> {
        let mut parameters = self.content_type().split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
        let charset = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
        charset.map(|(_, value)| value.trim().trim_matches('"'))
    }

    /// What the model gets to see: JSON where it is whole, else text, cut with a note.
    pub(super) fn result(&self, limit: usize, secrets: &Secrets) -> Value {
        let status = self.status.as_u16();
        if self.body.bytes.is_empty() && self.body.end == End::Whole {
            return Value::String(format!("HTTP {status}, without content"));
        }
        let Some(said) = self.text() else {
            let media_type = self.media_type();
            let kind = if media_type.is_empty() { "data" } else { &media_type };
            return Value::String(format!("HTTP {status}, with content that is no text ({kind}) and is not shown"));
        };
        let said = secrets.hide(said);
        let whole = self.body.end == End::Whole && said.len() <= limit;
        match serde_json::from_str(&said) {
            Ok(json) if whole && self.media_type().contains("json") => text::clean_value(json),
            _ => Value::String(shown(&said, limit, self.body.end == End::Cut)),
        }
    }

    /// Where the answer comes from.
    pub(super) fn provenance(&self) -> Vec<String> {
        self.places.iter().map(text::address).collect()
    }

    /// The end of a call whose result is this answer.
    pub(super) fn done(&self, tool: &Tool, secrets: &Secrets) -> Outcome {
        Outcome::done(self.result(tool.result_limit, secrets), self.provenance())
    }
}

/// A text for the model, with a note where something is missing.
pub(super) fn shown(said: &str, limit: usize, is_cut: bool) -> String {
    let (mut shown, more) = text::cut(text::clean(said), limit);
    if more || is_cut {
        shown.push_str(text::CUT);
    }
    shown
}

fn is_text(media_type: &str) -> bool {
    let known = ["json", "xml", "javascript", "x-www-form-urlencoded", "yaml", "x-yaml", "toml", "graphql", "x-ndjson"];
    let subtype = media_type.strip_prefix("application/").unwrap_or_default();
    media_type.starts_with("text/")
        || known.contains(&subtype)
        || media_type.ends_with("+json")
        || media_type.ends_with("+xml")
}
