//! How large a document is once its fragments are put in. The library walks each of them wherever it is spread, before it counts
//! anything: thirty small ones that spread each other twice would keep a thread busy for ever.

use std::collections::HashMap;

use async_graphql::Request;
use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};

/// Selections of a document at most, and how deep they may stand in each other; the schema's own limits are narrower.
const MOST: usize = 50_000;
const DEEPEST: usize = 40;

/// Whether a document is larger than any that would be executed.
pub(super) fn is_too_large(request: &mut Request) -> bool {
    let Ok(document) = request.parsed_query() else { return false };
    let mut weigher = Weigher { document, known: HashMap::new() };
    document.operations.iter().any(|(_, operation)| weigher.set(&operation.node.selection_set.node, 0) > MOST)
}

struct Weigher<'d> {
    document: &'d ExecutableDocument,
    /// Fragments by name; one that is being weighed counts nothing, so that one which contains itself ends.
    known: HashMap<&'d str, usize>,
}

impl<'d> Weigher<'d> {
    fn set(&mut self, set: &'d SelectionSet, depth: usize) -> usize {
        if depth > DEEPEST {
            return usize::MAX;
        }
        let mut weight = 0_usize;
        for selection in &set.items {
            let below = match &selection.node {
                Selection::Field(field) => self.set(&field.node.selection_set.node, depth + 1),
                Selection::InlineFragment(fragment) => self.set(&fragment.node.selection_set.node, depth + 1),
                Selection::FragmentSpread(spread) => self.fragment(spread.node.fragment_name.node.as_str(), depth + 1),
            };
            weight = weight.saturating_add(1).saturating_add(below);
        }
        weight
    }

    fn fragment(&mut self, name: &'d str, depth: usize) -> usize {
        if let Some(weight) = self.known.get(name) {
            return *weight;
        }
        let document = self.document;
        let Some(fragment) = document.fragments.get(name) else { return 0 };
        self.known.insert(name, 0);
        let weight = self.set(&fragment.node.selection_set.node, depth);
        self.known.insert(name, weight);
        weight
    }
}
