//! Files of one's own, such as configuration, documents and keys, read with a
//! bound: a file that grew by mistake, or a pipe in its place, must not hold up
//! or fill the process that only wanted to look at it.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Longest document: contracts, policies, mesh.yaml, key sets, configuration.
pub const DOCUMENT_BYTES: u64 = 1 << 20;
/// Longest file that `${file:..}` refers to: a key or a password.
pub const SECRET_BYTES: u64 = 64 << 10;

/// The bytes of a file that is at most `longest` of them.
pub fn read(path: &Path, longest: u64) -> io::Result<Vec<u8>> {
    // The kind first: opening a pipe would wait for its writer.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "this is not a file"));
    }
    read_opened(&File::open(path)?, longest)
}

/// The same, as text.
pub fn read_text(path: &Path, longest: u64) -> io::Result<String> {
    let bytes = read(path, longest)?;
    String::from_utf8(bytes).map_err(|_| io::Error::new(ErrorKind::InvalidData, "the file is not UTF-8"))
}

/// What is left of a file that is open already.
pub fn read_opened(file: &File, longest: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(longest.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > longest {
        let message = format!("the file is longer than {longest} bytes");
        return Err(io::Error::new(ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_up_to_the_bound_is_read_and_a_longer_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read_text(&path, 5).unwrap(), "12345");
        let error = read_text(&path, 4).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        assert_eq!(error.to_string(), "the file is longer than 4 bytes");
        std::fs::write(&path, b"\xff").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"\xff");
        assert_eq!(read_text(&path, 5).unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn what_is_no_file_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path(), 5).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(read(Path::new("/dev/zero"), 5).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(read(&folder.path().join("none"), 5).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
