//! The names of the rules, as clients see them in `errors[].code`.

/// The conversation takes no more of this.
pub const CONVERSATION_ARCHIVED: &str = "CONVERSATION_ARCHIVED";
/// A title is over its limit.
pub const TITLE_TOO_LONG: &str = "TITLE_TOO_LONG";
/// No agent has this name.
pub const UNKNOWN_AGENT: &str = "UNKNOWN_AGENT";
/// Clients may not choose this model.
pub const MODEL_NOT_ALLOWED: &str = "MODEL_NOT_ALLOWED";
/// A turn runs, or a message waits for one; turns run one at a time.
pub const TURN_RUNNING: &str = "TURN_RUNNING";
/// The person takes part already.
pub const ALREADY_PARTICIPANT: &str = "ALREADY_PARTICIPANT";
/// The person does not take part.
pub const NOT_A_PARTICIPANT: &str = "NOT_A_PARTICIPANT";
/// Nobody would be left.
pub const LAST_PARTICIPANT: &str = "LAST_PARTICIPANT";
/// The answer is not the last one, or somebody has said something since.
pub const NOT_LAST_ANSWER: &str = "NOT_LAST_ANSWER";
/// No such turn runs or waits.
pub const TURN_NOT_RUNNING: &str = "TURN_NOT_RUNNING";
/// The turn is being stopped.
pub const TURN_STOPPING: &str = "TURN_STOPPING";
/// The tool call does not wait for a decision: there was one, or it was not needed.
pub const ALREADY_DECIDED: &str = "ALREADY_DECIDED";
/// The settings let others decide about tool calls.
pub const NOT_AN_APPROVER: &str = "NOT_AN_APPROVER";
/// The arguments are not those that the tool takes.
pub const INVALID_ARGUMENTS: &str = "INVALID_ARGUMENTS";
/// Internal: the turn may not take more.
pub const BUDGET_EXCEEDED: &str = "BUDGET_EXCEEDED";
/// Internal: this message's turn runs already.
pub const TURN_ALREADY_STARTED: &str = "TURN_ALREADY_STARTED";
/// Internal: the message waits for no turn: it had one, or needs none.
pub const NOT_WAITING: &str = "NOT_WAITING";
/// Internal: a plan without a run would never end.
pub const EMPTY_PLAN: &str = "EMPTY_PLAN";
