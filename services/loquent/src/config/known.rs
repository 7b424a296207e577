//! Every setting by name: as a key of `loquent.toml`, in the environment and as a flag.

/// A setting with one value. Those of a dotted key stand in a table of the file.
pub(crate) struct Setting {
    /// The key in the file.
    pub(crate) key: &'static str,
    /// Names in the environment; the first one that is set wins.
    pub(crate) environment: &'static [&'static str],
    /// What holds where nothing is said.
    pub(crate) default: &'static str,
    /// Never shown; may be given as `<NAME>_FILE`.
    pub(crate) secret: bool,
}

const fn plain(key: &'static str, environment: &'static [&'static str], default: &'static str) -> Setting {
    Setting { key, environment, default, secret: false }
}

const fn secret(key: &'static str, environment: &'static [&'static str]) -> Setting {
    Setting { key, environment, default: "", secret: true }
}

/// All of them. A default of "" means that the setting is absent, or follows from others.
pub(crate) const SETTINGS: &[Setting] = &[
    plain("listen", &["LOQUENT_LISTEN", "PORT"], "127.0.0.1:8080"),
    plain("data_dir", &["LOQUENT_DATA_DIR"], ".loquent"),
    plain("store", &["LOQUENT_STORE", "DATABASE_URL"], ""),
    plain("log", &["LOQUENT_LOG"], "embedded:"),
    plain("topic_prefix", &["LOQUENT_TOPIC_PREFIX"], "loquent."),
    plain("partitions", &["LOQUENT_PARTITIONS"], "12"),
    plain("roles", &["LOQUENT_ROLES"], "gateway,agents,projections,relay"),
    plain("model", &["LOQUENT_MODEL"], "offline"),
    plain("lease", &["LOQUENT_LEASE"], "10s"),
    plain("concurrency", &["LOQUENT_CONCURRENCY"], "64"),
    plain("drain", &["LOQUENT_DRAIN"], "25s"),
    plain("introspection", &["LOQUENT_INTROSPECTION"], "true"),
    plain("log_format", &["LOQUENT_LOG_FORMAT"], ""),
    plain("log_filter", &["LOQUENT_LOG_FILTER", "RUST_LOG"], "info"),
    secret("jwt_secret", &["LOQUENT_JWT_SECRET", "JWT_SECRET"]),
    plain("jwt_issuer", &["LOQUENT_JWT_ISSUER"], ""),
    plain("jwt_audience", &["LOQUENT_JWT_AUDIENCE"], ""),
    secret("master_key", &["LOQUENT_MASTER_KEY"]),
    plain("openai_base_url", &["OPENAI_BASE_URL"], "https://api.openai.com/v1"),
    secret("openai_api_key", &["OPENAI_API_KEY"]),
    plain("anthropic_base_url", &["ANTHROPIC_BASE_URL"], "https://api.anthropic.com"),
    secret("anthropic_api_key", &["ANTHROPIC_API_KEY"]),
    secret("tavily_api_key", &["TAVILY_API_KEY"]),
    secret("github_token", &["GITHUB_TOKEN"]),
    plain("timeouts.connect", &["LOQUENT_TIMEOUTS_CONNECT"], "10s"),
    plain("timeouts.first_token", &["LOQUENT_TIMEOUTS_FIRST_TOKEN"], "60s"),
    plain("timeouts.idle", &["LOQUENT_TIMEOUTS_IDLE"], "60s"),
    plain("timeouts.total", &["LOQUENT_TIMEOUTS_TOTAL"], "10m"),
    plain("breaker.failures", &["LOQUENT_BREAKER_FAILURES"], "5"),
    plain("breaker.open", &["LOQUENT_BREAKER_OPEN"], "30s"),
    plain("limits.line", &["LOQUENT_LIMITS_LINE"], "1048576"),
    plain("limits.answer", &["LOQUENT_LIMITS_ANSWER"], "524288"),
    plain("limits.history", &["LOQUENT_LIMITS_HISTORY"], "262144"),
    plain("titles.model", &["LOQUENT_TITLES_MODEL"], ""),
    plain("offline.pace", &["LOQUENT_OFFLINE_PACE"], "30ms"),
];

/// Tables of the file whose keys people choose, or that are read as a whole.
pub(crate) const TABLES: &[&str] =
    &["agents", "approvals", "budgets", "egress", "kafka", "models", "prices", "providers", "tools"];

/// The setting of that key.
pub(crate) fn by_key(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// The candidate that looks most like `name`.
pub(crate) fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> &'c str {
    let likeness = |candidate: &str| strsim::jaro_winkler(&name.to_lowercase(), &candidate.to_lowercase());
    candidates.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).unwrap_or_default()
}
