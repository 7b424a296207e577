//! An agent's settings as a prompt uses them, kept by their digest: so a request can be made again after the settings have changed.

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
use sha2::{Digest, Sha256};

use commands::rules::LONGEST_ANSWER;
use commands::{AgentProfile, Catalog};
use database::{Database, sql};
use events::event::PlanKind;
use moka::sync::Cache;

use crate::prompt::ToolOffer;
use crate::tool::{Tools, is_an_agent};
use crate::{Result, Settings, turn};

/// What a model is told that gives a title.
const TITLES: &str = "Give the conversation that begins with this message and this answer a title: at most six words, in the \
                      language of the message. Answer with the title alone, without quotes and without a full stop.";

/// What an agent's prompts are made of besides the conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Profile {
    pub(crate) agent: String,
    pub(crate) instructions: String,
    pub(crate) temperature: Option<Number>,
    pub(crate) response_schema: Option<Value>,
    pub(crate) tools: Vec<ToolOffer>,
    /// Whom it may ask or plan with: name and description.
    pub(crate) team: Vec<(String, String)>,
    /// JSON Schema of its plans, where it makes some.
    pub(crate) plan_schema: Option<Value>,
    /// Bytes of the past that it is shown.
    pub(crate) history: usize,
    /// Its longest answer, where what a call takes has a limit.
    pub(crate) max_output_tokens: Option<u32>,
}

impl Profile {
    /// As the settings are now.
    pub(crate) fn of(agent: &AgentProfile, catalog: &Catalog, tools: &Tools, settings: &Settings) -> Self {
        let offers = agent.tools.iter().filter_map(|name| tools.get(name)).map(|tool| ToolOffer {
            name: tool.name.clone(),
            description: tool.description.clone(),
            parameters: tool.parameters.clone(),
        });
        let asks = agent.tools.iter().any(|name| is_an_agent(tools, name));
        let members: Vec<&AgentProfile> = match (asks, agent.team.is_empty()) {
            (true, true) => catalog.agents.values().filter(|other| other.name != agent.name).collect(),
            _ => agent.team.iter().filter_map(|name| catalog.agent(name)).collect(),
        };
        Self {
            agent: agent.name.clone(),
            instructions: agent.instructions.clone(),
            temperature: agent.temperature.clone(),
            response_schema: agent.response_schema.clone(),
            tools: offers.collect(),
            team: members.iter().map(|member| (member.name.clone(), member.description.clone())).collect(),
            plan_schema: (agent.plan == PlanKind::Model && !agent.team.is_empty()).then(|| turn::plan_schema(agent)),
            history: settings.history_limit,
            max_output_tokens: settings.budgets.bounds_calls().then_some(LONGEST_ANSWER),
        }
    }

    /// That of titles, which no agent gives: two beginnings of texts are enough for one, and a model may think a little first.
    pub(crate) fn of_titles() -> Self {
        Self {
            agent: String::new(),
            instructions: TITLES.into(),
            temperature: None,
            response_schema: None,
            tools: Vec::new(),
            team: Vec::new(),
            plan_schema: None,
            history: 4 << 10,
            max_output_tokens: Some(1_024),
        }
    }

    /// SHA-256 of its JSON; the same settings, the same digest.
    pub(crate) fn digest(&self) -> String {
        hex::encode(Sha256::digest(serde_json::to_vec(self).unwrap_or_default()))
    }
}

/// The settings that were used, by digest. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Profiles {
    database: Database,
    kept: Cache<String, ()>,
}

#[derive(sqlx::FromRow)]
struct Row {
    body: sqlx::types::Json<Profile>,
}

impl Profiles {
    pub(crate) fn new(database: Database) -> Self {
        Self { database, kept: Cache::new(1_000) }
    }

    /// Keeps them, once.
    pub(crate) async fn keep(&self, digest: &str, profile: &Profile) -> Result<()> {
        if self.kept.contains_key(digest) {
            return Ok(());
        }
        let insert =
            "insert into agent_profiles (profile, body, created_at) values ($1, $2, $3) on conflict do nothing";
        let insert = sql(insert).bind(digest.to_owned()).bind(sqlx::types::Json(profile.clone()));
        self.database.execute(insert.bind(chrono::Utc::now())).await?;
        self.kept.insert(digest.to_owned(), ());
        Ok(())
    }

    /// Those of a digest, if they were ever used on this store.
    pub(crate) async fn find(&self, digest: &str) -> Result<Option<Profile>> {
        let look = sql("select body from agent_profiles where profile = $1").bind(digest.to_owned());
        Ok(self.database.fetch_optional::<Row>(look).await?.map(|row| row.body.0))
    }
}
