//! Turns with several runs, tools and persons who decide about them.

use events::event::*;
use events::*;

use super::{Answered, Story, plan, planned_run, sealed, spent, time};

pub(crate) fn cost(amount: &str) -> Spent {
    let cost = Cost { amount: amount.into(), currency: "EUR".into() };
    Spent { cost: Some(cost), ..spent() }
}

impl Story {
    /// A turn of several runs begins; each but the first waits for the one before it.
    pub(crate) fn team(&mut self, turn: TurnId, question: MessageId, size: usize) -> Vec<Answered> {
        self.tell(TurnStarted { turn, message: Some(question), person: self.person, regenerates: None });
        let mut runs: Vec<PlannedRun> = Vec::new();
        for _ in 0..size {
            let after = runs.last().map(|run| run.run).into_iter().collect();
            runs.push(PlannedRun { after, ..planned_run() });
        }
        let ids = runs.iter().map(|run| Answered { answer: run.message, turn, run: run.run }).collect();
        self.tell(plan(turn, runs));
        ids
    }

    pub(crate) fn want(&mut self, ids: Answered, needs_approval: bool) -> CallId {
        let call = CallId::generate();
        self.tell(ToolCallRequested {
            call,
            run: ids.run,
            model_call: CallId::generate(),
            tool: "lookup".into(),
            arguments: sealed("arguments"),
            needs_approval,
            expires_at: needs_approval.then(|| time(999)),
            writes: true,
            idempotent: false,
        });
        call
    }

    pub(crate) fn approve(&mut self, call: CallId, edited: Option<Sealed>) {
        self.tell(ToolCallApproved { call, by: self.person, edited });
    }

    pub(crate) fn reject(&mut self, call: CallId, cause: RejectionCause) {
        let by = (cause == RejectionCause::Person).then_some(self.person);
        self.tell(ToolCallRejected { call, cause, by, reason: by.map(|_| sealed("no")) });
    }

    pub(crate) fn use_tool(&mut self, call: CallId) {
        self.tell(ToolCallStarted { call, epoch: 1 });
        self.tell(ToolCallCompleted { call, result: sealed("result"), provenance: None, cached: true });
    }

    pub(crate) fn stop_run(&mut self, ids: Answered, epoch: u32, started: Sequence) {
        self.tell(MessageStopped {
            message: ids.answer,
            run: ids.run,
            epoch,
            started,
            text: sealed("an"),
            reasoning: None,
            calls: Some(sealed("calls")),
            chunks: sealed("chunks"),
            spent: Spent::default(),
        });
    }

    pub(crate) fn stop_turn(&mut self, turn: TurnId, rolled_back: bool) {
        self.tell(TurnStopped { turn, by: self.person, rolled_back });
    }

    /// Another answer to a question is given; it is whole.
    pub(crate) fn regenerate(&mut self, question: MessageId, answer: MessageId) -> Answered {
        let run = planned_run();
        let ids = Answered { answer: run.message, turn: TurnId::generate(), run: run.run };
        let (turn, person) = (ids.turn, self.person);
        self.tell(TurnStarted { turn, message: Some(question), person, regenerates: Some(answer) });
        self.tell(plan(turn, vec![run]));
        let started = self.claim(ids, 1);
        self.complete(ids, 1, started);
        ids
    }

    /// A team with tools, a queue, a stop and a second answer, some of it open at the end.
    pub(crate) fn act(&mut self) {
        self.tell(AgentsConfigured {
            agents: vec!["writer".into()],
            overlap: OverlapPolicy::Steer,
            approval: Approval::Ask,
        });
        let (turn, queued) = (TurnId::generate(), TurnId::generate());
        let question = self.send("team", Some(turn), None);
        let team = self.team(turn, question, 3);
        self.send("queued", Some(queued), None);
        self.send("steers", Some(TurnId::generate()), Some(turn));
        let started = self.claim(team[0], 1);
        self.call_ends(team[0], CallOutcome::Completed, cost("0.25"));
        let calls = [self.want(team[0], true), self.want(team[0], false), self.want(team[0], true)];
        self.approve(calls[0], Some(sealed("edited")));
        self.use_tool(calls[0]);
        self.tell(ToolCallFailed { call: calls[1], error: sealed("no such page") });
        self.reject(calls[2], RejectionCause::Expired);
        self.call_ends(team[0], CallOutcome::Failed, cost("0.05"));
        self.complete_run(team[0], 1, started, cost("0.25").plus(&cost("0.05")));
        let started = self.claim(team[1], 1);
        let calls = [self.want(team[1], true), self.want(team[1], false)];
        self.tell(ToolCallStarted { call: calls[1], epoch: 1 });
        self.tell(StopRequested { turn, by: self.person, roll_back: true });
        self.tell(ToolCallUncertain { call: calls[1], error: None });
        self.stop_run(team[1], 1, started);
        self.stop_run(team[2], 0, 0);
        self.stop_turn(turn, true);
        self.stop_turn(queued, false);
        let answered = self.ask();
        self.regenerate(question, answered.answer);
        let open = self.team(TurnId::generate(), question, 2);
        self.claim(open[0], 1);
        self.want(open[0], true);
    }
}
