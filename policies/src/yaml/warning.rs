//! The kinds of warnings. Each has a name, under which docs/warnings.md
//! explains it and a comment can silence it.

use std::fmt;

/// A kind of warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Warning {
    ClaimNobodySends,
    ColumnNotInContract,
    ForeignKeyWithoutRule,
    GrantEndsSoon,
    GrantToEveryoneWithRows,
    LockOfAnotherMesh,
    LockTooOld,
    NothingSelected,
    PinnedToNothing,
    SecretInFile,
    SecretNotHere,
    ServiceLevelIgnored,
    UndeclaredMark,
    UnknownKey,
}

impl Warning {
    /// All of them, by name.
    pub const ALL: [Self; 14] = [
        Self::ClaimNobodySends,
        Self::ColumnNotInContract,
        Self::ForeignKeyWithoutRule,
        Self::GrantEndsSoon,
        Self::GrantToEveryoneWithRows,
        Self::LockOfAnotherMesh,
        Self::LockTooOld,
        Self::NothingSelected,
        Self::PinnedToNothing,
        Self::SecretInFile,
        Self::SecretNotHere,
        Self::ServiceLevelIgnored,
        Self::UndeclaredMark,
        Self::UnknownKey,
    ];

    /// The name: the anchor in docs/warnings.md.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClaimNobodySends => "claim-nobody-sends",
            Self::ColumnNotInContract => "column-not-in-contract",
            Self::ForeignKeyWithoutRule => "foreign-key-without-rule",
            Self::GrantEndsSoon => "grant-ends-soon",
            Self::GrantToEveryoneWithRows => "grant-to-everyone-with-rows",
            Self::LockOfAnotherMesh => "lock-of-another-mesh",
            Self::LockTooOld => "lock-too-old",
            Self::NothingSelected => "nothing-selected",
            Self::PinnedToNothing => "pinned-to-nothing",
            Self::SecretInFile => "secret-in-file",
            Self::SecretNotHere => "secret-not-here",
            Self::ServiceLevelIgnored => "service-level-ignored",
            Self::UndeclaredMark => "undeclared-mark",
            Self::UnknownKey => "unknown-key",
        }
    }

    /// The kind that a text names.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|warning| warning.name() == name)
    }

    /// Does it follow from the files of a domain or a mesh alone? Others may be here today and
    /// gone on another machine.
    pub fn is_of_files(self) -> bool {
        !matches!(
            self,
            Self::ColumnNotInContract | Self::LockOfAnotherMesh | Self::LockTooOld | Self::SecretNotHere
        )
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
