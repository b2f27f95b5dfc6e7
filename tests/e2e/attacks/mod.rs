//! Every way of asking gives what the caller may see, and nothing else: the
//! catalogue of attacks, compared with the same SQL over materialised views.

mod lifecycle;
mod masks;
mod rows;
mod views;
