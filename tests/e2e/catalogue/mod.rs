//! The leak catalogue: one test for each known way to learn what policy hides. `tests/catalogue.md` lists
//! them all, with those that wait for something; [`listed`] compares that list with the tests.
//!
//! Most of them ask questions: each is sent through every road that leads to rows, over every kind of
//! source, as several callers. The right answer is that of one plain engine over tables that hold exactly
//! what the caller may see.

mod ask;
mod bytes;
mod case;
mod life_cycle;
mod listed;
mod masks;
mod metadata;
mod nodes;
mod policies;
mod rows;
mod side_channels;
mod surface;
mod traces;
mod views;

use case::run;
use views::Who::{Alice, Auditor, Bob, Otto};
