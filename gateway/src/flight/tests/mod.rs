mod authentication;
mod delivery;
mod explain;
mod metadata;
mod refusals;
mod show;
mod statements;
