//! The book of persons and tenants, on both engines.

use std::time::Duration;

use database::testing::{databases, sqlite};
use database::{Database, sql};
use events::event::{CallOutcome, Cost, Spent};
use events::{CallId, PersonId, Usage};
use futures::future::join_all;
use metrics_exporter_prometheus::PrometheusBuilder;

use super::windows::{self, Amount};
use super::{Allowance, Book, Budgets, Taking};
use commands::rules::{CallEnd, LONGEST_ANSWER};

const TENANT: &str = "default";
/// So many tokens may a call take whose prompt has no bytes.
const CALL: u64 = LONGEST_ANSWER as u64;

fn cost(amount: &str) -> Option<Cost> {
    Some(Cost { amount: amount.into(), currency: "EUR".into() })
}

fn of_cost(limit: &str) -> Allowance {
    Allowance { cost: Some(limit.parse().expect("a decimal")), tokens: None }
}

fn of_calls(calls: u64) -> Allowance {
    Allowance { cost: None, tokens: Some(calls * CALL) }
}

fn book(database: &Database, person: Allowance, tenant: Allowance) -> Book {
    Book::new(database.clone(), &Budgets { person, tenant, ..Budgets::default() })
}

/// The reason why a call is not made, if it is not.
async fn take(book: &Book, call: CallId, person: PersonId, most: &Option<Cost>) -> Option<String> {
    take_after(book, call, person, most, None).await
}

async fn take_after(
    book: &Book,
    call: CallId,
    person: PersonId,
    most: &Option<Cost>,
    before: Option<&CallEnd>,
) -> Option<String> {
    let taking =
        Taking { call, tenant: TENANT, person, model: "test/small", prompt_bytes: 0, cost: most.as_ref(), before };
    book.reserve(&taking).await.expect("the database").err().map(|failure| failure.reason)
}

async fn settle(database: &Database, call: CallId, amount: &str, tokens: u64) {
    let took = Amount { cost: amount.parse().expect("a decimal"), tokens };
    windows::settle(database, call, Some(took)).await.expect("settled");
}

async fn count(database: &Database, table: &str) -> i64 {
    let (rows,): (i64,) = database.fetch_optional(sql(format!("select count(*) from {table}"))).await.unwrap().unwrap();
    rows
}

/// As if a period had gone by.
async fn pass_a_period(database: &Database) {
    for table in ["budget_windows", "budget_reservations"] {
        database.execute(sql(format!("update {table} set starts_at = starts_at - period"))).await.unwrap();
    }
}

#[tokio::test]
async fn of_many_calls_at_once_as_many_begin_as_there_is_room_for() {
    for test in databases().await {
        let person = PersonId::generate();
        let (one, two) =
            (book(&test.database, of_cost("0.7"), of_calls(100)), book(&test.database, of_cost("0.7"), of_calls(100)));
        let most = cost("0.1");
        let calls =
            (0..40).map(|number| take(if number % 2 == 0 { &one } else { &two }, CallId::generate(), person, &most));
        let refused: Vec<String> = join_all(calls).await.into_iter().flatten().collect();
        assert_eq!(refused.len(), 33, "exactly 7 times 0.1 fits into 0.7");
        assert!(refused.iter().all(|reason| reason.contains("person_cost, 0.7 EUR")), "{}", refused[0]);
    }
}

#[tokio::test]
async fn calls_that_come_and_go_at_once_leave_their_exact_sum() {
    for test in databases().await {
        let book = book(&test.database, of_cost("99"), of_cost("99"));
        let (persons, most) = ([PersonId::generate(), PersonId::generate(), PersonId::generate()], cost("1"));
        let one = async |number: usize| {
            let call = CallId::generate();
            assert_eq!(take(&book, call, persons[number % 3], &most).await, None);
            settle(&test.database, call, "0.0000001", 1).await;
        };
        join_all((0..60).map(one)).await;
        let look = "select spent_cost, reserved_cost from budget_windows order by spent_tokens";
        let rows: Vec<(String, String)> = test.database.fetch_all(sql(look)).await.unwrap();
        let sums = ["0.000002", "0.000002", "0.000002", "0.000006"].map(|sum| (sum.to_owned(), "0".to_owned()));
        assert_eq!(rows, sums);
    }
}

#[tokio::test]
async fn persons_of_a_tenant_share_its_budget_and_have_their_own() {
    for test in databases().await {
        let book = book(&test.database, of_calls(2), of_calls(3));
        let (alice, bob) = (PersonId::generate(), PersonId::generate());
        let call = CallId::generate;
        assert_eq!(take(&book, call(), alice, &None).await, None);
        assert_eq!(take(&book, call(), alice, &None).await, None);
        let own = take(&book, call(), alice, &None).await.expect("refused");
        assert!(own.contains("person_tokens") && own.contains("it opens again at 2"), "{own}");
        assert_eq!(take(&book, call(), bob, &None).await, None, "a refused call has taken nothing of the tenant's");
        let all = take(&book, call(), bob, &None).await.expect("refused");
        assert!(all.contains("tenant_tokens"), "{all}");
    }
}

#[tokio::test]
async fn a_call_is_settled_once_to_the_last_digit() {
    for test in databases().await {
        let (book, person) = (book(&test.database, of_cost("0.3"), of_cost("9")), PersonId::generate());
        let call = CallId::generate();
        assert_eq!(take(&book, call, person, &cost("0.3")).await, None);
        assert!(take(&book, CallId::generate(), person, &cost("0.0000001")).await.is_some());
        for _ in 0..2 {
            settle(&test.database, call, "0.0000001", 1).await;
        }
        assert!(take(&book, CallId::generate(), person, &cost("0.3")).await.is_some());
        assert_eq!(take(&book, CallId::generate(), person, &cost("0.2999999")).await, None);
        assert_eq!(count(&test.database, "budget_reservations").await, 2, "of person and tenant");
    }
}

