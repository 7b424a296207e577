//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::duration;

/// An event-sourced backend for conversations with AI agents.
///
/// Without a command it serves. Without settings it is a node of its own: one SQLite file, a log in the process, and the
/// offline model. Settings come from loquent.toml, then the environment (LOQUENT_LISTEN for --listen), then flags.
#[derive(Parser)]
#[command(name = "loquent", version, max_term_width = 100, disable_help_subcommand = true)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong settings or usage. Results go to stdout, logs to stderr."
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Option<Verb>,
    /// The settings that have flags.
    #[command(flatten)]
    pub(crate) flags: Flags,
}

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Run this process's roles until told to stop (the default)
    Serve,
    /// Bring the database to this build's form
    Migrate,
    /// Print a token for a person
    Token(TokenArgs),
    /// Make the log's topics, or show them
    Topics {
        /// What to do with them.
        #[command(subcommand)]
        verb: TopicsVerb,
    },
    /// Compute read models anew from the event store
    Rebuild(RebuildArgs),
    /// Follow the log
    Tail(TailArgs),
    /// Print the exact request that a model saw, checked against its digest
    Context(ContextArgs),
    /// Print a schema
    Schema {
        /// Which one
        kind: SchemaKind,
    },
    /// Show the settings
    Config {
        /// What to do with them.
        #[command(subcommand)]
        verb: ConfigVerb,
    },
    /// Look at what a start would meet, and change nothing
    Doctor(OutputArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// `loquent context`.
#[derive(Args)]
pub(crate) struct ContextArgs {
    /// A model call, or a run: its last call
    pub(crate) id: String,
    /// In which form.
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// `loquent topics`.
#[derive(Subcommand)]
pub(crate) enum TopicsVerb {
    /// Create those that are missing; existing ones stay as they are
    Ensure,
    /// Show them as the broker has them
    Describe(OutputArgs),
}

/// `loquent config`.
#[derive(Subcommand)]
pub(crate) enum ConfigVerb {
    /// Print every setting, where it comes from, and no secret
    Print(OutputArgs),
}

/// `loquent token`.
#[derive(Args)]
pub(crate) struct TokenArgs {
    /// The person: the token's `sub`
    #[arg(long)]
    pub(crate) sub: String,
    /// The tenant
    #[arg(long, default_value = "default")]
    pub(crate) tenant: String,
    /// How long the token is good for
    #[arg(long, default_value = "1h", value_parser = duration::parse)]
    pub(crate) ttl: Duration,
    /// The form of the output.
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// `loquent rebuild`.
#[derive(Args)]
pub(crate) struct RebuildArgs {
    /// conversations, messages, turns, runs, or all
    pub(crate) projection: String,
    /// The form of the output.
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// `loquent tail`.
#[derive(Args)]
pub(crate) struct TailArgs {
    /// Only this conversation
    #[arg(long, value_name = "ID")]
    pub(crate) conversation: Option<String>,
    /// beginning, now, or a cursor (which needs --conversation)
    #[arg(long, default_value = "now")]
    pub(crate) from: String,
    /// The form of the output.
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// The form of a result.
#[derive(Args, Clone, Copy)]
pub(crate) struct OutputArgs {
    /// The form of the result
    #[arg(short, long, value_enum, default_value_t = Output::Text, hide_possible_values = false)]
    pub(crate) output: Output,
}

/// The form of a result.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    Text,
    /// For programs
    Json,
}

/// A schema that can be printed.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum SchemaKind {
    /// The GraphQL schema
    Graphql,
    /// The JSON Schemas of the record and of every event
    Events,
}

/// The settings that have flags; each is also a key of `loquent.toml` and a variable.
#[derive(Args, Default)]
#[command(next_help_heading = "Settings")]
pub(crate) struct Flags {
    /// The file of settings [default: loquent.toml where it is]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where the HTTP door is; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, global = true, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Where the embedded node keeps its files [default: .loquent]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// sqlite://PATH or postgres://… [default: sqlite://<data-dir>/loquent.db]
    #[arg(long, global = true, value_name = "URL")]
    store: Option<String>,
    /// embedded: or kafka://HOST:PORT,… [default: embedded:]
    #[arg(long, global = true, value_name = "URL")]
    log: Option<String>,
    /// Begins the names of topics and consumer groups [default: loquent.]
    #[arg(long, global = true, value_name = "TEXT")]
    topic_prefix: Option<String>,
    /// Partitions of topics that are made [default: 12]
    #[arg(long, global = true, value_name = "N")]
    partitions: Option<String>,
    /// What this process does: gateway, agents, projections, relay [default: all]
    #[arg(long, global = true, value_name = "LIST")]
    roles: Option<String>,
    /// The model of agents that name none: offline or PROVIDER/MODEL [default: offline]
    #[arg(long, global = true, value_name = "MODEL")]
    model: Option<String>,
    /// How long a silent agent worker keeps its run [default: 10s]
    #[arg(long, global = true, value_name = "TIME")]
    lease: Option<String>,
    /// Answers that one process produces at once [default: 64]
    #[arg(long, global = true, value_name = "N")]
    concurrency: Option<String>,
    /// How long requests in flight may take to end after SIGTERM [default: 25s]
    #[arg(long, global = true, value_name = "TIME")]
    drain: Option<String>,
    /// pretty or json [default: pretty on a terminal, else json]
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<String>,
}

impl Flags {
    /// Those that were given, by the setting's key.
    pub(crate) fn given(&self) -> Vec<(&'static str, String)> {
        let all = [
            ("listen", &self.listen),
            ("data_dir", &self.data_dir),
            ("store", &self.store),
            ("log", &self.log),
            ("topic_prefix", &self.topic_prefix),
            ("partitions", &self.partitions),
            ("roles", &self.roles),
            ("model", &self.model),
            ("lease", &self.lease),
            ("concurrency", &self.concurrency),
            ("drain", &self.drain),
            ("log_format", &self.log_format),
        ];
        all.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))).collect()
    }
}

