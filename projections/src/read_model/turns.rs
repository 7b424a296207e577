use std::collections::HashMap;

use database::sql;
use events::{ConversationId, PersonId, RunId, TurnId};

use super::{ReadModel, visible};
use crate::page::{BySequence, Found, Window, cursor};
use crate::tables::{RUN, StoredRun, StoredTurn, TURN, lists, signed};
use crate::{Page, PageOf, Result, RunRow, TurnRow};

impl ReadModel {
    /// One turn, for a person.
    ///
    /// # Errors
    /// The database.
    pub async fn turn(&self, tenant: &str, person: PersonId, id: TurnId) -> Result<Option<TurnRow>> {
        let select = sql(format!("select {TURN} from turns where turn = $1")).bind(id.uuid());
        let stored: Option<StoredTurn> = self.database.fetch_optional(visible(select, tenant, person)).await?;
        stored.map(TurnRow::try_from).transpose()
    }

    /// A conversation's turns, oldest first.
    ///
    /// # Errors
    /// A page that makes no sense; the database.
    pub async fn turns(&self, conversation: ConversationId, page: &Page) -> Result<PageOf<TurnRow>> {
        let window: Window<BySequence> = Window::of(page)?;
        let select = |begin: &str| sql(format!("{begin} from turns where conversation = $1")).bind(conversation.uuid());
        let found: Found<StoredTurn> = window.read(&self.database, TURN, select).await?;
        let rows = found.rows.into_iter().map(|stored| {
            let row = TurnRow::try_from(stored)?;
            Ok((cursor(&BySequence(signed(row.sequence))), row))
        });
        let rows = rows.collect::<Result<_>>()?;
        Ok(PageOf { rows, has_next: found.has_next, has_previous: found.has_previous, total: found.total })
    }

    /// The runs of each of these turns, in the order of their plan. A turn without runs is missing.
    ///
    /// # Errors
    /// The database.
    pub async fn runs_of_turns(&self, turns: &[TurnId]) -> Result<HashMap<TurnId, Vec<RunRow>>> {
        let mut runs: HashMap<TurnId, Vec<RunRow>> = HashMap::new();
        for turns in lists(turns.iter().map(|id| id.uuid())) {
            let select =
                sql(format!("select {RUN} from runs where turn in ")).list(turns).push(" order by turn, position");
            for stored in self.database.fetch_all::<StoredRun>(select).await? {
                let row = RunRow::try_from(stored)?;
                runs.entry(row.turn).or_default().push(row);
            }
        }
        Ok(runs)
    }

    /// One run, for a person.
    ///
    /// # Errors
    /// The database.
    pub async fn run(&self, tenant: &str, person: PersonId, id: RunId) -> Result<Option<RunRow>> {
        Ok(self.runs_by_id(tenant, person, &[id]).await?.remove(&id))
    }

    /// Several runs, for a person; those that the person may not see are missing.
    ///
    /// # Errors
    /// The database.
    pub async fn runs_by_id(&self, tenant: &str, person: PersonId, ids: &[RunId]) -> Result<HashMap<RunId, RunRow>> {
        let mut rows = HashMap::new();
        for ids in lists(ids.iter().map(|id| id.uuid())) {
            let select = sql(format!("select {RUN} from runs where run in ")).list(ids);
            for stored in self.database.fetch_all::<StoredRun>(visible(select, tenant, person)).await? {
                let row = RunRow::try_from(stored)?;
                rows.insert(row.id, row);
            }
        }
        Ok(rows)
    }
}
