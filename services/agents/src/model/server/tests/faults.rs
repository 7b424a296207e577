//! Every fault, of both protocols.

use tokio::net::TcpListener;

use super::*;
use crate::model::failure::{Blame, Retry};
use crate::scripted::head;
use crate::scripted::voice::error;

#[tokio::test]
async fn a_cut_is_a_failure_unless_the_answer_was_whole() {
    for kind in KINDS {
        let heard = play(kind, stream(kind, [text(kind, "part")])).await;
        assert_eq!((heard.text.as_str(), heard.class()), ("part", "cut"));
        assert_eq!(heard.reason(), "the model's server cut the connection");
        let heard = play(kind, stream(kind, [text(kind, "all"), finish(kind, "stop")])).await;
        assert_eq!((heard.text.as_str(), &heard.failure), ("all", &None));
        assert_eq!(heard.rest.last(), Some(&Said::Finished(FinishReason::Stop)));
    }
}

#[tokio::test]
async fn a_cut_before_the_head_may_have_been_paid_for_and_is_worth_another_attempt() {
    for kind in KINDS {
        let heard = play(kind, Vec::new()).await;
        let failure = heard.failure.expect("failed");
        assert_eq!((failure.class, failure.reached, failure.retry), ("cut", true, Some(Retry::default())));
    }
}

#[tokio::test]
async fn garbage_is_a_failure_and_never_an_answer() {
    let garbage: [&[u8]; 4] =
        [b"data: <html>\n\n", b"data: {\"choices\":\n\n", b"\xff\xfe\x00\x01\n", b"data: {\"object\":1}\n\n"];
    for kind in KINDS {
        for bytes in garbage {
            let heard = play(kind, vec![sse(), Act::Send(bytes.to_vec()), Act::Hang]).await;
            assert_eq!(heard.class(), "garbage", "{kind:?}");
        }
        assert_eq!(play(kind, vec![sse(), send("<html>hello</html>\n")]).await.class(), "cut");
        let page = vec![head("200 OK", "content-type: text/html\r\n"), send("<html>"), Act::Hang];
        assert_eq!(play(kind, page).await.class(), "garbage");
        let json = vec![head("200 OK", "content-type: application/json\r\ncontent-length: 2\r\n"), send("{}")];
        assert_eq!(play(kind, json).await.class(), "garbage");
    }
}

#[tokio::test]
async fn a_refusal_says_whether_and_when_to_ask_again() {
    let seconds = |seconds| Some(Retry { after: Some(Duration::from_secs(seconds)) });
    for (status, headers, class, blame, retry) in [
        ("429 Too Many Requests", "retry-after: 7\r\n", "rate_limited", Blame::Terms, seconds(7)),
        ("429 Too Many Requests", "retry-after: 3600\r\n", "rate_limited", Blame::Terms, None),
        ("429 Too Many Requests", "", "rate_limited", Blame::Terms, Some(Retry::default())),
        (
            "429 Too Many Requests",
            "retry-after: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
            "rate_limited",
            Blame::Terms,
            seconds(0),
        ),
        ("500 Internal Server Error", "", "server_error", Blame::Server, Some(Retry::default())),
        ("503 Service Unavailable", "retry-after: 1\r\n", "server_error", Blame::Server, seconds(1)),
        ("529 Overloaded", "", "server_error", Blame::Server, Some(Retry::default())),
        ("400 Bad Request", "", "refused", Blame::Request, None),
        ("401 Unauthorized", "", "refused", Blame::Terms, None),
        ("404 Not Found", "", "refused", Blame::Terms, None),
    ] {
        for kind in KINDS {
            let heard = play(kind, vec![head(status, headers)]).await;
            let failure = heard.failure.expect("failed");
            let seen = (failure.class, failure.blame, failure.retry, failure.reached);
            assert_eq!(seen, (class, blame, retry, true), "{kind:?} {status} {headers}");
        }
    }
}

#[tokio::test]
async fn a_server_s_own_words_are_passed_on_without_the_key() {
    for kind in KINDS {
        let said = |message: &str| send(&format!("{{\"type\":\"error\",\"error\":{{\"message\":\"{message}\"}}}}"));
        let heard = play(kind, vec![head("429 Too Many Requests", ""), said("slow down")]).await;
        assert_eq!(heard.reason(), "the model's server takes no more requests for now (HTTP 429): slow down");
        let heard = play(kind, vec![head("401 Unauthorized", ""), said("Incorrect key sk-secret")]).await;
        assert_eq!(heard.reason(), "the model's server refused our key (HTTP 401): Incorrect key …");
        let told = error(kind, "invalid_request_error", "no, sk-secret");
        let heard = play(kind, stream(kind, [text(kind, "part"), told])).await;
        assert_eq!(heard.reason(), "the model's server reported an error: no, …");
        assert!(!format!("{:?}", provider(kind, "http://127.0.0.1:1")).contains("sk-secret"));
    }
}

#[tokio::test]
async fn an_error_in_the_middle_of_a_stream_is_a_failure_and_the_part_that_came_stays() {
    for kind in KINDS {
        for (name, blame, retry) in [
            ("overloaded_error", Blame::Server, Some(Retry::default())),
            ("rate_limit_error", Blame::Terms, Some(Retry::default())),
            ("invalid_request_error", Blame::Request, None),
            ("no_idea", Blame::Terms, None),
        ] {
            let heard =
                play(kind, stream(kind, [text(kind, "part"), error(kind, name, "Overloaded"), Act::Hang])).await;
            assert_eq!(
                (heard.text.as_str(), heard.reason()),
                ("part", "the model's server reported an error: Overloaded")
            );
            let failure = heard.failure.expect("failed");
            assert_eq!((failure.class, failure.blame, failure.retry), ("reported", blame, retry), "{kind:?} {name}");
        }
    }
}

#[tokio::test]
async fn no_redirect_is_followed_with_the_key() {
    for kind in KINDS {
        for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
            let other = Scripted::start(vec![whole(kind, "stolen")]).await;
            let heard = play(kind, vec![head(status, &format!("location: {}/x\r\n", other.address))]).await;
            assert_eq!((heard.class(), heard.text.as_str()), ("refused", ""));
            assert!(other.requests().is_empty());
        }
    }
}

#[tokio::test]
async fn nobody_at_the_address_is_a_failure_of_a_request_that_never_left() {
    for kind in KINDS {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/v1", listener.local_addr().unwrap());
        drop(listener);
        let failure = ask(&model(provider(kind, &address))).await.failure.expect("failed");
        assert_eq!(failure.reason, "the model's server cannot be reached");
        assert_eq!((failure.class, failure.reached, failure.retry), ("connect", false, Some(Retry::default())));
    }
}

#[tokio::test]
async fn a_key_that_is_no_header_is_not_shown() {
    for kind in KINDS {
        let provider = Provider { api_key: Some(Secret::new("sk-se\ncret")), ..provider(kind, "http://127.0.0.1:1") };
        let heard = ask(&model(provider)).await;
        assert_eq!((heard.class(), heard.reason()), ("settings", "the key of the model's server is malformed"));
    }
}

/// A process's own environment cannot be changed safely, so another process runs a test that reaches its server only directly.
#[test]
fn no_proxy_of_the_environment_sees_the_key() {
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "model::server::tests::a_server_that_does_not_stream_is_understood"]);
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        again.env(name, "http://127.0.0.1:1");
    }
    let output = again.env_remove("no_proxy").env_remove("NO_PROXY").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
