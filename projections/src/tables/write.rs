use database::{Sql, Transaction, sql};
use events::{ConversationId, PersonId, Sealed, Sequence};
use sqlx::types::Json;

use super::stored::{CONVERSATION, MESSAGE, RUN, TOOL_CALL, TURN, position, signed};
use super::words::{approval_word, finish_word, overlap_word, plan_word};
use super::{LIST, PARTS, lists, piece};
use crate::Result;
use crate::fold::RowSet;
use crate::rows::{Author, ConversationRow, MessageRow, RunRow, ToolCallRow, TurnRow};

/// Rows in one statement at most.
const ROWS: usize = 128;

/// Writes what changed, table by table, many rows a statement.
pub(crate) async fn save(tx: &mut Transaction, sets: &[&RowSet]) -> Result<()> {
    let conversations: Vec<_> = sets.iter().filter_map(|set| set.conversation.as_ref()).collect();
    upsert(tx, "conversations", "conversation", CONVERSATION, &conversations, bind_conversation).await?;
    save_participants(tx, sets).await?;
    let messages: Vec<_> = sets.iter().flat_map(|set| set.messages.changed()).collect();
    upsert(tx, "messages", "message", MESSAGE, &messages, bind_message).await?;
    let turns: Vec<_> = sets.iter().flat_map(|set| set.turns.changed()).collect();
    upsert(tx, "turns", "turn", TURN, &turns, bind_turn).await?;
    let runs: Vec<_> = sets.iter().flat_map(|set| set.runs.changed()).collect();
    upsert(tx, "runs", "run", RUN, &runs, bind_run).await?;
    let tool_calls: Vec<_> = sets.iter().flat_map(|set| set.tool_calls.changed()).collect();
    upsert(tx, "tool_calls", "call", TOOL_CALL, &tool_calls, bind_tool_call).await
}

/// Deletes all rows of these conversations but the conversations' own.
pub(crate) async fn delete(tx: &mut Transaction, ids: &[ConversationId]) -> Result<()> {
    for ids in lists(ids.iter().map(ConversationId::uuid)) {
        for table in PARTS {
            let delete = sql(format!("delete from {table} where conversation in "));
            tx.execute(delete.list(ids.iter().copied())).await?;
        }
    }
    Ok(())
}

async fn save_participants(tx: &mut Transaction, sets: &[&RowSet]) -> Result<()> {
    let changes = sets.iter().filter_map(|set| Some((set.conversation.as_ref()?.id, &set.participants)));
    let (mut came, mut went) = (Vec::new(), Vec::new());
    for (conversation, participants) in changes {
        for (person, since) in participants {
            match since {
                Some(since) => came.push((conversation, *person, *since)),
                None => went.push((conversation, *person)),
            }
        }
    }
    for went in went.chunks(LIST) {
        let gone = sql("delete from participants where (conversation, person) in (values ")
            .values(went, |sql, (conversation, person)| sql.bind(conversation.uuid()).bind(person.uuid()))
            .push(")");
        tx.execute(gone).await?;
    }
    let came: Vec<_> = came.iter().collect();
    upsert(tx, "participants", "conversation, person", "conversation, person, position", &came, bind_participant).await
}

async fn upsert<R>(
    tx: &mut Transaction,
    table: &str,
    key: &str,
    columns: &str,
    rows: &[&R],
    bind: fn(Sql, &R) -> Sql,
) -> Result<()> {
    let changes: Vec<_> = columns
        .split(", ")
        .filter(|column| !key.split(", ").any(|part| part == *column))
        .map(|column| format!("{column} = excluded.{column}"))
        .collect();
    let changes = changes.join(", ");
    let mut rest = rows;
    while !rest.is_empty() {
        let (now, later) = piece(rest, ROWS);
        let statement = sql(format!("insert into {table} ({columns}) values "))
            .values(now, |sql, row| bind(sql, row))
            .push(" on conflict (")
            .push(key)
            .push(") do update set ")
            .push(&changes);
        tx.execute(statement).await?;
        rest = later;
    }
    Ok(())
}

