//! Bounds on the text and its tokens, counted without recursion.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::parameters::Numbering;
use super::{StatementError, StatementLimits, syntax};

#[derive(Default)]
struct Counts {
    tokens: usize,
    depth: usize,
    deepest: usize,
    operators: usize,
    branches: usize,
    joins: usize,
    set_operations: usize,
    selects: usize,
}

/// The tokens of `text` if it is within `limits`, with numbered parameters.
pub(super) fn read(text: &str, limits: &StatementLimits) -> Result<Vec<TokenWithSpan>, StatementError> {
    if text.len() > limits.bytes {
        return Err(StatementError::TooMany { what: "bytes", limit: limits.bytes });
    }
    let mut tokens = Tokenizer::new(&GenericDialect {}, text)
        .tokenize_with_location()
        .map_err(|error| syntax(&error.to_string()))?;
    let (mut counts, mut numbering) = (Counts::default(), Numbering::default());
    for TokenWithSpan { token, .. } in &mut tokens {
        counts.add(token);
        numbering.number(token)?;
    }
    counts.check(limits)?;
    Ok(tokens)
}

impl Counts {
    fn add(&mut self, token: &Token) {
        match token {
            Token::Whitespace(_) | Token::EOF => return,
            Token::LParen | Token::LBracket | Token::LBrace => self.enter(),
            Token::RParen | Token::RBracket | Token::RBrace => self.leave(),
            Token::Word(word) => self.add_word(word.keyword),
            token if is_operator(token) => self.operators += 1,
            _ => {}
        }
        self.tokens += 1;
    }

    fn add_word(&mut self, keyword: Keyword) {
        match keyword {
            Keyword::CASE => self.enter(),
            Keyword::END => self.leave(),
            // Words that can follow an expression, or stand before one, any number of times.
            Keyword::AND
            | Keyword::OR
            | Keyword::XOR
            | Keyword::NOT
            | Keyword::IS
            | Keyword::NOTNULL
            | Keyword::LIKE
            | Keyword::ILIKE
            | Keyword::SIMILAR
            | Keyword::REGEXP
            | Keyword::RLIKE
            | Keyword::IN
            | Keyword::BETWEEN
            | Keyword::OVERLAPS
            | Keyword::DIV
            | Keyword::OPERATOR
            | Keyword::AT
            | Keyword::COLLATE
            | Keyword::INTERVAL
            | Keyword::PRIOR => self.operators += 1,
            Keyword::WHEN => self.branches += 1,
            Keyword::JOIN | Keyword::APPLY => self.joins += 1,
            Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT | Keyword::MINUS => {
                self.set_operations += 1;
            }
            Keyword::SELECT | Keyword::VALUES => self.selects += 1,
            _ => {}
        }
    }

    fn enter(&mut self) {
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
    }

    fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    fn check(&self, limits: &StatementLimits) -> Result<(), StatementError> {
        if self.deepest > limits.nesting {
            return Err(StatementError::TooDeep { limit: limits.nesting });
        }
        let bounded = [
            ("tokens", self.tokens, limits.tokens),
            ("operators", self.operators, limits.operators),
            ("WHENs", self.branches, limits.branches),
            ("JOINs", self.joins, limits.joins),
            ("set operations", self.set_operations, limits.set_operations),
            ("SELECTs", self.selects, limits.selects),
        ];
        match bounded.into_iter().find(|(_, count, limit)| count > limit) {
            Some((what, _, limit)) => Err(StatementError::TooMany { what, limit }),
            None => Ok(()),
        }
    }
}

/// Everything that can stand in a chain and make a tree deeper. Commas,
/// periods, names and values cannot.
fn is_operator(token: &Token) -> bool {
    !matches!(
        token,
        Token::Comma
            | Token::SemiColon
            | Token::Period
            | Token::Number(..)
            | Token::Char(_)
            | Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::NationalStringLiteral(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::HexStringLiteral(_)
            | Token::DollarQuotedString(_)
            | Token::Placeholder(_)
    )
}

/// The keyword that a statement begins with, from a list of our own.
pub(super) fn first_word(text: &str) -> &'static str {
    const KNOWN: &[&str] = &[
        "ALTER",
        "ANALYZE",
        "BEGIN",
        "CALL",
        "COMMIT",
        "CREATE",
        "DEALLOCATE",
        "DELETE",
        "DESCRIBE",
        "DROP",
        "EXECUTE",
        "EXPLAIN",
        "GRANT",
        "INSERT",
        "KILL",
        "MERGE",
        "PREPARE",
        "RESET",
        "REVOKE",
        "ROLLBACK",
        "SET",
        "SHOW",
        "START",
        "TRUNCATE",
        "UPDATE",
        "USE",
    ];
    let word = text.split_whitespace().next().unwrap_or_default();
    KNOWN.iter().find(|known| known.eq_ignore_ascii_case(word)).unwrap_or(&"this statement")
}
