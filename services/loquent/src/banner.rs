//! What `serve` says once it accepts requests.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::config::{Role, secret};
use crate::failure::Outcome;
use crate::roles::Shared;

/// How long the banner's token is good for.
const TOKEN_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The lines, ready to print.
pub(crate) struct Banner(String);

impl Banner {
    /// `own`: the node made its token secret itself, so whoever sees its terminal may use it.
    ///
    /// # Errors
    /// No token can be made.
    pub(crate) fn new(shared: &Shared, address: SocketAddr, own: bool) -> Outcome<Self> {
        let config = &shared.config;
        let base = format!("http://{}", reachable(address));
        let roles: Vec<_> = config.roles.iter().map(|role| role.name()).collect();
        let mut lines = vec![
            format!("loquent {}", env!("CARGO_PKG_VERSION")),
            String::new(),
            format!("  roles    {}", roles.join(", ")),
            format!("  store    {}", secret::without_password(&config.store.url())),
            format!("  log      {}", config.log.url),
            format!("  model    {}", config.agents.model),
        ];
        if config.roles.contains(&Role::Gateway) {
            lines.push(format!("  graphql  {base}/graphql"));
        }
        if let Some(secret) = shared.jwt_secret.as_ref().filter(|_| own) {
            let token = gateway::auth::issue(secret.expose(), "me", "default", TOKEN_LIFETIME)?;
            lines.push(format!("  page     {base}/#token={token}"));
            lines.extend([String::new(), "Send a first message by pasting this:".into(), String::new()]);
            lines.push(first_message(&base, &token));
        }
        lines.extend([String::new(), format!("ready http://{address}")]);
        Ok(Self(lines.join("\n")))
    }

    /// To stderr, at once.
    pub(crate) fn print(&self) {
        eprintln!("{}", self.0);
    }
}

/// An address that a client on this machine can use.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, v6.port()).into(),
        address => address,
    }
}

/// One line for any shell of the Bourne family: sends a message, then prints the answer's chunks as they come.
///
/// `read` takes a line as soon as it is there, which sed and awk don't do on every system. The stream stays open after the
/// answer, so curl runs beside the loop, and ends with its next write once the loop has.
fn first_message(base: &str, token: &str) -> String {
    let send = r#"{"query":"mutation { sendMessage(input: {text: \"Hello\"}) { conversation { id } } }"}"#;
    let follow = r#"{"query":"subscription { conversationUpdates(conversationId: \"'"$C"'\", after: \"0\") { ... on ChunkProduced { delta } ... on MessageCompleted { finishReason } ... on MessageFailed { reason } } }"}"#;
    let post =
        format!("curl -sN {base}/graphql -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json'");
    let show = r#"while read -r L; do case $L in *'"delta":"'*) D=${L#*'"delta":"'}; printf %b "${D%\"\}\}\}*}";; *eason*) echo; break;; esac; done"#;
    format!(
        "C=$({post} -d '{send}' | grep -o 'conv_[0-9a-z]*'); \
         {{ {post} -H 'Accept: text/event-stream' -d '{follow}' & }} | {show}"
    )
}
