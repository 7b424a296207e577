use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;

fn sources(file: &str, environment: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Sources {
    let environment = environment.iter().map(|(name, text)| ((*name).into(), (*text).into()));
    Sources {
        file: (!file.is_empty()).then(|| (PathBuf::from("loquent.toml"), file.to_owned())),
        environment: environment.collect::<BTreeMap<_, _>>(),
        flags: flags.iter().map(|(key, text)| (*key, (*text).to_owned())).collect(),
    }
}

fn config(file: &str, environment: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Outcome<Config> {
    Config::load(sources(file, environment, flags)).map(|(config, _)| config)
}

fn refusal(file: &str, environment: &[(&str, &str)], flags: &[(&'static str, &str)]) -> String {
    match config(file, environment, flags).and_then(|config| config.check_form()) {
        Err(Failure::Usage(message)) => message,
        other => panic!("should be refused as wrong usage: {other:?}"),
    }
}

#[test]
fn flags_win_over_the_environment_which_wins_over_the_file() {
    let file = "listen = \"127.0.0.1:1\"\nmodel = \"offline\"\nlease = \"3s\"";
    let environment = [("LOQUENT_LISTEN", "127.0.0.1:2"), ("LOQUENT_LEASE", "4s")];
    let config = config(file, &environment, &[("listen", "127.0.0.1:3")]).expect("settings");
    assert_eq!(config.server.listen, "127.0.0.1:3");
    assert_eq!(config.agents.lease, Duration::from_secs(4));
    assert_eq!(config.store.url(), "sqlite://.loquent/loquent.db");
}

#[test]
fn our_own_name_wins_over_its_alias() {
    let both = [("PORT", "99"), ("LOQUENT_LISTEN", "127.0.0.1:1")];
    assert_eq!(config("", &both, &[]).expect("settings").server.listen, "127.0.0.1:1");
    let alias =
        [("PORT", "99"), ("DATABASE_URL", "postgres://h/d"), ("JWT_SECRET", "0123456789abcdef0123456789abcdef")];
    let config = config("", &alias, &[]).expect("settings");
    assert_eq!(config.server.listen, "0.0.0.0:99");
    assert_eq!(config.store, Store::Postgres("postgres://h/d".into()));
    assert_eq!(config.tokens.secret.expect("secret").expose(), "0123456789abcdef0123456789abcdef");
}

#[test]
fn what_kubernetes_sets_is_passed_over() {
    let environment = [
        ("LOQUENT_PORT", "tcp://10.0.0.1:8080"),
        ("LOQUENT_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("LOQUENT_SERVICE_HOST", "10.0.0.1"),
        ("LOQUENT_GATEWAY_SERVICE_PORT_HTTP", "80"),
        ("LOQUENT_GATEWAY_PORT_80_TCP", "tcp://10.0.0.1:80"),
    ];
    assert_eq!(config("", &environment, &[]).expect("settings").server.listen, "127.0.0.1:8080");
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest_one() {
    assert!(refusal("lisen = \"a\"", &[], &[]).ends_with("unknown key lisen; the nearest is listen"));
    assert!(refusal("[timeouts]\nfirst = \"1s\"", &[], &[]).contains("the nearest is timeouts.first_token"));
    assert!(refusal("[agents.a]\ninstruction = \"x\"", &[], &[]).contains("the nearest is instructions"));
    assert!(refusal("", &[("LOQUENT_LISTN", "x")], &[]).ends_with("the nearest is LOQUENT_LISTEN"));
    assert!(refusal("", &[("LOQUENT_ROLES", "gatway")], &[]).contains("the nearest is gateway"));
}

#[test]
fn a_wrong_value_is_refused_by_the_name_it_was_given_under() {
    assert!(refusal("", &[("PORT", "http")], &[]).starts_with("PORT: "));
    assert!(refusal("", &[], &[("lease", "10")]).starts_with("--lease: "));
    assert!(refusal("partitions = 0", &[], &[]).starts_with("partitions: "));
    assert!(refusal("", &[("LOQUENT_JWT_SECRET", "short")], &[]).contains("at least 32 bytes"));
}

#[test]
fn backends_and_roles_that_do_not_go_together_are_refused_with_the_reason() {
    assert!(refusal("", &[], &[("roles", "gateway")]).contains("must have all roles"));
    assert!(refusal("", &[], &[("log", "kafka://127.0.0.1:9092")]).contains("needs a PostgreSQL store"));
    assert!(refusal("", &[], &[("log", "kafka://nowhere")]).starts_with("--log: "));
    assert!(refusal("", &[], &[("store", "mysql://me:pw@h/d")]).starts_with("--store: "));
}

#[test]
fn no_secret_is_in_what_is_printed() {
    let planted = "planted-secret-planted-secret-planted";
    let environment = [("JWT_SECRET", planted), ("OPENAI_API_KEY", planted), ("LOQUENT_MASTER_KEY", planted)];
    let config = config("", &environment, &[]).expect("settings");
    assert!(!format!("{config:?}").contains("planted"));
}

#[test]
fn a_secret_may_stand_in_a_file() {
    let file = std::env::temp_dir().join(format!("loquent-secret-{}", std::process::id()));
    std::fs::write(&file, "0123456789abcdef0123456789abcdef\n").expect("write");
    let path = file.display().to_string();
    let config = config("", &[("LOQUENT_JWT_SECRET_FILE", &path)], &[]).expect("settings");
    assert_eq!(config.tokens.secret.expect("secret").expose(), "0123456789abcdef0123456789abcdef");
    std::fs::remove_file(&file).expect("remove");
}

#[test]
fn librdkafka_is_set_with_and_without_quotes() {
    let file = "[kafka]\n\"sasl.username\" = \"me\"\nsecurity.protocol = \"ssl\"";
    let kafka = config(file, &[], &[]).expect("settings").log.kafka;
    assert_eq!(kafka["sasl.username"], "me");
    assert_eq!(kafka["security.protocol"], "ssl");
}

#[test]
fn providers_take_their_key_from_the_variable_they_name() {
    let file = "[providers.groq]\nkind = \"openai\"\nbase_url = \"https://g.example/v1\"\nkey_env = \"GROQ_API_KEY\"";
    let providers = config(file, &[("GROQ_API_KEY", "k")], &[]).expect("settings").agents.providers;
    assert_eq!(providers["groq"].key.as_ref().map(Secret::expose), Some("k"));
    assert_eq!(providers["openai"].base_url, "https://api.openai.com/v1");
}

#[test]
fn openai_and_anthropic_need_no_kind_and_no_address() {
    let environment = [("ANTHROPIC_API_KEY", "k"), ("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")];
    let file = "[providers.openai]\nfallback = [\"anthropic/claude-sonnet-4-5\"]";
    let providers = config(file, &environment, &[]).expect("settings").agents.providers;
    assert_eq!(providers["openai"].base_url, "http://127.0.0.1:1/v1");
    assert_eq!(providers["openai"].fallback, ["anthropic/claude-sonnet-4-5"]);
    let anthropic = &providers["anthropic"];
    assert_eq!(
        (anthropic.kind, anthropic.base_url.as_str()),
        (::agents::ProviderKind::Anthropic, "https://api.anthropic.com")
    );
    assert_eq!(anthropic.key.as_ref().map(Secret::expose), Some("k"));
    let file = "[providers.anthropic]\nbase_url = \"http://elsewhere.example\"";
    assert!(config(file, &environment, &[]).expect("settings").agents.providers["anthropic"].key.is_none());
}

#[test]
fn persons_and_tenants_have_budgets_of_a_period() {
    let file = "[budgets]\nperson_cost = \"0.50\"\ntenant_tokens = 1000\nperiod = \"7d\"\nturn_tokens = 9";
    let budgets = config(file, &[], &[]).expect("settings").agents.budgets;
    assert_eq!((budgets.turn_steps, budgets.turn_tokens), (25, Some(9)));
    assert_eq!((budgets.person.cost, budgets.person.tokens), ("0.50".parse().ok(), None));
    assert_eq!((budgets.tenant.cost, budgets.tenant.tokens), (None, Some(1000)));
    assert_eq!(budgets.period, Duration::from_secs(7 * 24 * 3600));
    let with = |line: &str| refusal(&format!("[budgets]\n{line}"), &[], &[]);
    assert_eq!(with("person_costs = \"1\""), "unknown key budgets.person_costs; the nearest is person_cost");
    assert_eq!(with("tenant_cost = \"much\""), "budgets.tenant_cost: \"much\" is no amount such as \"0.15\"");
    assert_eq!(with("period = \"59s\""), "budgets.period must be at least 1m");
}

#[test]
fn a_provider_has_its_own_patience_where_it_says_so() {
    let file = "[timeouts]\nidle = \"7s\"\n[providers.slow]\nkind = \"anthropic\"\nbase_url = \"http://slow.example\"\n\
                max_output_tokens = 100\nline_limit = 2048\ntimeouts = { first_token = \"5m\" }\nbreaker = { failures = 2 }";
    let agents = config(file, &[("LOQUENT_BREAKER_OPEN", "9s")], &[]).expect("settings").agents;
    let slow = &agents.providers["slow"];
    assert_eq!((slow.timeouts.first_token, slow.timeouts.idle), (Duration::from_secs(300), Duration::from_secs(7)));
    assert_eq!((slow.breaker.failures, slow.breaker.open), (2, Duration::from_secs(9)));
    assert_eq!((slow.max_output_tokens, slow.line_limit), (100, 2048));
    assert_eq!(agents.providers["openai"].timeouts.first_token, agents.timeouts.first_token);
}

#[test]
fn a_model_for_titles_is_set_in_its_table_or_not_at_all() {
    let title_model =
        |file: &str, environment: &[(&str, &str)]| config(file, environment, &[]).expect("settings").agents.title_model;
    assert_eq!(title_model("", &[]), None);
    assert_eq!(title_model("[titles]\nmodel = \"\"", &[]), None);
    let file = "[titles]\nmodel = \"openai/gpt-4o-mini\"";
    assert_eq!(title_model(file, &[]).as_deref(), Some("openai/gpt-4o-mini"));
    assert_eq!(title_model(file, &[("LOQUENT_TITLES_MODEL", "offline")]).as_deref(), Some("offline"));
    assert!(refusal("[titles]\nmodle = \"offline\"", &[], &[]).contains("the nearest is titles.model"));
}

#[test]
fn a_provider_s_unknown_or_malformed_keys_are_refused() {
    let with = |line: &str| {
        refusal(&format!("[providers.groq]\nkind = \"openai\"\nbase_url = \"http://x\"\n{line}"), &[], &[])
    };
    assert_eq!(with("fallbak = []"), "unknown key providers.groq.fallbak; the nearest is fallback");
    assert_eq!(
        with("timeouts = { firsttoken = \"1s\" }"),
        "unknown key providers.groq.timeouts.firsttoken; the nearest is first_token"
    );
    assert_eq!(with("fallback = \"a/b\""), "providers.groq.fallback must be a list of texts");
    assert!(with("line_limit = 1").starts_with("providers.groq.line_limit is wrong: "));
    let kind = refusal("[providers.groq]\nkind = \"cohere\"\nbase_url = \"http://x\"", &[], &[]);
    assert_eq!(kind, "providers.groq.kind: the kinds are openai and anthropic");
    assert_eq!(refusal("[providers.groq]\nkind = \"openai\"", &[], &[]), "providers.groq needs base_url");
}
