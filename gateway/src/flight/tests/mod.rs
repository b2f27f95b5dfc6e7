mod authentication;
mod delivery;
mod explain;
mod metadata;
mod refusals;
mod sessions;
mod show;
mod statements;
