//! The schema against its committed file and against what clients were promised.

use std::collections::BTreeMap;
use std::path::Path;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    FieldDefinition, InputValueDefinition, TypeDefinition, TypeKind, TypeSystemDefinition,
};

/// What clients were promised; later files extend what earlier ones say.
const CONTRACT: [&str; 2] = [include_str!("contract/core.graphql"), include_str!("contract/agents.graphql")];
/// What an extension says of a kind.
const EXTENDED: &str = "extended";

/// What a type offers: `name` of a field or enum value, `field(argument)` of an argument, each with its type.
type Offers = BTreeMap<String, String>;

fn types(sdl: &str) -> BTreeMap<String, (String, Offers)> {
    let document = parse_schema(sdl).expect("a schema");
    let definitions = document.definitions.into_iter().filter_map(|definition| match definition {
        TypeSystemDefinition::Type(definition) => Some(definition.node),
        _ => None,
    });
    let of = |definition: TypeDefinition| {
        let (kind, offers) = offers(definition.kind);
        let kind = if definition.extend { EXTENDED.to_owned() } else { kind };
        (definition.name.node.to_string(), (kind, offers))
    };
    definitions.map(of).collect()
}

fn offers(kind: TypeKind) -> (String, Offers) {
    match kind {
        TypeKind::Scalar => ("scalar".into(), Offers::new()),
        TypeKind::Object(object) => {
            let names: Vec<_> = object.implements.iter().map(|name| name.node.to_string()).collect();
            (format!("type {names:?}"), fields(object.fields.iter().map(|field| &field.node)))
        }
        TypeKind::Interface(interface) => {
            ("interface".into(), fields(interface.fields.iter().map(|field| &field.node)))
        }
        TypeKind::Union(_) => ("union".into(), Offers::new()),
        TypeKind::Enum(values) => {
            let values = values.values.iter().map(|value| (value.node.value.node.to_string(), String::new()));
            ("enum".into(), values.collect())
        }
        TypeKind::InputObject(input) => {
            let fields = input.fields.iter().map(|field| (field.node.name.node.to_string(), value(&field.node)));
            ("input".into(), fields.collect())
        }
    }
}

fn fields<'f>(fields: impl Iterator<Item = &'f FieldDefinition>) -> Offers {
    let mut offers = Offers::new();
    for field in fields {
        for argument in &field.arguments {
            offers.insert(format!("{}({})", field.name.node, argument.node.name.node), value(&argument.node));
        }
        offers.insert(field.name.node.to_string(), field.ty.node.to_string());
    }
    offers
}

fn value(argument: &InputValueDefinition) -> String {
    let default = argument.default_value.as_ref().map(|default| format!(" = {}", default.node)).unwrap_or_default();
    format!("{}{default}", argument.ty.node)
}

#[test]
fn everything_that_was_promised_is_there() {
    let ours = types(&gateway::sdl());
    let mut missing = Vec::new();
    for (name, (kind, offers)) in &CONTRACT.into_iter().flat_map(types).collect::<Vec<_>>() {
        let Some((our_kind, our_offers)) = ours.get(name) else {
            missing.push(name.clone());
            continue;
        };
        if our_kind != kind && kind != EXTENDED {
            missing.push(format!("{name}: {kind}, not {our_kind}"));
        }
        for (offer, promise) in offers {
            if our_offers.get(offer) != Some(promise) {
                missing.push(format!("{name}.{offer}: {promise:?}, not {:?}", our_offers.get(offer)));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn an_input_that_was_promised_asks_for_nothing_more() {
    let ours = types(&gateway::sdl());
    let mut promised: BTreeMap<String, Offers> = BTreeMap::new();
    for (name, (_, offers)) in CONTRACT.into_iter().flat_map(types) {
        promised.entry(name).or_default().extend(offers);
    }
    for (name, promise) in &promised {
        let (kind, ours) = &ours[name];
        for (offer, kind_of) in ours {
            let required = kind_of.ends_with('!') && (kind == "input" || offer.contains('('));
            assert!(!required || promise.contains_key(offer), "{name}.{offer} was not asked for before");
        }
    }
}

/// `UPDATE_SCHEMA=1 cargo test -p gateway --test schema` writes the file anew.
#[test]
fn the_committed_schema_is_the_code_s() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema.graphql");
    let sdl = gateway::sdl();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&file, &sdl).expect("schema.graphql can be written");
    }
    let committed = std::fs::read_to_string(&file).expect("schema.graphql");
    assert!(committed == sdl, "schema.graphql is not what the code says: run with UPDATE_SCHEMA=1");
}
