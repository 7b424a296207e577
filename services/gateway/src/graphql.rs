//! The GraphQL schema. Types mirror `contract/core.graphql`; names here are a promise to clients.

mod subscription;
mod updates;

use async_graphql::{Context, EmptyMutation, Object};
use commands::Commands;
use keyring::Keyring;
use projections::ReadModel;

use crate::Error;
use crate::auth::Principal;
use crate::error::Refusal;
use crate::live::Live;

pub(crate) use subscription::Subscription;

/// What resolvers answer: its error is masked and coded.
pub(crate) type Answer<T> = std::result::Result<T, Refusal>;

/// What resolvers can reach, beside the request's `Option<Principal>`.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) commands: Commands,
    pub(crate) keyring: Keyring,
    pub(crate) read_model: ReadModel,
    pub(crate) live: Live,
}

pub(crate) type Schema = async_graphql::Schema<Query, EmptyMutation, Subscription>;

pub(crate) struct Query;
#[Object]
impl Query {
    async fn ok(&self) -> bool {
        true
    }
}

/// The schema with its services, ready to execute.
pub(crate) fn schema(services: Services, introspection: bool) -> Schema {
    let builder = async_graphql::Schema::build(Query, EmptyMutation, Subscription).data(services);
    if introspection { builder } else { builder.disable_introspection() }.finish()
}

/// The schema in GraphQL's own language, as `schema.graphql` holds it.
#[must_use]
pub fn sdl() -> String {
    async_graphql::Schema::build(Query, EmptyMutation, Subscription).finish().sdl()
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