/// What is wrong with a command line, in one line; `None` for help and version, which are printed as they are.
pub(crate) fn complaint(error: &clap::Error) -> Option<String> {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return None;
    }
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    let suggested = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue];
    let nearest = suggested.into_iter().find_map(text);
    let wrong = text(ContextKind::InvalidArg).or_else(|| text(ContextKind::InvalidSubcommand)).unwrap_or_default();
    let value = text(ContextKind::InvalidValue);
    let what = match error.kind() {
        ErrorKind::UnknownArgument if wrong.starts_with('-') => format!("unknown flag {wrong}"),
        ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand => format!("unknown command {wrong}"),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            "a command is missing".into()
        }
        ErrorKind::MissingRequiredArgument => format!("missing {wrong}"),
        ErrorKind::InvalidValue if value.as_deref() == Some("") => format!("{wrong} needs a value"),
        _ => error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned(),
    };
    let nearest = nearest
        .or_else(|| nearest_value(error, value.as_deref()?))
        .or_else(|| nearest_flag(error.kind(), &wrong))
        .or_else(|| nearest_verb(error.kind(), &wrong));
    let nearest = nearest.map(|nearest| format!("; the nearest is {nearest}")).unwrap_or_default();
    Some(format!("{what}{nearest} (see loquent --help)"))
}

/// clap stays silent where nothing is near; we always name something.
fn nearest_flag(kind: ErrorKind, wrong: &str) -> Option<String> {
    let flag = wrong.strip_prefix("--").filter(|_| kind == ErrorKind::UnknownArgument)?;
    let flags = Flags::augment_args(clap::Command::new("flags"));
    let names: Vec<&str> = flags.get_arguments().filter_map(clap::Arg::get_long).collect();
    Some(format!("--{}", crate::config::known::nearest(flag.split('=').next()?, names)))
}

fn nearest_value(error: &clap::Error, wrong: &str) -> Option<String> {
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(known)) if !known.is_empty() => {
            Some(crate::config::known::nearest(wrong, known.iter().map(String::as_str)).to_owned())
        }
        _ => None,
    }
}

fn nearest_verb(kind: ErrorKind, wrong: &str) -> Option<String> {
    let is_verb = matches!(kind, ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand) && !wrong.starts_with('-');
    let verbs = Verb::augment_subcommands(clap::Command::new("verbs"));
    let names: Vec<&str> = verbs.get_subcommands().map(clap::Command::get_name).collect();
    is_verb.then(|| crate::config::known::nearest(wrong, names).to_owned())
}
