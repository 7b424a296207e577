//! `fetch_url`: a page as text.

use reqwest::header::HeaderMap;
use reqwest::{Method, Url};
use serde_json::Value;

use crate::tool::Outcome;
use crate::tool::egress::{End, Reply, Request};
use crate::tool::html;
use crate::tool::http::Asked;
use crate::tool::reply::{accepted, shown};
use crate::tool::text::Secrets;

/// Where a page says in which letters it is written.
const PROLOGUE: usize = 1024;

pub(in crate::tool) async fn fetch(asked: Asked<'_>) -> Outcome {
    let url = match Url::parse(asked.text("url").unwrap_or_default().trim()) {
        Ok(url) => url,
        Err(error) => return Outcome::Failed(format!("the address is not understood: {error}")),
    };
    let request = Request { method: Method::GET, url, private: HeaderMap::new(), open: asked.headers(), body: None };
    let secrets = Secrets::default();
    let reply = match accepted(asked.egress.send(request, asked.limits()).await, asked.tool.effect, &secrets) {
        Ok(reply) => reply,
        Err(outcome) => return outcome,
    };
    if !matches!(reply.media_type().as_str(), "text/html" | "application/xhtml+xml") {
        return match reply.text() {
            Some(_) => reply.done(asked.tool, &secrets),
            None => Outcome::Failed(format!("the address leads to something that is no text ({})", reply.media_type())),
        };
    }
    let (provenance, limit) = (reply.provenance(), asked.tool.result_limit);
    match tokio::task::spawn_blocking(move || read(&reply, limit)).await {
        Ok(text) => Outcome::done(Value::String(text), provenance),
        Err(_) => Outcome::Failed("the page cannot be read".into()),
    }
}

fn read(reply: &Reply, limit: usize) -> String {
    let page = with_letters_of(reply).unwrap_or_else(|| reply.text().unwrap_or_default());
    let base = reply.places.last().cloned();
    let (text, is_whole) = base.map_or_else(Default::default, |base| html::to_text(&page, &base));
    shown(&text, limit, !is_whole || reply.body.end == End::Cut)
}

/// The page's text by what it says about its letters itself, where the server said nothing.
fn with_letters_of(reply: &Reply) -> Option<String> {
    if reply.charset().is_some() {
        return None;
    }
    let bytes = &reply.body.bytes;
    let prologue = String::from_utf8_lossy(&bytes[..bytes.len().min(PROLOGUE)]).to_ascii_lowercase();
    let label = prologue.split_once("charset=")?.1.trim_start_matches(['"', '\'', ' ']);
    let label = label.split(|c: char| !c.is_ascii_alphanumeric() && !"-_:.".contains(c)).next()?;
    let encoding = encoding_rs::Encoding::for_label(label.as_bytes())?;
    Some(encoding.decode(bytes).0.into_owned())
}
