//! Operators. The match is exhaustive: an upgrade that adds one does not compile.

use datafusion::logical_expr::Operator;

use super::{Behaviour, Classification, Offer, Reason};

pub(super) fn classify(operator: Operator) -> Classification {
    use Behaviour::{Fallible, Infallible};
    let (behaviour, offer) = match operator {
        Operator::Eq
        | Operator::NotEq
        | Operator::Lt
        | Operator::LtEq
        | Operator::Gt
        | Operator::GtEq
        | Operator::And
        | Operator::Or
        | Operator::IsDistinctFrom
        | Operator::IsNotDistinctFrom
        | Operator::BitwiseAnd
        | Operator::BitwiseOr
        | Operator::BitwiseXor => (Infallible, Offer::Allowed),
        // Overflow, division by zero, patterns that come from a column, concatenations that do not fit.
        Operator::Plus
        | Operator::Minus
        | Operator::Multiply
        | Operator::Divide
        | Operator::Modulo
        | Operator::LikeMatch
        | Operator::ILikeMatch
        | Operator::NotLikeMatch
        | Operator::NotILikeMatch
        | Operator::RegexMatch
        | Operator::RegexIMatch
        | Operator::RegexNotMatch
        | Operator::RegexNotIMatch
        | Operator::BitwiseShiftRight
        | Operator::BitwiseShiftLeft
        | Operator::StringConcat
        | Operator::AtArrow
        | Operator::ArrowAt => (Fallible, Offer::Allowed),
        Operator::Arrow
        | Operator::LongArrow
        | Operator::HashArrow
        | Operator::HashLongArrow
        | Operator::AtAt
        | Operator::IntegerDivide
        | Operator::HashMinus
        | Operator::AtQuestion
        | Operator::Question
        | Operator::QuestionAnd
        | Operator::QuestionPipe
        | Operator::Colon => (Fallible, Offer::Refused(Reason::NotImplemented)),
    };
    Classification { behaviour, offer }
}
