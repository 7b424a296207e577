//! `loquent context`: the exact request that a model saw.

use std::sync::Arc;

use agents::Asked;
use serde_json::{Value, json};

use super::print;
use crate::cli::{ContextArgs, Output};
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::node::{self, Node};

/// Prints the request's body; whether it is the one that was recorded goes to stderr, or beside it.
///
/// # Errors
/// There is no such call; what it asked was erased; or what comes out is not what was recorded.
pub(crate) async fn run(config: &Config, arguments: &ContextArgs) -> Outcome<()> {
    let asked = match (arguments.id.parse(), arguments.id.parse()) {
        (Ok(call), _) => Asked::Call(call),
        (_, Ok(run)) => Asked::Run(run),
        _ => return Err(Failure::usage("name a model call (call_…) or a run (run_…)")),
    };
    let node = Node::open(config).await?;
    let keyring = node::keyring(config, &node.database).await?;
    let commands = node::commands(&node, &keyring, &Arc::new(node::catalog(config)?));
    let settings = node::agent_settings(config, &node);
    let exact = agents::exact_request(settings, node.database, node.store, node.log, keyring, commands, asked).await?;
    let body = String::from_utf8_lossy(&exact.request);
    match arguments.output.output {
        Output::Text => print(&body)?,
        Output::Json => {
            let request: Value = serde_json::from_slice(&exact.request).unwrap_or_default();
            print(json!({
                "conversation": exact.conversation,
                "call": exact.call,
                "model": exact.model,
                "matches": exact.matches,
                "request": request,
            }))?;
        }
    }
    if exact.matches {
        return Ok(());
    }
    Err(Failure::failed("this is not the request that was recorded: the digests differ"))
}
