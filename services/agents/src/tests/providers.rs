//! Whole runs where providers fail: asked again, another one in their place, or left alone.

use std::collections::BTreeMap;
use std::time::Duration;

use rust_decimal::Decimal;

use super::{completed, embedded, ended, failed, settings};
use crate::scripted::voice::{KINDS, begin, error, finish, goodbye, text};
use crate::scripted::{Act, Scripted, head, sse};
use crate::{BreakerSettings, Budgets, Price, Prices, Provider, ProviderKind, Settings};

fn well(kind: ProviderKind, said: &str) -> Vec<Act> {
    vec![sse(), begin(kind), text(kind, said), finish(kind, "stop"), goodbye(kind)]
}

fn refusing(status: &str) -> Vec<Act> {
    vec![head(status, "retry-after: 0\r\n")]
}

/// `test` with fallbacks, and `other`, each of its kind at its address.
fn with_fallback(test: (ProviderKind, &Scripted), other: (ProviderKind, &Scripted)) -> Settings {
    let test = Provider { fallback: vec!["other/large".into()], ..Provider::new(test.0, &test.1.address) };
    let other = Provider { fallback: vec!["test/small".into()], ..Provider::new(other.0, &other.1.address) };
    Settings {
        lease: Duration::from_secs(10),
        breaker: BreakerSettings { failures: 3, open: Duration::from_secs(60) },
        providers: BTreeMap::from([("test".into(), test), ("other".into(), other)]),
        ..settings("one", "")
    }
}

#[tokio::test]
async fn a_provider_that_is_busy_or_fails_is_asked_again() {
    for kind in KINDS {
        for status in ["429 Too Many Requests", "500 Internal Server Error"] {
            let scripted = Scripted::start(vec![refusing(status), refusing(status), well(kind, "ok")]).await;
            let nobody = Scripted::start(Vec::new()).await;
            let rig = embedded("test/small").await;
            let _working = rig.work(with_fallback((kind, &scripted), (kind, &nobody)));
            let id = rig.send(None, "Hi").await.loaded.id;
            let records = rig.wait(id, |events| ended(events) == 1).await;
            let end = completed(&records).remove(0);
            assert_eq!(rig.open(id, end.message, "text", &end.text).await, "ok");
            assert_eq!((scripted.requests().len(), nobody.requests().len()), (3, 0));
            assert_eq!(end.spent.usage.map(|usage| (usage.input_tokens, usage.output_tokens)), Some((9, 5)));
        }
    }
}

#[tokio::test]
async fn another_provider_stands_in_and_is_asked_in_its_own_words() {
    for (kind, other) in [KINDS, [KINDS[1], KINDS[0]]].map(<(_, _)>::from) {
        let busy = (0..3).map(|_| refusing("429 Too Many Requests")).collect();
        let (busy, well) = (Scripted::start(busy).await, Scripted::start(vec![well(other, "ok")]).await);
        let rig = embedded("test/small").await;
        let _working = rig.work(with_fallback((kind, &busy), (other, &well)));
        let id = rig.send(None, "Hi").await.loaded.id;
        let records = rig.wait(id, |events| ended(events) == 1).await;
        let end = completed(&records).remove(0);
        assert_eq!(rig.open(id, end.message, "text", &end.text).await, "ok");
        assert_eq!((busy.requests().len(), well.requests().len()), (3, 1));
        assert!(well.requests()[0].contains(r#""model":"large""#), "{}", well.requests()[0]);
    }
}

#[tokio::test]
async fn a_failed_call_costs_what_its_own_model_does() {
    let kind = KINDS[0];
    let broken = Scripted::start((0..3).map(|_| vec![sse(), begin(kind)]).collect()).await;
    let nobody = Scripted::start(Vec::new()).await;
    let rig = embedded("test/small").await;
    let one = Decimal::ONE;
    let price = Price { input: one, output: one, cached: one, per: 1_000_000 };
    let prices = Prices { currency: "USD".into(), models: BTreeMap::from([("test/small".into(), price)]) };
    let budgets = Budgets { turn_cost: Some(one), ..Budgets::default() };
    let _working = rig.work(Settings { prices, budgets, ..with_fallback((kind, &broken), (kind, &nobody)) });
    let id = rig.send(None, "Hi").await.loaded.id;
    let records = rig.wait(id, |events| ended(events) == 1).await;
    // The fallback has no price, so it is not asked.
    assert_eq!((broken.requests().len(), nobody.requests().len()), (3, 0));
    let end = failed(&records).remove(0);
    assert!(end.spent.cost.is_some() && !end.spent.unpriced, "{:?}", end.spent);
}

#[tokio::test]
async fn who_has_begun_to_speak_is_not_replaced() {
    for kind in KINDS {
        let broken = vec![sse(), begin(kind), text(kind, "part"), error(kind, "overloaded_error", "Overloaded")];
        let (broken, nobody) = (Scripted::start(vec![broken]).await, Scripted::start(Vec::new()).await);
        let rig = embedded("test/small").await;
        let _working = rig.work(with_fallback((kind, &broken), (kind, &nobody)));
        let id = rig.send(None, "Hi").await.loaded.id;
        let records = rig.wait(id, |events| ended(events) == 1).await;
        let end = failed(&records).remove(0);
        assert_eq!(rig.open(id, end.message, "text", &end.text).await, "part");
        let reason = rig.open(id, end.message, "reason", &end.reason).await;
        assert_eq!(reason, "the model's server reported an error: Overloaded");
        assert_eq!((broken.requests().len(), nobody.requests().len()), (1, 0));
    }
}

#[tokio::test]
async fn a_provider_whose_breaker_is_open_is_passed_over() {
    for kind in KINDS {
        let down = (0..3).map(|_| refusing("503 Service Unavailable")).collect();
        let answers = (0..2).map(|_| well(kind, "ok")).collect();
        let (down, well) = (Scripted::start(down).await, Scripted::start(answers).await);
        let rig = embedded("test/small").await;
        let _working = rig.work(with_fallback((kind, &down), (kind, &well)));
        for answered in 1..=2 {
            let id = rig.send(None, "Hi").await.loaded.id;
            let records = rig.wait(id, |events| ended(events) == 1).await;
            assert_eq!(completed(&records).len(), 1);
            assert_eq!((down.requests().len(), well.requests().len()), (3, answered));
        }
    }
}
