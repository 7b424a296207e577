//! Documents that were read before. Clients ask the same few again and again, and to copy one costs less than to read it.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use async_graphql::Request;
use async_graphql::parser::types::ExecutableDocument;

/// How many are known at most, and how long each of them is; with another they are all forgotten.
const MOST: usize = 128;
const LONGEST: usize = 4096;

/// Those of this process.
pub(super) static DOCUMENTS: LazyLock<Documents> = LazyLock::new(Documents::default);

#[derive(Default)]
pub(super) struct Documents(Mutex<HashMap<String, ExecutableDocument>>);

impl Documents {
    /// Gives a request its document, if that is known.
    pub(super) fn recall(&self, request: &mut Request) -> bool {
        let Some(document) = self.known().get(&request.query).cloned() else { return false };
        request.set_parsed_query(document);
        true
    }

    /// Remembers a request's document, if it can be read at all.
    pub(super) fn keep(&self, request: &mut Request) {
        if request.query.len() > LONGEST {
            return;
        }
        let Ok(document) = request.parsed_query().cloned() else { return };
        let mut known = self.known();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(request.query.clone(), document);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, ExecutableDocument>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_known_once_it_was_kept() {
        let documents = Documents::default();
        let [mut first, mut again] = ["{ first }"; 2].map(Request::new);
        assert!(!documents.recall(&mut first));
        documents.keep(&mut first);
        assert!(documents.recall(&mut again));
        assert_eq!(format!("{:?}", again.parsed_query()), format!("{:?}", first.parsed_query()));
    }

    #[test]
    fn neither_what_is_long_nor_what_cannot_be_read_is_kept() {
        let documents = Documents::default();
        for query in [format!("{{ {} }}", "a ".repeat(LONGEST)), "{ unfinished".into()] {
            documents.keep(&mut Request::new(query.clone()));
            assert!(!documents.recall(&mut Request::new(query)));
        }
    }

    #[test]
    fn only_so_many_are_known() {
        let documents = Documents::default();
        (0..3 * MOST).for_each(|number| documents.keep(&mut Request::new(format!("{{ field{number} }}"))));
        assert!((1..=MOST).contains(&documents.known().len()));
    }
}
