//! An answer's fields in the order in which the document names them.
//!
//! The library puts fields into an answer as their resolvers end, so that the same question would look different every time.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, Selection, SelectionSet};
use async_graphql::{Name, Value};

/// Response keys with their places, and what is asked below each.
#[derive(Default)]
struct Shape<'d>(HashMap<&'d str, (usize, Shape<'d>)>);

/// Puts the data of an answer into the document's order. An answer without data has none: its document may not have been executed,
/// so nothing is known of its size, and its fragments may contain themselves.
pub(crate) fn in_order(data: &mut Value, document: &ExecutableDocument, operation: Option<&str>) {
    if *data == Value::Null {
        return;
    }
    let asked = match &document.operations {
        DocumentOperations::Single(operation) => Some(operation),
        DocumentOperations::Multiple(operations) => operation.and_then(|name| operations.get(name)),
    };
    let Some(asked) = asked else { return };
    let mut shape = Shape::default();
    shape.add(&asked.node.selection_set.node, document, &mut HashSet::new());
    shape.sort(data);
}

impl<'d> Shape<'d> {
    /// `seen`: fragments that were spread at this place before; a second time they add nothing.
    fn add(&mut self, set: &'d SelectionSet, document: &'d ExecutableDocument, seen: &mut HashSet<&'d Name>) {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let place = self.0.len();
                    let key = field.node.response_key().node.as_str();
                    let (_, below) = self.0.entry(key).or_insert_with(|| (place, Shape::default()));
                    below.add(&field.node.selection_set.node, document, &mut HashSet::new());
                }
                Selection::InlineFragment(fragment) => self.add(&fragment.node.selection_set.node, document, seen),
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    let fragment = document.fragments.get(name).filter(|_| seen.insert(name));
                    if let Some(fragment) = fragment {
                        self.add(&fragment.node.selection_set.node, document, seen);
                    }
                }
            }
        }
    }

    fn sort(&self, value: &mut Value) {
        match value {
            Value::List(items) if !self.0.is_empty() => items.iter_mut().for_each(|item| self.sort(item)),
            Value::Object(fields) if !self.0.is_empty() => {
                fields.sort_by_cached_key(|name, _| self.0.get(name.as_str()).map_or(usize::MAX, |(place, _)| *place));
                for (name, value) in fields.iter_mut() {
                    if let Some((_, below)) = self.0.get(name.as_str()) {
                        below.sort(value);
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_come_as_the_document_names_them() {
        let document = parse_query(
            "query A { b { x ...F y } ... on Query { a: c } b { z } } query B { a } fragment F on T { w ...G } fragment G on T { v }",
        )
        .expect("a document");
        let scrambled = json!({ "a": { "kept": 1, "as": 2 }, "b": [{ "z": 1, "y": 2, "w": 3, "x": 4, "v": 5 }] });
        let mut data = Value::from_json(scrambled).expect("a value");
        in_order(&mut data, &document, Some("A"));
        let text = serde_json::to_string(&data).expect("JSON");
        assert_eq!(text, r#"{"b":[{"x":4,"w":3,"v":5,"y":2,"z":1}],"a":{"as":2,"kept":1}}"#);
    }

    #[test]
    fn a_document_that_was_refused_is_left_alone() {
        let document = parse_query("{ a { ...F } } fragment F on T { b { ...F } }").expect("a document");
        let mut data = Value::Null;
        in_order(&mut data, &document, None);
        assert_eq!(data, Value::Null);
    }
}
