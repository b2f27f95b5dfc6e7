//! Parameters of a statement: written `?` and counted, or written with their
//! number. Names are not offered: no driver of Flight SQL binds by name.

use std::{collections::BTreeSet, ops::ControlFlow};

use datafusion::sql::sqlparser::ast::{Value, ValueWithSpan, Visit, Visitor};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::{StatementError, StatementLimits};

/// Characters of a name that an error shows.
const SHOWN_CHARACTERS: usize = 40;

/// Gives each `?` the next number.
#[derive(Default)]
pub(super) struct Numbering {
    counted: usize,
    numbered: bool,
}

impl Numbering {
    pub(super) fn number(&mut self, token: &mut Token) -> Result<(), StatementError> {
        let Token::Placeholder(name) = token else {
            return Ok(());
        };
        if name == "?" {
            self.counted += 1;
            *name = format!("${}", self.counted);
        } else {
            self.numbered = true;
        }
        if self.numbered && self.counted > 0 { Err(StatementError::ParameterMix) } else { Ok(()) }
    }
}

/// The parameters that a parsed statement has.
#[derive(Default)]
pub(super) struct Parameters(BTreeSet<usize>);

impl Parameters {
    pub(super) fn add(&mut self, name: &str) -> Result<(), StatementError> {
        let number = number(name).ok_or_else(|| StatementError::ParameterName {
            written: name.chars().filter(|c| !c.is_control()).take(SHOWN_CHARACTERS).collect(),
        })?;
        self.0.insert(number);
        Ok(())
    }

    pub(super) fn check(&self, limits: &StatementLimits) -> Result<(), StatementError> {
        if self.0.len() > limits.parameters {
            return Err(StatementError::TooMany { what: "parameters", limit: limits.parameters });
        }
        match (1..).zip(&self.0).find(|(expected, number)| expected != *number) {
            Some((missing, _)) => Err(StatementError::ParameterGap { missing }),
            None => Ok(()),
        }
    }
}

/// How many different parameters there are in a part of a statement.
pub(super) fn count(part: &impl Visit) -> usize {
    let mut names = Names::default();
    let _: ControlFlow<()> = part.visit(&mut names);
    names.0.len()
}

#[derive(Default)]
struct Names(BTreeSet<String>);

impl Visitor for Names {
    type Break = ();

    fn pre_visit_value(&mut self, value: &ValueWithSpan) -> ControlFlow<()> {
        if let Value::Placeholder(name) = &value.value {
            self.0.insert(name.clone());
        }
        ControlFlow::Continue(())
    }
}

/// Of `$n`, in the one way in which a number is written.
fn number(name: &str) -> Option<usize> {
    let digits = name.strip_prefix('$')?;
    let plain = digits.starts_with(|first: char| ('1'..='9').contains(&first));
    digits.parse().ok().filter(|_| plain)
}
