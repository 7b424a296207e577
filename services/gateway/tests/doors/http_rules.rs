//! GraphQL over HTTP: who may send what, and in which form it is answered.

use axum::body::{Body, to_bytes};
use axum::response::Response;
use http::request::Builder;
use http::{Request, StatusCode, header};
use serde_json::json;

use crate::stand::{Stand, body};

const JSON: &str = "application/json; charset=utf-8";
const GRAPHQL: &str = "application/graphql-response+json; charset=utf-8";

fn post() -> Builder {
    Request::post("/graphql").header(header::CONTENT_TYPE, "application/json")
}

async fn send(stand: &Stand, request: Builder, body: impl Into<Body>) -> Response {
    stand.send(request.body(body.into()).expect("a request")).await
}

#[tokio::test]
async fn the_form_of_the_answer_is_negotiated() {
    let stand = Stand::start().await;
    let query = json!({ "query": "{ __typename }" }).to_string();
    let cases = [
        (None, StatusCode::OK, JSON),
        (Some("*/*"), StatusCode::OK, JSON),
        (Some("application/graphql-response+json"), StatusCode::OK, GRAPHQL),
        (Some("application/json"), StatusCode::OK, JSON),
        (Some("text/html"), StatusCode::NOT_ACCEPTABLE, JSON),
    ];
    for (accept, status, form) in cases {
        let request = accept.into_iter().fold(post(), |request, accept| request.header(header::ACCEPT, accept));
        let response = send(&stand, request, query.clone()).await;
        assert_eq!(
            (response.status(), &response.headers()[header::CONTENT_TYPE]),
            (status, &form.parse().expect("text"))
        );
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    }
}

#[tokio::test]
async fn a_request_error_has_no_data_and_its_status_follows_the_form() {
    let stand = Stand::start().await;
    for query in [
        "{",
        "{ nothing }",
        "query ($x: Int!) { __typename }",
        "subscription { conversationUpdates(conversationId: \"x\") { cursor } }",
    ] {
        for (form, status) in
            [("application/json", StatusCode::OK), ("application/graphql-response+json", StatusCode::BAD_REQUEST)]
        {
            let response =
                send(&stand, post().header(header::ACCEPT, form), json!({ "query": query }).to_string()).await;
            assert_eq!(response.status(), status, "{query}");
            let answer = body(response).await;
            assert!(answer.get("data").is_none(), "{answer}");
            assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{answer}");
        }
    }
    let response = send(
        &stand,
        post().header(header::ACCEPT, "application/graphql-response+json"),
        json!({ "query": "{ viewer { id } }" }).to_string(),
    )
    .await;
    assert_eq!(response.status(), StatusCode::OK, "a field's error is an answer");
}

#[tokio::test]
async fn only_json_is_read_and_nothing_over_a_mebibyte() {
    let stand = Stand::start().await;
    let query = json!({ "query": "{ __typename }" }).to_string();
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let request = Request::post("/graphql").header(header::CONTENT_TYPE, content_type);
        assert_eq!(send(&stand, request, query.clone()).await.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    assert_eq!(
        send(&stand, Request::post("/graphql"), query.clone()).await.status(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    for wrong in [
        "",
        "{",
        "7",
        "[{\"query\":\"{ __typename }\"}]",
        "{}",
        "{\"query\":7}",
        "{\"query\":\"{ __typename }\",\"variables\":[]}",
        "{\"query\":\"{ __typename }\",\"operationName\":7}",
        "{\"query\":\"{ __typename }\",\"extensions\":1}",
    ] {
        let response = send(&stand, post(), wrong).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{wrong}");
        assert_eq!(body(response).await["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    }
    let large = format!("{query}{}", " ".repeat(1 << 20));
    assert_eq!(send(&stand, post(), large.clone()).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let announced = post().header(header::CONTENT_LENGTH, "1048577");
    assert_eq!(send(&stand, announced, query).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let chunks = futures::stream::iter(
        large.into_bytes().chunks(1 << 16).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>(),
    );
    assert_eq!(send(&stand, post(), Body::from_stream(chunks)).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn get_asks_and_never_changes() {
    let stand = Stand::start().await;
    let get = async |query: &str| {
        let path = format!("/graphql?{query}");
        stand.send(Request::get(path).body(Body::empty()).expect("a request")).await
    };
    let response = get(
        "query=query%20A%20%7B__typename%7D%20query%20B%20%7B%20x:%20__typename%20%7D&operationName=A&variables=%7B%7D",
    )
    .await;
    assert_eq!(
        (response.status(), body(response).await),
        (StatusCode::OK, json!({ "data": { "__typename": "Query" } }))
    );
    for query in [
        "query=mutation%20%7B__typename%7D",
        "query=mutation%20A%20%7B__typename%7D%20query%20B%20%7B__typename%7D&operationName=A",
    ] {
        let response = get(query).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[header::ALLOW], "POST");
    }
    let response = send(&stand, Request::put("/graphql"), "").await;
    assert_eq!(
        (response.status(), &response.headers()[header::ALLOW]),
        (StatusCode::METHOD_NOT_ALLOWED, &"GET, POST".parse().expect("text"))
    );
}

#[tokio::test]
async fn a_request_has_an_id_and_keeps_the_caller_s_trace() {
    let stand = Stand::start().await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let response =
        send(&stand, post().header("traceparent", trace), json!({ "query": "{ __typename }" }).to_string()).await;
    assert_eq!(response.headers()["x-request-id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    let made = stand.get("/livez").await;
    assert_eq!(made.headers()["x-request-id"].len(), 32);
}

#[tokio::test]
async fn the_usual_introspection_query_passes_and_can_be_switched_off() {
    let query = json!({ "query": INTROSPECTION }).to_string();
    let stand = Stand::start().await;
    let answer = body(send(&stand, post(), query.clone()).await).await;
    assert!(answer.get("errors").is_none() && answer["data"]["__schema"]["types"].is_array(), "{:?}", answer["errors"]);
    let settings = gateway::Settings { introspection: false, ..gateway::Settings::new(crate::stand::SECRET) };
    let stand = Stand::with(settings).await;
    let answer = send(&stand, post(), query).await;
    let bytes = to_bytes(answer.into_body(), usize::MAX).await.expect("a body");
    assert!(!String::from_utf8_lossy(&bytes).contains("startConversation"));
}

const INTROSPECTION: &str = "query IntrospectionQuery { __schema { queryType { name kind } mutationType { name kind } \
    subscriptionType { name kind } types { ...FullType } directives { name description locations args { ...InputValue } } } } \
    fragment FullType on __Type { kind name description fields(includeDeprecated: true) { name description args { ...InputValue } \
    type { ...TypeRef } isDeprecated deprecationReason } inputFields { ...InputValue } interfaces { ...TypeRef } \
    enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } } \
    fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue } \
    fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name \
    ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }";
