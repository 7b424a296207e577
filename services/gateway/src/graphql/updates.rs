//! The GraphQL types of a conversation's updates.
