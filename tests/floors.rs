//! The crates lie on floors: who may know whom, and where each heavy library lives. Cargo's own metadata is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Which of our crates a crate may use.
const EDGES: [(&str, &[&str]); 10] = [
    (
        "loquent",
        &["gateway", "projections", "agents", "event-log", "commands", "event-store", "keyring", "database", "events"],
    ),
    ("gateway", &["commands", "projections", "event-log", "event-store", "keyring", "events"]),
    ("projections", &["event-log", "event-store", "database", "events"]),
    ("agents", &["commands", "event-log", "event-store", "keyring", "database", "events"]),
    ("event-log", &["event-store", "events"]),
    ("commands", &["event-store", "keyring", "events"]),
    ("event-store", &["database", "events"]),
    ("keyring", &["database", "events"]),
    ("database", &[]),
    ("events", &[]),
];

/// The one home of each heavy library.
const HOMES: [(&str, &str); 11] = [
    ("rdkafka", "event-log"),
    ("axum", "gateway"),
    ("async-graphql", "gateway"),
    ("jsonwebtoken", "gateway"),
    ("reqwest", "agents"),
    ("clap", "loquent"),
    ("tracing-subscriber", "loquent"),
    ("opentelemetry_sdk", "loquent"),
    ("opentelemetry-otlp", "loquent"),
    ("postgres-es", "event-store"),
    ("sqlite-es", "event-store"),
];

/// Our crates' dependencies that end up in the product.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["metadata", "--format-version=1", "--no-deps", "--offline"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let metadata = command.output().expect("cargo metadata");
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("JSON");
    let names = |package: &Value| {
        let all = package["dependencies"].as_array().expect("dependencies").iter();
        let product = all.filter(|dependency| dependency["kind"] != "dev");
        product.filter_map(|dependency| dependency["name"].as_str()).map(str::to_owned).collect()
    };
    let packages = metadata["packages"].as_array().expect("packages").iter();
    packages.filter_map(|package| Some((package["name"].as_str()?.to_owned(), names(package)))).collect()
}

#[test]
fn no_crate_knows_another_but_those_of_the_floors_below() {
    let allowed: BTreeMap<&str, &[&str]> = EDGES.into_iter().collect();
    let all = dependencies();
    let ours: BTreeSet<&str> = all.keys().map(String::as_str).filter(|name| *name != "tests").collect();
    assert_eq!(ours, allowed.keys().copied().collect(), "a crate is missing here or there");
    for (name, dependencies) in &all {
        let Some(allowed) = allowed.get(name.as_str()) else { continue };
        let used = dependencies.iter().map(String::as_str).filter(|dependency| ours.contains(dependency));
        let wrong: Vec<_> = used.filter(|dependency| !allowed.contains(dependency)).collect();
        assert!(wrong.is_empty(), "{name} must not know {wrong:?}");
    }
}

#[test]
fn each_heavy_library_has_one_home() {
    for (name, dependencies) in dependencies() {
        for (library, home) in HOMES {
            let fits = name == "tests" || name == home || !dependencies.contains(library);
            assert!(fits, "{library} lives in {home}; {name} uses it");
        }
    }
}