#[tokio::test]
async fn a_call_that_never_began_gives_all_of_it_back() {
    for test in databases().await {
        let (book, person) = (book(&test.database, of_calls(1), Allowance::default()), PersonId::generate());
        for _ in 0..3 {
            let call = CallId::generate();
            assert_eq!(take(&book, call, person, &None).await, None);
            book.release(call).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_call_that_follows_another_needs_no_room_beside_what_that_has_reserved() {
    for test in databases().await {
        let (book, person) = (book(&test.database, of_calls(1), Allowance::default()), PersonId::generate());
        let (first, second) = (CallId::generate(), CallId::generate());
        assert_eq!(take(&book, first, person, &None).await, None);
        let ended = |outcome, spent| CallEnd { call: first, outcome, spent, cached: false };
        let took = Spent { usage: Some(Usage { output_tokens: 1, ..Usage::default() }), ..Spent::default() };
        let unknown = ended(CallOutcome::Abandoned, Spent::default());
        assert!(take_after(&book, second, person, &None, Some(&ended(CallOutcome::Failed, took))).await.is_some());
        assert!(
            take_after(&book, second, person, &None, Some(&unknown)).await.is_some(),
            "it may have taken all of it"
        );
        let refused = ended(CallOutcome::Failed, Spent::default());
        assert_eq!(take_after(&book, second, person, &None, Some(&refused)).await, None);
    }
}

#[tokio::test]
async fn the_next_period_begins_with_nothing_taken_and_forgets_the_one_before() {
    for test in databases().await {
        let (book, person) = (book(&test.database, of_calls(1), Allowance::default()), PersonId::generate());
        let late = CallId::generate();
        assert_eq!(take(&book, late, person, &None).await, None);
        pass_a_period(&test.database).await;
        assert_eq!(take(&book, CallId::generate(), person, &None).await, None);
        assert_eq!(
            (count(&test.database, "budget_windows").await, count(&test.database, "budget_reservations").await),
            (1, 1)
        );
        settle(&test.database, late, "0", CALL).await;
        assert!(take(&book, CallId::generate(), person, &None).await.is_some());
        pass_a_period(&test.database).await;
        assert_eq!(take(&book, CallId::generate(), person, &None).await, None);
    }
}

#[tokio::test]
async fn what_nobody_settles_counts_in_full_until_its_period_is_over() {
    for test in databases().await {
        let (book, person) = (book(&test.database, of_calls(1), of_calls(9)), PersonId::generate());
        assert_eq!(take(&book, CallId::generate(), person, &None).await, None);
        assert!(take(&book, CallId::generate(), person, &None).await.is_some());
        pass_a_period(&test.database).await;
        assert_eq!(take(&book, CallId::generate(), person, &None).await, None);
    }
}

#[tokio::test]
async fn another_period_counts_for_itself() {
    for test in databases().await {
        let person = PersonId::generate();
        let hours = |hours: u64| {
            let budgets =
                Budgets { person: of_calls(1), period: Duration::from_secs(hours * 3600), ..Budgets::default() };
            Book::new(test.database.clone(), &budgets)
        };
        assert_eq!(take(&hours(24), CallId::generate(), person, &None).await, None);
        assert_eq!(take(&hours(1), CallId::generate(), person, &None).await, None);
        assert!(take(&hours(1), CallId::generate(), person, &None).await.is_some());
        assert!(take(&hours(24), CallId::generate(), person, &None).await.is_some(), "the longer one is not over");
    }
}

#[tokio::test]
async fn with_a_limit_of_cost_no_model_is_asked_that_has_no_price() {
    for test in databases().await {
        let book = book(&test.database, of_cost("1"), Allowance::default());
        let reason = take(&book, CallId::generate(), PersonId::generate(), &None).await.expect("refused");
        assert!(reason.contains("test/small has no price"), "{reason}");
        let dear = take(&book, CallId::generate(), PersonId::generate(), &cost("1.01")).await.expect("refused");
        assert!(dear.contains("never fits"), "{dear}");
    }
}

#[tokio::test]
async fn refusals_are_counted_by_the_budget_that_has_no_room() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _until_the_end = metrics::set_default_local_recorder(&recorder);
    let test = sqlite().await;
    let book = book(&test.database, of_calls(1), of_calls(2));
    let (alice, bob, call) = (PersonId::generate(), PersonId::generate(), CallId::generate);
    for person in [alice, alice, bob, bob, PersonId::generate()] {
        take(&book, call(), person, &None).await;
    }
    let shown = recorder.handle().render();
    for (budget, times) in [("person_tokens", 2), ("tenant_tokens", 1)] {
        let line = format!("loquent_budget_refusals_total{{budget=\"{budget}\"}} {times}");
        assert!(shown.contains(&line), "{shown}");
    }
}

#[tokio::test]
async fn without_limits_nothing_is_written() {
    for test in databases().await {
        let book = book(&test.database, Allowance::default(), Allowance::default());
        assert_eq!(take(&book, CallId::generate(), PersonId::generate(), &cost("1")).await, None);
        assert_eq!(
            (count(&test.database, "budget_windows").await, count(&test.database, "budget_reservations").await),
            (0, 0)
        );
    }
}
