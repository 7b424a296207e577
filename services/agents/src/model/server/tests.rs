//! Against a server that speaks both protocols, well and in every way badly that we know of.

mod breaks;
mod faults;
mod limits;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;

use events::{ChunkKind, FinishReason, Usage};

use crate::Settings;
use crate::model::{Failure, Model, Models, Said};
use crate::prompt::{Line, Prompt, ToolUse};
use crate::scripted::voice::{KINDS, arguments, begin, call, finish, goodbye, ping, reasoning, text, whole};
use crate::scripted::{Act, Scripted, send, sse};
use crate::settings::{BreakerSettings, Provider, ProviderKind, Secret, Timeouts};

/// Longer than a busy machine needs.
const LONG: Duration = Duration::from_secs(20);

fn provider(kind: ProviderKind, address: &str) -> Provider {
    let timeouts = Timeouts { connect: LONG, first_token: LONG, idle: LONG, total: LONG * 2 };
    let api_key = Some(Secret::new("sk-secret"));
    Provider { api_key, timeouts: Some(timeouts), ..Provider::new(kind, address) }
}

fn models(provider: Provider) -> Models {
    let breaker = BreakerSettings { failures: 3, open: Duration::from_secs(1) };
    Models::new(&Settings { breaker, providers: BTreeMap::from([("test".into(), provider)]), ..Settings::default() })
}

fn model(provider: Provider) -> Model {
    models(provider).choose("test/small").unwrap()
}

fn prompt() -> Prompt {
    Prompt { lines: vec![Line::User("Hi".into())], ..Prompt::default() }
}

/// Everything that came, what was said joined by kind.
#[derive(Debug, Default)]
struct Heard {
    text: String,
    reasoning: String,
    arguments: String,
    rest: Vec<Said>,
    failure: Option<Failure>,
}

impl Heard {
    fn class(&self) -> &'static str {
        self.failure.as_ref().expect("a failure").class
    }

    fn reason(&self) -> &str {
        &self.failure.as_ref().expect("a failure").reason
    }
}

/// Asks once.
async fn ask(model: &Model) -> Heard {
    let mut heard = Heard::default();
    let mut said = model.ask(&prompt(), model.request(&prompt()));
    while let Some(item) = said.next().await {
        match item {
            Ok(Said::Piece(ChunkKind::Reasoning, piece)) => heard.reasoning.push_str(&piece),
            Ok(Said::Piece(ChunkKind::Text, piece)) => heard.text.push_str(&piece),
            Ok(Said::Piece(ChunkKind::ToolCall, piece)) => heard.arguments.push_str(&piece),
            Ok(other) => heard.rest.push(other),
            Err(failure) => heard.failure = Some(failure),
        }
    }
    heard
}

/// Asks a server once that plays this script.
async fn play(kind: ProviderKind, script: Vec<Act>) -> Heard {
    let scripted = Scripted::start(vec![script]).await;
    ask(&model(provider(kind, &scripted.address))).await
}

/// A stream that begins well.
fn stream(kind: ProviderKind, rest: impl IntoIterator<Item = Act>) -> Vec<Act> {
    [sse(), begin(kind)].into_iter().chain(rest).collect()
}

#[tokio::test]
async fn an_answer_streams_with_reasoning_and_usage() {
    for kind in KINDS {
        let said = [ping(kind), reasoning(kind, "hm"), text(kind, "Hel"), text(kind, "lo ä")];
        let script = stream(kind, said.into_iter().chain([finish(kind, "length"), goodbye(kind), Act::Hang]));
        let heard = play(kind, script).await;
        assert_eq!(
            (heard.text.as_str(), heard.reasoning.as_str(), &heard.failure),
            ("Hello ä", "hm", &None),
            "{kind:?}"
        );
        let usage = Usage { input_tokens: 9, output_tokens: 5, reasoning_tokens: 0, cached_tokens: 4 };
        assert_eq!(heard.rest[heard.rest.len() - 2..], [Said::Usage(usage), Said::Finished(FinishReason::Length)]);
    }
}

#[tokio::test]
async fn the_request_goes_to_the_right_place_with_the_key_in_the_right_header() {
    for (kind, expected) in [
        (ProviderKind::OpenAi, vec!["POST /v1/chat/completions HTTP/1.1", "authorization: Bearer sk-secret"]),
        (
            ProviderKind::Anthropic,
            vec!["POST /v1/messages HTTP/1.1", "x-api-key: sk-secret", "anthropic-version: 2023-06-01"],
        ),
    ] {
        let answer = || stream(kind, [text(kind, "Hi"), finish(kind, "stop"), goodbye(kind)]);
        let scripted = Scripted::start(vec![answer(), answer()]).await;
        for address in [scripted.address.clone(), format!("{}/", scripted.address)] {
            let model = model(provider(kind, &address));
            assert_eq!(ask(&model).await.text, "Hi");
            let seen = scripted.requests().pop().unwrap();
            assert!(expected.iter().all(|line| seen.contains(line)), "{seen}");
            assert!(seen.as_bytes().ends_with(&model.request(&prompt())), "{seen}");
        }
    }
}

#[tokio::test]
async fn tools_are_asked_for_in_fragments_and_several_at_once() {
    for kind in KINDS {
        let said = [
            text(kind, "Let me see"),
            call(kind, 1, "one", "find"),
            arguments(kind, 1, "{\"q\""),
            arguments(kind, 1, ":\"ä\"}"),
            call(kind, 2, "two", "list"),
            finish(kind, "tool_calls"),
            goodbye(kind),
        ];
        let heard = play(kind, stream(kind, said)).await;
        assert_eq!((heard.text.as_str(), heard.arguments.as_str()), ("Let me see", "{\"q\":\"ä\"}"), "{kind:?}");
        let call = |id: &str, name: &str, arguments: &str| {
            Said::Call(ToolUse { id: id.into(), name: name.into(), arguments: arguments.into() })
        };
        let expected =
            [call("one", "find", "{\"q\":\"ä\"}"), call("two", "list", "{}"), Said::Finished(FinishReason::ToolCalls)];
        assert_eq!(heard.rest[heard.rest.len() - 3..], expected, "{kind:?}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_understood() {
    for kind in KINDS {
        let heard = play(kind, whole(kind, "All at once")).await;
        let usage = Usage { input_tokens: 9, output_tokens: 5, ..Usage::default() };
        assert_eq!((heard.text.as_str(), &heard.failure), ("All at once", &None));
        assert_eq!(heard.rest, [Said::Usage(usage), Said::Finished(FinishReason::Stop)]);
    }
}

#[tokio::test]
async fn a_filter_ends_an_answer_as_such() {
    for kind in KINDS {
        let heard = play(kind, stream(kind, [finish(kind, "content_filter"), goodbye(kind)])).await;
        assert_eq!(heard.rest.last(), Some(&Said::Finished(FinishReason::ContentFilter)));
    }
}

#[tokio::test]
async fn an_openai_stream_is_understood_however_sloppy_it_is() {
    let script = vec![
        sse(),
        send(": hello\r\n\r\nevent: x\r\ndata:{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\r\n\r\n"),
        send("data: {\"choices\":[{\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}]}"),
    ];
    let heard = play(ProviderKind::OpenAi, script).await;
    assert_eq!((heard.text.as_str(), &heard.failure), ("ab", &None));
    assert_eq!(heard.rest, [Said::Finished(FinishReason::Stop)]);
}
