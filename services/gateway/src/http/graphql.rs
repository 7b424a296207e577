//! GraphQL over HTTP, as `auditServer` of npm's graphql-http checks it.

use std::sync::Arc;

use async_graphql::parser::types::{DocumentOperations, OperationType};
use async_graphql::{PathSegment, Request, Response as Answer, ServerError, Value};
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{State, WebSocketUpgrade};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, header, request::Parts};

use super::body::{self, Malformed};
use super::headers::{IdempotencyHeader, text};
use super::negotiate::{Form, choose};
use super::observe::Trace;
use super::{sse, ws};
use crate::Error;
use crate::gateway::App;
use crate::graphql::in_order;

/// `/graphql`: one operation by POST or GET, as JSON or as an event stream; an upgrade becomes a socket.
pub(super) async fn graphql(
    State(app): State<Arc<App>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: axum::extract::Request,
) -> Response {
    let (parts, body) = request.into_parts();
    if let Ok(upgrade) = upgrade {
        return ws::upgrade(State(app), parts.headers, upgrade).await;
    }
    let Some(form) = choose(text(&parts.headers, header::ACCEPT).as_deref()) else {
        let message = "this path answers application/graphql-response+json, application/json or text/event-stream";
        return refuse(Form::Json, StatusCode::NOT_ACCEPTABLE, "BAD_USER_INPUT", message);
    };
    let request = match parts.method {
        Method::GET => body::of_get(parts.uri.query()),
        Method::POST => body::of_post(&parts.headers, body).await,
        _ => {
            return allow(
                "GET, POST",
                refuse(form, StatusCode::METHOD_NOT_ALLOWED, "BAD_USER_INPUT", "send GET or POST"),
            );
        }
    };
    match request {
        Ok(request) => answer(app, form, &parts, request).await,
        Err(Malformed { status, message }) => refuse(form, status, "BAD_USER_INPUT", message),
    }
}

/// A request that is well-formed as far as HTTP can tell.
async fn answer(app: Arc<App>, form: Form, parts: &Parts, mut request: Request) -> Response {
    if parts.method == Method::GET && operation(&mut request) == Some(OperationType::Mutation) {
        let response = refuse(form, StatusCode::METHOD_NOT_ALLOWED, "BAD_USER_INPUT", "send mutations by POST");
        return allow("POST", response);
    }
    let principal = match app.authenticator.by_header(&parts.headers).await {
        Ok(principal) => principal,
        Err(error) => return failed(form, &error),
    };
    let trace = parts.extensions.get::<Trace>().cloned().unwrap_or_default();
    let request = request.data(principal).data(IdempotencyHeader::of(&parts.headers)).data(trace);
    if form == Form::Events {
        return sse::respond(app, &parts.headers, request).await;
    }
    let mut answer = execute(&app, request).await;
    code_errors(&mut answer.errors);
    respond(form, &answer)
}

async fn execute(app: &App, mut request: Request) -> Answer {
    let document = request.parsed_query().ok().cloned();
    let operation = request.operation_name.clone();
    let mut answer = app.schema.execute(request).await;
    if let Some(document) = &document {
        in_order(&mut answer.data, document, operation.as_deref());
    }
    answer
}

/// The type of the operation that would run; `None` where that cannot be told, which executing it explains.
pub(super) fn operation(request: &mut Request) -> Option<OperationType> {
    let name = request.operation_name.clone();
    match &request.parsed_query().ok()?.operations {
        DocumentOperations::Single(operation) => Some(operation.node.ty),
        DocumentOperations::Multiple(operations) => {
            let operation = operations.get(name?.as_str())?;
            Some(operation.node.ty)
        }
    }
}

/// Errors of the library itself (syntax, validation, coercion) have no code yet: all are the caller's.
pub(crate) fn code_errors(errors: &mut [ServerError]) {
    for error in errors {
        let extensions = error.extensions.get_or_insert_default();
        let code = match extensions.get("code") {
            Some(Value::String(code)) => code.clone(),
            _ => {
                extensions.set("code", "BAD_USER_INPUT");
                "BAD_USER_INPUT".to_owned()
            }
        };
        metrics::counter!("loquent_graphql_errors_total", "code" => code).increment(1);
    }
}

/// Nothing ran: there is no data, and no error belongs to a field.
pub(super) fn is_request_error(answer: &Answer) -> bool {
    let nowhere = |path: &[PathSegment]| path.is_empty();
    answer.data == Value::Null && !answer.errors.is_empty() && answer.errors.iter().all(|error| nowhere(&error.path))
}

fn respond(form: Form, answer: &Answer) -> Response {
    if !is_request_error(answer) {
        return json(form, StatusCode::OK, answer);
    }
    let status = if form == Form::Json { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    json(form, status, &serde_json::json!({ "errors": answer.errors }))
}

fn failed(form: Form, error: &Error) -> Response {
    refuse(form, error.status(), error.code(), &error.public_message())
}

/// A GraphQL answer to what never became a GraphQL request.
fn refuse(form: Form, status: StatusCode, code: &str, message: &str) -> Response {
    let form = if form == Form::Events { Form::Json } else { form };
    let mut response =
        json(form, status, &serde_json::json!({ "errors": [{ "message": message, "extensions": { "code": code } }] }));
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

fn json(form: Form, status: StatusCode, body: &impl serde::Serialize) -> Response {
    let headers = [(header::CONTENT_TYPE, form.content_type()), (header::CACHE_CONTROL, "no-store")];
    match serde_json::to_vec(body) {
        Ok(bytes) => (status, headers, bytes).into_response(),
        Err(error) => Error::Broken(error.to_string()).into_response(),
    }
}

fn allow(methods: &'static str, mut response: Response) -> Response {
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    response
}
