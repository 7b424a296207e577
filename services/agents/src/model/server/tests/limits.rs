//! No server takes more of our time or memory than it is given.

use super::*;

const SHORT: Duration = Duration::from_millis(300);

/// Asks a server once that plays this script, with less patience than usual.
async fn hurry(kind: ProviderKind, script: Vec<Act>, impatient: fn(Timeouts) -> Timeouts) -> Heard {
    let scripted = Scripted::start(vec![script]).await;
    let mut provider = provider(kind, &scripted.address);
    provider.timeouts = provider.timeouts.map(impatient);
    ask(&model(provider)).await
}

fn to_begin(timeouts: Timeouts) -> Timeouts {
    Timeouts { first_token: SHORT, ..timeouts }
}

fn to_go_on(timeouts: Timeouts) -> Timeouts {
    Timeouts { idle: SHORT, ..timeouts }
}

#[tokio::test]
async fn a_server_that_never_begins_is_left_after_the_first_token_s_time() {
    for kind in KINDS {
        let pings = (0..100).flat_map(|_| [ping(kind), Act::Pause(SHORT / 10)]);
        for script in [vec![Act::Hang], vec![sse(), Act::Hang], stream(kind, [Act::Hang]), stream(kind, pings)] {
            let heard = hurry(kind, script, to_begin).await;
            assert_eq!(heard.class(), "timeout_first_token", "{kind:?}");
            assert_eq!(heard.reason(), "the model did not begin to answer within 300ms");
        }
    }
}

#[tokio::test]
async fn a_server_that_falls_silent_is_left_and_the_part_that_came_stays() {
    for kind in KINDS {
        let heard = hurry(kind, stream(kind, [text(kind, "part"), Act::Hang]), to_go_on).await;
        assert_eq!((heard.text.as_str(), heard.class()), ("part", "timeout_idle"));
    }
}

#[tokio::test]
async fn signs_of_life_alone_do_not_keep_an_answer_alive() {
    for kind in KINDS {
        let pings = (0..100).flat_map(|_| [ping(kind), Act::Pause(SHORT / 10)]);
        let script = stream(kind, std::iter::once(text(kind, "part")).chain(pings));
        let heard = hurry(kind, script, to_go_on).await;
        assert_eq!((heard.text.as_str(), heard.class()), ("part", "timeout_idle"), "{kind:?}");
    }
}

#[tokio::test]
async fn an_endless_answer_is_left_after_the_whole_time() {
    for kind in KINDS {
        let endless = (0..1000).flat_map(|_| [text(kind, "x"), Act::Pause(Duration::from_millis(10))]);
        let total = |timeouts| Timeouts { total: Duration::from_secs(1), ..timeouts };
        let heard = hurry(kind, stream(kind, endless), total).await;
        assert_eq!(heard.class(), "timeout_total");
        assert!(heard.text.len() > 3);
    }
}

#[tokio::test]
async fn a_stream_that_is_read_no_more_is_closed() {
    for kind in KINDS {
        let endless = (0..100_000).map(|_| text(kind, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"));
        let (closed, mut when) = tokio::sync::oneshot::channel();
        let script = stream(kind, endless).into_iter().chain([Act::Hang]).collect();
        let scripted = Scripted::telling(script, closed).await;
        let model = model(provider(kind, &scripted.address));
        let mut said = model.ask(&prompt(), model.request(&prompt()));
        while !matches!(said.next().await, Some(Ok(Said::Piece(..)))) {}
        assert!(when.try_recv().is_err());
        drop(said);
        tokio::time::timeout(Duration::from_secs(5), when).await.expect("closed in time").unwrap();
    }
}

#[tokio::test]
async fn a_line_of_ten_megabytes_is_a_failure_that_costs_no_more_than_the_limit() {
    for kind in KINDS {
        let long = (0..160).map(|_| Act::Send(vec![b'a'; 64 << 10]));
        let script = [sse(), send("data: ")].into_iter().chain(long).collect();
        let scripted = Scripted::start(vec![script]).await;
        let provider = provider(kind, &scripted.address);
        assert_eq!(ask(&model(provider.clone())).await.class(), "too_long");
        let scripted = Scripted::start(vec![stream(kind, [text(kind, &"a".repeat(3000)), Act::Hang])]).await;
        let provider = Provider { line_limit: Some(2000), base_url: scripted.address.clone(), ..provider };
        assert_eq!(ask(&model(provider)).await.class(), "too_long");
    }
}

#[tokio::test]
async fn tools_without_end_are_a_failure() {
    for kind in KINDS {
        let many = (0..65).map(|index| call(kind, index, &format!("id{index}"), "find"));
        assert_eq!(play(kind, stream(kind, many.chain([Act::Hang]))).await.class(), "too_many_calls");
        let part = "a".repeat(64 << 10);
        let long = (0..17).map(|_| arguments(kind, 0, &part));
        let heard =
            play(kind, stream(kind, std::iter::once(call(kind, 0, "id", "find")).chain(long).chain([Act::Hang]))).await;
        assert_eq!(heard.class(), "too_long");
        assert!(heard.arguments.len() <= 1 << 20);
    }
}

#[tokio::test]
async fn a_slow_but_steady_answer_is_waited_for() {
    for kind in KINDS {
        let steady = (0..8).flat_map(|_| [Act::Pause(SHORT / 2), text(kind, "x")]);
        let script = stream(kind, steady.chain([finish(kind, "stop"), goodbye(kind)]));
        let second = |timeouts| Timeouts { idle: Duration::from_secs(1), ..timeouts };
        let heard = hurry(kind, script, second).await;
        assert_eq!((heard.text.as_str(), &heard.failure), ("xxxxxxxx", &None));
    }
}
