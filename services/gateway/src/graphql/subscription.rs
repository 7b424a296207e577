//! The subscription root.

use async_graphql::Subscription;
use futures::Stream;

/// The subscription root.
#[derive(Default)]
pub(crate) struct Subscription;

#[Subscription]
impl Subscription {
    async fn stub(&self) -> impl Stream<Item = bool> {
        futures::stream::empty()
    }
}
