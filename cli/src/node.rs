//! Pending.
use crate::{
    failure::{Failure, with_reasons},
    serve::{self, Report, ServeArguments},
};
pub(crate) async fn run(arguments: ServeArguments) -> Result<(), Failure> {
    if arguments.check {
        return Err(serve::configuration_failure(&[]));
    }
    let end = serve::end(arguments.supervised).await?;
    let _ = serve::environment("x");
    let _ = with_reasons(&std::io::Error::other("x"));
    serve::announce(arguments.supervised, Report { flight: ([127, 0, 0, 1], 1).into(), http: None })?;
    end.await;
    Ok(())
}
