//! Results of reads that are still good, in memory and for one tenant each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::sync;
use serde_json::Value;

use super::Outcome;

/// Bytes of all results together.
const SIZE: u64 = 64 << 20;

/// Cheap to clone; all clones hold the same results.
#[derive(Clone)]
pub(super) struct Cache {
    results: sync::Cache<Key, Arc<Entry>>,
}

/// What makes two calls the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    tenant: String,
    tool: String,
    arguments: String,
}

impl Key {
    /// The arguments are in canonical form.
    pub(super) fn new(tenant: &str, tool: &str, arguments: &Value) -> Self {
        Self { tenant: tenant.into(), tool: tool.into(), arguments: arguments.to_string() }
    }
}

struct Entry {
    result: Value,
    provenance: Vec<String>,
    size: u32,
    life: Duration,
}

struct Life;

impl Expiry<Key, Arc<Entry>> for Life {
    fn expire_after_create(&self, _: &Key, entry: &Arc<Entry>, _: Instant) -> Option<Duration> {
        Some(entry.life)
    }

    fn expire_after_update(&self, _: &Key, entry: &Arc<Entry>, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(entry.life)
    }
}

impl Cache {
    pub(super) fn new(size: Option<u64>) -> Self {
        let results = sync::Cache::builder()
            .max_capacity(size.unwrap_or(SIZE))
            .weigher(|_: &Key, entry: &Arc<Entry>| entry.size)
            .expire_after(Life)
            .build();
        Self { results }
    }

    pub(super) fn get(&self, key: &Key) -> Option<Outcome> {
        let entry = self.results.get(key)?;
        let (result, provenance) = (entry.result.clone(), entry.provenance.clone());
        Some(Outcome::Done { result, provenance, cached: true, artifact: None })
    }

    /// Keeps a result that came without a file.
    pub(super) fn keep(&self, key: Key, outcome: &Outcome, life: Duration) {
        let Outcome::Done { result, provenance, artifact: None, .. } = outcome else { return };
        let (result, provenance) = (result.clone(), provenance.clone());
        let places: usize = provenance.iter().map(String::len).sum();
        let size = result.to_string().len() + places + key.arguments.len() + key.tenant.len() + key.tool.len();
        let entry = Entry { result, provenance, size: u32::try_from(size).unwrap_or(u32::MAX), life };
        self.results.insert(key, Arc::new(entry));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn key(tenant: &str) -> Key {
        Key::new(tenant, "search", &json!({ "query": "x" }))
    }

    fn keep(cache: &Cache, tenant: &str, life: Duration) {
        let outcome = Outcome::done(json!("found"), vec!["https://host/".into()]);
        cache.keep(key(tenant), &outcome, life);
    }

    #[test]
    fn a_result_belongs_to_one_tenant_and_says_that_it_is_an_old_one() {
        let cache = Cache::new(None);
        keep(&cache, "a", HOUR);
        assert!(matches!(cache.get(&key("a")), Some(Outcome::Done { cached: true, .. })));
        assert_eq!(cache.get(&key("b")), None);
        assert_eq!(cache.get(&Key::new("a", "search", &json!({ "query": "y" }))), None);
    }

    #[test]
    fn a_result_is_good_for_its_time_alone() {
        let cache = Cache::new(None);
        keep(&cache, "a", Duration::from_millis(20));
        let until = Instant::now() + Duration::from_secs(10);
        while cache.get(&key("a")).is_some() {
            assert!(Instant::now() < until, "it never expires");
            std::thread::yield_now();
        }
    }

    #[test]
    fn only_results_are_kept() {
        let cache = Cache::new(None);
        cache.keep(key("a"), &Outcome::Failed("no".into()), HOUR);
        assert_eq!(cache.get(&key("a")), None);
    }

    #[test]
    fn the_oldest_results_make_room() {
        let cache = Cache::new(Some(1000));
        for n in 0..100 {
            let outcome = Outcome::done(json!("x".repeat(100)), Vec::new());
            cache.keep(Key::new("a", "search", &json!(n)), &outcome, HOUR);
        }
        cache.results.run_pending_tasks();
        assert!(cache.results.weighted_size() <= 1000);
    }
}
