//! What callers are told, where a gateway and a node that a client reads from say the same. Each server says
//! in its own place when, and what else there is to say.

pub const QUERY_TIME: &str = "the query took longer than is allowed: read less, or aggregate more";
pub const IDLE_TIME: &str =
    "the result was not read for longer than is allowed: run the query again and read it at once";
pub const RESULT_ROWS: &str =
    "the result has more rows than are allowed: add a condition, a `limit` or an aggregate";
pub const RESULT_BYTES: &str = "the result is larger than is allowed: select fewer columns or rows";
pub const ACCESS_CHANGED: &str =
    "what you may see changed while the statement ran, and the result is not complete: run it again";
pub const NOT_PLANNED: &str =
    "the statement cannot be planned: check its clauses and the arguments of its functions";
pub const CANCELLED: &str = "the query was cancelled";
