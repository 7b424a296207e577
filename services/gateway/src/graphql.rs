//! The GraphQL schema. Names here are a promise to clients: fields may be added, nothing renamed, removed or made stricter.
//!
//! * `query`, `mutation`, `subscription`: the roots
//! * `conversation`, `message`, `turn`, `run`, `tool_call`, `agent`: what they answer with; `node`, `connection`: Relay's ways to it
//! * `inputs`, `payload`, `decided`, `stopping`, `approval`: a mutation's two ends
//! * `updates`: what a subscription delivers
//! * `scalars`, `enums`, `spent`, `plan`, `texts`: what all of these share

mod agent;
mod approval;
mod connection;
mod conversation;
mod decided;
mod enums;
mod inputs;
mod message;
mod mutation;
mod node;
mod order;
mod payload;
mod plan;
mod query;
mod run;
mod scalars;
mod spent;
mod stopping;
mod subscription;
mod texts;
mod tool_call;
mod turn;
mod updates;

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, ID, SDLExportOptions, SchemaBuilder};
use commands::Commands;
use events::{ConversationId, Sequence};
use keyring::Keyring;
use projections::ReadModel;

use crate::auth::Principal;
use crate::error::Refusal;
use crate::live::Live;
use crate::{ArgumentCheck, Error};

use mutation::Mutation;
use query::Query;
use subscription::Subscription;

pub(crate) use order::in_order;
pub(crate) use subscription::Resume;

/// How deep a document may be; the usual introspection query needs 15.
const DEPTH: usize = 15;
/// What a document may cost: a field costs 1, a list its rows times what a row costs.
const COMPLEXITY: usize = 50_000;
const DIRECTIVES: usize = 50;
/// How long a reader waits for the read model to see what they know of.
const PATIENCE: Duration = Duration::from_secs(5);

/// What resolvers answer: its error is masked and coded.
pub(crate) type Answer<T> = std::result::Result<T, Refusal>;

/// What resolvers can reach, beside the request's `Option<Principal>`.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) commands: Commands,
    pub(crate) keyring: Keyring,
    pub(crate) read_model: ReadModel,
    pub(crate) live: Live,
    pub(crate) currency: Arc<str>,
    pub(crate) check_arguments: ArgumentCheck,
}

pub(crate) type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

fn builder() -> SchemaBuilder<Query, Mutation, Subscription> {
    async_graphql::Schema::build(Query, Mutation, Subscription)
        .limit_depth(DEPTH)
        .limit_complexity(COMPLEXITY)
        .limit_directives(DIRECTIVES)
}

/// The schema with its services, ready to execute.
pub(crate) fn schema(services: Services, introspection: bool) -> Schema {
    let builder = builder().data(services);
    if introspection { builder } else { builder.disable_introspection().disable_suggestions() }.finish()
}

/// The schema in GraphQL's own language, as `schema.graphql` holds it.
#[must_use]
pub fn sdl() -> String {
    builder().finish().sdl_with_options(SDLExportOptions::new().include_specified_by().use_space_ident())
}

/// The services of the schema.
pub(crate) fn services<'c>(context: &Context<'c>) -> Answer<&'c Services> {
    context.data::<Services>().map_err(|_| Error::Broken("a schema without services".into()).into())
}

/// Who asks; an error where the request had no token.
pub(crate) fn caller<'c>(context: &Context<'c>) -> Answer<&'c Principal> {
    let principal = context.data_opt::<Option<Principal>>().and_then(Option::as_ref);
    principal.ok_or_else(|| Error::Unauthenticated("sign in first: Authorization: Bearer, a space, a token").into())
}

/// Waits until the read model has seen an event of a conversation.
async fn settle(services: &Services, conversation: ConversationId, sequence: Sequence) -> Answer<()> {
    if sequence == 0 || services.read_model.wait_for(conversation, sequence, PATIENCE).await? {
        return Ok(());
    }
    Err(Error::Timeout.into())
}

fn id(id: impl std::fmt::Display) -> ID {
    ID(id.to_string())
}
