//! Four agents with two tools, and what their scenarios have in common.

use std::time::Duration;

use serde_json::Value;
use tests::client::Client;
use tests::sandbox::{Form, Sandbox};
use tests::tool_server::ToolServer;
use tests::upstream::{Step, Upstream, words};

/// A message that all four have to do with, by the rules' words.
pub(crate) const FOR_ALL: &str = "Find the latest news, write code, and draw a picture";

/// An orchestrator leads by rules: a researcher who reads and writes notes, code, image, and a writer who ends.
const TEAM: &str = r#"
[agents.orchestrator]
description = "Leads"
instructions = "I am the orchestrator."
team = ["researcher", "code", "image", "writer"]
plan = "rules"
[agents.researcher]
description = "Finds"
instructions = "I am the researcher."
tools = ["look", "note"]
[agents.code]
description = "Programs"
instructions = "I am the programmer."
[agents.image]
description = "Draws"
instructions = "I am the painter."
[agents.writer]
description = "Writes"
instructions = "I am the writer."
"#;

/// A model that lets the researcher read and write a note before it speaks.
pub(crate) fn script(body: &Value, pace: Duration) -> Vec<Step> {
    let researcher = body["messages"][0]["content"].as_str().is_some_and(|text| text.contains("I am the researcher."));
    if !researcher || used_tools(body) {
        return words(8, pace);
    }
    let want = |tool, arguments: &str| [Step::Wait(pace), Step::Want(tool, arguments.into())];
    let begin = [Step::Say("Let me ".into()), Step::Wait(pace), Step::Say("see. ".into())];
    let wants = want("look", r#"{"q":"a b"}"#).into_iter().chain(want("note", r#"{"text":"seen"}"#));
    begin.into_iter().chain(wants).chain([Step::FinishWithTools]).collect()
}

/// Whether the model has been told results.
pub(crate) fn used_tools(body: &Value) -> bool {
    body["messages"].as_array().is_some_and(|messages| messages.iter().any(|message| message["role"] == "tool"))
}

/// A team, its model and its tools.
pub(crate) struct Stage {
    pub(crate) sandbox: Sandbox,
    pub(crate) upstream: Upstream,
    pub(crate) tools: ToolServer,
}

impl Stage {
    /// The model speaks and the tools answer at this pace.
    pub(crate) async fn new(form: Form, pace: Duration) -> Self {
        let upstream = Upstream::start(move |body| script(body, pace)).await;
        let tools = ToolServer::start(pace).await;
        let sandbox = Sandbox::new(form).await.model(&upstream.base_url);
        let sandbox = sandbox.settings(&format!("{TEAM}{}", tools.tools()));
        Self { sandbox, upstream, tools }
    }
}

/// An assistant that may use `note` and `look`, with more settings.
pub(crate) async fn tooled(form: Form, model: &Upstream, tools: &ToolServer, more: &str) -> Sandbox {
    let assistant = "[agents.assistant]\ntools = [\"note\", \"look\"]\n";
    Sandbox::new(form).await.model(&model.base_url).settings(&format!("{assistant}{more}{}", tools.tools()))
}

/// A model that wants a note written, and then says that it was.
pub(crate) fn notes(body: &Value) -> Vec<Step> {
    if used_tools(body) {
        return vec![Step::Say("It is written.".into()), Step::Finish];
    }
    vec![Step::Say("I write. ".into()), Step::Want("note", r#"{"text":"mine"}"#.into()), Step::FinishWithTools]
}

/// A conversation that the team answers.
pub(crate) async fn conversation(client: &Client) -> String {
    client.start_conversation(Some(&["orchestrator"])).await
}
