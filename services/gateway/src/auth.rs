//! Who is asking: HS256 tokens, checked by hand where the library is lenient.

use chrono::{DateTime, Utc};
use events::PersonId;
use http::{HeaderMap, header};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use keyring::Keyring;
use serde_json::{Map, Value};

use crate::{Error, Result};

/// Issuer of persons whose tokens name none that we check.
const OWN_ISSUER: &str = "loquent";
/// The tenant of tokens that name none.
const DEFAULT_TENANT: &str = "default";
const LEEWAY_SECONDS: u64 = 60;
const NAME_LIMIT: usize = 255;
/// The role of who administers a tenant.
const ADMIN: &str = "admin";
/// The shortest secret that is taken, in bytes.
pub const SECRET_BYTES: usize = 32;

/// Which tokens are believed.
#[derive(Clone)]
pub struct Settings {
    /// Shared secret of HS256, at least [`SECRET_BYTES`] long; its UTF-8 bytes are the key.
    pub secret: String,
    /// The `iss` that a token must have; unchecked if absent.
    pub issuer: Option<String>,
    /// The `aud` that a token must have; unchecked if absent.
    pub audience: Option<String>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

/// Somebody with a token that is believed.
#[derive(Clone, Debug)]
pub struct Principal {
    /// Whose data they can reach at all.
    pub tenant: String,
    /// The pseudonym.
    pub person: PersonId,
    /// `sub`, or `user_id` where there is none.
    pub subject: String,
    /// Who vouches for the subject.
    pub issuer: String,
    /// `roles`.
    pub roles: Vec<String>,
    /// `name`, for show.
    pub name: Option<String>,
    /// When the token ends; live connections end with it.
    pub expires_at: DateTime<Utc>,
}

impl Principal {
    /// Whether they administer their tenant.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.roles.iter().any(|role| role == ADMIN)
    }
}

/// Tells a believed token from a false one.
#[derive(Clone)]
pub struct Authenticator {
    key: DecodingKey,
    validation: Validation,
    issuer: String,
    keyring: Keyring,
}

impl Authenticator {
    /// # Errors
    /// The secret is too short.
    pub fn new(settings: &Settings, keyring: Keyring) -> Result<Self> {
        if settings.secret.len() < SECRET_BYTES {
            return Err(Error::Invalid(format!("the token secret must have at least {SECRET_BYTES} bytes")));
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.validate_aud = settings.audience.is_some();
        let mut required = vec!["exp"];
        if let Some(issuer) = &settings.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        if let Some(audience) = &settings.audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        let issuer = settings.issuer.clone().unwrap_or_else(|| OWN_ISSUER.into());
        Ok(Self { key: DecodingKey::from_secret(settings.secret.as_bytes()), validation, issuer, keyring })
    }

    /// The person behind a token; a new subject becomes a person here.
    ///
    /// # Errors
    /// Unauthenticated; or the store of persons failed.
    pub async fn authenticate(&self, token: &str) -> Result<Principal> {
        let token = jsonwebtoken::decode::<Map<String, Value>>(token, &self.key, &self.validation);
        let claims = token.map_err(|error| refusal(&error))?.claims;
        let claims = Claims::read(&claims).ok_or(Error::Unauthenticated("the token has a claim of a wrong form"))?;
        let Claims { tenant, subject, name, roles, expires_at } = claims;
        let person = self.keyring.person(&tenant, &self.issuer, &subject).await?;
        Ok(Principal { tenant, person, subject, issuer: self.issuer.clone(), roles, name, expires_at })
    }

    /// The person behind `Authorization: Bearer …`; `None` without that header.
    ///
    /// # Errors
    /// As [`authenticate`](Self::authenticate); also for another scheme.
    pub async fn by_header(&self, headers: &HeaderMap) -> Result<Option<Principal>> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let alone = values.next().is_none();
        let token = value.to_str().ok().and_then(bearer).filter(|_| alone);
        let token =
            token.ok_or(Error::Unauthenticated("the Authorization header must be: Bearer, a space, a token"))?;
        self.authenticate(token).await.map(Some)
    }
}

/// The token in `Bearer …`, as headers and `connection_init` payloads have it.
#[must_use]
pub fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim()).filter(|token| !token.is_empty())
}

/// A token for `loquent token` and for the banner.
///
/// # Errors
/// The library cannot sign.
pub fn issue(secret: &str, subject: &str, tenant: &str, lifetime: std::time::Duration) -> Result<String> {
    let now = Utc::now().timestamp();
    let lifetime = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
    let claims =
        serde_json::json!({ "sub": subject, "tenant": tenant, "iat": now, "exp": now.saturating_add(lifetime) });
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)
        .map_err(|error| Error::Broken(error.to_string()))
}

struct Claims {
    tenant: String,
    subject: String,
    name: Option<String>,
    roles: Vec<String>,
    expires_at: DateTime<Utc>,
}

impl Claims {
    /// `None` where a claim that we read has another type than it must, instead of passing over it.
    fn read(claims: &Map<String, Value>) -> Option<Self> {
        if claims.get("nbf").is_some_and(|nbf| !nbf.is_number()) {
            return None;
        }
        let text = |name: &str| match claims.get(name) {
            None => Some(None),
            Some(Value::String(text)) => Some(Some(text.clone())),
            Some(_) => None,
        };
        let subject = match text("sub")? {
            Some(subject) => subject,
            None => text("user_id")??,
        };
        let tenant = text("tenant")?.unwrap_or_else(|| DEFAULT_TENANT.into());
        if !is_name(&subject) || !is_name(&tenant) {
            return None;
        }
        let roles = match claims.get("roles") {
            None => Vec::new(),
            Some(roles) => serde_json::from_value(roles.clone()).ok()?,
        };
        #[expect(clippy::cast_possible_truncation, reason = "saturates, and is checked by from_timestamp")]
        let seconds = claims.get("exp")?.as_f64()? as i64;
        let expires_at = DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
        Some(Self { tenant, subject, name: text("name")?, roles, expires_at })
    }
}

/// Names go into headers of the log and rows of both databases, so they are short and hold no control characters.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME_LIMIT && !text.chars().any(char::is_control)
}

fn refusal(error: &jsonwebtoken::errors::Error) -> Error {
    use jsonwebtoken::errors::ErrorKind;
    Error::Unauthenticated(match error.kind() {
        ErrorKind::ExpiredSignature => "the token has expired",
        ErrorKind::ImmatureSignature => "the token is not valid yet",
        ErrorKind::InvalidIssuer | ErrorKind::InvalidAudience => "the token was made by or for somebody else",
        ErrorKind::MissingRequiredClaim(_) => "the token lacks a required claim",
        _ => "the token is not valid",
    })
}
