//! The real binary on a real PostgreSQL and a real Apache Kafka, all on this machine.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

const SECRET: &str = "a secret that only the benchmark knows";
const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Where the services are, and the binary under test.
pub(crate) struct Setup {
    pub(crate) database: String,
    pub(crate) brokers: String,
    binary: PathBuf,
}

/// A process of ours that serves; it is killed when this is dropped.
pub(crate) struct Server {
    pub(crate) address: String,
    process: Child,
    options: Vec<String>,
}

/// The one way to make an HTTP client here.
pub(crate) struct Tally;

impl Tally {
    pub(crate) fn client() -> reqwest::Client {
        reqwest::Client::builder().pool_max_idle_per_host(256).tcp_nodelay(true).no_proxy().build().unwrap_or_default()
    }
}

impl Setup {
    /// Reads `TEST_DATABASE_URL` and `TEST_KAFKA_BROKERS`; the binary is `target/release/loquent` beside this one.
    pub(crate) fn from_environment() -> anyhow::Result<Self> {
        let binary = std::env::current_exe()?.with_file_name("loquent");
        if !binary.exists() {
            bail!("{} is missing: cargo build --release", binary.display());
        }
        Ok(Self {
            database: std::env::var("TEST_DATABASE_URL").context("TEST_DATABASE_URL")?,
            brokers: std::env::var("TEST_KAFKA_BROKERS").context("TEST_KAFKA_BROKERS")?,
            binary,
        })
    }

    /// A node of its own on a fresh, migrated database and fresh topics.
    pub(crate) async fn node(&self, roles: &[&str]) -> anyhow::Result<Server> {
        let name = format!("bench_{:08x}", rand::random::<u32>());
        let store = self.fresh_database(&name).await?;
        let options = vec![
            format!("--store={store}"),
            format!("--log=kafka://{}", self.brokers),
            format!("--topic-prefix={name}."),
        ];
        self.start(&options, roles, &[]).await
    }

    /// Another process with the same store and topics.
    pub(crate) async fn beside(&self, server: &Server, role: &str) -> anyhow::Result<Server> {
        self.start(&server.options, &[role], &[]).await
    }

    /// As [`node`](Self::node), with all roles and a model upstream.
    pub(crate) async fn node_with_model(&self, base_url: &str) -> anyhow::Result<Server> {
        let name = format!("bench_{:08x}", rand::random::<u32>());
        let store = self.fresh_database(&name).await?;
        let options = vec![
            format!("--store={store}"),
            format!("--log=kafka://{}", self.brokers),
            format!("--topic-prefix={name}."),
            "--model=openai/scripted".to_owned(),
        ];
        let environment = [("OPENAI_BASE_URL", base_url), ("OPENAI_API_KEY", "none")];
        self.start(&options, &["gateway,agents,projections,relay"], &environment).await
    }

    async fn start(&self, options: &[String], roles: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<Server> {
        let mut command = Command::new(&self.binary);
        command.args(["serve", "--listen=127.0.0.1:0", "--roles", &roles.join(",")]).args(options);
        command
            .envs(environment.iter().copied())
            .env("LOQUENT_JWT_SECRET", SECRET)
            .env("LOQUENT_MASTER_KEY", MASTER_KEY);
        command.env("RUST_LOG", "warn").stderr(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn()?;
        let stderr = process.stderr.take().context("stderr")?;
        let address = ready(stderr).await?;
        Ok(Server { address, process, options: options.to_vec() })
    }

    /// A database of that name, made anew and migrated.
    pub(crate) async fn fresh_database(&self, name: &str) -> anyhow::Result<String> {
        let mut connection = PgConnection::connect(&self.database).await?;
        connection.execute(format!("drop database if exists {name} with (force)").as_str()).await?;
        connection.execute(format!("create database {name}").as_str()).await?;
        let (server, _) = self.database.rsplit_once('/').context("TEST_DATABASE_URL has no database")?;
        let url = format!("{server}/{name}");
        let status =
            Command::new(&self.binary).args(["migrate", "--store", &url]).env("RUST_LOG", "warn").status().await?;
        anyhow::ensure!(status.success(), "loquent migrate failed");
        Ok(url)
    }

    /// Runs a command of the binary to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let status =
            Command::new(&self.binary).args(arguments).env("RUST_LOG", "warn").stdout(Stdio::null()).status().await?;
        anyhow::ensure!(status.success(), "loquent {arguments:?} failed");
        Ok(())
    }
}

impl Server {
    /// This benchmark's own server that only holds connections, as a process of its own.
    pub(crate) async fn bare() -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut process = command.arg("bare").stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdout = process.stdout.take().context("stdout")?;
        Ok(Self { address: ready(stdout).await?, process, options: Vec::new() })
    }

    pub(crate) fn process(&self) -> u32 {
        self.process.id().unwrap_or_default()
    }
}

/// Waits for the line `ready http://…` and reads on, so that the process never waits for us.
async fn ready(output: impl AsyncRead + Unpin + Send + 'static) -> anyhow::Result<String> {
    let mut lines = BufReader::new(output).lines();
    let waiting = async {
        while let Some(line) = lines.next_line().await? {
            if let Some(address) = line.strip_prefix("ready ") {
                return anyhow::Ok(address.to_owned());
            }
            eprintln!("    {line}");
        }
        bail!("the process ended before it was ready")
    };
    let address =
        tokio::time::timeout(Duration::from_secs(60), waiting).await.context("not ready within a minute")??;
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok(address)
}

/// A token of the benchmark's own person.
pub(crate) fn token() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = json!({ "sub": "bench", "exp": now + 86_400 });
    jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap_or_default()
}

/// One GraphQL request over HTTP.
pub(crate) async fn graphql(
    client: &reqwest::Client,
    address: &str,
    query: &str,
    variables: Value,
) -> anyhow::Result<Value> {
    static TOKEN: std::sync::LazyLock<String> = std::sync::LazyLock::new(token);
    let body = json!({ "query": query, "variables": variables });
    let request = client.post(format!("{address}/graphql")).bearer_auth(&*TOKEN).json(&body);
    Ok(request.send().await?.json().await?)
}

impl Setup {
    /// The machine, and the database's settings without which the figures say nothing.
    pub(crate) async fn description(&self) -> anyhow::Result<Value> {
        let mut connection = PgConnection::connect(&self.database).await?;
        let query =
            "select current_setting('fsync'), current_setting('synchronous_commit'), current_setting('server_version')";
        let (fsync, commit, version): (String, String, String) =
            sqlx::query_as(query).fetch_one(&mut connection).await?;
        let mut machine = crate::machine::description();
        machine["postgres"] = json!({ "version": version, "fsync": fsync, "synchronous_commit": commit });
        Ok(machine)
    }
}
