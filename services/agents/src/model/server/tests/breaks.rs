//! A server that fails again and again is left alone.

use super::*;
use crate::model::BreakerState;
use crate::scripted::head;

fn failing() -> Vec<Act> {
    vec![head("500 Internal Server Error", "")]
}

fn well(kind: ProviderKind) -> Vec<Act> {
    stream(kind, [text(kind, "ok"), finish(kind, "stop"), goodbye(kind)])
}

#[tokio::test]
async fn the_breaker_opens_is_probed_by_one_request_and_closes() {
    for kind in KINDS {
        let scripted = Scripted::start(vec![failing(), failing(), failing(), failing(), well(kind)]).await;
        let models = models(provider(kind, &scripted.address));
        let (model, breakers) = (models.choose("test/small").unwrap(), models.breakers());
        let other = models.choose("test/other").unwrap();
        let state = || breakers.states()[0].clone();
        for _ in 0..3 {
            assert_eq!(state(), ("test".into(), BreakerState::Closed));
            assert_eq!(ask(&model).await.class(), "server_error");
        }
        assert_eq!(state().1, BreakerState::Open);
        let failure = ask(&model).await.failure.expect("failed");
        assert_eq!((failure.class, failure.reached, failure.retry), ("breaker_open", false, None));
        assert_eq!(scripted.requests().len(), 3);
        for class in ["server_error", ""] {
            while state().1 == BreakerState::Open {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            // Two at once: one is the probe, the other is not let out.
            let (first, second) = tokio::join!(ask(&model), ask(&other));
            assert_eq!(second.class(), "breaker_open");
            match class {
                "" => assert_eq!(first.text, "ok"),
                class => assert_eq!(first.class(), class),
            }
        }
        assert_eq!((state().1, scripted.requests().len()), (BreakerState::Closed, 5));
    }
}

#[tokio::test]
async fn a_busy_server_does_not_open_it() {
    for kind in KINDS {
        let busy = || vec![head("429 Too Many Requests", "")];
        let scripted = Scripted::start((0..4).map(|_| busy()).chain([well(kind)]).collect()).await;
        let model = model(provider(kind, &scripted.address));
        for _ in 0..4 {
            assert_eq!(ask(&model).await.class(), "rate_limited");
        }
        assert_eq!(ask(&model).await.text, "ok");
    }
}

#[tokio::test]
async fn a_probe_that_is_given_up_leaves_its_place_to_the_next_request() {
    for kind in KINDS {
        let scripted = Scripted::start(vec![failing(), failing(), failing(), vec![Act::Hang], well(kind)]).await;
        let models = models(provider(kind, &scripted.address));
        let model = models.choose("test/small").unwrap();
        for _ in 0..3 {
            ask(&model).await;
        }
        while models.breakers().states()[0].1 == BreakerState::Open {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut probe = model.ask(&prompt(), model.request(&prompt()));
        while scripted.requests().len() < 4 {
            assert!(tokio::time::timeout(Duration::from_millis(5), probe.next()).await.is_err());
        }
        assert_eq!(ask(&model).await.class(), "breaker_open");
        drop(probe);
        assert_eq!(ask(&model).await.text, "ok");
    }
}
