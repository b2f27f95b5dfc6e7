//! End-to-end tests: one file a promise.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "tests stop at the first thing that is not as it must be"
)]

mod audit;
mod catalogue;
mod commands;
mod cookbook;
mod corpus;
mod demo;
mod direct;
mod disclosures;
mod example_repository;
mod faults;
mod full_channels;
mod issuer_keys;
mod jdbc;
mod known_answers;
mod large_results;
mod live_policies;
mod nested;
mod object_store;
mod operator;
mod own_data;
mod own_mesh;
mod pages;
mod placements;
mod plain_engine;
mod policy_commands;
mod proofs;
mod pseudonyms;
mod purposes;
mod python_clients;
mod questions;
mod refusals;
mod relay;
mod shadow;
mod subqueries;
mod tidy;
mod tpcds;
mod tpch;
mod tutorial;
mod warnings;
mod who_may_serve;
mod whole_parts;
