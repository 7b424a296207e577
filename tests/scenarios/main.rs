//! What a person sees, in both forms.

mod answers;
mod cli;
mod concurrency;
mod faults;
mod kills;
mod order;
mod resume;
mod topics;
