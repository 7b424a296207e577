//! Secrets that the embedded node makes for itself, once, and keeps in its data directory.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::config::Secret;
use crate::failure::{During, Outcome};

/// The secret in `<folder>/<name>`; made there if it is missing, readable by its owner only.
///
/// # Errors
/// The folder cannot be written, or the file not be read.
pub(crate) fn find_or_make(folder: &Path, name: &str, make: impl FnOnce() -> Secret) -> Outcome<Secret> {
    let path = folder.join(name);
    let shown = path.display().to_string();
    match read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        found => return found.during(&shown),
    }
    make_folder(folder)?;
    // Written aside and linked: never half a secret under its name, and of two processes the first one's counts.
    let aside = folder.join(format!(".{name}.{}", std::process::id()));
    let linked = write(&aside, make().expose()).and_then(|()| fs::hard_link(&aside, &path));
    let _ = fs::remove_file(&aside);
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error).during(&shown),
        _ => read(&path).during(&shown),
    }
}

/// Makes the data directory, for its owner only.
///
/// # Errors
/// It cannot be made.
pub(crate) fn make_folder(folder: &Path) -> Outcome<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).during(&folder.display().to_string())
}

fn read(path: &Path) -> std::io::Result<Secret> {
    let text = fs::read_to_string(path)?;
    Ok(Secret::new(text.trim_end().to_owned()))
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_is_made_once_for_its_owner_only() {
        let folder = std::env::temp_dir().join(format!("loquent-own-{}", std::process::id()));
        let first = find_or_make(&folder, "secret", || Secret::new("one".into())).expect("made");
        let second = find_or_make(&folder, "secret", || Secret::new("two".into())).expect("found");
        assert_eq!((first.expose(), second.expose()), ("one", "one"));
        let mode = |path: &Path| fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join("secret"))), (0o700, 0o600));
        assert_eq!(fs::read_dir(&folder).expect("folder").count(), 1);
        fs::remove_dir_all(&folder).expect("remove");
    }
}
