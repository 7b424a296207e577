//! `loquent token`.

use serde_json::json;

use super::print;
use crate::cli::{Output, TokenArgs};
use crate::config::Config;
use crate::failure::Outcome;
use crate::node;

/// Prints a token for a person.
///
/// # Errors
/// There is no secret to sign with.
pub(crate) fn run(config: &Config, arguments: &TokenArgs) -> Outcome<()> {
    let (secret, _) = node::jwt_secret(config)?;
    let TokenArgs { sub, tenant, ttl, output } = arguments;
    let token = gateway::auth::issue(secret.expose(), sub, tenant, *ttl)?;
    match output.output {
        Output::Text => print(token),
        Output::Json => print(json!({ "token": token, "sub": sub, "tenant": tenant, "expires_in": ttl.as_secs() })),
    }
}