fn bind_conversation(sql: Sql, row: &ConversationRow) -> Sql {
    sql.bind(row.id.uuid())
        .bind(row.tenant.clone())
        .bind(sealed(row.title.as_ref()))
        .bind(sealed(row.metadata.as_ref()))
        .bind(row.starter.uuid())
        .bind(Json(row.agents.clone()))
        .bind(overlap_word(row.overlap).to_owned())
        .bind(approval_word(row.approval).to_owned())
        .bind(row.created_at)
        .bind(row.updated_at)
        .bind(row.archived_at)
        .bind(signed(row.sequence))
        .bind(Json(row.spent.clone()))
}

fn bind_participant(sql: Sql, (conversation, person, since): &(ConversationId, PersonId, Sequence)) -> Sql {
    sql.bind(conversation.uuid()).bind(person.uuid()).bind(signed(*since))
}

fn bind_message(sql: Sql, row: &MessageRow) -> Sql {
    let (person, agent) = match &row.author {
        Author::Person(person) => (Some(person.uuid()), None),
        Author::Agent(agent) => (None, Some(agent.clone())),
    };
    sql.bind(row.id.uuid())
        .bind(row.conversation.uuid())
        .bind(signed(row.sequence))
        .bind(position(row.position))
        .bind(row.role.word().to_owned())
        .bind(person)
        .bind(agent)
        .bind(sealed(row.text.as_ref()))
        .bind(row.status.word().to_owned())
        .bind(sealed(row.message_type.as_ref()))
        .bind(sealed(row.metadata.as_ref()))
        .bind(row.run.map(|run| run.uuid()))
        .bind(i64::from(row.epoch))
        .bind(signed(row.started))
        .bind(row.created_at)
        .bind(row.completed_at)
        .bind(row.finish_reason.map(|reason| finish_word(reason).to_owned()))
        .bind(sealed(row.reason.as_ref()))
        .bind(Json(row.spent.clone()))
        .bind(row.regenerates.map(|message| message.uuid()))
}

fn bind_turn(sql: Sql, row: &TurnRow) -> Sql {
    sql.bind(row.id.uuid())
        .bind(row.conversation.uuid())
        .bind(signed(row.sequence))
        .bind(row.message.map(|message| message.uuid()))
        .bind(row.person.uuid())
        .bind(row.status.word().to_owned())
        .bind(sealed(row.reason.as_ref()))
        .bind(row.started_at)
        .bind(row.ended_at)
        .bind(row.plan_kind.map(|kind| plan_word(kind).to_owned()))
        .bind(sealed(row.plan_reason.as_ref()))
        .bind(row.more)
        .bind(row.answer.map(|message| message.uuid()))
        .bind(row.regenerates.map(|message| message.uuid()))
        .bind(row.rolled_back)
        .bind(Json(row.spent.clone()))
}

fn bind_run(sql: Sql, row: &RunRow) -> Sql {
    sql.bind(row.id.uuid())
        .bind(row.conversation.uuid())
        .bind(row.turn.uuid())
        .bind(position(row.position))
        .bind(row.message.uuid())
        .bind(row.agent.clone())
        .bind(row.model.clone())
        .bind(i64::from(row.epoch))
        .bind(row.status.word().to_owned())
        .bind(sealed(row.error.as_ref()))
        .bind(Json(row.spent.clone()))
        .bind(Json(row.waits_for.clone()))
        .bind(row.asked_by.map(|call| call.uuid()))
        .bind(row.started_at)
        .bind(row.ended_at)
}

fn bind_tool_call(sql: Sql, row: &ToolCallRow) -> Sql {
    sql.bind(row.id.uuid())
        .bind(row.conversation.uuid())
        .bind(row.turn.uuid())
        .bind(row.run.uuid())
        .bind(signed(row.sequence))
        .bind(row.tool.clone())
        .bind(Json(row.arguments.clone()))
        .bind(sealed(row.edited.as_ref()))
        .bind(row.status.word().to_owned())
        .bind(i64::from(row.epoch))
        .bind(row.decided_by.map(|person| person.uuid()))
        .bind(sealed(row.reason.as_ref()))
        .bind(sealed(row.result.as_ref()))
        .bind(sealed(row.error.as_ref()))
        .bind(row.cached)
        .bind(row.requested_at)
        .bind(row.expires_at)
        .bind(row.ended_at)
}

fn sealed(value: Option<&Sealed>) -> Option<Json<Sealed>> {
    value.cloned().map(Json)
}
