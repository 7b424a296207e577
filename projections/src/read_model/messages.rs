use std::collections::HashMap;

use database::sql;
use events::{ConversationId, MessageId, PersonId};

use super::{ReadModel, visible};
use crate::page::{ByPlace, Found, Window, cursor};
use crate::tables::{MESSAGE, StoredMessage, lists, position, signed};
use crate::{MessageRow, Page, PageOf, Result};

impl ReadModel {
    /// One message, for a person.
    ///
    /// # Errors
    /// The database.
    pub async fn message(&self, tenant: &str, person: PersonId, id: MessageId) -> Result<Option<MessageRow>> {
        Ok(self.messages_by_id(tenant, person, &[id]).await?.remove(&id))
    }

    /// Several messages, for a person; those that the person may not see are missing.
    ///
    /// # Errors
    /// The database.
    pub async fn messages_by_id(
        &self,
        tenant: &str,
        person: PersonId,
        ids: &[MessageId],
    ) -> Result<HashMap<MessageId, MessageRow>> {
        let mut rows = HashMap::new();
        for ids in lists(ids.iter().map(|id| id.uuid())) {
            let select = sql(format!("select {MESSAGE} from messages where message in ")).list(ids);
            for stored in self.database.fetch_all::<StoredMessage>(visible(select, tenant, person)).await? {
                let row = MessageRow::try_from(stored)?;
                rows.insert(row.id, row);
            }
        }
        Ok(rows)
    }

    /// A conversation's messages, oldest first.
    ///
    /// # Errors
    /// A page that makes no sense; the database.
    pub async fn messages(&self, conversation: ConversationId, page: &Page) -> Result<PageOf<MessageRow>> {
        let window: Window<ByPlace> = Window::of(page)?;
        let select =
            |begin: &str| sql(format!("{begin} from messages where conversation = $1")).bind(conversation.uuid());
        let found: Found<StoredMessage> = window.read(&self.database, MESSAGE, select).await?;
        let rows = found.rows.into_iter().map(|stored| {
            let row = MessageRow::try_from(stored)?;
            Ok((cursor(&ByPlace(signed(row.sequence), position(row.position))), row))
        });
        let rows = rows.collect::<Result<_>>()?;
        Ok(PageOf { rows, has_next: found.has_next, has_previous: found.has_previous, total: found.total })
    }

    /// All answers to the questions that these messages answer, by the first answer to each, oldest first. Answers of turns that
    /// were rolled back count no more.
    ///
    /// # Errors
    /// The database.
    pub async fn answers(&self, first: &[MessageId]) -> Result<HashMap<MessageId, Vec<MessageRow>>> {
        let mut answers: HashMap<MessageId, Vec<MessageRow>> = HashMap::new();
        for ids in lists(first.iter().map(|id| id.uuid())) {
            let select = sql(format!("select {MESSAGE} from messages where (message in "))
                .list(ids.iter().copied())
                .push(" or regenerates in ")
                .list(ids)
                .push(
                    ") and not exists (select 1 from runs join turns on turns.turn = runs.turn \
                     where runs.run = messages.run and turns.rolled_back) order by sequence, position",
                );
            for stored in self.database.fetch_all::<StoredMessage>(select).await? {
                let row = MessageRow::try_from(stored)?;
                answers.entry(row.first_answer()).or_default().push(row);
            }
        }
        Ok(answers)
    }
}
