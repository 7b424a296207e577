//! Which tokens are believed.

use axum::body::Body;
use http::{Request, StatusCode, header};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::stand::{SECRET, Stand, body};

const VIEWER: &str = "{ viewer { id tenant name } }";

fn soon() -> i64 {
    chrono::Utc::now().timestamp() + 600
}

fn signed(secret: &str, algorithm: Algorithm, claims: &Value) -> String {
    encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret.as_bytes())).expect("a token")
}

async fn ask(stand: &Stand, authorization: &str) -> (StatusCode, Value, Option<String>) {
    let request = Request::post("/graphql")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, authorization)
        .body(Body::from(json!({ "query": VIEWER }).to_string()))
        .expect("a request");
    let response = stand.send(request).await;
    let challenge =
        response.headers().get(header::WWW_AUTHENTICATE).map(|value| value.to_str().expect("text").to_owned());
    (response.status(), body(response).await, challenge)
}

#[tokio::test]
async fn a_believed_token_says_who_asks() {
    let stand = Stand::start().await;
    let cases = [
        (json!({ "sub": "alice", "exp": soon() }), json!({ "id": "alice", "tenant": "default", "name": null })),
        (
            json!({ "user_id": "bob", "tenant": "acme", "name": "Bob", "roles": ["admin"], "exp": soon() }),
            json!({ "id": "bob", "tenant": "acme", "name": "Bob" }),
        ),
        // Within the leeway of a minute.
        (json!({ "sub": "carol", "exp": soon() - 630 }), json!({ "id": "carol", "tenant": "default", "name": null })),
        (
            json!({ "sub": "dave", "exp": soon(), "nbf": soon() - 570, "iss": "x", "aud": "y" }),
            json!({ "id": "dave", "tenant": "default", "name": null }),
        ),
    ];
    for (claims, viewer) in cases {
        let (status, answer, _) = ask(&stand, &format!("Bearer {}", signed(SECRET, Algorithm::HS256, &claims))).await;
        assert_eq!((status, &answer["data"]["viewer"]), (StatusCode::OK, &viewer), "{answer}");
    }
}

#[tokio::test]
async fn a_false_token_is_401_with_a_graphql_error() {
    let stand = Stand::start().await;
    let good = json!({ "sub": "alice", "exp": soon() });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        format!("Bearer {}", signed(SECRET, Algorithm::HS256, &claims))
    };
    let long = "s".repeat(256);
    let unsigned = "Bearer eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhbGljZSIsImV4cCI6OTk5OTk5OTk5OX0.";
    let refused = [
        format!("Bearer {}", signed("another secret of at least thirty-two bytes", Algorithm::HS256, &good)),
        format!("Bearer {}", signed(SECRET, Algorithm::HS512, &good)),
        unsigned.to_owned(),
        format!("Bearer {}", signed(SECRET, Algorithm::HS256, &json!({ "sub": "alice" }))),
        format!("Bearer {}", signed(SECRET, Algorithm::HS256, &json!({ "exp": soon() }))),
        with("exp", json!(soon() - 700)),
        with("exp", json!("9999999999")),
        with("nbf", json!(soon())),
        with("nbf", json!("0")),
        with("sub", json!(7)),
        with("sub", json!("")),
        with("sub", json!(null)),
        with("sub", json!("a\0b")),
        with("sub", json!(long)),
        with("tenant", json!(["default"])),
        with("tenant", json!("")),
        with("roles", json!("admin")),
        with("name", json!({})),
        "Bearer nonsense".to_owned(),
        "Bearer".to_owned(),
        "Basic YWxpY2U6c2VjcmV0".to_owned(),
    ];
    for authorization in refused {
        let (status, answer, challenge) = ask(&stand, &authorization).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{authorization} {answer}");
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
        assert_eq!(challenge.as_deref(), Some("Bearer"));
    }
}

#[tokio::test]
async fn issuer_and_audience_count_where_they_are_configured() {
    let mut settings = gateway::Settings::new(SECRET);
    settings.auth.issuer = Some("https://id.example".into());
    settings.auth.audience = Some("loquent".into());
    let stand = Stand::with(settings).await;
    let cases = [
        (json!({ "sub": "a", "exp": soon(), "iss": "https://id.example", "aud": "loquent" }), StatusCode::OK),
        (json!({ "sub": "a", "exp": soon(), "iss": "https://id.example", "aud": ["x", "loquent"] }), StatusCode::OK),
        (json!({ "sub": "a", "exp": soon(), "aud": "loquent" }), StatusCode::UNAUTHORIZED),
        (json!({ "sub": "a", "exp": soon(), "iss": "https://id.example" }), StatusCode::UNAUTHORIZED),
        (
            json!({ "sub": "a", "exp": soon(), "iss": "https://other.example", "aud": "loquent" }),
            StatusCode::UNAUTHORIZED,
        ),
        (json!({ "sub": "a", "exp": soon(), "iss": "https://id.example", "aud": "x" }), StatusCode::UNAUTHORIZED),
    ];
    for (claims, expected) in cases {
        let token = signed(SECRET, Algorithm::HS256, &claims);
        assert_eq!(ask(&stand, &format!("Bearer {token}")).await.0, expected, "{claims}");
    }
}

#[tokio::test]
async fn without_a_token_introspection_works_and_nothing_else_does() {
    let stand = Stand::start().await;
    let nobody = stand.nobody();
    let schema = nobody.ask("{ __typename __schema { queryType { name } } }", json!({})).await;
    assert_eq!(schema["__schema"]["queryType"]["name"], "Query");
    let id = json!("conv_01h455vb4pex5vsknk084sn02q");
    for field in [
        "viewer { id }",
        "node(id: $id) { id }",
        "nodes(ids: [$id]) { id }",
        "conversation(id: $id) { id }",
        "conversations { totalCount }",
        "message(id: $id) { id }",
        "run(id: $id) { id }",
        "agents { name }",
    ] {
        let variables = if field.contains("$id") { "query ($id: ID!) " } else { "" };
        let query = format!("{variables}{{ {field} }}");
        assert_eq!(nobody.code(&query, json!({ "id": id })).await, "UNAUTHENTICATED", "{field}");
    }
    for field in [
        "startConversation(input: {}) { cursor }",
        "renameConversation(input: { conversationId: \"x\", title: \"\" }) { cursor }",
        "archiveConversation(input: { conversationId: \"x\" }) { cursor }",
        "addParticipant(input: { conversationId: \"x\", person: \"\" }) { cursor }",
        "removeParticipant(input: { conversationId: \"x\", person: \"\" }) { cursor }",
        "sendMessage(input: { text: \"\" }) { cursor }",
        "startAgent(input: { conversationId: \"x\", agent: \"\" }) { cursor }",
    ] {
        assert_eq!(nobody.code(&format!("mutation {{ {field} }}"), json!({})).await, "UNAUTHENTICATED", "{field}");
    }
}

#[test]
fn a_short_secret_is_refused_and_none_is_shown() {
    let settings = gateway::Settings::new(SECRET);
    assert!(!format!("{settings:?}").contains("thirty"));
}
