//! Models: what they are asked and what they stream back, whoever serves them.

mod failure;
mod offline;
mod openai;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;

use events::{ChunkKind, FinishReason, Usage};

pub(crate) use failure::Failure;

use crate::prompt::Prompt;
use crate::settings::{Provider, ProviderKind};
use crate::{Error, Result, Settings};

/// What a model's stream brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// More of the answer or of the reasoning; never empty.
    Piece(ChunkKind, String),
    /// The tokens, as the provider counted them.
    Usage(Usage),
    /// Nothing more of the answer comes.
    Finished(FinishReason),
}

/// All models that this process can ask.
pub(crate) struct Models {
    pace: Duration,
    servers: BTreeMap<String, openai::Server>,
}

/// A model that was chosen.
#[derive(Clone)]
pub(crate) enum Model {
    /// Built in: no language model at all.
    Offline { pace: Duration },
    /// Behind an OpenAI-compatible server.
    OpenAi { server: openai::Server, name: String },
}

/// Whether `model` is `offline` or belongs to one of the providers.
///
/// # Errors
/// Neither; the message says which names there are.
pub fn check_model(providers: &BTreeMap<String, Provider>, model: &str) -> Result<()> {
    split(model, |provider| providers.contains_key(provider), || providers.keys().cloned().collect()).map(|_| ())
}

/// Provider and name of a model; `None` for the offline one.
fn split(
    model: &str,
    is_known: impl Fn(&str) -> bool,
    known: impl Fn() -> Vec<String>,
) -> Result<Option<(&str, &str)>> {
    if model == "offline" {
        return Ok(None);
    }
    let parts = model.split_once('/').filter(|(provider, name)| !provider.is_empty() && !name.is_empty());
    let (provider, name) = parts.ok_or_else(|| Error::Model(model.into()))?;
    if !is_known(provider) {
        let known = std::iter::once("offline".to_owned()).chain(known()).collect::<Vec<_>>().join(", ");
        return Err(Error::UnknownProvider { model: model.into(), provider: provider.into(), known });
    }
    Ok(Some((provider, name)))
}

impl Models {
    pub(crate) fn new(settings: &Settings) -> Self {
        let server = |provider: &Provider| match provider.kind {
            ProviderKind::OpenAi => openai::Server::new(provider.clone(), settings.timeouts, settings.line_limit),
        };
        let servers = settings.providers.iter().map(|(name, provider)| (name.clone(), server(provider)));
        Self { pace: settings.offline_pace, servers: servers.collect() }
    }

    pub(crate) fn choose(&self, model: &str) -> Result<Model> {
        let known = || self.servers.keys().cloned().collect();
        Ok(match split(model, |provider| self.servers.contains_key(provider), known)? {
            None => Model::Offline { pace: self.pace },
            Some((provider, name)) => Model::OpenAi { server: self.servers[provider].clone(), name: name.into() },
        })
    }
}

impl Model {
    /// The exact request; the same prompt always gives the same bytes.
    pub(crate) fn request(&self, prompt: &Prompt) -> Bytes {
        match self {
            Self::Offline { .. } => openai::body("offline", prompt),
            Self::OpenAi { name, .. } => openai::body(name, prompt),
        }
    }

    /// What is asked for with the metrics: no model's name, which could be anything.
    pub(crate) fn provider(&self) -> &'static str {
        match self {
            Self::Offline { .. } => "offline",
            Self::OpenAi { .. } => "openai",
        }
    }

    /// Sends the request. A failure is the stream's last item; what came before it stays.
    pub(crate) fn ask(
        &self,
        prompt: &Prompt,
        request: Bytes,
    ) -> BoxStream<'static, std::result::Result<Said, Failure>> {
        match self {
            Self::Offline { pace } => offline::answer(prompt, *pace).map(Ok).boxed(),
            Self::OpenAi { server, .. } => server.clone().stream(request).boxed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_offline_or_belongs_to_a_known_provider() {
        let provider = Provider { kind: ProviderKind::OpenAi, base_url: "http://127.0.0.1:1".into(), api_key: None };
        let providers = BTreeMap::from([("openai".to_owned(), provider)]);
        assert!(check_model(&providers, "offline").is_ok());
        assert!(check_model(&providers, "openai/gpt-4o-mini").is_ok());
        assert!(check_model(&providers, "openai/org/model").is_ok());
        let error = check_model(&providers, "groq/llama").expect_err("unknown");
        assert_eq!(error.to_string(), "`groq/llama` names the unknown provider `groq`; known are: offline, openai");
        for wrong in ["", "gpt-4o", "openai/", "/gpt"] {
            assert!(matches!(check_model(&providers, wrong), Err(Error::Model(_))), "{wrong}");
        }
    }
}
