//! SQL text to a syntax tree, with bounds that hold before anything recurses.

use sqlparser::{
    ast::Expr,
    dialect::GenericDialect,
    parser::{Parser, ParserError},
    tokenizer::{Token, Tokenizer},
};

use super::ExpressionError;

/// Longest expression.
pub const MAX_BYTES: usize = 16 * 1024;
/// Most tokens, without white space.
pub const MAX_TOKENS: usize = 4_000;
/// Deepest nesting. Chains of AND and OR count as one level.
pub const MAX_DEPTH: usize = 64;

/// Parses exactly one expression.
pub(crate) fn parse(text: &str) -> Result<Expr, ExpressionError> {
    if text.len() > MAX_BYTES {
        return Err(ExpressionError::new(format!("the expression is longer than {MAX_BYTES} bytes")));
    }
    if text.trim().is_empty() {
        return Err(ExpressionError::new("the expression is empty"));
    }
    let dialect = GenericDialect {};
    let tokens = Tokenizer::new(&dialect, text)
        .tokenize_with_location()
        .map_err(|error| ExpressionError::new(format!("not an expression: {}", error.message)))?;
    let count = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).count();
    if count > MAX_TOKENS {
        return Err(ExpressionError::new(format!(
            "the expression has more than {MAX_TOKENS} words and signs"
        )));
    }
    let mut parser = Parser::new(&dialect).with_recursion_limit(MAX_DEPTH).with_tokens_with_locations(tokens);
    let expr = parser.parse_expr().map_err(syntax)?;
    match parser.peek_token().token {
        Token::EOF => Ok(expr),
        other => Err(ExpressionError::new(format!("`{other}` is not expected behind the expression"))),
    }
}

fn syntax(error: ParserError) -> ExpressionError {
    match error {
        ParserError::RecursionLimitExceeded => too_deep(),
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
            ExpressionError::new(format!("not an expression: {message}"))
        }
    }
}

pub(crate) fn too_deep() -> ExpressionError {
    ExpressionError::new(format!("more than {MAX_DEPTH} levels inside each other"))
}
