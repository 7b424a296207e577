//! `generate_image`: OpenAI's images API.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Method, Url};
use serde_json::{Value, json};

use super::Service;
use crate::tool::egress::{Egress, End, Limits, Reply, Request};
use crate::tool::http::Asked;
use crate::tool::reply::accepted;
use crate::tool::settings::ImageServer;
use crate::tool::{Artifact, Effect, Outcome};

/// Bytes of a picture; what is kept beside messages is never larger.
const PICTURE: usize = 20 << 20;
/// Bytes of an answer that holds one.
const ANSWER: usize = PICTURE / 3 * 4 + (1 << 20);

/// The server that draws. It is the operator's choice; an address that it gives is not.
pub(crate) struct Image {
    service: Service,
    server: Egress,
    model: String,
}

impl Image {
    pub(in crate::tool) fn new(server: &ImageServer, model: &str) -> Result<Self, String> {
        let service = Service::new(&server.base_url, server.api_key.as_ref())?;
        Ok(Self { service, server: Egress::unguarded(), model: model.into() })
    }

    pub(in crate::tool) fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "prompt": { "type": "string", "minLength": 1, "maxLength": 32000, "description": "What the picture shows" },
                "size": { "type": "string", "pattern": "^(auto|[0-9]{2,4}x[0-9]{2,4})$", "description": "For example 1024x1024" },
            },
            "required": ["prompt"],
            "additionalProperties": false,
        })
    }

    pub(in crate::tool) async fn run(&self, asked: Asked<'_>) -> Outcome {
        self.draw(asked).await.unwrap_or_else(|outcome| outcome)
    }

    async fn draw(&self, asked: Asked<'_>) -> Result<Outcome, Outcome> {
        let mut body = json!({ "model": self.model, "prompt": asked.text("prompt"), "n": 1 });
        if let Some(size) = asked.text("size") {
            body["size"] = size.into();
        }
        // Newer models always answer with the picture itself; these must be asked to.
        if self.model.starts_with("dall-e") {
            body["response_format"] = "b64_json".into();
        }
        let to_server = Asked { egress: &self.server, ..asked };
        let url = self.service.url(["images", "generations"]);
        let limits = Limits { bytes: ANSWER, ..to_server.limits() };
        let reply = self.service.post(to_server, url, &body, limits).await?;
        let answer = self.service.json(&reply)?;
        let picture = &answer["data"][0];
        let (bytes, provenance) = match (picture["b64_json"].as_str(), picture["url"].as_str()) {
            (Some(text), _) => (STANDARD.decode(text).ok().map(Bytes::from), reply.provenance()),
            (None, Some(url)) => {
                let reply = download(asked, url).await?;
                let provenance = reply.provenance();
                (Some(Bytes::from(reply.body.bytes)), provenance)
            }
            (None, None) => (None, Vec::new()),
        };
        let bytes = bytes.ok_or_else(|| Outcome::Failed("the server answered without a picture".into()))?;
        let media_type = media_type(&bytes).filter(|_| bytes.len() <= PICTURE);
        let media_type =
            media_type.ok_or_else(|| Outcome::Failed("the server answered with no picture of use".into()))?;
        let result = json!({ "media_type": media_type, "bytes": bytes.len(), "model": self.model });
        Ok(Outcome::Done { result, provenance, cached: false, artifact: Some(Artifact { media_type, bytes }) })
    }
}

/// The picture at an address that the server gave.
async fn download(asked: Asked<'_>, url: &str) -> Result<Reply, Outcome> {
    let url = Url::parse(url).map_err(|_| Outcome::Failed("the server answered without a picture".into()))?;
    let request = Request { method: Method::GET, url, private: HeaderMap::new(), open: asked.headers(), body: None };
    let reply = accepted(asked.egress.send(request, asked.limits()).await, Effect::Read, &Default::default())?;
    match reply.body.end {
        End::Whole => Ok(reply),
        _ => Err(Outcome::Failed("the picture is too large".into())),
    }
}

fn media_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        _ => None,
    }
}
