//! The words that the tables hold for what is one of a few.

use events::FinishReason;
use events::event::{Approval, OverlapPolicy, PlanKind};

use crate::rows::{MessageStatus, Role, RunStatus, ToolCallStatus};

macro_rules! words {
    ($($kind:ident { $($variant:ident $word:literal),* $(,)? })*) => {$(
        impl $kind {
            pub(crate) fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            pub(super) fn of_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }
    )*};
}

words! {
    Role { User "user", Assistant "assistant" }
    MessageStatus { Streaming "streaming", Completed "completed", Failed "failed", Stopped "stopped" }
    RunStatus {
        Queued "queued", Running "running", Waiting "waiting", Completed "completed", Failed "failed", Stopped "stopped",
    }
    ToolCallStatus {
        Requested "requested", Waiting "waiting", Running "running", Completed "completed", Failed "failed",
        Rejected "rejected", Expired "expired", Cancelled "cancelled", Uncertain "uncertain",
    }
}

/// As [`words`], for kinds of another crate.
macro_rules! foreign_words {
    ($($kind:ident $word_of:ident $of_word:ident { $($variant:ident $word:literal),* $(,)? })*) => {$(
        pub(super) fn $word_of(value: $kind) -> &'static str {
            match value { $($kind::$variant => $word),* }
        }

        pub(super) fn $of_word(word: &str) -> Option<$kind> {
            match word { $($word => Some($kind::$variant),)* _ => None }
        }
    )*};
}

foreign_words! {
    FinishReason finish_word finish_reason_of {
        Stop "stop", Length "length", ToolCalls "tool_calls", ContentFilter "content_filter",
    }
    OverlapPolicy overlap_word overlap_of {
        Enqueue "enqueue", Reject "reject", Interrupt "interrupt", Rollback "rollback", Steer "steer",
    }
    Approval approval_word approval_of { Auto "auto", Ask "ask", Deny "deny" }
    PlanKind plan_word plan_kind_of { Fixed "fixed", Rules "rules", Model "model", Asked "asked" }
}
