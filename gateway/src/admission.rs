//! How many statements run at the same time, of all principals and of each.
//! What does not fit is refused at once: a queue would only hide it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use meshgate_policies::Principal;

use crate::{
    config::Limits,
    status::{GatewayError, Limit},
};

/// Issuer and subject.
type Who = (String, String);

/// Counts what runs.
#[derive(Debug)]
pub(crate) struct Admission {
    all_max: usize,
    per_principal_max: usize,
    running: Mutex<Running>,
}

#[derive(Debug, Default)]
struct Running {
    all: usize,
    by_principal: HashMap<Who, usize>,
}

/// A statement that may run. Dropping it makes room for another.
#[derive(Debug)]
pub(crate) struct Admitted {
    admission: Arc<Admission>,
    who: Who,
}

impl Admission {
    /// Admits within `limits`.
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            all_max: limits.queries,
            per_principal_max: limits.per_principal,
            running: Mutex::default(),
        })
    }

    /// Makes room for a statement of `principal`.
    pub(crate) fn admit(self: &Arc<Self>, principal: &Principal) -> Result<Admitted, GatewayError> {
        let who = (principal.issuer.clone(), principal.subject.clone());
        let mut running = self.running();
        if running.all >= self.all_max {
            return Err(GatewayError::Limit(Limit::Queries));
        }
        let own = running.by_principal.entry(who.clone()).or_default();
        if *own >= self.per_principal_max {
            return Err(GatewayError::Limit(Limit::PerPrincipal));
        }
        *own += 1;
        running.all += 1;
        drop(running);
        Ok(Admitted { admission: Arc::clone(self), who })
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut running = self.admission.running();
        running.all = running.all.saturating_sub(1);
        if let Some(own) = running.by_principal.get_mut(&self.who) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                running.by_principal.remove(&self.who);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(subject: &str) -> Principal {
        Principal { issuer: "i".to_owned(), subject: subject.to_owned(), ..Principal::default() }
    }

    #[test]
    fn r24_a_principal_is_held_to_its_share() {
        let admission = Admission::new(&Limits { queries: 3, per_principal: 2, ..Limits::default() });
        let first = admission.admit(&principal("anna")).unwrap();
        let _second = admission.admit(&principal("anna")).unwrap();
        assert!(matches!(admission.admit(&principal("anna")), Err(GatewayError::Limit(Limit::PerPrincipal))));
        let _other = admission.admit(&principal("otto")).unwrap();
        assert!(matches!(admission.admit(&principal("rita")), Err(GatewayError::Limit(Limit::Queries))));
        drop(first);
        assert!(admission.admit(&principal("anna")).is_ok());
    }
}
