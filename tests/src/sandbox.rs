//! A store, a log and a data directory of a test's own, and the processes on them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use sqlx::{Connection, Executor, PgConnection};
use tempfile::TempDir;
use tokio::process::Command;

use crate::binary;
use crate::client::Client;
use crate::process::Process;

/// Signs the tokens of all tests.
pub const JWT_SECRET: &str = "only the tests know this secret, and nobody else";
/// Wraps the keys of all tests.
const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The two ways to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One process, SQLite, a log in the process.
    Embedded,
    /// A process per role, PostgreSQL, Kafka.
    Scaled,
}

impl Form {
    /// The forms that this machine can run: the scaled one where `TEST_DATABASE_URL` and `TEST_KAFKA_BROKERS` are set.
    #[must_use]
    pub fn at_hand() -> Vec<Self> {
        let services = services().is_some();
        let wanted = std::env::var("TEST_FORM").unwrap_or_default();
        let forms = [(Self::Embedded, true), (Self::Scaled, services)];
        let chosen =
            forms.into_iter().filter(|(form, possible)| *possible && (wanted.is_empty() || form.name() == wanted));
        chosen.map(|(form, _)| form).collect()
    }

    fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Scaled => "scaled",
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The database server and the brokers, if both are there.
#[must_use]
pub fn services() -> Option<(String, String)> {
    Some((std::env::var("TEST_DATABASE_URL").ok()?, std::env::var("TEST_KAFKA_BROKERS").ok()?))
}

/// A part of the work that a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The doors.
    Gateway,
    /// Turns, models and tools.
    Agents,
    /// Leads turns from step to step.
    Turns,
    /// Asks models.
    Models,
    /// Runs tools.
    Tools,
    /// Read models.
    Projections,
    /// Store to log.
    Relay,
}

impl Role {
    /// Together they do everything.
    pub const ALL: [Self; 4] = [Self::Gateway, Self::Agents, Self::Projections, Self::Relay];

    fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Agents => "agents",
            Self::Turns => "turns",
            Self::Models => "models",
            Self::Tools => "tools",
            Self::Projections => "projections",
            Self::Relay => "relay",
        }
    }
}

/// The settings under which processes are started; each test has its own store, topics and folder.
pub struct Sandbox {
    /// How it runs.
    pub form: Form,
    folder: TempDir,
    store: String,
    log: String,
    /// Begins the names of this test's topics.
    pub topic_prefix: String,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
}

