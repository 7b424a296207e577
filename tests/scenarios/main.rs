//! What a person sees, in both forms.

mod answers;
mod approvals;
mod cli;
mod concurrency;
mod context;
mod faults;
mod kills;
mod money;
mod order;
mod resume;
mod stops;
mod team;
mod teams;
mod titles;
mod topics;
mod traces;
mod workers;
