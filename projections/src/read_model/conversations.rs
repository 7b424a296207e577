use std::collections::HashMap;

use database::sql;
use events::{ConversationId, PersonId};

use super::{ReadModel, visible};
use crate::page::{ByConversation, Found, Window, cursor};
use crate::tables::{CONVERSATION, StoredConversation, lists, participants};
use crate::{ConversationRow, Page, PageOf, Result};

impl ReadModel {
    /// One conversation, for a person.
    ///
    /// # Errors
    /// The database.
    pub async fn conversation(
        &self,
        tenant: &str,
        person: PersonId,
        id: ConversationId,
    ) -> Result<Option<ConversationRow>> {
        Ok(self.conversations_by_id(tenant, person, &[id]).await?.remove(&id))
    }

    /// Several conversations, for a person; those that the person may not see are missing.
    ///
    /// # Errors
    /// The database.
    pub async fn conversations_by_id(
        &self,
        tenant: &str,
        person: PersonId,
        ids: &[ConversationId],
    ) -> Result<HashMap<ConversationId, ConversationRow>> {
        let mut stored = Vec::new();
        for ids in lists(ids.iter().map(|id| id.uuid())) {
            let select = sql(format!("select {CONVERSATION} from conversations where conversation in ")).list(ids);
            stored.extend(self.database.fetch_all(visible(select, tenant, person)).await?);
        }
        Ok(self.whole(stored).await?.into_iter().map(|row| (row.id, row)).collect())
    }

    /// A person's conversations, oldest first.
    ///
    /// # Errors
    /// A page that makes no sense; the database.
    pub async fn conversations(&self, tenant: &str, person: PersonId, page: &Page) -> Result<PageOf<ConversationRow>> {
        let window: Window<ByConversation> = Window::of(page)?;
        let select = |begin: &str| {
            sql(format!(
                "{begin} from conversations where tenant = $1 \
                 and conversation in (select conversation from participants where person = $2)"
            ))
            .bind(tenant.to_owned())
            .bind(person.uuid())
        };
        let found: Found<StoredConversation> = window.read(&self.database, CONVERSATION, select).await?;
        let rows = self.whole(found.rows).await?;
        let rows = rows.into_iter().map(|row| (cursor(&ByConversation(row.id.uuid())), row)).collect();
        Ok(PageOf { rows, has_next: found.has_next, has_previous: found.has_previous, total: found.total })
    }

    /// With their participants, in the same order.
    async fn whole(&self, stored: Vec<StoredConversation>) -> Result<Vec<ConversationRow>> {
        let mut persons = participants(&self.database, stored.iter().map(StoredConversation::id)).await?;
        stored
            .into_iter()
            .map(|stored| {
                let persons = persons.remove(&stored.id()).unwrap_or_default();
                stored.row(persons)
            })
            .collect()
    }
}
