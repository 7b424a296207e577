mod built_in;
mod declared;
mod egress;
mod redirects;
mod server;

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::settings::Secret;

const CALL: Call<'static> = Call { tenant: "default", id: "call_01" };

/// Settings under which this machine alone may be reached.
fn local() -> ToolSettings {
    ToolSettings { allow: vec!["127.0.0.1/32".into()], ..ToolSettings::default() }
}

fn declared(method: &str, url: &str) -> HttpTool {
    HttpTool {
        description: "For tests".into(),
        method: method.into(),
        url: url.into(),
        parameters: json!({ "type": "object" }),
        headers: Vec::new(),
        effect: None,
        idempotent: None,
        rules: Rules { timeout: Some(Duration::from_secs(5)), ..Rules::default() },
    }
}

fn bearer(token: &str) -> Header {
    let value = Secret::new(format!("Bearer {token}"));
    Header { name: "Authorization".into(), value, secrets: vec![Secret::new(token)] }
}

fn with(tool: HttpTool) -> ToolSettings {
    let mut settings = local();
    settings.http.insert("tool".into(), tool);
    settings
}

fn refusal(settings: &ToolSettings) -> String {
    Tools::new(settings).err().expect("refused").to_string()
}

async fn run(tools: &Tools, name: &str, arguments: Value) -> Outcome {
    tools.run(tools.get(name).expect("tool"), CALL, &arguments).await
}

/// What a tool that the settings declare answers.
async fn call(tool: HttpTool, arguments: Value) -> Outcome {
    run(&Tools::new(&with(tool)).expect("tools"), "tool", arguments).await
}

fn result(outcome: Outcome) -> Value {
    match outcome {
        Outcome::Done { result, .. } => result,
        other => panic!("should be done: {other:?}"),
    }
}

fn failure(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed(why) => why,
        other => panic!("should have failed: {other:?}"),
    }
}
