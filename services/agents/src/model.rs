//! Models: what they are asked and what they stream back, whoever serves them.
//!
//! * `server`: one request over HTTP, its limits; `openai`, `anthropic`: what the two protocols say
//! * `decoder`, `calls`: from events to what was said; `failure`: why nothing more was
//! * `attempts`: what comes after a failure; `breaker`, `fuse`: who is left alone for a while
//! * `offline`: the built-in model

mod anthropic;
mod attempts;
mod breaker;
mod calls;
mod decoder;
mod failure;
mod fuse;
mod offline;
mod openai;
mod server;
mod watch;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;

use events::{ChunkKind, FinishReason, Usage};

pub(crate) use attempts::{Attempts, Next};
pub use breaker::BreakerState;
pub(crate) use failure::Failure;
pub(crate) use watch::Watch;

use crate::prompt::{Prompt, ToolUse};
use crate::settings::Provider;
use crate::{Error, Result, Settings};

/// What a model's stream brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// More of the answer, of the reasoning, or of a call's arguments; never empty.
    Piece(ChunkKind, String),
    /// A tool that it asks for, whole. All of them come right before the end.
    Call(ToolUse),
    /// The tokens so far, as the provider counted them; the last figures hold.
    Usage(Usage),
    /// Nothing more of the answer comes.
    Finished(FinishReason),
}

/// All models that this process can ask.
pub(crate) struct Models {
    pace: Duration,
    servers: BTreeMap<String, server::Server>,
    chains: attempts::Chains,
}

/// A model that was chosen.
#[derive(Clone)]
pub(crate) enum Model {
    /// Built in: no language model at all.
    Offline { pace: Duration },
    /// Behind a provider's server.
    Served { server: Box<server::Server>, name: String },
}

/// The circuit breakers of this process. Cheap to clone.
#[derive(Clone)]
pub struct Breakers(Vec<server::Server>);

impl Breakers {
    /// Every provider by name, and whether its server is asked at present.
    #[must_use]
    pub fn states(&self) -> Vec<(String, BreakerState)> {
        self.0.iter().map(|server| (server.name().to_owned(), server.breaker())).collect()
    }
}

/// Whether `model` is `offline` or belongs to one of the providers.
///
/// # Errors
/// Neither; the message says which names there are.
pub fn check_model(providers: &BTreeMap<String, Provider>, model: &str) -> Result<()> {
    split(model, |provider| providers.contains_key(provider), || providers.keys().cloned().collect()).map(|_| ())
}

/// Whether all fallbacks are models of known providers, and of others than the one that falls back.
///
/// # Errors
/// One is not; the message says which.
pub fn check_fallbacks(providers: &BTreeMap<String, Provider>) -> Result<()> {
    for (name, provider) in providers {
        for model in &provider.fallback {
            check_model(providers, model)?;
            if model.split_once('/').is_some_and(|(other, _)| other == name) {
                return Err(Error::OwnFallback { provider: name.clone(), model: model.clone() });
            }
        }
    }
    Ok(())
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
        let server =
            |(name, provider): (&String, &Provider)| (name.clone(), server::Server::new(name, provider, settings));
        let chain = |(name, provider): (&String, &Provider)| (name.clone(), provider.fallback.clone());
        Self {
            pace: settings.offline_pace,
            servers: settings.providers.iter().map(server).collect(),
            chains: std::sync::Arc::new(settings.providers.iter().map(chain).collect()),
        }
    }

    pub(crate) fn choose(&self, model: &str) -> Result<Model> {
        let known = || self.servers.keys().cloned().collect();
        Ok(match split(model, |provider| self.servers.contains_key(provider), known)? {
            None => Model::Offline { pace: self.pace },
            Some((provider, name)) => {
                Model::Served { server: Box::new(self.servers[provider].clone()), name: name.into() }
            }
        })
    }

    /// The requests for one answer, which begin with this model.
    pub(crate) fn attempts(&self, model: &str) -> Attempts {
        Attempts::new(self.chains.clone(), model)
    }

    /// For whoever shows them.
    pub(crate) fn breakers(&self) -> Breakers {
        Breakers(self.servers.values().cloned().collect())
    }
}

impl Model {
    /// The exact request; the same prompt always gives the same bytes.
    pub(crate) fn request(&self, prompt: &Prompt) -> Bytes {
        match self {
            Self::Offline { .. } => openai::body("offline", prompt),
            Self::Served { server, name } => server.body(name, prompt),
        }
    }

    /// The provider's name in the settings: what metrics know, which hold no model's name, for that could be anything.
    pub(crate) fn provider(&self) -> &str {
        match self {
            Self::Offline { .. } => "offline",
            Self::Served { server, .. } => server.name(),
        }
    }

    /// Sends the request, once. A failure is the stream's last item; what came before it stays. Dropping the stream closes the
    /// connection.
    pub(crate) fn ask(
        &self,
        prompt: &Prompt,
        request: Bytes,
    ) -> BoxStream<'static, std::result::Result<Said, Failure>> {
        match self {
            Self::Offline { pace } => offline::answer(prompt, *pace).map(Ok).boxed(),
            Self::Served { server, .. } => (**server).clone().stream(prompt, request).boxed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::ProviderKind;

    #[test]
    fn a_model_is_offline_or_belongs_to_a_known_provider() {
        let provider = Provider::new(ProviderKind::OpenAi, "http://127.0.0.1:1");
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

    #[test]
    fn a_fallback_is_a_model_of_another_known_provider() {
        let with = |fallback: &str| {
            let groq = Provider {
                fallback: vec![fallback.into()],
                ..Provider::new(ProviderKind::OpenAi, "http://127.0.0.1:1")
            };
            let claude = Provider::new(ProviderKind::Anthropic, "http://127.0.0.1:1");
            check_fallbacks(&BTreeMap::from([("groq".to_owned(), groq), ("anthropic".to_owned(), claude)]))
        };
        assert!(with("anthropic/claude").is_ok());
        assert!(matches!(with("openai/gpt"), Err(Error::UnknownProvider { .. })));
        assert!(matches!(with("nonsense"), Err(Error::Model(_))));
        let own = with("groq/other").expect_err("its own");
        assert_eq!(own.to_string(), "the provider `groq` names its own model `groq/other` as a fallback");
    }
}