impl Sandbox {
    /// A fresh place.
    ///
    /// # Panics
    /// The database cannot be made.
    pub async fn new(form: Form) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let name = format!("loquent_{:016x}", rand::random::<u64>());
        let (store, log) = match form {
            Form::Embedded => (format!("sqlite://{}", folder.path().join("loquent.db").display()), "embedded:".into()),
            Form::Scaled => {
                let (server, brokers) = services().expect("TEST_DATABASE_URL and TEST_KAFKA_BROKERS");
                (fresh_database(&server, &name).await, format!("kafka://{brokers}"))
            }
        };
        let environment = BTreeMap::from([
            ("LOQUENT_JWT_SECRET".to_owned(), JWT_SECRET.to_owned()),
            ("LOQUENT_MASTER_KEY".to_owned(), MASTER_KEY.to_owned()),
            ("RUST_LOG".to_owned(), std::env::var("TEST_LOG").unwrap_or_else(|_| "warn".into())),
        ]);
        let sandbox =
            Self { form, folder, store, log, topic_prefix: format!("{name}."), arguments: Vec::new(), environment };
        if form == Form::Scaled {
            let migrated = sandbox.command("migrate", &[]).output().await.expect("loquent migrate");
            assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        }
        sandbox
    }

    /// Adds an environment variable for all processes.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Adds a flag for all processes.
    #[must_use]
    pub fn flag(mut self, flag: impl Into<String>) -> Self {
        self.arguments.push(flag.into());
        self
    }

    /// Writes the file of settings.
    ///
    /// # Panics
    /// It cannot be written.
    #[must_use]
    pub fn settings(self, toml: &str) -> Self {
        std::fs::write(self.folder.path().join("loquent.toml"), toml).expect("a file written");
        self
    }

    /// Answers come from this OpenAI-compatible server.
    #[must_use]
    pub fn model(self, base_url: &str) -> Self {
        let sandbox = self.flag("--model=openai/scripted");
        sandbox.with("OPENAI_BASE_URL", base_url).with("OPENAI_API_KEY", "test")
    }

    /// The log is in the one process, also where the store is PostgreSQL.
    #[must_use]
    pub fn embedded_log(mut self) -> Self {
        self.log = "embedded:".into();
        self
    }

    /// Where the store is.
    #[must_use]
    pub fn store(&self) -> &str {
        &self.store
    }

    /// A command of the executable in this place, without the variables of the test's own environment.
    #[must_use]
    pub fn command(&self, verb: &str, more: &[&str]) -> Command {
        let mut command = Command::new(binary::path());
        let inherited = std::env::vars().filter(|(name, _)| {
            let is_ours = ["LOQUENT_", "OPENAI_", "OTEL_"].iter().any(|prefix| name.starts_with(prefix));
            !is_ours && name != "PORT" && name != "DATABASE_URL"
        });
        command.env_clear().envs(inherited).envs(&self.environment).current_dir(self.folder.path());
        command.arg(verb).args(more).args(&self.arguments);
        command.args(["--store", &self.store, "--log", &self.log, "--topic-prefix", &self.topic_prefix]);
        command.arg("--data-dir").arg(self.folder.path());
        command
    }

    /// A process with these roles; all of them on the embedded form.
    pub async fn start(&self, roles: &[Role]) -> Process {
        Process::start(self.serve(roles)).await
    }

    /// The command of [`start`](Self::start).
    #[must_use]
    pub fn serve(&self, roles: &[Role]) -> Command {
        let names: Vec<_> = roles.iter().map(|role| role.name()).collect();
        let mut command = self.command("serve", &["--listen=127.0.0.1:0"]);
        if self.form == Form::Scaled {
            command.args(["--roles", &names.join(",")]);
        }
        command
    }

    /// One process on the embedded form; two of every role on the scaled one.
    pub async fn cluster(self) -> Cluster {
        let layout = Role::ALL.into_iter().flat_map(|role| [((role, 0), vec![role]), ((role, 1), vec![role])]);
        self.processes(layout.collect()).await
    }

    /// One process on the embedded form; on the scaled one two gateways, two of each agents' role, and one for all the rest.
    pub async fn split_cluster(self) -> Cluster {
        let pairs = [Role::Gateway, Role::Turns, Role::Models, Role::Tools];
        let layout = pairs.into_iter().flat_map(|role| [((role, 0), vec![role]), ((role, 1), vec![role])]);
        let rest = ((Role::Projections, 0), vec![Role::Projections, Role::Relay]);
        self.processes(layout.chain([rest]).collect()).await
    }

    async fn processes(self, mut layout: BTreeMap<Place, Vec<Role>>) -> Cluster {
        if self.form == Form::Embedded {
            layout = BTreeMap::from([((Role::Gateway, 0), Role::ALL.to_vec())]);
        }
        let starting = layout.iter().map(async |(place, roles)| (*place, self.start(roles).await));
        let processes = futures::future::join_all(starting).await.into_iter().collect();
        Cluster { sandbox: self, layout, processes }
    }
}

/// A role, and which of its processes.
type Place = (Role, usize);

async fn fresh_database(server: &str, name: &str) -> String {
    let mut connection = PgConnection::connect(server).await.expect("TEST_DATABASE_URL");
    connection.execute(format!("create database {name}").as_str()).await.expect("create database");
    let (address, _) = server.rsplit_once('/').expect("postgres://…/database");
    format!("{address}/{name}")
}

/// The processes of a test.
pub struct Cluster {
    /// The place they share.
    pub sandbox: Sandbox,
    layout: BTreeMap<Place, Vec<Role>>,
    processes: BTreeMap<Place, Process>,
}

impl Cluster {
    /// On the embedded form every role is the one process.
    fn place(&self, role: Role, index: usize) -> Place {
        match self.sandbox.form {
            Form::Embedded => (Role::Gateway, 0),
            Form::Scaled => (role, index),
        }
    }

    /// A process.
    ///
    /// # Panics
    /// It is not running.
    #[must_use]
    pub fn process(&self, role: Role, index: usize) -> &Process {
        &self.processes[&self.place(role, index)]
    }

    /// A person's client at one of the gateways.
    #[must_use]
    pub fn client(&self, person: &str, gateway: usize) -> Client {
        Client::new(&self.process(Role::Gateway, gateway).address, person)
    }

    /// `kill -9` on one process; on the embedded form that is all of it.
    pub async fn kill(&mut self, role: Role, index: usize) {
        let place = self.place(role, index);
        if let Some(process) = self.processes.remove(&place) {
            process.kill().await;
        }
    }

    /// SIGTERM on one process.
    ///
    /// # Panics
    /// It does not end with exit code 0 within `limit`.
    pub async fn terminate(&mut self, role: Role, index: usize, limit: Duration) {
        let place = self.place(role, index);
        let process = self.processes.remove(&place).expect("a running process");
        let ended = process.terminate(limit).await;
        assert_eq!(ended.and_then(|status| status.code()), Some(0), "exit of {place:?}");
    }

    /// Starts a process in the place of one that is gone.
    pub async fn start(&mut self, role: Role, index: usize) {
        let place = self.place(role, index);
        let process = self.sandbox.start(&self.layout[&place]).await;
        self.processes.insert(place, process);
    }
}
