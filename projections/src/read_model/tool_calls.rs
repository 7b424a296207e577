use std::collections::HashMap;

use database::sql;
use events::{CallId, PersonId, RunId};

use super::{ReadModel, visible};
use crate::page::{ByCall, Found, Window, cursor};
use crate::tables::{StoredToolCall, TOOL_CALL, lists};
use crate::{Page, PageOf, Result, ToolCallRow};

/// Whose turns' tool calls a person decides about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Those of every turn that they see.
    Everyones,
    /// Those of turns that their own message or wish began.
    Own,
}

impl ReadModel {
    /// One tool call, for a person.
    ///
    /// # Errors
    /// The database.
    pub async fn tool_call(&self, tenant: &str, person: PersonId, id: CallId) -> Result<Option<ToolCallRow>> {
        Ok(self.tool_calls_by_id(tenant, person, &[id]).await?.remove(&id))
    }

    /// Several tool calls, for a person; those that the person may not see are missing.
    ///
    /// # Errors
    /// The database.
    pub async fn tool_calls_by_id(
        &self,
        tenant: &str,
        person: PersonId,
        ids: &[CallId],
    ) -> Result<HashMap<CallId, ToolCallRow>> {
        let mut rows = HashMap::new();
        for ids in lists(ids.iter().map(|id| id.uuid())) {
            let select = sql(format!("select {TOOL_CALL} from tool_calls where call in ")).list(ids);
            for stored in self.database.fetch_all::<StoredToolCall>(visible(select, tenant, person)).await? {
                let row = ToolCallRow::try_from(stored)?;
                rows.insert(row.id, row);
            }
        }
        Ok(rows)
    }

    /// The tool calls of each of these runs, in the order of the wish. A run without any is missing.
    ///
    /// # Errors
    /// The database.
    pub async fn tool_calls_of_runs(&self, runs: &[RunId]) -> Result<HashMap<RunId, Vec<ToolCallRow>>> {
        let mut calls: HashMap<RunId, Vec<ToolCallRow>> = HashMap::new();
        for runs in lists(runs.iter().map(|id| id.uuid())) {
            let select = sql(format!("select {TOOL_CALL} from tool_calls where run in ")).list(runs);
            for stored in self.database.fetch_all::<StoredToolCall>(select.push(" order by run, sequence")).await? {
                let row = ToolCallRow::try_from(stored)?;
                calls.entry(row.run).or_default().push(row);
            }
        }
        Ok(calls)
    }

    /// Tool calls that wait for a person's decision, oldest first, in all conversations in which the person takes part.
    ///
    /// # Errors
    /// A page that makes no sense; the database.
    pub async fn pending_approvals(
        &self,
        tenant: &str,
        person: PersonId,
        whose: Whose,
        page: &Page,
    ) -> Result<PageOf<ToolCallRow>> {
        let window: Window<ByCall> = Window::of(page)?;
        let select = |begin: &str| {
            let select = sql(format!("{begin} from tool_calls where status = 'waiting'"));
            let select = visible(select, tenant, person);
            match whose {
                Whose::Everyones => select,
                Whose::Own => select
                    .push(" and turn in (select turn from turns where (person) = ")
                    .list([person.uuid()])
                    .push(")"),
            }
        };
        let found: Found<StoredToolCall> = window.read(&self.database, TOOL_CALL, select).await?;
        let rows = found.rows.into_iter().map(|stored| {
            let row = ToolCallRow::try_from(stored)?;
            Ok((cursor(&ByCall(row.id.uuid())), row))
        });
        let rows = rows.collect::<Result<_>>()?;
        Ok(PageOf { rows, has_next: found.has_next, has_previous: found.has_previous, total: found.total })
    }
}
