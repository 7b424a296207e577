//! The executable: command line, settings, roles, telemetry, shutdown. What the roles do is in the other crates.

mod banner;
mod cli;
mod config;
mod exclusive;
mod failure;
mod node;
mod own_secrets;
mod roles;
mod serve;
mod supervisor;
mod telemetry;
mod traces;
mod verbs;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use cli::{Cli, ConfigVerb, Verb};
use config::{Config, Layers, Sources};
use failure::{Failure, Outcome};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => match cli::complaint(&error) {
            Some(complaint) => return Failure::usage(complaint).report(),
            None => error.exit(),
        },
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(cli: Cli) -> Outcome<()> {
    let verb = cli.command.unwrap_or(Verb::Serve);
    // What needs no settings works also where they are wrong.
    match verb {
        Verb::Schema { kind } => return verbs::schema::run(kind),
        Verb::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "loquent", &mut std::io::stdout());
            return Ok(());
        }
        _ => {}
    }
    let (config, layers) = settings(&cli.flags)?;
    match verb {
        Verb::Config { verb: ConfigVerb::Print(arguments) } => {
            return verbs::settings::run(&config, &layers, arguments.output);
        }
        Verb::Token(arguments) => return verbs::token::run(&config, &arguments),
        _ => {}
    }
    telemetry::start_logs(&config.telemetry)?;
    let traces = matches!(verb, Verb::Serve).then(traces::start);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        match verb {
            Verb::Migrate => verbs::migrate::run(&config).await,
            Verb::Topics { verb } => verbs::topics::run(&config, &verb).await,
            Verb::Rebuild(arguments) => verbs::rebuild::run(&config, &arguments).await,
            Verb::Context(arguments) => verbs::context::run(&config, &arguments).await,
            Verb::Doctor(arguments) => verbs::doctor::run(&config, arguments.output).await,
            Verb::Tail(arguments) => verbs::tail::run(&config, &arguments).await,
            _ => serve::run(config).await,
        }
    });
    std::thread::scope(|ending| {
        ending.spawn(|| traces.map(traces::Traces::end));
        // Not waited for: calls into a client library that waits for a broker.
        runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    });
    outcome
}

fn settings(flags: &cli::Flags) -> Outcome<(Config, Layers)> {
    // What is no text is no setting of ours.
    let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    let environment: BTreeMap<String, String> = std::env::vars_os().filter_map(text).collect();
    let variable = environment.get("LOQUENT_CONFIG").filter(|path| !path.is_empty()).map(Into::into);
    let file = config::file(flags.config.clone().or(variable).as_deref())?;
    Config::load(Sources { file, environment, flags: flags.given() })
}
