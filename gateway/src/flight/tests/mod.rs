mod authentication;
mod delivery;
mod metadata;
mod refusals;
mod statements;
